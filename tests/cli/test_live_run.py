"""What is shown while a run goes on: a look at the data, where each stage stands, plain lines where nobody watches."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from simsa import data
from simsa.cli.live_run import expected, look, watched
from simsa.cli.main import run
from simsa.cli.progress_bars import bar, describe
from simsa.errors import DataError, Interrupted
from simsa.i18n.language import localize
from simsa.i18n.messages import msg
from simsa.judges.cost import CostEstimate
from simsa.records import Passage, Question
from simsa.run.progress import Progress, Stage
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


@pytest.mark.parametrize(
    ("cost", "korean", "english"),
    [
        (None, "가격을 모름", "no price is known"),
        (0.0042, "약 $0.0042", "about $0.0042"),
        (1234.5, "약 $1,234.50", "about $1,234.50"),
    ],
)
def test_what_is_about_to_be_spent_is_one_line(cost: float | None, korean: str, english: str) -> None:
    said = expected(CostEstimate(12_000, 3_456_789, 960, cost))
    assert said == (
        f"judging: 12,000 calls, about 3,456,789 tokens in and 960 out (estimated from characters), {english}"
    )
    assert localize(said, "ko") == (
        f"심사: 호출 12,000회, 토큰 약 3,456,789 입력 · 960 출력 (글자 수로 어림), {korean}"
    )


def test_work_that_is_interrupted_says_so_in_the_language_even_without_a_command() -> None:
    async def stopped() -> None:
        raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="같은 명령을 다시 실행하면 이어집니다"):
        watched(stopped(), Progress(), "ko", quiet=True)


def test_work_under_a_display_returns_what_it_made_and_its_failure_is_its_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    progress = Progress()

    async def work(fails: bool) -> int:
        progress.judge.begin(total=2)
        progress.say(msg("batch.stale"))
        progress.judge.done = 2
        progress.judge.end()
        if fails:
            raise DataError("broken")
        return 7

    assert watched(work(False), progress, "ko") == 7
    said = capsys.readouterr().err
    assert "제출하지 않은 배치 하나는" in said
    assert "심사: 2/2" in said, "where it ended is said in a log, too"
    with pytest.raises(DataError, match="broken"):
        watched(work(True), progress, "en")
    assert "judge: 2/2" in capsys.readouterr().err


def test_a_display_escapes_what_others_say(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress()

    async def work() -> None:
        progress.say("vLLM: \x1b[2Jgone\x07")

    watched(work(), progress, "en")
    assert capsys.readouterr().err == "vLLM: �[2Jgone�\n"
