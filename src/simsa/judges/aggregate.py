"""Judgements made from judgements: a panel's from its members', one from several repeats or criteria."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace

import orjson

from simsa.judges.base import JudgeRequest
from simsa.records import Expected, Judgement, Status


def merge_criteria(
    request: JudgeRequest, parts: Sequence[tuple[Sequence[str], Judgement]], rubric: str
) -> Judgement:
    """The judgement on a group from those that each have some of its criteria.

    Its status is that of the first part that is not scored; it has no scores then.
    """
    unscored = [made for _, made in parts if made.status != "scored"]
    status: Status = unscored[0].status if unscored else "scored"
    first = parts[0][1]
    return Judgement(
        request_hash=request.request_hash,
        judge=first.judge,
        rubric=rubric,
        status=status,
        scores={} if unscored else {name: made.scores[name] for names, made in parts for name in names},
        analysis="\n".join(dict.fromkeys(made.analysis for _, made in parts if made.analysis)),
        cost_usd=0.0,
        attempts=0,
        detail=unscored[0].detail if unscored else "",
        expected={
            name: made.expected[name] for names, made in parts for name in names if name in made.expected
        },
    )


def median_judgement(
    request: JudgeRequest, judge: str, rubric: str, voices: Mapping[str, Judgement], *, named: bool
) -> Judgement:
    """The median of several judgements on the same, criterion by criterion.

    Of an even number it is the lower of the two in the middle: a whole number that somebody
    gave, and never kinder than half of them. More than half of them must have scores;
    otherwise there are none, and the status is "no_majority", or the one that all share.
    `named` puts each one's name before its words; otherwise the words are those of the
    one that comes closest to the medians.
    """
    scored = {name: made for name, made in voices.items() if made.status == "scored"}
    none = Judgement(
        request.request_hash,
        judge,
        rubric,
        _status(voices),
        cost_usd=0.0,
        attempts=0,
        detail=_reasons(voices),
    )
    if 2 * len(scored) <= len(voices):
        return none
    scores = {
        name: statistics.median_low(made.scores[name] for made in scored.values())
        for name in request.criteria
    }
    if named:
        analysis = "\n".join(f"{name}: {made.analysis}" for name, made in scored.items() if made.analysis)
    else:
        analysis = min(scored.values(), key=lambda made: _distance(made.scores, scores)).analysis
    expected = _expected(request.criteria, list(scored.values()))
    return replace(none, status="scored", scores=scores, analysis=analysis, expected=expected)


def merge_previous_usage(made: Judgement, before: Judgement) -> Judgement:
    """`made` with what asking the same an earlier time has said and taken: that was paid for, too."""
    texts = [*_texts(before.raw), *_texts(made.raw)]
    costs = (before.cost_usd, made.cost_usd)
    cost = None if None in costs else sum(cost for cost in costs if cost is not None)
    return replace(
        made,
        raw=texts[0] if len(texts) == 1 else orjson.dumps(texts).decode() if texts else "",
        prompt_tokens=before.prompt_tokens + made.prompt_tokens,
        completion_tokens=before.completion_tokens + made.completion_tokens,
        cached_tokens=before.cached_tokens + made.cached_tokens,
        cost_usd=cost,
        estimated_usd=before.spent_usd + made.spent_usd if cost is None else None,
        latency_s=before.latency_s + made.latency_s,
        attempts=before.attempts + made.attempts,
    )


def _texts(raw: str) -> list[str]:
    """The answers that a judgement keeps: one as it is, several as a list in JSON."""
    try:
        found = orjson.loads(raw)
    except orjson.JSONDecodeError:
        found = None
    if isinstance(found, list) and all(isinstance(text, str) for text in found):
        return found
    return [raw] if raw else []


def _status(voices: Mapping[str, Judgement]) -> Status:
    found = {made.status for made in voices.values()}
    return found.pop() if len(found) == 1 else "no_majority"


def _reasons(voices: Mapping[str, Judgement]) -> str:
    """Why those without scores have none."""
    return "; ".join(f"{name}: {made.status}" for name, made in voices.items() if made.status != "scored")


def _distance(scores: Mapping[str, int], others: Mapping[str, int]) -> int:
    return sum(abs(scores[name] - others[name]) for name in others)


def _expected(criteria: Sequence[str], scored: Sequence[Judgement]) -> dict[str, Expected]:
    """The mean of the expected scores; none unless every one of them has one."""
    made = {}
    for name in criteria:
        given = [one.expected[name] for one in scored if name in one.expected]
        values = [one.score for one in given if one.score is not None]
        if given and len(values) == len(scored):
            made[name] = Expected(statistics.fmean(values))
        elif given:
            made[name] = Expected(None, next((one.reason for one in given if one.reason), "not all have one"))
    return made
