"""Helpers for asyncio."""

from __future__ import annotations

import asyncio

import pytest

from simsa.errors import EngineError
from simsa.run.concurrency import async_iter, for_each_concurrent, race, task_group


def test_every_item_is_done_once_with_at_most_width_in_flight() -> None:
    done: list[int] = []
    now = most = 0

    async def work(item: int) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        done.append(item)
        now -= 1

    asyncio.run(for_each_concurrent(async_iter(range(100)), work, 7))
    assert sorted(done) == list(range(100))
    assert most == 7


def test_the_first_failure_is_raised_itself() -> None:
    async def work(item: int) -> None:
        if item == 3:
            raise EngineError("died")
        await asyncio.sleep(0.01)

    async def nested() -> None:
        async with task_group() as group:
            group.create_task(for_each_concurrent(async_iter(range(1000)), work, 4))

    with pytest.raises(EngineError, match="died"):
        asyncio.run(nested())


def test_race_returns_the_result_or_raises_what_ended_first() -> None:
    async def forever() -> None:
        await asyncio.Event().wait()

    async def dies() -> None:
        raise EngineError("gone")

    async def work() -> int:
        return 3

    assert asyncio.run(race(forever(), work())) == 3
    with pytest.raises(EngineError, match="gone"):
        asyncio.run(race(dies(), forever()))
