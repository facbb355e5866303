"""The mean of labels that were drawn by strata of the judge's scores.

The judge's help is in the strata, so that no further correction is made: θ̂ = Σ W_h·ȳ_h,
Var = Σ W_h²·s_h²/n_h (Cochran 1977, ch. 5), W_h the stratum's share of all questions. Strata
are told by their weights; two of the same weight count as one, which stays unbiased.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from simsa.stats.intervals import t_quantile
from simsa.stats.ppi import FEWEST_LABELS, Corrected


def weighted_mean(
    labels: Mapping[str, float], weights: Mapping[str, float], judged: Iterable[float]
) -> Corrected:
    """The corrected mean of `labels` by question, each standing for its `weights`; `judged` are all of the judge's.

    Interval by t with n − (number of strata) degrees. None under 30 labels, or when a
    stratum has a single one.
    """
    everything = list(judged)
    naive = math.fsum(everything) / len(everything) if everything else None
    strata: dict[float, list[float]] = {}
    for question in sorted(labels):
        strata.setdefault(weights[question], []).append(labels[question])
    n = len(labels)
    nothing = Corrected(n, len(everything) - n, naive)
    if n < FEWEST_LABELS or any(len(found) < 2 for found in strata.values()):
        return nothing
    whole = math.fsum(weight * len(found) for weight, found in strata.items())
    mean = variance = 0.0
    for weight, found in strata.items():
        share = weight * len(found) / whole
        centre = math.fsum(found) / len(found)
        spread = math.fsum((y - centre) ** 2 for y in found) / (len(found) - 1)
        mean += share * centre
        variance += share**2 * spread / len(found)
    half = t_quantile(n - len(strata)) * math.sqrt(variance)
    return Corrected(n, len(everything) - n, naive, mean, (mean - half, mean + half), 0.0)
