"""Holds a judge's scores against people's, and corrects its means by them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
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
from simsa.judge_eval.label_files import TOTAL, HumanLabels
from simsa.judge_eval.sampling import AnswerCodes
from simsa.records import CRITERIA, MAX_SCORE, MAX_TOTAL
from simsa.stats.agreement import Agreement, agree, agree_unrounded, ordinal_alpha
from simsa.stats.ppi import (
    FEWEST_LABELS,
    Corrected,
    corrected_difference,
    corrected_mean,
    documents,
    stratified_mean,
)
from simsa.store import Store, results
from simsa.store.labels import LabeledAnswer

_WIDEST = 40


class JudgeScores(NamedTuple):
    """A judge's scores: variant → criterion → question id → score, and the answers they are of.

    `clusters` is question id → source document, where that is known. Where variants answered
    several times a question's score is the mean of its answers, and `each` has criterion →
    answer → score; else it is empty.
    """

    scores: Scores
    answers: AnswerCodes
    clusters: Mapping[str, str] = {}
    each: Mapping[str, Mapping[LabeledAnswer, float]] = {}

    def of(self, criterion: str, answer: LabeledAnswer) -> float | None:
        """What the judge gave this very answer; None where it gave nothing."""
        if self.each:
            return self.each[criterion].get(answer)
        return self.scores[answer.variant].get(criterion, {}).get(answer.question_id)

    @property
    def criteria(self) -> tuple[str, ...]:
        """Names of the criteria, without the total."""
        found = dict.fromkeys(name for of_variant in self.scores.values() for name in of_variant)
        return tuple(name for name in found if name != TOTAL)


def judged_by_run(store: Store) -> JudgeScores:
    """What the judge of a run said of its answers."""
    scores: Scores = {name: {c: {} for c in (*CRITERIA, TOTAL)} for name in store.variants()}
    hashes: dict[LabeledAnswer, str] = {}
    clusters: dict[str, str] = {}
    each: dict[str, dict[LabeledAnswer, float]] = {c: {} for c in (*CRITERIA, TOTAL)}
    for (question_id, variant), found in groupby(
        results(store, sample=None), key=lambda r: (r.question_id, r.variant)
    ):
        answered = [result for result in found if result.prediction is not None]
        for result in answered:
            hashes[LabeledAnswer(question_id, variant, result.sample)] = result.answer_hash
            clusters[question_id] = result.cluster
        for criterion in (*CRITERIA, TOTAL) if answered else ():
            given = {
                LabeledAnswer(question_id, variant, result.sample): score
                for result in answered
                if (score := result.total if criterion == TOTAL else result.scores.get(criterion)) is not None
            }
            scores[variant][criterion][question_id] = fmean(given.values()) if given else None
            each[criterion] |= given
    several = any(answer.sample for answer in hashes)
    return JudgeScores(scores, AnswerCodes(hashes), clusters, each if several else {})


def judged_by_table(scores: Scores, clusters: Mapping[str, str] | None = None) -> JudgeScores:
    """What a table of scores says, as `simsa.data.score_files` reads it."""
    keys = ((q, v) for v, found in scores.items() for of_criterion in found.values() for q in of_criterion)
    return JudgeScores(scores, AnswerCodes(dict.fromkeys(keys, "")), clusters or {})


def calibrate(
    judged: JudgeScores,
    labelled: HumanLabels,
    baseline: str | None = None,
    *,
    judge: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> Calibration:
    """Everything that `labelled` says of `judged`.

    `baseline` is the variant the others are compared with, the first by default. Raises
    ValueError when it is unknown.
    """
    variants = tuple(judged.scores)
    baseline = variants[0] if baseline is None else baseline
    if baseline not in judged.scores:
        raise ValueError(f"no variant {baseline!r}")
    of_criterion = {name: _labels_of(labelled, name) for name in (*judged.criteria, TOTAL)}
    found = {
        name: _criterion(name, labels, judged, labelled.weights, baseline, seed)
        for name, labels in of_criterion.items()
        if labels
    }
    total = found.pop(TOTAL, None)
    people = sorted({label.annotator for label in labelled.labels})
    several = any(one.people is not None for one in found.values())
    made = Calibration(
        criteria=found,
        total=total if any(TOTAL in scores for scores in judged.scores.values()) else None,
        baseline=baseline,
        variants=variants,
        annotators=tuple(people),
        n_answers=len({label.answer for label in labelled.labels}),
        judge=judge,
    )
    return replace(made, remarks=tuple(_remarks(made, labelled, several)))


def _remarks(made: Calibration, labelled: HumanLabels, several: bool) -> Iterable[CalibrationNote]:
    if made.weak:
        blanks = (("bar", BAR_KAPPA), ("lower", BAR_LOWER), ("list", made.weak))
        yield CalibrationNote("below_bar", blanks)
    if labelled.n_outdated:
        yield CalibrationNote("outdated", (("n", labelled.n_outdated),))
    if several:
        yield CalibrationNote("several")
    corrected = any(c.mean is not None for one in made.criteria.values() for c in one.corrected.values())
    if labelled.weights:
        yield CalibrationNote("stratified")
    elif corrected:
        yield CalibrationNote("at_random")


Labels = Mapping[LabeledAnswer, Mapping[str, int]]
"""Answer → annotator → score."""


def _labels_of(labelled: HumanLabels, criterion: str) -> dict[LabeledAnswer, dict[str, int]]:
    found: dict[LabeledAnswer, dict[str, int]] = {}
    for label in labelled.labels:
        if criterion == TOTAL:
            score = sum(label.scores[c] for c in CRITERIA) if label.scores.keys() >= set(CRITERIA) else None
        else:
            score = label.scores.get(criterion)
        if score is not None:
            found.setdefault(label.answer, {})[label.annotator] = score
    return found


def _criterion(
    name: str,
    labels: Labels,
    by: JudgeScores,
    weights: Mapping[LabeledAnswer, float],
    baseline: str,
    seed: int,
) -> CriterionResult:
    scores, clusters = by.scores, _clusters(by)
    judged = {variant: _known(scores[variant].get(name, {})) for variant in scores}
    held = [
        _Held(answer, label, score, weights.get(answer))
        for answer, by_annotator in sorted(labels.items())
        if (score := by.of(name, answer)) is not None
        for _, label in sorted(by_annotator.items())
    ]
    levels = _levels(name, {float(h.score) for h in held} | _said(labels))
    remarks = []
    n_unscored = sum(map(len, labels.values())) - len(held)
    if n_unscored:
        remarks.append(CalibrationNote("unscored", (("n", n_unscored),)))
    means, seen = _means(labels, name, by)
    of_questions = {(answer.question_id, answer.variant): weight for answer, weight in weights.items()}
    strata = {variant: {q: of_questions.get((q, variant), 1.0) for q in means[variant]} for variant in scores}
    corrected: dict[str, Corrected] = {}
    for variant in scores:
        of_strata = strata[variant] if weights else None
        corrected[variant] = _mean(means[variant], judged[variant], seen[variant], of_strata, clusters)
        remarks += _uncorrected(variant, corrected[variant])
    differences = tuple(
        CorrectedDifference(
            baseline,
            variant,
            _difference(
                means, judged, seen, baseline, variant, strata[baseline] if weights else None, clusters
            ),
        )
        for variant in scores
        if variant != baseline
    )
    for difference in differences:
        remarks += _uncorrected(f"{difference.variant} − {baseline}", difference.corrected)
    agreement = _Agreement(name, levels, clusters or {}, _said(labels), seed)
    return CriterionResult(
        name=name,
        agreement=agreement.of(held),
        variants={v: agreement.of([h for h in held if h.answer[1] == v]) for v in scores},
        people=_people(labels, _levels(name, _said(labels)), seed),
        corrected=corrected,
        differences=differences,
        levels=tuple(levels or ()),
        n_unscored=n_unscored,
        remarks=tuple(remarks),
    )


def _clusters(judged: JudgeScores) -> Mapping[str, str] | None:
    """Question → document; None where no two questions share one."""
    found = judged.clusters
    return found if len(set(found.values())) < len(found) else None


class _Held(NamedTuple):
    """One label beside the judge's score of the same answer."""

    answer: LabeledAnswer
    label: int
    score: float
    weight: float | None = None
    """How many questions it stands for, in a draw by strata."""


class _Agreement(NamedTuple):
    """How labels of one criterion are held against scores: on which levels, and what the bootstrap draws."""

    name: str
    levels: Sequence[int] | None
    clusters: Mapping[str, str]
    said: set[float]
    seed: int

    def of(self, held: Sequence[_Held]) -> Agreement:
        labels, scores = [h.label for h in held], [h.score for h in held]
        items = self._items(held)
        known = [h.weight for h in held if h.weight is not None]
        weights = known if len(known) == len(held) else None
        if self.levels is not None:
            whole = list(map(int, scores))
            return agree(labels, whole, self.levels, items=items, weights=weights, seed=self.seed)
        same_scale = all(self._on_scale(score) for score in scores)
        return agree_unrounded(
            labels, scores, same_scale=same_scale, items=items, weights=weights, seed=self.seed
        )

    def _items(self, held: Sequence[_Held]) -> list[str]:
        """What belongs together: a document's answers, or a question's where all are of one document."""
        documents = [self.clusters.get(h.answer[0], h.answer[0]) for h in held]
        return documents if len(set(documents)) > 1 else [h.answer[0] for h in held]

    def _on_scale(self, score: float) -> bool:
        if self.name in CRITERIA:
            return 1 <= score <= MAX_SCORE
        if self.name == TOTAL:
            return len(CRITERIA) <= score <= MAX_TOTAL
        return min(self.said) <= score <= max(self.said)


def _said(labels: Labels) -> set[float]:
    return {float(score) for by in labels.values() for score in by.values()}


def _levels(name: str, seen: set[float]) -> Sequence[int] | None:
    """The scale of whole scores: 1–5, or the range of what was seen; None where a score is not whole."""
    if any(score != int(score) for score in seen):
        return None
    low, high = int(min(seen)), int(max(seen))
    if low >= 1 and high <= MAX_SCORE and name != TOTAL:
        return range(1, MAX_SCORE + 1)
    if name == TOTAL and low >= len(CRITERIA) and high <= MAX_TOTAL:
        return range(len(CRITERIA), MAX_TOTAL + 1)
    if name in CRITERIA or high - low > _WIDEST:
        return None
    return range(low, high + 1)


def _people(labels: Labels, levels: Sequence[int] | None, seed: int) -> People | None:
    """Annotators against each other, on the answers that at least two labelled."""
    shared = {answer: by for answer, by in sorted(labels.items()) if len(by) > 1}
    if not shared or levels is None:
        return None
    names = sorted({name for by in shared.values() for name in by})
    table = [[by.get(name) for name in names] for by in shared.values()]
    pairs = []
    for a, b in combinations(names, 2):
        both = [(by[a], by[b]) for by in shared.values() if a in by and b in by]
        if both:
            pairs.append(
                RaterPair(a, b, agree([x for x, _ in both], [y for _, y in both], levels, seed=seed))
            )
    return People(len(shared), ordinal_alpha(table, levels), tuple(pairs))


_Figures = dict[str, dict[str, float]]
"""Variant → question → figure."""


def _means(labels: Labels, criterion: str, by: JudgeScores) -> tuple[_Figures, _Figures]:
    """Mean label of each question's labelled answers that the judge scored too, and the judge's of the same answers.

    Where variants answered several times a label says something of one answer: it is held
    against the judge's score of that one, which is as good for the question's mean as any other.
    """
    given: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for answer, people in labels.items():
        score = by.of(criterion, answer)
        if score is not None:
            pair = sum(people.values()) / len(people), score
            given.setdefault((answer.variant, answer.question_id), []).append(pair)
    means: _Figures = {variant: {} for variant in by.scores}
    seen: _Figures = {variant: {} for variant in by.scores}
    for (variant, question), pairs in given.items():
        means[variant][question] = fmean(label for label, _ in pairs)
        seen[variant][question] = fmean(score for _, score in pairs)
    return means, seen


def _mean(
    means: Mapping[str, float],
    judged: Mapping[str, float],
    seen: Mapping[str, float],
    strata: Mapping[str, float] | None,
    clusters: Mapping[str, str] | None,
) -> Corrected:
    if strata is not None:
        return stratified_mean(means, strata, judged.values(), clusters)
    labelled = sorted(means)
    others = [q for q in sorted(judged) if q not in means]
    found = corrected_mean(
        [means[q] for q in labelled],
        [seen[q] for q in labelled],
        [judged[q] for q in others],
        documents(clusters, labelled, others),
    )
    return replace(found, naive=_plain_mean(judged.values()))


def _difference(
    means: _Figures,
    judged: _Figures,
    seen: _Figures,
    baseline: str,
    variant: str,
    strata: Mapping[str, float] | None,
    clusters: Mapping[str, str] | None,
) -> Corrected:
    first, second = means[baseline], means[variant]
    both = sorted(judged[baseline].keys() & judged[variant].keys())
    apart = [judged[variant][q] - judged[baseline][q] for q in both]
    if strata is None:
        held = first.keys() & second.keys()
        of_both = [judged[v] | {q: seen[v][q] for q in held} for v in (baseline, variant)]
        found = corrected_difference((first, second), (of_both[0], of_both[1]), clusters)
        return replace(found, naive=_plain_mean(apart))
    labels = {q: second[q] - first[q] for q in first.keys() & second.keys()}
    return stratified_mean(labels, {q: strata[q] for q in labels}, apart, clusters)


def _plain_mean(scores: Iterable[float]) -> float | None:
    found = list(scores)
    return math.fsum(found) / len(found) if found else None


def _uncorrected(what: str, found: Corrected) -> list[CalibrationNote]:
    if found.mean is not None:
        return []
    if found.n_labels >= FEWEST_LABELS:
        return [CalibrationNote("thin_stratum", (("what", what),))]
    return [CalibrationNote("few_labels", (("what", what), ("n", found.n_labels), ("needed", FEWEST_LABELS)))]


def _known(scores: Mapping[str, float | None]) -> dict[str, float]:
    return {question: score for question, score in scores.items() if score is not None}
