"""Work under a display: messages, plain lines in logs, interruptions, descriptions of data and cost."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from simsa import data
from simsa.cli.execution import describe_data, describe_estimate, run_with_display
from simsa.cli.main import run
from simsa.errors import DataError, Interrupted
from simsa.i18n.language import localize
from simsa.i18n.messages import msg
from simsa.judges.cost import CostEstimate
from simsa.records import Passage, Question
from simsa.run.progress import Progress
from tests.servers.chat import ChatServer
from tests.support.judged_runs import write_config, write_data


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", "sk-test")


QUESTIONS = [
    Question("1", "언제?", (Passage("가나다"),), ("1987년\x1b[31m",), type="mrc_question"),
    Question("2", "누가?", (Passage("가"),), ("찾을 수 없습니다.",), answerable=False, type="no_answer"),
]


def test_data_is_described_with_counts_and_two_examples() -> None:
    korean = describe_data(data.describe(QUESTIONS), "ko")
    english = describe_data(data.describe(QUESTIONS), "en")
    assert "질문 2개 (답 있음 1, 답 없음 1)" in korean
    assert "2 questions (1 answerable, 1 not): mrc_question 1, no_answer 1" in english
    for text in (korean, english):
        assert "언제? → 1987년" in text
        assert "누가? → 찾을 수 없습니다." in text
        assert "\x1b" not in text


def test_logs_get_plain_lines_on_stderr_and_quiet_prints_none(
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
def test_an_estimate_is_one_line(cost: float | None, korean: str, english: str) -> None:
    said = describe_estimate(CostEstimate(12_000, 3_456_789, 960, cost))
    assert said == (
        f"judging: 12,000 calls, about 3,456,789 tokens in and 960 out (estimated from characters), {english}"
    )
    assert localize(said, "ko") == (
        f"심사: 호출 12,000회, 토큰 약 3,456,789 입력 · 960 출력 (글자 수로 어림), {korean}"
    )


def test_an_interruption_is_reported_in_the_language_of_the_run() -> None:
    async def stopped() -> None:
        raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="같은 명령을 다시 실행하면 이어집니다"):
        run_with_display(stopped(), Progress(), "ko", quiet=True)


def test_work_returns_its_result_or_raises_its_own_error(
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

    assert run_with_display(work(False), progress, "ko") == 7
    said = capsys.readouterr().err
    assert "제출하지 않은 배치 하나는" in said
    assert "심사: 2/2" in said, "where it ended is said in a log, too"
    with pytest.raises(DataError, match="broken"):
        run_with_display(work(True), progress, "en")
    assert "judge: 2/2" in capsys.readouterr().err


def test_control_characters_in_messages_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress()

    async def work() -> None:
        progress.say("vLLM: \x1b[2Jgone\x07")

    run_with_display(work(), progress, "en")
    assert capsys.readouterr().err == "vLLM: �[2Jgone�\n"
