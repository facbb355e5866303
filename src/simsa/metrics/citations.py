"""Which passages an answer cites: `[[ref1]]`, `[1]`, `[[ref1]], [[ref5]]`, `[[ref1, ref2]]`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

# A bare number has up to three digits: `[2023]` is a year, not a passage.
_NUMBER = r"(?:ref\s?\d{1,9}|\d{1,3})"
_LIST = rf"{_NUMBER}(?:\s?[,;]\s?{_NUMBER})*"
_MARKER = re.compile(rf"\[\[\s?({_LIST})\s?\]\]|\[\s?({_LIST})\s?\]", re.I)
_DIGITS = re.compile(r"\d+")
_BETWEEN = " ,;\t\n"


def parse_citations(text: str) -> list[int]:
    """Passage numbers that `text` cites, each once, in order of appearance."""
    markers = (marker[1] or marker[2] for marker in _MARKER.finditer(text))
    return list(dict.fromkeys(int(number) for marker in markers for number in _DIGITS.findall(marker)))


def strip_citations(text: str) -> str:
    """`text` without its citation markers, nor the spaces before them and the commas between them."""
    kept: list[str] = []
    end = 0
    for marker in _MARKER.finditer(text):
        before = text[end : marker.start()].rstrip()
        if not kept or before.strip(_BETWEEN):
            kept.append(before)
        end = marker.end()
    return ("".join(kept) + text[end:]).strip() if kept else text


class CitationScore(NamedTuple):
    """Citations against the expected ones; None where there is nothing to divide by.

    `precision` and `recall` are 0–1; `out_of_range` counts cited numbers that no passage has.
    """

    precision: float | None
    recall: float | None
    out_of_range: int | None


def citation_score(cited: Iterable[int], expected: Iterable[int], n_contexts: int | None) -> CitationScore:
    """Scores cited passage numbers, counted from 1, against the expected ones.

    Numbers outside 1…`n_contexts` are counted by themselves and left out of precision;
    `n_contexts` None means that the passages are not known, so nothing is out of range.
    Where no citation is expected there is neither precision nor recall.
    """
    given, wanted = set(cited), set(expected)
    valid = given if n_contexts is None else {number for number in given if 1 <= number <= n_contexts}
    right = len(valid & wanted)
    return CitationScore(
        precision=right / len(valid) if valid and wanted else None,
        recall=right / len(wanted) if wanted else None,
        out_of_range=None if n_contexts is None else len(given - valid),
    )
