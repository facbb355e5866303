"""Between what bounds a figure lies, whatever the missing scores would have been."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from simsa.stats.intervals import Range

WORTH_SHOWING = 0.02  # share of missing scores above which a report shows the bounds


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

    A question that one of them lacks counts as missing there. None without questions.
    """
    questions = sorted(first.keys() | second.keys())
    if not questions:
        return None

    def mean(missing_first: float, missing_second: float) -> float:
        return math.fsum(
            _or(second.get(q), missing_second) - _or(first.get(q), missing_first) for q in questions
        ) / len(questions)

    return mean(high, low), mean(low, high)


def _or(score: float | None, instead: float) -> float:
    return instead if score is None else score
