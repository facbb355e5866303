"""Answers that wait for a verdict, read from the store."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable

from simsa.store import Answered, Store

_BLOCK = 512


class JudgingQueue:
    """Iterates over answers without a verdict, in the order in which they were committed.

    The store is the queue: a block is read when the last one is used up, so memory holds one block, however
    far judging is behind. `notify` says that answers were added, `close` that no more will be; `stop` ends
    the iteration at once.
    """

    def __init__(self, store: Store, judge_task: str, retry: Iterable[str]) -> None:
        self._store = store
        self._judge_task = judge_task
        self._retry = tuple(retry)
        self._ready: deque[Answered] = deque()
        self._after = 0
        self._closed = asyncio.Event()
        self._stopped = False
        self._added = asyncio.Event()

    @property
    def closed(self) -> bool:
        return self._closed.is_set()

    @property
    def has_work(self) -> bool:
        """Whether an answer waits now."""
        return bool(self._ready) or bool(self._store.unjudged(self._judge_task, self._after, 1, self._retry))

    def notify(self) -> None:
        self._added.set()

    def close(self) -> None:
        self._closed.set()
        self._added.set()

    async def wait_closed(self) -> None:
        await self._closed.wait()

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
        # `close` follows the last commit on this same thread, so a closed queue misses no answer here.
        block = self._store.unjudged(self._judge_task, self._after, _BLOCK, self._retry)
        if block:
            self._after = block[-1].serial
            self._ready.extend(block)
        return bool(block)
