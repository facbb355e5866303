"""Jobs at the endpoint: submitted once, watched until they are over, and their results stored."""

from __future__ import annotations

import asyncio
import datetime
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from simsa.errors import EndpointError
from simsa.i18n.language import LocalizedText, join_text
from simsa.i18n.messages import has_message, msg
from simsa.llm.batch_client import BatchEndpoint, BatchState
from simsa.llm.batch_lines import BatchResult, parse_result
from simsa.llm.chat import MalformedResponse
from simsa.run.batch import request_files
from simsa.run.batch.actions import BatchContext
from simsa.store import Store
from simsa.store.batches import BatchTable, Job
from simsa.text import usd

_FIRST_PAUSE_S = 1.0
_PAUSE_FACTOR = 1.5
_CHUNK = 1_000
_ENQUEUED = "token_limit_exceeded"
_DOWNLOADS = 3


class Jobs:
    """The open jobs of a run at one endpoint. Every step is stored before the next one is taken."""

    def __init__(self, context: BatchContext, endpoint: BatchEndpoint) -> None:
        self._context = context
        self._table = context.table
        self._endpoint = endpoint
        self._say = context.progress.say
        self._failed = 0
        self.crowded = False
        """The endpoint accepts no more jobs for now, because its queue is full."""

    def open(self) -> list[Job]:
        """Open jobs at this endpoint."""
        return [job for job in self._table.open_jobs() if job.base_url == self._endpoint.address.base_url]

    def wanted(self) -> list[Job]:
        """Open jobs for the verdicts of this judge."""
        return [job for job in self.open() if job.judge_key == self._context.judge.verdict_task]

    async def submit_all(self) -> None:
        for job in self.open():
            await self._submit(job)

    async def collect(self) -> None:
        """Stores what is ready, and submits nothing."""
        for job in self.open():
            job = await self._find(job)
            if job.stage == "submitted":
                await self._look(job)

    async def cancel(self) -> None:
        """Cancels open jobs at the endpoint; drops those that the endpoint does not know."""
        for job in self.open():
            job = await self._find(job, thoroughly=True)
            if job.batch_id and await self._endpoint.cancel(job.batch_id):
                self._say(msg("batch.cancelling", id=job.batch_id))
            else:
                self._say(msg("batch.given_up", n=job.requests))
                self._table.release(job.key)

    async def look_at_all(self) -> bool:
        """Asks for the state of every submitted job. Returns whether one of them is over."""
        return any([await self._look(job) for job in self.open() if job.stage == "submitted"])

    # Submitting ---------------------------------------------------------------------------

    async def _submit(self, job: Job) -> None:
        """Takes a job from any stage to `submitted`; drops one for another judge that is not submitted yet."""
        stale = job.judge_key != self._context.judge.verdict_task
        job = await self._find(job, thoroughly=stale)
        if job.stage == "submitted":
            return
        path = request_files.request_file(self._context.folder, job.key)
        if stale or (job.file_id is None and not path.is_file()):
            self._say(msg("batch.stale") if stale else msg("batch.lost_file", path=str(path)))
            self._table.release(job.key)
            return
        if job.file_id is None:
            perhaps_sent = job.stage == "uploading"
            self._table.update(job.key, stage="uploading")
            file_id = await self._endpoint.upload(path, job.key, perhaps_sent=perhaps_sent)
            job = self._table.update(job.key, stage="uploaded", file_id=file_id)
        perhaps_sent = job.stage == "creating"
        self._table.update(job.key, stage="creating")
        state = await self._endpoint.create(
            str(job.file_id),
            job.key,
            self._context.config.batch.window,
            since=job.created_at,
            perhaps_sent=perhaps_sent,
        )
        self._submitted(job, state)

    async def _find(self, job: Job, *, thoroughly: bool = False) -> Job:
        """A job that may have been submitted, with what the endpoint knows of it.

        `thoroughly`: the job is about to be dropped, so the search waits until it must be visible.
        """
        if job.stage == "creating":
            state = await self._endpoint.find(job.key, since=job.created_at, settle=thoroughly)
            if state:
                return self._submitted(job, state)
        return job

    def _submitted(self, job: Job, state: BatchState) -> Job:
        job = self._update(job, state)
        if job.estimate_usd is None:
            self._say(msg("batch.submitted", id=state.id, n=job.requests))
        else:
            self._say(msg("batch.submitted_price", id=state.id, n=job.requests, usd=usd(job.estimate_usd)))
        return job

    def _update(self, job: Job, state: BatchState) -> Job:
        return self._table.update(
            job.key,
            stage="submitted",
            batch_id=state.id,
            status=state.status,
            answered=state.completed,
            failed=state.failed,
            expires_at=None if state.expires_at is None else int(state.expires_at),
            output_file_id=state.output_file_id,
            error_file_id=state.error_file_id,
        )

    # Results ------------------------------------------------------------------------------

    async def _look(self, job: Job) -> bool:
        """Asks for the state of a submitted job. True: it is over, and its replies are stored."""
        assert job.batch_id is not None, job
        state = await self._endpoint.state(job.batch_id)
        job = self._update(job, state)
        if not state.is_over:
            return False
        if state.status == "failed" and not state.output_file_id and not state.error_file_id:
            self._refused(job, state)
        else:
            await self._store_results(job, state)
            self._failed, self.crowded = 0, False
        request_files.request_file(self._context.folder, job.key).unlink(missing_ok=True)
        return True

    def _refused(self, job: Job, state: BatchState) -> None:
        """The endpoint did not start the job."""
        reason = "; ".join(state.errors[:3]) or "no reason was given"
        if any(_ENQUEUED in error for error in state.errors):
            self._queue_is_full(job, reason)
            return
        self._failed, self.crowded = self._failed + 1, False
        self._table.close(job.key, _lost(f"the batch failed: {reason}"))
        if self._failed > 1:
            raise EndpointError(
                msg("error.batch.refused", reason=reason),
                where=self._endpoint.address.base_url,
                hint=msg("error.batch.nothing_paid"),
            )
        self._say(msg("batch.failed", id=state.id, why=reason))

    def _queue_is_full(self, job: Job, reason: str) -> None:
        """Waits for other jobs; without any, makes the next jobs half as large."""
        self.crowded = len(self.open()) > 1
        self._table.release(job.key)
        if self.crowded:
            self._say(msg("batch.crowded", why=reason))
            return
        max_requests = job.requests // 2
        if not max_requests:
            raise EndpointError(
                msg("error.batch.not_even_one", reason=reason), where=self._endpoint.address.base_url
            )
        self._context.store.set_meta(batch_most=max_requests)
        self._say(msg("batch.smaller", why=reason, n=max_requests))

    async def _store_results(self, job: Job, state: BatchState) -> None:
        """Stores every reply of a job, and closes the job."""
        paths = await self._download(job, state)
        for path in paths:
            results = _results(path)
            while chunk := list(itertools.islice(results, _CHUNK)):
                self._table.keep(job.key, chunk)
                await asyncio.sleep(0)
        silent = self._table.close(job.key, _lost(f"the batch ended without an answer ({state.status})"))
        if silent:
            self._say(msg("batch.silent", id=state.id, status=status_text(state.status), n=silent))

    async def _download(self, job: Job, state: BatchState) -> list[Path]:
        """The result files of a job; downloaded again while they are shorter than the endpoint says."""
        folder = self._context.folder
        folder.mkdir(parents=True, exist_ok=True)
        files = {
            request_files.output_file(folder, job.key): state.output_file_id,
            request_files.error_file(folder, job.key): state.error_file_id,
        }
        expected = min(job.requests, state.completed + state.failed)
        for attempt in range(1, _DOWNLOADS + 1):
            for path, file_id in files.items():
                if file_id and not path.is_file():
                    await self._endpoint.download(file_id, path)
            paths = [path for path in files if path.is_file()]
            if attempt == _DOWNLOADS or sum(1 for path in paths for _ in _results(path)) >= expected:
                break
            for path in paths:
                path.unlink(missing_ok=True)
        return paths


async def wait_for_one(context: BatchContext, endpoints: Sequence[Jobs]) -> None:
    """Looks at the submitted jobs, at growing intervals, until one is over."""
    pause, shown = _FIRST_PAUSE_S, ""
    while any(job.stage == "submitted" for jobs in endpoints for job in jobs.open()):
        if any([await jobs.look_at_all() for jobs in endpoints]):
            return
        text = progress_text([job for jobs in endpoints for job in jobs.open()])
        if text != shown:
            context.progress.say(text)
        shown = text
        await asyncio.sleep(min(pause, context.config.batch.poll_s))
        pause *= _PAUSE_FACTOR


def _results(path: Path) -> Iterator[tuple[str, int, bytes]]:
    """The readable lines of a result file: request hash, round, reply."""
    with path.open("rb") as stream:
        for line in stream:
            try:
                found = parse_result(line)
            except MalformedResponse:
                continue
            request = request_files.request_of(found.custom_id)
            if request:
                yield (*request, found.to_json())


def _lost(reason: str) -> bytes:
    return BatchResult("", 0, None, reason).to_json()


# What is open, in words ---------------------------------------------------------------------


class OpenJobs(NamedTuple):
    """Requests of a run that have no reply yet, as a text and as data."""

    text: str
    jobs: list[dict[str, Any]]


def open_jobs(store: Store, command: str) -> OpenJobs | None:
    """What is open in a run; None when nothing is. `command` fetches it."""
    table = BatchTable(store)
    jobs = table.open_jobs()
    waiting = sum(1 for state in table.standings().values() if state == "again")
    if not jobs and not waiting:
        return None
    sentences = [_sentence(job) for job in jobs]
    if jobs:
        sentences.append(msg("batch.fetch", command=command))
    if waiting or any(job.stage != "submitted" for job in jobs):
        sentences.append(msg("batch.again", command=command, n=waiting))
    return OpenJobs(join_text(" ", sentences), [_data(job) for job in jobs])


def progress_text(jobs: Sequence[Job]) -> str:
    """How far jobs are, and what they are expected to cost."""
    values = {
        "jobs": msg("batch.one") if len(jobs) == 1 else msg("batch.several", n=len(jobs)),
        "answered": sum(job.answered for job in jobs),
        "failed": sum(job.failed for job in jobs),
        "total": sum(job.requests for job in jobs),
        "states": join_text(", ", sorted({status_text(job.status) for job in jobs})),
    }
    prices = [job.estimate_usd for job in jobs if job.estimate_usd is not None]
    if len(prices) == len(jobs):
        return msg("batch.progress_price", usd=usd(sum(prices)), **values)
    return msg("batch.progress", **values)


def _sentence(job: Job) -> LocalizedText:
    if job.stage != "submitted":
        return msg("batch.written", n=job.requests, url=job.base_url)
    values = {
        "id": job.batch_id,
        "url": job.base_url,
        "state": status_text(job.status),
        "done": job.answered + job.failed,
        "n": job.requests,
    }
    if job.expires_at:
        return msg("batch.stands_until", end=_time(job.expires_at), **values)
    return msg("batch.stands", **values)


def status_text(status: str | None) -> LocalizedText:
    """The status of a job in words; an unknown one as it is."""
    key = f"state.{status or 'open'}"
    return msg(key) if has_message(key) else LocalizedText(str(status).replace("_", " "))


def _time(seconds: int) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%d at %H:%M UTC")


def _data(job: Job) -> dict[str, Any]:
    return {
        "id": job.batch_id,
        "status": job.status or job.stage,
        "requests": job.requests,
        "answered": job.answered,
        "failed": job.failed,
        "expires_at": job.expires_at and _time(job.expires_at),
    }
