"""`simsa run`: generate, judge, report."""

from __future__ import annotations

from typing import Any

import click

from simsa.cli.options import config_from, run_options


@click.command(help="run")
@run_options
@click.option("--retry", multiple=True, metavar="STATUS", help="option.retry")
@click.option("--json", "as_json", is_flag=True, help="option.json_report")
@click.option("-q", "--quiet", is_flag=True, help="option.quiet")
def command(retry: tuple[str, ...], as_json: bool, quiet: bool, **flags: Any) -> int:
    """Runs `simsa run`. Its help is in the message catalogue."""
    from simsa.cli import result
    from simsa.cli.execution import run_pipeline

    config, folder = config_from(flags)
    run_pipeline(config, folder, ("generate", "judge"), quiet=quiet, retry=retry)
    return result.show_report(folder, as_json=as_json)
