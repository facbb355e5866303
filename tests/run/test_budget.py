"""A limit on cost, for calls that run at the same time."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsa.run.budget import Budget
from simsa.run.concurrency import async_iter, for_each_concurrent


@given(
    limit=st.floats(0, 10),
    spent=st.floats(0, 12),
    costs=st.lists(st.floats(0, 1), max_size=60),
    width=st.integers(1, 8),
)
def test_a_limit_is_exceeded_by_no_more_than_the_calls_in_flight(
    limit: float, spent: float, costs: list[float], width: int
) -> None:
    budget = Budget(limit, spent)

    async def call(cost: float) -> None:
        if await budget.acquire():
            await asyncio.sleep(0)
            budget.release(cost)

    asyncio.run(for_each_concurrent(async_iter(costs), call, width))
    if spent >= limit:
        assert budget.spent == spent
    else:
        assert budget.spent <= limit + width * max(costs, default=0.0) + 1e-9


def test_the_first_call_runs_alone_until_its_price_is_known() -> None:
    async def work() -> tuple[int, Budget]:
        budget = Budget(1.0, 0.0)
        made = 0

        async def call(_: int) -> None:
            nonlocal made
            if await budget.acquire():
                made += 1
                await asyncio.sleep(0)
                budget.release(0.3)

        await for_each_concurrent(async_iter(range(50)), call, 10)
        return made, budget

    made, budget = asyncio.run(work())
    assert made == 3
    assert budget.exhausted
    assert budget.spent == pytest.approx(0.9)


def test_estimates_are_scaled_by_what_calls_of_the_same_member_have_cost() -> None:
    async def work() -> Budget:
        budget = Budget(10.0, 0.0)
        for member, cost in (("cheap", 0.1), ("expensive", 3.0)):
            assert await budget.acquire(2.0, member)
            budget.release(cost, 2.0, member)
        assert await budget.acquire(2.0, "expensive")
        assert await budget.acquire(1.0, "expensive"), "half as long, half as expensive: 3.1 + 3 + 1.5"
        assert not await budget.acquire(2.0, "expensive"), "and one more would be 10.6"
        assert not await budget.acquire(0.1, "cheap"), "what is stopped stays stopped"
        budget.release(3.0, 2.0, "expensive")
        budget.release(1.5, 1.0, "expensive")
        return budget

    budget = asyncio.run(work())
    assert budget.exhausted
    assert budget.spent == pytest.approx(7.6)


def test_a_repeated_call_must_fit_the_limit_too() -> None:
    async def work() -> list[bool]:
        budget = Budget(1.0, 0.0)
        assert await budget.acquire()
        budget.release(0.3)
        assert await budget.acquire()
        first = budget.can_continue(0.3)  # 0.3 paid, 0.3 for what it has cost, 0.3 for the next
        second = budget.can_continue(0.6)
        return [first, second, await budget.acquire(), Budget(None, 9.0).can_continue(1e9)]

    assert asyncio.run(work()) == [True, False, False, True]


def test_the_first_call_of_each_member_runs_alone() -> None:
    async def work() -> list[str]:
        budget = Budget(100.0, 0.0)
        order: list[str] = []

        async def call(member: str) -> None:
            assert await budget.acquire(1.0, member)
            order.append(f"{member} begins")
            await asyncio.sleep(0.01)
            order.append(f"{member} ends")
            budget.release(0.1, 1.0, member)

        await asyncio.gather(call("a"), call("a"), call("b"))
        return order

    assert asyncio.run(work()) == ["a begins", "b begins", "a ends", "b ends", "a begins", "a ends"]


def test_a_first_call_without_a_cost_shows_no_price() -> None:
    async def work() -> tuple[Budget, list[int]]:
        budget, under_way, most = Budget(1.0, 0.0), 0, []

        async def call(cost: float) -> None:
            nonlocal under_way
            if await budget.acquire():
                under_way += 1
                most.append(under_way)
                await asyncio.sleep(0)
                under_way -= 1
                budget.release(cost)

        await for_each_concurrent(async_iter([0.0, *[0.3] * 20]), call, 10)
        return budget, most

    budget, most = asyncio.run(work())
    assert 0.6 <= budget.spent <= 1.0
    assert most[:2] == [1, 1]


def test_without_a_limit_every_call_is_admitted() -> None:
    async def work() -> bool:
        budget = Budget(None, 1e9)
        return all([await budget.acquire() for _ in range(100)])

    assert asyncio.run(work())


def test_a_reservation_counts_as_spent_until_the_limit() -> None:
    budget = Budget(1.0, 0.25)
    assert budget.reserve(0.5)
    assert not budget.reserve(0.5)
    assert budget.exhausted
    assert budget.spent == pytest.approx(0.75)
    assert Budget(None, 0.0).reserve(1e9)
