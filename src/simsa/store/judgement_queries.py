"""Queries for judgements: the replies of judges, what they were combined from, and what they used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import orjson

from simsa.records import Expected, Judgement
from simsa.store.result_queries import PLANNED, claims_from_json, criteria_of
from simsa.store.store import Store, SubJudgement

_LINKED = f"""judging g JOIN questions q ON q.id = g.question_id JOIN variants t ON t.name = g.variant
    JOIN {PLANNED}"""
_SCORES = (
    "(SELECT json_group_object(s.criterion, s.score) FROM scores s WHERE s.request_hash = j.request_hash)"
)
_SCORED = """(SELECT group_concat(criterion) FROM
    (SELECT s.criterion FROM scores s WHERE s.request_hash = j.request_hash ORDER BY s.criterion))"""
_FIELDS = (
    *("request_hash", "judge", "rubric", "status", "analysis", "raw", "prompt_tokens", "completion_tokens"),
    *("cached_tokens", "cost_usd", "latency_s", "attempts", "detail", "expected", "claims", "estimated_usd"),
)
_JUDGEMENT = ", ".join([*(f"j.{name}" for name in _FIELDS), _SCORES])


def analyses(store: Store, question_id: str, variant: str, sample: int = 0) -> list[tuple[str, str, str]]:
    """(Part, analysis, raw reply) of each judgement in the verdict on one answer."""
    rows = store.db.execute(
        f"""SELECT g.part, j.analysis, j.raw FROM judging g JOIN {PLANNED}
        JOIN judgements j ON j.request_hash = g.request_hash
        WHERE g.question_id = ? AND g.variant = ? AND g.sample = ? AND g.part <> 'claims' ORDER BY g.part""",
        (question_id, variant, sample),
    )
    return [(part, analysis, raw) for part, analysis, raw in rows]


def judgements(store: Store, question_id: str, variant: str, sample: int = 0) -> list[Judgement]:
    """The judgements in the verdict on one answer, in the order of the parts; empty before it was judged.

    A combined judgement has the replies, tokens and cost of those it was combined from.
    """
    return _of_answer(store, question_id, variant, sample, "g.part <> 'claims'")


def claim_judgements(store: Store, question_id: str, variant: str, sample: int = 0) -> list[Judgement]:
    """The judgements that list an answer's claims; empty before they were asked for."""
    return _of_answer(store, question_id, variant, sample, "g.part = 'claims'")


def _of_answer(store: Store, question_id: str, variant: str, sample: int, which: str) -> list[Judgement]:
    rows = store.db.execute(
        f"""SELECT {_JUDGEMENT} FROM judging g JOIN {PLANNED}
        JOIN judgements j ON j.request_hash = g.request_hash
        WHERE g.question_id = ? AND g.variant = ? AND g.sample = ? AND {which} ORDER BY g.part""",
        (question_id, variant, sample),
    )
    return [_with_usage(store, _judgement(row)) for row in rows]


def judgement(store: Store, request_hash: str) -> Judgement | None:
    """The judgement on one request; None before there is one."""
    found = store.db.execute(
        f"SELECT {_JUDGEMENT} FROM judgements j WHERE j.request_hash = ?", (request_hash,)
    ).fetchone()
    return _judgement(found) if found else None


def ever_parsed(store: Store, judge: str, *, claims: bool) -> bool:
    """Whether any reply of the judge with this label could be parsed: as a verdict, or as a list of claims."""
    found = store.db.execute(
        "SELECT EXISTS (SELECT 1 FROM judgements WHERE judge = ? AND status = 'scored' AND (claims IS NULL) <> ?)",
        (judge, claims),
    )
    return bool(found.fetchone()[0])


def sub_judgements(store: Store, request_hash: str) -> list[tuple[SubJudgement, Judgement]]:
    """The judgements that one was combined from, in order; empty for a single call."""
    rows = store.db.execute(
        f"""SELECT v.role, v.name, v.source, {_JUDGEMENT} FROM sub_judgements v
        JOIN judgements j ON j.request_hash = v.source WHERE v.request_hash = ? ORDER BY v.position""",
        (request_hash,),
    )
    return [(SubJudgement(*row[:3]), _judgement(row[3:])) for row in rows]


def _with_usage(store: Store, combined: Judgement) -> Judgement:
    """A combined judgement with the replies, tokens and cost of those it was combined from."""
    if combined.attempts:
        return combined
    rows = store.db.execute(
        """WITH RECURSIVE used (hash) AS (
            VALUES (?) UNION SELECT v.source FROM used JOIN sub_judgements v ON v.request_hash = used.hash)
        SELECT j.raw, j.prompt_tokens, j.completion_tokens, j.cached_tokens, j.cost_usd, j.latency_s, j.attempts
        FROM used JOIN judgements j ON j.request_hash = used.hash WHERE j.attempts""",
        (combined.request_hash,),
    ).fetchall()
    raw, prompt, completion, cached, costs, latencies, attempts = (
        zip(*rows, strict=True) if rows else [()] * 7
    )
    return replace(
        combined,
        raw=orjson.dumps(raw).decode() if rows else combined.raw,
        prompt_tokens=sum(prompt),
        completion_tokens=sum(completion),
        cached_tokens=sum(cached),
        cost_usd=None if None in costs else sum(costs),
        latency_s=sum(latencies),
        attempts=sum(attempts),
    )


def _judgement(row: Sequence[Any]) -> Judgement:
    fields = dict(zip((*_FIELDS, "scores"), row, strict=True))
    expected = orjson.loads(fields["expected"] or "{}")
    fields["expected"] = {name: Expected(**found) for name, found in expected.items()}
    fields["claims"] = claims_from_json(fields["claims"])
    fields["scores"] = orjson.loads(fields["scores"])
    return Judgement(**fields)


class PanelJudgement(NamedTuple):
    """What one member of a panel, or one of several repeats, said about a part of an answer's verdict.

    `made` is the request hash of the judgement that it went into, which several rows may share. `member` is ""
    without a panel; `repeat` counts from 0 and is None for a member as a whole.
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
    """Yields every panel member's judgement of every row, or of those of one question."""
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
    """Yields every repeat's judgement of every row, or of those of one question; for a panel, of each member."""
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


def expected(store: Store) -> Iterator[tuple[str, str, dict[str, Expected]]]:
    """Yields (question id, variant, criterion → expected score) of every answer that has expected scores."""
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
    """Number of current judgements that could not be parsed, and the first such reply; None if all could."""
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
        replies = orjson.loads(raw)
    except orjson.JSONDecodeError:
        replies = raw
    return int(n), str(replies[-1]) if isinstance(replies, list) and replies else raw


class JudgeUsage(NamedTuple):
    """What the verdicts of a run used.

    `calls` are requests sent, including retries. `reused` are verdicts that an identical request had paid for.
    `cost_usd` is None if a price is not known.
    """

    calls: int
    reused: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    cost_usd: float | None


def judge_usage(store: Store) -> JudgeUsage:
    """Usage of the current judgements, including those that they were combined from."""
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
    """Usage of the calls to one judge for one part of one variant's verdicts.

    A call that several variants share counts for the first one; for the others, and for rows with equal answers, it
    is `reused`. `criteria` are those that the calls scored; empty for failed calls.
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
    """The usage of `judge_usage` by variant, part, judge and criteria. The shares add up to the whole."""
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
    criteria = criteria_of(store)
    return [
        UsageShare._make(
            (
                *row[:3],
                *map(int, row[3:8]),
                None if row[9] else float(row[8]),
                criteria.only((row[10] or "").split(",")).names,
            )
        )
        for row in rows
    ]
