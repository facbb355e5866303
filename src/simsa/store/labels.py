"""People's scores of a run's answers: one SQLite file beside the run's own, so that its writer is not disturbed.

`read(folder)` returns every label; `Labels` is what a labelling desk writes with. Each call that writes returns when
the label is on disk.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, Self

import orjson

from simsa.errors import DataError
from simsa.i18n.messages import msg
from simsa.records import Criteria
from simsa.rubrics import built_in_criteria
from simsa.store.result_queries import criteria_of
from simsa.store.schema_sql import statements
from simsa.store.store import DATABASE as RUN_DATABASE
from simsa.store.store import Store

DATABASE = "labels.sqlite"

_VERSION = 1
_SCHEMA = """
    CREATE TABLE IF NOT EXISTS sample (
        place INTEGER PRIMARY KEY, question_id TEXT NOT NULL, variant TEXT NOT NULL,
        answer_hash TEXT NOT NULL, sample INTEGER NOT NULL DEFAULT 0, UNIQUE (question_id, variant)
    );
    CREATE TABLE IF NOT EXISTS labels (
        question_id TEXT NOT NULL, variant TEXT NOT NULL, annotator TEXT NOT NULL, answer_hash TEXT NOT NULL,
        comment TEXT NOT NULL DEFAULT '', sample INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (question_id, variant, annotator)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS scores (
        question_id TEXT NOT NULL, variant TEXT NOT NULL, annotator TEXT NOT NULL,
        criterion TEXT NOT NULL, score INTEGER NOT NULL,
        PRIMARY KEY (question_id, variant, annotator, criterion)
    ) WITHOUT ROWID;
    -- What each step replaced, for undo: the score of the criterion `field`, or the comment.
    CREATE TABLE IF NOT EXISTS steps (
        serial INTEGER PRIMARY KEY AUTOINCREMENT, annotator TEXT NOT NULL, place INTEGER NOT NULL,
        field TEXT NOT NULL, before TEXT NOT NULL
    );
    -- How the sample was drawn, and for a stratified draw the number of questions each answer represents.
    CREATE TABLE IF NOT EXISTS draw (seed INTEGER NOT NULL, stratified INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS weights (
        question_id TEXT NOT NULL, variant TEXT NOT NULL, weight REAL NOT NULL CHECK (weight > 0),
        PRIMARY KEY (question_id, variant)
    ) WITHOUT ROWID;
"""
# Version 0 had one column for each of the four built-in criteria.
_COLUMNS = ("answer_correctness", "context_relevance", "context_faithfulness", "context_recall")
_COMMENT = "comment"


class Mixed(DataError):
    """Draws that make no one sample: no weight of an answer would be right."""


class LabeledAnswer(NamedTuple):
    """An answer by its question's id, its variant and, if the variant answers several times, its number from 0."""

    question_id: str
    variant: str
    sample: int = 0


class Item(NamedTuple):
    """One answer to label. `place` is its number in the sample, which says nothing about the variant.

    A draw has one answer of each variant to a question; `sample` is that answer's number.
    """

    place: int
    question_id: str
    variant: str
    answer_hash: str
    sample: int = 0

    @property
    def answer(self) -> LabeledAnswer:
        return LabeledAnswer(self.question_id, self.variant, self.sample)


_Drawn = tuple[str, str, str] | tuple[str, str, str, int]


class Draw(NamedTuple):
    """How a sample was drawn: by `seed`, uniformly or evenly over strata of the judge's scores."""

    seed: int
    stratified: bool = False


@dataclass(frozen=True, slots=True)
class Label:
    """One person's scores of one answer, by criterion, and a comment.

    `answer_hash` is the hash of the answer that was shown, so that a label on an answer that has changed since is
    recognised. `sample` is the number of the answer, from 0, if there are several.
    """

    question_id: str
    variant: str
    annotator: str
    scores: Mapping[str, int] = field(default_factory=dict)
    comment: str = ""
    answer_hash: str = ""
    sample: int = 0

    @property
    def answer(self) -> LabeledAnswer:
        return LabeledAnswer(self.question_id, self.variant, self.sample)

    def is_complete(self, criteria: Criteria) -> bool:
        """Whether every one of `criteria` has a score."""
        return all(name in self.scores for name in criteria.names)

    def to_dict(self, criteria: Criteria) -> dict[str, str | int | None]:
        """The row of an export, with the keys of `columns`."""
        head = {"question_id": self.question_id, "variant": self.variant, "annotator": self.annotator}
        scores = {name: self.scores.get(name) for name in criteria.names}
        return head | scores | {"comment": self.comment, "sample": self.sample}


def columns(criteria: Criteria) -> tuple[str, ...]:
    """The columns of an export of labels."""
    return ("question_id", "variant", "annotator", *criteria.names, "comment", "sample")


def read(path: Path) -> list[Label]:
    """Returns every label in a run's folder, or in the `labels.sqlite` itself. Raises DataError if there is none."""
    with _reading(path) as db:
        return list(_labels(db))


def weights(path: Path) -> dict[LabeledAnswer, float]:
    """Number of questions that each answer of the sample represents; empty for a uniform draw. Raises as `read`."""
    with _reading(path) as db:
        return _weights(db)


def scored_criteria(folder: Path) -> Criteria:
    """The criteria that people score in this run: its rubric's, or the built-in ones if it has no judge."""
    found = Criteria()
    if (folder / RUN_DATABASE).is_file():
        with Store.read(folder) as store:
            found = criteria_of(store)
    return found or built_in_criteria()


class Labels:
    """The labels of one run, open for writing by any number of people at once.

    `criteria` are those that can be scored, by default those of the run in `folder`.
    """

    def __init__(self, folder: Path, criteria: Criteria | None = None) -> None:
        self.folder = folder
        self.path = folder / DATABASE
        self._criteria = criteria
        with _translated(self.path):
            self.db = _connect(self.path, "rwc")
            self.db.execute("PRAGMA journal_mode=WAL")
            self.db.execute("PRAGMA synchronous=FULL")
            _prepare(self.db)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.db.close()

    @property
    def criteria(self) -> Criteria:
        """The criteria that can be scored."""
        if self._criteria is None:
            self._criteria = scored_criteria(self.folder)
        return self._criteria

    def take(
        self,
        answers: Iterable[_Drawn],
        how: Draw | None = None,
        weights: Mapping[tuple[str, str], float] = MappingProxyType({}),
    ) -> int:
        """Adds drawn answers to the sample in this order: (question id, variant, answer hash) and maybe the answer's number.

        Answers that are in the sample keep their places, and no other answer of the same variant to the same
        question is added. `weights` of a stratified draw, by question and variant, replace earlier ones. Returns the
        number of answers in the sample. Raises Mixed if the sample was drawn in another way or from other strata.
        """
        drawn, how = list(answers), how or Draw(0)
        with self._transaction():
            first = self._sample_size()
            known = {tuple(row) for row in self.db.execute("SELECT question_id, variant FROM sample")}
            new = [answer for answer in drawn if answer[:2] not in known]
            before = self.how
            if not new:
                return first
            if known and how.stratified != (before is not None and before.stratified):
                raise Mixed(
                    "the sample was drawn in another way", where=str(self.path), hint="go on in the same way"
                )
            if how.stratified and not known <= {answer[:2] for answer in drawn}:
                raise Mixed(
                    "the sample was drawn from other scores or by another seed: it can't be drawn on from",
                    where=str(self.path),
                )
            self._place(new, first)
            self.db.execute("DELETE FROM draw")
            self.db.execute("INSERT INTO draw VALUES (?,?)", how)
            self.db.executemany(
                "INSERT OR REPLACE INTO weights VALUES (?,?,?)",
                ((*answer[:2], weights[answer[:2]]) for answer in drawn if answer[:2] in weights),
            )
        return first + len(new)

    @property
    def how(self) -> Draw | None:
        """How the sample was drawn last; None if that is not known, or none was drawn."""
        found = self.db.execute("SELECT seed, stratified FROM draw").fetchone()
        return None if found is None else Draw(found[0], bool(found[1]))

    def weights(self) -> dict[LabeledAnswer, float]:
        """As the function `weights`."""
        return _weights(self.db)

    def items(self, annotator: str) -> list[Item]:
        """The sample in the order in which `annotator` sees it; every annotator has another order."""
        rows = self.db.execute("SELECT place, question_id, variant, answer_hash, sample FROM sample")
        return sorted((Item(*row) for row in rows), key=lambda item: _lot(annotator, item.place))

    def of(self, annotator: str) -> dict[tuple[str, str], Label]:
        """This annotator's labels by (question id, variant)."""
        return {(n.question_id, n.variant): n for n in _labels(self.db, annotator)}

    def progress(self) -> dict[str, int]:
        """Annotator → number of answers in the sample with a score for every criterion."""
        names = self.criteria.names
        rows = self.db.execute(
            f"""SELECT l.annotator, sum({len(names)} = (SELECT count(*) FROM scores s
                WHERE s.question_id = l.question_id AND s.variant = l.variant AND s.annotator = l.annotator
                AND s.criterion IN ({",".join("?" * len(names))})))
            FROM labels l JOIN sample USING (question_id, variant) GROUP BY l.annotator ORDER BY l.annotator""",
            names,
        )
        return {str(name): int(n) for name, n in rows}

    def score(self, annotator: str, item: Item, criterion: str, score: int | None) -> None:
        """Sets one score, or removes it with None. Raises DataError if it is not on the criterion's scale."""
        known = self.criteria.named(criterion)
        if known is None:
            hint = msg("error.store.there_are", list=", ".join(self.criteria.names))
            raise DataError(msg("error.store.is_no_criterion"), found=criterion, hint=hint)
        if score is not None and (type(score) is not int or score not in known.levels):
            message = msg("error.store.score_is_integer", low=known.low, high=known.high)
            raise DataError(message, field=criterion, found=score)
        self._set(annotator, item, criterion, score)

    def comment(self, annotator: str, item: Item, text: str) -> None:
        """Replaces the comment on an answer."""
        self._set(annotator, item, _COMMENT, text)

    def undo(self, annotator: str) -> int | None:
        """Reverts this annotator's last step. Returns its place in the sample; None if there is none left."""
        with self._transaction():
            step = self.db.execute(
                """SELECT s.serial, s.place, s.field, s.before, i.question_id, i.variant FROM steps s
                JOIN sample i USING (place) WHERE s.annotator = ? ORDER BY s.serial DESC LIMIT 1""",
                (annotator,),
            ).fetchone()
            if step is None:
                return None
            serial, place, name, before, question_id, variant = step
            self._write((question_id, variant, annotator), name, orjson.loads(before))
            self.db.execute("DELETE FROM steps WHERE serial = ?", (serial,))
        return int(place)

    def _set(self, annotator: str, item: Item, name: str, value: int | str | None) -> None:
        key = (item.question_id, item.variant, annotator)
        where = "WHERE question_id = ? AND variant = ? AND annotator = ?"
        with self._transaction():
            self.db.execute(
                "INSERT OR IGNORE INTO labels (question_id, variant, annotator, answer_hash, sample)"
                " VALUES (?,?,?,?,?)",
                (*key, item.answer_hash, item.sample),
            )
            found = self.db.execute(
                f"SELECT comment FROM labels {where}"
                if name == _COMMENT
                else f"SELECT score FROM scores {where} AND criterion = ?",
                key if name == _COMMENT else (*key, name),
            ).fetchone()
            before = found[0] if found else None
            if before == value:
                return
            self._write(key, name, value)
            self.db.execute(f"UPDATE labels SET answer_hash = ? {where}", (item.answer_hash, *key))
            self.db.execute(
                "INSERT INTO steps (annotator, place, field, before) VALUES (?,?,?,?)",
                (annotator, item.place, name, orjson.dumps(before).decode()),
            )

    def _write(self, key: tuple[str, str, str], name: str, value: int | str | None) -> None:
        """Sets the score of the criterion `name`, or the comment."""
        where = "WHERE question_id = ? AND variant = ? AND annotator = ?"
        if name == _COMMENT:
            self.db.execute(f"UPDATE labels SET comment = ? {where}", (value, *key))
        elif value is None:
            self.db.execute(f"DELETE FROM scores {where} AND criterion = ?", (*key, name))
        else:
            self.db.execute("INSERT OR REPLACE INTO scores VALUES (?,?,?,?,?)", (*key, name, value))

    def _place(self, answers: Iterable[_Drawn], first: int = 0) -> None:
        self.db.executemany(
            "INSERT INTO sample (place, question_id, variant, answer_hash, sample) VALUES (?,?,?,?,?)",
            ((first + n, *answer[:3], *(answer[3:] or (0,))) for n, answer in enumerate(answers)),
        )

    def _sample_size(self) -> int:
        return int(self.db.execute("SELECT count(*) FROM sample").fetchone()[0])

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with _translated(self.path), self.db:
            self.db.execute("BEGIN IMMEDIATE")
            yield


def _labels(db: sqlite3.Connection, annotator: str | None = None) -> Iterator[Label]:
    """Labels with a score or a comment; those that were removed again are left out."""
    rows = db.execute(
        """SELECT l.question_id, l.variant, l.annotator, l.answer_hash, l.comment, l.sample,
            (SELECT json_group_object(s.criterion, s.score) FROM scores s
            WHERE s.question_id = l.question_id AND s.variant = l.variant AND s.annotator = l.annotator)
        FROM labels l WHERE ?1 IS NULL OR l.annotator = ?1 ORDER BY l.question_id, l.variant, l.annotator""",
        (annotator,),
    )
    for question_id, variant, person, answer_hash, comment, n, found in rows:
        scores = orjson.loads(found)
        if scores or comment:
            yield Label(question_id, variant, person, scores, comment, answer_hash, n)


def _weights(db: sqlite3.Connection) -> dict[LabeledAnswer, float]:
    rows = db.execute(
        """SELECT w.question_id, w.variant, coalesce(s.sample, 0), w.weight
        FROM weights w LEFT JOIN sample s USING (question_id, variant)"""
    )
    return {LabeledAnswer(*answer): weight for *answer, weight in rows}


def _prepare(db: sqlite3.Connection) -> None:
    """Creates the schema, or upgrades a file that an earlier simsa wrote, in one transaction."""
    if _is_current(db):
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        if not _is_current(db):
            for statement in statements(_SCHEMA):
                db.execute(statement)
            for table in ("sample", "labels"):
                if "sample" not in _columns_of(db, table):
                    db.execute(f"ALTER TABLE {table} ADD COLUMN sample INTEGER NOT NULL DEFAULT 0")
            for name in _columns_of(db, "labels") & set(_COLUMNS):
                db.execute(
                    f"INSERT INTO scores SELECT question_id, variant, annotator, '{name}', {name} FROM labels"
                    f" WHERE {name} IS NOT NULL"
                )
                db.execute(f"ALTER TABLE labels DROP COLUMN {name}")
            db.execute(f"PRAGMA user_version = {_VERSION}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _is_current(db: sqlite3.Connection) -> bool:
    return int(db.execute("PRAGMA user_version").fetchone()[0]) >= _VERSION


def _columns_of(db: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in db.execute(f"PRAGMA table_info({table})")}


def _lot(*parts: str | int) -> bytes:
    return hashlib.blake2b(orjson.dumps(parts), digest_size=16).digest()


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.resolve().as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=30, check_same_thread=False)


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    file = path / DATABASE if path.is_dir() else path
    if not file.is_file():
        raise DataError(
            msg("error.store.has_no_labels"),
            where=str(path),
            hint=msg("error.store.give_some_page_simsa_view"),
        )
    with contextlib.ExitStack() as stack:
        stack.enter_context(_translated(file))
        db = stack.enter_context(contextlib.closing(_connect(file, "ro")))
        if not _is_current(db):  # reading changes no file: a copy in memory is upgraded instead
            copy = stack.enter_context(contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)))
            db.backup(copy)
            _prepare(copy)
            db = copy
        yield db


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise DataError(msg("error.store.cannot_used_file_labels", error=error), where=str(path)) from None
