"""`simsa compare`: variants against a baseline, within a run or across two, and gates for scripts."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simsa.cli import console
from simsa.errors import EXIT_OK, GateFailed, InputError

if TYPE_CHECKING:
    from simsa.i18n.language import Language
    from simsa.report.comparisons import ComparisonReport
    from simsa.run.cross_judge import Bridge


@click.command()
@console.run_argument
@click.argument("run2", metavar="[RUN2]", required=False, type=click.Path(path_type=Path))
@click.option("--baseline", metavar="NAME", help="Variant to compare with; the run's own by default.")
@click.option(
    "--gate",
    "gates",
    multiple=True,
    metavar="GATE",
    help="A condition that has to hold, e.g. 'total >= baseline - 0.5'; repeatable.",
)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file, whole or not at all."
)
@click.option(
    "--bridge",
    metavar="N",
    type=click.IntRange(1),
    help="Runs of different judges: have both judge the same N answers, and show how far they differ.",
)
@click.option(
    "--common", is_flag=True, help="Runs of different data: compare on the questions that both ask."
)
@click.option(
    "--max-cost-usd",
    type=click.FloatRange(min=0),
    help="Limit of what --bridge may cost; the runs' own by default.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the bridge's sample.")
@click.option("--language", type=click.Choice(["ko", "en"]), help="Language; the run's own by default.")
@click.option("--link", metavar="URL", help="Where the full report is, for --format md.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
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
    """Compare every variant with a baseline on the questions that both have scored.

    With RUN2, its variants take part as NAME@RUN2; both runs need the same questions,
    judge and rubric. Where judge or rubric differ, --bridge N has both judge the same N
    answers (kept, never paid twice) and says how much of a difference is the judges'.
    Where the data differ, --common compares on the questions that both ask.

    Gates are [VARIANT:] METRIC OP EXPR with OP one of > >= < <= and EXPR a number,
    baseline, or baseline ± a number. METRIC is total, a criterion, a deterministic
    metric, coverage, abstention_f1, over_refusal, … They are decided on the bound of
    the 95 % interval; a gate that fails makes the exit code 3.

    --format md is a comment for a pull request. On a terminal text that is longer than
    the screen goes through $PAGER, or less.

    \b
    simsa compare simsa.simsa --baseline base --gate 'total >= baseline - 0.5'
    simsa compare new.simsa old.simsa --gate 'coverage >= 0.98' \\
        --format junit --out gates.xml
    simsa compare new.simsa old.simsa --bridge 50 --max-cost-usd 1
    """
    from simsa.report import comparisons
    from simsa.report.gates import parse

    chosen = console.chosen(format, as_json)
    wanted = [parse(gate) for gate in gates]
    if run2 is None and (bridge or common):
        raise InputError("needs two runs", field="--bridge" if bridge else "--common", hint="add RUN2")
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
        raise GateFailed(f"{len(failed)} of {len(found.outcomes)} gates failed")
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
        console.tell(execution.describe_estimate(planned.expense), spoken)
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

    return terminal.render_comparing(found, *console.for_text(out))
