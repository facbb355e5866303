"""Paired differences of what is no score: deterministic metrics, shares of claims."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from simsa.report.table import Table


class Difference(NamedTuple):
    """Mean paired difference of a deterministic metric, with its 95 % interval where two pairs or more make one."""

    baseline: str
    variant: str
    metric: str
    n_pairs: int
    mean_diff: float
    ci95: tuple[float, float] | None


def difference(table: Table, metric: str, variant: str, baseline: str) -> Difference | None:
    """`variant` − `baseline` over the questions on which both have a value; None where there is none."""
    import numpy as np

    from simsa.stats import estimate

    differences = table.column(variant, metric) - table.column(baseline, metric)
    places = np.flatnonzero(np.isfinite(differences))
    found = estimate(differences[places].tolist(), table.clusters_at(places.tolist()))
    if found.mean is None:
        return None
    return Difference(baseline, variant, metric, found.n, found.mean, found.ci95)
