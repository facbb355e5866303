"""Token probabilities in the format of OpenAI and vLLM."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def split(text: str) -> list[str | bytes]:
    """Words, spaces with the word behind them, and every digit and mark by itself."""
    return list(re.findall(r" ?[^\W\d]+|\d|\s|.", text, re.DOTALL))


def certain(token: str) -> Mapping[str, float]:
    return {token: 1.0}


def given(
    tokens: Sequence[str | bytes], doubt: Callable[[str], Mapping[str, float]], most: int
) -> dict[str, Any]:
    """`choices[0].logprobs`: each token with the `most` likely ones that could have stood there."""
    return {"content": [_one(token, doubt, most) for token in tokens], "refusal": None}


def _one(token: str | bytes, doubt: Callable[[str], Mapping[str, float]], most: int) -> dict[str, Any]:
    if isinstance(token, bytes):  # a piece of a character: OpenAI spells it out and gives its bytes
        spelt = "bytes:" + "".join(f"\\x{byte:02x}" for byte in token)
        return {"token": spelt, "bytes": list(token), "logprob": 0.0, "top_logprobs": []}
    likely = sorted(doubt(token).items(), key=lambda pair: -pair[1])[:most]
    own = doubt(token).get(token, 1.0)
    return _entry(token, own) | {"top_logprobs": [_entry(other, p) for other, p in likely]}


def _entry(token: str, p: float) -> dict[str, Any]:
    return {"token": token, "logprob": math.log(p) if p else -9999.0, "bytes": list(token.encode())}
