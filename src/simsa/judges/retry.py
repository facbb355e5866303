"""Limits retries of unparseable replies: until one parses, at most five requests retry."""

from __future__ import annotations

import asyncio

MAX_TRIALS = 5
"""How many requests are repeated before any reply was parsed. When all of them fail, none is repeated any more."""


class RetryGate:
    """Decides which requests are repeated, for one judge and one kind of reply.

    Without it, all requests in flight at the start would be repeated before the first of them shows that a
    judge never gives a parseable reply.
    """

    def __init__(self) -> None:
        self._parsed = False
        self._trials: set[str] = set()
        self._failed = 0
        self._changed = asyncio.Event()

    @property
    def is_closed(self) -> bool:
        """Whether no reply was ever parsed, and `MAX_TRIALS` requests were repeated without success."""
        return not self._parsed and self._failed >= MAX_TRIALS

    def record_parsed(self) -> None:
        """A reply was parsed: from now on every request may be repeated."""
        if not self._parsed:
            self._parsed = True
            self._notify()

    def record_failed(self) -> bool:
        """A request was repeated as often as allowed without success. Returns whether this closes the gate."""
        self._failed += not self._parsed
        self._notify()
        return not self._parsed and self._failed == MAX_TRIALS

    def may_retry(self, request_hash: str) -> bool | None:
        """Whether a request may be repeated; None: not known yet. After True, call `finish` at its end."""
        if self._parsed or request_hash in self._trials:
            return True
        if self.is_closed:
            return False
        if len(self._trials) + self._failed >= MAX_TRIALS:
            return None
        self._trials.add(request_hash)
        return True

    async def wait_may_retry(self, request_hash: str) -> bool:
        """`may_retry`, once it is known."""
        while (allowed := self.may_retry(request_hash)) is None:
            await self._changed.wait()
        return allowed

    def finish(self, request_hash: str) -> None:
        """The request has its judgement."""
        if request_hash in self._trials:
            self._trials.discard(request_hash)
            self._notify()

    def _notify(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
