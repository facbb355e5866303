"""Several comparisons at once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down adjustment; a comparison without a p-value takes no part and stays None."""
    order = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, i) in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * p))
        adjusted[i] = highest
    return adjusted


class Friedman(NamedTuple):
    """Friedman's test over the `n` questions that all `k` variants have a score for."""

    statistic: float
    p_value: float
    n: int
    k: int


def friedman(scores: Sequence[Mapping[str, float | None]]) -> Friedman | None:
    """Whether any of at least three variants differs. Each mapping is one variant's scores by question.

    None when there are fewer than three variants or two common questions, or all scores tie.
    """
    from scipy.stats import friedmanchisquare

    if len(scores) < 3:
        return None
    common = sorted(q for q in scores[0] if all(one.get(q) is not None for one in scores))
    rows = [[one[q] for q in common] for one in scores]
    if len(common) < 2 or all(len(set(column)) == 1 for column in zip(*rows, strict=True)):
        return None
    found = friedmanchisquare(*rows)
    if not math.isfinite(found.pvalue):
        return None
    return Friedman(float(found.statistic), float(found.pvalue), len(common), len(rows))
