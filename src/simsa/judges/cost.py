"""What a call will take, before anything is known of it but its text."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import reduce
from typing import Any, NamedTuple

from simsa.config import JudgeConfig
from simsa.judges.base import Judge, JudgeRequest
from simsa.judges.llm import price_of
from simsa.llm import cost
from simsa.llm.pricing import tokens
from simsa.records import CLAIMS

ANSWER_TOKENS = 160
"""Tokens of a verdict with its analysis."""
# A list says the answer again claim by claim, with a quotation as long as it, in a frame of JSON.
_LIST_TOKENS, _LIST_TOKENS_PER_TOKEN = 40, 3.0


class CostEstimate(NamedTuple):
    """Expected calls, tokens (from characters) and cost; `cost_usd` is None where a price is not known."""

    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None

    def plus(self, other: CostEstimate) -> CostEstimate:
        known = self.cost_usd is not None and other.cost_usd is not None
        return CostEstimate(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            (self.cost_usd or 0.0) + (other.cost_usd or 0.0) if known else None,
        )

    def scaled(self, factor: float) -> CostEstimate:
        """The same of so many times as many calls."""
        usd = None if self.cost_usd is None else self.cost_usd * factor
        calls, prompt, completion = (round(n * factor) for n in self[:3])
        return CostEstimate(calls, prompt, completion, usd)

    def to_dict(self) -> dict[str, Any]:
        return self._asdict()


NOTHING = CostEstimate(0, 0, 0, 0.0)


def answer_tokens(request: JudgeRequest) -> int:
    """About how many tokens the answer to `request` has: a verdict, or a list of claims."""
    if request.part != CLAIMS:
        return ANSWER_TOKENS
    return round(_LIST_TOKENS + _LIST_TOKENS_PER_TOKEN * tokens(request.prediction or ""))


def of_call(config: JudgeConfig, text: str, answer: int = ANSWER_TOKENS) -> CostEstimate:
    """One call that says `text` and is answered by `answer` tokens; `config` is that of the judge that is asked."""
    prompt = round(tokens(text))
    full = cost(config.model, prompt, 0, answer, price_of(config))
    return CostEstimate(1, prompt, answer, None if full is None else full * config.price_share)


def whole(parts: Iterable[CostEstimate]) -> CostEstimate:
    """All of them together."""
    return reduce(CostEstimate.plus, parts, NOTHING)


def cost_estimate(
    judge: Judge, config: JudgeConfig, requests: Iterable[JudgeRequest], known: Collection[str] = ()
) -> CostEstimate:
    """What the calls of `requests` will take; those in `known` are on file, and identical ones are asked once.

    Repeats and members of a panel are calls of their own, each at its judge's price.
    """
    total = NOTHING
    if config.is_local:
        return total
    seen = set(known)
    for request in requests:
        if request.request_hash in seen:
            continue
        for call in request.calls():
            if call.request_hash not in seen:
                seen.add(call.request_hash)
                asked = config.each.get(call.member, config)
                total = total.plus(of_call(asked, judge.prompt_text(call), answer_tokens(call)))
        seen.add(request.request_hash)
    return total
