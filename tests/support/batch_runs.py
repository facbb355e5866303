"""Runs that are judged through a Batch API."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from simsa.store import Store, results

KEY = "sk-test-0123456789-never-to-be-seen"


def write_run(
    folder: Path,
    url: str,
    *,
    n: int = 6,
    variants: tuple[str, ...] = ("base", "lora"),
    judge: str = "",
    batch: str = "",
) -> Path:
    """A config with `n` questions, answers of `variants`, and a judge that is asked by batch."""
    folder.mkdir(parents=True, exist_ok=True)
    write_rows(
        folder / "test.jsonl",
        [
            {
                "id": f"q{i}",
                "question": f"{i}번 도서관은 언제 열었나요?",
                "contexts": [f"{i}번 도서관은 {1900 + i}년에 열었다.", "다른 문서."],
                "reference": f"{1900 + i}년입니다.",
            }
            for i in range(n)
        ],
    )
    for name in variants:
        write_rows(
            folder / f"{name}.jsonl",
            [{"question_id": f"q{i}", "prediction": f"{name}: {1900 + i}년"} for i in range(n)],
        )
    named = "".join(f'[[variants]]\nname = "{v}"\npredictions = "{v}.jsonl"\n' for v in variants)
    file = folder / "simsa.toml"
    file.write_text(
        f'[data]\npath = "test.jsonl"\n{named}'
        f'[judge]\nmodel = "gpt-4o"\nvia = "batch"\nbase_url = "{url}"\napi_key_env = "JUDGE_KEY"\n{judge}\n'
        f"[judge.batch]\npoll_s = 0.02\nsettle_s = 0.2\n{batch}\n",
        encoding="utf-8",
    )
    return file


def write_rows(file: Path, rows: list[dict[str, Any]]) -> None:
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def statuses_of(config: Path) -> dict[str, int]:
    """Status → rows."""
    found: dict[str, int] = {}
    with Store.read(config.with_name("simsa.simsa")) as store:
        for row in results(store):
            found[row.status] = found.get(row.status, 0) + 1
    return found
