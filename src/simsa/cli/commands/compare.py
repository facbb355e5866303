"""`simsa compare`: variants against a baseline, within a run or across two, and gates for scripts."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simsa.cli import console
from simsa.errors import EXIT_OK, GateFailed, InputError
from simsa.i18n.messages import msg

if TYPE_CHECKING:
    from simsa.i18n.language import Language
    from simsa.report.comparisons import ComparisonReport
    from simsa.run.cross_judge import Bridge


@click.command(help="compare")
@console.run_argument
@click.argument("run2", metavar="[RUN2]", required=False, type=click.Path(path_type=Path))
@click.option("--baseline", metavar="NAME", help="compare.baseline")
@click.option(
    "--gate",
    "gates",
    multiple=True,
    metavar="GATE",
    help="compare.gate",
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="option.write")
@click.option(
    "--bridge",
    metavar="N",
    type=click.IntRange(1),
    help="compare.bridge",
)
@click.option("--common", is_flag=True, help="compare.common")
@click.option(
    "--max-cost-usd",
    type=click.FloatRange(min=0),
    help="compare.max_cost_usd",
)
@click.option("--seed", type=int, default=0, show_default=True, help="option.seed")
@click.option("--language", type=click.Choice(["ko", "en"]), help="option.language_run")
@click.option("--link", metavar="URL", help="compare.link")
@click.option("-q", "--quiet", is_flag=True, help="option.quiet")
@console.format_options(("text", "md", "json", "junit"))
@console.pager_option
def command(
    run: Path,
    run2: Path | None,
    baseline: str | None,
    gates: tuple[str, ...],
    out: Path | None,
    bridge: int | None,
    common: bool,
    max_cost_usd: float | None,
    seed: int,
    language: Language | None,
    link: str | None,
    quiet: bool,
    format: str | None,
    as_json: bool,
    pager: bool,
) -> int:
    """Runs `simsa compare`. Its help is in the message catalogue."""
    from simsa.report import comparisons
    from simsa.report.gates import parse

    chosen = console.chosen(format, as_json)
    wanted = [parse(gate) for gate in gates]
    if run2 is None and (bridge or common):
        raise InputError(
            msg("error.cli.needs_two_runs"),
            field="--bridge" if bridge else "--common",
            hint=msg("error.cli.add_run"),
        )
    built = (
        _bridge(run, run2, bridge, seed, language, common=common, max_cost_usd=max_cost_usd, quiet=quiet)
        if bridge and run2
        else None
    )
    if chosen == "text" and out is None:
        language = console.reader(language)
    with ExitStack() as opened:
        stores = [opened.enter_context(console.open_run(path)) for path in (run, run2) if path is not None]
        found = comparisons.comparison_report(
            stores, baseline, wanted, language, bridge=built, only_common=common
        )
    made = _rendered(found, chosen, out, link)
    if chosen == "text" and out is None and isinstance(made, str):
        console.page(made, pager=pager)
    else:
        console.put(made, out)
    failed = [outcome for outcome in found.outcomes if not outcome.passed]
    if failed:
        raise GateFailed(msg("error.gates_failed", n=len(failed), of=len(found.outcomes)))
    return EXIT_OK


def _bridge(
    run: Path,
    run2: Path,
    n: int,
    seed: int,
    language: Language | None,
    *,
    common: bool,
    max_cost_usd: float | None,
    quiet: bool,
) -> Bridge | None:
    """Has both runs' judges look at a sample; None where they are the same. Says what it will take first."""
    from simsa.cli import execution
    from simsa.report.comparisons import require_comparable
    from simsa.run import cross_judge
    from simsa.run.progress import Progress
    from simsa.store import Store

    runs = [cross_judge.BridgedRun(console.find_run(path), console.roots(path)) for path in (run, run2)]
    with Store.read(runs[0].folder) as first, Store.read(runs[1].folder) as second:
        shared = require_comparable(first, second, bridged=True, only_common=common)
        keys = [(store.meta("judge") or {}).get("key") for store in (first, second)]
        spoken: Language = language or first.meta("language", "ko")
    if keys[0] == keys[1]:
        return None
    planned = cross_judge.plan(runs[0], runs[1], n, seed=seed, among=shared.pairs if shared else None)
    if not quiet:
        console.tell(execution.describe_estimate(planned.estimate), spoken)
    progress = Progress()
    work = cross_judge.build(planned, max_cost_usd=max_cost_usd, progress=progress)
    return execution.run_with_display(work, progress, spoken, quiet=quiet)


def _rendered(
    found: ComparisonReport, format: str, out: Path | None, link: str | None
) -> str | Iterable[bytes]:
    if format == "json":
        return console.to_json(found.to_dict())
    if format == "md":
        from simsa.report.renderers import comment

        return comment.render(found, link)
    if format == "junit":
        from simsa.report.renderers import junit

        return junit.render_gates(found.outcomes)
    from simsa.report.renderers import terminal

    return terminal.render_comparison(found, *console.for_text(out))
