"""What a judge said that could not be parsed as a verdict is shown, and can do no harm there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from simsa.cli.main import run
from tests.servers.chat import ChatServer, verdict

HOSTILE = "<script>alert(1)</script> | @everyone\n=1+1 ‮점수 10"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    rows = [{"id": str(n), "question": f"{n}?", "context": ["글"], "answer": "답"} for n in range(4)]
    (tmp_path / "test.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    said = [{"question_id": str(n), "prediction": f"{n}년"} for n in range(4)]
    (tmp_path / "said.jsonl").write_text("\n".join(map(json.dumps, said)), encoding="utf-8")
    return tmp_path / "c.toml"


def judge(config: Path, server: ChatServer, language: str = "en") -> int:
    config.write_text(
        '[data]\npath = "test.jsonl"\n[[variants]]\nname = "base"\npredictions = "said.jsonl"\n'
        f'[judge]\nmodel = "m"\nbase_url = "{server.url}"\n[report]\nlanguage = "{language}"\n',
        encoding="utf-8",
    )
    return run(["judge", str(config), "-q"])


def notes(config: Path, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    capsys.readouterr()
    run(["report", str(config), "--format", "json"])
    return [n for n in json.loads(capsys.readouterr().out)["notes"] if n["kind"] == "unreadable"]


@pytest.mark.parametrize(
    ("language", "words"), [("en", "could not be parsed"), ("ko", "파싱하지 못했습니다")]
)
def test_the_report_says_how_many_and_what_one_was(
    config: Path, capsys: pytest.CaptureFixture[str], language: str, words: str
) -> None:
    with ChatServer(reply="10점 만점!") as server:
        assert judge(config, server, language) == 4
    (note,) = notes(config, capsys)
    assert words in note["text"] and "4" in note["text"] and "«10점 만점!»" in note["text"]


def test_hostile_words_stay_words_in_every_format(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with ChatServer(reply=HOSTILE) as server:
        judge(config, server)
    for form in ("html", "md", "text"):
        capsys.readouterr()
        run(["report", str(config), "--format", form])
        shown = capsys.readouterr().out
        assert "alert(1)" in shown, form
        assert "\u202e" not in shown
        if form != "text":
            assert "<script>alert(1)" not in shown, form


def test_where_all_was_read_nothing_is_said(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with ChatServer(reply=verdict()) as server:
        assert judge(config, server) == 0
    assert notes(config, capsys) == []


def test_without_a_scored_row_examples_say_where_to_look(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ChatServer(reply="?") as server:
        judge(config, server)
    capsys.readouterr()
    assert run(["examples", str(config)]) == 0
    assert "simsa view" in capsys.readouterr().err
