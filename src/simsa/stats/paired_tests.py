"""Tests of paired differences and of paired rates, and adjustment for several comparisons."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from simsa.stats.intervals import Floats, finite

EXACT_UP_TO = 15
FLIPS = 99_999
_WILCOXON_EXACT = 13
_CHUNK = 200_000  # cells drawn at a time; fits the processor cache


def sign_flip_p(differences: Sequence[float], *, seed: int = 0) -> float:
    """Two-sided p of the mean difference under random signs.

    Exact over all 2ⁿ signs for at most 15 nonzero differences; else (1 + hits)/(flips + 1) from 99,999 seeded
    flips. Equal magnitudes are flipped together as one binomial draw: the distribution is the same and does
    not depend on the order of rows.
    """
    data = finite(differences)
    data = data[data != 0]
    observed = abs(math.fsum(data))
    magnitudes, counts = np.unique(np.abs(data), return_counts=True)
    # Sums of the same numbers in another order differ in the last digits.
    threshold = observed - 1e-12 * float(magnitudes @ counts)
    if len(data) <= EXACT_UP_TO:
        return float((np.abs(_all_sums(data)) >= threshold).mean())
    random = np.random.default_rng(seed)
    hits, step = 0, max(1, _CHUNK // len(magnitudes))
    for start in range(0, FLIPS, step):
        size = (min(step, FLIPS - start), len(magnitudes))
        positive = random.binomial(counts, 0.5, size=size)
        hits += int((np.abs((2 * positive - counts) @ magnitudes) >= threshold).sum())
    return (1 + hits) / (FLIPS + 1)


def wilcoxon_p(differences: Sequence[float]) -> float | None:
    """Two-sided p of the Wilcoxon signed-rank test, zeros ranked as by Pratt; None when all are zero.

    The value is that of `scipy.stats.wilcoxon`. The exact test for up to 13 differences is computed here
    because scipy takes seconds when ranks tie.
    """
    from scipy.stats import rankdata, wilcoxon

    data = finite(differences)
    if not data.any():
        return None
    if len(data) <= _WILCOXON_EXACT:
        ranks = (np.sign(data) * rankdata(np.abs(data)))[data != 0]
        return float((np.abs(_all_sums(ranks)) >= abs(ranks.sum())).mean())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scipy warns about small samples
        p = float(wilcoxon(data, zero_method="pratt").pvalue)
    return p if math.isfinite(p) else None


def rank_biserial(differences: Sequence[float]) -> float | None:
    """Matched-pairs rank-biserial correlation, −1 to 1; None when all differences are zero.

    (R₊ − R₋)/(R₊ + R₋) over the ranks of the differences that are not zero (Kerby 2014).
    """
    from scipy.stats import rankdata

    data = finite(differences)
    data = data[data != 0]
    if not len(data):
        return None
    ranks = rankdata(np.abs(data))
    return float((np.sign(data) * ranks).sum() / ranks.sum())


def mcnemar_p(only_first: int, only_second: int) -> float:
    """Exact two-sided McNemar p of two paired rates, from the counts of pairs that differ."""
    from scipy.stats import binomtest

    n = only_first + only_second
    return float(binomtest(only_first, n, 0.5).pvalue) if n else 1.0


def _all_sums(data: Floats) -> Floats:
    """Sums under all 2ⁿ assignments of signs."""
    sums = np.zeros(1)
    for value in data:
        sums = np.concatenate((sums + value, sums - value))
    return sums


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down adjustment; a missing p-value is skipped and stays None."""
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
