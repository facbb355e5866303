"""What a call will take, before anything is known of it but its text."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from simsa.config import JudgeConfig
from simsa.endpoints import cost
from simsa.judges.base import Judge, JudgeRequest
from simsa.judges.llm import price_of

# Tokens a character, roughly, for tokenizers of the size of GPT-4o's: Hangul and other
# wide scripts, and everything else.
_PER_WIDE, _PER_OTHER = 0.7, 0.27
ANSWER_TOKENS = 160
"""Tokens of a verdict with its analysis."""


def tokens(text: str) -> float:
    wide = sum(1 for ch in text if ord(ch) > 0x2E7F)
    return wide * _PER_WIDE + (len(text) - wide) * _PER_OTHER


def usd(config: JudgeConfig, text: str) -> float | None:
    """The cost of one call that says `text`; None without a price."""
    prompt = round(tokens(text))
    full = cost(config.model, prompt, 0, ANSWER_TOKENS, price_of(config))
    return None if full is None else full * config.price_share


class Expense(NamedTuple):
    """Expected calls, tokens (from characters) and cost; `cost_usd` is None where a price is not known."""

    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None

    def plus(self, other: Expense) -> Expense:
        known = self.cost_usd is not None and other.cost_usd is not None
        return Expense(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            (self.cost_usd or 0.0) + (other.cost_usd or 0.0) if known else None,
        )


NOTHING = Expense(0, 0, 0, 0.0)


def expense(
    judge: Judge, config: JudgeConfig, requests: Iterable[JudgeRequest], known: Collection[str] = ()
) -> Expense:
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
                text = judge.prompt_text(call)
                price = usd(config.each.get(call.member, config), text)
                total = total.plus(Expense(1, round(tokens(text)), ANSWER_TOKENS, price))
        seen.add(request.request_hash)
    return total
