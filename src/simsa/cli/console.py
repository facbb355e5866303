"""What all commands share at the terminal: formats, where a run is, how output is written.

Results go to stdout, everything else to stderr, so that either can be piped.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from simsa.errors import InputError, RunError

if TYPE_CHECKING:
    from rich.console import Console

    from simsa.report import Summary
    from simsa.store import Store

_Command = TypeVar("_Command", bound=Callable[..., Any])
_NARROW = 40
_FILE_WIDTH = 100


class Terminal(NamedTuple):
    """How wide stdout is in cells, and whether it shows colours."""

    width: int
    colour: bool


def terminal() -> Terminal:
    """What stdout can show. Piped, it is 80 wide (or $COLUMNS) and without colour."""
    width = shutil.get_terminal_size((80, 24)).columns
    return Terminal(max(width, _NARROW), colour=not console().no_color and console().is_terminal)


def for_text(out: Path | None) -> Terminal:
    """How text for `out` is to look: as stdout takes it, or plain in a file."""
    return terminal() if out is None else Terminal(_FILE_WIDTH, colour=False)


def console(*, stderr: bool = False) -> Console:
    """A rich console that takes all text literally: no markup, no emoji codes, no guessed colours."""
    from rich.console import Console

    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)


def run_argument(command: _Command) -> _Command:
    """The argument RUN; `find_run` resolves it."""
    return click.argument("run", metavar="RUN", type=click.Path(path_type=Path))(command)


def format_options(formats: Sequence[str], default: str = "text") -> Callable[[_Command], _Command]:
    """`--format` with `formats`, and `--json` where json is one of them. See `chosen`."""

    def decorate(command: _Command) -> _Command:
        if "json" in formats:
            command = click.option("--json", "as_json", is_flag=True, help="Short for --format json.")(
                command
            )
        return click.option(
            "--format",
            "format",
            type=click.Choice(tuple(formats)),
            default=None,
            help=f"What to print; {default} by default.",
        )(command)

    return decorate


def chosen(format: str | None, as_json: bool, default: str = "text") -> str:
    """The format that the flags of `format_options` ask for. Raises InputError if they disagree."""
    if as_json and format not in (None, "json"):
        raise InputError(f"--json and --format {format} cannot both hold", hint="give one of them")
    return "json" if as_json else format or default


def find_run(path: Path) -> Path:
    """The folder of the run that `path` names: itself, its database, or the config it was made from.

    Raises RunError when there is nothing, ConfigError when the config is wrong.
    """
    from simsa import config
    from simsa.store.store import DATABASE

    if (path / DATABASE).is_file():
        return path
    if path.name == DATABASE and path.is_file():
        return path.parent
    if path.is_file() or (path / config.DEFAULT_CONFIG).is_file():
        return config.load(path).run_dir
    if path.is_dir():
        return path
    raise RunError(
        "no such run",
        where=str(path),
        hint="give a run's folder (`<config name>.simsa`, or what --out named) or the config it was made from",
    )


def roots(path: Path) -> tuple[Path, ...]:
    """Where the files that the config of the run `path` names are looked for, besides the run's own place."""
    from simsa import config

    folder = path if (path / config.DEFAULT_CONFIG).is_file() else path.parent
    return (folder,) if path.is_file() or folder == path else ()


def open_run(path: Path) -> Store:
    """Opens the run that `path` names for reading; see `find_run`."""
    from simsa.store import Store

    return Store.read(find_run(path))


def print_json(document: Any) -> None:
    """Prints exactly one JSON document."""
    put(to_json(document))


def to_json(document: Any) -> str:
    """`document` as JSON for people and programs: indented, keys in their own order."""
    import orjson

    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def print_report(summary: Summary) -> None:
    """Prints a report for people, as wide and colourful as stdout takes it."""
    from simsa.report import text

    put(text.render(summary, *terminal()))


def put(content: str | Iterable[bytes], out: Path | None = None) -> None:
    """Writes a result to stdout, or whole or not at all to the file `out` (`-` is stdout).

    Raises InputError when the file cannot be written.
    """
    chunks = [content.encode("utf-8", "replace")] if isinstance(content, str) else content
    if out is None or str(out) == "-":
        sys.stdout.flush()
        for chunk in chunks:
            click.echo(chunk, nl=False)
        return
    try:
        if out.exists() and not out.is_file():
            with out.open("wb") as stream:
                stream.writelines(chunks)
        else:
            _replace(out, chunks)
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", where=str(out)) from None


def _replace(path: Path, chunks: Iterable[bytes]) -> None:
    """A reader of `path` sees the old file or the new one, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with unfinished.open("wb") as stream:
            stream.writelines(chunks)
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def page(text: str) -> None:
    """Prints `text`; through the user's pager when it is longer than the terminal."""
    if sys.stdout.isatty() and text.count("\n") >= shutil.get_terminal_size().lines:
        click.echo_via_pager(text, color=True)
    else:
        put(text)
