"""`simsa compare`: variants against a baseline, within a run or across two, and gates for scripts."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simsa.cli import console
from simsa.errors import EXIT_OK, GateFailed

if TYPE_CHECKING:
    from simsa.report.comparing import Comparing
    from simsa.report.words import Language


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
@click.option("--language", type=click.Choice(["ko", "en"]), help="Language; the run's own by default.")
@console.format_options(("text", "json", "junit"))
def command(
    run: Path,
    run2: Path | None,
    baseline: str | None,
    gates: tuple[str, ...],
    out: Path | None,
    language: Language | None,
    format: str | None,
    as_json: bool,
) -> int:
    """Compare every variant with a baseline on the questions that both have scored.

    With RUN2, its variants take part as NAME@RUN2; both runs need the same questions,
    judge and rubric. Gates are [VARIANT:] METRIC OP EXPR with OP one of > >= < <= and
    EXPR a number, baseline, or baseline ± a number. METRIC is total, a criterion, a
    deterministic metric, coverage, abstention_f1, over_refusal, … They are decided on
    the bound of the 95 % interval; a gate that fails makes the exit code 3.

    \b
    simsa compare simsa.simsa --baseline base --gate 'total >= baseline - 0.5'
    simsa compare new.simsa old.simsa --gate 'coverage >= 0.98' --format junit --out gates.xml
    """
    from simsa.report import comparing
    from simsa.report.gates import parse

    chosen = console.chosen(format, as_json)
    wanted = [parse(gate) for gate in gates]
    with ExitStack() as opened:
        stores = [opened.enter_context(console.open_run(path)) for path in (run, run2) if path is not None]
        found = comparing.comparing(stores, baseline, wanted, language)
    console.put(_rendered(found, chosen, out), out)
    failed = [outcome for outcome in found.outcomes if not outcome.passed]
    if failed:
        raise GateFailed(f"{len(failed)} of {len(found.outcomes)} gates failed")
    return EXIT_OK


def _rendered(found: Comparing, format: str, out: Path | None) -> str | Iterable[bytes]:
    if format == "json":
        return console.to_json(found.to_dict())
    if format == "junit":
        from simsa.report import junit

        return junit.render_gates(found.outcomes)
    from simsa.report import text

    return text.render_comparing(found, *console.for_text(out))
