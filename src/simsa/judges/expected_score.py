"""What a score is worth by the judge's own token probabilities, beside the integer that it wrote."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from simsa.records import MAX_SCORE, Expected
from simsa.rubrics import score_offsets

ALTERNATIVES = 20
"""How many tokens to ask for at each place; more is taken nowhere."""
ENOUGH = 0.95
"""The probability that the five scores must have together."""
NOT_GIVEN = "the endpoint gives no token probabilities"
NOT_SPELT = "the tokens do not spell the answer"
NOT_ENOUGH = f"the scores have less than {ENOUGH} of the probability"

# A score within a token: what leads to it, the digit, and nothing behind it that makes it another number.
_SCORE = re.compile(rb"([^0-9]*)([1-5])(?![0-9.eE])")
_LOOSE = re.compile(rb'[\s"]+')
_UNSEEN_TOKENS = 3


def expected_scores(text: str, logprobs: Any, scores: Mapping[str, int]) -> dict[str, Expected]:
    """Σ k·p(k) / Σ p(k) over the scores k at the place of each of `scores` in `text`.

    `logprobs` is a choice's, as OpenAI and vLLM give it. The place is that of the key's own
    value, never that of the first digit. No expectation, but the reason, where the scores
    have less than 0.95 of the probability there (the rest wanted to write something else).
    """
    tokens = _tokens(logprobs)
    if not tokens:
        return dict.fromkeys(scores, Expected(None, NOT_GIVEN))
    places = score_offsets(text, scores)
    spans = _spans([_bytes(token) for token in tokens], text.encode("utf-8", "replace"))
    found = {}
    for name in scores:
        at = len(text[: places[name]].encode("utf-8", "replace")) if name in places else -1
        here = next((n for n, (start, end) in spans.items() if start <= at < end), None)
        found[name] = Expected(None, NOT_SPELT) if here is None else _at(tokens[here], at - spans[here][0])
    return found


def _at(token: Mapping[str, Any], offset: int) -> Expected:
    """The expectation over what could have stood in place of `token`, whose score is at `offset`."""
    lead = _bare(_bytes(token)[:offset])
    shares = dict.fromkeys(range(1, MAX_SCORE + 1), 0.0)
    for spelt, p in _alternatives(token):
        score = _SCORE.match(spelt)
        if score and _bare(score[1]) == lead:
            shares[int(score[2])] += p
    whole = math.fsum(shares.values())
    if whole < ENOUGH:
        return Expected(None, NOT_ENOUGH)
    return Expected(math.fsum(k * p for k, p in shares.items()) / whole)


def _alternatives(token: Mapping[str, Any]) -> Iterator[tuple[bytes, float]]:
    """Every token that could have stood here, once, with its probability; the one that does among them."""
    seen = set()
    for one in (*_list(token.get("top_logprobs")), token):
        spelt, logprob = _bytes(one), one.get("logprob")
        if spelt not in seen and isinstance(logprob, int | float) and logprob <= 0:
            seen.add(spelt)
            yield spelt, math.exp(logprob)


def _spans(tokens: Sequence[bytes], text: bytes) -> dict[int, tuple[int, int]]:
    """Token → where it stands in `text`, in bytes, from the end on as far as tokens and text agree.

    The scores stand last. Before them there may be reasoning that is not part of the text,
    or pieces of characters that an endpoint cannot spell; after them tokens that end an answer.
    """
    last = len(tokens)
    while last and not (tokens[last - 1] and text.endswith(tokens[last - 1])):
        last -= 1
        if len(tokens) - last > _UNSEEN_TOKENS:
            return {}
    found, end = {}, len(text)
    for n in range(last - 1, -1, -1):
        if not text.endswith(tokens[n], 0, end):
            break
        found[n] = (end - len(tokens[n]), end)
        end -= len(tokens[n])
    return found


def _tokens(logprobs: Any) -> list[Mapping[str, Any]]:
    return _list(logprobs.get("content")) if isinstance(logprobs, Mapping) else []


def _list(found: Any) -> list[Mapping[str, Any]]:
    """The tokens of a list; none of what is no list."""
    return [token for token in found if isinstance(token, Mapping)] if isinstance(found, list) else []


def _bytes(token: Mapping[str, Any]) -> bytes:
    """A token's bytes; those of its text where they are not given."""
    given = token.get("bytes")
    if isinstance(given, list) and all(isinstance(byte, int) and 0 <= byte < 256 for byte in given):
        return bytes(given)
    return str(token.get("token") or "").encode("utf-8", "replace")


def _bare(lead: bytes) -> bytes:
    return _LOOSE.sub(b"", lead)
