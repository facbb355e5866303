"""Two runs of different variants under different judges."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from simsa.cli.main import run
from tests.servers.chat import Body, ChatServer, text_of, verdict
from tests.support.judged_runs import CRITERIA, write_rows

N = 40


def write_data(folder: Path, variant: str, places: range = range(N), **more: Any) -> None:
    """Questions, each with a passage of its own, and one variant's answers."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {
            "id": f"q{i}",
            "question": f"{i}번 도서관은 언제 열었나요?",
            "contexts": [f"{i}번 도서관은 {1900 + i}년에 열었다."],
            "reference": f"{1900 + i}년입니다.",
            **more,
        }
        for i in places
    ]
    write_rows(folder / "test.jsonl", rows)
    answers = [{"question_id": f"q{i}", "prediction": f"{variant}: {1900 + i}년"} for i in places]
    write_rows(folder / f"{variant}.jsonl", answers)


def write_config(folder: Path, url: str, variant: str, judge: str, more: str = "") -> Path:
    file = folder / "simsa.toml"
    file.write_text(
        f'[data]\npath = "test.jsonl"\n[[variants]]\nname = "{variant}"\npredictions = "{variant}.jsonl"\n'
        f'[judge]\nmodel = "{judge}"\nbase_url = "{url}"\napi_key_env = "JUDGE_KEY"\nmax_concurrency = 4\n{more}',
        encoding="utf-8",
    )
    return file


def number(body: Body) -> int:
    found = re.findall(r"(\d+)번 도서관", text_of(body))
    return int(found[-1])


def judging(kindness: int = 1, gain: int = 1) -> Callable[[Body], str]:
    """judge-2 gives `kindness` more than judge-1 for each criterion; `new` is `gain` better, whoever judges."""

    def reply(body: Body) -> str:
        place = number(body)
        base = 1 + place % 2
        better = gain * ("new: " in text_of(body))
        kind = kindness * (body["model"] == "judge-2")
        return verdict(**dict.fromkeys(CRITERIA, min(5, base + better + kind)))

    return reply


def two_runs(
    tmp_path: Path, server: ChatServer, more: str = "", second: str = "judge-2"
) -> tuple[Path, Path]:
    made = []
    for name, variant, judge in (("old", "base", "judge-1"), ("new", "new", second)):
        write_data(tmp_path / name, variant)
        made.append(write_config(tmp_path / name, server.url, variant, judge, more))
        assert run(["run", str(made[-1]), "-q"]) == 0
    return made[0], made[1]
