"""How fast an endpoint may be asked: what its headers announce, and what its refusals teach.

Pure arithmetic on a clock that is handed in, so that minutes are tested in milliseconds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from simsa.endpoints.headers import Quota
from simsa.endpoints.learning import SETTLE_S, LearntRate, Ticket

_LONGEST_PAUSE_S = 15.0
_BELIEVED = 4
_TOLERANCE_S = 0.01
_MADE_UP_S = 2.0
_CATCHING_UP = 2.0
# While no rate is known, requests trickle after a pause, so that a pause that was too short
# costs few refusals. The trickle doubles until it is a flood.
_TRICKLE, _FLOOD = 16.0, 4096.0
_DOUBLING_S, _CAREFUL_DOUBLING_S = 0.1, 0.2


class Pacer:
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
        self._learnt = LearntRate()
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

    def send(self, now: float) -> Ticket:
        """Counts one request that goes out now."""
        ticket = Ticket(self.sent, now)
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

    def accepted(self, ticket: Ticket, headers: Mapping[str, str], tokens: int) -> None:
        """An answer came; `tokens` is what it used."""
        if "x-ratelimit-remaining-tokens" in headers:
            each = self._tokens.each
            self._tokens.each = each + (tokens - each) * 0.1 if each else float(tokens)
            self._tokens.read(headers, ticket.number, self.sent)
        if "x-ratelimit-remaining-requests" in headers:
            self._requests.read(headers, ticket.number, self.sent)

    def refuse(
        self, ticket: Ticket, now: float, headers: Mapping[str, str], retry_after: float | None
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

    def _space(self, ticket: Ticket, pace: float) -> None:
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
