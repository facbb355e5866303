"""`simsa judge`: one stage of `simsa run`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simsa.cli.options import config_from, run_options
from simsa.errors import InputError

if TYPE_CHECKING:
    from simsa.run.batch.actions import Mode


@click.command()
@run_options
@click.option("--retry", multiple=True, metavar="STATUS", help="Ask again where the verdict has this status.")
@click.option("--submit", is_flag=True, help="Batch API: submit what is pending, and leave.")
@click.option("--collect", is_flag=True, help="Batch API: fetch what is ready, and leave.")
@click.option("--cancel", is_flag=True, help="Batch API: end what is open; answers so far can be collected.")
@click.option(
    "--write-batch",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Write what is pending as files for `vllm run-batch`, to be run anywhere.",
)
@click.option(
    "--read-batch",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Read results of such files; repeatable.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the counts as one JSON document.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def command(
    retry: tuple[str, ...],
    submit: bool,
    collect: bool,
    cancel: bool,
    write_batch: Path | None,
    read_batch: tuple[Path, ...],
    as_json: bool,
    quiet: bool,
    **flags: Any,
) -> int:
    """Only judge: every answer that has no verdict gets one.

    With `judge.via = "batch"` the requests go through the endpoint's Batch API, at half
    the price, and this waits for them; interrupted, it goes on where it stopped, also the
    next day. --submit, --collect and --cancel do not wait. --write-batch and --read-batch need no
    endpoint: files out, files in.

    \b
    simsa judge simsa.toml
    simsa judge simsa.toml --collect
    simsa judge simsa.toml --write-batch requests
    simsa judge simsa.toml --read-batch results.jsonl
    """
    from simsa.cli import result
    from simsa.cli.execution import run_pipeline

    mode = _mode(submit, collect, cancel, write_batch, read_batch)
    config, folder = config_from(flags | {"via": "batch" if submit or collect or cancel else None})
    run_pipeline(config, folder, ("judge",), quiet=quiet, retry=retry, batch=mode)
    code = result.show_counts(folder, "judge", as_json=as_json, config=flags.get("config"))
    return 0 if write_batch else code


def _mode(
    submit: bool, collect: bool, cancel: bool, write: Path | None, read: tuple[Path, ...]
) -> Mode | None:
    """What the flags want. Raises InputError when they want two things at once."""
    from simsa.run.batch.actions import Cancel, Collect, Read, Submit, Write

    wanted: dict[str, Mode] = {}
    if submit:
        wanted["--submit"] = Submit()
    if collect:
        wanted["--collect"] = Collect()
    if cancel:
        wanted["--cancel"] = Cancel()
    if write:
        wanted["--write-batch"] = Write(write)
    if read:
        wanted["--read-batch"] = Read(read)
    if len(wanted) > 1:
        raise InputError(f"{' and '.join(wanted)} cannot both hold", hint="give one of them")
    return next(iter(wanted.values()), None)
