"""`simsa check`: everything is looked at, nothing is spent."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simsa.cli.options import config_from, run_options
from simsa.i18n.language import Language, localize
from simsa.i18n.messages import msg
from simsa.text import usd

if TYPE_CHECKING:
    from simsa.llm import CapabilityReport
    from simsa.run.cost_estimate import RunEstimate
    from simsa.run.preflight import CheckReport

_MARKS = {"ok": "✓", "warning": "!", "error": "✗"}
_PLAIN_MARKS = {"ok": "+", "warning": "!", "error": "x"}
_TAKES = {True: "takes.yes", False: "takes.no", None: "takes.untried"}


@click.command(help="check")
@run_options
@click.option(
    "--train",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="check.train",
)
@click.option(
    "--ask",
    is_flag=True,
    help="check.ask",
)
@click.option("--json", "as_json", is_flag=True, help="check.json")
def command(train: Path | None, ask: bool, as_json: bool, **flags: Any) -> int:
    """Runs `simsa check`. Its help is in the message catalogue."""
    from simsa.cli import console
    from simsa.run import preflight

    config, folder = config_from(flags)
    checked = asyncio.run(preflight.check(config, folder, train, ask=ask))
    if as_json:
        console.print_json(checked.to_dict())
        return checked.exit_code
    _print(checked, config.report.language)
    return checked.exit_code


def _print(checked: CheckReport, language: Language) -> None:
    from simsa.cli import console

    marks = _MARKS if console.shows("✓✗", sys.stdout) else _PLAIN_MARKS
    for finding in checked.findings:
        about, text = (localize(said, language) for said in (finding.about, finding.text))
        console.prose([f"{about}: {text}"], bullet=f"{marks[finding.level]} ")
    if checked.capabilities:
        _print_capabilities(checked.capabilities, language)
    if checked.estimate:
        _print_estimate(checked.estimate, language)


def _print_estimate(estimate: RunEstimate, language: Language) -> None:
    from simsa.cli import console, execution

    said = execution.describe_estimate(estimate)
    if estimate.prices_as_of:
        said = msg("estimate.as_of", said=said, month=estimate.prices_as_of)
    console.prose(["", localize(said, language)])
    for shares in (estimate.judges, estimate.parts):
        for name, share in shares.items() if len(shares) > 1 else ():
            what = {"name": name, "calls": share.calls, "prompt": share.prompt_tokens}
            said = msg("estimate.share", cost=execution.describe_cost(share.cost_usd), **what)
            console.prose([f"  {localize(said, language)}"])
    if each := [f"{name} {usd(cost)}" for name, cost in estimate.criteria.items() if cost]:
        console.prose([f"  {localize(msg('estimate.criteria', list=', '.join(each)), language)}"])


def _print_capabilities(capabilities: Mapping[str, CapabilityReport | None], language: Language) -> None:
    """A table of what each endpoint takes; how to find it out where that is not known."""
    from simsa.cli import console
    from simsa.report.format import Grid, TableCell, TableRow
    from simsa.report.renderers.terminal import render_grids

    def say(key: str, **blanks: object) -> str:
        return localize(msg(key, **blanks), language)

    known = {name: found for name, found in capabilities.items() if found}
    if known:
        rows = {
            "takes.schema": [
                _heeded(k.capabilities.accepts("response_format"), k.schema_kept) for k in known.values()
            ],
            "takes.logprobs": [
                _heeded(k.capabilities.accepts("logprobs"), k.logprobs_given) for k in known.values()
            ],
            "takes.seed": [_TAKES[k.capabilities.accepts("seed")] for k in known.values()],
            "takes.temperature": [
                "takes.reasoning" if k.is_reasoning else _TAKES[k.capabilities.accepts("temperature")]
                for k in known.values()
            ],
        }
        table = [
            TableRow(say(name), tuple(TableCell(say(cell)) for cell in cells)) for name, cells in rows.items()
        ]
        lengths = tuple(TableCell(k.capabilities.length_field) for k in known.values())
        dates = tuple(TableCell(say("found_by.check", date=str(k.found), n=k.tokens)) for k in known.values())
        table += [TableRow(say("takes.length"), lengths), TableRow(say("takes.found"), dates)]
        grid = Grid(say("check.takes"), tuple(localize(name, language) for name in known), tuple(table))
        console.show("\n" + render_grids([grid], *console.terminal()))
    unknown = (name for name in capabilities if not capabilities[name])
    console.prose(say("check.takes_unknown", name=name) for name in unknown)


def _heeded(taken: bool | None, heeded: bool) -> str:
    return "takes.unheeded" if taken and not heeded else _TAKES[taken]
