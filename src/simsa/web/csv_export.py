"""The list of questions as a CSV file for spreadsheets, with every answer."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from simsa.store import Result, Store, criteria_of, n_samples, results

_ROWS_PER_PIECE = 100


def csv_rows(folder: Path, positions: Iterable[int]) -> Iterator[list[Any]]:
    """The header, then a row for each question at `positions`.

    Where variants answered several times, each question has a row for each `sample`, from 0.
    """
    with Store.read(folder) as store:
        variants = list(store.variants())
        columns = ["prediction", "status", *criteria_of(store).names, "total"]
        has_samples = n_samples(store) > 1
        head = ["id", "type", "question", "reference", *(["sample"] if has_samples else [])]
        yield [*head, *(f"{variant}: {name}" for variant in variants for name in columns)]
        for position in positions:
            (question_id,) = store.db.execute(
                "SELECT id FROM questions WHERE position = ?", (position,)
            ).fetchone()
            question = store.question(question_id)
            assert question is not None
            facts = [question.id, question.type, question.question, " / ".join(question.reference)]
            found = sorted(results(store, question_id=question_id, sample=None), key=lambda one: one.sample)
            for sample, answers in groupby(found, key=lambda one: one.sample):
                by_variant = {answer.variant: answer for answer in answers}
                row = [*facts, *([sample] if has_samples else [])]
                yield row + [cell for name in variants for cell in _cells(by_variant.get(name), columns)]
            if not found:
                yield [*facts, *([0] if has_samples else []), *[None] * (len(variants) * len(columns))]


def _cells(answer: Result | None, columns: Sequence[str]) -> list[Any]:
    if answer is None:
        return [None] * len(columns)
    values = {"prediction": answer.prediction, "status": answer.status, "total": answer.total}
    return [values[name] if name in values else answer.scores.get(name) for name in columns]


def to_csv(rows: Iterable[list[Any]]) -> Iterator[str]:
    """CSV in pieces; no text in it becomes a formula."""
    from simsa.report.renderers.csv_rows import safe

    text = io.StringIO()
    text.write("\ufeff")  # spreadsheets recognise UTF-8 by this mark
    writer = csv.writer(text)
    for n, row in enumerate(rows):
        writer.writerow(safe(cell) if isinstance(cell, str) else cell for cell in row)
        if n % _ROWS_PER_PIECE == 0:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()
