"""What a comparison of a given size could have shown, and what it would take to show it."""

from __future__ import annotations

import math
from statistics import NormalDist

_MOST = 1e6  # pairs, squared; beyond that a difference is none, or the rounding of one
_Z = NormalDist().inv_cdf(0.975) + NormalDist().inv_cdf(0.80)


def mde80(sd: float, n: int) -> float | None:
    """Smallest true difference that n pairs would find at p < .05 with 80 % power: (z.975 + z.80)·sd/√n.

    `sd` is that of the paired differences; None when n is 0.
    """
    return _Z * sd / math.sqrt(n) if n else None


def questions_needed(difference: float, sd: float) -> int | None:
    """How many pairs show a true mean `difference` with 80 % power; None for no difference or no spread."""
    if difference == 0 or sd == 0:
        return None
    root = abs(_Z * sd / difference)
    return math.ceil(root**2) if root <= _MOST else None
