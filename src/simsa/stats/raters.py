"""Agreement among any number of raters who score the same items."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence

import numpy as np

from simsa.stats.agreement import LEVELS


def ordinal_alpha(items: Iterable[Sequence[int | None]], levels: Sequence[int] = LEVELS) -> float | None:
    """Krippendorff's ordinal α (2011). `items` are the raters' scores of each, None where one has none.

    None when no item has two scores, or when all scores are the same.
    """
    import krippendorff

    rows = [scores for scores in items if sum(score is not None for score in scores) > 1]
    if len({score for scores in rows for score in scores if score is not None}) < 2:
        return None
    table = np.array([[np.nan if s is None else s for s in scores] for scores in rows], dtype=np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        alpha = krippendorff.alpha(table.T, level_of_measurement="ordinal", value_domain=list(levels))
    return float(alpha) if np.isfinite(alpha) else None
