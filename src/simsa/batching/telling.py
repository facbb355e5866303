"""What is open, in plain sentences."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any, NamedTuple

from simsa.language import Said, joined
from simsa.spoken import CATALOGUE, told
from simsa.store import Store
from simsa.store.batches import Job, Ledger
from simsa.text import usd


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
        sentences.append(told("batch.fetch", command=command))
    if waiting or any(job.stage != "submitted" for job in jobs):
        sentences.append(told("batch.again", command=command, n=waiting))
    return Open(joined(" ", sentences), [_data(job) for job in jobs])


def in_words(jobs: Sequence[Job]) -> str:
    """How far jobs under way are, and what they are expected to cost."""
    answered, failed = sum(job.answered for job in jobs), sum(job.failed for job in jobs)
    total = sum(job.requests for job in jobs)
    states = joined(", ", sorted({state(job.status) for job in jobs}))
    what = {
        "jobs": told("batch.one") if len(jobs) == 1 else told("batch.several", n=len(jobs)),
        "answered": answered,
        "failed": failed,
        "total": total,
        "states": states,
    }
    prices = [job.estimate_usd for job in jobs if job.estimate_usd is not None]
    if len(prices) == len(jobs):
        return told("batch.progress_price", usd=usd(sum(prices)), **what)
    return told("batch.progress", **what)


def _sentence(job: Job) -> Said:
    if job.stage != "submitted":
        return told("batch.written", n=job.requests, url=job.base_url)
    what = {
        "id": job.batch_id,
        "url": job.base_url,
        "state": state(job.status),
        "done": job.answered + job.failed,
        "n": job.requests,
    }
    if job.expires_at:
        return told("batch.stands_until", end=_time(job.expires_at), **what)
    return told("batch.stands", **what)


def state(status: str | None) -> Said:
    """A job's status in words; one that endpoints do not name to us today is shown as it is."""
    key = f"state.{status or 'open'}"
    return told(key) if key in CATALOGUE else Said(str(status).replace("_", " "))


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
