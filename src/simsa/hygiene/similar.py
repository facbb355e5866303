"""Finds texts that are the same, or nearly so, among many.

Texts are compared by the sets of their character shingles. Each kept text is indexed
under its rarest shingles only: a text that shares the share `threshold` of another's
shingles must share one of the rarest (1 − threshold) of them (prefix filtering, Chaudhuri,
Ganti and Kaushik 2006). The texts asked about are streamed and never kept.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from simsa.hygiene.model import Match

_SILENT = re.compile(r"[\W_]+")


class Similar(NamedTuple):
    """The kept text at `place` resembles the one that was asked about."""

    place: int
    match: Match
    similarity: float


def normalise(text: str) -> str:
    """`text` composed (NFC), in lower case, without punctuation and white space."""
    return _SILENT.sub("", unicodedata.normalize("NFC", text).lower())


class Index:
    """Texts to be found again.

    `size` is the length of a shingle in characters. With `contained` a text is near when
    the share `threshold` of its shingles is in the other text, else when that is their
    Jaccard index. Texts under `shortest` characters (normalised) are only found when the same.
    """

    def __init__(
        self,
        texts: Sequence[str],
        *,
        size: int,
        threshold: float = 0.8,
        contained: bool = False,
        shortest: int = 0,
    ) -> None:
        self._texts = texts
        self._size, self._threshold, self._contained = size, threshold, contained
        self._bare = [normalise(text) for text in texts]
        self._same: dict[str, list[int]] = {}
        for place, bare in enumerate(self._bare):
            if bare:
                self._same.setdefault(bare, []).append(place)
        known = {bare: self._shingles(bare) for bare in self._same if len(bare) >= max(shortest, size)}
        self._sets = known
        self._rarest = self._indexed(known)

    def find(self, text: str) -> Iterator[Similar]:
        """Every kept text that is the same as `text`, or near it."""
        bare = normalise(text)
        for place in self._same.get(bare, ()):
            yield Similar(place, "exact" if self._texts[place] == text else "normalised", 1.0)
        if len(bare) < self._size:
            return
        shingles = self._shingles(bare)
        nearby = {other for shingle in shingles & self._rarest.keys() for other in self._rarest[shingle]}
        for other in sorted(nearby - {bare}):
            similarity = self._similarity(self._sets[other], shingles)
            if similarity >= self._threshold:
                for place in self._same[other]:
                    yield Similar(place, "near", similarity)

    def _similarity(self, kept: frozenset[str], asked: frozenset[str]) -> float:
        common = len(kept & asked)
        return common / (len(kept) if self._contained else len(kept) + len(asked) - common)

    def _shingles(self, bare: str) -> frozenset[str]:
        size = self._size
        return frozenset([bare[i : i + size] for i in range(len(bare) - size + 1)])

    def _indexed(self, known: dict[str, frozenset[str]]) -> dict[str, list[str]]:
        frequency = Counter(shingle for shingles in known.values() for shingle in shingles)
        rarest: dict[str, list[str]] = {}
        for bare, shingles in known.items():
            for shingle in _first(shingles, frequency, self._threshold):
                rarest.setdefault(shingle, []).append(bare)
        return rarest


def _first(shingles: Iterable[str], frequency: Counter[str], threshold: float) -> list[str]:
    ordered = sorted(shingles, key=lambda shingle: (frequency[shingle], shingle))
    return ordered[: len(ordered) - math.ceil(threshold * len(ordered)) + 1]
