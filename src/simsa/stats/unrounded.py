"""Agreement where the judge's scores are no whole numbers: a mean over repeats, an expected score, a share."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from simsa.stats.agreement import RESAMPLES, Agreement, item_draws
from simsa.stats.intervals import Codes, Floats, Range, finite

UNROUNDED = (
    "the judge's scores are not whole: κ is Lin's concordance coefficient; α and exact need whole scores"
)
OTHER_SCALE = "the judge's scores are on another scale than the labels: only their ranks are comparable"


def agree_unrounded(
    labels: Sequence[int],
    judged: Sequence[float],
    *,
    same_scale: bool,
    items: Sequence[Hashable] | None = None,
    seed: int = 0,
) -> Agreement:
    """Agreement of `judged` with `labels`, pair by pair; see `agree` for `items` and the figures.

    On the labels' scale κ is 1 − mean (x−y)²/expected as it always is, which for unrounded
    scores is Lin's concordance coefficient (Lin 1989). On another scale only the rank
    correlations are given. They have no intervals. Raises ValueError for different lengths
    or a score that is not finite.
    """
    x, y = finite(labels), finite(judged)
    if len(x) != len(y):
        raise ValueError(f"{len(x)} labels, but {len(y)} scores")
    if not len(x):
        return Agreement(0, notes=("no labels",))
    ones = np.arange(len(x)) if items is None else _numbered(items)
    means = _means(_columns(x, y).mean(axis=0)[None]) if same_scale else {}
    figures: dict[str, float] = {name: float(value[0]) for name, value in means.items()}
    figures |= _ranks(x, y)
    undefined = [name for name in (*_FIGURES[: 4 * same_scale], *_RANKS) if not np.isfinite(figures[name])]
    known: dict[str, Any] = {name: value for name, value in figures.items() if name not in undefined}
    intervals = _intervals(x, y, ones, seed) if same_scale and ones.max() > 0 else {}
    notes = [UNROUNDED if same_scale else OTHER_SCALE]
    if undefined:
        notes.append(f"{', '.join(undefined)}: one side does not vary")
    return Agreement(
        len(x),
        **known,
        intervals={name: ends for name, ends in intervals.items() if name in known},
        notes=tuple(notes),
    )


_FIGURES = ("quadratic_kappa", "within_one", "mae", "bias")
_RANKS = ("spearman", "kendall_tau_b")


def _numbered(items: Sequence[Hashable]) -> Codes:
    place = {item: number for number, item in enumerate(dict.fromkeys(items))}
    return np.fromiter((place[item] for item in items), dtype=np.intp, count=len(items))


def _columns(x: Floats, y: Floats) -> Floats:
    """What all figures are made of: pairs × (1, x, y, x², y², (x−y)², |x−y| ≤ 1, |x−y|)."""
    apart = np.abs(y - x)
    return np.column_stack((np.ones_like(x), x, y, x**2, y**2, apart**2, apart <= 1 + 1e-12, apart))


def _means(sums: Floats) -> dict[str, Floats]:
    """Every figure from sums (or means) of `_columns`, one row a resample; NaN where undefined."""
    n, x, y, xx, yy, squared, near, apart = (sums / sums[:, :1]).T
    expected = xx - x**2 + yy - y**2 + (x - y) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        kappa = np.where(expected > 1e-12, 1 - squared / expected, np.nan)
    return {"quadratic_kappa": kappa, "within_one": near, "mae": apart, "bias": (y - x) * n}


def _ranks(x: Floats, y: Floats) -> dict[str, float]:
    from scipy.stats import kendalltau, spearmanr

    if len(x) < 2 or x.min() == x.max() or y.min() == y.max():
        return dict.fromkeys(_RANKS, float("nan"))
    return {
        "spearman": float(spearmanr(x, y).statistic),
        "kendall_tau_b": float(kendalltau(x, y).statistic),
    }


def _intervals(x: Floats, y: Floats, items: Codes, seed: int) -> dict[str, Range]:
    """95 % percentile intervals over resampled items."""
    columns = _columns(x, y)
    sums = np.zeros((int(items.max()) + 1, columns.shape[1]))
    np.add.at(sums, items, columns)
    drawn = _means(item_draws(len(sums), seed) @ sums)
    found = {}
    for name, values in drawn.items():
        known = values[np.isfinite(values)]
        if len(known) >= 0.9 * RESAMPLES:
            low, high = np.quantile(known, (0.025, 0.975))
            found[name] = (float(low), float(high))
    return found
