"""How fast an endpoint may be asked: what it says in its rate headers, and what its refusals teach.

Pure arithmetic on a clock that is handed in, so that minutes can be tested in milliseconds.
"""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

# A learned rate starts just below what was measured and grows from `_CREEP` a second (from
# `_WALK` where the measurement is rough, `_RUN` where there is none), doubling its growth
# every `_DOUBLING_S` without a refusal: near the limit it creeps, far from it it runs.
_BACKOFF = 0.99
_CREEP, _WALK, _RUN = 0.0001, 0.01, 1.0
_DOUBLING_S = 3.0
_FIRST_RATE = 2.0

_SETTLE_S = 0.2  # by then a refusal of what was sent before has come
_SHORTEST_S = 1.0  # between two moments that are to give a rate
_HORIZON_S = 90.0
_LONGEST_PAUSE_S = 15.0
_MADE_UP_S = 2.0
_TRICKLE, _TRICKLE_DOUBLING_S, _TRICKLE_S = 16.0, 0.1, 0.8  # requests/s after a pause
_TOLERANCE_S = 0.01

# So many refusals in a block of paced requests say that they don't depend on the rate.
_BLOCK = 40
_POINTLESS = 4
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

    def is_limit(self) -> bool:
        """Whether nearly all were refused: then it was a limit and not chance."""
        sent = self.last - self.first + 1
        return sent >= 4 and 4 * self.refused >= 3 * sent


@dataclass(slots=True)
class Quota:
    """One dimension (requests or tokens) of what the rate headers say.

    `left` is what may still be used at once, less what was sent since the header was
    written; `per_s` is how fast used quota comes back.
    """

    left: float = math.inf
    per_s: float = math.inf
    _newest: int = -1

    def update(
        self, ticket: Ticket, limit: float, remaining: float, reset_s: float | None, since: float
    ) -> None:
        """Takes in the headers of the answer to `ticket`; `since` was used by later requests."""
        if limit <= 0 or ticket.number < self._newest:
            return
        self._newest = ticket.number
        self.left = remaining - since
        used = max(1.0, limit - remaining)
        self.per_s = used / reset_s if reset_s else limit / 60.0


class Pacer:
    """Decides when the next request may be sent.

    Headers, where there are any, say what is left and how fast it comes back. Where a 429
    comes without them, the rate is measured: between two moments at which the quota was
    used up, as many requests were accepted as the endpoint allows in that time. Refusals
    that pacing does not lessen are chance; then it is given up for a while.
    """

    def __init__(self) -> None:
        self.rate: float | None = None
        """Requests per second that refusals have taught; None: no limit is known."""
        self.sent = 0
        self.refused = 0
        self.resume_at = -math.inf
        self._next_at = -math.inf
        self._requests = Quota()
        self._tokens = Quota()
        self._tokens_each = 0.0

        self._overrun = _Overrun()
        self._settled = True
        self._in_vain = 0
        self._marks: deque[_Mark] = deque(maxlen=16)
        self._growth = _CREEP
        self._grown_at = 0.0
        self._held = False
        self._owed_from = math.inf
        self._makes_up = True
        self._made_up = -3
        self._block_sent = 0
        self._block_refused = 0
        self._bad_blocks = 0
        self._rest = _REST
        self._resting_until = 0

    @property
    def pace(self) -> float | None:
        """Requests per second at the moment; None: as fast as the window allows."""
        pace = self.rate or math.inf
        if self._requests.left < 1:
            pace = min(pace, self._requests.per_s)
        if self._tokens.left < self._tokens_each:
            pace = min(pace, self._tokens.per_s / self._tokens_each)
        return None if pace == math.inf else pace

    def delay(self, now: float) -> float:
        """Seconds until the next request may go; 0.0: now."""
        if not self._settled and now - self._overrun.at >= _SETTLE_S:
            self._conclude()
        until = max(self.resume_at, self._next_at)
        if until <= now:
            return 0.0
        self._held = True
        return until - now

    def send(self, now: float) -> Ticket:
        """Counts one request that goes out now."""
        ticket = Ticket(self.sent, now)
        self.sent += 1
        self._requests.left -= 1
        self._tokens.left -= self._tokens_each
        pace = self.pace
        if now - self.resume_at < _TRICKLE_S:
            trickle = _TRICKLE * 2.0 ** ((now - self.resume_at) / _TRICKLE_DOUBLING_S)
            pace = min(pace or trickle, trickle)
        if pace:
            in_time = now - _TOLERANCE_S
            slot = max(self._next_at, min(in_time, self._owed_from))
            self._next_at = slot + 1 / pace
            if slot >= in_time:
                self._owed_from = math.inf
            else:
                self._made_up = ticket.number
            if self.rate is not None:
                if self._held and pace == self.rate:
                    self._grow(now)
                self._watch()
        self._held = False
        return ticket

    def accepted(self, ticket: Ticket, headers: Mapping[str, str], tokens: int) -> None:
        """An answer came; `tokens` is what it used."""
        if "x-ratelimit-remaining-requests" in headers or "x-ratelimit-remaining-tokens" in headers:
            self._tokens_each += (tokens - self._tokens_each) * (0.1 if self._tokens_each else 1.0)
            self._read(ticket, headers)

    def refuse(
        self, ticket: Ticket, now: float, headers: Mapping[str, str], retry_after: float | None
    ) -> None:
        """A 429 came; `retry_after` is how long it asks to wait, in seconds."""
        self.refused += 1
        for mark in self._marks:
            mark.accepted -= mark.at >= ticket.at
        self._read(ticket, headers)
        if ticket.number <= self._overrun.last:
            self._overrun.refused += 1
        else:
            self._run_over(ticket, now)
        if self.sent <= self._resting_until and self.rate is None:
            return
        if retry_after is None:
            pause = max(_SETTLE_S, 1 / self.rate) if self.rate else _SETTLE_S
            retry_after = min(_LONGEST_PAUSE_S, pause * 2**self._in_vain)
        self.resume_at = max(self.resume_at, now + retry_after)
        self._owed_from = max(now, self.resume_at - _MADE_UP_S) if self._makes_up else math.inf

    def _run_over(self, ticket: Ticket, now: float) -> None:
        """The first refusal after a while without."""
        self._in_vain = self._in_vain + 1 if ticket.number == self._overrun.last + 1 else 0
        self._overrun = _Overrun(now, ticket.number, self.sent - 1, refused=1)
        self._settled = False
        accepted = self.sent - self.refused
        measured = self._measure(now, accepted)
        self._marks.append(_Mark(now, accepted))
        if self.rate is None:
            if len(self._marks) > 2 and measured and self.sent > self._resting_until:
                self._start(measured * _BACKOFF, _WALK)
            return
        if self._in_vain:
            return
        self._block_refused += 1
        if ticket.number <= self._made_up + 2:
            self._makes_up = False
            return
        sure = measured > 0.6 * self.rate and now - self._marks[0].at > 10.0
        self._growth = _CREEP if sure else _WALK
        if measured > 0.9 * self.rate:
            self.rate = measured * _BACKOFF
        else:
            self.rate = max(math.sqrt(measured * self.rate), 0.6 * self.rate)

    def _conclude(self) -> None:
        """All refusals of an overrun have come: was it a limit?"""
        self._settled = True
        if self.rate is None and self._marks and self._overrun.is_limit():
            measured = self._measure(self._overrun.at, self._marks[-1].accepted)
            self._start(*((measured * _BACKOFF, _WALK) if measured else (_FIRST_RATE, _RUN)))

    def _start(self, rate: float, growth: float) -> None:
        self.rate, self._growth = rate, growth
        self._grown_at = math.inf
        self._block_sent = self._block_refused = self._bad_blocks = 0
        self._makes_up = True

    def _watch(self) -> None:
        """Gives pacing up for a while where it does not make refusals rarer."""
        self._block_sent += 1
        if self._block_sent < _BLOCK:
            return
        self._bad_blocks = self._bad_blocks + 1 if self._block_refused >= _POINTLESS else 0
        self._block_sent = self._block_refused = 0
        if self._bad_blocks == 2:
            self.rate = None
            self._marks.clear()
            self._resting_until = self.sent + self._rest
            self._rest *= 2

    def _measure(self, now: float, accepted: int) -> float:
        """Requests per second from the best of the earlier moments of exhaustion until now; 0.0: unknown.

        Quota that lay unused makes the figure too low, never too high; hence the maximum.
        """
        return max(
            (
                (accepted - mark.accepted - 1) / (now - mark.at)
                for mark in self._marks
                if _SHORTEST_S <= now - mark.at <= _HORIZON_S
            ),
            default=0.0,
        )

    def _grow(self, now: float) -> None:
        assert self.rate is not None
        step = min(1.0, max(0.0, now - self._grown_at))
        self._grown_at = now
        self.rate *= (1 + self._growth) ** step
        self._growth = min(_RUN, self._growth * 2 ** (step / _DOUBLING_S))

    def _read(self, ticket: Ticket, headers: Mapping[str, str]) -> None:
        since = self.sent - 1 - ticket.number
        for name, quota, each in (
            ("requests", self._requests, 1.0),
            ("tokens", self._tokens, self._tokens_each),
        ):
            remaining = headers.get(f"x-ratelimit-remaining-{name}")
            limit = headers.get(f"x-ratelimit-limit-{name}")
            if remaining is not None and limit is not None:
                reset = seconds(headers.get(f"x-ratelimit-reset-{name}"))
                try:
                    quota.update(ticket, float(limit), float(remaining), reset, since * each)
                except ValueError:
                    continue


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


def seconds(text: str | None) -> float | None:
    """A duration as headers write it (`12`, `1.5`, `120ms`, `6m0s`, `1h2m3s`) in seconds; None when it is none."""
    if not text:
        return None
    text = text.strip()
    parts = _PART.findall(text)
    if "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(float(number) * _UNIT[unit] for number, unit in parts)


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that an answer asks to wait (`retry-after-ms`, or `retry-after` as a duration or an HTTP date).

    `now` is the wall clock, seconds since the epoch, for dates.
    """
    exact = seconds(headers.get("retry-after-ms"))
    if exact is not None:
        return exact / 1000
    text = headers.get("retry-after")
    wait = seconds(text)
    if wait is None and text:
        try:
            wait = max(0.0, parsedate_to_datetime(text).timestamp() - now)
        except ValueError:
            return None
    return wait
