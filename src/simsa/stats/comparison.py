"""Summaries of one variant's scores, and paired comparisons of variants: what reports and `simsa stats` print."""

from __future__ import annotations

import statistics
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from simsa.stats.intervals import NoteText, Range, StatNote, estimate
from simsa.stats.missing_bounds import difference_bounds, mde80, mean_bounds, questions_needed
from simsa.stats.paired_tests import holm, rank_biserial, sign_flip_p, wilcoxon_p

if TYPE_CHECKING:
    from simsa.records import Criteria, Criterion

Scores = Mapping[str, float | None]
"""Scores by question id; None is a missing score."""
Clusters = Mapping[str, Hashable]
"""Question id → source document; a question without an entry is its own cluster."""
Conclusion = Literal["too few", "better", "worse", "no difference shown", "equivalent"]

FEWEST_PAIRS = 15
ALPHA = 0.05
_MOST_LEVELS = 50
_CRITERION_MARGIN = 1 / 20  # share of the span: ±0.2 on 1–5
_TOTAL_MARGIN = 1 / 32  # share of the span: ±0.5 on the total of four criteria of 1–5


class Scale(NamedTuple):
    """Lowest and highest score, and the margin within which two means count as equivalent.

    `levels` are the possible scores, where a distribution lists all of them.
    """

    low: float
    high: float
    margin: float
    levels: tuple[int, ...] = ()

    @classmethod
    def of(cls, criterion: Criterion) -> Scale:
        """The scale of one criterion; the margin is 5 % of the span."""
        margin = criterion.span * _CRITERION_MARGIN
        return cls(criterion.low, criterion.high, margin, tuple(criterion.levels))

    @classmethod
    def of_total(cls, criteria: Criteria) -> Scale | None:
        """The scale of the criteria's total, with a margin of 1/32 of the span; None when there is no total."""
        low, high = criteria.min_total, criteria.max_total
        return None if low is None or high is None else cls(low, high, (high - low) * _TOTAL_MARGIN)


def scales_of(criteria: Criteria) -> dict[str, Scale]:
    """The scale of each criterion and, where there is one, of `total`."""
    scales = {criterion.name: Scale.of(criterion) for criterion in criteria}
    total = Scale.of_total(criteria)
    return scales if total is None else scales | {"total": total}


@dataclass(frozen=True, slots=True)
class Distribution:
    """Summary of a variant's scores of one criterion: at least one score.

    The figures rest on `n` scores; `n_missing` more are missing. `sd` has ddof=1; it and `ci95` need two scores.
    `counts` is None unless all scores are whole numbers. `bounds` are the means if every missing score were the
    lowest, or the highest.
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
    notes: tuple[StatNote, ...] = ()

    def to_dict(self, note_text: NoteText) -> dict[str, Any]:
        """The `criteria` block of the reports' JSON; optional figures only when present."""
        return _to_dict(self, note_text, optional=("counts", "bootstrap95", "bounds", "notes"))


def summarise(
    scores: Scores,
    clusters: Clusters | None = None,
    *,
    scale: Scale | None = None,
    counts: bool = True,
    seed: int = 0,
) -> Distribution | None:
    """Summary of one variant's scores of one criterion; None when no question has a score.

    `scale` is needed for `bounds`; its levels are all listed in `counts`. Raises ValueError for a score that is
    not finite.
    """
    known = {question: float(score) for question, score in sorted(scores.items()) if score is not None}
    if not known:
        return None
    values = list(known.values())
    found = estimate(values, _clusters_of(list(known), clusters), seed=seed)
    assert found.mean is not None
    n_missing = len(scores) - len(known)
    return Distribution(
        n=found.n,
        mean=found.mean,
        sd=found.sd,
        median=statistics.median(values),
        ci95=found.ci95,
        counts=_counts(values, scale) if counts else None,
        n_missing=n_missing,
        n_clusters=found.n_clusters,
        bootstrap95=found.bootstrap95,
        bounds=mean_bounds(scores.values(), scale.low, scale.high) if scale and n_missing else None,
        notes=found.notes,
    )


@dataclass(frozen=True, slots=True)
class Comparison:
    """`variant` − `baseline` on the questions for which both have a score.

    `ci95` is the t interval of `mean_diff`, cluster-robust over source documents. `p_value` is that of the
    sign-flip permutation test, `p_adjusted` the same after Holm's adjustment across variants within the
    criterion. `n_dropped` questions have a score of one side or none; `bounds` limits the difference for any
    values of the missing scores. `n_needed` questions would show a difference of this size with 80 % power.
    A figure that cannot be computed is None, and `notes` gives the reason.
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
    verdict: Conclusion
    sd: float | None = None
    n_dropped: int = 0
    n_needed: int | None = None
    margin: float | None = None
    bootstrap95: Range | None = None
    bounds: Range | None = None
    notes: tuple[StatNote, ...] = ()

    def to_dict(self, note_text: NoteText) -> dict[str, Any]:
        """An entry of `comparisons` in the reports' JSON; optional figures only when present."""
        return _to_dict(self, note_text, optional=("bootstrap95", "bounds", "notes"))

    def equivalent_within(self, margin: float) -> bool:
        """Whether the interval lies inside ±`margin`."""
        return self.ci95 is not None and -margin <= self.ci95[0] and self.ci95[1] <= margin

    def not_worse_than(self, margin: float) -> bool:
        """Whether the interval excludes that the variant is worse by `margin` or more."""
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
    """Compares `second` (the variant) with `first` (the baseline), without adjustment for multiple comparisons.

    Raises ValueError for a score that is not finite.
    """
    pairs = {
        question: float(score) - float(other)
        for question in sorted(first.keys() & second.keys())
        if (score := second[question]) is not None and (other := first[question]) is not None
    }
    differences = list(pairs.values())
    found = estimate(differences, _clusters_of(list(pairs), clusters), seed=seed)
    n_dropped = len(first.keys() | second.keys()) - len(pairs)
    p = sign_flip_p(differences, seed=seed) if pairs else None
    tied = bool(pairs) and not any(differences)
    sd = found.sd
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
        mde80=None if sd is None else mde80(sd, len(pairs)),
        verdict="too few",
        sd=sd,
        n_dropped=n_dropped,
        n_needed=None if sd is None or found.mean is None else questions_needed(found.mean, sd),
        margin=scale.margin if scale else None,
        bootstrap95=found.bootstrap95,
        bounds=difference_bounds(first, second, scale.low, scale.high) if scale and n_dropped else None,
        notes=(*found.notes, StatNote("all_tied")) if tied else found.notes,
    )
    return _conclude(comparison, p)


def compare_all(
    scores: Mapping[str, Mapping[str, Scores]],
    baseline: str,
    clusters: Clusters | None = None,
    *,
    scales: Mapping[str, Scale | None],
    seed: int = 0,
) -> list[Comparison]:
    """Compares every other variant with `baseline`, Holm-adjusted across variants within each criterion.

    `scores` maps variant → criterion → scores by question; `scales` has the criteria's scales, as far as they
    are known. The result is in the order of the variants, and within each in that of the baseline's criteria.
    """
    others = [name for name in scores if name != baseline]
    by_criterion = []
    for criterion, first in scores[baseline].items():
        unadjusted = [
            compare(
                first,
                scores[name].get(criterion, {}),
                clusters,
                baseline=baseline,
                variant=name,
                criterion=criterion,
                scale=scales.get(criterion),
                seed=seed,
            )
            for name in others
        ]
        adjusted = holm([comparison.p_value for comparison in unadjusted])
        by_criterion.append([_conclude(one, p) for one, p in zip(unadjusted, adjusted, strict=True)])
    return [comparison for of_variant in zip(*by_criterion, strict=True) for comparison in of_variant]


def _conclude(comparison: Comparison, p_adjusted: float | None) -> Comparison:
    """`comparison` with its adjusted p and its conclusion.

    The permutation test treats questions as independent. When questions share documents, a difference must
    also show in the cluster-robust interval.
    """
    c = replace(comparison, p_adjusted=p_adjusted)
    clustered = 1 < c.n_clusters < c.n_pairs
    shown = p_adjusted is not None and p_adjusted < ALPHA
    if shown and clustered and c.ci95 is not None and c.ci95[0] <= 0 <= c.ci95[1]:
        shown = False
        c = replace(c, notes=(*c.notes, StatNote("p_ignores_clusters")))
    conclusion: Conclusion = "no difference shown"
    if c.n_pairs < FEWEST_PAIRS:
        conclusion = "too few"
    elif shown:
        conclusion = "better" if (c.mean_diff or 0.0) > 0 else "worse"
    elif c.margin is not None and c.equivalent_within(c.margin):
        conclusion = "equivalent"
    return replace(c, verdict=conclusion)


def _clusters_of(questions: Sequence[str], clusters: Clusters | None) -> list[Hashable] | None:
    if clusters is None:
        return None
    if all(q in clusters for q in questions):
        return [clusters[q] for q in questions]
    return [(True, clusters[q]) if q in clusters else (False, q) for q in questions]


def _counts(values: Sequence[float], scale: Scale | None) -> dict[str, int] | None:
    if any(value != int(value) for value in values):
        return None
    levels: Sequence[int] = scale.levels if scale and len(scale.levels) <= _MOST_LEVELS else ()
    levels = levels or sorted({int(value) for value in values})
    return {str(level): values.count(level) for level in levels} if len(levels) <= _MOST_LEVELS else None


def _to_dict(
    record: Distribution | Comparison, note_text: NoteText, optional: Sequence[str]
) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name in record.__slots__:
        value = getattr(record, name)
        if name == "notes":
            value = list(map(note_text, value))
        elif isinstance(value, tuple):
            value = list(value)
        if value or name not in optional:
            fields[name] = value
    return fields
