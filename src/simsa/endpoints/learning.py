"""A rate limit that nobody announces, learnt from when an endpoint refuses."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

SETTLE_S = 0.2
"""By then the refusals of all that was sent before have come."""

# A learnt rate starts just below what was measured and grows by `_CREEP` a second: by
# `_WALK` where the measurement is rough, by `_TROT` where it is the first. Its growth doubles
# every `_DOUBLING_S` without a refusal, up to `_RUN`: near the limit it creeps, far from it it runs.
_BACKOFF = 0.99
_CREEP, _WALK, _TROT, _RUN = 0.0001, 0.01, 0.1, 1.0
_DOUBLING_S = 3.0

# Two moments of exhaustion give a rate when they are this far apart, at least and at most;
# it is sure when they are ten seconds apart.
_SHORTEST_S, _LONGEST_S, _SURE_S = 1.0, 90.0, 10.0

# So many overruns in each of two quick blocks of paced requests are chance: pacing doesn't
# help. At low rates they are the price of finding the limit.
_BLOCK, _POINTLESS, _QUICK_S = 40, 4, 20.0
_REST = 500


class Ticket:
    """One request on its way: its number and when it was sent."""

    __slots__ = ("at", "number")

    def __init__(self, number: int, at: float) -> None:
        self.number = number
        self.at = at


@dataclass(slots=True)
class _Mark:
    """A moment at which the quota was used up, and how many requests had been accepted by then."""

    at: float
    accepted: int


@dataclass(slots=True)
class _Overrun:
    """The requests under way when the endpoint began to refuse, from the first refused one on."""

    at: float = -math.inf
    first: int = -1
    last: int = -1
    refused: int = 0
    settled: bool = True

    def is_limit(self) -> bool:
        """Whether nearly all were refused: then it was a limit and not chance."""
        sent = self.last - self.first + 1
        return sent >= 4 and 4 * self.refused >= 3 * sent


class LearntRate:
    """The requests per second that refusals have taught.

    Between two moments at which the quota was used up, an endpoint has accepted what it
    allows in that time, whatever its burst: that measures the rate. A limit shows when
    nearly all that is under way is refused together, or by the third overrun; where pacing
    doesn't make refusals rarer they are chance, and it rests for a number of requests.
    """

    def __init__(self) -> None:
        self.rate: float | None = None
        """None: no limit is known."""
        self.is_limit = False
        """Whether refusals have been seen to be a limit's and not chance."""
        self.in_vain = 0
        """Overruns in a row without an accepted request between them."""
        self.refused = 0
        self._overrun = _Overrun()
        self._marks: deque[_Mark] = deque(maxlen=16)
        self._growth = _CREEP
        self._grown_at = math.inf
        self._block_since = math.inf
        self._in_block = 0
        self._overruns_in_block = 0
        self._bad_blocks = 0
        self._rest = _REST
        self._rests_until = 0

    def rests(self, sent: int) -> bool:
        """Whether refusals count as chance for now."""
        return self.rate is None and not self.is_limit and sent <= self._rests_until

    def send(self, now: float, sent: int, *, held: bool) -> None:
        """A request goes out; `held`: it was this rate that held it back until now."""
        if self.rate is None:
            return
        if held:
            self._grow(now)
        if self._in_block == 0:
            self._block_since = now
        self._in_block += 1
        if self._in_block == _BLOCK:
            self._close_block(now, sent)

    def refuse(self, ticket: Ticket, now: float, sent: int, *, forgiven: bool) -> None:
        """A request was refused, of `sent` so far; `forgiven`: it went out faster than this rate."""
        self.refused += 1
        for mark in self._marks:
            mark.accepted -= mark.at >= ticket.at
        if ticket.number <= self._overrun.last:
            self._overrun.refused += 1
            return
        self.in_vain = self.in_vain + 1 if ticket.number == self._overrun.last + 1 else 0
        self._overrun = _Overrun(now, ticket.number, sent - 1, refused=1, settled=False)
        accepted = sent - self.refused
        measured = self._measure(now, accepted)
        self._marks.append(_Mark(now, accepted))
        if self.rate is None:
            if measured and (self.is_limit or (len(self._marks) > 2 and not self.rests(sent))):
                self._start(measured)
        elif not self.in_vain:
            self._overruns_in_block += 1
            if not forgiven:
                self._correct(self.rate, measured, now)

    def settle(self, now: float) -> None:
        """Draws the conclusion from an overrun once all its refusals have come."""
        overrun = self._overrun
        if overrun.settled or now - overrun.at < SETTLE_S:
            return
        overrun.settled = True
        if overrun.is_limit():
            self.is_limit = True

    def _start(self, measured: float) -> None:
        self.rate, self._growth = measured * _BACKOFF, _TROT
        self._grown_at = math.inf
        self._in_block = self._overruns_in_block = self._bad_blocks = 0

    def _correct(self, rate: float, measured: float, now: float) -> None:
        # A pause in which quota went to waste makes `measured` too low, and one in which it
        # piled up makes `rate` too high: far apart, the truth lies between.
        if measured > 0.9 * rate:
            self.rate = measured * _BACKOFF
        else:
            self.rate = max(math.sqrt(measured * rate), 0.6 * rate)
        sure = measured > 0.6 * rate and now - self._marks[0].at > _SURE_S
        self._growth = _CREEP if sure else _WALK

    def _measure(self, now: float, accepted: int) -> float:
        """Requests per second from the best of the earlier moments of exhaustion until now; 0.0: unknown.

        Quota that lay unused makes the figure too low, never too high; hence the maximum.
        """
        return max(
            (
                max(0, accepted - mark.accepted - 1) / (now - mark.at)
                for mark in self._marks
                if _SHORTEST_S <= now - mark.at <= _LONGEST_S
            ),
            default=0.0,
        )

    def _grow(self, now: float) -> None:
        assert self.rate is not None
        step = min(1.0, max(0.0, now - self._grown_at))
        self._grown_at = now
        self.rate *= (1 + self._growth) ** step
        self._growth = min(_RUN, self._growth * 2 ** (step / _DOUBLING_S))

    def _close_block(self, now: float, sent: int) -> None:
        bad = self._overruns_in_block >= _POINTLESS and now - self._block_since < _QUICK_S
        self._bad_blocks = self._bad_blocks + 1 if bad else 0
        self._in_block = self._overruns_in_block = 0
        if self._bad_blocks == 2:
            self.rate = None
            self.is_limit = False
            self._marks.clear()
            self._rests_until = sent + self._rest
            self._rest *= 2
