"""Finds texts that are the same, or nearly so, among many.

Texts are compared by the sets of their character shingles. Each kept text is indexed
under its rarest shingles only: a text that shares the share `threshold` of another's
shingles must share one of the rarest (1 − threshold) of them, and k of the rarest
(1 − threshold) and k − 1 more (prefix filtering: Chaudhuri, Ganti and Kaushik 2006; Wang,
Li and Feng 2012). The texts asked about are streamed and never kept.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from simsa.hygiene.model import Match

_HITS = 8  # so many rare shingles in common, where a text has enough, before it is looked at
SILENT = re.compile(r"[\W_]+")


class Similar(NamedTuple):
    """The kept text at `place` resembles the one that was asked about."""

    place: int
    match: Match
    similarity: float


def normalise(text: str) -> str:
    """`text` composed (NFC), in lower case, without punctuation and white space."""
    return SILENT.sub("", unicodedata.normalize("NFC", text).lower())


class Index:
    """Texts to be found again.

    `size` is the length of a shingle in characters. With `contained` a text is near when
    the share `threshold` of its shingles is in the other text, else when that is their
    Jaccard index. Texts under `shortest` characters (normalised) are only found when the same.
    `rarest` is what is looked up: shingle → numbers of texts; `least` how many a near text shares.
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
        self.size, self._threshold, self._contained = size, threshold, contained
        self.shortest = max(shortest, size)
        self._bare = [normalise(text) for text in texts]
        self._same: dict[str, list[int]] = {}
        for place, bare in enumerate(self._bare):
            if bare:
                self._same.setdefault(bare, []).append(place)
        known = {bare: self._shingles(bare) for bare in self._same if len(bare) >= self.shortest}
        self._kept = list(known)
        self._sets = list(known.values())
        self.least = [_hits(shingles, threshold) for shingles in self._sets]
        self.rarest = self._indexed()

    def find(self, text: str) -> Iterator[Similar]:
        """Every kept text that is the same as `text`, or near it."""
        bare = normalise(text)
        for place in self._same.get(bare, ()):
            yield Similar(place, "exact" if self._texts[place] == text else "normalised", 1.0)
        if len(bare) < self.size:
            return
        shingles = self._shingles(bare)
        hits = Counter(chain.from_iterable(map(self.rarest.__getitem__, shingles & self.rarest.keys())))
        least = self.least
        for number in sorted(other for other, n in hits.items() if n >= least[other]):
            similarity = self._similarity(self._sets[number], shingles)
            if similarity >= self._threshold and self._kept[number] != bare:
                for place in self._same[self._kept[number]]:
                    yield Similar(place, "near", similarity)

    def _similarity(self, kept: frozenset[str], asked: frozenset[str]) -> float:
        common = len(kept & asked)
        return common / (len(kept) if self._contained else len(kept) + len(asked) - common)

    def _shingles(self, bare: str) -> frozenset[str]:
        size = self.size
        return frozenset([bare[i : i + size] for i in range(len(bare) - size + 1)])

    def _indexed(self) -> dict[str, list[int]]:
        """Shingle → the numbers of the texts that it is one of the rarest of."""
        frequency = Counter(shingle for shingles in self._sets for shingle in shingles)
        rarest: dict[str, list[int]] = {}
        for number, shingles in enumerate(self._sets):
            for shingle in _first(shingles, frequency, self._threshold, self.least[number]):
                rarest.setdefault(shingle, []).append(number)
        return rarest


def _hits(shingles: Collection[str], threshold: float) -> int:
    """How many of the indexed shingles a near text shares at least."""
    return min(_HITS, math.ceil(threshold * len(shingles)))


def _first(shingles: Collection[str], frequency: Counter[str], threshold: float, least: int) -> list[str]:
    """The rarest shingles, as many as hold `least` of any text that shares `threshold` of all."""
    ordered = sorted(sorted(shingles), key=frequency.__getitem__)
    return ordered[: len(ordered) - math.ceil(threshold * len(ordered)) + least]
