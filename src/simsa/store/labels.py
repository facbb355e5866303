"""What people say of a run's answers: one SQLite file beside the run's own, so that its writer isn't disturbed.

`read(folder)` gives every label; `Labels` is what a labelling desk writes with. Each
call that writes returns when the label is on disk.
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
from simsa.records import CRITERIA, MAX_SCORE

DATABASE = "labels.sqlite"
COLUMNS = ("question_id", "variant", "annotator", *CRITERIA, "comment", "sample")

_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS sample (
    place INTEGER PRIMARY KEY, question_id TEXT NOT NULL, variant TEXT NOT NULL,
    answer_hash TEXT NOT NULL, sample INTEGER NOT NULL DEFAULT 0, UNIQUE (question_id, variant)
);
CREATE TABLE IF NOT EXISTS labels (
    question_id TEXT NOT NULL, variant TEXT NOT NULL, annotator TEXT NOT NULL, answer_hash TEXT NOT NULL,
    {", ".join(f"{name} INTEGER CHECK ({name} BETWEEN 1 AND {MAX_SCORE})" for name in CRITERIA)},
    comment TEXT NOT NULL DEFAULT '', sample INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (question_id, variant, annotator)
) WITHOUT ROWID;
-- What each step replaced, so that it can be taken back.
CREATE TABLE IF NOT EXISTS steps (
    serial INTEGER PRIMARY KEY AUTOINCREMENT, annotator TEXT NOT NULL, place INTEGER NOT NULL,
    field TEXT NOT NULL, before TEXT NOT NULL
);
-- How the sample was drawn, and of a draw by strata how many questions each answer stands for.
CREATE TABLE IF NOT EXISTS draw (seed INTEGER NOT NULL, stratified INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS weights (
    question_id TEXT NOT NULL, variant TEXT NOT NULL, weight REAL NOT NULL CHECK (weight > 0),
    PRIMARY KEY (question_id, variant)
) WITHOUT ROWID;
"""


class Mixed(DataError):
    """Draws that make no one sample: no weight of an answer would be right."""


class LabeledAnswer(NamedTuple):
    """An answer by its question's id, its variant and, where that answers several times, its number from 0."""

    question_id: str
    variant: str
    sample: int = 0


class Item(NamedTuple):
    """One answer to label. `place` is its number in the sample and says nothing of the variant.

    A draw has one answer to a question of each variant: `sample` says which, where there are several.
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
    """How a sample came about: by `seed`, uniformly or evenly over strata of the judge's scores."""

    seed: int
    stratified: bool = False


@dataclass(frozen=True, slots=True)
class Label:
    """What one person says of one answer: integers 1–5 for the criteria that were judged, and a remark.

    `answer_hash` names the answer that was seen, so that a label on an answer that has
    since changed can be told; `sample` is which of several answers it was, from 0.
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

    @property
    def is_whole(self) -> bool:
        return len(self.scores) == len(CRITERIA)

    def to_dict(self) -> dict[str, str | int | None]:
        """The row of an export, with the keys of `COLUMNS`."""
        head = {"question_id": self.question_id, "variant": self.variant, "annotator": self.annotator}
        scores = {name: self.scores.get(name) for name in CRITERIA}
        return head | scores | {"comment": self.comment, "sample": self.sample}


def read(path: Path) -> list[Label]:
    """Every label in a run's folder, or in the `labels.sqlite` itself. Raises DataError when there is none."""
    with _reading(path) as db:
        return list(_labels(db))


def weights(path: Path) -> dict[LabeledAnswer, float]:
    """How many questions each answer of the sample stands for; empty for a uniform draw. Otherwise as `read`."""
    with _reading(path) as db:
        if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'weights'").fetchone():
            return {}  # written before there were draws by strata
        return _weights(db)


class Labels:
    """The labels of one run, open for writing. Any number of people at once."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / DATABASE
        with _translated(self.path):
            self.db = _connect(self.path, "rwc")
            self.db.execute("PRAGMA journal_mode=WAL")
            self.db.execute("PRAGMA synchronous=FULL")
            self.db.executescript(_SCHEMA)
            _number_answers(self.db)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.db.close()

    def draw(self, answers: Iterable[_Drawn], n_questions: int, seed: int = 0) -> int:
        """Draws the sample, once: every variant's answer to `n_questions`, in an order that hides the variant.

        `answers` are (question id, variant, answer hash) and, of several, the answer's number. The draw goes by hashes of the
        ids, so the same run and seed give the same sample. A second draw changes nothing.
        Returns the number of answers in the sample.
        """
        found = list(answers)
        questions = sorted({answer[0] for answer in found}, key=lambda q: _lot(seed, q))[:n_questions]
        chosen = set(questions)
        drawn = sorted((a for a in found if a[0] in chosen), key=lambda a: _lot(seed, *a[:2]))
        with self._transaction():
            if not self._count("sample"):
                self._place(drawn)
            return self._count("sample")

    def take(
        self,
        answers: Iterable[_Drawn],
        how: Draw | None = None,
        weights: Mapping[tuple[str, str], float] = MappingProxyType({}),
    ) -> int:
        """Adds drawn answers to the sample, in this order: (question id, variant, answer hash) and, of several, which.

        What is in the sample already stays where it is, and no other answer of the same variant to the same
        question comes beside it. `weights`, by question and variant, of a stratified draw take the
        place of those before. Returns the number of answers in the sample. Raises Mixed where
        two kinds of draw, or two draws of different strata, would be in it.
        """
        drawn, how = list(answers), how or Draw(0)
        with self._transaction():
            first = self._count("sample")
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
        """How the sample was drawn last; None where that isn't known, or none was drawn."""
        found = self.db.execute("SELECT seed, stratified FROM draw").fetchone()
        return None if found is None else Draw(found[0], bool(found[1]))

    def _place(self, answers: Iterable[_Drawn], first: int = 0) -> None:
        self.db.executemany(
            "INSERT INTO sample (place, question_id, variant, answer_hash, sample) VALUES (?,?,?,?,?)",
            ((first + n, *answer[:3], *(answer[3:] or (0,))) for n, answer in enumerate(answers)),
        )

    def weights(self) -> dict[LabeledAnswer, float]:
        """As the function of this name."""
        return _weights(self.db)

    def items(self, annotator: str) -> list[Item]:
        """The sample in the order in which `annotator` sees it: everybody has an order of their own."""
        rows = self.db.execute("SELECT place, question_id, variant, answer_hash, sample FROM sample")
        return sorted((Item(*row) for row in rows), key=lambda item: _lot(annotator, item.place))

    def of(self, annotator: str) -> dict[tuple[str, str], Label]:
        """This annotator's labels by (question id, variant)."""
        return {(n.question_id, n.variant): n for n in _labels(self.db, annotator)}

    def progress(self) -> dict[str, int]:
        """Annotator → of how many answers in the sample all four criteria are scored."""
        whole = " AND ".join(f"l.{name} IS NOT NULL" for name in CRITERIA)
        rows = self.db.execute(
            f"""SELECT l.annotator, sum({whole}) FROM labels l JOIN sample USING (question_id, variant)
            GROUP BY l.annotator ORDER BY l.annotator"""
        )
        return {str(name): int(n) for name, n in rows}

    def score(self, annotator: str, item: Item, criterion: str, score: int | None) -> None:
        """Sets one criterion, or takes it away. Raises DataError for what is no score or criterion."""
        if criterion not in CRITERIA:
            raise DataError("is no criterion", found=criterion, hint=f"there are {', '.join(CRITERIA)}")
        if score is not None and (type(score) is not int or not 1 <= score <= MAX_SCORE):
            raise DataError(f"a score is an integer from 1 to {MAX_SCORE}", field=criterion, found=score)
        self._set(annotator, item, criterion, score)

    def comment(self, annotator: str, item: Item, text: str) -> None:
        """Replaces the remark on an answer."""
        self._set(annotator, item, "comment", text)

    def undo(self, annotator: str) -> int | None:
        """Takes back this annotator's last step. Returns the place it was at; None when there is nothing left."""
        with self._transaction():
            step = self.db.execute(
                """SELECT s.serial, s.place, s.field, s.before, i.question_id, i.variant FROM steps s
                JOIN sample i USING (place) WHERE s.annotator = ? ORDER BY s.serial DESC LIMIT 1""",
                (annotator,),
            ).fetchone()
            if step is None:
                return None
            serial, place, name, before, question_id, variant = step
            self.db.execute(
                f"UPDATE labels SET {name} = ? WHERE question_id = ? AND variant = ? AND annotator = ?",
                (orjson.loads(before), question_id, variant, annotator),
            )
            self.db.execute("DELETE FROM steps WHERE serial = ?", (serial,))
        return int(place)

    def _set(self, annotator: str, item: Item, name: str, value: int | str | None) -> None:
        key = (item.question_id, item.variant, annotator)
        with self._transaction():
            self.db.execute(
                "INSERT OR IGNORE INTO labels (question_id, variant, annotator, answer_hash, sample)"
                " VALUES (?,?,?,?,?)",
                (*key, item.answer_hash, item.sample),
            )
            where = "WHERE question_id = ? AND variant = ? AND annotator = ?"
            before = self.db.execute(f"SELECT {name} FROM labels {where}", key).fetchone()[0]
            if before == value:
                return
            self.db.execute(
                f"UPDATE labels SET {name} = ?, answer_hash = ? {where}", (value, item.answer_hash, *key)
            )
            self.db.execute(
                "INSERT INTO steps (annotator, place, field, before) VALUES (?,?,?,?)",
                (annotator, item.place, name, orjson.dumps(before).decode()),
            )

    def _count(self, table: str) -> int:
        return int(self.db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with _translated(self.path), self.db:
            self.db.execute("BEGIN IMMEDIATE")
            yield


def _labels(db: sqlite3.Connection, annotator: str | None = None) -> Iterator[Label]:
    """Labels that say something; those of which everything was taken back are left out."""
    sample = "sample" if _has_numbers(db, "labels") else "0"
    rows = db.execute(
        f"""SELECT question_id, variant, annotator, answer_hash, comment, {sample}, {", ".join(CRITERIA)}
        FROM labels WHERE ?1 IS NULL OR annotator = ?1 ORDER BY question_id, variant, annotator""",
        (annotator,),
    )
    for question_id, variant, person, answer_hash, comment, n, *values in rows:
        scores = {name: value for name, value in zip(CRITERIA, values, strict=True) if value is not None}
        if scores or comment:
            yield Label(question_id, variant, person, scores, comment, answer_hash, n)


def _weights(db: sqlite3.Connection) -> dict[LabeledAnswer, float]:
    sample = "coalesce(s.sample, 0)" if _has_numbers(db, "sample") else "0"
    rows = db.execute(
        f"""SELECT w.question_id, w.variant, {sample}, w.weight
        FROM weights w LEFT JOIN sample s USING (question_id, variant)"""
    )
    return {LabeledAnswer(*answer): weight for *answer, weight in rows}


def _has_numbers(db: sqlite3.Connection, table: str) -> bool:
    """Whether a file says which of several answers is meant; in one that was written before, it is the first."""
    return any(row[1] == "sample" for row in db.execute(f"PRAGMA table_info({table})"))


def _number_answers(db: sqlite3.Connection) -> None:
    """Brings a file up to date that was written before questions were answered several times."""
    if _has_numbers(db, "sample") and _has_numbers(db, "labels"):
        return
    db.execute("BEGIN IMMEDIATE")
    for table in ("sample", "labels"):
        if not _has_numbers(db, table):  # somebody else may just have done it
            db.execute(f"ALTER TABLE {table} ADD COLUMN sample INTEGER NOT NULL DEFAULT 0")
    db.execute("COMMIT")


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
            "has no labels",
            where=str(path),
            hint="give some on the page (`simsa view`), or have a sample labelled and name it with --labels",
        )
    with _translated(file), contextlib.closing(_connect(file, "ro")) as db:
        yield db


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise DataError(f"cannot be used as a file of labels: {error}", where=str(path)) from None
