"""What a report reads from a run, one row at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import orjson

from simsa.records import CRITERIA, Judgement
from simsa.store.store import Store


@contextmanager
def snapshot(store: Store) -> Iterator[None]:
    """Everything read inside sees the run at one moment, whatever is written meanwhile."""
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

    `status` is "scored" or the reason why there is no (whole) verdict; `scores` has
    the criteria that were scored, integers 1-5.
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

    @property
    def total(self) -> int | None:
        """Sum of the four criteria; None unless all four were scored."""
        return sum(self.scores.values()) if len(self.scores) == len(CRITERIA) else None


def results(store: Store, variant: str | None = None, question_id: str | None = None) -> Iterator[Result]:
    """Every planned row in the order of the test set; only one variant's, only one question's."""
    stopped = store.meta("stopped")
    given = {"variant": variant, "question_id": question_id}
    wanted = {name: value for name, value in given.items() if value is not None}
    rows = store.db.execute(
        f"""SELECT r.question_id, r.variant, q.type, q.answerable, q.cluster, r.answer_hash, q.hash,
            r.prediction, r.finish_reason, r.prompt_tokens, r.completion_tokens, r.latency_s,
            r.unscored, r.parts, {", ".join(f"r.{name}" for name in CRITERIA)}
        FROM results r JOIN questions q ON q.id = r.question_id JOIN variants v ON v.name = r.variant
        WHERE {" AND ".join(["TRUE", *(f"r.{name} = ?" for name in wanted)])}
        ORDER BY q.position, v.position""",
        tuple(wanted.values()),
    )
    for row in rows:
        scores = _scores(row[14:])
        status = _status(row[7], row[12], len(scores), "budget" if stopped == "budget" else "pending")
        yield Result._make((*row[:3], bool(row[3]), *row[4:12], status, scores))


def statuses(store: Store) -> dict[str, int]:
    """Status → how many planned rows have it."""
    return dict(Counter(result.status for result in results(store)))


def measures(store: Store, variant: str | None = None) -> Iterator[dict[str, float | None] | None]:
    """Deterministic metrics of every planned row, in the order of `results`; None where there are none yet."""
    rows = store.db.execute(
        """SELECT m.figures FROM plan p
        JOIN questions q ON q.id = p.question_id JOIN variants v ON v.name = p.variant
        LEFT JOIN measures m ON m.answer_hash = p.request_hash AND m.question_hash = q.hash
        WHERE ?1 IS NULL OR p.variant = ?1
        ORDER BY q.position, v.position""",
        (variant,),
    )
    for (figures,) in rows:
        yield None if figures is None else orjson.loads(figures)


def analyses(store: Store, question_id: str, variant: str) -> list[tuple[str, str, str]]:
    """The judge's words on one answer: (part, analysis, raw) for each judgement of its verdict."""
    rows = store.db.execute(
        """SELECT g.part, j.analysis, j.raw FROM judging g
        JOIN plan p ON p.question_id = g.question_id AND p.variant = g.variant
            AND p.request_hash = g.answer_hash
        JOIN judgements j ON j.request_hash = g.request_hash
        WHERE g.question_id = ? AND g.variant = ? ORDER BY g.part""",
        (question_id, variant),
    )
    return [(part, analysis, raw) for part, analysis, raw in rows]


def judgements(store: Store, question_id: str, variant: str) -> list[Judgement]:
    """What makes up the verdict on one answer, in the order of the parts; empty before it was judged."""
    rows = store.db.execute(
        f"""SELECT j.request_hash, j.judge, j.rubric, j.status, j.analysis, j.raw, j.prompt_tokens,
            j.completion_tokens, j.cached_tokens, j.cost_usd, j.latency_s, j.attempts, j.detail,
            {", ".join(f"j.{name}" for name in CRITERIA)}
        FROM judging g
        JOIN plan p ON p.question_id = g.question_id AND p.variant = g.variant
            AND p.request_hash = g.answer_hash
        JOIN judgements j ON j.request_hash = g.request_hash
        WHERE g.question_id = ? AND g.variant = ? ORDER BY g.part""",
        (question_id, variant),
    )
    return [
        Judgement(
            request_hash=row[0],
            judge=row[1],
            rubric=row[2],
            status=row[3],
            scores=_scores(row[13:]),
            analysis=row[4],
            raw=row[5],
            prompt_tokens=row[6],
            completion_tokens=row[7],
            cached_tokens=row[8],
            cost_usd=row[9],
            latency_s=row[10],
            attempts=row[11],
            detail=row[12],
        )
        for row in rows
    ]


class JudgeUsage(NamedTuple):
    """What the verdicts of a run took. `calls` are requests sent, retries too; `reused` are
    verdicts that an identical request had already paid for; `cost_usd` is None where no price is known."""

    calls: int
    reused: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    cost_usd: float | None


def judge_usage(store: Store) -> JudgeUsage:
    """Usage over the judgements that stand now."""
    links = int(store.db.execute("SELECT count(*) FROM judging").fetchone()[0])
    row = store.db.execute(
        """SELECT count(*), total(attempts), total(prompt_tokens), total(completion_tokens),
            total(cached_tokens), total(cost_usd), count(cost_usd)
        FROM judgements WHERE request_hash IN (SELECT request_hash FROM judging)"""
    ).fetchone()
    distinct, calls, prompt, completion, cached, cost, priced = row
    return JudgeUsage(
        calls=int(calls),
        reused=links - int(distinct),
        prompt_tokens=int(prompt),
        completion_tokens=int(completion),
        cached_tokens=int(cached),
        cost_usd=float(cost) if priced == distinct else None,
    )


def _scores(values: Sequence[int | None]) -> dict[str, int]:
    return {name: value for name, value in zip(CRITERIA, values, strict=True) if value is not None}


def _status(prediction: str | None, unscored: str | None, n_scores: int, otherwise: str) -> str:
    if prediction is None:
        return "no_prediction"
    if unscored:
        return unscored
    return "scored" if n_scores == len(CRITERIA) else otherwise
