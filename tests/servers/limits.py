"""Rate limits as services enforce them; pure arithmetic on a clock that is handed in."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Literal


@dataclass
class RateLimit:
    """At most `requests` in any `per_s` seconds, enforced as a token bucket, a fixed or a sliding window.

    A bucket holds `burst` tokens (by default one second's worth). `retry_after` is the
    exact wait in milliseconds, whole seconds as most services send it, or not told.
    `headers`: whether `x-ratelimit-*` go out with every answer.
    """

    requests: int
    per_s: float = 60.0
    kind: Literal["bucket", "fixed", "sliding"] = "bucket"
    burst: float | None = None
    headers: bool = True
    retry_after: Literal["exact", "seconds"] | None = "seconds"

    _level: float = field(default=0.0, repr=False)
    _since: float | None = field(default=None, repr=False)
    _sent: deque[float] = field(default_factory=deque, repr=False)

    @property
    def rate(self) -> float:
        return self.requests / self.per_s

    @property
    def capacity(self) -> float:
        """How many may come at once."""
        if self.kind != "bucket":
            return self.requests
        return max(1.0, self.rate if self.burst is None else self.burst)

    def take(self, now: float) -> float:
        """Counts one request: 0.0 when it is within the limit, else seconds until it would be."""
        self._advance(now)
        if self.kind == "sliding":
            if len(self._sent) < self.requests:
                self._sent.append(now)
                return 0.0
            return self._sent[0] + self.per_s - now
        if self._level >= 1:
            self._level -= 1
            return 0.0
        if self.kind == "fixed":
            assert self._since is not None
            return self._since + self.per_s - now
        return (1 - self._level) / self.rate

    def describe(self, now: float) -> dict[str, str]:
        """The `x-ratelimit-*` headers at this moment; `reset` is the time until nothing is used up."""
        if not self.headers:
            return {}
        self._advance(now)
        if self.kind == "sliding":
            left, reset = (
                self.requests - len(self._sent),
                (self._sent[-1] + self.per_s - now) if self._sent else 0,
            )
        elif self.kind == "fixed":
            assert self._since is not None
            left, reset = int(self._level), self._since + self.per_s - now
        else:
            left, reset = int(self._level), (self.capacity - self._level) / self.rate
        return {
            "x-ratelimit-limit-requests": str(int(self.capacity)),
            "x-ratelimit-remaining-requests": str(max(0, left)),
            "x-ratelimit-reset-requests": duration(reset),
        }

    def refusal(self, wait_s: float) -> dict[str, str]:
        """The headers of a 429 that says when to come back."""
        match self.retry_after:
            case "exact":
                ms = math.ceil(wait_s * 1000)
                return {"retry-after-ms": str(ms), "retry-after": str(math.ceil(wait_s))}
            case "seconds":
                return {"retry-after": str(math.ceil(wait_s))}
        return {}

    def _advance(self, now: float) -> None:
        if self._since is None:
            self._since, self._level = now, self.capacity
        if self.kind == "bucket":
            self._level = min(self.capacity, self._level + (now - self._since) * self.rate)
            self._since = now
        elif self.kind == "fixed" and now - self._since >= self.per_s:
            self._since += (now - self._since) // self.per_s * self.per_s
            self._level = self.capacity
        while self._sent and now - self._sent[0] >= self.per_s:
            self._sent.popleft()


def duration(seconds: float) -> str:
    """As the headers write it: `120ms`, `1s`, `1.5s`, `6m0s`, `1h2m3s`."""
    if seconds < 1:
        return f"{max(0, math.ceil(seconds * 1000))}ms"
    minutes, rest = divmod(round(seconds, 2), 60)
    hours, minutes = divmod(int(minutes), 60)
    text = f"{hours}h" if hours else ""
    text += f"{minutes}m" if minutes or hours else ""
    return text + f"{rest:g}s"
