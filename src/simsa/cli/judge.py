"""`simsa judge`: one stage of `simsa run`."""

from __future__ import annotations

from typing import Any

import click

from simsa.cli.options import config_from, run_options


@click.command()
@run_options
@click.option("--retry", multiple=True, metavar="STATUS", help="Ask again where the verdict has this status.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as one JSON document.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def command(retry: tuple[str, ...], as_json: bool, quiet: bool, **flags: Any) -> int:
    """Only judge: every answer that has no verdict gets one.

    \b
    simsa judge simsa.toml
    """
    from simsa.cli import ending
    from simsa.cli.live import perform

    config, folder = config_from(flags)
    perform(config, folder, ("judge",), quiet=quiet, retry=retry)
    return ending.show_counts(folder, "judge", as_json=as_json)
