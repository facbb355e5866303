"""Which questions are worth a look, and what stands there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from simsa.report.claims import contradiction
from simsa.report.model import Answer, Example, Kind
from simsa.report.table import MISSING, TOTAL, Table
from simsa.store import Claimed, Result, Store, analyses, claimed, results

if TYPE_CHECKING:
    from simsa.report.table import Floats


def pick(
    table: Table, kind: Kind, n: int, variants: Sequence[str] = (), type: str | None = None
) -> list[str]:
    """Ids of the `n` best, worst or most different questions, the most striking first.

    Best and worst go by the mean total of `variants` (all by default), most different
    by the distance between the lowest and the highest. Only questions in which all of
    them have a total count; ties stay in the order of the test set. Disputed are those on
    which an answer's claims contradict its score of faithfulness, the farthest apart first.
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


def _rank(table: Table, kind: Kind, names: Sequence[str]) -> Floats:
    """What the questions go by, the lowest first; NaN: not at all."""
    import numpy as np

    if kind == "disputed":
        off = np.stack([contradiction(table, name) for name in names])
        worst: Floats = np.where(np.isfinite(off), off, -1.0).max(axis=0)
        return np.where(worst >= 0, -worst, MISSING)
    # Where the rubric asks for fewer criteria there is no total, but a sum of what it asks for.
    of = (TOTAL,) if TOTAL in table.scored else table.asked
    totals = np.stack([sum(table.first(name, one) for one in of) for name in names])
    ranks: dict[str, Floats] = {
        "best": -totals.mean(axis=0),
        "worst": totals.mean(axis=0),
        "differs": totals.min(axis=0) - totals.max(axis=0),
    }
    return ranks[kind]


def show(store: Store, kind: Kind, question_ids: Iterable[str]) -> list[Example]:
    """The questions with every variant's answer, scores and the judge's words."""
    return [example for found in question_ids if (example := _example(store, kind, found))]


def _example(store: Store, kind: Kind, question_id: str) -> Example | None:
    question = store.question(question_id)
    if question is None:
        return None
    listed = {row.variant: row for row in claimed(store, question_id)}
    found = [
        _answer(store, result, listed.get(result.variant))
        for result in results(store, question_id=question_id)
    ]
    return Example(kind, question, tuple(found))


def _answer(store: Store, result: Result, listed: Claimed | None) -> Answer:
    said = analyses(store, result.question_id, result.variant)
    words = "\n".join(analysis for _, analysis, _ in said if analysis)
    return Answer(result.variant, result.prediction, result.status, result.scores, words, listed)
