"""A judge's mean, corrected by people's labels of some of the same items.

`corrected_mean` is prediction-powered inference with a tuned weight (PPI++: Angelopoulos, Duchi, Zrnic 2023):
θ̂ = λ·F̄_N + mean_n(Y − λF) for n labelled items (label Y, judge F) and N more that only the judge scored;
λ̂ = Cov_n(Y, F)/[(1 + n/N)·Var(F)] within 0–1. λ is estimated on four fifths of the labels and used on the
remaining fifth.

`stratified_mean` is for labels drawn by strata of the judge's scores. The strata already use the judge, so there
is no further correction: θ̂ = Σ W_h·ȳ_h, W_h the stratum's share of all N questions. The questions are a sample
too, which adds the variance between strata (two-phase sampling: Cochran 1977, ch. 12):
Var = Σ W_h²·s_h²/n_h + Σ W_h·(ȳ_h − θ̂)²/N.

Items of one source document are not independent. With ψ_i an item's contribution to the error of θ̂, the variance
gains Σ_c Σ_{i≠j∈c} ψ_i·ψ_j over the documents c, as for a mean (Miller 2024).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from simsa.stats.intervals import (
    Codes,
    Floats,
    NoteText,
    Range,
    StatNote,
    cluster_codes,
    finite,
    shared_variance,
    t_quantile,
)

FEWEST_LABELS = 30
ONE_DOCUMENT = StatNote("single_labelled_cluster")
_FOLDS = 5


@dataclass(frozen=True, slots=True)
class Corrected:
    """A corrected mean with its 95 % t interval (labelled items − 1 degrees, or labelled clusters − 1).

    `naive` is the judge's own mean over all items. `weight` is λ, averaged over the folds: 0 when the judge says
    nothing about the labels, 1 when it is as good as a label. `n_clusters` is the number of source documents of
    the labelled items, where known. `mean` and `ci95` are None for fewer than 30 labels, with a note.
    """

    n_labels: int
    n_others: int
    naive: float | None
    mean: float | None = None
    ci95: Range | None = None
    weight: float | None = None
    n_clusters: int | None = None
    notes: tuple[StatNote, ...] = ()

    def to_dict(self, note_text: NoteText) -> dict[str, Any]:
        """A variant's entry of `corrected` in the calibration's JSON."""
        return {
            "mean": self.mean,
            "ci95": None if self.ci95 is None else list(self.ci95),
            "lambda": self.weight,
            "naive": self.naive,
            "n_labels": self.n_labels,
            "n_others": self.n_others,
            "n_clusters": self.n_clusters,
            "notes": list(map(note_text, self.notes)),
        }


def corrected_mean(
    labels: Sequence[float],
    judged: Sequence[float],
    judged_others: Sequence[float],
    clusters: tuple[Sequence[Hashable], Sequence[Hashable]] | None = None,
) -> Corrected:
    """Corrects the mean of a judge's scores by PPI++.

    `labels` and `judged` are people's and the judge's scores of the labelled items, in the same order;
    `judged_others` the judge's scores of all others; `clusters` the source documents of the labelled items and
    of the others. The labelled items must be a random sample. Raises ValueError when lengths differ or a score
    is not finite.
    """
    y, f, others = finite(labels), finite(judged), finite(judged_others)
    if len(y) != len(f):
        raise ValueError(f"{len(y)} labels, but {len(f)} scores of the judge")
    n, n_others = len(y), len(others)
    naive = _mean(np.concatenate((f, others)).tolist())
    if n < FEWEST_LABELS:
        note = StatNote("too_few_labels", (("n", n), ("needed", FEWEST_LABELS)))
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
    df = (n if codes is None or n_clusters is None else n_clusters) - 1
    return _corrected(
        n,
        n_others,
        naive,
        weight * mean_others + mean_rest,
        variance,
        df,
        weight=weight,
        n_clusters=n_clusters,
    )


def corrected_difference(
    labels: tuple[Mapping[str, float], Mapping[str, float]],
    judged: tuple[Mapping[str, float], Mapping[str, float]],
    clusters: Mapping[str, Hashable] | None = None,
) -> Corrected:
    """Corrects the mean difference second − first between two variants on the same questions.

    `labels` are people's scores by question of the first and of the second variant, `judged` the judge's,
    `clusters` the questions' source documents. Questions labelled for both variants correct the difference over
    all questions that the judge scored for both.
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


def stratified_mean(
    labels: Mapping[str, float],
    weights: Mapping[str, float],
    judged: Iterable[float],
    clusters: Mapping[str, Hashable] | None = None,
) -> Corrected:
    """The mean of `labels` by question from a stratified sample, each label standing for `weights` questions.

    `judged` are all scores of the judge; `clusters` names questions' source documents. Strata are identified by
    their weights; two strata of equal weight count as one, which stays unbiased. The interval is t with
    n − (number of strata) degrees, or documents − 1 when that is fewer. There is no mean for fewer than 30
    labels, or when a stratum has a single one.
    """
    everything = list(judged)
    naive = _mean(everything)
    strata: dict[float, list[str]] = {}
    for question in sorted(labels):
        strata.setdefault(weights[question], []).append(question)
    n, n_others = len(labels), len(everything) - len(labels)
    if n < FEWEST_LABELS or any(len(questions) < 2 for questions in strata.values()):
        return Corrected(n, n_others, naive)
    whole = math.fsum(weight * len(questions) for weight, questions in strata.items())
    mean = variance = 0.0
    centres: list[tuple[float, float]] = []
    parts: dict[str, float] = {}
    for weight, questions in strata.items():
        share, size = weight * len(questions) / whole, len(questions)
        centre = math.fsum(labels[q] for q in questions) / size
        spread = math.fsum((labels[q] - centre) ** 2 for q in questions) / (size - 1)
        mean += share * centre
        variance += share**2 * spread / size
        centres.append((share, centre))
        parts |= {q: share * (labels[q] - centre) / size for q in questions}
    variance += math.fsum(share * (centre - mean) ** 2 for share, centre in centres) / whole
    codes, n_clusters = _documents(documents(clusters, list(parts), []), n, 0)
    df = n - len(strata)
    if codes is not None and n_clusters is not None:
        variance += shared_variance(np.array(list(parts.values())), codes)
        df = min(df, n_clusters - 1)
    return _corrected(n, n_others, naive, mean, max(0.0, variance), df, weight=0.0, n_clusters=n_clusters)


def documents(
    clusters: Mapping[str, Hashable] | None, labelled: Sequence[str], others: Sequence[str]
) -> tuple[list[Hashable], list[Hashable]] | None:
    """The clusters of labelled and of other questions; a question without an entry is its own cluster."""
    if clusters is None:
        return None
    named: list[list[Hashable]] = [
        [(True, clusters[q]) if q in clusters else (False, q) for q in part] for part in (labelled, others)
    ]
    return named[0], named[1]


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _corrected(
    n: int,
    n_others: int,
    naive: float | None,
    mean: float,
    variance: float,
    df: int,
    *,
    weight: float,
    n_clusters: int | None,
) -> Corrected:
    half = t_quantile(df) * math.sqrt(variance)
    notes = (ONE_DOCUMENT,) if n_clusters == 1 else ()
    return Corrected(n, n_others, naive, mean, (mean - half, mean + half), weight, n_clusters, notes)


def _documents(
    clusters: tuple[Sequence[Hashable], Sequence[Hashable]] | None, n: int, n_others: int
) -> tuple[Codes | None, int | None]:
    """Each item's document as a number, and the number of documents with labels; no numbers for a single one."""
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
    """Folds assigned in turn along the sorted scores: balanced, and independent of the order of the rows."""
    fold = np.empty(len(y), dtype=np.intp)
    fold[np.lexsort((y, f))] = np.arange(len(y)) % _FOLDS
    return fold


def _folds_of_clusters(y: Floats, f: Floats, codes: Codes) -> Codes:
    """Folds of whole clusters: λ is never used on a document that it was estimated from."""
    names, member, sizes = np.unique(codes, return_inverse=True, return_counts=True)
    means_f, means_y = (np.bincount(member, values) / sizes for values in (f, y))
    of_cluster = np.empty(len(names), dtype=np.intp)
    of_cluster[np.lexsort((names, means_y, means_f, sizes))] = np.arange(len(names)) % _FOLDS
    return of_cluster[member]
