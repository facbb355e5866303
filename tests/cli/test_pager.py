"""Long text goes through the user's pager on a terminal, as git does it, and nowhere else."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from simsa.cli.main import run
from tests.cli.commands.test_probe import write
from tests.cli.terminals import Terminal, look
from tests.report.runs import BASE, BETTER, make_run

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("paged") / "run", {"base": BASE, "lora": BETTER}, language="ko")


PAGED = ("report", "examples", "compare", "stats", "calibrate", "metrics", "probe")


@pytest.fixture(scope="module")
def commands(folder: Path) -> dict[str, list[str]]:
    """Every command whose text is for people to read, over so much that eleven lines do not hold it."""
    rows = [
        f"q{n},{name},answer_correctness,{1 + (n + k) % 5}\n"
        for k, name in enumerate(("base", "lora"))
        for n in range(40)
    ]
    scores = folder.parent / "scores.csv"
    scores.write_text("question_id,variant,criterion,score\n" + "".join(rows), encoding="utf-8")
    answers = folder.parent / "answers.jsonl"
    answers.write_text('{"id": "1", "prediction": "1호", "reference": "1호", "contexts": ["1호"]}\n')
    (folder.parent / "made").mkdir()
    return {
        "report": ["report", str(folder)],
        "examples": ["examples", str(folder)],
        "compare": ["compare", str(folder)],
        "stats": ["stats", str(scores)],
        "calibrate": ["calibrate", "--scores", str(scores), "--labels", str(scores)],
        "metrics": ["metrics", str(answers)],
        "probe": ["probe", str(write(folder.parent / "made")), "-n", "1", "-q"],
    }


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """What a pager was given lies here, once there was one."""
    return tmp_path / "paged.txt"


@pytest.mark.parametrize("name", PAGED)
@pytest.mark.parametrize("language", ["ko", "en"])
def test_what_is_longer_than_the_screen_is_paged(
    name: str, language: str, commands: dict[str, list[str]], kept: Path
) -> None:
    argv = [*commands[name], "--language", language]
    shown = look(argv, 80, height=6, environment={"PAGER": f"cat > {kept}"})
    paged = kept.read_text(encoding="utf-8")
    assert paged.count("\n") >= 6
    assert any("가" <= letter <= "힣" for letter in paged) or language == "en"
    assert shown.text == "", "nothing is printed besides"


@pytest.mark.parametrize("name", PAGED)
def test_what_fits_is_not_paged(name: str, commands: dict[str, list[str]], kept: Path) -> None:
    shown = look(commands[name], 80, height=500, environment={"PAGER": f"cat > {kept}"})
    assert not kept.exists()
    assert shown.text


@pytest.mark.parametrize("name", PAGED)
def test_no_pager_where_none_is_wanted(name: str, commands: dict[str, list[str]], kept: Path) -> None:
    shown = look([*commands[name], "--no-pager"], 80, height=6, environment={"PAGER": f"cat > {kept}"})
    assert not kept.exists()
    assert shown.text


@pytest.mark.parametrize("name", PAGED)
def test_a_pipe_is_never_paged(
    name: str,
    commands: dict[str, list[str]],
    kept: Path,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PAGER", f"cat > {kept}")
    monkeypatch.setenv("LINES", "5")
    assert run(commands[name]) == 0
    assert not kept.exists()
    assert capsys.readouterr().out.count("\n") >= 6


@pytest.mark.parametrize("name", ["compare", "stats", "calibrate", "metrics", "probe"])
def test_json_is_never_paged(name: str, commands: dict[str, list[str]], kept: Path) -> None:
    shown = look([*commands[name], "--json"], 300, height=6, environment={"PAGER": f"cat > {kept}"})
    assert not kept.exists()
    assert shown.text.startswith("{")


def test_a_gate_that_fails_says_so_after_the_pager(commands: dict[str, list[str]], kept: Path) -> None:
    argv = [*commands["compare"], "--gate", "total >= 20"]
    shown = look(argv, 80, height=6, code=3, environment={"PAGER": f"cat > {kept}"})
    assert "total >= 20" in kept.read_text(encoding="utf-8")
    assert shown.text.startswith("simsa: ")


def test_what_is_no_text_is_not_for_a_terminal(folder: Path, tmp_path: Path) -> None:
    argv = ["report", str(folder), "--format", "parquet"]
    assert "add --out rows.parquet" in look(argv, 80, code=2).text
    look([*argv, "--out", str(tmp_path / "rows.parquet")], 80)
    assert (tmp_path / "rows.parquet").read_bytes().startswith(b"PAR1")


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
