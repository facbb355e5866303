"""What is open, in plain sentences."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any, NamedTuple

from simsa.store import Store
from simsa.store.batches import Job, Ledger


class Open(NamedTuple):
    """What has not come back, as a sentence and as data."""

    text: str
    jobs: list[dict[str, Any]]


def standing(store: Store, command: str) -> Open | None:
    """What is still open in a run; None when nothing is. `command` fetches it."""
    ledger = Ledger(store)
    jobs = ledger.open_jobs()
    waiting = sum(1 for state in ledger.standings().values() if state == "again")
    if not jobs and not waiting:
        return None
    sentences = [_sentence(job) for job in jobs]
    if jobs:
        sentences.append(f"`{command} --collect` fetches what is ready.")
    if waiting or any(job.stage != "submitted" for job in jobs):
        sentences.append(f"`{command}` submits what is to be asked (again): {waiting} requests.")
    return Open(" ".join(sentences), [_data(job) for job in jobs])


def in_words(jobs: Sequence[Job]) -> str:
    """How far jobs under way are, and what they are expected to cost."""
    answered, failed = sum(job.answered for job in jobs), sum(job.failed for job in jobs)
    total = sum(job.requests for job in jobs)
    name = "batch" if len(jobs) == 1 else "batches"
    text = f"{len(jobs)} {name}: {answered}/{total} answered, {failed} failed"
    prices = [job.estimate_usd for job in jobs if job.estimate_usd is not None]
    if len(prices) == len(jobs):
        text += f", about {sum(prices):.4f} USD at the batch price"
    return f"{text} ({', '.join(sorted({_words(job.status) for job in jobs}))})"


def _sentence(job: Job) -> str:
    if job.stage != "submitted":
        return f"A batch of {job.requests} requests for {job.base_url} is written, but not submitted."
    text = (
        f"Batch {job.batch_id} at {job.base_url} is {_words(job.status)}:"
        f" {job.answered + job.failed} of {job.requests} requests are done"
    )
    return f"{text}; its window ends on {_time(job.expires_at)}." if job.expires_at else f"{text}."


def _words(status: str | None) -> str:
    return (status or "open").replace("_", " ")


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
