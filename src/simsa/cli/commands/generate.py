"""`simsa generate`: one stage of `simsa run`."""

from __future__ import annotations

from typing import Any

import click

from simsa.cli.options import config_from, run_options


@click.command()
@run_options
@click.option("--json", "as_json", is_flag=True, help="Print the counts as one JSON document.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def command(as_json: bool, quiet: bool, **flags: Any) -> int:
    """Only generate: every variant answers every question that it has not answered yet.

    \b
    simsa generate simsa.toml
    """
    from simsa.cli import result
    from simsa.cli.execution import run_pipeline

    config, folder = config_from(flags)
    run_pipeline(config, folder, ("generate",), quiet=quiet)
    return result.show_counts(folder, "generate", as_json=as_json)
