"""`simsa check`: everything is looked at, nothing is spent."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simsa.cli.options import config_from, run_options
from simsa.text import visible

if TYPE_CHECKING:
    from simsa.endpoints import Known

_MARKS = {"ok": "✓", "warning": "!", "error": "✗"}


@click.command()
@run_options
@click.option(
    "--train",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Training rows, in any format: look for leaks of the test set.",
)
@click.option(
    "--ask",
    is_flag=True,
    help="Have each endpoint answer one small question, a few tokens, to find out what it takes.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as one JSON document.")
def command(train: Path | None, ask: bool, as_json: bool, **flags: Any) -> int:
    """Look at everything without spending: config, data, prompts, adapters, endpoints, the judge and its cost.

    The data is searched for questions that repeat, references that no passage bears out,
    and labels that contradict their reference; with --train also for questions and
    passages that the models were trained on. What endpoints take (JSON schema, token
    probabilities, seed, temperature) is shown as far as it is known: --ask finds it out for
    a few tokens, and it is remembered for a month.

    \b
    simsa check simsa.toml
    simsa check simsa.toml --train train.jsonl
    simsa check simsa.toml --ask
    """
    from simsa import checking
    from simsa.cli import console

    config, folder = config_from(flags)
    checked = asyncio.run(checking.check(config, folder, train, ask=ask))
    if as_json:
        console.print_json(checked.to_dict())
        return checked.exit_code
    for finding in checked.findings:
        click.echo(f"{_MARKS[finding.level]} {finding.about}: {visible(finding.text)}")
    if checked.abilities:
        _print_abilities(checked.abilities)
    if estimate := checked.estimate:
        cost = "no price is known" if estimate.cost_usd is None else f"about {estimate.cost_usd:.2f} USD"
        click.echo(
            f"\njudging: {estimate.calls} calls, about {estimate.prompt_tokens:,} tokens in and"
            f" {estimate.completion_tokens:,} out (estimated from characters), {cost}"
            + (f" at prices of {estimate.prices_as_of}" if estimate.prices_as_of else "")
        )
        for shares in (estimate.judges, estimate.parts):
            for name, share in shares.items() if len(shares) > 1 else ():
                usd = "no price" if share.cost_usd is None else f"{share.cost_usd:.2f} USD"
                click.echo(f"  {name}: {share.calls} calls, {share.prompt_tokens:,} tokens in, {usd}")
        if each := [f"{name} {usd:.2f}" for name, usd in estimate.criteria.items() if usd]:
            click.echo(
                f"  by criterion, USD, a call's cost divided evenly over what it asks: {', '.join(each)}"
            )
    return checked.exit_code


_TAKES = {True: "yes", False: "no", None: "not tried"}


def _print_abilities(abilities: Mapping[str, Known | None]) -> None:
    """A table of what each endpoint takes; how to find it out where that is not known."""
    from simsa.cli import console
    from simsa.report.cells import Cell, Grid, Row
    from simsa.report.text import render_grids

    known = {name: found for name, found in abilities.items() if found}
    if known:
        rows = {
            "JSON schema": [_heeded(k.abilities.schema, k.schema_kept) for k in known.values()],
            "token probabilities": [_heeded(k.abilities.logprobs, k.logprobs_given) for k in known.values()],
            "seed": [_TAKES[k.abilities.seed] for k in known.values()],
            "temperature": [
                "no (a reasoning model?)" if k.is_reasoning else _TAKES[k.abilities.temperature]
                for k in known.values()
            ],
            "length limit": [k.abilities.length_field for k in known.values()],
            "found out": [f"{k.found}, {k.tokens} tokens" for k in known.values()],
        }
        table = tuple(Row(name, tuple(map(Cell, cells))) for name, cells in rows.items())
        click.echo()
        console.put(render_grids([Grid("what the endpoints take", tuple(known), table)], *console.terminal()))
    for name in abilities.keys() - known.keys():
        click.echo(f"{name}: what its endpoint takes is not known; `simsa check --ask` finds it out")


def _heeded(taken: bool | None, heeded: bool) -> str:
    return "taken, not heeded" if taken and not heeded else _TAKES[taken]
