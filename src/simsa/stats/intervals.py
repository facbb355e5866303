"""Confidence intervals of means and rates, and the notes that statistics return.

The t interval is the default. On skewed scores it reaches its nominal coverage from n = 15 on, where the
percentile and BCa bootstraps fall short (see bench/coverage.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]
Range = tuple[float, float]

FEW_CLUSTERS = 30
_RESAMPLES = 9_999
_CHUNK = 2_000_000  # cells drawn at a time


class StatNote(NamedTuple):
    """Why a figure is missing or limited: a code, and values for its sentence.

    The sentences are the messages `stat.<code>`; `simsa.i18n.messages.note_text` renders them. A tuple among
    the values lists names of figures.
    """

    code: str
    values: tuple[tuple[str, Any], ...] = ()


NoteText = Callable[[StatNote], str]
"""Renders a note as a sentence, such as `simsa.i18n.messages.note_text`."""


@dataclass(frozen=True, slots=True)
class MeanEstimate:
    """A mean with its standard deviation (ddof=1), standard error and 95 % t interval.

    With clusters `se` is cluster-robust and `df` is clusters − 1; with fewer than 30 clusters `bootstrap95` is
    the cluster bootstrap interval. A figure that cannot be computed is None, and `notes` gives the reason.
    """

    n: int
    n_clusters: int
    mean: float | None = None
    sd: float | None = None
    se: float | None = None
    df: int | None = None
    ci95: Range | None = None
    bootstrap95: Range | None = None
    notes: tuple[StatNote, ...] = ()


def estimate(
    values: Sequence[float], clusters: Sequence[Hashable] | None = None, *, seed: int = 0
) -> MeanEstimate:
    """Mean of `values` with a 95 % t interval, cluster-robust when `clusters` names each value's cluster.

    SE² = SE_iid² + n⁻² Σ_c Σ_{i≠j∈c} (s_i − s̄)(s_j − s̄), t with clusters − 1 degrees
    (Miller 2024, "Adding Error Bars to Evals"). Raises ValueError for values that are not finite.
    """
    data = finite(values)
    n = len(data)
    if clusters is not None and len(clusters) != n:
        raise ValueError(f"{n} scores, but {len(clusters)} clusters")
    codes = None if clusters is None else cluster_codes(clusters)
    n_clusters = n if codes is None else int(codes.max(initial=-1)) + 1
    if n == 0:
        return MeanEstimate(0, 0, notes=(StatNote("no_scores"),))
    mean = math.fsum(data) / n
    if n == 1:
        return MeanEstimate(1, 1, mean, notes=(StatNote("single_score"),))
    residuals = data - mean
    squares = math.fsum(residuals**2)
    sd = math.sqrt(squares / (n - 1))
    notes: tuple[StatNote, ...] = ()
    if codes is not None and n_clusters == 1:
        codes, notes = None, (StatNote("single_cluster"),)
    if codes is None or n_clusters == n:
        se, df, bootstrap = sd / math.sqrt(n), n - 1, None
    else:
        shared = shared_variance(residuals, codes)
        se, df = math.sqrt(max(0.0, sd**2 / n + shared / n**2)), n_clusters - 1
        bootstrap = cluster_bootstrap(data, codes, seed) if n_clusters < FEW_CLUSTERS else None
    half = t_quantile(df) * se
    return MeanEstimate(n, n_clusters, mean, sd, se, df, (mean - half, mean + half), bootstrap, notes)


def cluster_bootstrap(data: Floats, codes: Codes, seed: int = 0) -> Range:
    """95 % percentile interval of the mean over resampled clusters; `codes` are the clusters' numbers from 0."""
    sums, sizes = _sums(data, codes), np.bincount(codes)
    random, n = np.random.default_rng(seed), len(sums)
    step = max(1, _CHUNK // n)
    means = []
    for start in range(0, _RESAMPLES, step):
        drawn = random.integers(0, n, size=(min(step, _RESAMPLES - start), n))
        means.append(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))
    low, high = np.quantile(np.concatenate(means), (0.025, 0.975))
    return float(low), float(high)


def wilson(successes: float, n: int) -> Range | None:
    """95 % Wilson score interval of a rate (0–1); None when `n` is 0. `successes` may be a sum of fractions."""
    if n == 0:
        return None
    z = NormalDist().inv_cdf(0.975)
    rate = successes / n
    centre = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return (0.0 if successes == 0 else centre - half), (1.0 if successes == n else centre + half)


def t_quantile(df: float, probability: float = 0.975) -> float:
    """Quantile of Student's t."""
    from scipy.special import stdtrit

    return float(stdtrit(df, probability))


def finite(values: Iterable[float]) -> Floats:
    """`values` as an array of floats. Raises ValueError for one that is not finite."""
    data = np.fromiter(values, dtype=np.float64)
    if not np.isfinite(data).all():
        raise ValueError("a score is not finite")
    return data


def cluster_codes(clusters: Sequence[Hashable]) -> Codes:
    """Each row's cluster as a number from 0; the numbering does not depend on the order of the rows."""
    numbers = {cluster: number for number, cluster in enumerate(sorted(set(clusters), key=str))}
    return np.fromiter((numbers[cluster] for cluster in clusters), dtype=np.intp, count=len(clusters))


def shared_variance(parts: Floats, codes: Codes) -> float:
    """Σ_c Σ_{i≠j∈c} ψ_i·ψ_j: the covariance within clusters, added to the variance of a sum of `parts`."""
    return math.fsum(_sums(parts, codes) ** 2) - math.fsum(parts**2)


def _sums(values: Floats, codes: Codes) -> Floats:
    """Sum of each cluster, bitwise independent of the order of the rows."""
    order = np.lexsort((values, codes))
    return np.add.reduceat(values[order], np.flatnonzero(np.diff(codes[order], prepend=-1)))
