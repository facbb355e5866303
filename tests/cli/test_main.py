"""The command line as a whole: exit codes, unknown words, the language before a config is read, encodings."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from simsa.cli import main
from simsa.cli.main import COMMANDS, run
from simsa.errors import (
    AdapterWithoutEffect,
    ConfigError,
    EngineError,
    GateFailed,
    Interrupted,
    MissingExtra,
    SimsaError,
)
from tests.report.runs import BASE, BETTER, make_run

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """A command that raises what is put into the list."""
    import click

    raised: list[BaseException] = []

    @click.command()
    def command() -> None:
        raise raised[0]

    monkeypatch.setattr(main._Lazy, "get_command", lambda self, ctx, name: command)
    return raised


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("x"), 2),
        (MissingExtra("parquet", "data"), 2),
        (GateFailed("1 of 2 gates failed"), 3),
        (EngineError("x"), 5),
        (AdapterWithoutEffect("x"), 5),
        (Interrupted("stopped"), 130),
        (KeyboardInterrupt(), 130),
        (SimsaError("x"), 1),
    ],
)
def test_every_failure_has_its_exit_code_and_no_traceback(
    error: BaseException, code: int, failing: list[BaseException], capsys: Capture
) -> None:
    failing.append(error)
    assert run(["anything"]) == code
    said = capsys.readouterr()
    assert said.err.lstrip("\n").startswith("simsa: ")
    assert "Traceback" not in said.err
    assert said.out == ""


def test_a_bug_of_ours_is_not_hidden(failing: list[BaseException]) -> None:
    failing.append(ZeroDivisionError("ours"))
    with pytest.raises(ZeroDivisionError):
        run(["anything"])


def test_a_failure_says_where_what_was_found_and_what_to_do(
    failing: list[BaseException], capsys: Capture
) -> None:
    failing.append(
        ConfigError("must be text", where="a.toml", field="data.path", found=3, hint="quote it\x1b[2J")
    )
    run(["anything"])
    said = capsys.readouterr().err
    assert said == "simsa: a.toml: data.path: must be text (found 3)\n  → quote it�[2J\n"


@pytest.mark.parametrize(
    ("locale", "said"),
    [
        ({"LANG": "ko_KR.UTF-8"}, "중단했습니다"),
        ({"LANG": "en_US.UTF-8"}, "interrupted"),
        ({}, "interrupted"),
        ({"LANG": "ko_KR.UTF-8", "LC_ALL": "C.UTF-8"}, "interrupted"),
        ({"LANG": "C.UTF-8", "LC_MESSAGES": "ko_KR.UTF-8"}, "중단했습니다"),
    ],
)
def test_before_a_config_is_read_the_locale_says_which_language(
    locale: dict[str, str],
    said: str,
    failing: list[BaseException],
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in locale.items():
        monkeypatch.setenv(name, value)
    failing.append(KeyboardInterrupt())
    assert run(["anything"]) == 130
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "argv", [["nonsense"], ["report"], ["report", "x", "--formt", "md"], ["run", "--limit", "x"]]
)
def test_words_that_are_none_are_refused(argv: list[str], capsys: Capture) -> None:
    assert run(argv) == 2
    said = capsys.readouterr()
    assert "Usage: " in said.err
    assert said.out == ""


def test_help_lists_every_command_and_a_bare_call_is_help(capsys: Capture) -> None:
    assert run(["--help"]) == 0
    said = capsys.readouterr().out
    for name, line in COMMANDS.items():
        assert f"  {name} " in said
        assert line.split()[0] in said


def test_every_command_can_be_loaded() -> None:
    import click

    context = click.Context(main.cli)
    for name in COMMANDS:
        found = main.cli.get_command(context, name)
        assert found is not None
        assert found.help
    assert main.cli.get_command(context, "nonsense") is None


@pytest.mark.parametrize(
    ("encoding", "language", "title"),
    [("ascii", [], "Scores"), ("ascii", ["--language", "ko"], "\\uc810\\uc218"), ("cp949", [], "점수")],
)
def test_a_report_is_shown_in_what_the_output_can_encode(
    encoding: str, language: list[str], title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without Hangul in English, unless Korean is asked for; what cannot be shown is escaped, and nothing crashes."""
    folder = make_run(tmp_path / "run", {"base": BASE, "튜닝": BETTER}, language="ko")
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    assert run(["report", str(folder), *language]) == 0
    stream.flush()
    text = stream.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]
    assert title in text
    assert "\\ud29c\\ub2dd" in text or "튜닝" in text


@pytest.mark.parametrize("argv", [["--format", "json"], ["--format", "md"], ["--format", "csv"]])
def test_documents_are_utf8_whatever_the_output_is(
    argv: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_run(tmp_path / "run", {"base": BASE, "튜닝": BETTER})
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    assert run(["report", str(folder), *argv]) == 0
    stream.flush()
    assert "튜닝" in stream.buffer.getvalue().decode("utf-8")  # type: ignore[attr-defined]


def test_help_and_version_need_no_hangul(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    assert run(["--help"]) == 0
    assert run(["--version"]) == 0
    stream.flush()
    assert b"simsa, version" in stream.buffer.getvalue()  # type: ignore[attr-defined]


def test_it_is_a_module_too() -> None:
    found = subprocess.run(
        [sys.executable, "-m", "simsa", "report", "no-such-run"], capture_output=True, text=True, check=False
    )
    assert found.returncode == 2
    assert found.stderr.startswith("simsa: no-such-run: no such run")
    assert found.stdout == ""


@pytest.mark.parametrize("command", ["compare", "examples"])
def test_other_commands_on_a_run_too_speak_what_can_be_shown(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_run(tmp_path / "run", {"base": BASE, "lora": BETTER}, language="ko", analysis="fine")
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    assert run([command, str(folder)]) == 0
    stream.flush()
    text = stream.buffer.getvalue().decode("ascii")  # type: ignore[attr-defined]
    assert {"compare": "Difference to base", "examples": "correct 2"}[command] in text
