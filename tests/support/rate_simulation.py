"""A client and a rate-limited endpoint on a simulated clock."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from simsa.llm.rate_limit import Permit, RateLimiter
from simsa.llm.rate_limit_headers import retry_after
from tests.servers.limits import RateLimit


@dataclass
class Simulation:
    """Endless demand, `window` requests at once, against `limit`; or refusals by `chance`, when there is none."""

    limit: RateLimit | None
    window: int = 64
    latency_s: float = 0.5
    round_trip_s: float = 0.01
    chance: float = 0.0
    chance_headers: Mapping[str, str] = field(default_factory=dict)
    tokens: int = 500
    seed: int = 0
    stalls: Sequence[tuple[float, float]] = ()
    """From when to when the client's machine does something else."""

    def __post_init__(self) -> None:
        self.limiter = RateLimiter()
        self.accepted: list[float] = []
        self.refused: list[float] = []
        self._random = random.Random(self.seed)
        self._events: list[tuple[float, int, str, Any]] = []
        self._order = itertools.count()
        self._in_flight = 0
        self._wakes_at: float | None = None

    def run(self, until: float) -> Simulation:
        """Goes on until that many seconds after the beginning."""
        if not self._events:
            self._send(0.0)
        while self._events[0][0] <= until:
            now, _, what, about = heapq.heappop(self._events)
            match what:
                case "wake":
                    self._wakes_at = None
                case "arrives":
                    self._arrive(now, about)
                case "answered":
                    self._in_flight -= 1
                    self.limiter.record_success(about[0], about[1], self.tokens)
                case "refused":
                    self._in_flight -= 1
                    self.limiter.record_rejection(about[0], now, about[1], retry_after(about[1], 0.0))
            self._send(now)
        return self

    def used(self, until: float) -> float:
        """The share of the quota of so many seconds that was used (over 1 with what a burst adds)."""
        assert self.limit is not None
        return sum(at <= until for at in self.accepted) / (self.limit.rate * until)

    def refused_after(self, start: float) -> float:
        """The share of calls refused after so many seconds."""
        refused = sum(at > start for at in self.refused)
        return refused / max(1, refused + sum(at > start for at in self.accepted))

    def _send(self, now: float) -> None:
        while self._in_flight < self.window:
            delay = self.limiter.delay(now)
            if delay:
                if self._wakes_at is None or self._wakes_at > now + delay:
                    self._wakes_at = now + delay
                    self._at(now + delay + self._random.uniform(0, 0.001), "wake", None)
                return
            self._in_flight += 1
            self._at(
                now + self.round_trip_s * self._random.uniform(0.25, 0.75), "arrives", self.limiter.send(now)
            )

    def _arrive(self, now: float, permit: Permit) -> None:
        back = now + self.round_trip_s / 2
        if self._random.random() < self.chance:
            self.refused.append(now)
            self._at(back, "refused", (permit, self.chance_headers))
            return
        wait = self.limit.take(now) if self.limit else 0.0
        headers = self.limit.describe(now) if self.limit else {}
        if self.limit and wait:
            self.refused.append(now)
            self._at(back, "refused", (permit, headers | self.limit.refusal(wait)))
        else:
            self.accepted.append(now)
            takes = self.latency_s * self._random.uniform(0.7, 1.3)
            self._at(back + takes, "answered", (permit, headers))

    def _at(self, when: float, what: str, about: Any) -> None:
        if what != "arrives":
            when = next((end for begin, end in self.stalls if begin <= when < end), when)
        heapq.heappush(self._events, (when, next(self._order), what, about))
