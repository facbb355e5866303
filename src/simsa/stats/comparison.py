"""A variant's scores in figures, and variants compared: what reports and `simsa stats` print."""

from __future__ import annotations

import statistics
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from simsa.records import CRITERIA, MAX_SCORE, MAX_TOTAL
from simsa.stats.intervals import Range, estimate
from simsa.stats.missing_bounds import difference_bounds, mde80, mean_bounds, questions_needed
from simsa.stats.paired_tests import holm, rank_biserial, sign_flip_p, wilcoxon_p

Scores = Mapping[str, float | None]
"""Scores by question id; None is a score that is missing."""
Clusters = Mapping[str, Hashable]
"""Question id → source document; a question that is not named stands for itself."""
Verdict = Literal["too few", "better", "worse", "no difference shown", "equivalent"]

FEWEST_PAIRS = 15
ALPHA = 0.05
_MOST_LEVELS = 50


class Scale(NamedTuple):
    """Lowest and highest score, and the margin within which two means are as good as equal."""

    low: float
    high: float
    margin: float


CRITERION_SCALE = Scale(1, MAX_SCORE, 0.2)
TOTAL_SCALE = Scale(len(CRITERIA), MAX_TOTAL, 0.5)


def scale_of(criterion: str, scores: Iterable[float | None]) -> Scale | None:
    """1–5 for a criterion, 4–20 for `total`; None when a score lies outside, so that the scale is not known."""
    scale = TOTAL_SCALE if criterion == "total" else CRITERION_SCALE
    fits = all(scale.low <= score <= scale.high for score in scores if score is not None)
    return scale if fits else None


@dataclass(frozen=True, slots=True)
class Distribution:
    """A variant's scores of one criterion: at least one.

    `n` scores make the figures, `n_missing` more have none. `sd` has ddof=1 and, like
    `ci95`, takes two scores. `counts` is None unless all scores are whole numbers.
    `bounds` are the means if every missing score were the lowest, or the highest.
    """

    n: int
    mean: float
    sd: float | None
    median: float
    ci95: Range | None
    counts: Mapping[str, int] | None = None
    n_missing: int = 0
    n_clusters: int = 0
    bootstrap95: Range | None = None
    bounds: Range | None = None
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The `criteria` block of the reports' JSON; optional figures only where there are some."""
        figures = _plain(self)
        optional = ("counts", "bootstrap95", "bounds", "notes")
        return {key: value for key, value in figures.items() if key not in optional or value}


def summarise(
    scores: Scores,
    clusters: Clusters | None = None,
    *,
    scale: Scale | None = None,
    counts: bool = True,
    seed: int = 0,
) -> Distribution | None:
    """Figures of one variant's scores of one criterion; None when no question has a score.

    `scale` is needed for the bounds, and makes `counts` name every level of a 1–5 scale.
    Raises ValueError for a score that is not finite.
    """
    questions = sorted(q for q, score in scores.items() if score is not None)
    values = [float(score) for q in questions if (score := scores[q]) is not None]
    if not values:
        return None
    found = estimate(values, _clusters_of(questions, clusters), seed=seed)
    n_missing = len(scores) - len(values)
    bounds = mean_bounds(scores.values(), scale.low, scale.high) if scale and n_missing else None
    return Distribution(
        n=found.n,
        mean=_certain(found.mean),
        sd=found.sd,
        median=statistics.median(values),
        ci95=found.ci95,
        counts=_counts(values, scale) if counts else None,
        n_missing=n_missing,
        n_clusters=found.n_clusters,
        bootstrap95=found.bootstrap95,
        bounds=bounds,
        notes=found.notes,
    )


@dataclass(frozen=True, slots=True)
class Comparison:
    """`variant` − `baseline` on the questions that both have a score for.

    `ci95` is the t interval of `mean_diff`, cluster-robust over source documents;
    `p_value` that of the sign-flip permutation, `p_adjusted` after Holm across variants
    within the criterion. `n_dropped` questions have a score of one side or none;
    `bounds` is where the difference lies whatever those scores are. `n_needed` questions
    would show a difference as large as this one with 80 % power. What cannot be
    computed is None, and `notes` says why.
    """

    baseline: str
    variant: str
    criterion: str
    n_pairs: int
    n_clusters: int
    mean_diff: float | None
    ci95: Range | None
    p_value: float | None
    p_adjusted: float | None
    wilcoxon_p: float | None
    rank_biserial: float | None
    wins: int
    ties: int
    losses: int
    mde80: float | None
    verdict: Verdict
    sd: float | None = None
    n_dropped: int = 0
    n_needed: int | None = None
    margin: float | None = None
    bootstrap95: Range | None = None
    bounds: Range | None = None
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """An entry of `comparisons` in the reports' JSON; optional figures only where there are some."""
        optional = ("bootstrap95", "bounds", "notes")
        return {key: value for key, value in _plain(self).items() if key not in optional or value}

    def equivalent_within(self, margin: float) -> bool:
        """Whether the interval lies inside ±`margin`."""
        return self.ci95 is not None and -margin <= self.ci95[0] and self.ci95[1] <= margin

    def not_worse_than(self, margin: float) -> bool:
        """Whether the interval shows that the variant is worse by less than `margin`, if at all."""
        return self.ci95 is not None and self.ci95[0] > -margin


def compare(
    first: Scores,
    second: Scores,
    clusters: Clusters | None = None,
    *,
    baseline: str,
    variant: str,
    criterion: str,
    scale: Scale | None = None,
    seed: int = 0,
) -> Comparison:
    """Compares `second` (the variant) with `first` (the baseline), alone: nothing to adjust for yet.

    Raises ValueError for a score that is not finite.
    """
    both = sorted(q for q in first.keys() & second.keys() if None not in (first[q], second[q]))
    differences = [float(_certain(second[q])) - float(_certain(first[q])) for q in both]
    found = estimate(differences, _clusters_of(both, clusters), seed=seed)
    n_dropped = len(first.keys() | second.keys()) - len(both)
    sd, notes = found.sd, found.notes
    p = sign_flip_p(differences, seed=seed) if both else None
    if both and not any(differences):
        notes = (*notes, "all scores tie: nothing to rank")
    comparison = Comparison(
        baseline=baseline,
        variant=variant,
        criterion=criterion,
        n_pairs=found.n,
        n_clusters=found.n_clusters,
        mean_diff=found.mean,
        ci95=found.ci95,
        p_value=p,
        p_adjusted=p,
        wilcoxon_p=wilcoxon_p(differences),
        rank_biserial=rank_biserial(differences),
        wins=sum(d > 0 for d in differences),
        ties=sum(d == 0 for d in differences),
        losses=sum(d < 0 for d in differences),
        mde80=None if sd is None else mde80(sd, len(both)),
        verdict="too few",
        sd=sd,
        n_dropped=n_dropped,
        n_needed=None if sd is None else questions_needed(_certain(found.mean), sd),
        margin=scale.margin if scale else None,
        bootstrap95=found.bootstrap95,
        bounds=difference_bounds(first, second, scale.low, scale.high) if scale and n_dropped else None,
        notes=notes,
    )
    return _judged(comparison, p)


def compare_all(
    scores: Mapping[str, Mapping[str, Scores]],
    baseline: str,
    clusters: Clusters | None = None,
    *,
    seed: int = 0,
) -> list[Comparison]:
    """Compares every other variant with `baseline`, Holm-adjusted across variants within each criterion.

    `scores` maps variant → criterion → scores by question. In the order of the variants,
    and within each of the baseline's criteria.
    """
    others = [name for name in scores if name != baseline]
    by_criterion = []
    for criterion, first in scores[baseline].items():
        seconds = [scores[name].get(criterion, {}) for name in others]
        scale = scale_of(criterion, (s for side in (first, *seconds) for s in side.values()))
        alone = [
            compare(
                first,
                second,
                clusters,
                baseline=baseline,
                variant=name,
                criterion=criterion,
                scale=scale,
                seed=seed,
            )
            for name, second in zip(others, seconds, strict=True)
        ]
        adjusted = holm([comparison.p_value for comparison in alone])
        by_criterion.append([_judged(one, p) for one, p in zip(alone, adjusted, strict=True)])
    return [comparison for of_variant in zip(*by_criterion, strict=True) for comparison in of_variant]


def _judged(comparison: Comparison, p_adjusted: float | None) -> Comparison:
    """`comparison` with its adjusted p and its verdict.

    The permutation treats questions as independent. Where they share documents, a
    difference also has to show in the cluster-robust interval.
    """
    c = replace(comparison, p_adjusted=p_adjusted)
    difference = c.mean_diff or 0.0
    clustered = 1 < c.n_clusters < c.n_pairs
    shown = p_adjusted is not None and p_adjusted < ALPHA
    if shown and clustered and c.ci95 is not None and c.ci95[0] <= 0 <= c.ci95[1]:
        shown = False
        c = replace(c, notes=(*c.notes, "p counts questions as independent; over documents nothing is shown"))
    verdict: Verdict = "no difference shown"
    if c.n_pairs < FEWEST_PAIRS:
        verdict = "too few"
    elif shown:
        verdict = "better" if difference > 0 else "worse"
    elif c.margin is not None and c.equivalent_within(c.margin):
        verdict = "equivalent"
    return replace(c, verdict=verdict)


def _clusters_of(questions: Sequence[str], clusters: Clusters | None) -> list[Hashable] | None:
    if clusters is None:
        return None
    if all(q in clusters for q in questions):
        return [clusters[q] for q in questions]
    return [(True, clusters[q]) if q in clusters else (False, q) for q in questions]


def _counts(values: Sequence[float], scale: Scale | None) -> dict[str, int] | None:
    if any(value != int(value) for value in values):
        return None
    levels = sorted({int(value) for value in values})
    if scale == CRITERION_SCALE:
        levels = list(range(1, MAX_SCORE + 1))
    if len(levels) > _MOST_LEVELS:
        return None
    return {str(level): values.count(level) for level in levels}


def _certain(value: float | None) -> float:
    assert value is not None
    return value


def _plain(record: Distribution | Comparison) -> dict[str, Any]:
    """The fields as JSON has them."""
    fields = {name: getattr(record, name) for name in record.__slots__}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}
