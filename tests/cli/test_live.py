"""What is shown while a run goes on: a look at the data, where each stage stands, plain lines where nobody watches."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from simsa import data
from simsa.cli.bars import bar, describe
from simsa.cli.live import look
from simsa.cli.main import run
from simsa.progress import Stage
from simsa.records import Passage, Question
from tests.servers.chat import ChatServer
from tests.test_pipeline import write_config, write_data


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", "sk-test")


QUESTIONS = [
    Question("1", "언제?", (Passage("가나다"),), ("1987년\x1b[31m",), type="mrc_question"),
    Question("2", "누가?", (Passage("가"),), ("찾을 수 없습니다.",), answerable=False, type="no_answer"),
]


def test_a_look_at_the_data_says_how_many_of_what_and_shows_two() -> None:
    korean = look(data.describe(QUESTIONS), "ko")
    english = look(data.describe(QUESTIONS), "en")
    assert "질문 2개 (답 있음 1, 답 없음 1)" in korean
    assert "2 questions (1 answerable, 1 not): mrc_question 1, no_answer 1" in english
    for text in (korean, english):
        assert "언제? → 1987년" in text
        assert "누가? → 찾을 수 없습니다." in text
        assert "\x1b" not in text


def test_a_stage_tells_its_rate_and_what_is_left() -> None:
    stage = Stage(total=10, done=4, failed=1, reused=2, started=0.0, finished=2.0)
    assert describe(stage) == "4/10 · in 00:02 · 1 failed · 2.0/s · 2 reused"
    assert bar(stage, 10) == "━━━━╌╌╌╌╌╌"
    assert bar(Stage(), 4) == "╌╌╌╌"
    assert bar(Stage(total=2, done=5), 4) == "━━━━"


def test_logs_get_plain_lines_on_stderr_and_quiet_is_quiet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(tmp_path, 4)
    with ChatServer() as server:
        config = write_config(tmp_path, server.url)
        assert run(["judge", str(config)]) == 0
        said = capsys.readouterr()
        assert "질문 4개" in said.err
        assert "심사: 8/8" in said.err
        assert "\x1b" not in said.err + said.out
        assert "질문 4개" not in said.out
        assert run(["judge", str(config), "-q", "--json"]) == 0
        assert "질문" not in capsys.readouterr().err


def test_a_terminal_gets_a_live_bar(tmp_path: Path) -> None:
    write_data(tmp_path, 6)
    with ChatServer(latency_s=0.1) as server:
        config = write_config(tmp_path, server.url)
        ours, theirs = pty.openpty()
        child = subprocess.Popen(
            [sys.executable, "-m", "simsa", "judge", str(config)],
            stderr=theirs,
            stdout=subprocess.DEVNULL,
            env=os.environ | {"TERM": "xterm-256color", "COLUMNS": "80"},
        )
        os.close(theirs)
        seen = b""
        while True:
            try:
                chunk = os.read(ours, 4096)
            except OSError:
                break
            if not chunk:
                break
            seen += chunk
        os.close(ours)
        assert child.wait() == 0
    assert "━" in seen.decode("utf-8", "replace")
    assert "12/12" in seen.decode("utf-8", "replace")
