"""What endpoints say about their limits in the headers of their answers."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

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
