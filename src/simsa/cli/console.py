"""What all commands share at the terminal: formats, where a run is, how output is written.

Results go to stdout, everything else to stderr, so that either can be piped.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO, TypeVar

import click

from simsa.errors import InputError, RunError
from simsa.i18n.language import Language, localize
from simsa.i18n.messages import msg
from simsa.text import closest, visible

if TYPE_CHECKING:
    from rich.console import Console

    from simsa.report import Summary
    from simsa.store import Store

_Command = TypeVar("_Command", bound=Callable[..., Any])
RUN = "a run's folder (`<config name>.simsa`, or what --out named) or the config it was made from"
_NARROW = 40
_FILE_WIDTH = 100


@dataclass(slots=True)
class Invocation:
    """One call of the command line: its arguments, and the language of the run once it is known."""

    argv: list[str]
    language: Language | None = None


def set_language(language: Language) -> None:
    """Sets the language of errors and messages for the rest of this call."""
    context = click.get_current_context(silent=True)
    if context and isinstance(invocation := context.find_root().obj, Invocation):
        invocation.language = language


class Terminal(NamedTuple):
    """How wide stdout is in cells, and whether it shows colours."""

    width: int
    colour: bool


def terminal() -> Terminal:
    """What stdout can show. Piped, it is 80 wide (or $COLUMNS) and without colour."""
    width = shutil.get_terminal_size((80, 24)).columns
    screen = console()
    return Terminal(max(width, _NARROW), colour=screen.color_system is not None and not screen.no_color)


def for_text(out: Path | None) -> Terminal:
    """How text for `out` is to look: as stdout takes it, or plain in a file."""
    return terminal() if out is None else Terminal(_FILE_WIDTH, colour=False)


def console(*, stderr: bool = False) -> Console:
    """A rich console that takes all text literally: no markup, no emoji codes, no guessed colours."""
    from rich.console import Console

    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)


def shows(text: str, stream: TextIO) -> bool:
    """Whether `stream` can show `text` in its encoding."""
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def listener(language: Language) -> Language:
    """The language for what is said on stderr: English where it cannot show Hangul."""
    return language if shows("가힣", sys.stderr) else "en"


def folded(text: str, width: int, hang: int = 0) -> str:
    """`text` broken between words to `width` cells; lines after the first of each are indented by `hang` more."""
    from rich.text import Text

    lines = []
    for line in text.split("\n"):
        bare = line.lstrip(" ")
        indent = len(line) - len(bare)
        room = max(width - indent - hang, _NARROW // 2)
        first, *others = [part.plain.rstrip() for part in Text(bare).wrap(console(), room)] or [""]
        lines += [" " * indent + first, *(" " * (indent + hang) + other for other in others)]
    return "\n".join(lines)


def prose(lines: Iterable[str], *, bullet: str = "") -> None:
    """Prints `as_prose`."""
    show(as_prose(lines, bullet=bullet))


def as_prose(lines: Iterable[str], *, bullet: str = "") -> str:
    """Lines for people on stdout, folded to its width; `bullet` goes before each."""
    width = terminal().width
    hang = len(bullet)
    return "".join(f"{folded(bullet + visible(line), width, hang)}\n" for line in lines)


def aligned(rows: Iterable[tuple[str, str]]) -> str:
    """Labels and what they name, one a line, in two columns."""
    from rich.cells import cell_len, set_cell_size

    pairs = list(rows)
    width = max(cell_len(label) for label, _ in pairs)
    return "\n".join(f"{set_cell_size(label, width)}  {text}" for label, text in pairs)


def reader(language: Language | None) -> Language | None:
    """The language for text on stdout: English where nobody chose and it cannot show Hangul; None: the run's own."""
    return language if language or shows("가힣", sys.stdout) else "en"


def tell(text: str, language: Language | None = None) -> None:
    """Says something on stderr: in `language`, or in the locale's where no run has told one."""
    from simsa.config import locale_language

    say(visible(localize(text, listener(language or locale_language()))))


def say(text: str) -> None:
    """Prints text on stderr; on a terminal it is folded to its width, but for commands, which are to be copied."""
    if sys.stderr.isatty():
        width = max(console(stderr=True).width, _NARROW)
        lines = text.split("\n")
        text = "\n".join(line if line.startswith("  simsa ") else folded(line, width, 2) for line in lines)
    _write(sys.stderr, text + "\n")


def run_argument(command: _Command) -> _Command:
    """The argument RUN; `find_run` resolves it."""
    return click.argument("run", metavar="RUN", type=click.Path(path_type=Path))(command)


def format_options(formats: Sequence[str], default: str = "text") -> Callable[[_Command], _Command]:
    """`--format` with `formats`, and `--json` where json is one of them. See `chosen`."""

    def decorate(command: _Command) -> _Command:
        if "json" in formats:
            command = click.option("--json", "as_json", is_flag=True, help="option.json")(command)
        return click.option(
            "--format",
            "format",
            type=click.Choice(tuple(formats)),
            default=None,
            help="option.format",
        )(command)

    return decorate


def chosen(format: str | None, as_json: bool, default: str = "text") -> str:
    """The format that the flags of `format_options` ask for. Raises InputError if they disagree."""
    if as_json and format not in (None, "json"):
        raise InputError(
            msg("error.cli.json_format_cannot_both_hold", format=format), hint=msg("error.cli.give_one_them")
        )
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
        if inside := runs_in(path):
            raise RunError(
                msg("error.cli.is_not_folder_run_but"),
                where=str(path),
                hint=msg("error.cli.give_one_them_2", list=", ".join(map(str, inside))),
            )
        return path
    raise RunError(msg("error.cli.no_such_run"), where=str(path), hint=_meant(path))


def runs_in(folder: Path) -> list[Path]:
    """The runs that lie in `folder`."""
    from simsa.store.store import DATABASE

    with contextlib.suppress(OSError):
        return sorted(found.parent for found in folder.glob(f"*/{DATABASE}"))
    return []


def _meant(path: Path) -> str:
    """What may have been meant by a run that is not there."""
    with contextlib.suppress(OSError):
        there = [*runs_in(path.parent), *path.parent.glob("*.toml")]
        near = closest(path.name, (found.name for found in there))
        if near:
            return f"did you mean {str(path.with_name(near))!r}?"
    return f"give {RUN}"


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
    from simsa.report.renderers import terminal as text

    show(text.render(summary, *terminal()))


def put(content: str | Iterable[bytes], out: Path | None = None) -> None:
    """Writes a result to stdout, or whole or not at all to the file `out` (`-` is stdout).

    Raises InputError when the file cannot be written.
    """
    chunks = [content.encode("utf-8", "replace")] if isinstance(content, str) else content
    try:
        _put(chunks, out)
    finally:
        # What reads a run ends here, and not when the run is closed already.
        if isinstance(chunks, Generator):
            chunks.close()


def _put(chunks: Iterable[bytes], out: Path | None) -> None:
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
        raise InputError(msg("error.cli.cannot_written", strerror=error.strerror), where=str(out)) from None


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


def show(text: str) -> None:
    """Prints text for people on stdout, in its encoding; what that lacks is escaped."""
    _write(sys.stdout, text)


def _write(stream: TextIO, text: str) -> None:
    """click would write UTF-8 to a stream that asks for ASCII."""
    stream.write(text)
    stream.flush()


def pager_option(command: _Command) -> _Command:
    """`--no-pager`, as the argument `pager`."""
    option = click.option(
        "--no-pager",
        "pager",
        flag_value=False,
        type=bool,
        default=True,
        help="option.no_pager",
    )
    return option(command)


def page(text: str, *, pager: bool = True) -> None:
    """Prints text on stdout; on a terminal that is too small for it, through $PAGER or less.

    `PAGER=cat`, `PAGER=` and `--no-pager` turn the pager off.
    """
    from simsa.config import default_environment, environment

    variables = environment()
    wanted = pager and sys.stdout.isatty() and variables.get("PAGER", "less").strip() not in ("", "cat")
    if wanted and text.count("\n") >= shutil.get_terminal_size().lines and variables.get("TERM") != "dumb":
        # Colours, no pager for a short text, and Hangul also in a C locale.
        default_environment("LESS", "FRX")
        default_environment("LESSCHARSET", "utf-8")
        click.echo_via_pager(text, color=True)
    else:
        show(text)
