"""Which questions two runs have in common, by what is asked and not by what it is called.

Paired differences of what is no score: deterministic metrics, shares of claims.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from simsa.records import Question, content_hash
from simsa.report.score_matrix import ScoreMatrix, Variant
from simsa.store import Store


@dataclass(frozen=True, slots=True)
class Common:
    """Pairs of ids, the first run's and the second's, of questions that ask the same; in the first run's order.

    Same are question, passages, references, answerability and messages; ids, types and
    metadata may differ. `n` is how many questions each run has.
    """

    pairs: tuple[tuple[str, str], ...]
    n: tuple[int, int]

    def to_dict(self) -> dict[str, Any]:
        return {
            "n_common": len(self.pairs),
            "n_questions": list(self.n),
            "question_ids": [first for first, _ in self.pairs],
        }


def common(first: Store, second: Store) -> Common:
    """Finds the questions that both runs ask. One that stands several times in both is paired in order."""
    places: dict[str, list[str]] = {}
    n_second = 0
    for question in second.questions():
        places.setdefault(_content(question), []).append(question.id)
        n_second += 1
    pairs, n_first = [], 0
    for question in first.questions():
        n_first += 1
        if there := places.get(_content(question)):
            pairs.append((question.id, there.pop(0)))
    return Common(tuple(pairs), (n_first, n_second))


def narrowed(table: ScoreMatrix, question_ids: Sequence[str], named: Sequence[str]) -> ScoreMatrix:
    """`table` with only `question_ids`, in their order, called `named`."""
    places = {question_id: place for place, question_id in enumerate(table.question_ids)}
    kept = [places[question_id] for question_id in question_ids]
    return ScoreMatrix(
        tuple(named),
        types=tuple(table.types[place] for place in kept),
        answerable=tuple(table.answerable[place] for place in kept),
        clusters=tuple(table.clusters[place] for place in kept),
        variants={
            name: _narrowed(variant, kept, int(table.whole(name)[kept].sum()))
            for name, variant in table.variants.items()
        },
        criteria=table.criteria,
    )


def _narrowed(variant: Variant, kept: Sequence[int], n_scored: int) -> Variant:
    moved = variant.at(kept)
    statuses = Counter({"scored": n_scored, "pending": len(kept) - n_scored})
    return replace(moved, statuses=statuses)


def _content(question: Question) -> str:
    return content_hash(
        question.question,
        [passage.to_json() for passage in question.contexts],
        sorted(question.reference),
        question.answerable,
        [message.to_json() for message in question.messages],
    )


class ScoreDifference(NamedTuple):
    """Mean paired difference of a deterministic metric, with its 95 % interval where two pairs or more make one."""

    baseline: str
    variant: str
    metric: str
    n_pairs: int
    mean_diff: float
    ci95: tuple[float, float] | None


def difference(table: ScoreMatrix, metric: str, variant: str, baseline: str) -> ScoreDifference | None:
    """`variant` − `baseline` over the questions on which both have a value; None where there is none."""
    import numpy as np

    from simsa.stats import estimate

    differences = table.column(variant, metric) - table.column(baseline, metric)
    places = np.flatnonzero(np.isfinite(differences))
    found = estimate(differences[places].tolist(), table.clusters_at(places.tolist()))
    if found.mean is None:
        return None
    return ScoreDifference(baseline, variant, metric, found.n, found.mean, found.ci95)
