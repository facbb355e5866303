"""A judge's mean, corrected by people's labels of some of the same items.

Prediction-powered inference with a tuned weight (PPI++: Angelopoulos, Duchi, Zrnic 2023):
θ̂ = λ·F̄_N + mean_n(Y − λF) for n labelled items (label Y, judge F) and N more that only
the judge scored; λ̂ = Cov_n(Y, F)/[(1 + n/N)·Var(F)] within 0–1. λ is estimated on four
fifths of the labels and used on the fifth that it did not see.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from simsa.stats.intervals import Floats, Range, finite, t_quantile

FEWEST_LABELS = 30
_FOLDS = 5


@dataclass(frozen=True, slots=True)
class Corrected:
    """A corrected mean with its 95 % interval (t, n − 1 degrees).

    `naive` is the judge's own mean over all items; `weight` is λ, the mean over the folds:
    0 when the judge tells nothing about the labels, 1 when it is as good as one. `mean` and
    `ci95` are None under 30 labels, and `notes` says so.
    """

    n_labels: int
    n_others: int
    naive: float | None
    mean: float | None = None
    ci95: Range | None = None
    weight: float | None = None
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """A variant's entry of `corrected` in the calibration's JSON."""
        return {
            "mean": self.mean,
            "ci95": None if self.ci95 is None else list(self.ci95),
            "lambda": self.weight,
            "naive": self.naive,
            "n_labels": self.n_labels,
            "n_others": self.n_others,
            "notes": list(self.notes),
        }


def corrected_mean(
    labels: Sequence[float], judged: Sequence[float], judged_others: Sequence[float]
) -> Corrected:
    """Corrects the mean of a judge's scores.

    `labels` and `judged` are people's and the judge's scores of the labelled items, in the
    same order; `judged_others` the judge's of all the others. The labelled items must be a
    random draw. Raises ValueError for different lengths or a score that is not finite.
    """
    y, f, others = finite(labels), finite(judged), finite(judged_others)
    if len(y) != len(f):
        raise ValueError(f"{len(y)} labels, but {len(f)} scores of the judge")
    n, n_others = len(y), len(others)
    everything = np.concatenate((f, others))
    naive = math.fsum(everything) / len(everything) if len(everything) else None
    if n < FEWEST_LABELS:
        note = f"{n} labels are too few to correct with: {FEWEST_LABELS} are needed"
        return Corrected(n, n_others, naive, notes=(note,))
    weights = _weights(y, f, others)
    weight = math.fsum(weights) / n
    rest = y - weights * f
    mean = weight * (math.fsum(others) / n_others if n_others else 0.0) + math.fsum(rest) / n
    variance = float(rest.var(ddof=1)) / n
    if n_others > 1:
        variance += weight**2 * float(others.var(ddof=1)) / n_others
    half = t_quantile(n - 1) * math.sqrt(variance)
    return Corrected(n, n_others, naive, mean, (mean - half, mean + half), weight)


def corrected_difference(
    labels: tuple[Mapping[str, float], Mapping[str, float]],
    judged: tuple[Mapping[str, float], Mapping[str, float]],
) -> Corrected:
    """Corrects the mean difference second − first between two variants on the same questions.

    `labels` are people's scores by question of the first and of the second variant, `judged`
    the judge's. Questions on which both variants are labelled correct the difference over
    all that the judge scored for both.
    """
    scored = sorted(judged[0].keys() & judged[1].keys())
    labelled = [q for q in scored if q in labels[0] and q in labels[1]]
    others = [q for q in scored if not (q in labels[0] and q in labels[1])]
    return corrected_mean(
        [labels[1][q] - labels[0][q] for q in labelled],
        [judged[1][q] - judged[0][q] for q in labelled],
        [judged[1][q] - judged[0][q] for q in others],
    )


def _weights(y: Floats, f: Floats, others: Floats) -> Floats:
    """λ for each labelled item, estimated without its fold.

    Folds are dealt along the sorted scores, which makes them alike and independent of the
    order of the rows.
    """
    n, n_others = len(y), len(others)
    if n_others == 0:
        return np.zeros(n)
    fold = np.empty(n, dtype=np.int64)
    fold[np.lexsort((y, f))] = np.arange(n) % _FOLDS
    weights = np.empty(n)
    for k in range(_FOLDS):
        seen = fold != k
        variance = float(np.concatenate((f[seen], others)).var(ddof=1))
        covariance = float(np.cov(y[seen], f[seen])[0, 1])
        tuned = covariance / ((1 + n / n_others) * variance) if variance else 0.0
        weights[~seen] = min(1.0, max(0.0, tuned))
    return weights
