"""Kinder figures for generated answers, under names of their own.

A model that answers in whole sentences gets an exact match of nearly nothing by the
official scripts. Here citations are removed, Unicode is composed (NFC), particles
and a closing copula (서울은, 서울입니다) are stripped by Kiwi, punctuation and
spaces do not count. What is left shows whether the words are right.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from simsa.metrics.citations import strip_citations
from simsa.metrics.korquad import character_f1
from simsa.metrics.morphology import Morpheme, analyse, clean

# The point of a decimal number is not punctuation.
_PUNCTUATION = re.compile(r"(?<!\d)[.]|[.](?!\d)|[^\w.+$€₩°℃]|_")


def exact_match(prediction: str, references: Iterable[str]) -> float | None:
    """1.0 when the bare prediction equals a bare reference, else 0.0; None without references."""
    said, *expected = bare_forms([prediction, *references])
    return exact_match_of(said, expected)


def f1(prediction: str, references: Iterable[str]) -> float | None:
    """Best character F1 between bare prediction and bare references, 0–1; None without references."""
    said, *expected = bare_forms([prediction, *references])
    return f1_of(said, expected)


def contains(prediction: str, references: Iterable[str]) -> float | None:
    """1.0 when the bare prediction contains a bare reference, else 0.0; None without a reference that says something.

    A reference that begins or ends in a digit is not found inside a longer number.
    """
    said, *expected = bare_forms([prediction, *references])
    return contains_of(said, expected)


def exact_match_of(said: str, expected: Iterable[str]) -> float | None:
    return max((float(said == one) for one in expected), default=None)


def f1_of(said: str, expected: Iterable[str]) -> float | None:
    return max((character_f1(said, one) for one in expected), default=None)


def contains_of(said: str, expected: Iterable[str]) -> float | None:
    return max((float(_holds(said, one)) for one in expected if one), default=None)


def bare_forms(texts: Iterable[str]) -> list[str]:
    """The bare form of each text, analysed in one batch."""
    stripped = [clean(strip_citations(text)) for text in texts]
    return [bare(text, found) for text, found in zip(stripped, analyse(stripped), strict=True)]


def bare(text: str, found: Sequence[Morpheme]) -> str:
    """`text` (composed, without citations) in lower case, less particles, copulas, punctuation and spaces.

    `found` are its morphemes. A particle that shares a syllable with its word (난 = 나 + 는) stays.
    """
    kept = bytearray(b"\1" * len(text))
    after_copula = False
    for morpheme in found:
        dropped = morpheme.tag.startswith("J") or morpheme.tag == "VCP"
        dropped = dropped or (after_copula and morpheme.tag.startswith("E"))
        after_copula = dropped and not morpheme.tag.startswith("J")
        if dropped:
            kept[morpheme.start : morpheme.end] = bytes(morpheme.end - morpheme.start)
    for morpheme in found:
        if not morpheme.tag.startswith(("J", "VCP", "E")):
            kept[morpheme.start : morpheme.end] = b"\1" * (morpheme.end - morpheme.start)
    return _PUNCTUATION.sub("", "".join(c for c, keep in zip(text, kept, strict=True) if keep)).lower()


def _holds(said: str, expected: str) -> bool:
    before = r"(?<!\d)(?<!\d[.])" if expected[0].isdigit() else ""
    after = r"(?!\d|[.]\d)" if expected[-1].isdigit() else ""
    return re.search(before + re.escape(expected) + after, said) is not None
