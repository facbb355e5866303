"""How many requests are under way at once, and who goes next."""

from __future__ import annotations

import asyncio
import copy
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic

from simsa.endpoints.learning import Ticket
from simsa.endpoints.pacing import Pacer

_FIRST_WINDOW = 16
_SCOUT_S = 10.0


@dataclass(slots=True)
class FlowStats:
    """What an endpoint is doing; live, for showing progress."""

    in_flight: int = 0
    window: int = 1
    done: int = 0
    """Requests that were answered."""
    failed: int = 0
    """Requests that were given up."""
    retried: int = 0
    """Calls that had to be made again, for whatever reason but a rate limit."""
    rate_limited: int = 0
    """Calls that were answered by a 429."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    pace: float | None = None
    """Requests per second that a rate limit allows; None: none is known."""
    paused_until: float | None = None
    """When the endpoint will be asked again, on the monotonic clock; None: it is being asked."""


class Window:
    """The number of requests that may be under way at once.

    It opens with one request, the scout, so that a wrong key or an unknown field costs one
    call and not a window full. Then it doubles with every window of good answers until
    something goes wrong for lack of capacity; from there it shrinks in proportion to the share of
    calls that went wrong, and grows by a sixteenth when few do.
    """

    def __init__(self, most: int, least: int) -> None:
        self.most = most
        self.least = min(least, most)
        self.size = 1.0
        self._opened = False
        self._doubling = True
        self._good = 0
        self._bad = 0

    def open(self) -> None:
        """The scout has come back."""
        if not self._opened:
            self._opened = True
            self.size = float(min(self.most, _FIRST_WINDOW))

    def good(self) -> None:
        self._good += 1
        self._settle()

    def bad(self) -> None:
        self._bad += 1
        self._settle()

    def _settle(self) -> None:
        calls = self._good + self._bad
        if not self._opened or calls < self.size:
            return
        share = self._bad / calls
        self._doubling = self._doubling and share < 0.25
        grown = self.size if self._doubling else max(1.0, self.size / 16)
        self.size = min(self.most, max(self.least, self.size * (1 - share / 2) + grown * (1 - share)))
        self._good = self._bad = 0


class Flow:
    """Admits requests in their order while the window and the pace allow it; retries go first."""

    def __init__(self, most: int, least: int) -> None:
        self.window = Window(most, least)
        self.pacer = Pacer()
        self.stats = FlowStats()
        self._waiting: deque[asyncio.Future[Ticket]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._in_flight = 0

    def enter(self) -> Ticket | None:
        """A ticket if a request may go at once; each must be given back by `leave`."""
        if self._waiting or self._in_flight >= int(self.window.size):
            return None
        now = monotonic()
        return None if self.pacer.delay(now) else self._admit(now)

    async def wait(self, *, urgent: bool = False) -> Ticket:
        """A ticket as soon as a request may go."""
        turn: asyncio.Future[Ticket] = asyncio.get_running_loop().create_future()
        if urgent:
            self._waiting.appendleft(turn)
        else:
            self._waiting.append(turn)
        self._next()
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.leave()
            raise

    def leave(self) -> None:
        """A request is no longer under way."""
        self._in_flight -= 1
        if self._waiting:
            self._next()

    def good(self, ticket: Ticket, headers: Mapping[str, str], tokens: int) -> None:
        """A request was answered."""
        self.window.open()
        self.window.good()
        self.pacer.accepted(ticket, headers, tokens)

    def bad(self) -> None:
        """A request failed as it would for lack of capacity."""
        self.window.open()
        self.window.bad()

    def refused(self, ticket: Ticket, headers: Mapping[str, str], retry_after: float | None) -> None:
        """A request was answered by a 429."""
        self.window.open()
        self.stats.rate_limited += 1
        self.pacer.refuse(ticket, monotonic(), headers, retry_after)

    def show(self) -> FlowStats:
        """The stats as they are now."""
        pacer, stats = self.pacer, self.stats
        stats.in_flight = self._in_flight
        stats.window = int(self.window.size)
        stats.pace = pacer.pace
        stats.paused_until = pacer.resume_at if pacer.resume_at > monotonic() else None
        return stats

    def end(self, error: Exception) -> None:
        """Nobody will be admitted any more: those who wait get `error`, each a copy of it."""
        waiting, self._waiting = self._waiting, deque()
        for turn in waiting:
            if not turn.done():
                turn.set_exception(copy.copy(error))

    def _admit(self, now: float) -> Ticket:
        self._in_flight += 1
        if self.pacer.sent == 0:
            # A scout that is slow to come back holds the others up only so long.
            asyncio.get_running_loop().call_later(_SCOUT_S, self._open)
        return self.pacer.send(now)

    def _open(self) -> None:
        self.window.open()
        self._next()

    def _next(self) -> None:
        """Admits as many of those who wait as may go now; comes back when the pace allows the next."""
        while self._waiting and self._in_flight < int(self.window.size):
            now = monotonic()
            delay = self.pacer.delay(now)
            if delay:
                self._come_back(delay)
                break
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(self._admit(now))

    def _come_back(self, delay: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(delay, self._next)
