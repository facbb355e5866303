"""What a judge's call is expected to cost, from the characters of its text."""

from __future__ import annotations

from typing import Any, NamedTuple

from simsa.config import JudgeConfig
from simsa.llm import Price, cost
from simsa.llm.pricing import tokens

VERDICT_TOKENS = 160
"""Tokens of a verdict with its analysis."""
# A list repeats the answer claim by claim, with a quotation of the same length, in JSON.
_CLAIMS_TOKENS, _CLAIMS_TOKENS_PER_TOKEN = 40, 3.0


class CostEstimate(NamedTuple):
    """Expected calls, tokens (from characters) and cost; `cost_usd` is None where a price is not known."""

    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None

    def plus(self, other: CostEstimate) -> CostEstimate:
        """Both together."""
        known = self.cost_usd is not None and other.cost_usd is not None
        return CostEstimate(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            (self.cost_usd or 0.0) + (other.cost_usd or 0.0) if known else None,
        )

    def scaled(self, factor: float) -> CostEstimate:
        """The same for `factor` times as many calls."""
        usd = None if self.cost_usd is None else self.cost_usd * factor
        calls, prompt, completion = (round(n * factor) for n in self[:3])
        return CostEstimate(calls, prompt, completion, usd)

    def to_dict(self) -> dict[str, Any]:
        return self._asdict()


NOTHING = CostEstimate(0, 0, 0, 0.0)


def claims_tokens(prediction: str) -> int:
    """Expected tokens of the list of an answer's claims."""
    return round(_CLAIMS_TOKENS + _CLAIMS_TOKENS_PER_TOKEN * tokens(prediction))


def estimate_call(config: JudgeConfig, text: str, reply_tokens: int = VERDICT_TOKENS) -> CostEstimate:
    """One call that sends `text` and gets `reply_tokens` back; `config` is that of the judge that is asked."""
    prompt = round(tokens(text))
    full = cost(config.model, prompt, 0, reply_tokens, price_of(config))
    return CostEstimate(1, prompt, reply_tokens, None if full is None else full * config.price_share)


def price_of(config: JudgeConfig) -> Price | None:
    """The price that the config gives; None leaves it to the table of known prices."""
    given = config.price
    if given is None:
        return Price(0.0, 0.0, 0.0) if config.adapter else None
    return Price(given.input, given.input if given.cached is None else given.cached, given.output)
