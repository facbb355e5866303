"""The table of questions: read from the run in its own order, or from a side database that filters and sorts
100,000 rows quickly."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import orjson

from simsa.records import CRITERIA, STATUSES, Question
from simsa.store import Result, Store, results, snapshot
from simsa.web.asking import TOTAL, Ask, folded
from simsa.web.texts import Texts, Writing

PAGE = 50
_SEARCHED = 20_000
_BATCH = 1_000
_ALL = "TRUE"
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


class Listing(Protocol):
    """Where the table's rows come from."""

    def find(self, ask: Ask, first: int | None = None, limit: int = PAGE) -> Found:
        """The page that `ask` names, or `limit` questions from the `first` (from 0) of the list on."""

    def place(self, question_id: str) -> int | None:
        """The number, from 0, of a question in the test set."""


class InOrder:
    """The questions of a run in the order of the test set, for as long as there is no index."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, ask: Ask, first: int | None = None, limit: int = PAGE) -> Found:
        start = (ask.page - 1) * PAGE if first is None else first
        with Store.read(self._folder) as store:
            rows = store.db.execute(
                "SELECT id, type FROM questions WHERE position >= ? ORDER BY position LIMIT ?", (start, limit)
            ).fetchall()
            # Places go from 0 on without a gap: neither counted nor passed over one by one.
            (last,) = store.db.execute("SELECT max(position) FROM questions").fetchone()
        n = 0 if last is None else last + 1
        return Found([Row(start + place, *row) for place, row in enumerate(rows)], n)

    def place(self, question_id: str) -> int | None:
        with Store.read(self._folder) as store:
            found = store.db.execute("SELECT position FROM questions WHERE id = ?", (question_id,)).fetchone()
        return None if found is None else int(found[0])


class Index:
    """The questions of one state of a run, in the files that `build` made. Any number of threads may ask."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.texts = Texts(path.with_suffix(".texts"))
        with self._open() as db:
            self.n, self.variants, self.types, self.statuses = orjson.loads(
                db.execute("SELECT facts FROM about").fetchone()[0]
            )

    def find(self, ask: Ask, first: int | None = None, limit: int = PAGE) -> Found:
        where, values = _where(ask, len(self.variants), self.types)
        start = (ask.page - 1) * PAGE if first is None else first
        words = tuple(sought(ask.search))
        if words and where == _ALL and ask.sort == "place":
            places = self.texts.places(words)[:: -1 if ask.down else 1]
            return self._named([(place,) for place in places[start : start + limit]], start, len(places))
        if words:
            where += " AND place IN (SELECT value FROM json_each(?))"
            values.append(orjson.dumps(self.texts.places(words)).decode())
        with self._open() as db:
            count = int(db.execute(f"SELECT count(*) FROM rows WHERE {where}", values).fetchone()[0])
            rows = db.execute(
                f"SELECT place FROM rows WHERE {where} ORDER BY {_order(ask)} LIMIT ? OFFSET ?",
                (*values, limit, start),
            ).fetchall()
        return self._named(rows, start, count)

    def _named(self, places: Sequence[tuple[int]], start: int, count: int) -> Found:
        with self._open() as db:
            shown = [db.execute("SELECT id, type FROM names WHERE place = ?", p).fetchone() for p in places]
        return Found([Row(start + n, name, self._type(code)) for n, (name, code) in enumerate(shown)], count)

    def place(self, question_id: str) -> int | None:
        with self._open() as db:
            found = db.execute("SELECT place FROM names WHERE id = ?", (question_id,)).fetchone()
        return None if found is None else int(found[0])

    def close(self) -> None:
        self.path.unlink(missing_ok=True)
        self.texts.close()

    def _type(self, code: int | None) -> str | None:
        return None if code is None else str(self.types[code])

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        uri = f"{self.path.resolve().as_uri()}?mode=ro&immutable=1"
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as db:
            yield db


def build(path: Path, store: Store) -> None:
    """Writes the index of a run as it is at one moment: numbers in a database at `path`, texts beside it."""
    with snapshot(store), contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        variants = list(store.variants())
        kinds = store.db.execute("SELECT DISTINCT type FROM questions WHERE type IS NOT NULL ORDER BY type")
        types = [str(row[0]) for row in kinds]
        columns = "".join(
            f", t{i} NUMERIC, s{i} INTEGER" + "".join(f", c{i}_{k} NUMERIC" for k in range(len(CRITERIA)))
            for i in range(len(variants))
        )
        # Narrow rows: what is filtered and sorted by is read whole, names only for the rows on the page.
        db.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
            f"CREATE TABLE rows (place INTEGER PRIMARY KEY, type INTEGER{columns});"
            "CREATE TABLE names (place INTEGER PRIMARY KEY, id TEXT NOT NULL, type INTEGER);"
            "CREATE TABLE about (facts TEXT NOT NULL);"
        )
        db.execute("BEGIN")
        statuses = _fill(db, path, store, variants, {kind: code for code, kind in enumerate(types)})
        db.execute("CREATE UNIQUE INDEX names_id ON names (id)")
        n = db.execute("SELECT count(*) FROM rows").fetchone()[0]
        facts = orjson.dumps([n, variants, types, statuses], option=orjson.OPT_NON_STR_KEYS).decode()
        db.execute("INSERT INTO about VALUES (?)", (facts,))
        db.execute("COMMIT")


def _fill(
    db: sqlite3.Connection, path: Path, store: Store, variants: Sequence[str], types: Mapping[str, int]
) -> Counter[str]:
    marks = ",".join("?" * (2 + len(variants) * (2 + len(CRITERIA))))
    statuses: Counter[str] = Counter()
    rows: list[list[Any]] = []
    names: list[tuple[int, str, int | None]] = []

    def flush() -> None:
        db.executemany(f"INSERT INTO rows VALUES ({marks})", rows)
        db.executemany("INSERT INTO names VALUES (?,?,?)", names)
        rows.clear()
        names.clear()

    with Writing(path.with_suffix(".texts")) as texts:
        for place, (question, found) in enumerate(_by_question(store)):
            kind = None if question.type is None else types[question.type]
            rows.append([place, kind, *_numbers(variants, found)])
            names.append((place, question.id, kind))
            texts.add(_body(question, found))
            statuses.update(result.status for result in found)
            if len(rows) == _BATCH:
                flush()
    flush()
    return statuses


def _numbers(variants: Sequence[str], found: list[Result]) -> Iterator[float | None]:
    """Of each variant the mean total, a bit for each status that one of its answers has, and the criteria's means."""
    by_variant: dict[str, list[Result]] = {}
    for result in found:
        by_variant.setdefault(result.variant, []).append(result)
    for name in variants:
        answers = by_variant.get(name, ())
        if not answers:
            yield from [None] * (2 + len(CRITERIA))
            continue
        yield mean(answers, TOTAL)
        yield sum({1 << STATUSES.index(result.status) for result in answers})
        yield from (mean(answers, criterion) for criterion in CRITERIA)


def score_of(result: Result, criterion: str) -> int | None:
    """An answer's score of a criterion, or its total."""
    return result.total if criterion == TOTAL else result.scores.get(criterion)


def mean(answers: Sequence[Result], criterion: str) -> float | None:
    """The question's score: the mean over the answers of a variant that have one, None where none has."""
    found = [score for result in answers if (score := score_of(result, criterion)) is not None]
    return sum(found) / len(found) if found else None


def _by_question(store: Store) -> Iterator[tuple[Question, list[Result]]]:
    """Every question with the results of all its answers; both come in the order of the test set."""
    grouped = groupby(results(store, sample=None), key=lambda result: result.question_id)
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


def _where(ask: Ask, n_variants: int, types: Sequence[str]) -> tuple[str, list[Any]]:
    """The condition of SQL and its values, but for the search. Numbers of variants come from `ask_from`, so they exist."""
    parts, values = [_ALL], list[Any]()
    of = range(n_variants) if ask.variant is None else [ask.variant]
    if ask.type is not None:
        parts.append("type = ?")
        values.append(types.index(ask.type) if ask.type in types else -1)
    if ask.status is not None and n_variants:
        parts.append(f"({' OR '.join(f's{i} & ?' for i in of)})")
        values += [1 << STATUSES.index(ask.status)] * len(of)
    if (ask.low is not None or ask.high is not None) and n_variants:
        names = [_column(ask, i) for i in of]
        bounds = [ask.low if ask.low is not None else 0, ask.high if ask.high is not None else 10**6]
        parts.append(f"({' OR '.join(f'{name} BETWEEN ? AND ?' for name in names)})")
        values += bounds * len(of)
    if ask.diff is not None and n_variants:
        sign = {"higher": ">", "lower": "<", "differs": "<>", "same": "="}[ask.diff]
        parts.append(f"{_column(ask, ask.a)} {sign} {_column(ask, ask.b)}")
    return " AND ".join(parts), values


def sought(search: str) -> list[str]:
    """The texts that a row must all hold, folded: words, and what stands between double quotes as it is."""
    found = (quoted.strip() or word for quoted, word in _SOUGHT.findall(folded(search)))
    return list(dict.fromkeys(text for text in found if text))


def _order(ask: Ask) -> str:
    """What is missing comes last, whichever way the rest goes."""
    way = "DESC" if ask.down else "ASC"
    score, difference = _column(ask, ask.of), f"{_column(ask, ask.a)} - {_column(ask, ask.b)}"
    key = {"place": "place", "type": "type", "total": score, "diff": difference}[ask.sort]
    return f"place {way}" if ask.sort == "place" else f"({key}) IS NULL, {key} {way}, place"


def _column(ask: Ask, variant: int) -> str:
    """Where the score that the list is about stands, of the variant of this number."""
    return f"t{variant}" if ask.criterion == TOTAL else f"c{variant}_{CRITERIA.index(ask.criterion)}"
