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

from simsa.errors import DataError
from simsa.records import CRITERIA, STATUSES, Number, Question
from simsa.store import Result, Store, measures, results, snapshot
from simsa.store.labels import read as read_labels
from simsa.web.query import (
    ALL,
    ANSWERED,
    REFUSED,
    TOTAL,
    QuestionFilter,
    RunFacts,
    folded,
    sql_order,
    sql_where,
)
from simsa.web.search import Texts, Writing

PAGE = 50
_SEARCHED = 20_000
_BATCH = 1_000
_SOUGHT = re.compile(r'(-?)(?:"([^"]+)"|([^\s"]+))')
# A whole number of SQLite has room for no more.
_MOST_FINISHES = 60


class ListRow(NamedTuple):
    """One question in the table: its number in the list, id, type."""

    n: int
    id: str
    type: str | None


class ListPage(NamedTuple):
    """A page of the questions that fit, and how many fit in all."""

    rows: list[ListRow]
    n_fitting: int


class QuestionList(Protocol):
    """Where the table's rows come from."""

    def find(self, ask: QuestionFilter, first: int | None = None, limit: int = PAGE) -> ListPage:
        """The page that `ask` names, or `limit` questions from the `first` (from 0) of the list on."""

    def place(self, question_id: str) -> int | None:
        """The number, from 0, of a question in the test set."""


class UnindexedQuestions:
    """The questions of a run in the order of the test set, for as long as there is no index."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, ask: QuestionFilter, first: int | None = None, limit: int = PAGE) -> ListPage:
        start = (ask.page - 1) * PAGE if first is None else first
        with Store.read(self._folder) as store:
            rows = store.db.execute(
                "SELECT id, type FROM questions WHERE position >= ? ORDER BY position LIMIT ?", (start, limit)
            ).fetchall()
            # Places go from 0 on without a gap: neither counted nor passed over one by one.
            (last,) = store.db.execute("SELECT max(position) FROM questions").fetchone()
        n = 0 if last is None else last + 1
        return ListPage([ListRow(start + place, *row) for place, row in enumerate(rows)], n)

    def place(self, question_id: str) -> int | None:
        with Store.read(self._folder) as store:
            found = store.db.execute("SELECT position FROM questions WHERE id = ?", (question_id,)).fetchone()
        return None if found is None else int(found[0])


class QuestionIndex:
    """The questions of one state of a run, in the files that `build` made. Any number of threads may ask.

    People's labels are read from the run's `folder` when they are asked for: they come later than a run's state.
    """

    def __init__(self, path: Path, folder: Path | None = None) -> None:
        self.path = path
        self.texts = Texts(path.with_suffix(".texts"))
        self._folder = folder
        with self._open() as db:
            self.facts = RunFacts.read(orjson.loads(db.execute("SELECT facts FROM about").fetchone()[0]))

    def find(self, ask: QuestionFilter, first: int | None = None, limit: int = PAGE) -> ListPage:
        condition, values = sql_where(ask, self.facts, self._labelled(ask))
        start = (ask.page - 1) * PAGE if first is None else first
        words, unwanted = search_terms(ask.search)
        if words or unwanted:
            places = self.texts.places(words, unwanted)
            if condition == ALL and ask.sort == "place":
                places = places[:: -1 if ask.down else 1]
                return self._named([(place,) for place in places[start : start + limit]], start, len(places))
            condition += " AND place IN (SELECT value FROM json_each(?))"
            values.append(orjson.dumps(places).decode())
        with self._open() as db:
            count = int(db.execute(f"SELECT count(*) FROM rows WHERE {condition}", values).fetchone()[0])
            rows = []
            if limit and start < count:
                rows = db.execute(
                    f"SELECT place FROM rows WHERE {condition} ORDER BY {sql_order(ask)} LIMIT ? OFFSET ?",
                    (*values, limit, start),
                ).fetchall()
        return self._named(rows, start, count)

    def _labelled(self, ask: QuestionFilter) -> list[tuple[str, str]]:
        if ask.labelled is None or self._folder is None:
            return []
        try:
            return [(label.question_id, label.variant) for label in read_labels(self._folder)]
        except DataError:  # nobody has labelled anything
            return []

    def _named(self, places: Sequence[tuple[int]], start: int, count: int) -> ListPage:
        with self._open() as db:
            shown = [db.execute("SELECT id, type FROM names WHERE place = ?", p).fetchone() for p in places]
        return ListPage(
            [ListRow(start + n, name, self._type(code)) for n, (name, code) in enumerate(shown)], count
        )

    def place(self, question_id: str) -> int | None:
        with self._open() as db:
            found = db.execute("SELECT place FROM names WHERE id = ?", (question_id,)).fetchone()
        return None if found is None else int(found[0])

    def close(self) -> None:
        self.path.unlink(missing_ok=True)
        self.texts.close()

    def _type(self, code: int | None) -> str | None:
        return None if code is None else str(self.facts.types[code])

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        uri = f"{self.path.resolve().as_uri()}?mode=ro&immutable=1"
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as db:
            yield db


def build(path: Path, store: Store) -> None:
    """Writes the index of a run as it is at one moment: numbers in a database at `path`, texts beside it."""
    with snapshot(store), contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        kinds = store.db.execute("SELECT DISTINCT type FROM questions WHERE type IS NOT NULL ORDER BY type")
        filling = _Filling(db, list(store.variants()), [str(row[0]) for row in kinds], _metrics(store))
        filling.make_tables()
        db.execute("BEGIN")
        with Writing(path.with_suffix(".texts")) as texts:
            for question, found in _by_question(store):
                filling.add(question, found)
                texts.add(_body(question, [one.result for one in found]))
        filling.flush()
        db.execute("CREATE UNIQUE INDEX names_id ON names (id)")
        facts = orjson.dumps(filling.facts(), option=orjson.OPT_NON_STR_KEYS).decode()
        db.execute("INSERT INTO about VALUES (?)", (facts,))
        db.execute("COMMIT")


def _metrics(store: Store) -> list[str]:
    """The names of the stored metrics; those of one version are the same in every row."""
    rows = store.db.execute("SELECT figures FROM measures GROUP BY version ORDER BY version")
    return list(dict.fromkeys(name for (figures,) in rows for name in orjson.loads(figures)))


class _IndexedScores(NamedTuple):
    """One answer, with its metrics where there are any."""

    result: Result
    figures: Mapping[str, float | None]


class _Filling:
    """Rows of an index on their way into its database."""

    def __init__(
        self, db: sqlite3.Connection, variants: Sequence[str], types: Sequence[str], metrics: Sequence[str]
    ) -> None:
        self._db = db
        self._variants, self._types = variants, {kind: code for code, kind in enumerate(types)}
        self._metrics = metrics
        self._finishes: dict[str, int] = {}
        self._clusters: dict[str, int] = {}
        self._statuses: Counter[str] = Counter()
        self._refusals = False
        self._n = 0
        self._rows: dict[str, list[Sequence[Any]]] = {}

    def make_tables(self) -> None:
        of_each = ["t{i} NUMERIC", "s{i} INTEGER", *(f"c{{i}}_{k} NUMERIC" for k in range(len(CRITERIA)))]
        of_each += ["f{i} INTEGER", "r{i} INTEGER", "p{i} INTEGER"]
        columns = [column.format(i=i) for i in range(len(self._variants)) for column in of_each]
        figures = "".join(f", v{k} REAL" for k in range(len(self._metrics)))
        # Narrow rows: what is filtered and sorted by is read whole, names only for the rows on the page.
        self._db.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
            f"CREATE TABLE rows ({', '.join(['place INTEGER PRIMARY KEY, type INTEGER, cluster INTEGER', *columns])});"
            "CREATE TABLE names (place INTEGER PRIMARY KEY, id TEXT NOT NULL, type INTEGER);"
            "CREATE TABLE clusters (code INTEGER PRIMARY KEY, name TEXT NOT NULL);"
            "CREATE TABLE about (facts TEXT NOT NULL);"
            + "".join(
                f"CREATE TABLE m{i} (place INTEGER PRIMARY KEY{figures});" for i in range(len(self._variants))
            )
        )

    def add(self, question: Question, found: Sequence[_IndexedScores]) -> None:
        place, self._n = self._n, self._n + 1
        kind = None if question.type is None else self._types[question.type]
        cluster = self._clusters.get(question.cluster)
        if cluster is None:
            cluster = self._clusters[question.cluster] = len(self._clusters)
            self._put("clusters", (cluster, question.cluster))
        self._put("names", (place, question.id, kind))
        self._put("rows", (place, kind, cluster, *self._numbers(place, found)))
        if len(self._rows["rows"]) == _BATCH:
            self.flush()

    def _numbers(self, place: int, found: Sequence[_IndexedScores]) -> Iterator[float | None]:
        """Of each variant the mean total, a bit for each status that one of its answers has, the criteria's means,
        bits for how its answers ended and whether they declined, and a code for what they say."""
        said: dict[tuple[str | None, ...], int] = {}
        by_variant: dict[str, list[_IndexedScores]] = {}
        for one in found:
            by_variant.setdefault(one.result.variant, []).append(one)
        for i, name in enumerate(self._variants):
            mine = by_variant.get(name, [])
            answers = [one.result for one in mine]
            if not answers:
                yield from [None] * (5 + len(CRITERIA))
                continue
            self._statuses.update(result.status for result in answers)
            yield mean(answers, TOTAL)
            yield sum({1 << STATUSES.index(result.status) for result in answers})
            yield from (mean(answers, criterion) for criterion in CRITERIA)
            yield sum({self._ended(result.finish_reason) for result in answers})
            yield sum({_declined(one.figures.get("abstained")) for one in mine})
            texts = tuple(result.prediction for result in answers)
            yield None if None in texts else said.setdefault(texts, i)
            self._refusals |= any(one.figures.get("abstained") is not None for one in mine)
            self._put(f"m{i}", (place, *self._figures(mine)))

    def _figures(self, said: Sequence[_IndexedScores]) -> Iterator[float | None]:
        if len(said) == 1:
            return map(said[0].figures.get, self._metrics)
        return (_mean([one.figures.get(name) for one in said]) for name in self._metrics)

    def _ended(self, reason: str | None) -> int:
        if not reason:
            return 0
        code = self._finishes.setdefault(reason, len(self._finishes))
        return 1 << code if code < _MOST_FINISHES else 0

    def _put(self, table: str, row: Sequence[Any]) -> None:
        self._rows.setdefault(table, []).append(row)

    def flush(self) -> None:
        for table, rows in self._rows.items():
            if rows:
                self._db.executemany(f"INSERT INTO {table} VALUES ({','.join('?' * len(rows[0]))})", rows)
                rows.clear()

    def facts(self) -> dict[str, Any]:
        """As `Facts` has them."""
        return {
            "n": self._n,
            "variants": self._variants,
            "types": list(self._types),
            "statuses": self._statuses,
            "finishes": list(self._finishes)[:_MOST_FINISHES],
            "metrics": [name for name in self._metrics if name != "abstained"],
            "clusters": len(self._clusters) < self._n,
            "refusals": self._refusals,
        }


def _declined(figure: float | None) -> int:
    return 0 if figure is None else REFUSED if figure else ANSWERED


def _mean(values: Sequence[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return sum(there) / len(there) if there else None


def score_of(result: Result, criterion: str) -> Number | None:
    """An answer's score of a criterion, or its total."""
    return result.total if criterion == TOTAL else result.scores.get(criterion)


def mean(answers: Sequence[Result], criterion: str) -> float | None:
    """The question's score: the mean over the answers of a variant that have one, None where none has."""
    found = [score for result in answers if (score := score_of(result, criterion)) is not None]
    return sum(found) / len(found) if found else None


def _by_question(store: Store) -> Iterator[tuple[Question, list[_IndexedScores]]]:
    """Every question with all its answers; both come in the order of the test set."""
    pairs = zip(results(store, sample=None), measures(store, sample=None), strict=True)
    grouped = groupby(pairs, key=lambda pair: pair[0].question_id)
    waiting = next(grouped, None)
    for question in store.questions():
        found: list[_IndexedScores] = []
        if waiting is not None and waiting[0] == question.id:
            found = [_IndexedScores(result, figures or {}) for result, figures in waiting[1]]
            waiting = next(grouped, None)
        yield question, found


def _body(question: Question, found: list[Result]) -> str:
    said = [result.prediction[:_SEARCHED] for result in found if result.prediction]
    return folded("\x1f".join((question.id, question.question[:_SEARCHED], *question.reference, *said)))


class SearchTerms(NamedTuple):
    """Texts, folded, all of which a row must hold, and texts none of which it may."""

    wanted: tuple[str, ...]
    unwanted: tuple[str, ...]


def search_terms(search: str) -> SearchTerms:
    """What a search asks for: words, and what stands between double quotes as it is; each may have a - before it."""
    found = {"": dict[str, None](), "-": dict[str, None]()}
    for sign, quoted, word in _SOUGHT.findall(folded(search)):
        text = quoted.strip() or word
        if text:
            found[sign][text] = None
    return SearchTerms(tuple(found[""]), tuple(found["-"]))
