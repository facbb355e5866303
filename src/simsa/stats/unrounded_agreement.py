"""Agreement where the judge's scores are no whole numbers: a mean over repeats, an expected score, a share."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from simsa.stats.agreement import RESAMPLES, Agreement, item_draws, scaled, strata_of
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
    weights: Sequence[float] | None = None,
    seed: int = 0,
) -> Agreement:
    """Agreement of `judged` with `labels`, pair by pair; see `agree` for `items`, `weights` and the figures.

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
    shares = None if weights is None else scaled(weights)
    means = _means(_columns(x, y, shares).mean(axis=0)[None]) if same_scale else {}
    figures: dict[str, float] = {name: float(value[0]) for name, value in means.items()}
    figures |= _ranks(x, y) if shares is None else _weighted_ranks(x, y, shares)
    undefined = [name for name in (*_FIGURES[: 4 * same_scale], *_RANKS) if not np.isfinite(figures[name])]
    known: dict[str, Any] = {name: value for name, value in figures.items() if name not in undefined}
    intervals = _intervals(x, y, ones, shares, seed) if same_scale and ones.max() > 0 else {}
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


def _columns(x: Floats, y: Floats, shares: Floats | None = None) -> Floats:
    """What all figures are made of: pairs × (1, x, y, x², y², (x−y)², |x−y| ≤ 1, |x−y|), times their shares."""
    apart = np.abs(y - x)
    found = np.column_stack((np.ones_like(x), x, y, x**2, y**2, apart**2, apart <= 1 + 1e-12, apart))
    return found if shares is None else found * shares[:, None]


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


def _weighted_ranks(x: Floats, y: Floats, shares: Floats) -> dict[str, float]:
    """The same of the whole that the pairs were drawn from: each pair counts as often as it stands for others."""
    if x.min() == x.max() or y.min() == y.max():
        return dict.fromkeys(_RANKS, float("nan"))
    a, b = (_mid_ranks(values, shares) for values in (x, y))
    spearman = (shares * a * b).sum() / np.sqrt((shares * a**2).sum() * (shares * b**2).sum())
    above = [np.sign(values[:, None] - values[None, :]) for values in (x, y)]
    both = shares[:, None] * shares[None, :]
    untied = [(both * np.abs(sign)).sum() for sign in above]
    return {
        "spearman": float(spearman),
        "kendall_tau_b": float((both * above[0] * above[1]).sum() / np.sqrt(untied[0] * untied[1])),
    }


def _mid_ranks(values: Floats, shares: Floats) -> Floats:
    """Ranks less their mean, those of ties in the middle of what they take up."""
    _, level = np.unique(values, return_inverse=True)
    sizes = np.bincount(level, shares)
    return np.asarray((np.cumsum(sizes) - sizes / 2 - sizes.sum() / 2)[level])


def _intervals(x: Floats, y: Floats, items: Codes, shares: Floats | None, seed: int) -> dict[str, Range]:
    """95 % percentile intervals over resampled items."""
    columns = _columns(x, y, shares)
    sums = np.zeros((int(items.max()) + 1, columns.shape[1]))
    np.add.at(sums, items, columns)
    strata = None if shares is None else strata_of(items.tolist(), shares)
    drawn = _means(item_draws(len(sums), seed, strata) @ sums)
    found = {}
    for name, values in drawn.items():
        known = values[np.isfinite(values)]
        if len(known) >= 0.9 * RESAMPLES:
            low, high = np.quantile(known, (0.025, 0.975))
            found[name] = (float(low), float(high))
    return found
