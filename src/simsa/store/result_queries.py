"""Queries for results: answers with their scores, metrics and claims, one row at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import NamedTuple

import orjson

from simsa.records import Claim, Criteria, Number
from simsa.store.store import Store

PLANNED = """plan p ON p.question_id = g.question_id AND p.variant = g.variant AND p.sample = g.sample
    AND p.request_hash = g.answer_hash"""
"""Joins `judging g` with the plan, without verdicts on answers that were replaced since."""


@contextmanager
def snapshot(store: Store) -> Iterator[None]:
    """All reads inside see the run at one moment, whatever is written meanwhile."""
    if store.db.in_transaction:
        yield
        return
    store.db.execute("BEGIN")
    try:
        yield
    finally:
        store.db.execute("COMMIT")


class Result(NamedTuple):
    """One variant's answer to one question, with its verdict.

    `status` is "scored" or the reason why the verdict is missing or incomplete. `scores` has the criteria that were
    scored. `total` is None unless every criterion that enters it has a score. `sample` is the number of the answer,
    from 0, if there are several.
    """

    question_id: str
    variant: str
    type: str | None
    answerable: bool
    cluster: str
    answer_hash: str
    question_hash: str
    prediction: str | None
    finish_reason: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    latency_s: float | None
    status: str
    scores: dict[str, int]
    sample: int = 0
    total: Number | None = None


def criteria_of(store: Store) -> Criteria:
    """The criteria that the run's rubric declares; empty for a run without a judge."""
    return Criteria.from_list(store.meta("criteria") or ())


def results(
    store: Store, variant: str | None = None, question_id: str | None = None, *, sample: int | None = 0
) -> Iterator[Result]:
    """Yields every planned row in the order of the test set, or only those of one variant or question.

    If questions are answered several times, `sample` is the number of the answer; None yields all of them, the
    answers of one variant to one question one after another.
    """
    stopped = store.meta("stopped")
    criteria = criteria_of(store)
    given = {"variant": variant, "question_id": question_id, "sample": sample}
    wanted = {name: value for name, value in given.items() if value is not None}
    rows = store.db.execute(
        f"""SELECT r.question_id, r.variant, q.type, q.answerable, q.cluster, r.answer_hash, q.hash,
            r.prediction, r.finish_reason, r.prompt_tokens, r.completion_tokens, r.latency_s,
            r.unscored, r.parts, r.sample,
            (SELECT json_group_object(s.criterion, s.score) FROM judging g JOIN scores s USING (request_hash)
            WHERE g.question_id = r.question_id AND g.variant = r.variant AND g.sample = r.sample
                AND g.answer_hash = r.answer_hash)
        FROM results r JOIN questions q ON q.id = r.question_id JOIN variants v ON v.name = r.variant
        WHERE {" AND ".join(["TRUE", *(f"r.{name} = ?" for name in wanted)])}
        ORDER BY q.position, v.position, r.sample""",
        tuple(wanted.values()),
    )
    for row in rows:
        found = orjson.loads(row[15])
        scores = {name: found[name] for name in criteria.names if name in found}
        prediction, unscored, n_parts = row[7], row[12], row[13]
        if prediction is None:
            status = "no_prediction"
        elif unscored:
            status = unscored
        elif n_parts > 0 and len(scores) >= len(criteria):
            status = "scored"
        else:
            status = "budget" if stopped == "budget" else "pending"
        total = criteria.total(scores)
        yield Result._make((*row[:3], bool(row[3]), *row[4:12], status, scores, row[14], total))


def n_samples(store: Store) -> int:
    """The highest number of answers that a question has of one variant."""
    return int(store.db.execute("SELECT coalesce(max(sample), 0) + 1 FROM plan").fetchone()[0])


def statuses(store: Store) -> dict[str, int]:
    """Status → number of planned rows, counting all answers to a question."""
    return dict(Counter(result.status for result in results(store, sample=None)))


def measures(
    store: Store, variant: str | None = None, question_id: str | None = None, *, sample: int | None = 0
) -> Iterator[dict[str, float | None] | None]:
    """Yields the deterministic metrics of every planned row, in the order of `results`; None if not computed yet."""
    given = {"variant": variant, "question_id": question_id, "sample": sample}
    wanted = {name: value for name, value in given.items() if value is not None}
    rows = store.db.execute(
        f"""SELECT m.figures FROM plan p
        JOIN questions q ON q.id = p.question_id JOIN variants v ON v.name = p.variant
        LEFT JOIN measures m ON m.answer_hash = p.request_hash AND m.question_hash = q.hash
        WHERE {" AND ".join(["TRUE", *(f"p.{name} = ?" for name in wanted)])}
        ORDER BY q.position, v.position, p.sample""",
        tuple(wanted.values()),
    )
    for (figures,) in rows:
        yield None if figures is None else orjson.loads(figures)


class Claimed(NamedTuple):
    """The claims of an answer. `claims` is None if there is no list of them; `status` is then the reason."""

    question_id: str
    variant: str
    status: str
    claims: tuple[Claim, ...] | None
    sample: int = 0


def claimed(store: Store, question_id: str | None = None, *, sample: int | None = 0) -> Iterator[Claimed]:
    """Yields every row whose claims were asked for, or those of one question, in no order; `sample` as in `results`."""
    given = {"question_id": question_id, "sample": sample}
    wanted = {name: value for name, value in given.items() if value is not None}
    rows = store.db.execute(
        f"""SELECT g.question_id, g.variant, j.status, j.claims, g.sample FROM judging g JOIN {PLANNED}
        JOIN judgements j ON j.request_hash = g.request_hash
        WHERE {" AND ".join(["g.part = 'claims'", *(f"g.{name} = ?" for name in wanted)])}""",
        tuple(wanted.values()),
    )
    for question, variant, status, kept, n in rows:
        yield Claimed(question, variant, status, claims_from_json(kept), n)


def pending_claims(store: Store, *, sample: int | None = 0) -> Iterator[Claimed]:
    """Yields rows whose claims the run's judge is to list and has not been asked for; `sample` as in `results`.

    Their status is "pending" or "budget". Empty answers have no claims and are not counted as missing.
    """
    judge = (store.meta("config") or {}).get("judge") or {}
    if not judge.get("claims"):
        return
    status = "budget" if store.meta("stopped") == "budget" else "pending"
    rows = store.db.execute(
        """SELECT p.question_id, p.variant, a.prediction, p.sample FROM plan p JOIN answers a USING (request_hash)
        JOIN questions q ON q.id = p.question_id JOIN variants t ON t.name = p.variant
        WHERE (?1 IS NULL OR p.sample = ?1) AND NOT EXISTS
            (SELECT 1 FROM judging g WHERE g.question_id = p.question_id AND g.variant = p.variant
            AND g.sample = p.sample AND g.answer_hash = p.request_hash AND g.part = 'claims')""",
        (sample,),
    )
    for question, variant, prediction, n in rows:
        if prediction.strip():
            yield Claimed(question, variant, status, None, n)


def count_missing_claims(store: Store) -> dict[str, int]:
    """Status → number of answers without a list of claims for that reason, counting all answers to a question."""
    asked = (row for row in claimed(store, sample=None) if row.claims is None)
    return dict(
        sorted(Counter(row.status for row in chain(asked, pending_claims(store, sample=None))).items())
    )


def claims_from_json(kept: str | None) -> tuple[Claim, ...] | None:
    """The claims in a column `claims`."""
    return None if kept is None else tuple(Claim(**found) for found in orjson.loads(kept))
