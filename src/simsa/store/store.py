"""The SQLite file of a run: questions, plan, answers, judgements and metrics.

A `Store` is either the run's single writer (`Store.create`) or one of any number of readers (`Store.read`), also
during the run. Answers and judgements are keyed by the content of their requests, so finished work is found again.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import orjson

from simsa.errors import RunError, SimsaError
from simsa.i18n.messages import msg
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

# A run with rows in none of these tables is empty.
_CONTENT_TABLES = ("meta", "questions", "answers", "judgements")

# Statuses that a later run retries, because the cause may have gone away.
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
_SAME_ROW = "g.question_id = p.question_id AND g.variant = p.variant AND g.sample = p.sample"
_CLEAR_SCORES = "DELETE FROM scores WHERE request_hash = ?"
_ADD_SCORE = "INSERT INTO scores (request_hash, criterion, score) VALUES (?,?,?)"
_CLEAR_SUB_JUDGEMENTS = "DELETE FROM sub_judgements WHERE request_hash = ?"
_ADD_SUB_JUDGEMENT = (
    "INSERT INTO sub_judgements (request_hash, position, role, name, source) VALUES (?,?,?,?,?)"
)
_CACHE_CRITERION = "INSERT OR REPLACE INTO criterion_cache (criterion_hash, request_hash) VALUES (?,?)"
_LINK = (
    "INSERT OR REPLACE INTO judging (question_id, variant, sample, part, judge_key, answer_hash,"
    " request_hash) VALUES (?,?,?,?,?,?,?)"
)
_ADD_FAILURE = "INSERT INTO failures (stage, question_id, variant, detail) VALUES (?,?,?,?)"
_ADD_MEASURE = (
    "INSERT OR REPLACE INTO measures (answer_hash, question_hash, version, figures) VALUES (?,?,?,?)"
)


class SubJudgement(NamedTuple):
    """A judgement that another one is combined from: a panel member's, a repeat, or a call for some criteria.

    `name` is the member's label, the number of the repeat from 0, or the criteria separated by commas.
    """

    role: Role
    name: str
    source: str


class Planned(NamedTuple):
    """A request to a variant. `sample` is the number of the answer to the question, from 0."""

    question_id: str
    variant: str
    request_hash: str
    sample: int = 0


class Answered(NamedTuple):
    """An answer without a verdict."""

    serial: int
    question: Question
    variant: str
    answer_hash: str
    prediction: str
    sample: int = 0


class Store:
    """A run's database. Use it as a context manager; closing a writer releases its lock."""

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
        """Opens the run in `folder` for writing, and creates it if necessary. Raises RunError if it has a writer."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(
                msg("error.store.run_s_folder_cannot_made", strerror=error.strerror), where=str(folder)
            ) from None
        return cls(folder, writable=True)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Opens the run in `folder` for reading. Raises RunError when there is none."""
        if not (folder / DATABASE).is_file():
            raise RunError(
                msg("error.store.is_not_folder_run"),
                where=str(folder),
                hint=msg("error.store.simsa_run_makes_one_give"),
            )
        return cls(folder, writable=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        is_empty = (
            isinstance(error, SimsaError) and self._is_new and not any(map(self.count, _CONTENT_TABLES))
        )
        self.close()
        if is_empty:
            self._delete_files()
        if isinstance(error, (sqlite3.DatabaseError, UnicodeDecodeError)):  # raised while rows were read
            with translated(self.path):
                raise error

    def close(self) -> None:
        if self._lock is not None:
            truncate_wal(self.db)
        self.db.close()
        self._release()

    def _delete_files(self) -> None:
        """Deletes the files of a new run that failed before it had any content."""
        with contextlib.suppress(OSError):
            for name in (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", LOCK):
                (self.folder / name).unlink(missing_ok=True)
            self.folder.rmdir()  # fails if there are other files

    # The run ---------------------------------------------------------------------

    def meta(self, key: str, default: Any = None) -> Any:
        """A fact about the run, as JSON."""
        found = self.db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return default if found is None else orjson.loads(found[0])

    def set_meta(self, **facts: Any) -> None:
        rows = [(key, orjson.dumps(value).decode()) for key, value in facts.items()]
        with self._transaction():
            self.db.executemany("INSERT OR REPLACE INTO meta VALUES (?,?)", rows)

    def set_questions(self, questions: Iterable[Question]) -> int:
        """Replaces the test set and unlinks the verdicts on questions that changed or were removed.

        The judgements stay and are found again by their content. Returns the number of questions.
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
        """Replaces the variants: names in order, each with its facts."""
        with self._transaction():
            self.db.execute("DELETE FROM variants")
            self.db.executemany(
                "INSERT INTO variants VALUES (?,?,?)",
                ((name, n, _dump(info)) for n, (name, info) in enumerate(variants)),
            )

    def set_plan(self, planned: Iterable[Planned]) -> None:
        """Replaces the plan."""
        with self._transaction():
            self.db.execute("DELETE FROM plan")
            self.db.executemany(
                "INSERT INTO plan (question_id, variant, request_hash, sample) VALUES (?,?,?,?)", planned
            )

    def variants(self) -> dict[str, dict[str, Any]]:
        """Name → facts, in the config's order."""
        rows = self.db.execute("SELECT name, info FROM variants ORDER BY position")
        return {name: orjson.loads(info) for name, info in rows}

    def questions(self) -> Iterator[Question]:
        """Yields the test set in its order."""
        for (row,) in self.db.execute("SELECT row FROM questions ORDER BY position"):
            yield Question.from_dict(orjson.loads(row))

    def question_ids(self) -> dict[str, None]:
        """The ids of the test set in its order, as the keys of a dict."""
        return dict.fromkeys(row[0] for row in self.db.execute("SELECT id FROM questions ORDER BY position"))

    def question(self, question_id: str) -> Question | None:
        found = self.db.execute("SELECT row FROM questions WHERE id = ?", (question_id,)).fetchone()
        return Question.from_dict(orjson.loads(found[0])) if found else None

    def data_hash(self) -> str:
        """Hash of the whole test set; independent of its order."""
        return data_hash(row[0] for row in self.db.execute("SELECT hash FROM questions"))

    def count(self, table: str) -> int:
        """Number of rows of `table`, or of the view `results`."""
        return int(self.db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])

    # Pending work: the plan without what is done ---------------------------------

    def pending_answers(self, variants: Sequence[str]) -> list[Planned]:
        """Requests without an answer, ordered by question, then variant."""
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
        """About `limit` answers with a serial above `after` that have no verdict of this judge.

        `retry` lists statuses to retry, also those of the judgements that a verdict is combined from. Rows that share
        an answer, and so its serial, come in one block, so that the next call can continue after it.
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
            # CROSS JOIN makes SQLite begin at the first answer after `serial` instead of reading the whole plan.
            f"""WITH RECURSIVE {_again(retry)}
            SELECT a.serial, q.row, p.variant, p.request_hash, a.prediction, p.sample FROM answers a
            CROSS JOIN plan p ON p.request_hash = a.request_hash JOIN questions q ON q.id = p.question_id
            WHERE {which} AND (
                NOT EXISTS (SELECT 1 FROM judging g WHERE {_SAME_ROW}
                    AND g.judge_key = ? AND g.answer_hash = p.request_hash)
                OR EXISTS (SELECT 1 FROM judging g WHERE {_SAME_ROW} AND g.request_hash IN again))
            ORDER BY a.serial, p.variant, p.sample LIMIT ?""",
            (*retry, serial, judge_key, limit),
        ).fetchall()

    def count_unjudged(self, judge_key: str, *, answered: bool, retry: Sequence[str] = ()) -> int:
        """Number of planned rows without a verdict of this judge, or with one to retry for a status in `retry`.

        Counts all rows, or only those that are `answered`.
        """
        return int(
            self.db.execute(
                f"""WITH RECURSIVE {_again(retry)}
                SELECT count(*) FROM plan p WHERE (NOT EXISTS
                    (SELECT 1 FROM judging g WHERE {_SAME_ROW}
                    AND g.judge_key = ? AND g.answer_hash = p.request_hash)
                OR EXISTS (SELECT 1 FROM judging g WHERE {_SAME_ROW} AND g.request_hash IN again))
                AND (? OR EXISTS (SELECT 1 FROM answers a WHERE a.request_hash = p.request_hash))""",
                (*retry, judge_key, not answered),
            ).fetchone()[0]
        )

    def judged_requests(self, retry: Sequence[str]) -> set[str]:
        """Request hashes of all judgements, without those to retry for a status in `retry`."""
        rows = self.db.execute(
            f"""WITH RECURSIVE {_again(retry)}
            SELECT request_hash FROM judgements WHERE request_hash NOT IN again""",
            tuple(retry),
        )
        return {row[0] for row in rows}

    def spent_usd(self) -> float:
        """Cost of all judgements in this file, also by earlier rubrics; estimated if no usage was reported."""
        spent = self.db.execute("SELECT total(coalesce(cost_usd, estimated_usd)) FROM judgements")
        return float(spent.fetchone()[0])

    def unlink_other_judges(self, *judge_keys: str) -> None:
        """Unlinks the verdicts of other judges, rubrics or modes. Their judgements stay and can be reused."""
        with self._transaction():
            self.db.execute(
                f"DELETE FROM judging WHERE judge_key NOT IN ({_marks(judge_keys)})", tuple(judge_keys)
            )

    # Results ---------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def writing(self) -> AsyncIterator[Self]:
        """Enables group commit inside the block; queued writes are committed at its end."""
        self._writer = GroupCommit(self._connect, str(self.path))
        try:
            yield self
        finally:
            writer, self._writer = self._writer, None
            await writer.close()

    async def add_prediction(self, prediction: Prediction) -> None:
        """Stores an answer, or the failure to get one."""
        p = prediction
        if p.prediction is None:
            await self.write((_ADD_FAILURE, ("answer", p.question_id, p.variant, p.error or "")))
            return
        await self.write((_ADD_ANSWER, _answer_row(p)))

    def add_predictions(self, predictions: Iterable[Prediction]) -> None:
        """Stores many answers at once, outside of `writing`."""
        with self._transaction():
            self.db.executemany(_ADD_ANSWER, (_answer_row(p) for p in predictions))

    def add_judgement(
        self,
        judgement: Judgement,
        sub_judgements: Sequence[SubJudgement] = (),
        cached_criteria: Mapping[str, str] | None = None,
        also: Sequence[tuple[str, Sequence[Any]]] = (),
    ) -> Awaitable[None]:
        """Stores the judgement on one request. It is queued at once; the awaitable resolves when it is on disk.

        `sub_judgements` are those it was combined from, in order. `cached_criteria` maps hashes of the request for one
        criterion to the request whose judgement has its score. `also` are statements for the same transaction.
        """
        key = judgement.request_hash
        return self.write(
            (_ADD_JUDGEMENT, _judgement_row(judgement)),
            (_CLEAR_SCORES, (key,)),
            *((_ADD_SCORE, (key, *score)) for score in judgement.scores.items()),
            (_CLEAR_SUB_JUDGEMENTS, (key,)),
            *((_ADD_SUB_JUDGEMENT, (key, n, *one)) for n, one in enumerate(sub_judgements)),
            *((_CACHE_CRITERION, pair) for pair in (cached_criteria or {}).items()),
            *also,
        )

    def cached_criteria(self, criterion_hashes: Sequence[str]) -> dict[str, str]:
        """Hash of the request for one criterion → request whose scored judgement has its score."""
        rows = self.db.execute(
            f"""SELECT s.criterion_hash, s.request_hash FROM criterion_cache s
            JOIN judgements j ON j.request_hash = s.request_hash AND j.status = 'scored'
            WHERE s.criterion_hash IN ({_marks(criterion_hashes)})""",
            tuple(criterion_hashes),
        )
        return dict(rows.fetchall())

    def add_verdict(
        self, answered: Answered, judge_key: str, parts: Iterable[tuple[str, str]]
    ) -> Awaitable[None]:
        """Links the judgements, as (part, request hash), that make up the verdict on an answer.

        All parts are written in one transaction, so a verdict is complete or absent.
        """
        q, a = answered.question.id, answered
        return self.write(
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
        """Stores deterministic metrics: (answer hash, question hash, version, figures)."""
        with self._transaction():
            self.db.executemany(_ADD_MEASURE, ((a, q, v, _dump(figures)) for a, q, v, figures in rows))

    def set_probe_result(self, judge_key: str, document: dict[str, Any]) -> None:
        """Stores the result of `simsa probe` for a judge; replaces an earlier one."""
        with self._transaction():
            self.db.execute("INSERT OR REPLACE INTO probe_results VALUES (?,?)", (judge_key, _dump(document)))

    def probe_result(self, judge_key: str) -> dict[str, Any] | None:
        """The result of `simsa probe` for a judge; None without one."""
        found = self.db.execute(
            "SELECT document FROM probe_results WHERE judge_key = ?", (judge_key,)
        ).fetchone()
        return None if found is None else orjson.loads(found[0])

    def write(self, *statements: tuple[str, Sequence[Any]]) -> Awaitable[None]:
        """Runs statements in one transaction. It is queued at once; the awaitable resolves when it is on disk."""
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
    """SQL of the table `again` with the requests to retry for the statuses `retry`.

    These are the judgements with such a status, the unscored ones that they were combined from, and every one that
    was combined from any of these.
    """
    unscored = "" if "scored" in retry else "status <> 'scored' AND"  # lets SQLite use the partial index
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
