"""`simsa generate`: one stage of `simsa run`."""

from __future__ import annotations

from typing import Any

import click

from simsa.cli.options import config_from, run_options


@click.command(help="generate")
@run_options
@click.option("--json", "as_json", is_flag=True, help="option.json_counts")
@click.option("-q", "--quiet", is_flag=True, help="option.quiet")
def command(as_json: bool, quiet: bool, **flags: Any) -> int:
    """Runs `simsa generate`. Its help is in the message catalogue."""
    from simsa.cli import result
    from simsa.cli.execution import run_pipeline

    config, folder = config_from(flags)
    run_pipeline(config, folder, ("generate",), quiet=quiet)
    return result.show_counts(folder, "generate", as_json=as_json)
