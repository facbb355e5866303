"""What the headers of responses say about rate limits."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|h|m|s|d)?")
_UNIT_S = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DAY_S = 86400.0
_MIN_RATE = 1 / 60


def parse_duration(text: str | None) -> float | None:
    """The seconds in a duration as headers write it (`12`, `1.5`, `120ms`, `6m0s`, `1h2m3s`); None if it is none."""
    text = (text or "").strip()
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    length = sum(float(number) * _UNIT_S.get(unit, 1.0) for number, unit in parts)
    return length if length < math.inf else None


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """The seconds that a response asks to wait: `retry-after-ms`, or `retry-after` as a duration or an HTTP date.

    `now` is the wall clock in seconds since the epoch, for dates.
    """
    exact = parse_duration(headers.get("retry-after-ms"))
    if exact is not None:
        return exact / 1000
    text = headers.get("retry-after")
    wait = parse_duration(text)
    if wait is None and text:
        try:
            return max(0.0, parsedate_to_datetime(text).timestamp() - now)
        except (ValueError, OverflowError):
            return None
    return wait


@dataclass(slots=True)
class Quota:
    """The quota of requests or tokens that `x-ratelimit-*` headers announce.

    `left` is what may still be used at once, less what was sent after the request whose
    response announced it. `per_s` is how fast used quota comes back.
    """

    name: str
    each: float = 0.0
    """What one request uses."""
    left: float = math.inf
    per_s: float = math.inf
    _newest: int = -1

    @property
    def rate(self) -> float:
        """The requests per second that the quota allows; infinite while some of it is left."""
        return self.per_s / self.each if self.left < self.each else math.inf

    def update(self, headers: Mapping[str, str], number: int, sent: int) -> None:
        """Reads the response to request `number` of the `sent` so far; ignores it if a newer one was read."""
        remaining = _number(headers.get(f"x-ratelimit-remaining-{self.name}"))
        limit = _number(headers.get(f"x-ratelimit-limit-{self.name}"))
        if remaining is None or not limit or number < self._newest:
            return
        self._newest = number
        self.left = remaining - (sent - 1 - number) * self.each
        # `reset` is when the whole quota is available again. Without it the limit is taken to be per minute.
        reset = parse_duration(headers.get(f"x-ratelimit-reset-{self.name}"))
        per_s = max(1.0, limit - remaining) / reset if reset and reset <= _DAY_S else limit / 60
        self.per_s = max(per_s, _MIN_RATE * self.each)


def _number(text: str | None) -> float | None:
    """A number of zero or more; None for anything else (some endpoints send -1 for "unknown")."""
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if 0 <= number < math.inf else None
