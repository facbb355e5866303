"""Jobs at the endpoint: submitted once, watched, and their results brought home.

What is open, in plain sentences.
"""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Iterable, Iterator, Sequence
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


class OpenJobs(NamedTuple):
    """What has not come back, as a sentence and as data."""

    text: str
    jobs: list[dict[str, Any]]


def standing(store: Store, command: str) -> OpenJobs | None:
    """What is still open in a run; None when nothing is. `command` fetches it."""
    ledger = BatchTable(store)
    jobs = ledger.open_jobs()
    waiting = sum(1 for state in ledger.standings().values() if state == "again")
    if not jobs and not waiting:
        return None
    sentences = [_sentence(job) for job in jobs]
    if jobs:
        sentences.append(msg("batch.fetch", command=command))
    if waiting or any(job.stage != "submitted" for job in jobs):
        sentences.append(msg("batch.again", command=command, n=waiting))
    return OpenJobs(join_text(" ", sentences), [_data(job) for job in jobs])


def in_words(jobs: Sequence[Job]) -> str:
    """How far jobs under way are, and what they are expected to cost."""
    answered, failed = sum(job.answered for job in jobs), sum(job.failed for job in jobs)
    total = sum(job.requests for job in jobs)
    states = join_text(", ", sorted({status_text(job.status) for job in jobs}))
    what = {
        "jobs": msg("batch.one") if len(jobs) == 1 else msg("batch.several", n=len(jobs)),
        "answered": answered,
        "failed": failed,
        "total": total,
        "states": states,
    }
    prices = [job.estimate_usd for job in jobs if job.estimate_usd is not None]
    if len(prices) == len(jobs):
        return msg("batch.progress_price", usd=usd(sum(prices)), **what)
    return msg("batch.progress", **what)


def _sentence(job: Job) -> LocalizedText:
    if job.stage != "submitted":
        return msg("batch.written", n=job.requests, url=job.base_url)
    what = {
        "id": job.batch_id,
        "url": job.base_url,
        "state": status_text(job.status),
        "done": job.answered + job.failed,
        "n": job.requests,
    }
    if job.expires_at:
        return msg("batch.stands_until", end=_time(job.expires_at), **what)
    return msg("batch.stands", **what)


def status_text(status: str | None) -> LocalizedText:
    """A job's status in words; one that endpoints do not name to us today is shown as it is."""
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


_FIRST_PAUSE_S = 1.0
_SLOWER = 1.5
_CHUNK = 1_000
_ENQUEUED = "token_limit_exceeded"
_DOWNLOADS = 3


class Jobs:
    """The open jobs of a run. Every step is on disk before the next one is taken."""

    def __init__(self, work: BatchContext, api: BatchEndpoint) -> None:
        self._work = work
        self._ledger = work.ledger
        self._api = api
        self._failed = 0
        self.crowded = False
        """The endpoint takes no more for now: it has as much as it is willing to hold."""

    def mine(self) -> list[Job]:
        """Open jobs at this endpoint."""
        return [job for job in self._ledger.open_jobs() if job.base_url == self._api.address.base_url]

    def wanted(self) -> list[Job]:
        """Those of them that ask for this judge's verdicts."""
        return [job for job in self.mine() if job.judge_key == self._work.judge.verdict_task]

    async def submit_all(self) -> None:
        for job in self.mine():
            await self.submit(job)

    async def collect(self) -> None:
        """Fetches what is ready, and submits nothing."""
        for job in self.mine():
            job = await self.find(job)
            if job.stage == "submitted":
                await self.look(job)

    async def cancel(self) -> None:
        """Ends what is open; gives up what the endpoint does not know, or was never told of."""
        for job in self.mine():
            job = await self.find(job, surely=True)
            if job.batch_id and await self._api.cancel(job.batch_id):
                self._work.progress.say(msg("batch.cancelling", id=job.batch_id))
            else:
                self._work.progress.say(msg("batch.given_up", n=job.requests))
                self._ledger.release(job.key)

    async def submit(self, job: Job) -> None:
        """Takes a job to `submitted` from wherever it got to; one for another judge, if it is not there yet, is dropped."""
        stale = job.judge_key != self._work.judge.verdict_task
        job = await self.find(job, surely=stale)
        if stale and job.stage != "submitted":
            self._work.progress.say(msg("batch.stale"))
            self._ledger.release(job.key)
            return
        path = request_files.request_file(self._work.folder, job.key)
        if job.file_id is None:
            if not path.is_file():
                await self._lost_file(job, path)
                return
            again = job.stage == "uploading"
            self._ledger.update(job.key, stage="uploading")
            file_id = await self._api.upload(path, job.key, perhaps_sent=again)
            job = self._ledger.update(job.key, stage="uploaded", file_id=file_id)
        if job.stage != "submitted":
            again = job.stage == "creating"
            self._ledger.update(job.key, stage="creating")
            state = await self._api.create(
                str(job.file_id),
                job.key,
                self._work.config.batch.window,
                since=job.created_at,
                perhaps_sent=again,
            )
            self._submitted(job, state)

    async def find(self, job: Job, *, surely: bool = False) -> Job:
        """A job that may have been submitted, as far as that can be known without submitting it.

        `surely`: it is going to be given up, so it is looked for as long as it may take to show.
        """
        if job.stage == "creating":
            look = self._api.find_surely if surely else self._api.find
            state = await look(job.key, since=job.created_at)
            if state:
                return self._submitted(job, state)
        return job

    async def look(self, job: Job) -> bool:
        """Asks how a submitted job stands; True: it is over, and its answers are in the store."""
        assert job.batch_id is not None, job
        state = await self._api.state(job.batch_id)
        job = self._saw(job, state)
        if not state.is_over:
            return False
        if state.status == "failed" and not state.output_file_id and not state.error_file_id:
            self._refused(job, state)
        else:
            await self._bring_home(job, state)
            self._failed, self.crowded = 0, False
        request_files.request_file(self._work.folder, job.key).unlink(missing_ok=True)
        return True

    async def look_at_all(self) -> bool:
        """Whether one of the submitted jobs is over now."""
        return any([await self.look(job) for job in self.mine() if job.stage == "submitted"])

    # Inside ---------------------------------------------------------------------------------

    def _submitted(self, job: Job, state: BatchState) -> Job:
        job = self._saw(job, state)
        what = {"id": state.id, "n": job.requests}
        if job.estimate_usd is None:
            self._work.progress.say(msg("batch.submitted", **what))
        else:
            self._work.progress.say(msg("batch.submitted_price", usd=usd(job.estimate_usd), **what))
        return job

    def _saw(self, job: Job, state: BatchState) -> Job:
        return self._ledger.update(
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

    async def _lost_file(self, job: Job, path: Path) -> None:
        """The file of a job that was not uploaded is gone."""
        self._work.progress.say(msg("batch.lost_file", path=str(path)))
        self._ledger.release(job.key)

    def _refused(self, job: Job, state: BatchState) -> None:
        """The endpoint did not begin with the job at all."""
        why = "; ".join(state.errors[:3]) or "no reason was given"
        if any(_ENQUEUED in error for error in state.errors):
            self._crowd(job, why)
            return
        self._failed, self.crowded = self._failed + 1, False
        self._ledger.close(job.key, _lost(f"the batch failed: {why}"))
        if self._failed > 1:
            raise EndpointError(
                f"refuses batches: {why}",
                where=self._api.address.base_url,
                hint="nothing was judged or paid; run again when this is mended: it goes on from here",
            )
        self._work.progress.say(msg("batch.failed", id=state.id, why=why))

    def _crowd(self, job: Job, why: str) -> None:
        others = len(self.mine()) - 1
        self._ledger.release(job.key)
        self.crowded = others > 0
        if self.crowded:
            self._work.progress.say(msg("batch.crowded", why=why))
            return
        most = job.requests // 2
        if not most:
            raise EndpointError(f"takes not even one request: {why}", where=self._api.address.base_url)
        self._work.store.set_meta(batch_most=most)
        self._work.progress.say(msg("batch.smaller", why=why, n=most))

    async def _bring_home(self, job: Job, state: BatchState) -> None:
        """Every reply into the store, whatever was there before; then the job is done with."""
        for file_id, path in (
            (state.output_file_id, request_files.output_file(self._work.folder, job.key)),
            (state.error_file_id, request_files.error_file(self._work.folder, job.key)),
        ):
            if file_id:
                await self._download(job, file_id, path)
        await self._complete(job, state)
        for path in self._result_files(job):
            for chunk in _chunks(_ours(path)):
                self._ledger.keep(job.key, chunk)
                await asyncio.sleep(0)
        silent = self._ledger.close(job.key, _lost(f"the batch ended without an answer ({state.status})"))
        if silent:
            said = msg("batch.silent", id=state.id, status=status_text(state.status), n=silent)
            self._work.progress.say(said)

    async def _complete(self, job: Job, state: BatchState) -> None:
        """Downloads again what is shorter than the endpoint says it is."""
        expected = min(job.requests, state.completed + state.failed)
        for _ in range(_DOWNLOADS - 1):
            paths = self._result_files(job)
            if sum(1 for path in paths for _ in _ours(path)) >= expected:
                return
            for path in paths:
                path.unlink(missing_ok=True)
            if state.output_file_id:
                await self._download(
                    job, state.output_file_id, request_files.output_file(self._work.folder, job.key)
                )
            if state.error_file_id:
                await self._download(
                    job, state.error_file_id, request_files.error_file(self._work.folder, job.key)
                )

    async def _download(self, job: Job, file_id: str, path: Path) -> None:
        if path not in self._result_files(job):
            self._work.folder.mkdir(parents=True, exist_ok=True)
            await self._api.download(file_id, path)

    def _result_files(self, job: Job) -> list[Path]:
        folder = self._work.folder
        both = request_files.output_file(folder, job.key), request_files.error_file(folder, job.key)
        return [path for path in both if path.is_file()]


async def until_one_is_over(work: BatchContext, all_jobs: Sequence[Jobs]) -> None:
    """Looks at the submitted jobs, ever more rarely, until one is over."""
    pause, longest, told = _FIRST_PAUSE_S, work.config.batch.poll_s, ""
    while any(job.stage == "submitted" for jobs in all_jobs for job in jobs.mine()):
        if any([await jobs.look_at_all() for jobs in all_jobs]):
            return
        text = in_words([job for jobs in all_jobs for job in jobs.mine()])
        if text != told:
            work.progress.say(text)
        told = text
        await asyncio.sleep(min(pause, longest))
        pause *= _SLOWER


def _ours(path: Path) -> Iterator[tuple[str, int, bytes]]:
    """The readable lines of a result file: hash, round, reply."""
    with path.open("rb") as stream:
        for line in stream:
            try:
                found = parse_result(line)
            except MalformedResponse:
                continue
            request = request_files.request_of(found.custom_id)
            if request:
                yield (*request, found.to_json())


def _chunks(items: Iterable[tuple[str, int, bytes]]) -> Iterator[Sequence[tuple[str, int, bytes]]]:
    chunk: list[tuple[str, int, bytes]] = []
    for item in items:
        chunk.append(item)
        if len(chunk) >= _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _lost(why: str) -> bytes:
    return BatchResult("", 0, None, why).to_json()
