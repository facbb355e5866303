"""What a person at a real terminal gets, and what a pipe that closes early."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from simsa.cli.main import run
from tests.support.report_runs import BASE, BETTER, make_run

COMMAND = [sys.executable, "-m", "simsa"]


def at_a_terminal(*argv: object, lines: int, **more: str) -> tuple[int, str]:
    """Exit code and all that a terminal with so many lines shows."""
    ours, theirs = pty.openpty()
    size = {"LINES": str(lines), "COLUMNS": "80", "TERM": "xterm-256color"}
    child = subprocess.Popen(
        [*COMMAND, *map(str, argv)], stdin=theirs, stdout=theirs, stderr=theirs, env=os.environ | size | more
    )
    os.close(theirs)
    seen = b""
    while True:
        try:
            chunk = os.read(ours, 4096)
        except OSError:  # how a terminal ends
            break
        if not chunk:
            break
        seen += chunk
    os.close(ours)
    return child.wait(60), seen.decode("utf-8", "replace")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_run(tmp_path / "r.simsa", {"base": BASE, "lora": BETTER}, figures={"chrf": 1.0})


def test_examples_go_through_the_pager_where_they_are_longer_than_the_terminal(
    folder: Path, tmp_path: Path
) -> None:
    pager = tmp_path / "pager"
    pager.write_text("#!/bin/sh\necho PAGED\ncat\n", encoding="utf-8")
    pager.chmod(0o755)
    argv = ("examples", folder, "-n", "3")
    code, long = at_a_terminal(*argv, lines=10, PAGER=str(pager))
    assert code == 0 and long.startswith("PAGED") and "번 마을의 이름은" in long
    code, short = at_a_terminal(*argv, lines=500, PAGER=str(pager))
    assert code == 0 and "PAGED" not in short and "번 마을의 이름은" in short


def test_colours_are_for_a_terminal_that_wants_them(folder: Path) -> None:
    code, shown = at_a_terminal("report", folder, lines=500)
    assert code == 0 and "\x1b[1m" in shown, "a verdict in bold"
    code, plain = at_a_terminal("report", folder, lines=500, NO_COLOR="1")
    assert code == 0 and "\x1b[" not in plain and "lora is better than base" in plain


def test_a_reader_that_has_seen_enough_is_no_failure(tmp_path: Path) -> None:
    said = {"base": ["가" * 20_000] * 16}
    made = make_run(tmp_path / "r", {"base": BASE}, predictions=said, figures={"chrf": 1.0})
    child = subprocess.Popen(
        [*COMMAND, "report", str(made), "--format", "csv"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert child.stdout is not None and child.stderr is not None
    assert child.stdout.read(11) == b"question_id"
    child.stdout.close()
    assert (child.wait(60), child.stderr.read()) == (0, b"")
    child.stderr.close()


@pytest.mark.parametrize(
    ("language", "alone", "unjudged"), [("ko", "외에 다른 변형이 없습니다", "아직"), ("en", "besides", "yet")]
)
def test_compare_says_why_there_is_nothing_to_compare(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], language: str, alone: str, unjudged: str
) -> None:
    one = make_run(tmp_path / "one", {"base": BASE}, figures={"chrf": 1.0})
    two = make_run(tmp_path / "two", {"base": [None] * 3, "lora": [None] * 3}, figures={"chrf": 1.0})
    for made, word in ((one, alone), (two, unjudged)):
        assert run(["compare", str(made), "--language", language]) == 0
        assert word in capsys.readouterr().out


def test_what_cannot_be_written_is_said_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    for argv in (
        ["init", str(tmp_path / "file" / "x")],
        ["init", str(tmp_path / "file"), "--rubric", "r.toml"],
    ):
        assert run(argv) == 2
        assert "cannot be written" in capsys.readouterr().err
    assert (tmp_path / "file").read_text(encoding="utf-8") == ""
