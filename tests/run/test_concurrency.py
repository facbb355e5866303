"""The window, the backlog and the budget."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsa.errors import EngineError
from simsa.run.concurrency import Budget, JudgingQueue, async_iter, for_each_concurrent, race, task_group
from simsa.store import Store
from tests.store.test_store import fill, predicted


def test_each_does_everything_once_and_no_more_than_width_at_a_time() -> None:
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


def test_the_first_failure_ends_it_as_itself() -> None:
    async def work(item: int) -> None:
        if item == 3:
            raise EngineError("died")
        await asyncio.sleep(0.01)

    async def nested() -> None:
        async with task_group() as group:
            group.create_task(for_each_concurrent(async_iter(range(1000)), work, 4))

    with pytest.raises(EngineError, match="died"):
        asyncio.run(nested())


def test_unless_returns_the_work_or_raises_what_ended_it() -> None:
    async def forever() -> None:
        await asyncio.Event().wait()

    async def dies() -> None:
        raise EngineError("gone")

    async def work() -> int:
        return 3

    assert asyncio.run(race(forever(), work())) == 3
    with pytest.raises(EngineError, match="gone"):
        asyncio.run(race(dies(), forever()))


def test_the_backlog_follows_the_store_until_it_is_closed(tmp_path: Path) -> None:
    async def work(store: Store) -> list[str]:
        backlog = JudgingQueue(store, "k", ())
        seen: list[str] = []
        before_the_end = asyncio.Event()

        async def judge() -> None:
            async for row in backlog:
                seen.append(row.answer_hash)
                before_the_end.set()

        async with store.writing(), asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(judge())
            for i in range(20):
                await store.add_prediction(predicted(i, "base"))
                backlog.wake()
            await before_the_end.wait()
            backlog.close()
        return seen

    with Store.create(tmp_path) as store:
        fill(store, 20, ("base",))
        assert asyncio.run(work(store)) == [f"base-{i}" for i in range(20)]


def test_a_stopped_backlog_gives_nothing_more(tmp_path: Path) -> None:
    async def work(store: Store) -> int:
        backlog = JudgingQueue(store, "k", ())
        backlog.close()
        n = 0
        async for _ in backlog:
            n += 1
            if n == 5:
                backlog.stop()
        return n

    with Store.create(tmp_path) as store:
        fill(store, 20, ("base",))
        store.add_predictions(predicted(i, "base") for i in range(20))
        assert asyncio.run(work(store)) == 5


@given(
    limit=st.floats(0, 10),
    spent=st.floats(0, 12),
    costs=st.lists(st.floats(0, 1), max_size=60),
    width=st.integers(1, 8),
)
def test_a_budget_is_passed_by_no_more_than_the_calls_in_flight(
    limit: float, spent: float, costs: list[float], width: int
) -> None:
    budget = Budget(limit, spent)

    async def call(cost: float) -> None:
        if await budget.admits():
            await asyncio.sleep(0)
            budget.settle(cost)

    asyncio.run(for_each_concurrent(async_iter(costs), call, width))
    if spent >= limit:
        assert budget.spent == spent
    else:
        assert budget.spent <= limit + width * max(costs, default=0.0) + 1e-9


def test_the_first_call_goes_alone_to_learn_the_price() -> None:
    async def work() -> tuple[int, Budget]:
        budget = Budget(1.0, 0.0)
        made = 0

        async def call(_: int) -> None:
            nonlocal made
            if await budget.admits():
                made += 1
                await asyncio.sleep(0)
                budget.settle(0.3)

        await for_each_concurrent(async_iter(range(50)), call, 10)
        return made, budget

    made, budget = asyncio.run(work())
    assert made == 3
    assert budget.exhausted
    assert budget.spent == pytest.approx(0.9)


def test_calls_are_foretold_by_what_those_of_the_same_judge_have_cost() -> None:
    async def work() -> Budget:
        budget = Budget(10.0, 0.0)
        for who, cost in (("cheap", 0.1), ("dear", 3.0)):
            assert await budget.admits(2.0, who)
            budget.settle(cost, 2.0, who)
        assert await budget.admits(2.0, "dear")
        assert await budget.admits(1.0, "dear"), "half as long, half as dear: 3.1 + 3 + 1.5"
        assert not await budget.admits(2.0, "dear"), "and one more would be 10.6"
        assert not await budget.admits(0.1, "cheap"), "what is stopped stays stopped"
        budget.settle(3.0, 2.0, "dear")
        budget.settle(1.5, 1.0, "dear")
        return budget

    budget = asyncio.run(work())
    assert budget.exhausted
    assert budget.spent == pytest.approx(7.6)


def test_asking_once_more_has_to_be_afforded_too() -> None:
    async def work() -> list[bool]:
        budget = Budget(1.0, 0.0)
        assert await budget.admits()
        budget.settle(0.3)
        assert await budget.admits()
        first = budget.affords(0.3)  # 0.3 paid, 0.3 for what it has cost, 0.3 for the next
        second = budget.affords(0.6)
        return [first, second, await budget.admits(), Budget(None, 9.0).affords(1e9)]

    assert asyncio.run(work()) == [True, False, False, True]


def test_the_first_call_of_each_judge_goes_alone() -> None:
    async def work() -> list[str]:
        budget = Budget(100.0, 0.0)
        order: list[str] = []

        async def call(who: str) -> None:
            assert await budget.admits(1.0, who)
            order.append(f"{who} begins")
            await asyncio.sleep(0.01)
            order.append(f"{who} ends")
            budget.settle(0.1, 1.0, who)

        await asyncio.gather(call("a"), call("a"), call("b"))
        return order

    assert asyncio.run(work()) == ["a begins", "b begins", "a ends", "b ends", "a begins", "a ends"]


def test_calls_that_cost_nothing_teach_no_price_until_one_was_paid() -> None:
    async def work() -> tuple[Budget, list[int]]:
        budget, under_way, most = Budget(1.0, 0.0), 0, []

        async def call(cost: float) -> None:
            nonlocal under_way
            if await budget.admits():
                under_way += 1
                most.append(under_way)
                await asyncio.sleep(0)
                under_way -= 1
                budget.settle(cost)

        await for_each_concurrent(async_iter([0.0, *[0.3] * 20]), call, 10)
        return budget, most

    budget, most = asyncio.run(work())
    assert 0.6 <= budget.spent <= 1.0
    assert most[:2] == [1, 1]


def test_without_a_limit_nothing_is_refused() -> None:
    async def work() -> bool:
        budget = Budget(None, 1e9)
        return all([await budget.admits() for _ in range(100)])

    assert asyncio.run(work())
