"""Compares a judge's scores with people's labels, and corrects the judge's means by them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, groupby
from statistics import fmean
from typing import Any, NamedTuple

from simsa.data.score_files import Scores
from simsa.judge_eval.calibration_result import (
    BAR_KAPPA,
    BAR_LOWER,
    Calibration,
    CalibrationNote,
    CorrectedDifference,
    CriterionResult,
    People,
    RaterPair,
)
from simsa.judge_eval.label_files import CriterionScales, HumanLabels
from simsa.judge_eval.sampling import AnswerCodes
from simsa.records import TOTAL, Criteria, Criterion, Number
from simsa.stats.agreement import Agreement, agree, agree_unrounded, ordinal_alpha
from simsa.stats.ppi import (
    FEWEST_LABELS,
    Corrected,
    corrected_difference,
    corrected_mean,
    documents,
    stratified_mean,
)
from simsa.store import Store, criteria_of, results
from simsa.store.labels import LabeledAnswer

_MOST_LEVELS = 41
_DEFAULT = Criterion("")

Labels = Mapping[LabeledAnswer, Mapping[str, Number]]
"""Answer → annotator → score."""
_ByQuestion = dict[str, dict[str, float]]
"""Variant → question → value."""


class JudgeScores(NamedTuple):
    """A judge's scores (variant → criterion → question id → score) and the answers that they belong to.

    `clusters` is question id → source document, where known. When variants answered several times, a question's
    score is the mean over its answers, and `each` has criterion → answer → score; else `each` is empty.
    `declared` are the criteria of known scale.
    """

    scores: Scores
    answers: AnswerCodes
    clusters: Mapping[str, str] = {}
    each: Mapping[str, Mapping[LabeledAnswer, float]] = {}
    declared: Criteria = Criteria()

    def of(self, criterion: str, answer: LabeledAnswer) -> float | None:
        """The judge's score of this answer; None when there is none."""
        if self.each:
            return self.each[criterion].get(answer)
        return self.scores[answer.variant].get(criterion, {}).get(answer.question_id)

    @property
    def criteria(self) -> CriterionScales:
        """The criteria without the total, by name; None for an unknown scale."""
        names = dict.fromkeys(name for of_variant in self.scores.values() for name in of_variant)
        return {name: self.declared.named(name) for name in names if name != TOTAL}


def judged_by_run(store: Store) -> JudgeScores:
    """The scores of a run's judge."""
    declared = criteria_of(store)
    names = (*declared.names, TOTAL)
    scores: Scores = {variant: {name: {} for name in names} for variant in store.variants()}
    hashes: dict[LabeledAnswer, str] = {}
    clusters: dict[str, str] = {}
    each: dict[str, dict[LabeledAnswer, float]] = {name: {} for name in names}
    for (question_id, variant), rows in groupby(
        results(store, sample=None), key=lambda r: (r.question_id, r.variant)
    ):
        answered = [result for result in rows if result.prediction is not None]
        for result in answered:
            hashes[LabeledAnswer(question_id, variant, result.sample)] = result.answer_hash
            clusters[question_id] = result.cluster
        for name in names if answered else ():
            found = {
                LabeledAnswer(question_id, variant, result.sample): score
                for result in answered
                if (score := result.total if name == TOTAL else result.scores.get(name)) is not None
            }
            scores[variant][name][question_id] = fmean(found.values()) if found else None
            each[name] |= found
    several = any(answer.sample for answer in hashes)
    return JudgeScores(scores, AnswerCodes(hashes), clusters, each if several else {}, declared)


def judged_by_table(
    scores: Scores, clusters: Mapping[str, str] | None = None, declared: Iterable[Criterion] = ()
) -> JudgeScores:
    """The scores of a table, as `simsa.data.score_files` reads it; `declared` are criteria of known scale."""
    keys = ((q, v) for v, found in scores.items() for of_criterion in found.values() for q in of_criterion)
    return JudgeScores(scores, AnswerCodes(dict.fromkeys(keys, "")), clusters or {}, {}, Criteria(declared))


def calibrate(
    judged: JudgeScores,
    labelled: HumanLabels,
    baseline: str | None = None,
    *,
    judge: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> Calibration:
    """Agreement of the judge with people and of people among themselves, and corrected means and differences.

    `baseline` is the variant to compare the others with, the first by default. Raises ValueError when it is
    unknown.
    """
    variants = tuple(judged.scores)
    baseline = variants[0] if baseline is None else baseline
    if baseline not in judged.scores:
        raise ValueError(f"no variant {baseline!r}")
    found = {
        name: _CriterionCalibration(name, labels, judged, labelled.weights, baseline, seed).result()
        for name in (*judged.criteria, TOTAL)
        if (labels := _labels_of(labelled, name, judged.declared))
    }
    total = found.pop(TOTAL, None)
    calibration = Calibration(
        criteria=found,
        total=total if any(TOTAL in scores for scores in judged.scores.values()) else None,
        baseline=baseline,
        variants=variants,
        annotators=tuple(sorted({label.annotator for label in labelled.labels})),
        n_answers=len({label.answer for label in labelled.labels}),
        judge=judge,
    )
    return replace(calibration, notes=tuple(_notes(calibration, labelled)))


def _notes(found: Calibration, labelled: HumanLabels) -> Iterator[CalibrationNote]:
    if found.weak:
        yield CalibrationNote.of("below_bar", bar=BAR_KAPPA, lower=BAR_LOWER, list=found.weak)
    if labelled.n_outdated:
        yield CalibrationNote.of("outdated", n=labelled.n_outdated)
    if any(one.people is not None for one in found.criteria.values()):
        yield CalibrationNote.of("several")
    if labelled.weights:
        yield CalibrationNote.of("stratified")
    elif any(c.mean is not None for one in found.criteria.values() for c in one.corrected.values()):
        yield CalibrationNote.of("at_random")


def _labels_of(
    labelled: HumanLabels, criterion: str, declared: Criteria
) -> dict[LabeledAnswer, dict[str, Number]]:
    found: dict[LabeledAnswer, dict[str, Number]] = {}
    for label in labelled.labels:
        score = declared.total(label.scores) if criterion == TOTAL else label.scores.get(criterion)
        if score is not None:
            found.setdefault(label.answer, {})[label.annotator] = score
    return found


class _Pair(NamedTuple):
    """One label and the judge's score of the same answer; `weight` as in a stratified sample."""

    answer: LabeledAnswer
    label: Number
    score: float
    weight: float | None


@dataclass(frozen=True, slots=True)
class _CriterionCalibration:
    """The calibration of one criterion, or of the total."""

    name: str
    labels: Labels
    judged: JudgeScores
    weights: Mapping[LabeledAnswer, float]
    baseline: str
    seed: int

    def result(self) -> CriterionResult:
        variants = self.judged.scores
        pairs = [
            _Pair(answer, label, score, self.weights.get(answer))
            for answer, by_annotator in sorted(self.labels.items())
            if (score := self.judged.of(self.name, answer)) is not None
            for _, label in sorted(by_annotator.items())
        ]
        levels = self._levels({float(pair.score) for pair in pairs} | self._label_values())
        notes = []
        n_unscored = sum(map(len, self.labels.values())) - len(pairs)
        if n_unscored:
            notes.append(CalibrationNote.of("unscored", n=n_unscored))
        corrected, differences = self._corrected()
        for variant, of_variant in corrected.items():
            notes += _uncorrected(variant, of_variant)
        for difference in differences:
            notes += _uncorrected(f"{difference.variant} − {self.baseline}", difference.corrected)
        return CriterionResult(
            name=self.name,
            agreement=self._agreement(pairs, levels),
            variants={
                v: self._agreement([p for p in pairs if p.answer.variant == v], levels) for v in variants
            },
            people=self._people(),
            corrected=corrected,
            differences=differences,
            levels=tuple(levels or ()),
            n_unscored=n_unscored,
            notes=tuple(notes),
        )

    def _agreement(self, pairs: Sequence[_Pair], levels: Sequence[int] | None) -> Agreement:
        labels, scores = [pair.label for pair in pairs], [pair.score for pair in pairs]
        # The bootstrap draws whole documents, or questions when all answers are of one document.
        items = [self._clusters.get(pair.answer.question_id, pair.answer.question_id) for pair in pairs]
        if len(set(items)) <= 1:
            items = [pair.answer.question_id for pair in pairs]
        known = [pair.weight for pair in pairs if pair.weight is not None]
        weights = known if len(known) == len(pairs) else None
        if levels is not None:
            whole = list(map(int, labels)), list(map(int, scores))
            return agree(*whole, levels, items=items, weights=weights, seed=self.seed)
        low, high = self._range()
        return agree_unrounded(
            labels,
            scores,
            same_scale=all(low <= score <= high for score in scores),
            items=items,
            weights=weights,
            seed=self.seed,
        )

    @property
    def _clusters(self) -> Mapping[str, str]:
        """Question → document; empty when no two questions share one."""
        found = self.judged.clusters
        return found if len(set(found.values())) < len(found) else {}

    def _label_values(self) -> set[float]:
        return {float(score) for by_annotator in self.labels.values() for score in by_annotator.values()}

    def _declared(self) -> tuple[float, float] | None:
        """Lowest and highest score, when the scale is known."""
        declared = self.judged.declared
        if self.name == TOTAL:
            low, high = declared.min_total, declared.max_total
            return None if low is None or high is None else (low, high)
        criterion = declared.named(self.name)
        return None if criterion is None else (criterion.low, criterion.high)

    def _range(self) -> tuple[float, float]:
        values = self._label_values()
        return self._declared() or (min(values), max(values))

    def _levels(self, seen: set[float]) -> Sequence[int] | None:
        """The scale's whole scores; None when a score is not whole, or there are too many levels for a table.

        Of an unknown scale they are those of the default one or, if a score lies outside, the range of `seen`.
        """
        if any(score != int(score) for score in seen):
            return None
        low, high = int(min(seen)), int(max(seen))
        declared = self._declared()
        scale = declared or (_DEFAULT.low, _DEFAULT.high)
        inside = scale[0] <= low and high <= scale[1]
        if declared and not inside and self.name != TOTAL:
            return None
        levels: Sequence[int] = range(int(scale[0]), int(scale[1]) + 1) if inside else range(low, high + 1)
        if len(levels) > _MOST_LEVELS:
            levels = sorted(map(int, seen))
        return levels if len(levels) <= _MOST_LEVELS else None

    def _people(self) -> People | None:
        """Annotators against each other, on the answers that at least two labelled."""
        shared = {answer: by for answer, by in sorted(self.labels.items()) if len(by) > 1}
        levels = self._levels(self._label_values())
        if not shared or levels is None:
            return None
        names = sorted({name for by in shared.values() for name in by})
        pairs = []
        for a, b in combinations(names, 2):
            both = [(by[a], by[b]) for by in shared.values() if a in by and b in by]
            if both:
                firsts, seconds = [int(x) for x, _ in both], [int(y) for _, y in both]
                pairs.append(RaterPair(a, b, agree(firsts, seconds, levels, seed=self.seed)))
        alpha = ordinal_alpha([[by.get(name) for name in names] for by in shared.values()], levels)
        return People(len(shared), alpha, tuple(pairs))

    def _corrected(self) -> tuple[dict[str, Corrected], tuple[CorrectedDifference, ...]]:
        clusters = self._clusters or None
        judged = {
            variant: {q: s for q, s in by_criterion.get(self.name, {}).items() if s is not None}
            for variant, by_criterion in self.judged.scores.items()
        }
        means, seen = self._question_means()
        strata = {(answer.question_id, answer.variant): weight for answer, weight in self.weights.items()}

        def mean(variant: str) -> Corrected:
            labels = means[variant]
            if strata:
                weights = {q: strata.get((q, variant), 1.0) for q in labels}
                return stratified_mean(labels, weights, judged[variant].values(), clusters)
            labelled = sorted(labels)
            others = [q for q in sorted(judged[variant]) if q not in labels]
            found = corrected_mean(
                [labels[q] for q in labelled],
                [seen[variant][q] for q in labelled],
                [judged[variant][q] for q in others],
                documents(clusters, labelled, others),
            )
            return replace(found, naive=_mean(judged[variant].values()))

        def difference(variant: str) -> Corrected:
            first, second = means[self.baseline], means[variant]
            scored = sorted(judged[self.baseline].keys() & judged[variant].keys())
            differences = [judged[variant][q] - judged[self.baseline][q] for q in scored]
            labelled = first.keys() & second.keys()
            if strata:
                labels = {q: second[q] - first[q] for q in labelled}
                weights = {q: strata.get((q, self.baseline), 1.0) for q in labels}
                return stratified_mean(labels, weights, differences, clusters)
            both = [judged[v] | {q: seen[v][q] for q in labelled} for v in (self.baseline, variant)]
            found = corrected_difference((first, second), (both[0], both[1]), clusters)
            return replace(found, naive=_mean(differences))

        others = (variant for variant in judged if variant != self.baseline)
        return {variant: mean(variant) for variant in judged}, tuple(
            CorrectedDifference(self.baseline, variant, difference(variant)) for variant in others
        )

    def _question_means(self) -> tuple[_ByQuestion, _ByQuestion]:
        """Mean label of each question's labelled answers that the judge scored, and the judge's mean of the same.

        When variants answered several times, a label is compared with the judge's score of the same answer.
        """
        pairs: dict[tuple[str, str], list[tuple[float, float]]] = {}
        for answer, people in self.labels.items():
            score = self.judged.of(self.name, answer)
            if score is not None:
                pair = sum(people.values()) / len(people), score
                pairs.setdefault((answer.variant, answer.question_id), []).append(pair)
        means: _ByQuestion = {variant: {} for variant in self.judged.scores}
        seen: _ByQuestion = {variant: {} for variant in self.judged.scores}
        for (variant, question), found in pairs.items():
            means[variant][question] = fmean(label for label, _ in found)
            seen[variant][question] = fmean(score for _, score in found)
        return means, seen


def _mean(scores: Iterable[float]) -> float | None:
    values = list(scores)
    return math.fsum(values) / len(values) if values else None


def _uncorrected(what: str, found: Corrected) -> list[CalibrationNote]:
    if found.mean is not None:
        return []
    if found.n_labels >= FEWEST_LABELS:
        return [CalibrationNote.of("thin_stratum", what=what)]
    return [CalibrationNote.of("few_labels", what=what, n=found.n_labels, needed=FEWEST_LABELS)]
