"""The mean of labels that were drawn by strata of the judge's scores.

The judge's help is in the strata, so that no further correction is made: θ̂ = Σ W_h·ȳ_h, W_h the
stratum's share of all N questions. The questions are a sample themselves, as for every other
interval here, which adds what strata differ by (two-phase sampling: Cochran 1977, ch. 12):
Var = Σ W_h²·s_h²/n_h + Σ W_h·(ȳ_h − θ̂)²/N. Strata are told by their weights; two of the same
weight count as one, which stays unbiased. Questions of one source document add
Σ_c Σ_{i≠j∈c} ψ_i·ψ_j with ψ = W_h(y − ȳ_h)/n_h.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping

from simsa.stats.intervals import cluster_codes, shared_variance, t_quantile
from simsa.stats.ppi import FEWEST_LABELS, ONE_DOCUMENT, Corrected, documents


def weighted_mean(
    labels: Mapping[str, float],
    weights: Mapping[str, float],
    judged: Iterable[float],
    clusters: Mapping[str, Hashable] | None = None,
) -> Corrected:
    """The corrected mean of `labels` by question, each standing for its `weights`; `judged` are all of the judge's.

    `clusters` names questions' source documents. Interval by t with n − (number of strata)
    degrees, or documents − 1 where those are fewer. None under 30 labels, or when a stratum
    has a single one.
    """
    everything = list(judged)
    naive = math.fsum(everything) / len(everything) if everything else None
    strata: dict[float, list[str]] = {}
    for question in sorted(labels):
        strata.setdefault(weights[question], []).append(question)
    n, n_others = len(labels), len(everything) - len(labels)
    if n < FEWEST_LABELS or any(len(found) < 2 for found in strata.values()):
        return Corrected(n, n_others, naive)
    whole = math.fsum(weight * len(found) for weight, found in strata.items())
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
    shared, n_clusters = _shared(parts, clusters)
    df = min(n - len(strata), (n_clusters or n) - 1) if n_clusters != 1 else n - len(strata)
    half = t_quantile(df) * math.sqrt(max(0.0, variance + shared))
    notes = (ONE_DOCUMENT,) if n_clusters == 1 else ()
    return Corrected(n, n_others, naive, mean, (mean - half, mean + half), 0.0, n_clusters, notes)


def _shared(parts: Mapping[str, float], clusters: Mapping[str, Hashable] | None) -> tuple[float, int | None]:
    """What documents add to the variance, and how many there are; nothing where they are not known or there is one."""
    import numpy as np

    found = documents(clusters, list(parts), [])
    if found is None:
        return 0.0, None
    codes = cluster_codes(found[0])
    n_clusters = int(codes.max()) + 1
    if n_clusters == 1:
        return 0.0, 1
    return shared_variance(np.array(list(parts.values())), codes), n_clusters
