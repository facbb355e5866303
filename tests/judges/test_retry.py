"""A judge that was never understood is not asked everything three times."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from simsa.config import JudgeConfig
from simsa.errors import EndpointError
from simsa.judges import make
from simsa.judges.retry import MAX_TRIALS
from simsa.records import Judgement, Question
from simsa.run.concurrency import async_iter, for_each_concurrent
from tests.servers.chat import Body, ChatServer, verdict

NONSENSE = "점수는 아주 좋습니다! 10점 만점에 10점"


def judged(
    server: ChatServer, n: int, said: list[str] | None = None, width: int = 1, **how: Any
) -> list[Judgement]:
    """`n` answers, `width` of them under way at once."""
    say = (said if said is not None else []).append
    config = JudgeConfig(model="m", base_url=server.url, max_concurrency=width, max_attempts=2, **how)
    judge = make(config, say=say)
    found: dict[int, Judgement] = {}

    async def ask() -> None:
        async with judge:

            async def one(n: int) -> None:
                question = Question(id=str(n), question=f"{n}?", contexts=())
                found[n] = await judge.judge(judge.requests(question, f"{n}년")[0])

            await for_each_concurrent(async_iter(range(n)), one, width)

    asyncio.run(asyncio.wait_for(ask(), 60))
    return [found[n] for n in range(n)]


def test_after_a_few_rows_in_vain_each_is_asked_once_and_a_person_is_told_what_it_says() -> None:
    said: list[str] = []
    with ChatServer(reply=NONSENSE) as server:
        found = judged(server, 30, said)
    assert [one.status for one in found] == ["unreadable"] * 30
    assert len(server.calls) == 30 + 2 * MAX_TRIALS
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


@pytest.mark.parametrize("width", [1, 2, 7, 32, 200])
def test_however_many_are_under_way_few_find_out_for_all(width: int) -> None:
    said: list[str] = []
    with ChatServer(reply=NONSENSE, latency_s=0.003) as server:
        found = judged(server, 80, said, width)
    assert [one.status for one in found] == ["unreadable"] * 80
    assert all(NONSENSE in one.raw or one.attempts > 1 for one in found)
    assert server.count == 80 + 2 * MAX_TRIALS
    assert len([line for line in said if "could be read" in line]) == 1


def test_those_who_wait_are_asked_again_as_soon_as_one_was_understood() -> None:
    """The first retry helps: it is the twentieth answer that shows it, and all others had waited for it."""

    def reply(body: Body) -> str:
        return verdict() if len(body["messages"]) > 2 else NONSENSE

    with ChatServer(reply=reply, latency_s=0.003) as server:
        found = judged(server, 60, width=32)
    assert [one.status for one in found] == ["scored"] * 60
    assert server.count == 120


def test_one_that_is_understood_at_once_frees_all_others() -> None:
    def reply(body: Body) -> str:
        return verdict() if server.count > 40 else NONSENSE

    with ChatServer(reply=reply, latency_s=0.003) as server:
        found = judged(server, 50, width=50)
    assert [one.status for one in found] == ["scored"] * 50


@pytest.mark.parametrize("width", [4, 32])
def test_where_a_tenth_goes_wrong_nobody_waits_and_it_costs_little(width: int) -> None:
    faults = {"length": 0.04, "null_content": 0.03, "server_error": 0.03}
    with ChatServer(faults=faults, latency_s=0.002, seed=3) as server:
        found = judged(server, 150, width=width)
    assert sum(one.status == "scored" for one in found) >= 145, "one may go wrong as often as it is asked"
    assert server.count <= 1.3 * 150


def test_a_scout_that_gets_no_answer_makes_room_for_the_next() -> None:
    def faults(number: int, body: Body) -> str | None:
        return "bad_request" if len(body["messages"]) > 2 and server.count < 60 else None

    def reply(body: Body) -> str:
        return verdict() if len(body["messages"]) > 2 else NONSENSE

    with ChatServer(reply=reply, faults=faults, latency_s=0.002) as server:
        found = judged(server, 50, width=25)
    statuses = [one.status for one in found]
    assert set(statuses) == {"scored", "unreadable"}, "every row ends"
    assert statuses.count("scored") >= 20


def test_an_endpoint_that_ends_while_rows_wait_ends_them_all() -> None:
    def faults(number: int, body: Body) -> str | None:
        return "unauthorised" if len(body["messages"]) > 2 else None

    with ChatServer(reply=NONSENSE, faults=faults, latency_s=0.002) as server, pytest.raises(EndpointError):
        judged(server, 40, width=20)
    assert server.count <= 20 + MAX_TRIALS


def test_lists_of_claims_have_a_hope_of_their_own() -> None:
    with ChatServer(lists=NONSENSE, latency_s=0.002) as server:
        judge = make(JudgeConfig(model="m", base_url=server.url, claims=True))

        async def ask() -> list[Judgement]:
            async with judge:
                asked = [
                    request
                    for n in range(20)
                    for request in judge.requests(
                        Question(id=f"{n}", question=f"{n}?", contexts=()), f"{n}년"
                    )
                ]
                return list(await asyncio.gather(*map(judge.judge, asked)))

        found = asyncio.run(ask())
    assert [one.status for one in found] == ["scored", "unreadable"] * 20
    assert server.count == 40 + 2 * MAX_TRIALS
