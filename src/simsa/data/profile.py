"""A look at a test set before anything is spent on it."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from simsa.records import Question


class LengthSpread(NamedTuple):
    """Smallest, middle and largest of some counts."""

    min: int
    median: float
    max: int


@dataclass(frozen=True, slots=True)
class DataSummary:
    """What a test set holds.

    Lengths are characters a row: all passages of a question together, the first accepted
    answer. They are None where there is nothing to measure. `types` counts labelled rows,
    most frequent first. `examples` are the first answerable and the first unanswerable
    question, or the first two where all are of one kind.
    """

    n: int
    answerable: int
    unanswerable: int
    types: Mapping[str, int]
    n_clusters: int
    question_length: LengthSpread | None
    contexts_length: LengthSpread | None
    reference_length: LengthSpread | None
    passages: LengthSpread | None
    examples: tuple[Question, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON; an example has its question, reference, type and number of passages."""
        spreads = ("question_length", "contexts_length", "reference_length", "passages")
        return {
            "n": self.n,
            "answerable": self.answerable,
            "unanswerable": self.unanswerable,
            "types": dict(self.types),
            "n_clusters": self.n_clusters,
            **{name: spread._asdict() if (spread := getattr(self, name)) else None for name in spreads},
            "examples": [_example(question) for question in self.examples],
        }


def describe(questions: Iterable[Question]) -> DataSummary:
    """Counts and lengths of `questions`, in one pass."""
    types: Counter[str] = Counter()
    clusters: set[str] = set()
    asked, contexts, references, passages = [], [], [], []
    first: dict[bool, list[Question]] = {True: [], False: []}
    answerable = 0
    for question in questions:
        answerable += question.answerable
        clusters.add(question.cluster)
        asked.append(len(question.question))
        contexts.append(sum(len(passage.text) for passage in question.contexts))
        passages.append(len(question.contexts))
        if question.reference:
            references.append(len(question.reference[0]))
        if question.type is not None:
            types[question.type] += 1
        if len(first[question.answerable]) < 2:
            first[question.answerable].append(question)
    both = first[True][:1] + first[False][:1] if all(first.values()) else first[True] + first[False]
    return DataSummary(
        n=len(asked),
        answerable=answerable,
        unanswerable=len(asked) - answerable,
        types=dict(sorted(types.items(), key=lambda item: (-item[1], item[0]))),
        n_clusters=len(clusters),
        question_length=_spread(asked),
        contexts_length=_spread(contexts),
        reference_length=_spread(references),
        passages=_spread(passages),
        examples=tuple(both),
    )


def _spread(counts: list[int]) -> LengthSpread | None:
    return LengthSpread(min(counts), statistics.median(counts), max(counts)) if counts else None


def _example(question: Question) -> dict[str, Any]:
    return {
        "id": question.id,
        "question": question.question,
        "reference": question.reference[0] if question.reference else None,
        "answerable": question.answerable,
        "type": question.type,
        "n_passages": len(question.contexts),
    }
