"""Agreement between raters who score the same items: a judge and people, people among themselves, repeats.

The unweighted point estimates use scipy. The bootstrap needs every figure for thousands of resamples, so it
computes them from tables of counts (whole scores) or from sums over pairs (scores that are not whole).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simsa.stats.intervals import Codes, Floats, NoteText, Range, StatNote, finite

RESAMPLES = 1_999
_MOST_LEVELS = 41  # of a longer scale only the levels that occur are tabulated
_FIGURES = (
    "quadratic_kappa",
    "krippendorff_alpha",
    "spearman",
    "kendall_tau_b",
    "exact",
    "within_one",
    "mae",
    "bias",
)
_SCALE_FIGURES = ("quadratic_kappa", "within_one", "mae", "bias")  # defined for scores that are not whole
_RANK_FIGURES = ("spearman", "kendall_tau_b")
_NO_LABELS = StatNote("no_labels")


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement of a judge's scores with `n_labels` labels.

    `quadratic_kappa` is Cohen's κ with quadratic weights, `krippendorff_alpha` the ordinal α. `exact` and
    `within_one` are shares (0–1); `mae` and `bias` (judge − label) are in score points. `confusion` has one row
    per label level and one column per judge level, lowest first. `intervals` holds 95 % bootstrap intervals over
    items. A figure that cannot be computed is None, and `notes` gives the reason.
    """

    n_labels: int
    quadratic_kappa: float | None = None
    krippendorff_alpha: float | None = None
    spearman: float | None = None
    kendall_tau_b: float | None = None
    exact: float | None = None
    within_one: float | None = None
    mae: float | None = None
    bias: float | None = None
    confusion: tuple[tuple[int, ...], ...] = ()
    intervals: Mapping[str, Range] = field(default_factory=dict)
    notes: tuple[StatNote, ...] = ()

    def to_dict(self, note_text: NoteText) -> dict[str, Any]:
        """A criterion's block in the calibration's JSON."""
        return {
            "n_labels": self.n_labels,
            **{name: getattr(self, name) for name in _FIGURES},
            "confusion": [list(row) for row in self.confusion],
            "ci95": {name: list(interval) for name, interval in self.intervals.items()},
            "notes": list(map(note_text, self.notes)),
        }


def agree(
    labels: Sequence[int],
    judged: Sequence[int],
    levels: Sequence[int],
    *,
    items: Sequence[Hashable] | None = None,
    weights: Sequence[float] | None = None,
    seed: int = 0,
) -> Agreement:
    """Agreement of `judged` with `labels`, pair by pair, on a scale of whole `levels` in steps of one.

    `items` names the item of each pair; the bootstrap then resamples whole items. `weights` says how many pairs
    each pair represents in a stratified sample: every figure except `confusion` then estimates the whole
    population, and the bootstrap resamples within strata. Pairs of equal weight are one stratum.
    Raises ValueError when lengths differ, a score is not one of `levels`, or a weight is not above 0.
    """
    _check_lengths(labels, judged, items, weights)
    index = {level: i for i, level in enumerate(levels)}
    unknown = next((score for score in (*labels, *judged) if score not in index), None)
    if unknown is not None:
        raise ValueError(f"{unknown!r} is not one of the levels {', '.join(map(str, levels))}")
    if len(levels) > _MOST_LEVELS:
        levels = sorted({*labels, *judged})
        index = {level: i for i, level in enumerate(levels)}
    size = len(levels)
    cells = [index[a] * size + index[b] for a, b in zip(labels, judged, strict=True)]
    table = np.bincount(np.array(cells, dtype=np.intp), minlength=size * size).reshape(size, size)
    confusion = tuple(tuple(int(n) for n in row) for row in table)
    if not labels:
        return Agreement(0, confusion=confusion, notes=(_NO_LABELS,))
    scale = np.array(levels, dtype=np.float64)
    shares = None if weights is None else normalized_weights(weights)
    resampled: Floats | None
    if shares is None:
        figures = _unweighted(labels, judged, levels)
    else:
        sums = np.bincount(cells, shares, size * size).astype(np.float64)
        figures = _known(_figures_of_tables(sums.reshape(1, size, size), scale))
    if shares is None and (items is None or len(set(items)) == len(items)):
        resampled = _resample_pairs(table, seed) if len(labels) > 1 else None
    else:
        resampled = _resample_items(cells, items or range(len(cells)), shares, size, seed)
    bootstrap = {} if resampled is None else _figures_of_tables(resampled, scale)
    return _agreement(len(labels), figures, bootstrap, confusion=confusion)


def agree_unrounded(
    labels: Sequence[float],
    judged: Sequence[float],
    *,
    same_scale: bool,
    items: Sequence[Hashable] | None = None,
    weights: Sequence[float] | None = None,
    seed: int = 0,
) -> Agreement:
    """Agreement of scores that are not whole (means of repeats, expected scores) with `labels`; see `agree`.

    On the labels' scale κ is 1 − mean (x−y)²/expected, which here is Lin's concordance coefficient (Lin 1989).
    On another scale only the rank correlations are given. Rank correlations have no intervals.
    Raises ValueError when lengths differ or a score is not finite.
    """
    x, y = finite(labels), finite(judged)
    _check_lengths(labels, judged, items, weights)
    if not len(x):
        return Agreement(0, notes=(_NO_LABELS,))
    numbers = np.arange(len(x)) if items is None else _item_numbers(items)
    shares = None if weights is None else normalized_weights(weights)
    figures: dict[str, float | None] = {}
    bootstrap: dict[str, Floats] = {}
    if same_scale:
        moments = _pair_moments(x, y, shares)
        figures |= _known(_figures_of_moments(moments.mean(axis=0)[None]))
        if numbers.max() > 0:
            sums = np.zeros((int(numbers.max()) + 1, moments.shape[1]))
            np.add.at(sums, numbers, moments)
            strata = None if shares is None else strata_of(numbers.tolist(), shares)
            bootstrap = _figures_of_moments(item_draws(len(sums), seed, strata) @ sums)
    figures |= _rank_correlations(x, y) if shares is None else _weighted_rank_correlations(x, y, shares)
    return _agreement(
        len(x), figures, bootstrap, notes=(StatNote("unrounded" if same_scale else "other_scale"),)
    )


def ordinal_alpha(
    items: Iterable[Sequence[float | None]], levels: Sequence[float] | None = None
) -> float | None:
    """Krippendorff's ordinal α (2011) over any number of raters.

    `items` holds the raters' scores of each item, None where a rater has none. Any ordered scale will do;
    `levels` are its levels, by default the scores that occur. Returns None when no item has two scores or when
    all scores are equal.
    """
    rows = [scores for scores in items if sum(score is not None for score in scores) > 1]
    occurring = sorted({score for scores in rows for score in scores if score is not None})
    if len(occurring) < 2:
        return None
    scale = occurring if levels is None else levels
    counts = np.array([[scores.count(level) for level in scale] for scores in map(list, rows)])
    pairs = counts[:, :, None] * counts[:, None, :] - counts[:, None, :] * np.eye(len(scale))
    coincidences = (pairs / (counts.sum(axis=1) - 1)[:, None, None]).sum(axis=0)
    margins = coincidences.sum(axis=0)
    expected = (np.outer(margins, margins) - np.diagflat(margins)) / (margins.sum() - 1)
    first, last = np.indices(coincidences.shape)
    first, last = np.minimum(first, last), np.maximum(first, last)
    bounds = np.dstack((first, last + 1)).reshape(-1)
    between = np.add.reduceat(np.append(margins, 0), bounds)[::2].reshape(first.shape)
    distances = (between - (margins[first] + margins[last]) / 2) ** 2
    return float(1 - (coincidences * distances).sum() / (expected * distances).sum())


def normalized_weights(weights: Sequence[float]) -> Floats | None:
    """`weights` scaled to a mean of 1; None when all are equal. Raises ValueError for one that is not above 0."""
    values = finite(weights)
    if (values <= 0).any():
        raise ValueError("a weight is not above 0")
    if not len(values) or values.min() == values.max():
        return None
    return values * (len(values) / math.fsum(values))


def strata_of(items: Sequence[int], shares: Floats) -> list[Hashable]:
    """The stratum of each item, numbered from 0: the weight that its pairs have.

    Items whose pairs have several weights (documents, say) share one stratum with items that are alone in
    theirs: an item that is only ever resampled as itself would look certain.
    """
    weights: list[set[float]] = [set() for _ in range(max(items) + 1)]
    for item, share in zip(items, shares.tolist(), strict=True):
        weights[item].add(share)
    strata = [of_item.pop() if len(of_item) == 1 else None for of_item in weights]
    sizes = Counter(strata)
    return [stratum if sizes[stratum] > 1 else None for stratum in strata]


def item_draws(n: int, seed: int, strata: Sequence[Hashable] | None = None) -> NDArray[np.int64]:
    """How often each of n items occurs in each resample (resamples × items); `strata` keep their sizes."""
    random = np.random.default_rng(seed)
    if strata is None:
        return random.multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
    members: dict[Hashable, list[int]] = {}
    for item, stratum in enumerate(strata):
        members.setdefault(stratum, []).append(item)
    draws = np.empty((RESAMPLES, n), dtype=np.int64)
    for own in members.values():
        draws[:, own] = random.multinomial(len(own), np.full(len(own), 1 / len(own)), size=RESAMPLES)
    return draws


def _check_lengths(
    labels: Sequence[object],
    judged: Sequence[object],
    items: Sequence[object] | None,
    weights: Sequence[object] | None,
) -> None:
    for what, values in (("scores", judged), ("items", items), ("weights", weights)):
        if values is not None and len(values) != len(labels):
            raise ValueError(f"{len(labels)} labels, but {len(values)} {what}")


def _agreement(
    n: int,
    figures: Mapping[str, float | None],
    bootstrap: Mapping[str, Floats],
    *,
    confusion: tuple[tuple[int, ...], ...] = (),
    notes: tuple[StatNote, ...] = (),
) -> Agreement:
    """Adds percentile intervals, and a note that names the undefined figures."""
    undefined = tuple(name for name in _FIGURES if name in figures and figures[name] is None)
    intervals = {}
    for name, values in bootstrap.items():
        known = values[np.isfinite(values)]
        if name not in undefined and len(known) >= 0.9 * RESAMPLES:
            low, high = np.quantile(known, (0.025, 0.975))
            intervals[name] = (float(low), float(high))
    if undefined:
        notes = (*notes, StatNote("one_side_constant", (("figures", undefined),)))
    fields: dict[str, Any] = dict(figures)
    return Agreement(n, **fields, confusion=confusion, intervals=intervals, notes=notes)


def _unweighted(
    labels: Sequence[int], judged: Sequence[int], levels: Sequence[int]
) -> dict[str, float | None]:
    x, y = finite(labels), finite(judged)
    differences = y - x
    # Cohen (1968): 1 − mean (x−y)² over its value if the two raters' scores were independent.
    expected = float(x.var() + y.var() + (x.mean() - y.mean()) ** 2)
    return {
        "quadratic_kappa": 1 - float((differences**2).mean()) / expected if expected else None,
        "krippendorff_alpha": ordinal_alpha(zip(labels, judged, strict=True), levels),
        **_rank_correlations(x, y),
        "exact": float((differences == 0).mean()),
        "within_one": float((np.abs(differences) <= 1).mean()),
        "mae": float(np.abs(differences).mean()),
        "bias": float(differences.mean()),
    }


def _rank_correlations(x: Floats, y: Floats) -> dict[str, float | None]:
    from scipy.stats import kendalltau, spearmanr

    if len(x) < 2 or x.min() == x.max() or y.min() == y.max():
        return dict.fromkeys(_RANK_FIGURES)
    return {
        "spearman": float(spearmanr(x, y).statistic),
        "kendall_tau_b": float(kendalltau(x, y).statistic),
    }


def _weighted_rank_correlations(x: Floats, y: Floats, shares: Floats) -> dict[str, float | None]:
    """Rank correlations of the population: each pair counts as often as its share."""
    if x.min() == x.max() or y.min() == y.max():
        return dict.fromkeys(_RANK_FIGURES)
    a, b = (_centred_ranks(values, shares) for values in (x, y))
    spearman = (shares * a * b).sum() / np.sqrt((shares * a**2).sum() * (shares * b**2).sum())
    signs = [np.sign(values[:, None] - values[None, :]) for values in (x, y)]
    weights = shares[:, None] * shares[None, :]
    untied = [(weights * np.abs(sign)).sum() for sign in signs]
    tau = (weights * signs[0] * signs[1]).sum() / np.sqrt(untied[0] * untied[1])
    return {"spearman": float(spearman), "kendall_tau_b": float(tau)}


def _centred_ranks(values: Floats, shares: Floats) -> Floats:
    """Mid-ranks minus their mean; tied values share the middle of their ranks."""
    _, level = np.unique(values, return_inverse=True)
    sizes = np.bincount(level, shares)
    return np.asarray((np.cumsum(sizes) - sizes / 2 - sizes.sum() / 2)[level])


def _item_numbers(items: Sequence[Hashable]) -> Codes:
    """Items as numbers from 0, in order of appearance."""
    numbers = {item: number for number, item in enumerate(dict.fromkeys(items))}
    return np.fromiter((numbers[item] for item in items), dtype=np.intp, count=len(items))


# Whole scores: all figures are functions of the table of counts (resamples × labels × scores).


def _resample_pairs(table: NDArray[np.int64], seed: int) -> Floats:
    """Tables of as many pairs, drawn from `table` with replacement."""
    n = int(table.sum())
    draws = np.random.default_rng(seed).multinomial(n, table.ravel() / n, size=RESAMPLES)
    return draws.reshape(-1, *table.shape).astype(np.float64)


def _resample_items(
    cells: Sequence[int], items: Sequence[Hashable], shares: Floats | None, size: int, seed: int
) -> Floats | None:
    """Tables from items drawn with replacement, each with all its pairs; None for a single item."""
    numbers = _item_numbers(items)
    n_items = int(numbers.max()) + 1
    if n_items < 2:
        return None
    tables = np.zeros((n_items, size * size))
    np.add.at(tables, (numbers, np.array(cells)), 1.0 if shares is None else shares)
    draws = item_draws(n_items, seed, None if shares is None else strata_of(numbers.tolist(), shares))
    return np.asarray((draws @ tables).reshape(-1, size, size), dtype=np.float64)


def _figures_of_tables(tables: Floats, levels: Floats) -> dict[str, Floats]:
    """Every figure for each table; NaN where undefined."""
    n = tables.sum(axis=(1, 2))
    gap = levels[None, :] - levels[:, None]
    rows, columns = tables.sum(axis=2), tables.sum(axis=1)
    share = tables / n[:, None, None]
    independent = rows[:, :, None] * columns[:, None, :] / n[:, None, None] ** 2
    any_varies, both_vary = _varies(rows + columns), _varies(rows) & _varies(columns)
    with np.errstate(divide="ignore", invalid="ignore"):
        kappa = 1 - (share * gap**2).sum(axis=(1, 2)) / (independent * gap**2).sum(axis=(1, 2))
        return {
            "quadratic_kappa": np.where(any_varies, kappa, np.nan),
            "krippendorff_alpha": np.where(any_varies, _alphas(tables, rows + columns), np.nan),
            "spearman": np.where(both_vary, _spearmans(tables, rows, columns), np.nan),
            "kendall_tau_b": np.where(both_vary, _taus(tables, rows, columns), np.nan),
            "exact": (share * (gap == 0)).sum(axis=(1, 2)),
            "within_one": (share * (np.abs(gap) <= 1)).sum(axis=(1, 2)),
            "mae": (share * np.abs(gap)).sum(axis=(1, 2)),
            "bias": (share * gap).sum(axis=(1, 2)),
        }


def _varies(margins: Floats) -> NDArray[np.bool_]:
    """Whether more than one level occurs. Sums of weights are inexact, so a variance of 0 would not tell."""
    return np.asarray((margins > 0).sum(axis=1) > 1)


def _alphas(tables: Floats, margins: Floats) -> Floats:
    """Ordinal α of two raters without missing scores: 1 − observed/expected disagreement (Krippendorff 2011)."""
    middle = np.cumsum(margins, axis=1) - margins / 2
    gap = (middle[:, :, None] - middle[:, None, :]) ** 2
    total = margins.sum(axis=1)
    observed = ((tables + tables.transpose(0, 2, 1)) * gap).sum(axis=(1, 2))
    expected = (margins[:, :, None] * margins[:, None, :] * gap).sum(axis=(1, 2)) / (total - 1)
    return np.asarray(1 - observed / expected)


def _spearmans(tables: Floats, rows: Floats, columns: Floats) -> Floats:
    """Pearson correlation of mid-ranks."""
    n = rows.sum(axis=1, keepdims=True)
    x = np.cumsum(rows, axis=1) - rows / 2 - n / 2
    y = np.cumsum(columns, axis=1) - columns / 2 - n / 2
    both = (tables * x[:, :, None] * y[:, None, :]).sum(axis=(1, 2))
    return np.asarray(both / np.sqrt((rows * x**2).sum(axis=1) * (columns * y**2).sum(axis=1)))


def _taus(tables: Floats, rows: Floats, columns: Floats) -> Floats:
    """(concordant − discordant) / √(pairs not tied in x · pairs not tied in y)."""
    n = rows.sum(axis=1)
    later = np.zeros_like(tables)
    for i, j in np.ndindex(tables.shape[1:]):
        below = tables[:, i + 1 :]
        later[:, i, j] = below[:, :, j + 1 :].sum(axis=(1, 2)) - below[:, :, :j].sum(axis=(1, 2))
    untied = [(n**2 - (margin**2).sum(axis=1)) / 2 for margin in (rows, columns)]
    return np.asarray((tables * later).sum(axis=(1, 2)) / np.sqrt(untied[0] * untied[1]))


# Scores that are not whole: the figures are functions of means over pairs.


def _pair_moments(x: Floats, y: Floats, shares: Floats | None) -> Floats:
    """Pairs × (1, x, y, x², y², (x−y)², |x−y| ≤ 1, |x−y|), each multiplied by its share."""
    gap = np.abs(y - x)
    moments = np.column_stack((np.ones_like(x), x, y, x**2, y**2, gap**2, gap <= 1 + 1e-12, gap))
    return moments if shares is None else moments * shares[:, None]


def _figures_of_moments(sums: Floats) -> dict[str, Floats]:
    """`_SCALE_FIGURES` from sums or means of `_pair_moments`, one row per resample; NaN where undefined."""
    n, x, y, xx, yy, squared, near, gap = (sums / sums[:, :1]).T
    expected = xx - x**2 + yy - y**2 + (x - y) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        kappa = np.where(expected > 1e-12, 1 - squared / expected, np.nan)
    return dict(zip(_SCALE_FIGURES, (kappa, near, gap, (y - x) * n), strict=True))


def _known(figures: Mapping[str, Floats]) -> dict[str, float | None]:
    return {name: float(value[0]) if np.isfinite(value[0]) else None for name, value in figures.items()}
