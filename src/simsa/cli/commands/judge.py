"""`simsa judge`: one stage of `simsa run`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simsa.cli.options import config_from, run_options
from simsa.errors import InputError
from simsa.i18n.messages import msg

if TYPE_CHECKING:
    from simsa.run.batch.actions import BatchAction


@click.command(help="judge")
@run_options
@click.option("--retry", multiple=True, metavar="STATUS", help="option.retry")
@click.option("--submit", is_flag=True, help="judge.submit")
@click.option("--collect", is_flag=True, help="judge.collect")
@click.option("--cancel", is_flag=True, help="judge.cancel")
@click.option(
    "--write-batch",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="judge.write_batch",
)
@click.option(
    "--read-batch",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=Path),
    help="judge.read_batch",
)
@click.option("--json", "as_json", is_flag=True, help="option.json_counts")
@click.option("-q", "--quiet", is_flag=True, help="option.quiet")
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
    """Runs `simsa judge`. Its help is in the message catalogue."""
    from simsa.cli import result
    from simsa.cli.execution import run_pipeline

    mode = _mode(submit, collect, cancel, write_batch, read_batch)
    config, folder = config_from(flags | {"via": "batch" if submit or collect or cancel else None})
    run_pipeline(config, folder, ("judge",), quiet=quiet, retry=retry, batch=mode)
    code = result.show_counts(folder, "judge", as_json=as_json, config=flags.get("config"))
    return 0 if write_batch else code


def _mode(
    submit: bool, collect: bool, cancel: bool, write: Path | None, read: tuple[Path, ...]
) -> BatchAction | None:
    """What the flags want. Raises InputError when they want two things at once."""
    from simsa.run.batch.actions import Cancel, Collect, Read, Submit, Write

    wanted: dict[str, BatchAction] = {}
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
        raise InputError(
            msg("error.cli.cannot_both_hold", list=" and ".join(wanted)), hint=msg("error.cli.give_one_them")
        )
    return next(iter(wanted.values()), None)
