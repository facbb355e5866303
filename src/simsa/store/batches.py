"""The jobs of a Batch API and their requests. A request is in at most one job; a job is stored before it is sent.

    written → uploading → uploaded → creating → submitted → read

A stage is on disk before its step begins. After a crash in `uploading` or `creating` the endpoint may have the job
already, so it is asked for the job's key before anything is sent again.
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
# A judgement that the user retries in a batch must stay pending for later runs, so its status becomes transient.
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
    """One batch. `form` is the request format that the endpoint took then; times are seconds since the epoch, UTC."""

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
    """One request: number of earlier attempts (`round`), losses in a row, and the reply if there is one."""

    batch: str | None
    round: int
    lost: int
    estimate_usd: float | None
    so_far: dict[str, Any] | None
    reply: str | None


class BatchTable:
    """The batches of a run, for its writer or a reader."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._db = store.db

    # Jobs -----------------------------------------------------------------------------------

    def intend(self, job: Job, requests: Iterable[tuple[str, float | None]]) -> None:
        """Stores a job and its requests, as (hash, estimated USD), before anything is sent."""
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
        """Updates fields of a job; the names are those of `Job`."""
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
        """The state of every request that is or was in a batch and is not judged."""
        rows = self._db.execute(
            "SELECT request_hash, CASE WHEN reply IS NOT NULL THEN 'answered'"
            " WHEN batch IS NOT NULL THEN 'sent' ELSE 'again' END FROM batch_requests"
        )
        return dict(rows.fetchall())

    def under_way(self) -> set[str]:
        """Requests that are paid for and not judged yet."""
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
        """Stores replies to a job's requests as (hash, round, reply). The first one counts. Returns how many were new."""
        with self._transaction():
            before = self._db.total_changes
            self._db.executemany(_KEEP, ((reply.decode(), h, n, key) for h, n, reply in replies))
            return self._db.total_changes - before

    def keep_foreign(self, replies: Iterable[tuple[str, int, bytes]]) -> None:
        """Stores replies from files in one transaction, except those to requests of a job."""
        with self._transaction():
            self._db.executemany(_KEEP_FOREIGN, ((h, n, reply.decode()) for h, n, reply in replies))

    def close(self, key: str, otherwise: bytes) -> int:
        """Ends a job; requests without a reply get `otherwise`. Returns how many those were."""
        with self._transaction():
            silent = self._db.execute(
                "UPDATE batch_requests SET reply = ? WHERE batch = ? AND reply IS NULL",
                (otherwise.decode(), key),
            ).rowcount
            self._db.execute("UPDATE batches SET stage = 'read' WHERE key = ?", (key,))
        return silent

    def release(self, key: str) -> None:
        """Ends a job that the endpoint never began, so that another job sends its requests."""
        with self._transaction():
            self._db.execute("UPDATE batch_requests SET batch = NULL WHERE batch = ?", (key,))
            self._db.execute("UPDATE batches SET stage = 'read' WHERE key = ?", (key,))

    # Statements for the store's own transactions ----------------------------------------------

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
        """Money that judgements do not show yet: the estimate of requests in jobs, and the cost of unusable replies."""
        on_the_way, no_verdict = self._db.execute(
            "SELECT total(CASE WHEN batch IS NOT NULL THEN estimate_usd END),"
            " total(coalesce(json_extract(so_far, '$.spent_usd'), json_extract(so_far, '$.cost_usd')))"
            " FROM batch_requests"
        ).fetchone()
        return float(on_the_way) * self.estimates_fall_short() + float(no_verdict)

    def estimates_fall_short(self) -> float:
        """Factor by which replies cost more than estimated so far; at least 1."""
        usd, estimate = self._db.execute(
            "SELECT total(heard_usd), total(heard_estimate_usd) FROM batches"
        ).fetchone()
        return max(1.0, usd / estimate) if estimate else 1.0

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with translated(self._store.path), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            yield
