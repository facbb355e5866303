"""Small tools for doing many things at once without holding many things."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from simsa.store import Answered, Store

T = TypeVar("T")
_BLOCK = 512


async def for_each_concurrent(
    items: AsyncIterator[T], work: Callable[[T], Awaitable[None]], width: int
) -> None:
    """Does `work` on every item, at most `width` at a time.

    After a failure no item is begun; those under way are finished, for their answers may
    be paid already, and then the failure is raised. Cancelling ends all at once.
    """
    failures: list[Exception] = []

    async def worker() -> None:
        async for item in items:
            try:
                await work(item)
            except Exception as failure:
                failures.append(failure)
            if failures:
                return

    async with task_group() as group:
        for _ in range(width):
            group.create_task(worker())
    if failures:
        raise failures[0]


async def async_iter(items: Iterable[T]) -> AsyncIterator[T]:
    """`items` for `each`."""
    for item in items:
        yield item


@contextlib.asynccontextmanager
async def task_group() -> AsyncIterator[asyncio.TaskGroup]:
    """A task group that raises the first failure itself, not a group of one."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as failures:
        raise first_failure(failures) from None


def first_failure(failure: BaseException) -> BaseException:
    """The first exception inside nested groups."""
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure


async def race(ended: Awaitable[None], work: Awaitable[T]) -> T:
    """The result of `work`; if `ended` raises before, that is raised and `work` is cancelled."""
    watch, task = asyncio.ensure_future(ended), asyncio.ensure_future(work)
    try:
        await asyncio.wait((watch, task), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            await watch
        return await task
    finally:
        for pending in (watch, task):
            pending.cancel()
        await asyncio.gather(watch, task, return_exceptions=True)


class JudgingQueue:
    """Answers that wait for a verdict, in the order in which they were committed.

    The store is the queue: a block is read when the last one is used up, so memory
    holds one block however far the judge is behind. `wake` says that answers were
    added, `close` that no more will be; `stop` ends the iteration at once.
    """

    def __init__(self, store: Store, judge_key: str, retry: Iterable[str]) -> None:
        self._store = store
        self._judge_key = judge_key
        self._retry = tuple(retry)
        self._ready: deque[Answered] = deque()
        self._after = 0
        self._no_more = asyncio.Event()
        self._stopped = False
        self._added = asyncio.Event()

    def wake(self) -> None:
        self._added.set()

    @property
    def closed(self) -> bool:
        return self._no_more.is_set()

    @property
    def has_work(self) -> bool:
        """Whether an answer waits now."""
        return bool(self._ready) or bool(self._store.unjudged(self._judge_key, self._after, 1, self._retry))

    def close(self) -> None:
        self._no_more.set()
        self._added.set()

    async def wait_closed(self) -> None:
        await self._no_more.wait()

    def stop(self) -> None:
        self._stopped = True
        self._ready.clear()
        self._added.set()

    def __aiter__(self) -> JudgingQueue:
        return self

    async def __anext__(self) -> Answered:
        while not self._stopped:
            if self._ready or self._refill():
                return self._ready.popleft()
            if self.closed:
                break
            self._added.clear()
            await self._added.wait()
        raise StopAsyncIteration

    def _refill(self) -> bool:
        # `close` comes after the last commit, on this same thread, so what a closed
        # backlog does not find here will never come.
        block = self._store.unjudged(self._judge_key, self._after, _BLOCK, self._retry)
        if block:
            self._after = block[-1].serial
            self._ready.extend(block)
        return bool(block)


class Budget:
    """Admits calls while their expected cost fits under `limit` (USD; None: no limit).

    `foretold` is what a call is thought to cost, in any unit that is fair among the calls of `who`; what a
    unit costs is learnt from those that were paid. Until one was, nothing is known of it, so the calls
    of each go alone.
    """

    def __init__(self, limit: float | None, spent: float) -> None:
        self.limit = limit
        self.spent = spent
        self.exhausted = False
        self._accounts: dict[str, _Account] = {}

    async def admits(self, foretold: float = 1.0, who: str = "") -> bool:
        """Whether one more call may be made; each admitted call must be `settle`d."""
        account = self._accounts.setdefault(who, _Account())
        if self.limit is not None:
            while not account.paid and account.in_flight:
                account.learned.clear()
                await account.learned.wait()
            expected = self._expected() + foretold * account.unit_usd
            if self.exhausted or expected > self.limit or self.spent >= self.limit:
                self.exhausted = True
                return False
        account.in_flight += 1
        account.foretold += foretold
        return True

    def affords(self, so_far: float) -> bool:
        """Whether a call that was admitted, and has cost `so_far`, may be made once more."""
        if self.limit is not None and (self.exhausted or self._expected() + so_far > self.limit):
            self.exhausted = True
        return not self.exhausted

    def _expected(self) -> float:
        """What it will be when all that is under way is paid."""
        return self.spent + sum(one.foretold * one.unit_usd for one in self._accounts.values())

    def settle(self, cost: float, foretold: float = 1.0, who: str = "") -> None:
        """An admitted call has cost this much; `foretold` and `who` as it was admitted."""
        account = self._accounts[who]
        account.in_flight -= 1
        account.foretold -= foretold
        if cost or account.paid or not foretold:  # the first that failed for nothing teaches no price
            account.paid += 1
            account.paid_usd += cost
            account.paid_units += foretold
        self.spent += cost
        account.learned.set()


@dataclass(slots=True)
class _Account:
    """What the calls of one judge have cost, and those that are under way."""

    in_flight: int = 0
    foretold: float = 0.0
    paid: int = 0
    paid_usd: float = 0.0
    paid_units: float = 0.0
    learned: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def unit_usd(self) -> float:
        return self.paid_usd / self.paid_units if self.paid_units else 0.0
