"""Prices of models from one dated table, which the user can override, and estimates of token counts."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

import orjson

_SNAPSHOT = re.compile(r"-\d{4}-\d{2}-\d{2}$")
# Tokens per character of Hangul and other wide scripts, and of all other text.
_TOKENS_PER_WIDE, _TOKENS_PER_OTHER = 0.7, 0.27


class Price(NamedTuple):
    """USD per million prompt tokens, cached prompt tokens and completion tokens."""

    input: float
    cached: float
    output: float
    as_of: str | None = None
    """The year and month in which the price was last checked; None for a price of the user's."""


def price(model: str) -> Price | None:
    """The price of a model or of a dated snapshot of it (`gpt-4o-2024-08-06`); None if it is unknown."""
    table = _table()
    entry = table.get(model) or table.get(family(model))
    return None if entry is None else Price(entry["input"], entry["cached"], entry["output"], entry["as_of"])


def cost(
    model: str, prompt: int, cached: int, completion: int, override: Price | None = None
) -> float | None:
    """The cost in USD of `prompt` tokens (`cached` of them from a cache) and `completion` tokens.

    `override` replaces the price in the table. None if the price is unknown.
    """
    usd = override or price(model)
    if usd is None:
        return None
    cached = min(cached, prompt)
    return ((prompt - cached) * usd.input + cached * usd.cached + completion * usd.output) / 1e6


def family(model: str) -> str:
    """The model of a dated snapshot: `gpt-4o` for `gpt-4o-2024-08-06`."""
    return _SNAPSHOT.sub("", model)


@cache
def _table() -> dict[str, Any]:
    text = resources.files("simsa.llm").joinpath("prices.json").read_bytes()
    found: dict[str, Any] = orjson.loads(text)["models"]
    return found


def tokens(text: str) -> float:
    """Estimates the number of tokens in `text` for a tokenizer of the size of GPT-4o's."""
    # A Hangul character takes two extra bytes in UTF-8 and a Cyrillic one takes one, which matches their cost
    # in tokens. Counting bytes needs no loop over the characters.
    wide = (len(text.encode("utf-8", "surrogatepass")) - len(text)) / 2
    return wide * _TOKENS_PER_WIDE + (len(text) - wide) * _TOKENS_PER_OTHER
