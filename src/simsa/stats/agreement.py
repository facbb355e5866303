"""Agreement among any number of raters who score the same items.

How far two raters of the same items agree: a judge with people, people with each other, a judge with itself.
"""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simsa.stats.intervals import Floats, Range, finite

LEVELS = (1, 2, 3, 4, 5)
RESAMPLES = 1_999
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


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement of a judge with labels over `n_labels` items.

    `quadratic_kappa` is Cohen's κ with quadratic weights, `krippendorff_alpha` the ordinal
    α; `exact` and `within_one` are shares; `mae` and `bias` (judge − label) are in score
    points. `confusion` has a row a label and a column a judge's score, lowest first.
    `intervals` are 95 % bootstrap intervals over items. What cannot be computed is None,
    and `notes` says why.
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
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """A criterion's block in the calibration's JSON."""
        return {
            "n_labels": self.n_labels,
            **{name: getattr(self, name) for name in _FIGURES},
            "confusion": [list(row) for row in self.confusion],
            "ci95": {name: list(found) for name, found in self.intervals.items()},
            "notes": list(self.notes),
        }


def agree(
    labels: Sequence[int],
    judged: Sequence[int],
    levels: Sequence[int] = LEVELS,
    *,
    items: Sequence[Hashable] | None = None,
    weights: Sequence[float] | None = None,
    seed: int = 0,
) -> Agreement:
    """Agreement of `judged` with `labels`, pair by pair, on a scale of whole `levels` one apart.

    `items` says which item each pair belongs to, where some have several labels; the
    bootstrap then draws whole items. `weights` says how many pairs each stands for, where
    they were drawn by strata: all figures are then those of the whole that was drawn from, the
    table excepted, and the bootstrap draws within strata, which are told by their weights.
    Raises ValueError when lengths differ, a score is not one of the levels, or a weight is not above 0.
    """
    for what, given in (("items", items), ("weights", weights)):
        if given is not None and len(given) != len(labels):
            raise ValueError(f"{len(labels)} labels, but {len(given)} {what}")
    if len(labels) != len(judged):
        raise ValueError(f"{len(labels)} labels, but {len(judged)} scores")
    place = {level: i for i, level in enumerate(levels)}
    strange = next((score for score in (*labels, *judged) if score not in place), None)
    if strange is not None:
        raise ValueError(f"{strange!r} is not one of the levels {', '.join(map(str, levels))}")
    table = np.zeros((len(levels), len(levels)), dtype=np.int64)
    for label, score in zip(labels, judged, strict=True):
        table[place[label], place[score]] += 1
    confusion = tuple(tuple(int(n) for n in row) for row in table)
    if not labels:
        return Agreement(0, confusion=confusion, notes=("no labels",))
    cells = [place[a] * len(levels) + place[b] for a, b in zip(labels, judged, strict=True)]
    shares = None if weights is None else scaled(weights)
    figures = _of_raters(labels, judged, levels) if shares is None else _of_weighted(cells, shares, levels)
    undefined = [name for name, value in figures.items() if value is None]
    if shares is None and (items is None or len(set(items)) == len(items)):
        drawn = _draw(table, seed) if len(labels) > 1 else None
    else:
        drawn = _draw_items(cells, items or range(len(cells)), shares, len(levels), seed)
    intervals = {} if drawn is None else _intervals(drawn, levels)
    return Agreement(
        n_labels=len(labels),
        **figures,
        confusion=confusion,
        intervals={name: found for name, found in intervals.items() if name not in undefined},
        notes=(f"{', '.join(undefined)}: one side does not vary",) if undefined else (),
    )


def _of_raters(labels: Sequence[int], judged: Sequence[int], levels: Sequence[int]) -> dict[str, Any]:
    import krippendorff
    from scipy.stats import kendalltau, spearmanr

    x, y = np.array(labels, dtype=np.float64), np.array(judged, dtype=np.float64)
    differences = y - x
    varies = len(x) > 1 and x.min() < x.max() and y.min() < y.max()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        alpha = (
            krippendorff.alpha([x, y], level_of_measurement="ordinal", value_domain=list(levels))
            if len(set(labels) | set(judged)) > 1
            else None
        )
    return {
        "quadratic_kappa": _quadratic_kappa(x, y),
        "krippendorff_alpha": None if alpha is None else float(alpha),
        "spearman": float(spearmanr(x, y).statistic) if varies else None,
        "kendall_tau_b": float(kendalltau(x, y).statistic) if varies else None,
        "exact": float((differences == 0).mean()),
        "within_one": float((np.abs(differences) <= 1).mean()),
        "mae": float(np.abs(differences).mean()),
        "bias": float(differences.mean()),
    }


def _of_weighted(cells: Sequence[int], shares: Floats, levels: Sequence[int]) -> dict[str, float | None]:
    """The figures of the whole that the pairs were drawn from."""
    sums = np.bincount(cells, shares, len(levels) ** 2).astype(np.float64)
    found = _of_tables(sums.reshape(1, len(levels), len(levels)), np.array(levels, dtype=np.float64))
    return {name: float(value[0]) if np.isfinite(value[0]) else None for name, value in found.items()}


def _quadratic_kappa(x: Floats, y: Floats) -> float | None:
    """1 − mean (x−y)² over what it would be if the two raters' scores were independent (Cohen 1968)."""
    expected = float(x.var() + y.var() + (x.mean() - y.mean()) ** 2)
    return 1 - float(((x - y) ** 2).mean()) / expected if expected else None


# All figures are functions of the table of counts, so that the bootstrap over items
# draws tables, and computes every figure for all of them at once.


def _draw(table: NDArray[np.int64], seed: int) -> Floats:
    """Tables of as many pairs drawn from `table`: resamples × labels × scores."""
    n = int(table.sum())
    drawn = np.random.default_rng(seed).multinomial(n, table.ravel() / n, size=RESAMPLES)
    return drawn.reshape(-1, *table.shape).astype(np.float64)


def _draw_items(
    cells: Sequence[int], items: Sequence[Hashable], shares: Floats | None, size: int, seed: int
) -> Floats | None:
    """The same where an item has several pairs, which are drawn together; None for a single item."""
    row = {item: n for n, item in enumerate(dict.fromkeys(items))}
    if len(row) < 2:
        return None
    tables = np.zeros((len(row), size * size))
    rows = [row[item] for item in items]
    np.add.at(tables, (rows, cells), 1.0 if shares is None else shares)
    draws = item_draws(len(row), seed, None if shares is None else strata_of(rows, shares))
    return np.asarray((draws @ tables).reshape(-1, size, size), dtype=np.float64)


def scaled(weights: Sequence[float]) -> Floats | None:
    """`weights` with a mean of 1; None where they are all the same. Raises ValueError for one that is not above 0."""
    found = finite(weights)
    if (found <= 0).any():
        raise ValueError("a weight is not above 0")
    return None if not len(found) or found.min() == found.max() else found * (len(found) / math.fsum(found))


def strata_of(items: Sequence[int], shares: Floats) -> list[Hashable]:
    """The stratum of each item, numbered from 0: the weight that its pairs have.

    Items with pairs of several strata, such as documents, make one together, with those that are
    alone in theirs: an item that only ever drew itself would seem certain.
    """
    found: list[set[float]] = [set() for _ in range(max(items) + 1)]
    for item, share in zip(items, shares.tolist(), strict=True):
        found[item].add(share)
    named = [of_item.pop() if len(of_item) == 1 else None for of_item in found]
    sizes = Counter(named)
    return [name if sizes[name] > 1 else None for name in named]


def item_draws(n: int, seed: int, strata: Sequence[Hashable] | None = None) -> NDArray[np.int64]:
    """How often each of n items is in each resample: resamples × items. Within `strata`, as many of each as there are."""
    random = np.random.default_rng(seed)
    if strata is None:
        return random.multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
    places: dict[Hashable, list[int]] = {}
    for place, stratum in enumerate(strata):
        places.setdefault(stratum, []).append(place)
    drawn = np.empty((RESAMPLES, n), dtype=np.int64)
    for own in places.values():
        drawn[:, own] = random.multinomial(len(own), np.full(len(own), 1 / len(own)), size=RESAMPLES)
    return drawn


def _intervals(tables: Floats, levels: Sequence[int]) -> dict[str, Range]:
    figures = _of_tables(tables, np.array(levels, dtype=np.float64))
    intervals = {}
    for name, values in figures.items():
        known = values[np.isfinite(values)]
        if len(known) >= 0.9 * len(values):
            low, high = np.quantile(known, (0.025, 0.975))
            intervals[name] = (float(low), float(high))
    return intervals


def _of_tables(tables: Floats, levels: Floats) -> dict[str, Floats]:
    """Every figure for each of a stack of tables (resamples × labels × scores); NaN where undefined."""
    n = tables.sum(axis=(1, 2))
    gap = levels[None, :] - levels[:, None]
    rows, columns = tables.sum(axis=2), tables.sum(axis=1)
    share = tables / n[:, None, None]
    independent = rows[:, :, None] * columns[:, None, :] / n[:, None, None] ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        kappa = 1 - (share * gap**2).sum(axis=(1, 2)) / (independent * gap**2).sum(axis=(1, 2))
        return {
            "quadratic_kappa": np.where(_vary(rows + columns), kappa, np.nan),
            "krippendorff_alpha": _alphas(tables, rows + columns),
            "spearman": _spearmans(tables, rows, columns),
            "kendall_tau_b": _taus(tables, rows, columns),
            "exact": (share * (gap == 0)).sum(axis=(1, 2)),
            "within_one": (share * (np.abs(gap) <= 1)).sum(axis=(1, 2)),
            "mae": (share * np.abs(gap)).sum(axis=(1, 2)),
            "bias": (share * gap).sum(axis=(1, 2)),
        }


def _alphas(tables: Floats, margins: Floats) -> Floats:
    """Ordinal α of two raters without gaps: 1 − observed/expected disagreement (Krippendorff 2011)."""
    ends = np.cumsum(margins, axis=1)
    middle = ends - margins / 2
    gap = (middle[:, :, None] - middle[:, None, :]) ** 2
    total = margins.sum(axis=1)
    observed = ((tables + tables.transpose(0, 2, 1)) * gap).sum(axis=(1, 2))
    expected = (margins[:, :, None] * margins[:, None, :] * gap).sum(axis=(1, 2)) / (total - 1)
    return np.where(_vary(margins), 1 - observed / expected, np.nan)


def _spearmans(tables: Floats, rows: Floats, columns: Floats) -> Floats:
    """Pearson correlation of mid-ranks."""
    n = rows.sum(axis=1, keepdims=True)
    x = np.cumsum(rows, axis=1) - rows / 2 - n / 2
    y = np.cumsum(columns, axis=1) - columns / 2 - n / 2
    both = (tables * x[:, :, None] * y[:, None, :]).sum(axis=(1, 2))
    found = both / np.sqrt((rows * x**2).sum(axis=1) * (columns * y**2).sum(axis=1))
    return np.where(_vary(rows) & _vary(columns), found, np.nan)


def _vary(margins: Floats) -> NDArray[np.bool_]:
    """Whether more than one level occurs. Weights do not sum to the last digit, so that a variance of 0 would not tell."""
    return np.asarray((margins > 0).sum(axis=1) > 1)


def _taus(tables: Floats, rows: Floats, columns: Floats) -> Floats:
    """(concordant − discordant) / √(pairs not tied in x · pairs not tied in y)."""
    n = rows.sum(axis=1)
    later = np.zeros_like(tables)
    size = tables.shape[1]
    for i, j in np.ndindex(size, size):
        later[:, i, j] = tables[:, i + 1 :, j + 1 :].sum(axis=(1, 2)) - tables[:, i + 1 :, :j].sum(
            axis=(1, 2)
        )
    untied = [(n**2 - (margin**2).sum(axis=1)) / 2 for margin in (rows, columns)]
    found = (tables * later).sum(axis=(1, 2)) / np.sqrt(untied[0] * untied[1])
    return np.where(_vary(rows) & _vary(columns), found, np.nan)


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
