"""A judge's mean, corrected by people's labels of some of the same items.

Prediction-powered inference with a tuned weight (PPI++: Angelopoulos, Duchi, Zrnic 2023):
θ̂ = λ·F̄_N + mean_n(Y − λF) for n labelled items (label Y, judge F) and N more that only
the judge scored; λ̂ = Cov_n(Y, F)/[(1 + n/N)·Var(F)] within 0–1. λ is estimated on four
fifths of the labels and used on the fifth that it did not see.

Items of one source document are not independent, whether labelled or not. With ψ_i an
item's share in the error of θ̂ ((r_i − r̄)/n of a labelled one with r = Y − λF,
λ(F_j − F̄_N)/N of another), the variance gains Σ_c Σ_{i≠j∈c} ψ_i·ψ_j over the documents c,
as a mean's does (Miller 2024).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from simsa.stats.intervals import Codes, Floats, Range, cluster_codes, finite, shared_variance, t_quantile

FEWEST_LABELS = 30
ONE_DOCUMENT = "all labels share one source document: the interval speaks of this one only"
_FOLDS = 5


@dataclass(frozen=True, slots=True)
class Corrected:
    """A corrected mean with its 95 % interval (t, labelled items − 1 degrees, or labelled clusters − 1).

    `naive` is the judge's own mean over all items; `weight` is λ, the mean over the folds:
    0 when the judge tells nothing about the labels, 1 when it is as good as one. `n_clusters` is
    how many source documents the labelled items are of, where that was told. `mean` and `ci95` are
    None under 30 labels, and `notes` says so.
    """

    n_labels: int
    n_others: int
    naive: float | None
    mean: float | None = None
    ci95: Range | None = None
    weight: float | None = None
    n_clusters: int | None = None
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
            "n_clusters": self.n_clusters,
            "notes": list(self.notes),
        }


def corrected_mean(
    labels: Sequence[float],
    judged: Sequence[float],
    judged_others: Sequence[float],
    clusters: tuple[Sequence[Hashable], Sequence[Hashable]] | None = None,
) -> Corrected:
    """Corrects the mean of a judge's scores.

    `labels` and `judged` are people's and the judge's scores of the labelled items, in the
    same order; `judged_others` the judge's of all the others; `clusters` the source documents
    of the labelled items and of the others. The labelled items must be a random draw.
    Raises ValueError for different lengths or a score that is not finite.
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
    codes, n_clusters = _documents(clusters, n, n_others)
    weights = _weights(y, f, others, None if codes is None else codes[:n])
    weight = math.fsum(weights) / n
    rest = y - weights * f
    mean_rest, mean_others = math.fsum(rest) / n, math.fsum(others) / n_others if n_others else 0.0
    variance = float(rest.var(ddof=1)) / n
    if n_others > 1:
        variance += weight**2 * float(others.var(ddof=1)) / n_others
    if codes is not None:
        parts = (rest - mean_rest) / n, weight * (others - mean_others) / max(1, n_others)
        variance = max(0.0, variance + shared_variance(np.concatenate(parts), codes))
    mean = weight * mean_others + mean_rest
    half = t_quantile((n if codes is None or n_clusters is None else n_clusters) - 1) * math.sqrt(variance)
    notes = (ONE_DOCUMENT,) if n_clusters == 1 else ()
    return Corrected(n, n_others, naive, mean, (mean - half, mean + half), weight, n_clusters, notes)


def corrected_difference(
    labels: tuple[Mapping[str, float], Mapping[str, float]],
    judged: tuple[Mapping[str, float], Mapping[str, float]],
    clusters: Mapping[str, Hashable] | None = None,
) -> Corrected:
    """Corrects the mean difference second − first between two variants on the same questions.

    `labels` are people's scores by question of the first and of the second variant, `judged`
    the judge's, `clusters` the questions' source documents. Questions on which both variants
    are labelled correct the difference over all that the judge scored for both.
    """
    scored = sorted(judged[0].keys() & judged[1].keys())
    labelled = [q for q in scored if q in labels[0] and q in labels[1]]
    others = [q for q in scored if not (q in labels[0] and q in labels[1])]
    return corrected_mean(
        [labels[1][q] - labels[0][q] for q in labelled],
        [judged[1][q] - judged[0][q] for q in labelled],
        [judged[1][q] - judged[0][q] for q in others],
        documents(clusters, labelled, others),
    )


def documents(
    clusters: Mapping[str, Hashable] | None, labelled: Sequence[str], others: Sequence[str]
) -> tuple[list[Hashable], list[Hashable]] | None:
    """The clusters of labelled and of other questions; one that is not named stands for itself."""
    if clusters is None:
        return None
    named: list[list[Hashable]] = [
        [(True, clusters[q]) if q in clusters else (False, q) for q in part] for part in (labelled, others)
    ]
    return named[0], named[1]


def _documents(
    clusters: tuple[Sequence[Hashable], Sequence[Hashable]] | None, n: int, n_others: int
) -> tuple[Codes | None, int | None]:
    """Each item's document as a number, and how many the labelled items are of; no numbers where there is only one."""
    if clusters is None:
        return None, None
    if (len(clusters[0]), len(clusters[1])) != (n, n_others):
        raise ValueError(f"{n} + {n_others} scores, but {len(clusters[0])} + {len(clusters[1])} clusters")
    codes = cluster_codes([*clusters[0], *clusters[1]])
    n_clusters = len(np.unique(codes[:n]))
    return (codes, n_clusters) if n_clusters > 1 else (None, 1)


def _weights(y: Floats, f: Floats, others: Floats, codes: Codes | None = None) -> Floats:
    """λ for each labelled item, estimated without its fold."""
    n, n_others = len(y), len(others)
    if n_others == 0:
        return np.zeros(n)
    fold = _folds(y, f) if codes is None else _folds_of_clusters(y, f, codes)
    weights = np.empty(n)
    for k in range(_FOLDS):
        seen = fold != k
        if seen.all() or seen.sum() < 2:
            weights[~seen] = 0.0
            continue
        variance = float(np.concatenate((f[seen], others)).var(ddof=1))
        covariance = float(np.cov(y[seen], f[seen])[0, 1])
        tuned = covariance / ((1 + n / n_others) * variance) if variance else 0.0
        weights[~seen] = min(1.0, max(0.0, tuned))
    return weights


def _folds(y: Floats, f: Floats) -> Codes:
    """Folds dealt along the sorted scores, which makes them alike and independent of the order of the rows."""
    fold = np.empty(len(y), dtype=np.intp)
    fold[np.lexsort((y, f))] = np.arange(len(y)) % _FOLDS
    return fold


def _folds_of_clusters(y: Floats, f: Floats, codes: Codes) -> Codes:
    """The same for whole clusters, so that λ has seen nothing of the document it is used on."""
    names, member, sizes = np.unique(codes, return_inverse=True, return_counts=True)
    means_f, means_y = (np.bincount(member, values) / sizes for values in (f, y))
    of_cluster = np.empty(len(names), dtype=np.intp)
    of_cluster[np.lexsort((names, means_y, means_f, sizes))] = np.arange(len(names)) % _FOLDS
    return of_cluster[member]
