"""Long text goes through the user's pager on a terminal, as git does it, and nowhere else."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from simsa.cli.main import run
from tests.cli.terminals import Terminal, look
from tests.report.runs import BASE, BETTER, make_run

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("paged") / "run", {"base": BASE, "lora": BETTER}, language="ko")


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """What a pager was given lies here, once there was one."""
    return tmp_path / "paged.txt"


@pytest.mark.parametrize("command", ["report", "examples"])
def test_what_is_longer_than_the_screen_is_paged(command: str, folder: Path, kept: Path) -> None:
    shown = look([command, str(folder)], 80, environment={"PAGER": f"cat > {kept}"})
    assert "점수" in kept.read_text(encoding="utf-8")
    assert shown.text == "", "nothing is printed besides"


@pytest.mark.parametrize("command", ["report", "examples"])
def test_what_fits_is_not_paged(command: str, folder: Path, kept: Path) -> None:
    shown = look([command, str(folder)], 80, height=500, environment={"PAGER": f"cat > {kept}"})
    assert not kept.exists()
    assert "점수" in shown.text


@pytest.mark.parametrize("command", ["report", "examples"])
def test_no_pager_where_none_is_wanted(command: str, folder: Path, kept: Path) -> None:
    shown = look([command, str(folder), "--no-pager"], 80, environment={"PAGER": f"cat > {kept}"})
    assert not kept.exists()
    assert "점수" in shown.text


@pytest.mark.parametrize("command", ["report", "examples"])
def test_a_pipe_is_never_paged(
    command: str, folder: Path, kept: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAGER", f"cat > {kept}")
    monkeypatch.setenv("LINES", "5")
    assert run([command, str(folder)]) == 0
    assert not kept.exists()
    assert "점수" in capsys.readouterr().out


@pytest.mark.parametrize("options", [["--format", "md"], ["--json"], ["--format", "csv"]])
def test_documents_are_never_paged(options: list[str], folder: Path, kept: Path) -> None:
    shown = look(["report", str(folder), *options], 300, environment={"PAGER": f"cat > {kept}"})
    assert not kept.exists()
    assert shown.text


@pytest.mark.parametrize(
    "settings", [{"PAGER": ""}, {"PAGER": "cat"}, {"PAGER": "no-such-pager-here"}, {"TERM": "dumb"}]
)
def test_without_a_pager_that_works_the_text_is_printed(settings: dict[str, str], folder: Path) -> None:
    shown = look(["report", str(folder)], 80, environment={"PAGER": "false"} | settings)
    assert "점수" in shown.text
    assert "Traceback" not in shown.text


def test_a_pager_that_is_left_early_is_no_failure(tmp_path: Path) -> None:
    many = [BASE * 4, BETTER * 4]
    folder = make_run(
        tmp_path / "run", dict(zip(("base", "lora"), many, strict=True)), analysis="가나다 " * 150
    )
    shown = look(["examples", str(folder), "-n", "60"], 80, environment={"PAGER": "exit 0"})
    assert shown.text == ""


def test_a_pager_that_fails_on_its_own_account_is_not_taken_for_ours(folder: Path) -> None:
    look(["report", str(folder)], 80, environment={"PAGER": "cat > /dev/null; exit 3"})


@pytest.mark.parametrize(
    ("given", "wanted"), [({}, "FRX|utf-8"), ({"LESS": "S", "LESSCHARSET": "latin1"}, "S|latin1")]
)
def test_less_gets_settings_that_show_colours_and_hangul_unless_the_user_has_his_own(
    given: dict[str, str], wanted: str, folder: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LESS", raising=False)
    monkeypatch.delenv("LESSCHARSET", raising=False)
    pager = f'cat > /dev/null; echo "$LESS|$LESSCHARSET" > {kept}'
    look(["report", str(folder)], 80, environment={"PAGER": pager} | given)
    assert kept.read_text() == f"{wanted}\n"


def test_the_users_interrupt_key_belongs_to_the_pager(folder: Path, tmp_path: Path) -> None:
    """Ctrl-C in a pager must not end the command under it and leave the terminal raw."""
    script = f"trap 'touch {tmp_path}/heard' INT; cat > /dev/null; echo paging; read key < /dev/tty; exit 0"
    (tmp_path / "pager").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "pager").chmod(0o755)
    terminal = Terminal(["report", str(folder)], environment={"PAGER": f"{tmp_path}/pager"})
    terminal.until("paging")
    terminal.type("\x03")
    terminal.type("\n")
    assert terminal.end() == 0
    assert "Traceback" not in terminal.shown.text


@pytest.mark.skipif(shutil.which("less") is None, reason="less is not installed")
def test_less_shows_the_beginning_and_q_leaves_it(folder: Path) -> None:
    environment = {"PAGER": "less", "LANG": "C", "LC_ALL": "C", "LESSHISTFILE": os.devnull}
    terminal = Terminal(["report", str(folder)], environment=environment)
    terminal.until("점수")
    terminal.type("q")
    assert terminal.end() == 0
    assert "lora" in terminal.shown.lines[0], "the verdict stands first"
    assert "<EA>" not in terminal.shown.text, "Hangul is Hangul, in a C locale too"
    assert "Traceback" not in terminal.shown.text
