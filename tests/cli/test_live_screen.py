"""A run under a person's eyes: both stages at once, resized, interrupted, and where nothing can be redrawn."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.chat import ChatServer
from tests.support.judged_runs import flat
from tests.support.terminals import Terminal

KEYS = {"JUDGE_KEY": "sk-test", "LC_ALL": "C.UTF-8"}


@pytest.fixture
def servers() -> Iterator[tuple[ChatServer, ChatServer]]:
    with ChatServer("답입니다", latency_s=0.05) as answering, ChatServer(flat(4), latency_s=0.05) as judging:
        yield answering, judging


def write(folder: Path, servers: tuple[ChatServer, ChatServer], n: int, language: str = "ko") -> Path:
    """`n` questions for two variants behind an endpoint, judged by a model with a price."""
    rows = [
        {
            "id": f"q{i}",
            "question": f"{i}번 도서관은 언제 열었나요?",
            "contexts": ["문서"],
            "reference": "1900년",
        }
        for i in range(n)
    ]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / "test.jsonl").write_text(text, encoding="utf-8")
    variants = "".join(
        f'[[variants]]\nname = "{name}"\n'
        f'endpoint = {{ base_url = "{servers[0].url}", model = "{name}", max_concurrency = 2 }}\n'
        for name in ("base", "튜닝")
    )
    file = folder / "simsa.toml"
    file.write_text(
        f'[data]\npath = "test.jsonl"\n{variants}[judge]\nmodel = "gpt-4o"\nbase_url = "{servers[1].url}"\n'
        f'api_key_env = "JUDGE_KEY"\nmax_concurrency = 1\nmax_cost_usd = 5.0\n[report]\nlanguage = "{language}"\n',
        encoding="utf-8",
    )
    return file


def test_both_stages_and_the_money_are_live_at_once(
    tmp_path: Path, servers: tuple[ChatServer, ChatServer]
) -> None:
    terminal = Terminal(["run", str(write(tmp_path, servers, 6))], environment=KEYS)
    assert terminal.end() == 0
    shown = terminal.shown
    drawn = shown.raw.split("\x1b[2K")
    assert any("답변 생성" in frame for frame in drawn)
    last = [line for line in shown.lines if "━" in line]
    assert len(last) == 2, "bars are redrawn in place: each stands there once"
    assert last[0].startswith("답변 생성")
    assert last[1].startswith("심사")
    assert "12/12" in last[0]
    assert "12/12" in last[1]
    assert "사용 · 한도 $5.00" in shown.text
    assert not shown.cursor_hidden
    assert "실행 폴더:" in shown.text


@pytest.mark.parametrize("how", ["Ctrl-C", "SIGTERM"])
def test_an_interrupted_run_leaves_the_terminal_as_it_was_and_says_how_to_go_on(
    how: str, tmp_path: Path, servers: tuple[ChatServer, ChatServer]
) -> None:
    file = write(tmp_path, servers, 300)
    terminal = Terminal(["run", str(file), "--limit", "290"], environment=KEYS)
    terminal.until("/580")
    terminal.until("$0")
    if how == "Ctrl-C":
        terminal.type("\x03")
    else:
        terminal.kill(signal.SIGTERM)
    assert terminal.end() == 130
    shown = terminal.shown
    assert not shown.cursor_hidden
    assert "Traceback" not in shown.text
    assert "중단했습니다" in shown.text
    command = shown.raw[shown.raw.index("이어서 하려면:") :]
    assert f"  simsa run {file} --limit 290\n" in command, "whole, to be copied"


def test_a_terminal_without_hangul_is_spoken_to_in_english_and_nothing_crashes(
    tmp_path: Path, servers: tuple[ChatServer, ChatServer]
) -> None:
    settings = {"PYTHONIOENCODING": "ascii"}
    terminal = Terminal(["run", str(write(tmp_path, servers, 3))], environment=KEYS | settings)
    assert terminal.end() == 0
    text = terminal.shown.text
    assert "judge" in text
    assert "6/6" in text
    assert "Traceback" not in text
    assert "━" not in text
    assert "3 questions" in text
    assert "total +" in text or "Scores: " in text, "the report too is one that can be read"


def test_a_dumb_terminal_gets_lines_in_place_of_bars(
    tmp_path: Path, servers: tuple[ChatServer, ChatServer]
) -> None:
    terminal = Terminal(["run", str(write(tmp_path, servers, 3))], environment=KEYS | {"TERM": "dumb"})
    assert terminal.end() == 0
    assert "\x1b" not in terminal.shown.raw
    assert "심사: 6/6" in terminal.shown.text


def test_quiet_shows_nothing_but_the_report(tmp_path: Path, servers: tuple[ChatServer, ChatServer]) -> None:
    terminal = Terminal(["run", str(write(tmp_path, servers, 3)), "-q", "--language", "en"], environment=KEYS)
    assert terminal.end() == 0
    assert "━" not in terminal.shown.text
    assert "questions (" not in terminal.shown.text
    assert "Scores: " in terminal.shown.text
