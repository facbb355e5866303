"""Entry point: finds a command, runs it, turns every failure into a message and an exit code."""

from __future__ import annotations

import copy
import importlib
import io
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from simsa.cli.console import Invocation, tell
from simsa.errors import Interrupted, SimsaError
from simsa.i18n.language import Language, join_text
from simsa.i18n.messages import catalogue, msg
from simsa.version import __version__

COMMANDS = (
    "demo",
    "init",
    "check",
    "run",
    "generate",
    "judge",
    "report",
    "examples",
    "compare",
    "stats",
    "probe",
    "calibrate",
    "metrics",
    "convert",
    "serve",
    "view",
    "export",
)
"""Names of the commands. Each is the `command` of a module in `simsa.cli.commands`, imported when it runs."""


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"simsa.cli.commands.{cmd_name}").command
        return localized(command, _language())

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            ctx.fail(_no_command(args[0]))
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # the reader has seen enough; click would call it a failure
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise click.exceptions.Exit(0) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            texts = catalogue(_language())["help"]
            formatter.write_dl([(name, texts[f"short.{name}"]) for name in COMMANDS])


def localized(command: click.Command, language: Language) -> click.Command:
    """A copy of `command` whose help texts, given as codes of the catalogue, are in `language`."""
    texts = catalogue(language)["help"]
    shown = copy.copy(command)
    shown.help = texts[command.help] if command.help else None
    shown.params = [_with_help(param, texts) for param in command.params]
    return shown


def _language() -> Language:
    """The language of the locale. Imported late: the version and an unknown command need no configuration."""
    from simsa.config import locale_language

    return locale_language()


def _with_help(param: click.Parameter, texts: Mapping[str, str]) -> click.Parameter:
    if not isinstance(param, click.Option) or param.help is None:
        return param
    shown = copy.copy(param)
    shown.help = texts.get(param.help, param.help)  # click has help of its own
    return shown


def _no_command(given: str) -> str:
    from simsa.text import closest

    near = closest(given, COMMANDS)
    if near is None and Path(given).exists():
        near = f"run {given}"
    return f"No such command {given!r}." + (f" Did you mean 'simsa {near}'?" if near else "")


@click.group(
    cls=_Lazy,
    help="simsa",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="simsa")
def cli() -> None:
    """The command line of simsa."""


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the command line and exits: see the exit codes in `simsa.errors`."""
    sys.exit(run(argv))


def run(argv: Sequence[str] | None = None) -> int:
    """Runs the command line and returns the exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    invocation = Invocation(given)
    try:
        _escape_what_cannot_be_shown()
        result = localized(cli, _language()).main(args=given, obj=invocation, standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.ClickException as wrong:
        wrong.show()
        _say_which_runs(wrong)
        return 2
    except (KeyboardInterrupt, click.Abort, Interrupted) as stop:
        _say_interrupted(str(stop))
        return 130
    except SimsaError as error:
        tell(join_text("", ("simsa: ", error.localized())), invocation.language)
        return error.exit_code


def _escape_what_cannot_be_shown() -> None:
    """Escapes characters that the encoding of stdout or stderr lacks, so that no character raises an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _say_which_runs(wrong: click.ClickException) -> None:
    """Whoever named no run learns what may be named."""
    if isinstance(wrong, click.MissingParameter) and wrong.param and wrong.param.name in ("run", "runs"):
        from simsa.cli.console import RUN, runs_in, say

        here = ", ".join(str(path) for path in runs_in(Path()))
        say(f"  → RUN is {RUN}" + (f"; here: {here}" if here else ""))


def _say_interrupted(message: str) -> None:
    tell(join_text("", ("simsa: ", message or msg("interrupted"))))


if __name__ == "__main__":
    main()
