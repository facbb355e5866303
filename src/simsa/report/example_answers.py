"""Questions worth a look, with every variant's answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from simsa.records import TOTAL, Criteria, Number
from simsa.report.score_checks import answer_contradiction, contradictions
from simsa.report.score_matrix import MISSING, ScoreMatrix
from simsa.report.summary_model import Example, ExampleAnswer, Kind
from simsa.store import Claimed, Result, Store, analyses, claimed, criteria_of, results

if TYPE_CHECKING:
    from simsa.report.score_matrix import Floats


def pick(
    matrix: ScoreMatrix, kind: Kind, n: int, variants: Sequence[str] = (), type: str | None = None
) -> list[str]:
    """Ids of at most `n` questions of one kind, the most striking first; ties are in the order of the test set.

    "best" and "worst" rank by the mean total of `variants` (all by default), "differs" by the distance
    between their lowest and highest total, over questions on which all of them have one; a question's total is
    the mean over its answers. "disputed" ranks by how far claims contradict the faithfulness score, "unsteady"
    by how far the totals of one variant's own answers differ. Without a total the sum of the criteria counts.
    """
    import numpy as np

    names = list(variants) or list(matrix.variants)
    if not names or not matrix.question_ids:
        return []
    rank = _rank(matrix, kind, names)
    wanted = np.isfinite(rank)
    if type is not None:
        wanted &= np.array([found == type for found in matrix.types])
    places = np.flatnonzero(wanted)
    order = places[np.argsort(rank[places], kind="stable")]
    return [matrix.question_ids[place] for place in order[:n]]


def _rank(matrix: ScoreMatrix, kind: Kind, names: Sequence[str]) -> Floats:
    """The value to sort the questions by, the lowest first; NaN leaves a question out."""
    import numpy as np

    scores = (TOTAL,) if TOTAL in matrix.score_names else matrix.criteria.names
    if not scores:
        return np.full(len(matrix.question_ids), MISSING)
    if kind in ("disputed", "unsteady"):
        rows = []
        for name in names:
            if kind == "disputed":
                rows.append(contradictions(matrix, name))
            else:
                rows.append(_range(np.sum([matrix.answers(name, one) for one in scores], axis=0)))
        values = np.concatenate([np.nan_to_num(found, nan=-1.0) for found in rows])
        most: Floats = values.max(axis=0)
        return np.where(most >= 0, -most, MISSING)
    totals = np.stack([np.sum([matrix.column(name, one) for one in scores], axis=0) for name in names])
    if kind == "differs":
        return np.asarray(totals.min(axis=0) - totals.max(axis=0))
    mean: Floats = totals.mean(axis=0)
    return -mean if kind == "best" else mean


def _range(totals: Floats) -> Floats:
    """By how much a variant's answers differ, question by question, as one row; NaN where they do not."""
    import numpy as np

    there = np.isfinite(totals)
    span = np.where(there, totals, -np.inf).max(axis=0) - np.where(there, totals, np.inf).min(axis=0)
    found: Floats = np.where(there.any(axis=0) & (span > 0), span, MISSING)[np.newaxis]
    return found


def show(store: Store, kind: Kind, question_ids: Iterable[str]) -> list[Example]:
    """The questions with every variant's answer, its scores and the judge's explanation.

    Of several answers to a question the one is shown for which it was picked: the best, the worst, the one
    whose claims contradict its score most; for "differs" the one nearest to the mean, for "unsteady" the worst
    and the best.
    """
    return [example for found in question_ids if (example := _example(store, kind, found))]


def _example(store: Store, kind: Kind, question_id: str) -> Example | None:
    question = store.question(question_id)
    if question is None:
        return None
    criteria = criteria_of(store)
    listed = {(row.variant, row.sample): row for row in claimed(store, question_id, sample=None)}
    by_variant: dict[str, list[Result]] = {}
    for result in results(store, question_id=question_id, sample=None):
        by_variant.setdefault(result.variant, []).append(result)
    answers = []
    for found in by_variant.values():
        for one in _shown(kind, found, listed, criteria):
            said = analyses(store, question_id, one.variant, one.sample)
            answers.append(
                ExampleAnswer(
                    one.variant,
                    one.prediction,
                    one.status,
                    one.scores,
                    "\n".join(analysis for _, analysis, _ in said if analysis),
                    claimed=listed.get((one.variant, one.sample)),
                    sample=one.sample,
                    others=tuple(other for other in found if other is not one),
                    total=one.total,
                )
            )
    return Example(kind, question, tuple(answers), criteria)


def _shown(
    kind: Kind,
    answers: Sequence[Result],
    listed: Mapping[tuple[str, int], Claimed],
    criteria: Criteria,
) -> list[Result]:
    """The answers of one variant to show; the first when none is scored."""
    scored = sorted((a for a in answers if a.status == "scored"), key=_total)
    if not scored:
        return [answers[0]]
    worst, best = scored[0], max(scored, key=_total)
    match kind:
        case "best":
            return [best]
        case "differs":
            mean = fmean(map(_total, scored))
            return [min(scored, key=lambda a: abs(_total(a) - mean))]
        case "disputed":

            def contradiction(answer: Result) -> float:
                return answer_contradiction(answer, listed.get((answer.variant, answer.sample)), criteria)

            return [max(scored, key=contradiction)]
        case "unsteady" if _total(worst) != _total(best):
            return [worst, best]
    return [worst]


def _total(answer: Result) -> Number:
    """The answer's total, or the sum of its scores where the rubric has no total."""
    return sum(answer.scores.values()) if answer.total is None else answer.total
