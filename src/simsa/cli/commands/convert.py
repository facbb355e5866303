"""`simsa convert`: any test-set format to canonical JSONL."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import click
import orjson

from simsa.cli import console
from simsa.data import FORMATS, read
from simsa.errors import ConfigError, DataError
from simsa.i18n.messages import msg
from simsa.records import Question


@click.command(help="convert")
@click.argument("file")
@click.option("--format", "format_", type=click.Choice(FORMATS), default="auto", help="convert.format")
@click.option(
    "--field",
    "fields",
    multiple=True,
    metavar="FIELD=NAME",
    help="convert.field",
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="option.limit")
@click.option("--split", metavar="NAME", help="convert.split")
@click.option("--out", type=click.Path(dir_okay=False), metavar="FILE", help="option.write")
def command(
    file: str, format_: str, fields: tuple[str, ...], limit: int | None, split: str | None, out: str | None
) -> None:
    """Runs `simsa convert`. Its help is in the message catalogue."""
    questions = read(file, format=format_, fields=_mapping(fields), limit=limit, split=split)
    if out is None:
        _write(questions, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    count = _write_whole(questions, Path(out))
    console.tell(msg("convert.done", n=count, path=out))


def _mapping(fields: tuple[str, ...]) -> dict[str, str]:
    pairs = [field.partition("=") for field in fields]
    for role, equals, name in pairs:
        if not (role and equals and name):
            raise ConfigError(
                msg("error.cli.field_pair"),
                field="--field",
                found=f"{role}{equals}{name}",
                hint="--field question=q",
            )
    return {role: name for role, _, name in pairs}


def _write(questions: Iterable[Question], file: BinaryIO) -> int:
    count = 0
    for question in questions:
        file.write(orjson.dumps(question.to_dict()) + b"\n")
        count += 1
    return count


def _write_whole(questions: Iterable[Question], out: Path) -> int:
    """Writes beside `out` and renames, so that a file of this name is always a whole one."""
    draft = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        with draft.open("xb") as file:
            count = _write(questions, file)
        draft.replace(out)
    except OSError as error:
        raise DataError(msg("error.cli.cannot_written", strerror=error.strerror), where=str(out)) from None
    finally:
        draft.unlink(missing_ok=True)
    return count
