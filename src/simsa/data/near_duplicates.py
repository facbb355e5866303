"""Finds texts that are the same, or nearly the same, among many.

Texts are compared by the sets of their character shingles. Each indexed text is stored under its
rarest shingles only. A text that shares the share `threshold` of another's shingles must share one of
the rarest (1 − threshold) of them, and k of the rarest (1 − threshold) and k − 1 more (prefix
filtering: Chaudhuri, Ganti and Kaushik 2006; Wang, Li and Feng 2012). The texts that are looked up are
streamed and never kept.

A prefilter looks up a whole block of texts at once with numpy, and passes few on to the comparison.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from functools import cache, cached_property
from itertools import chain
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Match = Literal["exact", "normalised", "near"]

_MAX_HITS = 8  # rare shingles that a candidate must share, where a text has so many
_IGNORED = re.compile(r"[\W_]+")
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2⁶⁴ / golden ratio: spreads hashes evenly (Knuth, 6.4)
_SPARE_BITS = 4  # of the bit table beyond what the index needs: one hash in sixteen passes by chance
_MIN_BITS, _MAX_BITS = 12, 26


class SimilarRow(NamedTuple):
    """The indexed text at `place` is similar to the one that was looked up."""

    place: int
    match: Match
    similarity: float


def normalise(text: str) -> str:
    """`text` composed (NFC), in lower case, without punctuation and white space."""
    return _IGNORED.sub("", unicodedata.normalize("NFC", text).lower())


class NearDuplicateIndex:
    """An index of texts.

    `size` is the length of a shingle in characters. A text is near when its share of shingles in common
    reaches `threshold`: with `contained`, the share of its own shingles that the other text has, else
    the Jaccard index. Texts under `shortest` characters (normalised) are found only when they are the
    same. `rarest` maps shingles to the numbers of texts; `least` says how many of them a near text shares.
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
        self._places: dict[str, list[int]] = {}
        for place, text in enumerate(map(normalise, texts)):
            if text:
                self._places.setdefault(text, []).append(place)
        self._long = [text for text in self._places if len(text) >= self.shortest]
        self._shingle_sets = [self._shingles(text) for text in self._long]
        self.least = [min(_MAX_HITS, math.ceil(threshold * len(found))) for found in self._shingle_sets]
        self.rarest: dict[str, list[int]] = {}
        frequency = Counter(chain.from_iterable(self._shingle_sets))
        for number, shingles in enumerate(self._shingle_sets):
            for shingle in _rarest(shingles, frequency, threshold, self.least[number]):
                self.rarest.setdefault(shingle, []).append(number)

    @cached_property
    def _prefilter(self) -> Prefilter:
        return Prefilter(self)

    def find_all(self, texts: Sequence[str]) -> Iterator[tuple[int, SimilarRow]]:
        """What `find` finds for each text of a block, with the text's place in it."""
        for place in sorted(self._prefilter.candidates(texts)):
            for row in self.find(texts[place]):
                yield place, row

    def find(self, text: str) -> Iterator[SimilarRow]:
        """Every indexed text that is the same as `text`, or near it."""
        normalised = normalise(text)
        for place in self._places.get(normalised, ()):
            yield SimilarRow(place, "exact" if self._texts[place] == text else "normalised", 1.0)
        if len(normalised) < self.size:
            return
        shingles = self._shingles(normalised)
        hits = Counter(chain.from_iterable(map(self.rarest.__getitem__, shingles & self.rarest.keys())))
        for number in sorted(other for other, n in hits.items() if n >= self.least[other]):
            similarity = self._similarity(self._shingle_sets[number], shingles)
            if similarity >= self._threshold and self._long[number] != normalised:
                for place in self._places[self._long[number]]:
                    yield SimilarRow(place, "near", similarity)

    def _similarity(self, indexed: frozenset[str], other: frozenset[str]) -> float:
        common = len(indexed & other)
        return common / (len(indexed) if self._contained else len(indexed) + len(other) - common)

    def _shingles(self, normalised: str) -> frozenset[str]:
        size = self.size
        return frozenset([normalised[i : i + size] for i in range(len(normalised) - size + 1)])


def _rarest(shingles: Collection[str], frequency: Counter[str], threshold: float, least: int) -> list[str]:
    """The rarest shingles: so many that any near text shares `least` of them."""
    ordered = sorted(sorted(shingles), key=frequency.__getitem__)
    return ordered[: len(ordered) - math.ceil(threshold * len(ordered)) + least]


class Prefilter:
    """Rules out most texts for which `NearDuplicateIndex.find` finds nothing.

    Every run of `size` characters is hashed to a number, and the numbers of all texts of a block are
    looked up at once. Repeated shingles and hash collisions only let more texts pass: none is missed.
    """

    def __init__(self, index: NearDuplicateIndex) -> None:
        self._size, self._shortest = index.size, index.shortest
        self._least = np.array(index.least, dtype=np.int64)
        lengths = np.fromiter(map(len, index.rarest.values()), np.int64, len(index.rarest))
        owners = list(chain.from_iterable(index.rarest.values()))
        hashes = np.repeat(_hashes(_code_points("".join(index.rarest)), self._size)[:: self._size], lengths)
        order = np.argsort(hashes, kind="stable")
        self._owners = np.array(owners, dtype=np.int64)[order]
        self._known, self._first, self._counts = np.unique(
            hashes[order], return_index=True, return_counts=True
        )
        bits = min(_MAX_BITS, max(_MIN_BITS, len(self._known).bit_length() + _SPARE_BITS))
        self._shift = np.uint64(64 - bits)
        self._table = np.zeros(1 << bits, dtype=np.bool_)
        self._table[self._known >> self._shift] = True

    def candidates(self, texts: Sequence[str]) -> set[int]:
        """The places in `texts` of those for which something may be found, all short texts among them."""
        lowered = [unicodedata.normalize("NFC", text).lower() for text in texts]
        codes = _code_points("".join(lowered))
        owner = np.repeat(np.arange(len(lowered)), np.fromiter(map(len, lowered), np.int64, len(lowered)))
        kept = ~_ignored_code_points()[codes]
        codes, owner = codes[kept], owner[kept]
        lengths = np.bincount(owner, minlength=len(lowered))
        short = np.flatnonzero((lengths > 0) & (lengths < self._shortest))
        return {*short.tolist(), *self._with_enough_hits(codes, owner).tolist()}

    def _with_enough_hits(self, codes: NDArray[np.uint32], owner: NDArray[np.int64]) -> NDArray[np.int64]:
        """The texts that share enough rare shingles with an indexed one."""
        if len(codes) < self._size or not len(self._known):
            return np.zeros(0, np.int64)
        hashes = _hashes(codes, self._size)
        places = np.flatnonzero(self._table[hashes >> self._shift])
        places = places[owner[places] == owner[places + self._size - 1]]  # not across two texts
        at = np.minimum(np.searchsorted(self._known, hashes[places]), len(self._known) - 1)
        met = self._known[at] == hashes[places]
        at, texts = at[met], owner[places[met]]
        counts = self._counts[at]
        starts = np.repeat(self._first[at] - np.cumsum(counts) + counts, counts)
        indexed = self._owners[starts + np.arange(len(starts))]
        n = len(self._least)
        pairs, hits = np.unique(np.repeat(texts, counts) * n + indexed, return_counts=True)
        return np.unique(pairs[hits >= self._least[pairs % n]] // n)


def _code_points(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def _hashes(codes: NDArray[np.uint32], size: int) -> NDArray[np.uint64]:
    """A hash of each run of `size` code points, modulo 2⁶⁴; equal runs have equal hashes."""
    n = max(0, len(codes) - size + 1)
    hashes = np.zeros(n, dtype=np.uint64)
    for k in range(size):
        hashes += codes[k : k + n]
        hashes *= _MULTIPLIER
    return hashes


@cache
def _ignored_code_points() -> NDArray[np.bool_]:
    """For every code point, whether `normalise` drops it."""
    ignored = np.ones(0x110000, dtype=np.bool_)
    ignored[_code_points(_IGNORED.sub("", "".join(map(chr, range(0x110000)))))] = False
    return ignored
