"""Judging by batch from pending answers to verdicts: write requests, submit, wait, read replies, repeat."""

from __future__ import annotations

import contextlib
from typing import assert_never

from simsa.config import JudgeConfig, secret
from simsa.errors import RunError
from simsa.i18n.messages import msg
from simsa.llm.base_url import BaseUrl
from simsa.llm.batch_client import BatchEndpoint
from simsa.run.batch import offline, request_files
from simsa.run.batch.actions import (
    BatchAction,
    BatchContext,
    BatchMember,
    Cancel,
    Collect,
    Read,
    Submit,
    Wait,
    Write,
)
from simsa.run.batch.jobs import Jobs, wait_for_one
from simsa.run.batch.judging_pass import BatchSession, JudgingPass
from simsa.run.batch.request_files import RequestFile, RequestFiles, RequestFormats
from simsa.store import Store
from simsa.store.batches import BatchTable, Job
from simsa.text import format_number, usd


async def judge_by_batch(context: BatchContext, action: BatchAction) -> None:
    """Carries out `action`. After an interruption at any point, the same call continues."""
    store, stage = context.store, context.progress.judge
    store.unlink_other_judges(context.judge.task, context.judge.verdict_task)
    stage.begin(total=store.count_unjudged(context.judge.task, answered=True))
    match action:
        case Write(folder):
            await offline.write(context, folder)
        case Read(paths):
            await offline.read(context, paths)
        case Wait() | Submit() | Collect() | Cancel():
            await _through_jobs(context, action)
        case _:
            assert_never(action)
    stage.end()


def refuse_open_batches(store: Store, verdict_task: str) -> None:
    """Raises RunError where asking the judge directly would repeat requests of an open batch."""
    jobs = [job for job in BatchTable(store).open_jobs() if job.judge_key == verdict_task]
    if jobs:
        n = sum(job.requests for job in jobs)
        raise RunError(
            msg("error.batch.open", n=n),
            where=str(store.folder),
            hint=msg("error.batch.collect"),
        )


async def _through_jobs(context: BatchContext, action: Wait | Submit | Collect | Cancel) -> None:
    request_files.remove_unfinished(context.folder, context.table.keys())
    session = BatchSession(context)
    async with contextlib.AsyncExitStack() as opened:
        configs = {
            BaseUrl.parse(one.config.base_url).base_url: one.config for one in context.members().values()
        }
        endpoints = [
            Jobs(context, await opened.enter_async_context(_endpoint(context, config)))
            for config in configs.values()
        ]
        if isinstance(action, Collect | Cancel):
            for jobs in endpoints:
                await (jobs.cancel() if isinstance(action, Cancel) else jobs.collect())
            await _pass(context, session, ask=False)
            return
        while True:
            done = await _pass(context, session, ask=not any(jobs.crowded for jobs in endpoints))
            for jobs in endpoints:
                await jobs.submit_all()
            wanted = any(jobs.wanted() for jobs in endpoints)
            if not wanted and done.waiting and done.judged:
                continue  # the new judgements may decide about those that wait
            if isinstance(action, Submit) or not wanted:
                break
            await wait_for_one(context, endpoints)
    if done.out_of_money:
        context.store.set_meta(stopped="budget")
        limit, spent = format_number(context.config.max_cost_usd or 0.0), usd(context.store.spent_usd())
        context.progress.note("budget", msg("batch.budget", n=done.unasked, limit=limit, spent=spent))


def _endpoint(context: BatchContext, config: JudgeConfig) -> BatchEndpoint:
    return BatchEndpoint(
        config.base_url,
        key=secret(config.key_variable),
        key_name=config.key_variable,
        timeout_s=config.timeout_s,
        max_attempts=config.max_attempts,
        settle_s=config.batch.settle_s,
        on_event=context.progress.say,
    )


async def _pass(context: BatchContext, session: BatchSession, *, ask: bool) -> JudgingPass:
    """Reads the replies that have come, and writes missing requests as jobs that are not submitted yet."""

    def files_for(member: BatchMember, formats: RequestFormats) -> RequestFiles:
        async def finished(file: RequestFile) -> None:
            job = Job(
                key=file.key,
                base_url=BaseUrl.parse(member.config.base_url).base_url,
                judge_key=context.judge.verdict_task,
                stage="written",
                created_at=0,
                form=formats.now.to_state(),
                requests=len(file.requests),
                bytes=file.bytes,
                estimate_usd=file.estimate_usd,
            )
            context.table.intend(job, file.requests)

        batch = member.config.batch
        max_requests = min(batch.max_requests, context.store.meta("batch_most", batch.max_requests))
        return RequestFiles(context.folder, max_requests=max_requests, max_mb=batch.max_mb, finished=finished)

    done = JudgingPass(context, files_for if ask else None)
    await done.run(session)
    return done
