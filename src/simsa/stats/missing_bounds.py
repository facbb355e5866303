"""Limits of a comparison: bounds over missing scores, the smallest detectable difference, the questions needed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from statistics import NormalDist

from simsa.stats.intervals import Range

WORTH_SHOWING = 0.02  # share of missing scores above which a report shows the bounds
_MOST_ROOT = 1e6  # √pairs; a smaller difference is rounding error
_Z = NormalDist().inv_cdf(0.975) + NormalDist().inv_cdf(0.80)


def mean_bounds(scores: Iterable[float | None], low: float, high: float) -> Range | None:
    """The mean if every missing score were `low`, and if every one were `high`; None without rows."""
    rows = list(scores)
    if not rows:
        return None
    known = math.fsum(score for score in rows if score is not None)
    missing = sum(score is None for score in rows)
    return (known + missing * low) / len(rows), (known + missing * high) / len(rows)


def difference_bounds(
    first: Mapping[str, float | None], second: Mapping[str, float | None], low: float, high: float
) -> Range | None:
    """The mean of second − first over all questions of either, at worst and at best for the second.

    A question absent on one side counts as missing there. None without questions.
    """
    questions = sorted(first.keys() | second.keys())
    if not questions:
        return None

    def mean(missing_first: float, missing_second: float) -> float:
        return math.fsum(
            _or(second.get(q), missing_second) - _or(first.get(q), missing_first) for q in questions
        ) / len(questions)

    return mean(high, low), mean(low, high)


def mde80(sd: float, n: int) -> float | None:
    """Smallest true difference that n pairs find at p < .05 with 80 % power: (z.975 + z.80)·sd/√n.

    `sd` is that of the paired differences; None when n is 0.
    """
    return _Z * sd / math.sqrt(n) if n else None


def questions_needed(difference: float, sd: float) -> int | None:
    """How many pairs show a true mean `difference` with 80 % power; None for no difference or no spread."""
    if difference == 0 or sd == 0:
        return None
    root = abs(_Z * sd / difference)
    return math.ceil(root**2) if root <= _MOST_ROOT else None


def _or(score: float | None, default: float) -> float:
    return default if score is None else score
