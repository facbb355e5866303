"""A list of questions as a table for a spreadsheet: what the page shows of them, and all that was said."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

from simsa.records import CRITERIA
from simsa.store import Store, results
from simsa.web.asking import Ask
from simsa.web.index import Listing

_BLOCK, _PIECE = 1_000, 100
_OF_EACH = ("prediction", "status", *CRITERIA, "total")


def spread(folder: Path, listing: Listing, ask: Ask) -> Iterator[list[Any]]:
    """The rows of the whole list that `ask` names, in its order, the head first."""
    with Store.read(folder) as store:
        variants = list(store.variants())
        yield [
            "id",
            "type",
            "question",
            "reference",
            *(f"{v}: {name}" for v in variants for name in _OF_EACH),
        ]
        for start in count(0, _BLOCK):
            found = listing.find(ask, first=start, limit=_BLOCK).rows
            for row in found:
                question = store.question(row.id)
                said = {result.variant: result for result in results(store, question_id=row.id)}
                line: list[Any] = [row.id, row.type]
                line += [question.question, " / ".join(question.reference)] if question else [None, None]
                for name in variants:
                    one = said.get(name)
                    line += (
                        [one.prediction, one.status, *(one.scores.get(c) for c in CRITERIA), one.total]
                        if one
                        else [None] * len(_OF_EACH)
                    )
                yield line
            if len(found) < _BLOCK:
                return


def to_csv(rows: Iterable[list[Any]]) -> Iterator[str]:
    """CSV piece by piece; no text in it becomes a formula."""
    from simsa.report.csv import safe

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
