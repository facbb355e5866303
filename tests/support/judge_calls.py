"""An LLM judge that is asked directly, outside of a run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from simsa.config import JudgeConfig
from simsa.judges import Judge
from simsa.records import Judgement, Passage, Question
from tests.servers.chat import Body

SALT = b"salt"


def question(n: int = 0, **changes: Any) -> Question:
    row: dict[str, Any] = {"contexts": (Passage(f"본문 {n}."),), "reference": (f"정답 {n}",)}
    return Question(f"q{n}", f"질문 {n}은?", **(row | changes))


def config(url: str = "http://127.0.0.1:9/v1", **changes: Any) -> JudgeConfig:
    settings: dict[str, Any] = {"model": "a-judge", "base_url": url, "max_attempts": 2, "timeout_s": 20}
    return JudgeConfig(**(settings | changes))


def ask(judge: Judge, rows: Iterable[tuple[Question, str]]) -> list[Judgement]:
    """The judgements on the distinct requests of `rows`, in order."""
    requests = {r.request_hash: r for row in rows for r in judge.requests(*row)}

    async def work() -> list[Judgement]:
        async with judge, asyncio.TaskGroup() as group:
            tasks = [group.create_task(judge.judge(request)) for request in requests.values()]
        return [task.result() for task in tasks]

    return asyncio.run(work())


def replies(*texts: Any) -> Callable[[Body], Any]:
    """Each text once, the last one for ever."""
    rest = list(texts)
    return lambda body: rest.pop(0) if len(rest) > 1 else rest[0]
