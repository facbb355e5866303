"""How many requests are under way at once, and who goes next.

How fast an endpoint may be asked: what its headers announce, and what its refusals teach.

Pure arithmetic on a clock that is handed in, so that minutes are tested in milliseconds.

A rate limit that nobody announces, learnt from when an endpoint refuses.

What endpoints say about their limits in the headers of their answers.
"""

from __future__ import annotations

import asyncio
import copy
import math
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from time import monotonic

SETTLE_S = 0.2
"""By then the refusals of all that was sent before have come."""

# A learnt rate starts just below what was measured and grows by `_CREEP` a second: by
# `_WALK` where the measurement is rough, by `_TROT` where it is the first. Its growth doubles
# every `_DOUBLING_S_learning` without a refusal, up to `_RUN`: near the limit it creeps, far from it it runs.
_BACKOFF = 0.99
_CREEP, _WALK, _TROT, _RUN = 0.0001, 0.01, 0.1, 1.0
_DOUBLING_S_learning = 3.0

# Two moments of exhaustion give a rate when they are this far apart, at least and at most;
# it is sure when they are ten seconds apart.
_SHORTEST_S, _LONGEST_S, _SURE_S = 1.0, 90.0, 10.0

# So many overruns in each of two quick blocks of paced requests are chance: pacing doesn't
# help. At low rates they are the price of finding the limit.
_BLOCK, _POINTLESS, _QUICK_S = 40, 4, 20.0
_REST = 500


class Permit:
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


class RateEstimator:
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

    def refuse(self, ticket: Permit, now: float, sent: int, *, forgiven: bool) -> None:
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
        self._growth = min(_RUN, self._growth * 2 ** (step / _DOUBLING_S_learning))

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


_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|h|m|s|d)?")
_UNIT = {
    "d": 86400.0,
    "h": 3600.0,
    "m": 60.0,
    "s": 1.0,
    "ms": 1e-3,
    "us": 1e-6,
    "µs": 1e-6,
    "ns": 1e-9,
    "": 1.0,
}

_DAY_S = 86400.0
_LEAST_PER_S = 1 / 60


def seconds(text: str | None) -> float | None:
    """A duration as headers write it (`12`, `1.5`, `120ms`, `6m0s`, `1h2m3s`) in seconds; None when it is none."""
    text = (text or "").strip()
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    length = sum(float(number) * _UNIT[unit] for number, unit in parts)
    return length if length < math.inf else None


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that an answer asks to wait: `retry-after-ms`, or `retry-after` as a duration or an HTTP date.

    `now` is the wall clock in seconds since the epoch, for dates.
    """
    exact = seconds(headers.get("retry-after-ms"))
    if exact is not None:
        return exact / 1000
    text = headers.get("retry-after")
    wait = seconds(text)
    if wait is None and text:
        try:
            return max(0.0, parsedate_to_datetime(text).timestamp() - now)
        except (ValueError, OverflowError):
            return None
    return wait


@dataclass(slots=True)
class Quota:
    """One dimension, requests or tokens, of what `x-ratelimit-*` say.

    `left` is what may still be used at once, less what was sent after the request whose
    answer said so; `per_s` is how fast used quota comes back.
    """

    name: str
    each: float = 0.0
    """What one request uses."""
    left: float = math.inf
    per_s: float = math.inf
    _newest: int = -1

    @property
    def pace(self) -> float:
        """Requests per second that this allows; infinite while some is left."""
        return self.per_s / self.each if self.left < self.each else math.inf

    def read(self, headers: Mapping[str, str], number: int, sent: int) -> None:
        """Takes in the answer to request `number` of the `sent` so far; older news than known is ignored."""
        remaining = _number(headers.get(f"x-ratelimit-remaining-{self.name}"))
        limit = _number(headers.get(f"x-ratelimit-limit-{self.name}"))
        if remaining is None or not limit or number < self._newest:
            return
        self._newest = number
        self.left = remaining - (sent - 1 - number) * self.each
        # `reset` is when nothing will be used up any more; without it limits are a minute's.
        reset = seconds(headers.get(f"x-ratelimit-reset-{self.name}"))
        known = reset is not None and 0 < reset <= _DAY_S
        self.per_s = max(1.0, limit - remaining) / reset if known and reset else limit / 60
        self.per_s = max(self.per_s, _LEAST_PER_S * self.each)


def _number(text: str | None) -> float | None:
    """A figure of zero or more; None for anything else (some send -1 for "not known")."""
    try:
        figure = float(text or "")
    except ValueError:
        return None
    return figure if 0 <= figure < math.inf else None


_LONGEST_PAUSE_S = 15.0
_BELIEVED = 4
_TOLERANCE_S = 0.01
_MADE_UP_S = 2.0
_CATCHING_UP = 2.0
# While no rate is known, requests trickle after a pause, so that a pause that was too short
# costs few refusals. The trickle doubles until it is a flood.
_TRICKLE, _FLOOD = 16.0, 4096.0
_DOUBLING_S, _CAREFUL_DOUBLING_S = 0.1, 0.2


class RateLimiter:
    """Decides when the next request may be sent.

    While the headers say that something is left, and nothing was refused, at once. Else
    evenly spaced at the lowest of the announced and learnt rates, and never in a pause that
    the endpoint has asked for. What a pause held up is made up for after it, unless the
    endpoint has shown that it doesn't like that.
    """

    def __init__(self) -> None:
        self.sent = 0
        self.resume_at = -math.inf
        """When a pause ends."""
        self._learnt = RateEstimator()
        self._requests = Quota("requests", each=1.0)
        self._tokens = Quota("tokens")
        self._next_at = -math.inf
        self._slot = -math.inf
        self._held = False
        self._makes_up = True
        self._owed_since = math.inf
        self._last_made_up = -math.inf

    @property
    def pace(self) -> float | None:
        """Requests per second that the limits allow at the moment; None: no limit is in sight."""
        pace = min(self._learnt.rate or math.inf, self._requests.pace, self._tokens.pace)
        return None if pace == math.inf else pace

    def delay(self, now: float) -> float:
        """Seconds until the next request may go; 0.0: now."""
        self._learnt.settle(now)
        until = max(self.resume_at, self._next_at)
        if until <= now:
            return 0.0
        self._held = True
        return until - now

    def send(self, now: float) -> Permit:
        """Counts one request that goes out now."""
        ticket = Permit(self.sent, now)
        self.sent += 1
        self._requests.left -= 1
        self._tokens.left -= self._tokens.each
        pace = self.pace
        if pace is not None:
            self._space(ticket, pace)
        elif now - self.resume_at < 2.0:
            self._next_at = now + 1 / self._trickle(now)
        self._learnt.send(now, self.sent, held=self._held and pace == self._learnt.rate)
        self._held = False
        return ticket

    def accepted(self, ticket: Permit, headers: Mapping[str, str], tokens: int) -> None:
        """An answer came; `tokens` is what it used."""
        if "x-ratelimit-remaining-tokens" in headers:
            each = self._tokens.each
            self._tokens.each = each + (tokens - each) * 0.1 if each else float(tokens)
            self._tokens.read(headers, ticket.number, self.sent)
        if "x-ratelimit-remaining-requests" in headers:
            self._requests.read(headers, ticket.number, self.sent)

    def refuse(
        self, ticket: Permit, now: float, headers: Mapping[str, str], retry_after: float | None
    ) -> None:
        """A 429 came; `retry_after` is how long it asks to wait, in seconds."""
        self._requests.read(headers, ticket.number, self.sent)
        self._tokens.read(headers, ticket.number, self.sent)
        hasty = ticket.number <= self._last_made_up + 2
        self._makes_up = self._makes_up and not hasty
        self._learnt.refuse(ticket, now, self.sent, forgiven=hasty)
        if self._learnt.rests(self.sent):
            return
        if retry_after is None:
            rate = self._learnt.rate
            pause = max(SETTLE_S, 1 / rate) if rate else SETTLE_S
            retry_after = min(_LONGEST_PAUSE_S, pause * 2**self._learnt.in_vain)
        elif self._learnt.in_vain > _BELIEVED:
            # "At once", again and again, and nothing is ever accepted: it isn't meant.
            doubled = SETTLE_S * 2 ** (self._learnt.in_vain - _BELIEVED)
            retry_after = max(retry_after, min(_LONGEST_PAUSE_S, doubled))
        self.resume_at = max(self.resume_at, now + retry_after)
        self._owed_since = max(now, self.resume_at - _MADE_UP_S) if self._makes_up else math.inf

    def _trickle(self, now: float) -> float:
        """Requests per second so shortly after a pause."""
        doubling = _CAREFUL_DOUBLING_S if self._learnt.is_limit else _DOUBLING_S
        return min(_FLOOD, _TRICKLE * math.exp2((now - self.resume_at) / doubling))

    def _space(self, ticket: Permit, pace: float) -> None:
        """Sets when the request after `ticket` may go."""
        in_time = ticket.at - _TOLERANCE_S
        slot = max(self._slot, min(in_time, self._owed_since))
        self._slot = slot + 1 / pace
        if slot >= in_time:
            self._owed_since = math.inf
            self._next_at = self._slot
        else:
            self._last_made_up = ticket.number
            self._next_at = max(self._slot, ticket.at + 1 / (_CATCHING_UP * pace))


_FIRST_WINDOW = 16
_SCOUT_S = 10.0


@dataclass(slots=True)
class AdmissionStats:
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


class ConcurrencyWindow:
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


class AdmissionControl:
    """Admits requests in their order while the window and the pace allow it; retries go first."""

    def __init__(self, most: int, least: int) -> None:
        self.window = ConcurrencyWindow(most, least)
        self.pacer = RateLimiter()
        self.stats = AdmissionStats()
        self._waiting: deque[asyncio.Future[Permit]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._in_flight = 0

    def enter(self) -> Permit | None:
        """A ticket if a request may go at once; each must be given back by `leave`."""
        if self._waiting or self._in_flight >= int(self.window.size):
            return None
        now = monotonic()
        return None if self.pacer.delay(now) else self._admit(now)

    async def wait(self, *, urgent: bool = False) -> Permit:
        """A ticket as soon as a request may go."""
        turn: asyncio.Future[Permit] = asyncio.get_running_loop().create_future()
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

    def good(self, ticket: Permit, headers: Mapping[str, str], tokens: int) -> None:
        """A request was answered."""
        self.window.open()
        self.window.good()
        self.pacer.accepted(ticket, headers, tokens)

    def bad(self) -> None:
        """A request failed as it would for lack of capacity."""
        self.window.open()
        self.window.bad()

    def refused(self, ticket: Permit, headers: Mapping[str, str], retry_after: float | None) -> None:
        """A request was answered by a 429."""
        self.window.open()
        self.stats.rate_limited += 1
        self.pacer.refuse(ticket, monotonic(), headers, retry_after)

    def show(self) -> AdmissionStats:
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

    def _admit(self, now: float) -> Permit:
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
