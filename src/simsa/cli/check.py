"""`simsa check`: everything is looked at, nothing is spent."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from simsa.cli.options import config_from, run_options
from simsa.text import visible

_MARKS = {"ok": "✓", "warning": "!", "error": "✗"}


@click.command()
@run_options
@click.option(
    "--train",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Training rows, in any format: look for leaks of the test set.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as one JSON document.")
def command(train: Path | None, as_json: bool, **flags: Any) -> int:
    """Look at everything without spending: config, data, prompts, adapters, endpoints, the judge and its cost.

    The data is searched for questions that repeat, references that no passage bears out,
    and labels that contradict their reference; with --train also for questions and
    passages that the models were trained on.

    \b
    simsa check simsa.toml
    simsa check simsa.toml --train train.jsonl
    """
    from simsa import checking
    from simsa.cli import console

    config, folder = config_from(flags)
    checked = asyncio.run(checking.check(config, folder, train))
    if as_json:
        console.print_json(checked.to_dict())
        return checked.exit_code
    for finding in checked.findings:
        click.echo(f"{_MARKS[finding.level]} {finding.about}: {visible(finding.text)}")
    if estimate := checked.estimate:
        cost = "no price is known" if estimate.cost_usd is None else f"about {estimate.cost_usd:.2f} USD"
        click.echo(
            f"\njudging: {estimate.calls} calls, about {estimate.prompt_tokens:,} tokens in and"
            f" {estimate.completion_tokens:,} out (estimated from characters), {cost}"
        )
        for shares in (estimate.judges, estimate.parts):
            for name, share in shares.items() if len(shares) > 1 else ():
                usd = "no price" if share.cost_usd is None else f"{share.cost_usd:.2f} USD"
                click.echo(f"  {name}: {share.calls} calls, {share.prompt_tokens:,} tokens in, {usd}")
    return checked.exit_code
