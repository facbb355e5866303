"""A run's one SQLite file: what was asked, what was answered, what was judged.

A `Store` is either the run's single writer (`Store.create`) or one of any number of
readers (`Store.read`), also while the run is going on. Everything is keyed by the
content of its request, so work that was done is found again, whoever asks.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import orjson

from simsa.errors import RunError, SimsaError
from simsa.records import Judgement, Prediction, Question, data_hash
from simsa.store.files import (
    LOCK,
    connect_reader,
    enable_wal,
    migrate_copy,
    take_lock,
    translated,
    truncate_wal,
)
from simsa.store.schema_sql import is_current, prepare
from simsa.store.writer import GroupCommit

DATABASE = "run.sqlite"

Role = Literal["member", "repeat", "criteria"]

# Tables of which one has rows as soon as a run is worth anything.
_KEPT = ("meta", "questions", "answers", "judgements")

# A later run asks again where the reason may have gone away by itself.
TRANSIENT = ("failed", "budget")

_ADD_ANSWER = (
    "INSERT OR IGNORE INTO answers (request_hash, prediction, finish_reason, prompt_tokens,"
    " completion_tokens, latency_s, served_model, system_fingerprint) VALUES (?,?,?,?,?,?,?,?)"
)
_ADD_JUDGEMENT = (
    "INSERT OR REPLACE INTO judgements (request_hash, judge, rubric, status, analysis, raw, prompt_tokens,"
    " completion_tokens, cached_tokens, cost_usd, latency_s, attempts, detail, expected, claims, estimated_usd)"
    f" VALUES ({','.join('?' * 16)})"
)
_SAME = "g.question_id = p.question_id AND g.variant = p.variant AND g.sample = p.sample"
_FORGET_SCORES = "DELETE FROM scores WHERE request_hash = ?"
_ADD_SCORE = "INSERT INTO scores (request_hash, criterion, score) VALUES (?,?,?)"
_FORGET_VOICES = "DELETE FROM sub_judgements WHERE request_hash = ?"
_ADD_VOICE = "INSERT INTO sub_judgements (request_hash, position, role, name, source) VALUES (?,?,?,?,?)"
_STAND = "INSERT OR REPLACE INTO criterion_cache (criterion_hash, request_hash) VALUES (?,?)"
_LINK = (
    "INSERT OR REPLACE INTO judging (question_id, variant, sample, part, judge_key, answer_hash,"
    " request_hash) VALUES (?,?,?,?,?,?,?)"
)
_ADD_FAILURE = "INSERT INTO failures (stage, question_id, variant, detail) VALUES (?,?,?,?)"
_ADD_MEASURE = (
    "INSERT OR REPLACE INTO measures (answer_hash, question_hash, version, figures) VALUES (?,?,?,?)"
)


class SubJudgement(NamedTuple):
    """A judgement that another one is made from: a panel's member, a repeat, or some of the criteria.

    `name` is the member's label, the number of the repeat from 0, or the criteria with commas.
    """

    role: Role
    name: str
    source: str


class Planned(NamedTuple):
    """One request that a variant gets. `sample` counts the answers to the same question from 0."""

    question_id: str
    variant: str
    request_hash: str
    sample: int = 0


class Answered(NamedTuple):
    """An answer that waits for its verdict."""

    serial: int
    question: Question
    variant: str
    answer_hash: str
    prediction: str
    sample: int = 0


class Store:
    """See the module. Use as a context manager; closing a writer gives up its lock."""

    def __init__(self, folder: Path, *, writable: bool) -> None:
        self.folder = folder
        self.path = folder / DATABASE
        self._lock: sqlite3.Connection | None = take_lock(folder) if writable else None
        self._writer: GroupCommit | None = None
        self._is_new = writable and not self.path.exists()
        try:
            self.db = self._connect() if writable else connect_reader(self.path)
            with translated(self.path):
                if writable:
                    enable_wal(self.db)
                    prepare(self.db, str(self.path))
                elif not is_current(self.db):
                    migrate_copy(self.path)
        except BaseException:
            self._release()
            raise

    @classmethod
    def create(cls, folder: Path) -> Self:
        """Opens the run in `folder` for writing, making it if need be. One writer at a time."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"the run's folder cannot be made: {error.strerror}", where=str(folder)) from None
        return cls(folder, writable=True)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Opens the run in `folder` for reading. Raises RunError when there is none."""
        if not (folder / DATABASE).is_file():
            raise RunError(
                "is not the folder of a run",
                where=str(folder),
                hint="`simsa run` makes one; give its folder or the config it was made from",
            )
        return cls(folder, writable=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        nothing = isinstance(error, SimsaError) and self._is_new and not any(map(self.count, _KEPT))
        self.close()
        if nothing:
            self._unmake()
        if isinstance(error, (sqlite3.DatabaseError, UnicodeDecodeError)):  # met while rows were being read
            with translated(self.path):
                raise error

    def close(self) -> None:
        if self._lock is not None:
            truncate_wal(self.db)
        self.db.close()
        self._release()

    def _unmake(self) -> None:
        """A run that was begun by mistake, of data that cannot be read, leaves nothing behind."""
        with contextlib.suppress(OSError):
            for name in (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", LOCK):
                (self.folder / name).unlink(missing_ok=True)
            self.folder.rmdir()  # unless somebody else keeps something there

    # What the run is about -------------------------------------------------------

    def meta(self, key: str, default: Any = None) -> Any:
        """A fact about the run, as JSON keeps it."""
        found = self.db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return default if found is None else orjson.loads(found[0])

    def set_meta(self, **facts: Any) -> None:
        rows = [(key, orjson.dumps(value).decode()) for key, value in facts.items()]
        with self._transaction():
            self.db.executemany("INSERT OR REPLACE INTO meta VALUES (?,?)", rows)

    def set_questions(self, questions: Iterable[Question]) -> int:
        """Replaces the test set; only verdicts on questions that stayed as they were still stand.

        What was said of the others is on file, and found again by its content. Returns how many there are.
        """
        with self._transaction():
            self.db.execute("CREATE TEMP TABLE before AS SELECT id, hash FROM questions")
            self.db.execute("DELETE FROM questions")
            self.db.executemany(
                "INSERT INTO questions VALUES (?,?,?,?,?,?,?)",
                (
                    (q.id, n, q.content_hash, q.type, q.answerable, q.cluster, _dump(q.to_dict()))
                    for n, q in enumerate(questions)
                ),
            )
            self.db.execute(
                "DELETE FROM judging WHERE question_id NOT IN"
                " (SELECT id FROM before JOIN questions USING (id, hash))"
            )
            self.db.execute("DROP TABLE before")
        return self.count("questions")

    def set_variants(self, variants: Iterable[tuple[str, dict[str, Any]]]) -> None:
        """Replaces the variants: names in order, each with what is known about it."""
        with self._transaction():
            self.db.execute("DELETE FROM variants")
            self.db.executemany(
                "INSERT INTO variants VALUES (?,?,?)",
                ((name, n, _dump(info)) for n, (name, info) in enumerate(variants)),
            )

    def set_plan(self, planned: Iterable[Planned]) -> None:
        """Replaces what is to be answered."""
        with self._transaction():
            self.db.execute("DELETE FROM plan")
            self.db.executemany(
                "INSERT INTO plan (question_id, variant, request_hash, sample) VALUES (?,?,?,?)", planned
            )

    def variants(self) -> dict[str, dict[str, Any]]:
        """Name → what is known about it, in the config's order."""
        rows = self.db.execute("SELECT name, info FROM variants ORDER BY position")
        return {name: orjson.loads(info) for name, info in rows}

    def questions(self) -> Iterator[Question]:
        """The test set in its order."""
        for (row,) in self.db.execute("SELECT row FROM questions ORDER BY position"):
            yield Question.from_dict(orjson.loads(row))

    def question_ids(self) -> dict[str, None]:
        """The ids of the test set in its order, quick to look up in."""
        return dict.fromkeys(row[0] for row in self.db.execute("SELECT id FROM questions ORDER BY position"))

    def question(self, question_id: str) -> Question | None:
        found = self.db.execute("SELECT row FROM questions WHERE id = ?", (question_id,)).fetchone()
        return Question.from_dict(orjson.loads(found[0])) if found else None

    def data_hash(self) -> str:
        """Hash of the whole test set, whatever its order."""
        return data_hash(row[0] for row in self.db.execute("SELECT hash FROM questions"))

    def count(self, table: str) -> int:
        """How many rows `table` or the view `results` has."""
        return int(self.db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])

    # Plan - done = pending -------------------------------------------------------

    def pending_answers(self, variants: Sequence[str]) -> list[Planned]:
        """Requests without an answer, all variants of a question close together."""
        rows = self.db.execute(
            f"""SELECT p.question_id, p.variant, p.request_hash, p.sample FROM plan p
            JOIN questions q ON q.id = p.question_id JOIN variants v ON v.name = p.variant
            WHERE p.variant IN ({_marks(variants)}) AND NOT EXISTS
                (SELECT 1 FROM answers a WHERE a.request_hash = p.request_hash)
            ORDER BY q.position, v.position, p.sample""",
            tuple(variants),
        )
        return [Planned(*row) for row in rows]

    def unjudged(self, judge_key: str, after: int, limit: int, retry: Sequence[str]) -> list[Answered]:
        """About `limit` answers behind `after` that have no standing verdict of this judge.

        `retry` lists statuses that are to be asked again, also of what a verdict is made from.
        Rows that share an answer, and so its serial, come together: the next call goes on
        behind all of them.
        """
        rows = self._unjudged("a.serial > ?", judge_key, after, limit, retry)
        if len(rows) == limit:
            last = rows[-1][0]
            rows = [row for row in rows if row[0] != last]
            rows += self._unjudged("a.serial = ?", judge_key, last, -1, retry)
        return [_answered(row) for row in rows]

    def _unjudged(
        self, which: str, judge_key: str, serial: int, limit: int, retry: Sequence[str]
    ) -> list[tuple[int, str, str, str, str, int]]:
        return self.db.execute(
            # CROSS: from the first answer behind `serial` on, and not through the whole plan for every block.
            f"""WITH RECURSIVE {_again(retry)}
            SELECT a.serial, q.row, p.variant, p.request_hash, a.prediction, p.sample FROM answers a
            CROSS JOIN plan p ON p.request_hash = a.request_hash JOIN questions q ON q.id = p.question_id
            WHERE {which} AND (
                NOT EXISTS (SELECT 1 FROM judging g WHERE {_SAME}
                    AND g.judge_key = ? AND g.answer_hash = p.request_hash)
                OR EXISTS (SELECT 1 FROM judging g WHERE {_SAME} AND g.request_hash IN again))
            ORDER BY a.serial, p.variant, p.sample LIMIT ?""",
            (*retry, serial, judge_key, limit),
        ).fetchall()

    def count_unjudged(self, judge_key: str, *, answered: bool, retry: Sequence[str] = ()) -> int:
        """Planned rows without a standing verdict of this judge, or with one that is to be asked again
        for a status in `retry`; only those `answered`, or all."""
        return int(
            self.db.execute(
                f"""WITH RECURSIVE {_again(retry)}
                SELECT count(*) FROM plan p WHERE (NOT EXISTS
                    (SELECT 1 FROM judging g WHERE {_SAME}
                    AND g.judge_key = ? AND g.answer_hash = p.request_hash)
                OR EXISTS (SELECT 1 FROM judging g WHERE {_SAME} AND g.request_hash IN again))
                AND (? OR EXISTS (SELECT 1 FROM answers a WHERE a.request_hash = p.request_hash))""",
                (*retry, judge_key, not answered),
            ).fetchone()[0]
        )

    def judged(self, retry: Sequence[str]) -> set[str]:
        """Request hashes of the judgements on file, but those that a status in `retry` has a part in."""
        rows = self.db.execute(
            f"""WITH RECURSIVE {_again(retry)}
            SELECT request_hash FROM judgements WHERE request_hash NOT IN again""",
            tuple(retry),
        )
        return {row[0] for row in rows}

    def spent_usd(self) -> float:
        """What all judgements in this file cost, those of earlier rubrics too, and by estimate where no usage was reported."""
        spent = self.db.execute("SELECT total(coalesce(cost_usd, estimated_usd)) FROM judgements")
        return float(spent.fetchone()[0])

    def forget_other_judges(self, *judge_keys: str) -> None:
        """Takes down verdicts of other judges, rubrics or modes; their judgements stay on file for reuse."""
        with self._transaction():
            self.db.execute(
                f"DELETE FROM judging WHERE judge_key NOT IN ({_marks(judge_keys)})", tuple(judge_keys)
            )

    # Results, each on disk before it counts --------------------------------------

    @contextlib.asynccontextmanager
    async def writing(self) -> AsyncIterator[Self]:
        """Group commit for as long as the block runs; what was queued is committed at its end."""
        self._writer = GroupCommit(self._connect, str(self.path))
        try:
            yield self
        finally:
            writer, self._writer = self._writer, None
            await writer.close()

    async def add_prediction(self, prediction: Prediction) -> None:
        """Keeps an answer, or the failure to get one."""
        p = prediction
        if p.prediction is None:
            await self._write((_ADD_FAILURE, ("answer", p.question_id, p.variant, p.error or "")))
            return
        await self._write((_ADD_ANSWER, _answer_row(p)))

    def add_predictions(self, predictions: Iterable[Prediction]) -> None:
        """Keeps many answers at once, outside `writing`."""
        with self._transaction():
            self.db.executemany(_ADD_ANSWER, (_answer_row(p) for p in predictions))

    def add_judgement(
        self,
        judgement: Judgement,
        voices: Sequence[SubJudgement] = (),
        standing: Mapping[str, str] | None = None,
        also: Sequence[tuple[str, Sequence[Any]]] = (),
    ) -> Awaitable[None]:
        """Keeps what a judge said of one request. Queued at once; await it to know it is on disk.

        `voices` are the judgements it was made from, in order. `standing` maps hashes of
        what was asked for one criterion to the request whose judgement has its score. `also` are statements for
        the same transaction.
        """
        made = judgement.request_hash
        return self._write(
            (_ADD_JUDGEMENT, _judgement_row(judgement)),
            (_FORGET_SCORES, (made,)),
            *((_ADD_SCORE, (made, *score)) for score in judgement.scores.items()),
            (_FORGET_VOICES, (made,)),
            *((_ADD_VOICE, (made, n, *voice)) for n, voice in enumerate(voices)),
            *((_STAND, pair) for pair in (standing or {}).items()),
            *also,
        )

    def standing(self, criterion_hashes: Sequence[str]) -> dict[str, str]:
        """Hash of what was asked for one criterion → request whose scored judgement has its score."""
        rows = self.db.execute(
            f"""SELECT s.criterion_hash, s.request_hash FROM criterion_cache s
            JOIN judgements j ON j.request_hash = s.request_hash AND j.status = 'scored'
            WHERE s.criterion_hash IN ({_marks(criterion_hashes)})""",
            tuple(criterion_hashes),
        )
        return dict(rows.fetchall())

    def write(self, *statements: tuple[str, Sequence[Any]]) -> Awaitable[None]:
        """Runs statements of this package's own in one transaction; queued at once."""
        return self._write(*statements)

    def add_verdict(
        self, answered: Answered, judge_key: str, parts: Iterable[tuple[str, str]]
    ) -> Awaitable[None]:
        """Says which judgements, as (part, request hash), make up the verdict on an answer.

        All parts at once, so that a verdict is whole or not there.
        """
        q, a = answered.question.id, answered
        return self._write(
            *(
                (_LINK, (q, a.variant, a.sample, part, judge_key, a.answer_hash, request))
                for part, request in parts
            )
        )

    def unmeasured(self, version: str, limit: int) -> list[Answered]:
        """Up to `limit` answers without metrics of this `version`."""
        rows = self.db.execute(
            """SELECT a.serial, q.row, min(p.variant), p.request_hash, a.prediction, p.sample FROM answers a
            JOIN plan p ON p.request_hash = a.request_hash JOIN questions q ON q.id = p.question_id
            WHERE NOT EXISTS (SELECT 1 FROM measures m WHERE m.answer_hash = p.request_hash
                AND m.question_hash = q.hash AND m.version = ?)
            GROUP BY p.request_hash, q.hash LIMIT ?""",
            (version, limit),
        )
        return [_answered(row) for row in rows]

    def add_measures(self, rows: Iterable[tuple[str, str, str, dict[str, Any]]]) -> None:
        """Keeps deterministic metrics: (answer hash, question hash, version, figures)."""
        with self._transaction():
            self.db.executemany(_ADD_MEASURE, ((a, q, v, _dump(figures)) for a, q, v, figures in rows))

    # What is known of judges ----------------------------------------------------------

    def set_examination(self, judge_key: str, document: dict[str, Any]) -> None:
        """Keeps what `simsa probe` found of a judge, in place of what it found before."""
        with self._transaction():
            self.db.execute("INSERT OR REPLACE INTO probe_results VALUES (?,?)", (judge_key, _dump(document)))

    def examination(self, judge_key: str) -> dict[str, Any] | None:
        """What `simsa probe` found of a judge; None before it was examined."""
        found = self.db.execute(
            "SELECT document FROM probe_results WHERE judge_key = ?", (judge_key,)
        ).fetchone()
        return None if found is None else orjson.loads(found[0])

    # Inside ------------------------------------------------------------------------

    def _write(self, *statements: tuple[str, Sequence[Any]]) -> Awaitable[None]:
        if self._writer is None:
            raise RuntimeError("results are written inside `async with store.writing()`")
        return self._writer.write(*statements)

    def _connect(self) -> sqlite3.Connection:
        with translated(self.path):
            connection = sqlite3.connect(self.path, isolation_level=None, timeout=30, check_same_thread=False)
            connection.execute("PRAGMA synchronous=FULL")
        return connection

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with translated(self.path), self.db:
            self.db.execute("BEGIN IMMEDIATE")
            yield

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def _answered(row: tuple[int, str, str, str, str, int]) -> Answered:
    serial, question, variant, answer_hash, prediction, sample = row
    asked = Question.from_dict(orjson.loads(question))
    return Answered(serial, asked, variant, answer_hash, prediction, sample)


def _answer_row(p: Prediction) -> tuple[Any, ...]:
    return (
        p.request_hash,
        p.prediction,
        p.finish_reason,
        p.prompt_tokens,
        p.completion_tokens,
        p.latency_s,
        p.served_model,
        p.system_fingerprint,
    )


def _judgement_row(j: Judgement) -> tuple[Any, ...]:
    return (
        j.request_hash,
        j.judge,
        j.rubric,
        j.status,
        j.analysis,
        j.raw,
        j.prompt_tokens,
        j.completion_tokens,
        j.cached_tokens,
        j.cost_usd,
        j.latency_s,
        j.attempts,
        j.detail,
        _dump({name: found._asdict() for name, found in j.expected.items()}) if j.expected else None,
        None if j.claims is None else _dump([claim._asdict() for claim in j.claims]),
        j.estimated_usd,
    )


def _again(retry: Sequence[str]) -> str:
    """SQL of the table `again` with the requests that are to be asked again for the statuses `retry`:
    what has one, the unscored ones that it was made from, and all that was made from any of those."""
    unscored = "" if "scored" in retry else "status <> 'scored' AND"  # as the index says it
    return f"""
        down (hash) AS (
            SELECT request_hash FROM judgements WHERE {unscored} status IN ({_marks(retry)})
            UNION SELECT v.source FROM down JOIN sub_judgements v ON v.request_hash = down.hash
                JOIN judgements j ON j.request_hash = v.source AND j.status <> 'scored'
        ), again (hash) AS (
            SELECT hash FROM down
            UNION SELECT v.request_hash FROM again JOIN sub_judgements v ON v.source = again.hash
        )"""


def _dump(value: Any) -> str:
    return orjson.dumps(value).decode()


def _marks(values: Sequence[Any]) -> str:
    return ",".join("?" * len(values))
