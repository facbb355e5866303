"""What a report reads from a run, one row at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from typing import Any, NamedTuple

import orjson

from simsa.records import Claim, Criteria, Expected, Judgement, Number
from simsa.store.store import Store, SubJudgement


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
    the criteria that were scored, integers 1-5. `sample` counts the answers to the same
    question from 0.
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
    """Every planned row in the order of the test set; only one variant's, only one question's.

    Where questions are answered several times, `sample` says which answers: the first ones, or with
    None all, those to one question by one variant one after another.
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
        scores = orjson.loads(row[15])
        otherwise = "budget" if stopped == "budget" else "pending"
        status = _status(row[7], row[12], row[13] > 0 and len(scores) >= len(criteria), otherwise)
        total = criteria.total(scores)
        yield Result._make((*row[:3], bool(row[3]), *row[4:12], status, scores, row[14], total))


def n_samples(store: Store) -> int:
    """How many answers a question has at most of one variant."""
    return int(store.db.execute("SELECT coalesce(max(sample), 0) + 1 FROM plan").fetchone()[0])


def statuses(store: Store) -> dict[str, int]:
    """Status → how many planned rows have it, all answers to a question counted."""
    return dict(Counter(result.status for result in results(store, sample=None)))


def measures(
    store: Store, variant: str | None = None, question_id: str | None = None, *, sample: int | None = 0
) -> Iterator[dict[str, float | None] | None]:
    """Deterministic metrics of every planned row, in the order of `results`; None where there are none yet."""
    rows = store.db.execute(
        """SELECT m.figures FROM plan p
        JOIN questions q ON q.id = p.question_id JOIN variants v ON v.name = p.variant
        LEFT JOIN measures m ON m.answer_hash = p.request_hash AND m.question_hash = q.hash
        WHERE (?1 IS NULL OR p.variant = ?1) AND (?2 IS NULL OR p.question_id = ?2)
            AND (?3 IS NULL OR p.sample = ?3)
        ORDER BY q.position, v.position, p.sample""",
        (variant, question_id, sample),
    )
    for (figures,) in rows:
        yield None if figures is None else orjson.loads(figures)


def analyses(store: Store, question_id: str, variant: str, sample: int = 0) -> list[tuple[str, str, str]]:
    """The judge's words on one answer: (part, analysis, raw) for each judgement of its verdict."""
    rows = store.db.execute(
        f"""SELECT g.part, j.analysis, j.raw FROM judging g JOIN {_PLANNED}
        JOIN judgements j ON j.request_hash = g.request_hash
        WHERE g.question_id = ? AND g.variant = ? AND g.sample = ? AND g.part <> 'claims' ORDER BY g.part""",
        (question_id, variant, sample),
    )
    return [(part, analysis, raw) for part, analysis, raw in rows]


def judgements(store: Store, question_id: str, variant: str, sample: int = 0) -> list[Judgement]:
    """What makes up the verdict on one answer, in the order of the parts; empty before it was judged.

    One that was made from others has their answers, tokens and cost.
    """
    return _of_answer(store, question_id, variant, sample, "g.part <> 'claims'")


def listings(store: Store, question_id: str, variant: str, sample: int = 0) -> list[Judgement]:
    """What was said when an answer's claims were asked for; empty before they were."""
    return _of_answer(store, question_id, variant, sample, "g.part = 'claims'")


def _of_answer(store: Store, question_id: str, variant: str, sample: int, which: str) -> list[Judgement]:
    rows = store.db.execute(
        f"""SELECT {_JUDGEMENT} FROM judging g JOIN {_PLANNED}
        JOIN judgements j ON j.request_hash = g.request_hash
        WHERE g.question_id = ? AND g.variant = ? AND g.sample = ? AND {which} ORDER BY g.part""",
        (question_id, variant, sample),
    )
    return [_with_its_voices(store, _judgement(row)) for row in rows]


def judgement(store: Store, request_hash: str) -> Judgement | None:
    """The judgement on one request; None before there is one."""
    found = store.db.execute(
        f"SELECT {_JUDGEMENT} FROM judgements j WHERE j.request_hash = ?", (request_hash,)
    ).fetchone()
    return _judgement(found) if found else None


def ever_parsed(store: Store, judge: str, *, claims: bool) -> bool:
    """Whether anything of the judge with this label was ever readable: a verdict, or a list of claims."""
    found = store.db.execute(
        "SELECT EXISTS (SELECT 1 FROM judgements WHERE judge = ? AND status = 'scored' AND (claims IS NULL) <> ?)",
        (judge, claims),
    )
    return bool(found.fetchone()[0])


def sub_judgements(store: Store, request_hash: str) -> list[tuple[SubJudgement, Judgement]]:
    """What a judgement was made from, in order; empty for what one call gave."""
    rows = store.db.execute(
        f"""SELECT v.role, v.name, v.source, {_JUDGEMENT} FROM sub_judgements v
        JOIN judgements j ON j.request_hash = v.source WHERE v.request_hash = ? ORDER BY v.position""",
        (request_hash,),
    )
    return [(SubJudgement(*row[:3]), _judgement(row[3:])) for row in rows]


class PanelJudgement(NamedTuple):
    """What one member of a panel, or one of several repeats, said of a part of an answer's verdict.

    `made` names the judgement that it went into, which several rows may share. `member`
    is "" without a panel; `repeat` counts from 0, and is None of a member as a whole.
    """

    question_id: str
    variant: str
    made: str
    member: str
    repeat: int | None
    status: str
    scores: dict[str, int]
    sample: int = 0


def members(store: Store, question_id: str | None = None) -> Iterator[PanelJudgement]:
    """Every member's own judgement on every row, or on those of one question."""
    rows = store.db.execute(
        f"""SELECT g.question_id, g.variant, g.request_hash, v.name, j.status, g.sample, {_SCORES}
        FROM {_LINKED} JOIN sub_judgements v ON v.request_hash = g.request_hash AND v.role = 'member'
        JOIN judgements j ON j.request_hash = v.source
        WHERE ?1 IS NULL OR g.question_id = ?1 ORDER BY q.position, t.position, g.sample, g.part, v.position""",
        (question_id,),
    )
    for row in rows:
        yield PanelJudgement._make((*row[:4], None, row[4], orjson.loads(row[6]), row[5]))


def repeats(store: Store, question_id: str | None = None) -> Iterator[PanelJudgement]:
    """Every repeat's judgement on every row, or on those of one question; of each member, where there is a panel."""
    rows = store.db.execute(
        f"""WITH asked AS (
            SELECT g.question_id, g.variant, g.sample, g.part, g.request_hash, '' AS member, q.position,
                t.position AS place
            FROM {_LINKED} WHERE ?1 IS NULL OR g.question_id = ?1
            UNION ALL
            SELECT g.question_id, g.variant, g.sample, g.part, v.source, v.name, q.position, t.position
            FROM {_LINKED} JOIN sub_judgements v ON v.request_hash = g.request_hash AND v.role = 'member'
            WHERE ?1 IS NULL OR g.question_id = ?1)
        SELECT a.question_id, a.variant, a.request_hash, a.member, v.name, j.status, a.sample, {_SCORES}
        FROM asked a JOIN sub_judgements v ON v.request_hash = a.request_hash AND v.role = 'repeat'
        JOIN judgements j ON j.request_hash = v.source
        ORDER BY a.position, a.place, a.sample, a.part, a.member, v.position""",
        (question_id,),
    )
    for row in rows:
        yield PanelJudgement._make((*row[:4], int(row[4]), row[5], orjson.loads(row[7]), row[6]))


_SCORES = (
    "(SELECT json_group_object(s.criterion, s.score) FROM scores s WHERE s.request_hash = j.request_hash)"
)
_SCORED = """(SELECT group_concat(criterion) FROM
    (SELECT s.criterion FROM scores s WHERE s.request_hash = j.request_hash ORDER BY s.criterion))"""
_PLANNED = """plan p ON p.question_id = g.question_id AND p.variant = g.variant AND p.sample = g.sample
    AND p.request_hash = g.answer_hash"""
_LINKED = f"""judging g JOIN questions q ON q.id = g.question_id JOIN variants t ON t.name = g.variant
    JOIN {_PLANNED}"""


def expected(store: Store) -> Iterator[tuple[str, str, dict[str, Expected]]]:
    """(Question id, variant, criterion → expected score) of every answer whose judge was asked for them."""
    rows = store.db.execute(
        f"""SELECT g.question_id, g.variant, json_group_array(json(j.expected)) FROM {_LINKED}
        JOIN judgements j ON j.request_hash = g.request_hash
        WHERE j.expected IS NOT NULL GROUP BY q.position, t.position, g.sample
        ORDER BY q.position, t.position, g.sample"""
    )
    for question_id, variant, found in rows:
        scores = {name: Expected(**one) for part in orjson.loads(found) for name, one in part.items()}
        yield question_id, variant, scores


def count_parse_failures(store: Store) -> tuple[int, str] | None:
    """How many judgements of standing verdicts could not be read, and what the first of them said; None: all could."""
    n, raw = store.db.execute(
        f"""SELECT count(DISTINCT j.request_hash), (SELECT j.raw FROM {_LINKED}
                JOIN judgements j ON j.request_hash = g.request_hash
                WHERE j.status = 'unreadable' AND g.part <> 'claims' ORDER BY q.position, t.position LIMIT 1)
        FROM {_LINKED} JOIN judgements j ON j.request_hash = g.request_hash
        WHERE j.status = 'unreadable' AND g.part <> 'claims'"""
    ).fetchone()
    if not n:
        return None
    try:
        said = orjson.loads(raw)
    except orjson.JSONDecodeError:
        said = raw
    return int(n), str(said[-1]) if isinstance(said, list) and said else raw


def _with_its_voices(store: Store, made: Judgement) -> Judgement:
    """`made` with what the judgements that it was made from said and took."""
    if made.attempts:
        return made
    rows = store.db.execute(
        """WITH RECURSIVE used (hash) AS (
            VALUES (?) UNION SELECT v.source FROM used JOIN sub_judgements v ON v.request_hash = used.hash)
        SELECT j.raw, j.prompt_tokens, j.completion_tokens, j.cached_tokens, j.cost_usd, j.latency_s, j.attempts
        FROM used JOIN judgements j ON j.request_hash = used.hash WHERE j.attempts""",
        (made.request_hash,),
    ).fetchall()
    raw, prompt, completion, cached, costs, latencies, attempts = (
        zip(*rows, strict=True) if rows else [()] * 7
    )
    return replace(
        made,
        raw=orjson.dumps(raw).decode() if rows else made.raw,
        prompt_tokens=sum(prompt),
        completion_tokens=sum(completion),
        cached_tokens=sum(cached),
        cost_usd=None if None in costs else sum(costs),
        latency_s=sum(latencies),
        attempts=sum(attempts),
    )


_JUDGEMENT = (
    "j.request_hash, j.judge, j.rubric, j.status, j.analysis, j.raw, j.prompt_tokens, j.completion_tokens,"
    " j.cached_tokens, j.cost_usd, j.latency_s, j.attempts, j.detail, j.expected, j.claims, j.estimated_usd, "
    + _SCORES
)


def _judgement(row: Sequence[Any]) -> Judgement:
    expected, claims, estimated = row[13:16]
    return Judgement(
        request_hash=row[0],
        judge=row[1],
        rubric=row[2],
        status=row[3],
        scores=orjson.loads(row[16]),
        analysis=row[4],
        raw=row[5],
        prompt_tokens=row[6],
        completion_tokens=row[7],
        cached_tokens=row[8],
        cost_usd=row[9],
        latency_s=row[10],
        attempts=row[11],
        detail=row[12],
        expected={name: Expected(**found) for name, found in orjson.loads(expected or "{}").items()},
        claims=_claims(claims),
        estimated_usd=estimated,
    )


class Claimed(NamedTuple):
    """What an answer claims. `claims` is None where its list could not be had, for which `status` is why."""

    question_id: str
    variant: str
    status: str
    claims: tuple[Claim, ...] | None
    sample: int = 0


def claimed(store: Store, question_id: str | None = None, *, sample: int | None = 0) -> Iterator[Claimed]:
    """Every row whose claims were asked for, or those of one question, in no order; `sample` as in `results`."""
    given = {"question_id": question_id, "sample": sample}
    wanted = {name: value for name, value in given.items() if value is not None}
    rows = store.db.execute(
        f"""SELECT g.question_id, g.variant, j.status, j.claims, g.sample FROM judging g JOIN {_PLANNED}
        JOIN judgements j ON j.request_hash = g.request_hash
        WHERE {" AND ".join(["g.part = 'claims'", *(f"g.{name} = ?" for name in wanted)])}""",
        tuple(wanted.values()),
    )
    for question, variant, status, kept, n in rows:
        yield Claimed(question, variant, status, _claims(kept), n)


def pending_claims(store: Store, *, sample: int | None = 0) -> Iterator[Claimed]:
    """Rows for whose claims nobody has asked yet, where the run's judge is to list them; `sample` as in `results`.

    Their status is "pending" or "budget". What says nothing claims nothing, and misses no list.
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
    """Status → how many answers have no list of claims for it, all answers to a question counted."""
    asked = (row for row in claimed(store, sample=None) if row.claims is None)
    return dict(
        sorted(Counter(row.status for row in chain(asked, pending_claims(store, sample=None))).items())
    )


def _claims(kept: str | None) -> tuple[Claim, ...] | None:
    return None if kept is None else tuple(Claim(**found) for found in orjson.loads(kept))


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
    """Usage over the judgements that stand now, with those that they were made from."""
    links, distinct = store.db.execute(
        "SELECT count(*), count(DISTINCT request_hash) FROM judging"
    ).fetchone()
    row = store.db.execute(
        """WITH RECURSIVE used (hash) AS (
            SELECT request_hash FROM judging
            UNION SELECT v.source FROM used JOIN sub_judgements v ON v.request_hash = used.hash)
        SELECT count(*), total(attempts), total(prompt_tokens), total(completion_tokens),
            total(cached_tokens), total(cost_usd), count(cost_usd)
        FROM judgements WHERE request_hash IN used"""
    ).fetchone()
    n, calls, prompt, completion, cached, cost, priced = row
    return JudgeUsage(
        calls=int(calls),
        reused=links - distinct,
        prompt_tokens=int(prompt),
        completion_tokens=int(completion),
        cached_tokens=int(cached),
        cost_usd=float(cost) if priced == n else None,
    )


class UsageShare(NamedTuple):
    """What the calls took that one variant's verdicts made to one judge for one part of them.

    A call that several variants share is the first one's; for the others, and for rows with
    equal answers, it is `reused`. `criteria` are those that the calls gave scores for; none where they failed.
    """

    variant: str
    part: str
    judge: str
    calls: int
    reused: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    cost_usd: float | None
    criteria: tuple[str, ...]


def usage_shares(store: Store) -> list[UsageShare]:
    """The usage of `judge_usage` by variant, part, judge and criteria; sums over it are the whole."""
    rows = store.db.execute(
        f"""WITH RECURSIVE used (place, variant, part, hash) AS (
            SELECT t.position, g.variant, g.part, g.request_hash FROM {_LINKED}
            UNION ALL
            SELECT u.place, u.variant, u.part, v.source FROM used u JOIN sub_judgements v ON v.request_hash = u.hash),
        asked AS (
            SELECT place, variant, part, hash,
                row_number() OVER (PARTITION BY hash ORDER BY place, part) = 1 AS pays
            FROM used u WHERE NOT EXISTS (SELECT 1 FROM sub_judgements v WHERE v.request_hash = u.hash))
        SELECT a.variant, a.part, j.judge, total(a.pays * j.attempts), total(1 - a.pays),
            total(a.pays * j.prompt_tokens), total(a.pays * j.completion_tokens),
            total(a.pays * j.cached_tokens), total(a.pays * j.cost_usd),
            total(a.pays AND j.cost_usd IS NULL),
            {_SCORED} AS scored
        FROM asked a JOIN judgements j ON j.request_hash = a.hash
        GROUP BY a.place, a.part, j.judge, scored ORDER BY a.place, a.part, j.judge, scored"""
    )
    return [
        UsageShare._make(
            (
                *row[:3],
                *map(int, row[3:8]),
                None if row[9] else float(row[8]),
                criteria_of(store).only((row[10] or "").split(",")).names,
            )
        )
        for row in rows
    ]


def _status(prediction: str | None, unscored: str | None, whole: bool, otherwise: str) -> str:
    if prediction is None:
        return "no_prediction"
    if unscored:
        return unscored
    return "scored" if whole else otherwise
