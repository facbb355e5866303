"""How sure a mean or a rate is.

The t interval is the default: on skewed 1–5 scores it covers what it promises from
n = 15 on, where the percentile and BCa bootstraps fall short (see bench/coverage.py).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]
Range = tuple[float, float]

FEW_CLUSTERS = 30
_RESAMPLES = 9_999
_CHUNK = 2_000_000  # cells drawn at once


@dataclass(frozen=True, slots=True)
class MeanEstimate:
    """A mean with its standard deviation (ddof=1), standard error and 95 % t interval.

    With clusters `se` is cluster-robust and `df` is clusters − 1; where they are fewer
    than 30, `bootstrap95` is the cluster bootstrap beside it. What cannot be computed
    is None, and `notes` says why.
    """

    n: int
    n_clusters: int
    mean: float | None = None
    sd: float | None = None
    se: float | None = None
    df: int | None = None
    ci95: Range | None = None
    bootstrap95: Range | None = None
    notes: tuple[str, ...] = ()


def estimate(
    values: Sequence[float], clusters: Sequence[Hashable] | None = None, *, seed: int = 0
) -> MeanEstimate:
    """Mean of `values` with a 95 % t interval, cluster-robust when `clusters` says which belong together.

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
        return MeanEstimate(0, 0, notes=("no scores",))
    mean = math.fsum(data) / n
    if n == 1:
        return MeanEstimate(1, 1, mean, notes=("one score has no spread and no interval",))
    residuals = data - mean
    squares = math.fsum(residuals**2)
    sd = math.sqrt(squares / (n - 1))
    notes: tuple[str, ...] = ()
    if codes is not None and n_clusters == 1:
        codes, notes = None, ("all scores share one cluster: the interval speaks of this cluster only",)
    if codes is None or n_clusters == n:
        se, df, bootstrap = sd / math.sqrt(n), n - 1, None
    else:
        shared = shared_variance(residuals, codes)
        se, df = math.sqrt(max(0.0, sd**2 / n + shared / n**2)), n_clusters - 1
        bootstrap = cluster_bootstrap(data, codes, seed) if n_clusters < FEW_CLUSTERS else None
    half = t_quantile(df) * se
    return MeanEstimate(n, n_clusters, mean, sd, se, df, (mean - half, mean + half), bootstrap, notes)


def cluster_bootstrap(data: Floats, codes: Codes, seed: int = 0) -> Range:
    """95 % percentile interval of the mean over resampled clusters; `codes` number each value's cluster from 0."""
    sums, sizes = _sums(data, codes), np.bincount(codes)
    random = np.random.default_rng(seed)
    means = np.concatenate(
        [
            sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
            for drawn in _draws(random, len(sums), _RESAMPLES)
        ]
    )
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def wilson(successes: float, n: int) -> Range | None:
    """95 % Wilson score interval of a rate, 0–1; None when `n` is 0. `successes` may be a sum of shares of `n` items."""
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
    """`values` as an array of floats. Raises ValueError for one that is not finite: a missing score is no number."""
    data = np.fromiter(values, dtype=np.float64)
    if not np.isfinite(data).all():
        raise ValueError("a score is not finite")
    return data


def cluster_codes(clusters: Sequence[Hashable]) -> Codes:
    """Each row's cluster as a number from 0, by an order that does not depend on that of the rows."""
    numbers = {cluster: number for number, cluster in enumerate(sorted(set(clusters), key=str))}
    return np.fromiter((numbers[cluster] for cluster in clusters), dtype=np.intp, count=len(clusters))


def shared_variance(parts: Floats, codes: Codes) -> float:
    """Σ_c Σ_{i≠j∈c} ψ_i·ψ_j: what the variance of a sum of `parts` gains, or loses, from items of one cluster."""
    return math.fsum(_sums(parts, codes) ** 2) - math.fsum(parts**2)


def _sums(values: Floats, codes: Codes) -> Floats:
    """The sum of each cluster, to the last digit the same in whatever order the rows come."""
    order = np.lexsort((values, codes))
    return np.add.reduceat(values[order], np.flatnonzero(np.diff(codes[order], prepend=-1)))


def _draws(random: np.random.Generator, n: int, resamples: int) -> Iterable[NDArray[np.int64]]:
    """Indices of `resamples` samples of n with replacement, in chunks of bounded size."""
    step = max(1, _CHUNK // n)
    for start in range(0, resamples, step):
        yield random.integers(0, n, size=(min(step, resamples - start), n))
