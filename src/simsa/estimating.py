"""What judging would take, before anything is spent."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simsa.config import Config, JudgeConfig
from simsa.endpoints import cost
from simsa.errors import SimsaError
from simsa.judges import Judge, JudgeRequest
from simsa.judges.estimate import ANSWER_TOKENS, tokens
from simsa.judges.llm import price_of
from simsa.records import Question
from simsa.store import TRANSIENT, Store, results
from simsa.store.batches import Ledger

_ROWS = 200


@dataclass(frozen=True, slots=True)
class Share:
    """What one judge, or one part of the verdicts, would take. `cost_usd` is None without a price."""

    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """What judging would take. Tokens are estimated from characters; `cost_usd` is None without a price.

    `judges` has the share of each member of a panel, `parts` that of each part of a verdict.
    """

    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None
    prices_as_of: str | None
    judges: Mapping[str, Share] = field(default_factory=dict)
    parts: Mapping[str, Share] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        names = ("calls", "prompt_tokens", "completion_tokens", "cost_usd", "prices_as_of")
        shares = {"judges": self.judges, "parts": self.parts}
        return {name: getattr(self, name) for name in names} | {
            kind: {
                name: {key: getattr(share, key) for key in Share.__slots__} for name, share in found.items()
            }
            for kind, found in shares.items()
        }


def estimate(config: Config, folder: Path, judge: Judge, questions: list[Question]) -> Estimate:
    """Calls and tokens for what is not judged yet, from a sample of the rows.

    Answers that the run has are looked up with the judgements on them; for those still to
    come the reference stands in.
    """
    if config.judge is None or config.judge.is_local:
        return Estimate(0, 0, 0, 0.0, None)
    rows = questions[:: max(1, len(questions) // _ROWS)]
    names = [variant.name for variant in config.variants]
    asked: dict[tuple[str, str], list[float]] = {}
    with contextlib.ExitStack() as opened:
        store = _store(opened, folder)
        known = store.judged(TRANSIENT) | Ledger(store).under_way() if store else set()
        for question in rows:
            calls: dict[str, JudgeRequest] = {}
            for answer in _answers(store, question, names):
                for request in judge.requests(question, answer):
                    calls |= {call.request_hash: call for call in _open(request, known, store, judge)}
            for call in calls.values():
                of = asked.setdefault((call.member, call.part), [])
                of.append(tokens(judge.prompt_text(call)))
    return _sum(config.judge, asked, len(questions) / len(rows))


def _store(opened: contextlib.ExitStack, folder: Path) -> Store | None:
    try:
        return opened.enter_context(Store.read(folder))
    except SimsaError:
        return None


def _answers(store: Store | None, question: Question, variants: list[str]) -> list[str]:
    """Every variant's answer; one that is not there yet is a guess, different from the others."""
    given = {r.variant: r.prediction for r in results(store, question_id=question.id)} if store else {}
    guess = question.reference[0] if question.reference else ""
    said = ((given.get(name), f"{guess}{' ' * n}") for n, name in enumerate(variants))
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
    kept = store.standing(list(request.keys.values())) if store and request.keys else {}
    rest = tuple(name for name in request.criteria if request.keys.get(name) not in kept)
    if kept and rest:
        yield from _open(judge.narrowed(request, rest), known, store, judge)
    elif not kept:
        yield request


def _sum(config: JudgeConfig, asked: Mapping[tuple[str, str], list[float]], scale: float) -> Estimate:
    by_judge: dict[str, list[Share]] = {}
    by_part: dict[str, list[Share]] = {}
    for (member, part), prompts in asked.items():
        name, one = next((n, o) for n, o in config.each.items() if n == member or not member)
        share = _share(one, round(len(prompts) * scale), round(sum(prompts) * scale))
        by_judge.setdefault(name, []).append(share)
        by_part.setdefault(part, []).append(share)
    whole = _whole([share for shares in by_part.values() for share in shares])
    dates = [each.as_of for one in config.each.values() if (each := price_of(one))]
    return Estimate(
        whole.calls,
        whole.prompt_tokens,
        whole.completion_tokens,
        whole.cost_usd,
        dates[0] if dates else None,
        judges={name: _whole(shares) for name, shares in by_judge.items()},
        parts={name: _whole(shares) for name, shares in by_part.items()},
    )


def _share(config: JudgeConfig, calls: int, prompt: int) -> Share:
    completion = calls * ANSWER_TOKENS
    usd = cost(config.model, prompt, 0, completion, price_of(config))
    return Share(calls, prompt, completion, None if usd is None else usd * config.price_share)


def _whole(shares: list[Share]) -> Share:
    costs = [share.cost_usd for share in shares if share.cost_usd is not None]
    return Share(
        calls=sum(share.calls for share in shares),
        prompt_tokens=sum(share.prompt_tokens for share in shares),
        completion_tokens=sum(share.completion_tokens for share in shares),
        cost_usd=sum(costs) if len(costs) == len(shares) else None,
    )
