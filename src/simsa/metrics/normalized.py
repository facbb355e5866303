"""Lenient exact match, F1 and containment, under names of their own.

A model that answers in whole sentences gets an exact match near zero by the official scripts. Here citations are
removed, Unicode is composed (NFC), particles and a closing copula (서울은, 서울입니다) are removed by Kiwi, and
punctuation and spaces do not count. The figures show whether the words are right.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from simsa.metrics.citations import strip_citations
from simsa.metrics.morphology import Morpheme, analyse, clean
from simsa.metrics.mrc import character_f1

# The point of a decimal number is not punctuation.
_PUNCTUATION = re.compile(r"(?<!\d)[.]|[.](?!\d)|[^\w.+$€₩°℃]|_")


def exact_match(prediction: str, references: Iterable[str]) -> float | None:
    """1.0 when the prediction equals a reference, else 0.0; None without references. All in bare form."""
    return max((float(prediction == reference) for reference in references), default=None)


def f1(prediction: str, references: Iterable[str]) -> float | None:
    """Best character F1, 0–1; None without references. All in bare form."""
    return max((character_f1(prediction, reference) for reference in references), default=None)


def contains(prediction: str, references: Iterable[str]) -> float | None:
    """1.0 when the prediction contains a reference, else 0.0; None without a non-empty one. All in bare form.

    A reference that begins or ends in a digit does not match inside a longer number.
    """
    return max((float(_contains(prediction, one)) for one in references if one), default=None)


def bare_forms(texts: Iterable[str]) -> list[str]:
    """The bare form of each text, analysed in one batch."""
    stripped = [clean(strip_citations(text)) for text in texts]
    return [bare_form(text, found) for text, found in zip(stripped, analyse(stripped), strict=True)]


def bare_form(text: str, found: Sequence[Morpheme]) -> str:
    """`text` (NFC, without citations) in lower case, without particles, copulas, punctuation and spaces.

    `found` are its morphemes. A particle that shares a syllable with its word (난 = 나 + 는) stays.
    """
    kept = bytearray(b"\1" * len(text))
    after_copula = False
    for morpheme in found:
        particle = morpheme.tag.startswith("J")
        dropped = particle or morpheme.tag == "VCP" or (after_copula and morpheme.tag.startswith("E"))
        after_copula = dropped and not particle
        if dropped:
            kept[morpheme.start : morpheme.end] = bytes(morpheme.end - morpheme.start)
    for morpheme in found:
        if not morpheme.tag.startswith(("J", "VCP", "E")):
            kept[morpheme.start : morpheme.end] = b"\1" * (morpheme.end - morpheme.start)
    return _PUNCTUATION.sub("", "".join(c for c, keep in zip(text, kept, strict=True) if keep)).lower()


def _contains(prediction: str, reference: str) -> bool:
    before = r"(?<!\d)(?<!\d[.])" if reference[0].isdigit() else ""
    after = r"(?!\d|[.]\d)" if reference[-1].isdigit() else ""
    return re.search(before + re.escape(reference) + after, prediction) is not None
