"""Counts and lengths of a test set."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from simsa.records import Question


class LengthSpread(NamedTuple):
    """Smallest, median and largest of some counts."""

    min: int
    median: float
    max: int


@dataclass(frozen=True, slots=True)
class DataSummary:
    """What a test set holds.

    Lengths are in characters a row: all passages of a question together, and the first accepted
    answer. They are None where there is nothing to measure. `types` counts labelled rows, most
    frequent first. `examples` are the first answerable and the first unanswerable question, or the
    first two if all are of one kind.
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
        row = {name: getattr(self, name) for name in self.__slots__}
        spreads = {k: v._asdict() for k, v in row.items() if isinstance(v, LengthSpread)}
        return row | spreads | {"types": dict(self.types), "examples": list(map(_example, self.examples))}


def describe(questions: Iterable[Question]) -> DataSummary:
    """Counts and lengths of `questions`, in one pass."""
    types: Counter[str] = Counter()
    clusters: set[str] = set()
    lengths, contexts, references, passages = [], [], [], []
    examples: dict[bool, list[Question]] = {True: [], False: []}
    answerable = 0
    for question in questions:
        answerable += question.answerable
        clusters.add(question.cluster)
        lengths.append(len(question.question))
        contexts.append(sum(len(passage.text) for passage in question.contexts))
        passages.append(len(question.contexts))
        if question.reference:
            references.append(len(question.reference[0]))
        if question.type is not None:
            types[question.type] += 1
        if len(examples[question.answerable]) < 2:
            examples[question.answerable].append(question)
    first, second = examples[True], examples[False]
    return DataSummary(
        n=len(lengths),
        answerable=answerable,
        unanswerable=len(lengths) - answerable,
        types=dict(sorted(types.items(), key=lambda item: (-item[1], item[0]))),
        n_clusters=len(clusters),
        question_length=_spread(lengths),
        contexts_length=_spread(contexts),
        reference_length=_spread(references),
        passages=_spread(passages),
        examples=tuple(first[:1] + second[:1] if first and second else first + second),
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
