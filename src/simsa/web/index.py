"""A side database for the table of questions: 100,000 rows are filtered and sorted in it quickly."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from simsa.records import CRITERIA, Question
from simsa.store import Result, Store, results
from simsa.web.asking import TOTAL, Ask, folded

PAGE = 50
_SEARCHED = 20_000
_BATCH = 1_000
_SOUGHT = re.compile(r'"([^"]+)"|([^\s"]+)')


class Row(NamedTuple):
    """One question in the table: its number in the list, id, type."""

    n: int
    id: str
    type: str | None


class Found(NamedTuple):
    """A page of the questions that fit, and how many fit in all."""

    rows: list[Row]
    n_fitting: int


class Index:
    """The questions of one state of a run. Any number of threads may ask."""

    def __init__(self, path: Path, store: Store) -> None:
        self.path = path
        self.variants = tuple(store.variants())
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
            self._build(db, store)
            self.n = int(db.execute("SELECT count(*) FROM rows").fetchone()[0])
            self.types = [
                str(row[0])
                for row in db.execute("SELECT DISTINCT type FROM rows WHERE type IS NOT NULL ORDER BY type")
            ]
            self.statuses = self._count_statuses(db)

    def find(self, ask: Ask, first: int | None = None, limit: int = PAGE) -> Found:
        """The page that `ask` names, or `limit` questions from the `first` (from 0) of the list on."""
        where, values = _where(ask, len(self.variants))
        start = (ask.page - 1) * PAGE if first is None else first
        with self._open() as db:
            count = int(db.execute(f"SELECT count(*) FROM rows WHERE {where}", values).fetchone()[0])
            rows = db.execute(
                f"SELECT id, type FROM rows WHERE {where} ORDER BY {_order(ask)} LIMIT ? OFFSET ?",
                (*values, limit, start),
            ).fetchall()
        return Found([Row(start + n, *row) for n, row in enumerate(rows)], count)

    def place(self, question_id: str) -> int | None:
        """The number, from 0, of a question in the test set."""
        with self._open() as db:
            found = db.execute("SELECT place FROM rows WHERE id = ?", (question_id,)).fetchone()
        return None if found is None else int(found[0])

    def close(self) -> None:
        self.path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        uri = f"{self.path.resolve().as_uri()}?mode=ro&immutable=1"
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as db:
            yield db

    def _build(self, db: sqlite3.Connection, store: Store) -> None:
        n = len(self.variants)
        columns = "".join(
            f", t{i} INTEGER, s{i} TEXT" + "".join(f", c{i}_{k} INTEGER" for k in range(len(CRITERIA)))
            for i in range(n)
        )
        db.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
            f"CREATE TABLE rows (place INTEGER PRIMARY KEY, id TEXT NOT NULL, type TEXT{columns});"
            "CREATE TABLE texts (place INTEGER PRIMARY KEY, body TEXT NOT NULL);"
        )
        marks = ",".join("?" * (3 + n * (2 + len(CRITERIA))))
        batch: list[tuple[list[Any], tuple[int, str]]] = []
        db.execute("BEGIN")

        def flush() -> None:
            db.executemany(f"INSERT INTO rows VALUES ({marks})", (row for row, _ in batch))
            db.executemany("INSERT INTO texts VALUES (?,?)", (text for _, text in batch))
            batch.clear()

        for place, (question, found) in enumerate(_by_question(store)):
            batch.append((self._row(place, question, found), (place, _body(question, found))))
            if len(batch) == _BATCH:
                flush()
        flush()
        db.execute("CREATE UNIQUE INDEX rows_id ON rows (id)")
        db.execute("COMMIT")

    def _row(self, place: int, question: Question, found: list[Result]) -> list[Any]:
        row: list[Any] = [place, question.id, question.type]
        by_variant = {result.variant: result for result in found}
        for name in self.variants:
            result = by_variant.get(name)
            if result is None:
                row += [None] * (2 + len(CRITERIA))
            else:
                row += [result.total, result.status, *(result.scores.get(c) for c in CRITERIA)]
        return row

    def _count_statuses(self, db: sqlite3.Connection) -> dict[str, int]:
        counts: dict[str, int] = {}
        for i in range(len(self.variants)):
            for status, n in db.execute(f"SELECT s{i}, count(*) FROM rows GROUP BY s{i}"):
                if status is not None:
                    counts[status] = counts.get(status, 0) + n
        return counts


def _by_question(store: Store) -> Iterator[tuple[Question, list[Result]]]:
    """Every question with its results; both come in the order of the test set."""
    grouped = groupby(results(store), key=lambda result: result.question_id)
    waiting = next(grouped, None)
    for question in store.questions():
        found: list[Result] = []
        if waiting is not None and waiting[0] == question.id:
            found = list(waiting[1])
            waiting = next(grouped, None)
        yield question, found


def _body(question: Question, found: list[Result]) -> str:
    said = [result.prediction[:_SEARCHED] for result in found if result.prediction]
    return folded("\x1f".join((question.id, question.question[:_SEARCHED], *question.reference, *said)))


def _where(ask: Ask, n_variants: int) -> tuple[str, list[Any]]:
    """The condition of SQL and its values. Numbers of variants come from `ask_from`, so they exist."""
    parts, values = ["TRUE"], list[Any]()
    of = range(n_variants) if ask.variant is None else [ask.variant]
    if ask.type is not None:
        parts.append("type = ?")
        values.append(ask.type)
    if ask.status is not None and n_variants:
        parts.append(f"({' OR '.join(f's{i} = ?' for i in of)})")
        values += [ask.status] * len(of)
    if (ask.low is not None or ask.high is not None) and n_variants:
        names = [f"t{i}" if ask.criterion == TOTAL else f"c{i}_{CRITERIA.index(ask.criterion)}" for i in of]
        bounds = [ask.low if ask.low is not None else 0, ask.high if ask.high is not None else 10**6]
        parts.append(f"({' OR '.join(f'{name} BETWEEN ? AND ?' for name in names)})")
        values += bounds * len(of)
    if ask.diff is not None and n_variants:
        sign = {"higher": ">", "lower": "<", "differs": "<>", "same": "="}[ask.diff]
        parts.append(f"t{ask.a} {sign} t{ask.b}")
    words = sought(ask.search)
    if words:
        fits = " AND ".join(["instr(body, ?) > 0"] * len(words))
        parts.append(f"place IN (SELECT place FROM texts WHERE {fits})")
        values += words
    return " AND ".join(parts), values


def sought(search: str) -> list[str]:
    """The texts that a row must all hold, folded: words, and what stands between double quotes as it is."""
    found = (quoted.strip() or word for quoted, word in _SOUGHT.findall(folded(search)))
    return list(dict.fromkeys(text for text in found if text))


def _order(ask: Ask) -> str:
    """What is missing comes last, whichever way the rest goes."""
    way = "DESC" if ask.down else "ASC"
    key = {"place": "place", "type": "type", "total": f"t{ask.of}", "diff": f"t{ask.a} - t{ask.b}"}[ask.sort]
    return f"place {way}" if ask.sort == "place" else f"({key}) IS NULL, {key} {way}, place"
