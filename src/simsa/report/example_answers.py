"""Which questions are worth a look, and what stands there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from simsa.records import Criteria, Number
from simsa.report.claim_summary import answer_contradiction, contradiction
from simsa.report.score_matrix import MISSING, TOTAL, ScoreMatrix
from simsa.report.summary_model import Example, ExampleAnswer, Kind
from simsa.store import Claimed, Result, Store, analyses, claimed, criteria_of, results

if TYPE_CHECKING:
    from simsa.report.score_matrix import Floats


def pick(
    table: ScoreMatrix, kind: Kind, n: int, variants: Sequence[str] = (), type: str | None = None
) -> list[str]:
    """Ids of the `n` best, worst or most different questions, the most striking first.

    Best and worst go by the mean total of `variants` (all by default), most different
    by the distance between the lowest and the highest. Only questions in which all of
    them have a total count; ties stay in the order of the test set. Disputed are those on
    which an answer's claims contradict its score of faithfulness, the farthest apart first;
    unsteady those on which the totals of one variant's own answers do. A question's total is
    the mean of its answers.
    """
    import numpy as np

    names = list(variants) or list(table.variants)
    if not names or not table.question_ids:
        return []
    rank = _rank(table, kind, names)
    wanted = np.isfinite(rank)
    if type is not None:
        wanted &= np.array([found == type for found in table.types])
    places = np.flatnonzero(wanted)
    order = places[np.argsort(rank[places], kind="stable")]
    return [table.question_ids[place] for place in order[:n]]


def _rank(table: ScoreMatrix, kind: Kind, names: Sequence[str]) -> Floats:
    """What the questions go by, the lowest first; NaN: not at all."""
    import numpy as np

    if kind == "disputed":
        return _farthest([contradiction(table, name) for name in names])
    # A rubric without a total is ranked by the sum of its criteria.
    of = (TOTAL,) if TOTAL in table.score_names else table.criteria.names
    if kind == "unsteady":
        spans = [_range(np.sum([table.answers(name, one) for one in of], axis=0)) for name in names]
        return _farthest([np.where(span > 0, span, MISSING) for span in spans])
    totals = np.stack([sum(table.column(name, one) for one in of) for name in names])
    ranks: dict[str, Floats] = {
        "best": -totals.mean(axis=0),
        "worst": totals.mean(axis=0),
        "differs": totals.min(axis=0) - totals.max(axis=0),
    }
    return ranks[kind]


def _farthest(found: Sequence[Floats]) -> Floats:
    """The largest of values by question, whatever else they go by, as a rank; NaN where there is none."""
    import numpy as np

    values = np.concatenate([np.atleast_2d(one) for one in found])
    most: Floats = np.where(np.isfinite(values), values, -1.0).max(axis=0)
    return np.where(most >= 0, -most, MISSING)


def _range(totals: Floats) -> Floats:
    """By how much a variant's own answers differ, question by question; 0 where there is one or none."""
    import numpy as np

    there = np.isfinite(totals)
    span: Floats = np.where(there, totals, -np.inf).max(axis=0) - np.where(there, totals, np.inf).min(axis=0)
    return np.where(there.any(axis=0), span, 0.0)


def show(store: Store, kind: Kind, question_ids: Iterable[str]) -> list[Example]:
    """The questions with every variant's answer, scores and the judge's words.

    Of several answers the one is shown that the list is about: the best, the worst, the one whose
    claims contradict its score most; where variants differ the one nearest to the mean; of the
    unsteady the worst and the best.
    """
    return [example for found in question_ids if (example := _example(store, kind, found))]


def _example(store: Store, kind: Kind, question_id: str) -> Example | None:
    question = store.question(question_id)
    if question is None:
        return None
    listed = {(row.variant, row.sample): row for row in claimed(store, question_id, sample=None)}
    given: dict[str, list[Result]] = {}
    for result in results(store, question_id=question_id, sample=None):
        given.setdefault(result.variant, []).append(result)
    criteria = criteria_of(store)
    answers = (
        _answer(store, one, listed.get((one.variant, one.sample)), [a for a in found if a is not one])
        for found in given.values()
        for one in _shown(kind, found, listed, criteria)
    )
    return Example(kind, question, tuple(answers), criteria)


def _shown(
    kind: Kind,
    answers: Sequence[Result],
    listed: Mapping[tuple[str, int], Claimed],
    criteria: Criteria,
) -> Iterator[Result]:
    """Which of a variant's answers the list is about; the first where none has a total."""
    scored = sorted((a for a in answers if a.status == "scored"), key=_worth)
    if not scored:
        yield answers[0]
        return
    mean = fmean(map(_worth, scored))
    match kind:
        case "best":
            yield max(scored, key=_worth)
        case "differs":
            yield min(scored, key=lambda a: abs(_worth(a) - mean))
        case "disputed":
            yield max(
                scored, key=lambda a: answer_contradiction(a, listed.get((a.variant, a.sample)), criteria)
            )
        case "unsteady" if _worth(scored[0]) != _worth(scored[-1]):
            yield from (scored[0], max(scored, key=_worth))
        case _:
            yield scored[0]


def _worth(answer: Result) -> Number:
    """Its total, or the sum of its scores where the rubric has no total."""
    return sum(answer.scores.values()) if answer.total is None else answer.total


def _answer(store: Store, result: Result, listed: Claimed | None, others: Sequence[Result]) -> ExampleAnswer:
    said = analyses(store, result.question_id, result.variant, result.sample)
    words = "\n".join(analysis for _, analysis, _ in said if analysis)
    return ExampleAnswer(
        result.variant,
        result.prediction,
        result.status,
        result.scores,
        words,
        listed,
        result.sample,
        tuple(others),
        result.total,
    )
