"""What calls cost: one dated table, which the user can overrule.

How many tokens a text has, roughly, where nobody counts them for us.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

import orjson

_SNAPSHOT = re.compile(r"-\d{4}-\d{2}-\d{2}$")


class Price(NamedTuple):
    """USD per million tokens: prompt tokens, those of them read from a cache, completion tokens."""

    input: float
    cached: float
    output: float
    as_of: str | None = None
    """Year and month in which it was last seen."""


def price(model: str) -> Price | None:
    """The last seen price of a model or dated snapshot of it (`gpt-4o-2024-08-06`); None: not known."""
    table = _table()
    entry = table.get(model) or table.get(family(model))
    return None if entry is None else Price(entry["input"], entry["cached"], entry["output"], entry["as_of"])


def cost(
    model: str, prompt: int, cached: int, completion: int, override: Price | None = None
) -> float | None:
    """USD for `prompt` tokens, of which `cached` came from a cache, and `completion` tokens.

    None when the price is not known.
    """
    each = override or price(model)
    if each is None:
        return None
    read = min(cached, prompt)
    return ((prompt - read) * each.input + read * each.cached + completion * each.output) / 1e6


def family(model: str) -> str:
    """A snapshot's model: `gpt-4o-2024-08-06` is a `gpt-4o`."""
    return _SNAPSHOT.sub("", model)


@cache
def _table() -> dict[str, Any]:
    text = resources.files("simsa.llm").joinpath("prices.json").read_bytes()
    found: dict[str, Any] = orjson.loads(text)["models"]
    return found


# Tokens a character, roughly, for tokenizers of the size of GPT-4o's: Hangul and other
# wide scripts, and everything else.
_PER_WIDE, _PER_OTHER = 0.7, 0.27


def tokens(text: str) -> float:
    """An estimate from the characters of `text`."""
    # Of UTF-8 a wide letter takes two bytes more than one, and what lies between, as Cyrillic, one:
    # half as wide, which is about what it costs. Counted like this it takes no time for each letter.
    wide = (len(text.encode("utf-8", "surrogatepass")) - len(text)) / 2
    return wide * _PER_WIDE + (len(text) - wide) * _PER_OTHER
