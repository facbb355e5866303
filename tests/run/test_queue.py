"""The queue of answers that wait for a verdict."""

from __future__ import annotations

import asyncio
from pathlib import Path

from simsa.run.queue import JudgingQueue
from simsa.store import Store
from tests.support.stored_runs import fill, predicted


def test_the_queue_follows_the_store_until_it_is_closed(tmp_path: Path) -> None:
    async def work(store: Store) -> list[str]:
        queue = JudgingQueue(store, "k", ())
        seen: list[str] = []
        before_the_end = asyncio.Event()

        async def judge() -> None:
            async for row in queue:
                seen.append(row.answer_hash)
                before_the_end.set()

        async with store.writing(), asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(judge())
            for i in range(20):
                await store.add_prediction(predicted(i, "base"))
                queue.notify()
            await before_the_end.wait()
            queue.close()
        return seen

    with Store.create(tmp_path) as store:
        fill(store, 20, ("base",))
        assert asyncio.run(work(store)) == [f"base-{i}" for i in range(20)]


def test_a_stopped_queue_ends(tmp_path: Path) -> None:
    async def work(store: Store) -> int:
        queue = JudgingQueue(store, "k", ())
        queue.close()
        n = 0
        async for _ in queue:
            n += 1
            if n == 5:
                queue.stop()
        return n

    with Store.create(tmp_path) as store:
        fill(store, 20, ("base",))
        store.add_predictions(predicted(i, "base") for i in range(20))
        assert asyncio.run(work(store)) == 5
