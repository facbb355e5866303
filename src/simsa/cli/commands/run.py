"""`simsa run`: generate, judge, report."""

from __future__ import annotations

from typing import Any

import click

from simsa.cli.options import config_from, run_options


@click.command()
@run_options
@click.option("--retry", multiple=True, metavar="STATUS", help="Ask again where the verdict has this status.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON document.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def command(retry: tuple[str, ...], as_json: bool, quiet: bool, **flags: Any) -> int:
    """Generate, judge, report. Goes on by itself where it stopped; done work is never done again.

    \b
    simsa run simsa.toml
    simsa run --data test.jsonl --model google/gemma-3-270m \\
        --adapter rag=out/adapter --judge gpt-4o
    """
    from simsa.cli import result
    from simsa.cli.execution import run_pipeline

    config, folder = config_from(flags)
    run_pipeline(config, folder, ("generate", "judge"), quiet=quiet, retry=retry)
    return result.show_report(folder, as_json=as_json)
