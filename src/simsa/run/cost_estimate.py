"""What judging is expected to take, before anything is spent."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Any

from simsa.config import Config
from simsa.errors import SimsaError
from simsa.judges import Judge, JudgeRequest
from simsa.judges.cost import NOTHING, CostEstimate, price_of
from simsa.llm import price
from simsa.records import Question
from simsa.store import TRANSIENT, Store, results
from simsa.store.batches import BatchTable

_ROWS = 200


@dataclass(frozen=True, slots=True)
class RunEstimate:
    """What judging is expected to take. Tokens are estimated from characters; `cost_usd` is None without a price.

    `prices_as_of` is the month of the oldest price from simsa's own table; None: no price is from there.
    `judges` has the share of each member of a panel, `parts` that of each part of a verdict, `criteria` that
    of each criterion: the cost of one call is divided evenly among its criteria.
    """

    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None
    prices_as_of: str | None
    judges: Mapping[str, CostEstimate] = field(default_factory=dict)
    parts: Mapping[str, CostEstimate] = field(default_factory=dict)
    criteria: Mapping[str, float | None] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        names = ("calls", "prompt_tokens", "completion_tokens", "cost_usd", "prices_as_of")
        shares = {"judges": self.judges, "parts": self.parts}
        found = {kind: {name: share.to_dict() for name, share in one.items()} for kind, one in shares.items()}
        return {name: getattr(self, name) for name in names} | found | {"criteria_usd": dict(self.criteria)}


def estimate_requests(
    judge: Judge, requests: Iterable[JudgeRequest], store: Store | None = None, known: Collection[str] = ()
) -> CostEstimate:
    """What the calls of `requests` are expected to take.

    Requests in `known` are judged already, and identical calls are made once. Repeats and members of a panel
    are calls of their own, each at its judge's price.
    """
    calls = {c.request_hash: c for request in requests for c in missing_calls(judge, request, store, known)}
    return _sum(judge.estimate(call) for call in calls.values())


def missing_calls(
    judge: Judge, request: JudgeRequest, store: Store | None, known: Collection[str]
) -> Iterator[JudgeRequest]:
    """The calls that a judging session would make for `request`."""
    if request.request_hash in known:
        return
    if request.sub_requests:
        for sub_request in request.sub_requests.values():
            yield from missing_calls(judge, sub_request, store, known)
        return
    hashes = request.criterion_hashes
    cached = store.cached_criteria(list(hashes.values())) if store and hashes else {}
    missing = tuple(name for name in request.criteria if hashes.get(name) not in cached)
    if not cached:
        yield request
    elif missing:
        yield from missing_calls(judge, judge.restrict_to(request, missing), store, known)


def estimate_run(config: Config, folder: Path, judge: Judge, questions: list[Question]) -> RunEstimate:
    """What the judging that the run in `folder` lacks is expected to take, from a sample of the questions.

    Answers that are not generated yet are assumed to equal the reference.
    """
    if config.judge is None or judge.is_local:
        return RunEstimate(0, 0, 0, 0.0, None)
    sample = questions[:: max(1, len(questions) // _ROWS)]
    answers = [
        (variant.name, n)
        for variant in config.variants
        for n in range(1 if variant.predictions else config.generation.samples)
    ]
    shares: dict[tuple[str, str], CostEstimate] = defaultdict(lambda: NOTHING)
    criteria: dict[str, CostEstimate] = defaultdict(lambda: NOTHING)
    scale = len(questions) / len(sample)
    with contextlib.ExitStack() as opened:
        store = None
        with contextlib.suppress(SimsaError):
            store = opened.enter_context(Store.read(folder))
        known = store.judged_requests(TRANSIENT) | BatchTable(store).under_way() if store else set()
        for question in sample:
            calls: dict[str, JudgeRequest] = {}
            for answer in _answers(store, question, answers):
                for request in judge.requests(question, answer):
                    calls |= {c.request_hash: c for c in missing_calls(judge, request, store, known)}
            for call in calls.values():
                one = judge.estimate(call)
                key = call.member or config.judge.model, call.part
                shares[key] = shares[key].plus(one)
                names = call.criteria or (call.part,)
                for name in names:
                    criteria[name] = criteria[name].plus(
                        one._replace(cost_usd=_times(one.cost_usd, 1 / len(names)))
                    )
    by_judge: dict[str, CostEstimate] = defaultdict(lambda: NOTHING)
    by_part: dict[str, CostEstimate] = defaultdict(lambda: NOTHING)
    for (name, part), share in shares.items():
        by_judge[name] = by_judge[name].plus(share.scaled(scale))
        by_part[part] = by_part[part].plus(share.scaled(scale))
    prices = [price_of(one) or price(one.model) for one in config.judge.each.values()]
    dates = [one.as_of for one in prices if one and one.as_of]
    return RunEstimate(
        *_sum(by_part.values()),
        min(dates, default=None),
        by_judge,
        by_part,
        {name: _times(share.cost_usd, scale) for name, share in criteria.items()},
    )


def _sum(estimates: Iterable[CostEstimate]) -> CostEstimate:
    return reduce(CostEstimate.plus, estimates, NOTHING)


def _times(usd: float | None, factor: float) -> float | None:
    return None if usd is None else usd * factor


def _answers(store: Store | None, question: Question, wanted: list[tuple[str, int]]) -> list[str]:
    """Every variant's answers; the assumed ones differ from each other, as answers do."""
    found = results(store, question_id=question.id, sample=None) if store else ()
    given = {(r.variant, r.sample): r.prediction for r in found}
    reference = question.reference[0] if question.reference else ""
    answers = ((given.get(key), f"{reference}{' ' * n}") for n, key in enumerate(wanted))
    return [assumed if answer is None else answer for answer, assumed in answers]
