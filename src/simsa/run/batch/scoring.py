"""Judging through files, from what is pending to verdicts: write, submit, wait, read, and again."""

from __future__ import annotations

import contextlib
from typing import assert_never

from simsa.config import JudgeConfig, secret
from simsa.errors import RunError
from simsa.i18n.messages import msg
from simsa.llm.base_url import BaseUrl
from simsa.llm.batch_client import BatchEndpoint
from simsa.run.batch import offline
from simsa.run.batch import request_files as files
from simsa.run.batch.actions import (
    BatchContext,
    BatchMember,
    Cancel,
    Collect,
    Mode,
    Read,
    Submit,
    Wait,
    Write,
)
from simsa.run.batch.jobs import Jobs, until_one_is_over
from simsa.run.batch.judging_pass import BatchJudge, JudgingPass
from simsa.run.batch.request_files import RequestFile, RequestFiles, RequestFormats
from simsa.store import Store
from simsa.store.batches import BatchTable, Job
from simsa.text import format_number, usd


async def score(work: BatchContext, mode: Mode) -> None:
    """Does what `mode` says. Killed at any point, the same call goes on from there."""
    work.store.unlink_other_judges(work.judge.task, work.judge.verdict_task)
    work.progress.judge.begin(total=work.store.count_unjudged(work.judge.task, answered=True))
    match mode:
        case Write(folder):
            await offline.write(work, folder)
        case Read(paths):
            await offline.read(work, paths)
        case Wait() | Submit() | Collect() | Cancel():
            await _through_jobs(work, mode)
        case _:
            assert_never(mode)
    work.progress.judge.end()


def refuse_if_open(store: Store, judge_key: str) -> None:
    """Raises RunError where asking directly would ask what a batch is asking already."""
    jobs = [job for job in BatchTable(store).open_jobs() if job.judge_key == judge_key]
    if jobs:
        n = sum(job.requests for job in jobs)
        raise RunError(
            f"{n} requests of this judge are in a batch: asking them directly would pay for them twice",
            where=str(store.folder),
            hint='`simsa judge CONFIG --collect` fetches what is ready, or set judge.via = "batch" to wait for it',
        )


async def _through_jobs(work: BatchContext, mode: Wait | Submit | Collect | Cancel) -> None:
    files.tidy(work.folder, work.ledger.keys())
    desk = BatchJudge(work)
    async with contextlib.AsyncExitStack() as opened:
        addresses = {BaseUrl.parse(one.config.base_url).base_url: one for one in work.members().values()}
        apis = [await opened.enter_async_context(_endpoint(work, one.config)) for one in addresses.values()]
        everywhere = [Jobs(work, api) for api in apis]
        if isinstance(mode, Collect | Cancel):
            for jobs in everywhere:
                await (jobs.cancel() if isinstance(mode, Cancel) else jobs.collect())
            await _pass(work, desk, ask=False)
            return
        while True:
            done = await _pass(work, desk, ask=not any(jobs.crowded for jobs in everywhere))
            for jobs in everywhere:
                await jobs.submit_all()
            wanted = any(jobs.wanted() for jobs in everywhere)
            if not wanted and done.waiting and done.heard:
                continue  # what has just been heard may have shown what they wait for
            if isinstance(mode, Submit) or not wanted:
                break
            await until_one_is_over(work, everywhere)
    if done.out_of_money:
        work.store.set_meta(stopped="budget")
        spent = usd(work.store.spent_usd())
        said = msg(
            "batch.budget", n=done.unasked, limit=format_number(work.config.max_cost_usd or 0.0), spent=spent
        )
        work.progress.note("budget", said)


def _endpoint(work: BatchContext, config: JudgeConfig) -> BatchEndpoint:
    return BatchEndpoint(
        config.base_url,
        key=secret(config.key_variable),
        key_name=config.key_variable,
        timeout_s=config.timeout_s,
        max_attempts=config.max_attempts,
        settle_s=config.batch.settle_s,
        on_event=work.progress.say,
    )


async def _pass(work: BatchContext, desk: BatchJudge, *, ask: bool) -> JudgingPass:
    """Reads what has come and writes what is to be asked, as jobs that are not submitted yet."""

    def request_files(member: BatchMember, forms: RequestFormats) -> RequestFiles:
        async def sealed(file: RequestFile) -> None:
            work.ledger.intend(_job(work, member, forms, file), file.requests)

        batch = member.config.batch
        most = min(batch.max_requests, work.store.meta("batch_most", batch.max_requests))
        return RequestFiles(work.folder, most=most, most_mb=batch.max_mb, sealed=sealed)

    now = JudgingPass(work, request_files if ask else None)
    await now.run(desk)
    return now


def _job(work: BatchContext, member: BatchMember, forms: RequestFormats, file: RequestFile) -> Job:
    return Job(
        key=file.key,
        base_url=BaseUrl.parse(member.config.base_url).base_url,
        judge_key=work.judge.verdict_task,
        stage="written",
        created_at=0,
        form=forms.now.to_state(),
        requests=len(file.requests),
        bytes=file.bytes,
        estimate_usd=file.estimate_usd,
    )
