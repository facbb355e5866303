"""A judge that was never understood is not asked everything three times."""

from __future__ import annotations

import asyncio

from simsa.config import JudgeConfig
from simsa.judges import make
from simsa.records import Judgement, Question
from tests.servers.chat import Body, ChatServer, verdict

NONSENSE = "점수는 아주 좋습니다! 10점 만점에 10점"


def judged(server: ChatServer, n: int, said: list[str] | None = None) -> list[Judgement]:
    """`n` answers, one after another."""
    judge = make(JudgeConfig(model="m", base_url=server.url), say=(said if said is not None else []).append)

    async def ask() -> list[Judgement]:
        async with judge:
            requests = [
                judge.requests(Question(id=str(i), question=f"{i}?", contexts=()), f"{i}년")[0]
                for i in range(n)
            ]
            return [await judge.judge(request) for request in requests]

    return asyncio.run(ask())


def test_after_ten_rows_in_vain_each_is_asked_once_and_a_person_is_told_what_it_says() -> None:
    said: list[str] = []
    with ChatServer(reply=NONSENSE) as server:
        found = judged(server, 30, said)
    assert [one.status for one in found] == ["unreadable"] * 30
    assert len(server.calls) == 10 * 3 + 20
    (told,) = [line for line in said if "could be read" in line]
    assert NONSENSE in told and "only once" in told


def test_one_readable_answer_keeps_the_hope_up() -> None:
    def reply(body: Body) -> str:
        return verdict() if len(server.calls) == 1 else NONSENSE

    with ChatServer(reply=reply) as server:
        found = judged(server, 20)
    assert [one.status for one in found] == ["scored"] + ["unreadable"] * 19
    assert len(server.calls) == 1 + 19 * 3


def test_a_judge_that_obeys_when_told_why_is_always_told() -> None:
    def reply(body: Body) -> str:
        return verdict() if len(body["messages"]) > 2 else NONSENSE

    with ChatServer(reply=reply) as server:
        found = judged(server, 15)
    assert [one.status for one in found] == ["scored"] * 15
    assert len(server.calls) == 30
