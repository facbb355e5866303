"""Where in an answer the scores of its verdict stand."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

_OPENING = re.compile(r'\{\s*"')
_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder(strict=False)


def score_places(text: str, scores: Mapping[str, int]) -> dict[str, int]:
    """Criterion → the offset in `text` of the digit that is its score, found by its key.

    `scores` is the verdict that was read from `text`; it is looked for in the last object
    that gives it. A score that is not written as its digit has no place.
    """
    start = _verdict_at(text, scores)
    if start is None:
        return {}
    found: dict[str, int] = {}
    for key, first, end in _members(text, start):
        if key in scores:
            digit = next((at for at in range(first, end) if text[at].isdigit()), -1)
            if digit >= 0 and text[digit] == str(scores[key]):
                found[key] = digit
            else:
                found.pop(key, None)
    return found


def _verdict_at(text: str, scores: Mapping[str, int]) -> int | None:
    """Where the last object begins that has all of `scores`."""
    last, position = None, 0
    while opening := _OPENING.search(text, position):
        try:
            value, end = _DECODER.raw_decode(text, opening.start())
        except (ValueError, RecursionError):
            position = opening.end()
            continue
        if all(str(value.get(name)).strip() in (str(score), f"{score}.0") for name, score in scores.items()):
            last = opening.start()
        position = end
    return last


def _members(text: str, start: int) -> Iterator[tuple[str, int, int]]:
    """Key, beginning and end of each value of the object, known to be valid, that begins at `start`."""
    at = _skip(text, start + 1)
    while text[at] == '"':
        key, at = _DECODER.raw_decode(text, at)
        first = _skip(text, _skip(text, at) + 1)
        _, end = _DECODER.raw_decode(text, first)
        yield key, first, end
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at
