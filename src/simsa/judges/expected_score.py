"""Expected scores: the mean of the possible scores, weighted by the judge's token probabilities."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from simsa.records import Criteria, Expected
from simsa.rubrics import score_offsets

ALTERNATIVES = 20
"""How many alternatives to request for each token: the most that endpoints accept."""
ENOUGH = 0.95
"""The probability that the possible scores must have together."""
NOT_GIVEN = "the endpoint gives no token probabilities"
NOT_SPELT = "the tokens do not spell the answer"
NOT_ENOUGH = f"the scores have less than {ENOUGH} of the probability"
OTHER_SCALE = "expected scores need a scale within 0-9"

# A score within a token: what precedes it, the digit, and nothing after it that makes it another number.
_SCORE = re.compile(rb"([^0-9]*)([0-9])(?![0-9.eE])")
_LOOSE = re.compile(rb'[\s"]+')
_UNSEEN_TOKENS = 3


def expected_scores(
    text: str, logprobs: Any, scores: Mapping[str, int], criteria: Criteria
) -> dict[str, Expected]:
    """Σ k·p(k) / Σ p(k) over the possible scores k, where each of `scores` is written in `text`.

    `logprobs` are those of a choice in the format of OpenAI and vLLM. The position is that of the value of the
    criterion's key, never that of the first digit. There is a reason in place of an expectation where the
    possible scores have less than 0.95 of the probability, and on a scale that is not within 0–9.
    """
    tokens = _tokens(logprobs)
    if not tokens:
        return dict.fromkeys(scores, Expected(None, NOT_GIVEN))
    offsets = score_offsets(text, scores)
    spans = _spans([_bytes(token) for token in tokens], text.encode("utf-8", "replace"))
    found = {}
    for name in scores:
        criterion = criteria.named(name)
        at = len(text[: offsets[name]].encode("utf-8", "replace")) if name in offsets else -1
        here = next((n for n, (start, end) in spans.items() if start <= at < end), None)
        if criterion is None or criterion.low < 0 or criterion.high > 9:
            found[name] = Expected(None, OTHER_SCALE)
        elif here is None:
            found[name] = Expected(None, NOT_SPELT)
        else:
            found[name] = _expectation(tokens[here], at - spans[here][0], criterion.levels)
    return found


def _expectation(token: Mapping[str, Any], offset: int, levels: Collection[int]) -> Expected:
    """The expectation over the alternatives to `token`, which has its score at `offset`."""
    lead = _bare(_bytes(token)[:offset])
    shares = dict.fromkeys(levels, 0.0)
    for spelt, p in _alternatives(token):
        score = _SCORE.match(spelt)
        if score and int(score[2]) in shares and _bare(score[1]) == lead:
            shares[int(score[2])] += p
    whole = math.fsum(shares.values())
    if whole < ENOUGH:
        return Expected(None, NOT_ENOUGH)
    return Expected(math.fsum(k * p for k, p in shares.items()) / whole)


def _alternatives(token: Mapping[str, Any]) -> Iterator[tuple[bytes, float]]:
    """Every alternative to `token` and the token itself, each once, with its probability."""
    seen = set()
    for one in (*_list(token.get("top_logprobs")), token):
        spelt, logprob = _bytes(one), one.get("logprob")
        if spelt not in seen and isinstance(logprob, int | float) and logprob <= 0:
            seen.add(spelt)
            yield spelt, math.exp(logprob)


def _spans(tokens: Sequence[bytes], text: bytes) -> dict[int, tuple[int, int]]:
    """Token number → its span in `text`, in bytes, from the end backwards as far as tokens and text agree.

    The scores are at the end. Before them there may be reasoning that is not part of the text, or parts of
    characters that an endpoint cannot spell; after them there may be end-of-sequence tokens.
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
    """The tokens of a list; empty for anything else."""
    return [token for token in found if isinstance(token, Mapping)] if isinstance(found, list) else []


def _bytes(token: Mapping[str, Any]) -> bytes:
    """The bytes of a token; those of its text where they are not given."""
    given = token.get("bytes")
    if isinstance(given, list) and all(isinstance(byte, int) and 0 <= byte < 256 for byte in given):
        return bytes(given)
    return str(token.get("token") or "").encode("utf-8", "replace")


def _bare(lead: bytes) -> bytes:
    return _LOOSE.sub(b"", lead)
