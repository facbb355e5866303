"""Judgements combined from others: of a panel's members, of repeats, or of calls for some criteria each."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace

import orjson

from simsa.judges.conversation import join_replies
from simsa.judges.request import JudgeRequest
from simsa.records import Expected, Judgement


def merge_criteria(
    request: JudgeRequest, parts: Sequence[tuple[Sequence[str], Judgement]], rubric: str
) -> Judgement:
    """The judgement on a request from judgements that each have some of its criteria.

    Its status is that of the first part that is not scored; it has no scores then.
    """
    unscored = [made for _, made in parts if made.status != "scored"]
    return Judgement(
        request_hash=request.request_hash,
        judge=parts[0][1].judge,
        rubric=rubric,
        status=unscored[0].status if unscored else "scored",
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
    request: JudgeRequest, judge: str, rubric: str, judgements: Mapping[str, Judgement], *, named: bool
) -> Judgement:
    """The median of several judgements on the same request, criterion by criterion.

    Of an even number of scores it is the lower one of the two in the middle: an integer that some judge gave,
    and never higher than half of the scores. More than half of the judgements must have scores; otherwise the
    status is "no_majority", or the one that all share. `named` puts the name of each judgement before its
    analysis; otherwise the analysis is that of the judgement closest to the medians.
    """
    scored = {name: made for name, made in judgements.items() if made.status == "scored"}
    statuses = {made.status for made in judgements.values()}
    unscored = Judgement(
        request.request_hash,
        judge,
        rubric,
        statuses.pop() if len(statuses) == 1 else "no_majority",
        cost_usd=0.0,
        attempts=0,
        detail="; ".join(
            f"{name}: {made.status}" for name, made in judgements.items() if made.status != "scored"
        ),
    )
    if 2 * len(scored) <= len(judgements):
        return unscored
    scores = {
        name: statistics.median_low(made.scores[name] for made in scored.values())
        for name in request.criteria
    }
    if named:
        analysis = "\n".join(f"{name}: {made.analysis}" for name, made in scored.items() if made.analysis)
    else:
        analysis = min(scored.values(), key=lambda made: _distance(made.scores, scores)).analysis
    expected = _mean_expected(request.criteria, list(scored.values()))
    return replace(unscored, status="scored", scores=scores, analysis=analysis, expected=expected)


def merge_previous_usage(made: Judgement, before: Judgement) -> Judgement:
    """`made` with the replies and the usage of an earlier attempt at the same request, which was paid too."""
    costs = (before.cost_usd, made.cost_usd)
    cost = None if None in costs else sum(cost for cost in costs if cost is not None)
    return replace(
        made,
        raw=join_replies([*_replies(before.raw), *_replies(made.raw)]),
        prompt_tokens=before.prompt_tokens + made.prompt_tokens,
        completion_tokens=before.completion_tokens + made.completion_tokens,
        cached_tokens=before.cached_tokens + made.cached_tokens,
        cost_usd=cost,
        estimated_usd=before.spent_usd + made.spent_usd if cost is None else None,
        latency_s=before.latency_s + made.latency_s,
        attempts=before.attempts + made.attempts,
    )


def _replies(raw: str) -> list[str]:
    """The replies that a judgement stores: one as it is, several as a JSON list."""
    try:
        found = orjson.loads(raw)
    except orjson.JSONDecodeError:
        found = None
    if isinstance(found, list) and all(isinstance(text, str) for text in found):
        return found
    return [raw] if raw else []


def _distance(scores: Mapping[str, int], others: Mapping[str, int]) -> int:
    return sum(abs(scores[name] - others[name]) for name in others)


def _mean_expected(criteria: Sequence[str], scored: Sequence[Judgement]) -> dict[str, Expected]:
    """The mean of the expected scores of each criterion; a reason unless every judgement has one."""
    means = {}
    for name in criteria:
        given = [one.expected[name] for one in scored if name in one.expected]
        values = [one.score for one in given if one.score is not None]
        if given and len(values) == len(scored):
            means[name] = Expected(statistics.fmean(values))
        elif given:
            means[name] = Expected(
                None, next((one.reason for one in given if one.reason), "not all have one")
            )
    return means
