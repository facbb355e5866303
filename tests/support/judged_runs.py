"""Run folders with questions, finished answers and a judge behind a test server."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simsa import rubrics
from simsa.cli.main import run
from simsa.rubrics import built_in_criteria
from tests.servers.chat import Body, text_of, verdict

CRITERIA = built_in_criteria().names

KEY = "sk-test-0123456789-never-to-be-seen"


def write_data(folder: Path, n: int = 12, variants: tuple[str, ...] = ("base", "lora")) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {
            "id": f"q{i}",
            "question": f"{i}번 도서관은 언제 열었나요?",
            "contexts": [f"{i}번 도서관은 {1900 + i}년에 열었다.", "다른 문서."],
            "reference": f"{1900 + i}년입니다.",
            "type": "mrc_question",
        }
        for i in range(n)
    ]
    write_rows(folder / "test.jsonl", rows)
    for name in variants:
        answers = [{"question_id": f"q{i}", "prediction": f"{name}: {1900 + i}년"} for i in range(n)]
        write_rows(folder / f"{name}.jsonl", answers)


def write_rows(file: Path, rows: list[dict[str, Any]]) -> None:
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def write_config(
    folder: Path, url: str, *, variants: tuple[str, ...] = ("base", "lora"), more: str = ""
) -> Path:
    named = "".join(f'[[variants]]\nname = "{v}"\npredictions = "{v}.jsonl"\n' for v in variants)
    file = folder / "simsa.toml"
    file.write_text(
        f'[data]\npath = "test.jsonl"\n{named}'
        f'[judge]\nmodel = "judge-1"\nbase_url = "{url}"\napi_key_env = "JUDGE_KEY"\nmax_concurrency = 8\n{more}',
        encoding="utf-8",
    )
    return file


def report(config: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    assert run(["report", str(config), "--format", "json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def by_variant(**scores: dict[str, int]) -> Callable[[Body], str]:
    """A judge that scores by the name that each variant's predictions begin with."""

    def reply(body: Body) -> str:
        text = text_of(body)
        return next(verdict(**given) for name, given in scores.items() if f"{name}: " in text)

    return reply


GROUPS = {
    "context": ("context_relevance", "context_recall"),
    "answer": ("context_faithfulness", "answer_correctness"),
}


def asked_for(body: Body) -> list[str]:
    """The criteria that a request asks for, by the keys of the JSON that it wants."""
    system = body["messages"][0]["content"]
    return [name for name in CRITERIA if f"## {name}: " in system]


def giving(score: int | Callable[[str], int]) -> Callable[[Body], str]:
    """A judge that answers what it was asked, each criterion with its score."""

    def reply(body: Body) -> str:
        names = asked_for(body)
        scores = {name: score(name) if callable(score) else score for name in names}
        return json.dumps({"analysis": f"심사 {score}" if isinstance(score, int) else "심사", **scores})

    return reply


def edited(folder: Path, **levels: str) -> None:
    """Writes the built-in rubric as mine.toml, with other words for the five points of some criteria."""
    text = rubrics.source("rag-ko").read_text(encoding="utf-8")
    for name, words in levels.items():
        text, n = re.subn(
            rf"(\[criteria\.{name}\.levels\](?:\n[1-4] = .*){{4}}\n)5 = .*", rf'\g<1>5 = "{words}"', text
        )
        assert n == 1
    (folder / "mine.toml").write_text(text, encoding="utf-8")


def split_config(folder: Path, url: str, more: str = "", **changes: Any) -> Path:
    return write_config(folder, url, more=f'mode = "split"\nrubric = "mine.toml"\n{more}', **changes)


def config_of(
    folder: Path, *members: dict[str, Any], variants: tuple[str, ...] = ("base", "lora"), more: str = ""
) -> Path:
    def inline(member: dict[str, Any]) -> str:
        return "{ " + ", ".join(f"{key} = {json.dumps(value)}" for key, value in member.items()) + " }"

    named = "".join(f'[[variants]]\nname = "{v}"\npredictions = "{v}.jsonl"\n' for v in variants)
    panel = ", ".join(map(inline, members))
    file = folder / "simsa.toml"
    file.write_text(
        f'[data]\npath = "test.jsonl"\n{named}[judge]\npanel = [{panel}]\nmax_attempts = 2\n{more}',
        encoding="utf-8",
    )
    return file


def repeating(folder: Path, url: str, more: str = "repeats = 3\ntemperature = 0.7\n", **changes: Any) -> Path:
    file = config_of(folder, **changes)
    file.write_text(
        file.read_text().replace("panel = []", f'model = "judge-1"\nbase_url = "{url}"') + more,
        encoding="utf-8",
    )
    return file


def flat(score: int) -> str:
    return verdict(f"모두 {score}점", **dict.fromkeys(CRITERIA, score))


def by_seed(*scores: int) -> Callable[[Body], str]:
    """A judge whose scores are those of the repeat that is asked."""
    return lambda body: flat(scores[body["seed"]])
