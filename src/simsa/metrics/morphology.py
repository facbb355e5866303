"""Korean text as morphemes, by Kiwi.

Kiwi is loaded once, at first use (about a second); its compounds of several words
("알베르트 아인슈타인") stay split, which triples the speed of loading and lets
parts of a name overlap.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from kiwipiepy import Kiwi

# Kiwi's time grows faster than the text, to minutes for a megabyte, so long texts are cut.
_PIECE = 2_000
_SURROGATE = re.compile("[\ud800-\udfff]")

# Nouns, numerals, roots, verb and adjective stems, adverbs, foreign words, digits, Chinese
# characters, unknown words; Kiwi marks irregular stems with a suffix (VV-I), removed before.
_CONTENT = frozenset(["NNG", "NNP", "NR", "XR", "VV", "VA", "MAG", "SL", "SH", "SN", "UN"])
# Stems that any sentence may have.
_LIGHT = frozenset(["하", "되", "있"])

_REMEMBER = 1_000
_LONG = 10_000

_lock = threading.Lock()
_remembered: dict[str, tuple[str, ...]] = {}
_kiwi: Kiwi | None = None


class Morpheme(NamedTuple):
    """A morpheme as Kiwi finds it; `start` and `end` are character positions in the NFC text."""

    form: str
    tag: str
    start: int
    end: int

    @property
    def is_content(self) -> bool:
        return (self.tag in _CONTENT or self.tag.startswith("W_")) and self.form not in _LIGHT


def analyse(texts: Iterable[str]) -> Iterator[list[Morpheme]]:
    """The morphemes of each text, in its NFC form, in one batch. Safe to call from several threads."""
    pieces: list[str] = []
    spans: list[list[int]] = []
    for text in texts:
        starts = []
        for start, piece in _pieces(clean(text)):
            pieces.append(piece)
            starts.append(start)
        spans.append(starts)
    found = iter(_tokenizer().tokenize(pieces)) if pieces else iter(())
    for starts in spans:
        yield [
            Morpheme(
                sys.intern(token.form),
                token.tag.split("-")[0],
                start + token.start,
                start + token.start + token.len,
            )
            for start in starts
            for token in next(found)
        ]


def morphemes(text: str) -> list[str]:
    """Forms of all morphemes of `text`, particles, endings and punctuation included."""
    return [morpheme.form for morpheme in next(analyse([text]))]


def content_morphemes(text: str) -> list[str]:
    """Lower-cased forms that carry meaning: nouns, stems of verbs and adjectives, adverbs, numbers, foreign words."""
    return list(content_of([text])[0])


def content_of(texts: Sequence[str]) -> list[tuple[str, ...]]:
    """`content_morphemes` of each text, in one batch.

    The last thousand are remembered: the same passages come back for every variant.
    """
    with _lock:
        known = {text: _remembered[text] for text in texts if text in _remembered}
    missing = [text for text in dict.fromkeys(texts) if text not in known]
    known.update(zip(missing, (tuple(content_forms(found)) for found in analyse(missing)), strict=True))
    with _lock:
        _remembered.update((text, known[text]) for text in missing if len(text) <= _LONG)
        for text in list(islice(_remembered, max(0, len(_remembered) - _REMEMBER))):
            del _remembered[text]
    return [known[text] for text in texts]


def content_forms(found: Iterable[Morpheme]) -> list[str]:
    """`content_morphemes` of a text that was analysed before."""
    return [sys.intern(morpheme.form.lower()) for morpheme in found if morpheme.is_content]


def join(parts: Sequence[tuple[str, str]]) -> str:
    """The text that morphemes, each with its tag, are written as: 하 + 지 + 않 + 었 + 다 is 하지 않았다."""
    return str(_tokenizer().join(list(parts)))


def clean(text: str) -> str:
    """NFC, and lone surrogates, which Kiwi refuses, as `�`."""
    return unicodedata.normalize("NFC", _SURROGATE.sub("�", text))


def _tokenizer() -> Kiwi:
    global _kiwi
    with _lock:
        if _kiwi is None:
            from kiwipiepy import Kiwi

            _kiwi = Kiwi(num_workers=min(4, os.cpu_count() or 1), load_multi_dict=False)
    return _kiwi


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """`text` cut at sentence ends or spaces where it is longer than `_PIECE`, with each piece's position."""
    start = 0
    while len(text) - start > _PIECE:
        window = text[start : start + _PIECE]
        cut = max((window.rfind(end) for end in ("\n", ". ", "? ", "! ")), default=-1)
        if cut < _PIECE // 2:
            cut = max(window.rfind(" "), cut)
        cut = cut + 1 if cut > 0 else _PIECE
        yield start, window[:cut]
        start += cut
    if start < len(text):
        yield start, text[start:]
