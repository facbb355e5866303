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
from tests.support.report_runs import BASE, BETTER, make_run

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
    shown = capsys.readouterr().out
    assert all(f"  {name} " in shown for name in COMMANDS)


def test_help_is_korean_in_a_korean_locale(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "ko_KR.UTF-8")
    assert run(["run", "--help"]) == 0
    assert "멈춘 곳에서 이어지며" in capsys.readouterr().out


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
    text = stream.buffer.getvalue().decode(encoding)
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
    assert "튜닝" in stream.buffer.getvalue().decode("utf-8")


def test_help_and_version_need_no_hangul(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    assert run(["--help"]) == 0
    assert run(["--version"]) == 0
    stream.flush()
    assert b"simsa, version" in stream.buffer.getvalue()


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
    text = stream.buffer.getvalue().decode("ascii")
    assert {"compare": "Difference to base", "examples": "correct 2"}[command] in text


# Slips of the keyboard --------------------------------------------------------------------------


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a config, its data and run, and another run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "test.jsonl").write_text(
        '{"id": "1", "question": "a", "contexts": ["b"], "reference": "c"}\n'
    )
    (tmp_path / "x.jsonl").write_text('{"question_id": "1", "prediction": "c"}\n')
    (tmp_path / "simsa.toml").write_text(
        '[data]\npath = "test.jsonl"\n[[variants]]\nname = "base"\npredictions = "x.jsonl"\n',
        encoding="utf-8",
    )
    make_run(tmp_path / "simsa.simsa", {"base": BASE, "rag-lora": BETTER})
    make_run(tmp_path / "old" / "run", {"base": BASE})
    return tmp_path


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["repor"], "Did you mean 'simsa report'?"),
        (["Report", "x"], "Did you mean 'simsa report'?"),
        (["simsa.toml"], "Did you mean 'simsa run simsa.toml'?"),
        (["run", "simsa.tml"], "did you mean 'simsa.toml'?"),
        (["run", "other.toml"], "`simsa init` writes a simsa.toml to begin with"),
        (["report"], "RUN is a run's folder"),
        (["report"], "; here: simsa.simsa\n"),
        (["view"], "; here: simsa.simsa\n"),
        (["report", "simsa.sims"], "did you mean 'simsa.simsa'?"),
        (["report", "old"], "give one of them: old/run"),
        (["report", "old/rum"], "did you mean 'old/run'?"),
        (["report", "quite-another"], "give a run's folder"),
        (["view", "simsa.simsa", "old"], "give one of them: old/run"),
        (
            ["examples", "simsa.simsa", "--variant", "Rag-Lora"],
            "did you mean 'rag-lora'? there are base, rag-lora",
        ),
        (["examples", "simsa.simsa", "--type", "mrc_qestion"], "did you mean 'mrc_question'?"),
        (["examples", "simsa.simsa", "--variant", "zzz"], "→ there are base, rag-lora"),
        (["compare", "simsa.simsa", "--baseline", "bas"], "did you mean 'base'?"),
        (["compare", "simsa.simsa", "--gate", "totl >= 3"], "did you mean 'total'?"),
        (["compare", "simsa.simsa", "--gate", "rag-lor: total >= 3"], "did you mean 'rag-lora'?"),
        (["run", "simsa.toml", "--baseline", "bsae"], "did you mean 'base'?"),
        (["run", "simsa.toml", "--prompt", "rag-kr"], "혹시 'rag-ko'입니까? 내장된 이름"),
        (
            ["run", "simsa.toml", "--judge", "gpt-4o", "--rubric", "rag_en"],
            "혹시 'rag-en'입니까? 내장된 이름",
        ),
        (
            ["run", "simsa.toml", "--judge", "gpt-4o"],
            "환경 변수 OPENAI_API_KEY",
        ),
        (["init", "simsa.toml"], "FOLDER is the folder to write into"),
    ],
)
def test_a_slip_is_answered_with_what_was_meant(
    argv: list[str], said: str, here: Path, capsys: Capture
) -> None:
    assert run(argv) == 2
    found = capsys.readouterr()
    assert said in found.err
    assert found.out == ""


def test_without_any_config_or_run_it_is_said_how_to_begin(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for command in ("run", "check", "generate", "judge"):
        assert run([command]) == 2
        assert "`simsa init` writes a simsa.toml" in capsys.readouterr().err
    assert run(["report"]) == 2
    assert "here:" not in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
