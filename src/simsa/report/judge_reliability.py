"""How far the scores of a judge can be relied on: panel members, repeats, expected scores, halo and length."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from simsa.records import TOTAL, Criteria, Number
from simsa.report.score_matrix import Mean, ScoreMatrix, score_names
from simsa.report.variance_report import Judgement, Judgements
from simsa.store import PanelJudgement, Store, expected, members, repeats

if TYPE_CHECKING:
    from simsa.stats import LengthBias, Spread

K = TypeVar("K")
MeansByVariant = Mapping[str, Mapping[str, Mean]]


class PanelAgreement(NamedTuple):
    """Agreement of the members on one criterion, over `n` items that at least two of them scored.

    `differ` is the share of items on which they differ, `sd` the pooled standard deviation in
    points, `alpha` Krippendorff's ordinal α.
    """

    n: int
    differ: float
    sd: float
    alpha: float | None


@dataclass(frozen=True, slots=True)
class PanelMember:
    """One judge of a panel: judgements with scores, those without by status, means by variant."""

    name: str
    n_scored: int
    unscored: Mapping[str, int]
    means: MeansByVariant

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "n_scored": self.n_scored,
            "unscored": dict(self.unscored),
            "means": _means_to_dict(self.means),
        }


@dataclass(frozen=True, slots=True)
class PanelInfo:
    """A panel's members and their agreement by criterion."""

    members: tuple[PanelMember, ...]
    agreement: Mapping[str, PanelAgreement]

    def to_dict(self) -> dict[str, Any]:
        return {
            "members": [member.to_dict() for member in self.members],
            "agreement": {name: found._asdict() for name, found in self.agreement.items()},
        }


@dataclass(frozen=True, slots=True)
class RepeatsInfo:
    """How far repeats of the same request to the same judge differ.

    `noise` is by criterion and for the total, over answers that have at least two repeats.
    `means` are the means over all repeats by variant. `judgements` are the repeats' scores; empty
    when more than one judge judged.
    """

    n: int
    temperature: float | None
    noise: Mapping[str, Spread]
    means: MeansByVariant = field(default_factory=dict)
    judgements: Judgements = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return {
            "n": self.n,
            "temperature": self.temperature,
            "noise": {name: found._asdict() for name, found in self.noise.items()},
            "means": _means_to_dict(self.means),
        }


@dataclass(frozen=True, slots=True)
class ExpectedScores:
    """Means of one variant's expected scores: of each criterion and, over complete rows, of the total.

    `missing` counts the scored criteria that have no expected score, by reason.
    """

    means: Mapping[str, Mean] = field(default_factory=dict)
    missing: Mapping[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        means = {name: found._asdict() for name, found in self.means.items()}
        return means | {"missing": dict(self.missing)}


def panel(store: Store, names: Sequence[str], criteria: Criteria) -> PanelInfo | None:
    """The panel with the members `names`; None before any of them has judged."""
    from simsa.stats import ordinal_alpha, spread

    items: dict[str, dict[str, PanelJudgement]] = {}
    rows: dict[tuple[str, str, str, int], dict[str, int]] = {}
    for one in members(store):
        items.setdefault(one.made, {})[one.member] = one
        row = (one.variant, one.member, one.question_id, one.sample)
        rows.setdefault(row, {}).update(one.scores)
    if not items:
        return None
    agreement = {}
    for criterion in criteria:
        name = criterion.name
        scored = [[said[m].scores.get(name) if m in said else None for m in names] for said in items.values()]
        if found := spread([score for score in scores if score is not None] for scores in scored):
            agreement[name] = PanelAgreement(
                found.n, found.differ, found.sd, ordinal_alpha(scored, criterion.levels)
            )
    means: dict[str, dict[str, Mapping[str, Mean]]] = {name: {} for name in names}
    by_key = _means((((member, v), scores) for (v, member, *_), scores in rows.items()), criteria)
    for (member, variant), found_means in by_key.items():
        means.setdefault(member, {})[variant] = found_means
    statuses = {name: Counter(said[name].status for said in items.values() if name in said) for name in names}
    unscored = {
        name: {status: n for status, n in sorted(counts.items()) if status != "scored"}
        for name, counts in statuses.items()
    }
    return PanelInfo(
        tuple(PanelMember(name, statuses[name]["scored"], unscored[name], means[name]) for name in names),
        agreement,
    )


def repeated(store: Store, n: int, temperature: float | None, criteria: Criteria) -> RepeatsInfo | None:
    """What `n` repeats at `temperature` showed; None before there are any."""
    from simsa.stats import spread

    rows: dict[tuple[str, str, str, int], dict[int, dict[str, int]]] = {}
    for one in repeats(store):
        if one.repeat is not None:
            by_repeat = rows.setdefault((one.variant, one.member, one.question_id, one.sample), {})
            by_repeat.setdefault(one.repeat, {}).update(one.scores)
    if not rows:
        return None
    scored = {row: [_with_total(s, criteria) for s in found.values()] for row, found in rows.items()}
    noise = {
        name: found
        for name in score_names(criteria)
        if (found := spread([s[name] for s in of_row if name in s] for of_row in scored.values()))
    }
    judgements: dict[tuple[str, str], list[Judgement]] = {}
    several_judges = len({member for _, member, *_ in rows}) > 1
    for (variant, _, question, sample), of_row in () if several_judges else scored.items():
        for name in score_names(criteria):
            found_scores = [(question, str(sample), float(s[name])) for s in of_row if name in s]
            if found_scores:
                judgements.setdefault((variant, name), []).extend(found_scores)
    means = _means(((v, s) for (v, *_), found in rows.items() for s in found.values()), criteria)
    return RepeatsInfo(n, temperature, noise, means, judgements)


def sub_scores(
    store: Store, question_id: str, criteria: Criteria, sample: int = 0
) -> dict[str, dict[str, Any]]:
    """Variant → scores of panel members and of repeats for its answer to one question, as JSON has them.

    A variant without any has no key.
    """
    found: dict[str, dict[str, Any]] = {}
    for one in (one for one in members(store, question_id) if one.sample == sample):
        by_member = found.setdefault(one.variant, {}).setdefault("members", {})
        by_member.setdefault(one.member, {}).update(one.scores)
    for said in found.values():
        said["members"] = {
            member: {name: scores[name] for name in criteria.names if name in scores}
            for member, scores in said["members"].items()
        }
    rows: dict[str, dict[tuple[str, int | None], dict[str, int]]] = {}
    for one in (one for one in repeats(store, question_id) if one.sample == sample):
        rows.setdefault(one.variant, {}).setdefault((one.member, one.repeat), {}).update(one.scores)
    for variant, by_repeat in rows.items():
        scored = [_with_total(one_repeat, criteria) for one_repeat in by_repeat.values()]
        found.setdefault(variant, {})["repeats"] = {
            name: {
                "scores": values,
                "mean": statistics.fmean(values),
                "sd": statistics.stdev(values) if len(values) > 1 else None,
            }
            for name in score_names(criteria)
            if (values := [scores[name] for scores in scored if name in scores])
        }
    return found


def expected_scores(store: Store, criteria: Criteria) -> dict[str, ExpectedScores]:
    """Variant → its expected scores; empty where the judge was not asked for token probabilities."""
    rows: list[tuple[str, dict[str, float]]] = []
    missing: dict[str, Counter[str]] = {}
    for _, variant, row in expected(store):
        missing.setdefault(variant, Counter()).update(e.reason for e in row.values() if e.score is None)
        rows.append((variant, {name: e.score for name, e in row.items() if e.score is not None}))
    means = _means(rows, criteria)
    return {
        variant: ExpectedScores(means.get(variant, {}), dict(sorted(reasons.items())))
        for variant, reasons in missing.items()
    }


def context_spread(matrix: ScoreMatrix) -> dict[str, Spread]:
    """How far scores that do not depend on the prediction differ between variants on the same question.

    In a joint call they are judged again for every variant, so a difference is noise of the judge
    or a halo of the answer.
    """
    from simsa.stats import spread

    found = {}
    for criterion in matrix.criteria:
        if criterion.sees_prediction:
            continue
        columns = [matrix.answers(variant, criterion.name)[0].tolist() for variant in matrix.variants]
        of_questions = zip(*columns, strict=True)
        found[criterion.name] = spread([s for s in scores if s == s] for scores in of_questions)
    return {name: one for name, one in found.items() if one is not None}


def length_biases(matrix: ScoreMatrix) -> dict[str, LengthBias]:
    """How scores change with the length of answers to the same question; {} where there is one variant."""
    import numpy as np

    from simsa.stats import length_bias

    if len(matrix.variants) < 2:
        return {}
    sees = [criterion.name for criterion in matrix.criteria if criterion.sees_prediction]
    found = {}
    for name in [*sees, TOTAL] if TOTAL in matrix.score_names else sees:
        places: list[int] = []
        scores: list[float] = []
        lengths: list[int] = []
        names: list[str] = []
        for variant in matrix.variants:
            column, length = matrix.column(variant, name), matrix.column(variant, "answer_length")
            there = np.flatnonzero(np.isfinite(column) & np.isfinite(length)).tolist()
            places += there
            scores += column[there].tolist()
            lengths += length[there].astype(int).tolist()
            names += [variant] * len(there)
        if places:
            found[name] = length_bias(scores, lengths, places, names, matrix.clusters_at(places))
    return found


def _with_total(scores: Mapping[str, Number], criteria: Criteria) -> dict[str, Number]:
    total = criteria.total(scores)
    return dict(scores) if total is None else {**scores, TOTAL: total}


def _means(rows: Iterable[tuple[K, Mapping[str, Number]]], criteria: Criteria) -> dict[K, dict[str, Mean]]:
    values: dict[K, dict[str, list[Number]]] = {}
    for key, scores in rows:
        for name, score in _with_total(scores, criteria).items():
            values.setdefault(key, {}).setdefault(name, []).append(score)
    return {
        key: {
            name: Mean(math.fsum(scored) / len(scored), len(scored))
            for name in score_names(criteria)
            if (scored := found.get(name))
        }
        for key, found in values.items()
    }


def _means_to_dict(means: MeansByVariant) -> dict[str, Any]:
    return {
        variant: {name: found._asdict() for name, found in by_name.items()}
        for variant, by_name in means.items()
    }
