"""A list of questions as a table for a spreadsheet: what the page shows of them, and all that was said."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

from simsa.records import CRITERIA
from simsa.store import Result, Store, n_samples, results
from simsa.web.query import QuestionFilter
from simsa.web.question_list import QuestionList

_BLOCK, _PIECE = 1_000, 100
_OF_EACH = ("prediction", "status", *CRITERIA, "total")


def spread(folder: Path, listing: QuestionList, ask: QuestionFilter) -> Iterator[list[Any]]:
    """The rows of the whole list that `ask` names, in its order, the head first.

    Where variants answered several times, a question has a row for each, numbered from 0 by `sample`.
    """
    with Store.read(folder) as store:
        variants = list(store.variants())
        several = n_samples(store) > 1
        yield [
            "id",
            "type",
            "question",
            "reference",
            *(["sample"] if several else []),
            *(f"{v}: {name}" for v in variants for name in _OF_EACH),
        ]
        for start in count(0, _BLOCK):
            found = listing.find(ask, first=start, limit=_BLOCK).rows
            for row in found:
                question = store.question(row.id)
                head: list[Any] = [row.id, row.type]
                head += [question.question, " / ".join(question.reference)] if question else [None, None]
                said: dict[int, dict[str, Result]] = {}
                for result in results(store, question_id=row.id, sample=None):
                    said.setdefault(result.sample, {})[result.variant] = result
                for n, answers in sorted(said.items()) or [(0, {})]:
                    line = [*head, n] if several else [*head]
                    for name in variants:
                        line += _cells(answers.get(name))
                    yield line
            if len(found) < _BLOCK:
                return


def _cells(one: Result | None) -> list[Any]:
    if one is None:
        return [None] * len(_OF_EACH)
    return [one.prediction, one.status, *(one.scores.get(c) for c in CRITERIA), one.total]


def to_csv(rows: Iterable[list[Any]]) -> Iterator[str]:
    """CSV piece by piece; no text in it becomes a formula."""
    from simsa.report.renderers.csv_rows import safe

    text = io.StringIO()
    text.write("\ufeff")  # without the mark a spreadsheet takes Korean for another encoding
    writer = csv.writer(text)
    for n, row in enumerate(rows):
        writer.writerow(safe(cell) if isinstance(cell, str) else cell for cell in row)
        if n % _PIECE == 0:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()
