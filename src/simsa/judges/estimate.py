"""What a call will take, before anything is known of it but its text."""

from __future__ import annotations

from simsa.config import JudgeConfig
from simsa.endpoints import cost
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
