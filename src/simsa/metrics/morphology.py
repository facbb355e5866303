"""Morphological analysis of Korean text with Kiwi.

Kiwi is loaded once, at first use (about a second). Its compounds of several words ("알베르트 아인슈타인") stay split:
loading is three times faster, and parts of a name can overlap.
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

# Kiwi takes more than linear time (minutes for a megabyte), so long texts are cut.
_PIECE = 2_000
_SURROGATE = re.compile("[\ud800-\udfff]")

# Nouns, numerals, roots, verb and adjective stems, adverbs, foreign words, digits, Chinese characters, unknown
# words. Kiwi's suffix for irregular stems (VV-I) is removed.
_CONTENT = frozenset(["NNG", "NNP", "NR", "XR", "VV", "VA", "MAG", "SL", "SH", "SN", "UN"])
# Stems without content.
_LIGHT = frozenset(["하", "되", "있"])

_CACHE_SIZE = 1_000
_LONGEST_CACHED = 10_000

_lock = threading.Lock()
_cache: dict[str, tuple[str, ...]] = {}
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

    The last thousand results are cached, because every variant has the same passages.
    """
    with _lock:
        known = {text: _cache[text] for text in texts if text in _cache}
    missing = [text for text in dict.fromkeys(texts) if text not in known]
    known.update(zip(missing, (tuple(content_forms(found)) for found in analyse(missing)), strict=True))
    with _lock:
        _cache.update((text, known[text]) for text in missing if len(text) <= _LONGEST_CACHED)
        for text in list(islice(_cache, max(0, len(_cache) - _CACHE_SIZE))):
            del _cache[text]
    return [known[text] for text in texts]


def content_forms(found: Iterable[Morpheme]) -> list[str]:
    """`content_morphemes` of a text that was analysed before."""
    return [sys.intern(morpheme.form.lower()) for morpheme in found if morpheme.is_content]


def join(parts: Sequence[tuple[str, str]]) -> str:
    """The text of a sequence of (form, tag): 하 + 지 + 않 + 었 + 다 is 하지 않았다."""
    return str(_tokenizer().join(list(parts)))


def clean(text: str) -> str:
    """`text` in NFC, with lone surrogates, which Kiwi refuses, replaced by `�`."""
    return unicodedata.normalize("NFC", _SURROGATE.sub("�", text))


def _tokenizer() -> Kiwi:
    global _kiwi
    with _lock:
        if _kiwi is None:
            from kiwipiepy import Kiwi

            _kiwi = Kiwi(num_workers=min(4, os.cpu_count() or 1), load_multi_dict=False)
    return _kiwi


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """Pieces of at most `_PIECE` characters, cut at sentence ends or spaces, each with its position."""
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
