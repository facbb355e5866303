"""When the next request to an endpoint may be sent, and how many may be in flight.

`AdmissionControl` is what the client uses. It combines a `ConcurrencyWindow`, which shrinks when calls fail for lack
of capacity, with a `RateLimiter`, which keeps to the limits that headers announce and to the rate that a
`RateEstimator` measures from 429 responses. The last two do arithmetic on a clock that the caller passes in, so that
tests can simulate it.
"""

from __future__ import annotations

import asyncio
import copy
import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from typing import NamedTuple

from simsa.llm.rate_limit_headers import Quota

# After this time the responses to all requests sent before have come.
_SETTLE_S = 0.2

# An estimated rate starts just below what was measured and grows by a factor per second: slowly where the
# measurement is precise, faster where it is rough or the first. The growth doubles every `_GROWTH_DOUBLING_S`
# without a 429: near the limit the rate changes slowly, far below it quickly.
_BACKOFF = 0.99
_GROWTH_PRECISE, _GROWTH_ROUGH, _GROWTH_FIRST, _GROWTH_MAX = 0.0001, 0.01, 0.1, 1.0
_GROWTH_DOUBLING_S = 3.0

# Two moments at which the quota was used up give a rate if they are this far apart, at least and at most;
# it is precise if they are `_PRECISE_S` apart.
_MIN_SPAN_S, _MAX_SPAN_S, _PRECISE_S = 1.0, 90.0, 10.0

# If two blocks of `_BLOCK` requests, each sent within `_BLOCK_S`, have this many overruns although they were
# sent at the estimated rate, the 429s do not depend on the rate. Then they are ignored for a number of requests.
_BLOCK, _BLOCK_OVERRUNS, _BLOCK_S = 40, 4, 20.0
_IGNORED_REQUESTS = 500

_MAX_PAUSE_S = 15.0
_MAX_REJECTED_IN_A_ROW = 4
_TOLERANCE_S = 0.01

# While no rate is known, requests restart slowly after a pause, so that a pause which was too short costs few
# 429s. Their rate doubles until there is no limit.
_RESTART_S, _RESTART_RATE, _RESTART_MAX = 2.0, 16.0, 4096.0
_RESTART_DOUBLING_S, _CAREFUL_DOUBLING_S = 0.1, 0.2

_INITIAL_WINDOW = 16
_FIRST_REQUEST_S = 10.0


class Permit(NamedTuple):
    """The permission to send one request: its number and when it was sent."""

    number: int
    at: float


@dataclass(slots=True)
class _Exhaustion:
    """A moment at which the quota was used up, and the number of requests accepted by then."""

    at: float
    accepted: int


@dataclass(slots=True)
class _Overrun:
    """The requests in flight when the endpoint began to send 429s, from the first rejected one on."""

    at: float = -math.inf
    first: int = -1
    last: int = -1
    rejected: int = 0
    settled: bool = True

    def is_limit(self) -> bool:
        """Whether nearly all were rejected, so that the cause was a limit and not chance."""
        sent = self.last - self.first + 1
        return sent >= 4 and 4 * self.rejected >= 3 * sent


class RateEstimator:
    """Estimates an unannounced rate limit, in requests per second, from 429 responses.

    Between two moments at which the quota was used up, an endpoint has accepted what it allows
    in that time, whatever its burst. A limit is assumed once nearly all requests in flight
    are rejected together, or at the third overrun. If sending more slowly does not make
    429s rarer, they are taken for chance and ignored for a number of requests.
    """

    def __init__(self) -> None:
        self.rate: float | None = None
        """None while no limit is known."""
        self.is_limit = False
        """Whether 429s have been seen to come from a limit."""
        self.rejected_in_a_row = 0
        """Overruns in a row without an accepted request between them."""
        self._rejected = 0
        self._overrun = _Overrun()
        self._exhaustions: deque[_Exhaustion] = deque(maxlen=16)
        self._growth = _GROWTH_PRECISE
        self._grown_at = math.inf
        self._block_since = math.inf
        self._in_block = 0
        self._overruns_in_block = 0
        self._bad_blocks = 0
        self._ignored_requests = _IGNORED_REQUESTS
        self._ignores_until = 0

    def ignores(self, sent: int) -> bool:
        """Whether 429s are taken for chance after `sent` requests."""
        return self.rate is None and not self.is_limit and sent <= self._ignores_until

    def record_send(self, now: float, sent: int, *, delayed: bool) -> None:
        """A request is sent; `delayed`: this rate has delayed it."""
        if self.rate is None:
            return
        if delayed:
            step = min(1.0, max(0.0, now - self._grown_at))
            self._grown_at = now
            self.rate *= (1 + self._growth) ** step
            self._growth = min(_GROWTH_MAX, self._growth * 2 ** (step / _GROWTH_DOUBLING_S))
        if self._in_block == 0:
            self._block_since = now
        self._in_block += 1
        if self._in_block == _BLOCK:
            self._close_block(now, sent)

    def record_rejection(self, permit: Permit, now: float, sent: int) -> None:
        """A request was rejected, of `sent` so far."""
        self._rejected += 1
        for exhaustion in self._exhaustions:
            exhaustion.accepted -= exhaustion.at >= permit.at
        if permit.number <= self._overrun.last:
            self._overrun.rejected += 1
            return
        in_a_row = permit.number == self._overrun.last + 1
        self.rejected_in_a_row = self.rejected_in_a_row + 1 if in_a_row else 0
        self._overrun = _Overrun(now, permit.number, sent - 1, rejected=1, settled=False)
        accepted = sent - self._rejected
        measured = self._measure(now, accepted)
        self._exhaustions.append(_Exhaustion(now, accepted))
        if self.rate is None:
            known = self.is_limit or (len(self._exhaustions) > 2 and not self.ignores(sent))
            if measured and known:
                self.rate, self._growth, self._grown_at = measured * _BACKOFF, _GROWTH_FIRST, math.inf
                self._in_block = self._overruns_in_block = self._bad_blocks = 0
        elif not self.rejected_in_a_row:
            self._overruns_in_block += 1
            self._correct(self.rate, measured, now)

    def settle(self, now: float) -> None:
        """Evaluates the last overrun once all its responses have come."""
        if not self._overrun.settled and now - self._overrun.at >= _SETTLE_S:
            self._overrun.settled = True
            self.is_limit = self.is_limit or self._overrun.is_limit()

    def _measure(self, now: float, accepted: int) -> float:
        """The requests per second since the best earlier moment of exhaustion; 0.0 if unknown.

        Unused quota makes the figure too low, never too high; hence the maximum.
        """
        rates = (
            max(0, accepted - exhaustion.accepted - 1) / (now - exhaustion.at)
            for exhaustion in self._exhaustions
            if _MIN_SPAN_S <= now - exhaustion.at <= _MAX_SPAN_S
        )
        return max(rates, default=0.0)

    def _correct(self, rate: float, measured: float, now: float) -> None:
        # After a pause in which quota went unused, `measured` is too low; after one in which quota
        # accumulated, `rate` is too high. If they differ much, the truth is between them.
        if measured > 0.9 * rate:
            self.rate = measured * _BACKOFF
        else:
            self.rate = max(math.sqrt(measured * rate), 0.6 * rate)
        precise = measured > 0.6 * rate and now - self._exhaustions[0].at > _PRECISE_S
        self._growth = _GROWTH_PRECISE if precise else _GROWTH_ROUGH

    def _close_block(self, now: float, sent: int) -> None:
        bad = self._overruns_in_block >= _BLOCK_OVERRUNS and now - self._block_since < _BLOCK_S
        self._bad_blocks = self._bad_blocks + 1 if bad else 0
        self._in_block = self._overruns_in_block = 0
        if self._bad_blocks == 2:
            self.rate = None
            self.is_limit = False
            self._exhaustions.clear()
            self._ignores_until = sent + self._ignored_requests
            self._ignored_requests *= 2


class RateLimiter:
    """Decides when the next request may be sent.

    Immediately, while the headers announce some quota and no request was rejected. Otherwise evenly
    spaced at the lowest announced or estimated rate, and never in a pause that the endpoint
    has asked for.
    """

    def __init__(self) -> None:
        self.sent = 0
        self.resume_at = -math.inf
        """When a pause ends."""
        self._estimator = RateEstimator()
        self._requests = Quota("requests", each=1.0)
        self._tokens = Quota("tokens")
        self._next_at = -math.inf
        self._delayed = False

    @property
    def rate(self) -> float | None:
        """The requests per second that the limits allow now; None if no limit is known."""
        rate = min(self._estimator.rate or math.inf, self._requests.rate, self._tokens.rate)
        return None if rate == math.inf else rate

    def delay(self, now: float) -> float:
        """The seconds until the next request may be sent; 0.0 for now."""
        self._estimator.settle(now)
        until = max(self.resume_at, self._next_at)
        if until <= now:
            return 0.0
        self._delayed = True
        return until - now

    def send(self, now: float) -> Permit:
        """Counts one request that is sent now."""
        permit = Permit(self.sent, now)
        self.sent += 1
        self._requests.left -= 1
        self._tokens.left -= self._tokens.each
        rate = self.rate
        if rate is not None:
            self._next_at = max(self._next_at, now - _TOLERANCE_S) + 1 / rate
        elif now - self.resume_at < _RESTART_S:
            self._next_at = now + 1 / self._restart_rate(now)
        self._estimator.record_send(now, self.sent, delayed=self._delayed and rate == self._estimator.rate)
        self._delayed = False
        return permit

    def record_success(self, permit: Permit, headers: Mapping[str, str], tokens: int) -> None:
        """A response came; `tokens` is what it used."""
        if "x-ratelimit-remaining-tokens" in headers:
            each = self._tokens.each
            self._tokens.each = each + (tokens - each) * 0.1 if each else float(tokens)
            self._tokens.update(headers, permit.number, self.sent)
        if "x-ratelimit-remaining-requests" in headers:
            self._requests.update(headers, permit.number, self.sent)

    def record_rejection(
        self, permit: Permit, now: float, headers: Mapping[str, str], retry_after: float | None
    ) -> None:
        """A 429 came; `retry_after` is the seconds that it asks to wait."""
        self._requests.update(headers, permit.number, self.sent)
        self._tokens.update(headers, permit.number, self.sent)
        estimator = self._estimator
        estimator.record_rejection(permit, now, self.sent)
        if estimator.ignores(self.sent):
            return
        if retry_after is None:
            pause = max(_SETTLE_S, 1 / estimator.rate) if estimator.rate else _SETTLE_S
            retry_after = min(_MAX_PAUSE_S, pause * 2**estimator.rejected_in_a_row)
        elif estimator.rejected_in_a_row > _MAX_REJECTED_IN_A_ROW:
            # The endpoint asks for short waits, but accepts nothing after them.
            doubled = _SETTLE_S * 2 ** (estimator.rejected_in_a_row - _MAX_REJECTED_IN_A_ROW)
            retry_after = max(retry_after, min(_MAX_PAUSE_S, doubled))
        self.resume_at = max(self.resume_at, now + retry_after)

    def _restart_rate(self, now: float) -> float:
        """The requests per second shortly after a pause."""
        doubling = _CAREFUL_DOUBLING_S if self._estimator.is_limit else _RESTART_DOUBLING_S
        return min(_RESTART_MAX, _RESTART_RATE * math.exp2((now - self.resume_at) / doubling))


class ConcurrencyWindow:
    """The number of requests that may be in flight.

    It is 1 until the first response has come, so that a wrong key or an unknown field costs one
    call. Then it doubles with every full window of successes until a quarter of a window
    fails. From there on it shrinks in proportion to the failures, and grows by a sixteenth if there are few.
    """

    def __init__(self, most: int, least: int) -> None:
        self.most = most
        self.least = min(least, most)
        self.size = 1.0
        self._is_open = False
        self._doubles = True
        self._successes = 0
        self._failures = 0

    def open(self) -> None:
        """The first response has come."""
        if not self._is_open:
            self._is_open = True
            self.size = float(min(self.most, _INITIAL_WINDOW))

    def record(self, *, success: bool) -> None:
        """A call has succeeded, or failed for lack of capacity."""
        self._successes += success
        self._failures += not success
        calls = self._successes + self._failures
        if not self._is_open or calls < self.size:
            return
        share = self._failures / calls
        self._doubles = self._doubles and share < 0.25
        growth = self.size if self._doubles else max(1.0, self.size / 16)
        size = self.size * (1 - share / 2) + growth * (1 - share)
        self.size = min(self.most, max(self.least, size))
        self._successes = self._failures = 0


@dataclass(slots=True)
class AdmissionStats:
    """The state of an endpoint, for showing progress."""

    in_flight: int = 0
    window: int = 1
    done: int = 0
    """Requests with a reply."""
    failed: int = 0
    """Requests that were given up."""
    retried: int = 0
    """Calls that were repeated for any reason except a rate limit."""
    rate_limited: int = 0
    """Calls that were answered by a 429."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    pace: float | None = None
    """The requests per second that the rate limit allows; None if none is known."""
    paused_until: float | None = None
    """When the next request will be sent, on the monotonic clock; None while there is no pause."""


class AdmissionControl:
    """Admits requests in order, as the window and the rate limiter allow; retries go first."""

    def __init__(self, most: int, least: int) -> None:
        self.window = ConcurrencyWindow(most, least)
        self.limiter = RateLimiter()
        self.stats = AdmissionStats()
        self._waiting: deque[asyncio.Future[Permit]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._in_flight = 0

    def try_acquire(self) -> Permit | None:
        """A permit if a request may be sent now. Each permit must be given back by `release`."""
        if self._waiting or self._in_flight >= int(self.window.size):
            return None
        now = monotonic()
        return None if self.limiter.delay(now) else self._admit(now)

    async def acquire(self, *, urgent: bool = False) -> Permit:
        """Waits for a permit; an `urgent` request goes before all others."""
        turn: asyncio.Future[Permit] = asyncio.get_running_loop().create_future()
        if urgent:
            self._waiting.appendleft(turn)
        else:
            self._waiting.append(turn)
        self._admit_waiting()
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.release()
            raise

    def release(self) -> None:
        """A request is no longer in flight."""
        self._in_flight -= 1
        if self._waiting:
            self._admit_waiting()

    def record_success(self, permit: Permit, headers: Mapping[str, str], tokens: int) -> None:
        """A request was answered and has used `tokens`."""
        self.window.open()
        self.window.record(success=True)
        self.limiter.record_success(permit, headers, tokens)

    def record_failure(self) -> None:
        """A request failed in a way that a lack of capacity may cause."""
        self.window.open()
        self.window.record(success=False)

    def record_rate_limit(
        self, permit: Permit, headers: Mapping[str, str], retry_after: float | None
    ) -> None:
        """A request was answered by a 429."""
        self.window.open()
        self.stats.rate_limited += 1
        self.limiter.record_rejection(permit, monotonic(), headers, retry_after)

    def snapshot(self) -> AdmissionStats:
        """The statistics, updated to now."""
        resume_at, stats = self.limiter.resume_at, self.stats
        stats.in_flight = self._in_flight
        stats.window = int(self.window.size)
        stats.pace = self.limiter.rate
        stats.paused_until = resume_at if resume_at > monotonic() else None
        return stats

    def close(self, error: Exception) -> None:
        """Raises a copy of `error` in everything that waits in `acquire`."""
        waiting, self._waiting = self._waiting, deque()
        for turn in waiting:
            if not turn.done():
                turn.set_exception(copy.copy(error))

    def _admit(self, now: float) -> Permit:
        self._in_flight += 1
        if self.limiter.sent == 0:
            # A slow first response delays the other requests only for so long.
            asyncio.get_running_loop().call_later(_FIRST_REQUEST_S, self._open)
        return self.limiter.send(now)

    def _open(self) -> None:
        self.window.open()
        self._admit_waiting()

    def _admit_waiting(self) -> None:
        """Admits as many waiting requests as possible, and continues when the limiter allows the next."""
        while self._waiting and self._in_flight < int(self.window.size):
            now = monotonic()
            delay = self.limiter.delay(now)
            if delay:
                if self._timer is not None:
                    self._timer.cancel()
                self._timer = asyncio.get_running_loop().call_later(delay, self._admit_waiting)
                break
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(self._admit(now))
