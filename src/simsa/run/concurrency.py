"""Small asyncio helpers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


async def for_each_concurrent(
    items: AsyncIterator[T], work: Callable[[T], Awaitable[object]], width: int
) -> None:
    """Does `work` on every item, at most `width` at a time.

    After a failure no item is begun. Those in flight are finished, because their replies may be paid
    already; then the failure is raised. Cancellation ends all of them at once.
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
    """`items` for `for_each_concurrent`."""
    for item in items:
        yield item


@contextlib.asynccontextmanager
async def task_group() -> AsyncIterator[asyncio.TaskGroup]:
    """A task group that raises the first failure itself, not a group of one."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as failures:
        first: BaseException = failures
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from None


async def race(ended: Awaitable[None], work: Awaitable[T]) -> T:
    """The result of `work`; if `ended` raises before that, the exception is raised and `work` is cancelled."""
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
