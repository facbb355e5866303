"""What is on its way through a Batch API: each request in at most one job, each job known before it is sent.

    written → uploading → uploaded → creating → submitted → read

A stage is on disk before what it names begins. `uploading` and `creating` therefore mean
"perhaps there already": the endpoint is asked for the job's key before it is sent again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import orjson

from simsa.store.files import translated
from simsa.store.store import Store

Stage = Literal["written", "uploading", "uploaded", "creating", "submitted", "read"]
Standing = Literal["sent", "answered", "again"]
Statement = tuple[str, tuple[Any, ...]]

_JUDGED = "DELETE FROM batch_requests WHERE request_hash = ?"
_AGAIN = (
    "INSERT INTO batch_requests (request_hash, batch, round, lost, so_far) VALUES (?,NULL,?,?,?)"
    " ON CONFLICT (request_hash) DO UPDATE SET batch = NULL, reply = NULL, estimate_usd = NULL,"
    " round = excluded.round, lost = excluded.lost, so_far = excluded.so_far"
)
_HEARD = (
    "UPDATE batches SET heard_usd = heard_usd + ?, heard_estimate_usd = heard_estimate_usd + ? WHERE key = ?"
)
_INTEND = (
    "INSERT INTO batch_requests (request_hash, batch, estimate_usd) VALUES (?,?,?)"
    " ON CONFLICT (request_hash) DO UPDATE SET batch = excluded.batch, reply = NULL,"
    " estimate_usd = excluded.estimate_usd"
)
# Asked anew because the user said so: whoever goes on later, without having been told, asks on.
_REOPEN = (
    "UPDATE judgements SET status = 'failed', detail = 'asked again in a batch'"
    " WHERE request_hash = ? AND status NOT IN ('scored', 'failed')"
)
_KEEP = (
    "UPDATE batch_requests SET reply = ? WHERE request_hash = ? AND round = ? AND batch = ? AND reply IS NULL"
)
_KEEP_FOREIGN = (
    "INSERT INTO batch_requests (request_hash, round, reply) VALUES (?,?,?)"
    " ON CONFLICT (request_hash) DO UPDATE SET reply = excluded.reply"
    " WHERE round = excluded.round AND batch IS NULL AND reply IS NULL"
)


@dataclass(frozen=True, slots=True)
class Job:
    """One batch. `form` is what the endpoint was known to take; times are seconds since the epoch, UTC."""

    key: str
    base_url: str
    judge_key: str
    stage: Stage
    created_at: int
    form: dict[str, Any]
    requests: int
    bytes: int
    estimate_usd: float | None
    file_id: str | None = None
    batch_id: str | None = None
    status: str | None = None
    answered: int = 0
    failed: int = 0
    expires_at: int | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None


class BatchRow(NamedTuple):
    """One request: how often it was asked before, its losses in a row, and its reply where there is one."""

    batch: str | None
    round: int
    lost: int
    estimate_usd: float | None
    so_far: dict[str, Any] | None
    reply: str | None


class BatchTable:
    """The batches of a run; its writer, or a reader."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._db = store.db

    # Jobs -----------------------------------------------------------------------------------

    def intend(self, job: Job, requests: Iterable[tuple[str, float | None]]) -> None:
        """Writes down a job and its requests, as (hash, estimated USD), before anything is sent."""
        with self._transaction():
            self._db.execute(
                "INSERT INTO batches (key, base_url, judge_key, stage, form, requests, bytes, estimate_usd)"
                " VALUES (?,?,?,?,?,?,?,?)",
                (
                    job.key,
                    job.base_url,
                    job.judge_key,
                    job.stage,
                    orjson.dumps(job.form).decode(),
                    job.requests,
                    job.bytes,
                    job.estimate_usd,
                ),
            )
            asked = list(requests)
            self._db.executemany(_INTEND, ((request, job.key, usd) for request, usd in asked))
            self._db.executemany(_REOPEN, ((request,) for request, _ in asked))

    def update(self, key: str, **facts: Any) -> Job:
        """Writes down what is new about a job; the names are those of `Job`."""
        names = ", ".join(f"{name} = ?" for name in facts)
        with self._transaction():
            self._db.execute(f"UPDATE batches SET {names} WHERE key = ?", (*facts.values(), key))
        return self.job(key)

    def job(self, key: str) -> Job:
        return next(self._jobs("key = ?", key))

    def open_jobs(self) -> list[Job]:
        """Jobs whose results are not read yet, the oldest first."""
        return list(self._jobs("stage <> 'read'"))

    def keys(self) -> set[str]:
        return {key for (key,) in self._db.execute("SELECT key FROM batches")}

    def forms(self) -> dict[str, dict[str, Any]]:
        """The form of every job that has requests which are not judged yet."""
        rows = self._db.execute(
            "SELECT key, form FROM batches WHERE key IN (SELECT batch FROM batch_requests)"
        )
        return {key: orjson.loads(form) for key, form in rows}

    def _jobs(self, where: str, *values: Any) -> Iterator[Job]:
        rows = self._db.execute(
            "SELECT key, base_url, judge_key, stage, CAST(strftime('%s', created) AS INTEGER), form, requests,"
            " bytes, estimate_usd, file_id, batch_id, status, answered, failed, expires_at, output_file_id,"
            f" error_file_id FROM batches WHERE {where} ORDER BY created, key",
            values,
        )
        for row in rows.fetchall():
            facts = dict(zip(Job.__slots__, row, strict=True))
            yield Job(**facts | {"form": orjson.loads(facts["form"])})

    # Requests -------------------------------------------------------------------------------

    def standings(self) -> dict[str, Standing]:
        """How every request stands that a batch has or had and that is not judged."""
        rows = self._db.execute(
            "SELECT request_hash, CASE WHEN reply IS NOT NULL THEN 'answered'"
            " WHEN batch IS NOT NULL THEN 'sent' ELSE 'again' END FROM batch_requests"
        )
        return dict(rows.fetchall())

    def under_way(self) -> set[str]:
        """Requests that are paid for, though they are not judged yet."""
        return {request for request, standing in self.standings().items() if standing != "again"}

    def row(self, request_hash: str) -> BatchRow | None:
        found = self._db.execute(
            "SELECT batch, round, lost, estimate_usd, so_far, reply FROM batch_requests WHERE request_hash = ?",
            (request_hash,),
        ).fetchone()
        if found is None:
            return None
        batch, n, lost, usd, so_far, reply = found
        return BatchRow(batch, n, lost, usd, None if so_far is None else orjson.loads(so_far), reply)

    def keep(self, key: str, replies: Iterable[tuple[str, int, bytes]]) -> int:
        """Keeps replies to a job's requests as (hash, round, reply); the first one counts. How many were new."""
        with self._transaction():
            before = self._db.total_changes
            self._db.executemany(_KEEP, ((reply.decode(), h, n, key) for h, n, reply in replies))
            return self._db.total_changes - before

    def keep_foreign(self, replies: Iterable[tuple[str, int, bytes]]) -> None:
        """Keeps replies that came in files, all or none; not to requests that a job has."""
        with self._transaction():
            self._db.executemany(_KEEP_FOREIGN, ((h, n, reply.decode()) for h, n, reply in replies))

    def close(self, key: str, otherwise: bytes) -> int:
        """Ends a job; requests without a reply get `otherwise`. How many those were."""
        with self._transaction():
            silent = self._db.execute(
                "UPDATE batch_requests SET reply = ? WHERE batch = ? AND reply IS NULL",
                (otherwise.decode(), key),
            ).rowcount
            self._db.execute("UPDATE batches SET stage = 'read' WHERE key = ?", (key,))
        return silent

    def release(self, key: str) -> None:
        """Ends a job that the endpoint never began; its requests are to be sent in another one."""
        with self._transaction():
            self._db.execute("UPDATE batch_requests SET batch = NULL WHERE batch = ?", (key,))
            self._db.execute("UPDATE batches SET stage = 'read' WHERE key = ?", (key,))

    # What goes into the store's own transactions ----------------------------------------------

    @staticmethod
    def judged(request_hash: str) -> Statement:
        return _JUDGED, (request_hash,)

    @staticmethod
    def again(request_hash: str, round: int, lost: int, so_far: dict[str, Any]) -> Statement:
        return _AGAIN, (request_hash, round, lost, orjson.dumps(so_far).decode())

    @staticmethod
    def heard(key: str | None, usd: float, estimate_usd: float | None) -> Statement:
        return _HEARD, (usd, estimate_usd or 0.0, key)

    # Money ----------------------------------------------------------------------------------

    def committed_usd(self) -> float:
        """What judgements do not show yet: answers on their way, by estimate, and those that were no verdict."""
        on_the_way, no_verdict = self._db.execute(
            "SELECT total(CASE WHEN batch IS NOT NULL THEN estimate_usd END),"
            " total(coalesce(json_extract(so_far, '$.spent_usd'), json_extract(so_far, '$.cost_usd')))"
            " FROM batch_requests"
        ).fetchone()
        return float(on_the_way) * self.estimates_fall_short() + float(no_verdict)

    def estimates_fall_short(self) -> float:
        """By which factor answers cost more than was estimated, so far; never below 1."""
        usd, estimate = self._db.execute(
            "SELECT total(heard_usd), total(heard_estimate_usd) FROM batches"
        ).fetchone()
        return max(1.0, usd / estimate) if estimate else 1.0

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with translated(self._store.path), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            yield
