"""What judging would take, before anything is spent."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simsa.config import Config, JudgeConfig
from simsa.errors import SimsaError
from simsa.judges import Judge, JudgeRequest
from simsa.judges.cost import NOTHING, CostEstimate, answer_tokens, of_call, whole
from simsa.judges.llm import price_of
from simsa.llm import price
from simsa.records import Question
from simsa.store import TRANSIENT, Store, results
from simsa.store.batches import BatchTable

_ROWS = 200


@dataclass(frozen=True, slots=True)
class RunEstimate:
    """What judging would take. Tokens are estimated from characters; `cost_usd` is None without a price.

    `prices_as_of` is the month in which the oldest price of simsa's own table was seen; None: none of it was used.
    `judges` has the share of each member of a panel, `parts` that of each part of a verdict, `criteria` that of
    each criterion: what is asked for together is divided evenly.
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


def estimate_run(config: Config, folder: Path, judge: Judge, questions: list[Question]) -> RunEstimate:
    """Calls and tokens for what is not judged yet, from a sample of the rows.

    Answers that the run has are looked up with the judgements on them; for those still to
    come the reference stands in.
    """
    if config.judge is None or config.judge.is_local:
        return RunEstimate(0, 0, 0, 0.0, None)
    rows = questions[:: max(1, len(questions) // _ROWS)]
    names = [
        (variant.name, n)
        for variant in config.variants
        for n in range(1 if variant.predictions else config.generation.samples)
    ]
    asked: dict[tuple[str, str], CostEstimate] = {}
    criteria: dict[str, float | None] = {}
    with contextlib.ExitStack() as opened:
        store = _store(opened, folder)
        known = store.judged_requests(TRANSIENT) | BatchTable(store).under_way() if store else set()
        for question in rows:
            calls: dict[str, JudgeRequest] = {}
            for answer in _answers(store, question, names):
                for request in judge.requests(question, answer):
                    calls |= {call.request_hash: call for call in _open(request, known, store, judge)}
            for call in calls.values():
                one = of_call(_asked(config.judge, call), judge.prompt_text(call), answer_tokens(call))
                key = call.member, call.part
                asked[key] = asked.get(key, NOTHING).plus(one)
                parts = call.criteria or (call.part,)
                for name in parts:
                    criteria[name] = _plus(criteria.get(name, 0.0), one.cost_usd, 1 / len(parts))
    scale = len(questions) / len(rows)
    return _sum(
        config.judge,
        {key: found.scaled(scale) for key, found in asked.items()},
        {name: _plus(0.0, usd, scale) for name, usd in criteria.items()},
    )


def _asked(config: JudgeConfig, call: JudgeRequest) -> JudgeConfig:
    """Who is asked by a call."""
    return config.each[call.member] if call.member else config


def _plus(so_far: float | None, usd: float | None, share: float) -> float | None:
    return None if so_far is None or usd is None else so_far + usd * share


def _store(opened: contextlib.ExitStack, folder: Path) -> Store | None:
    try:
        return opened.enter_context(Store.read(folder))
    except SimsaError:
        return None


def _answers(store: Store | None, question: Question, wanted: list[tuple[str, int]]) -> list[str]:
    """Every variant's answers; one that is not there yet is a guess, different from the others."""
    found = results(store, question_id=question.id, sample=None) if store else ()
    given = {(r.variant, r.sample): r.prediction for r in found}
    guess = question.reference[0] if question.reference else ""
    said = ((given.get(key), f"{guess}{' ' * n}") for n, key in enumerate(wanted))
    return [guessed if answer is None else answer for answer, guessed in said]


def _open(
    request: JudgeRequest, known: set[str], store: Store | None, judge: Judge
) -> Iterator[JudgeRequest]:
    """The calls of a request that a run would make."""
    if request.request_hash in known:
        return
    for voice in request.voices.values():
        yield from _open(voice, known, store, judge)
    if request.voices:
        return
    kept = store.cached_criteria(list(request.keys.values())) if store and request.keys else {}
    rest = tuple(name for name in request.criteria if request.keys.get(name) not in kept)
    if kept and rest:
        yield from _open(judge.narrowed(request, rest), known, store, judge)
    elif not kept:
        yield request


def _sum(
    config: JudgeConfig, asked: Mapping[tuple[str, str], CostEstimate], criteria: Mapping[str, float | None]
) -> RunEstimate:
    judges: dict[str, CostEstimate] = {}
    parts: dict[str, CostEstimate] = {}
    for (member, part), share in asked.items():
        name = member or config.model
        judges[name] = judges.get(name, NOTHING).plus(share)
        parts[part] = parts.get(part, NOTHING).plus(share)
    used = [price_of(one) or price(one.model) for one in config.each.values()]
    dates = [one.as_of for one in used if one and one.as_of]
    return RunEstimate(*whole(parts.values()), min(dates, default=None), judges, parts, criteria)
