"""Passes over texts that resemble nothing, a whole block at a time; the few others are then compared one by one.

Every run of `size` characters becomes a number, and those of all texts of a block are looked
up at once. Counting places rather than different shingles, and taking two shingles of one
number for the same, only ever lets a text through: nothing is missed.

Finds texts that are the same, or nearly so, among many.

Texts are compared by the sets of their character shingles. Each kept text is indexed
under its rarest shingles only: a text that shares the share `threshold` of another's
shingles must share one of the rarest (1 − threshold) of them, and k of the rarest
(1 − threshold) and k − 1 more (prefix filtering: Chaudhuri, Ganti and Kaushik 2006; Wang,
Li and Feng 2012). The texts asked about are streamed and never kept.

What is found in a test set that makes its figures less than they seem.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Match = Literal["exact", "normalised", "near"]
Kind = Literal[
    "leaked_question",  # the training file asks it too
    "leaked_passage",  # the training file shows it too
    "duplicate_question",  # the test set asks it twice
    "unsupported_reference",  # answerable, but no passage says what the reference says
    "refusal_as_reference",  # answerable, but the reference declines to answer
    "answer_as_reference",  # unanswerable, but the reference answers
]


class DataFinding(NamedTuple):
    """One doubtful row. `excerpt` is of the row itself, `other` names the row it is held against.

    `similarity` is 0–1: what both share, or how much of a reference the passages hold.
    """

    kind: Kind
    question_id: str
    excerpt: str
    match: Match | None = None
    other: str | None = None
    other_excerpt: str | None = None
    similarity: float | None = None


@dataclass(frozen=True, slots=True)
class DataQuality:
    """All findings, in the order of the test set within each kind."""

    findings: tuple[DataFinding, ...]

    @property
    def counts(self) -> dict[Kind, int]:
        """Kind → how many questions it concerns."""
        return dict(Counter(finding.kind for finding in self.findings))

    def of(self, kind: Kind) -> list[DataFinding]:
        return [finding for finding in self.findings if finding.kind == kind]

    def to_dict(self) -> dict[str, Any]:
        return {"counts": self.counts, "findings": [finding._asdict() for finding in self.findings]}


def once(findings: Iterable[DataFinding]) -> list[DataFinding]:
    """The closest finding of each kind and question, in the order in which questions came."""
    rank = {"exact": 2, "normalised": 1, "near": 0, None: 0}
    best: dict[tuple[str, str], DataFinding] = {}
    for found in findings:
        key = (found.kind, found.question_id)
        known = best.get(key)
        if known is None or (rank[found.match], found.similarity or 0) > (
            rank[known.match],
            known.similarity or 0,
        ):
            best[key] = found
    return list(best.values())


_HITS = 8  # so many rare shingles in common, where a text has enough, before it is looked at
SILENT = re.compile(r"[\W_]+")


class SimilarRow(NamedTuple):
    """The kept text at `place` resembles the one that was asked about."""

    place: int
    match: Match
    similarity: float


def normalise(text: str) -> str:
    """`text` composed (NFC), in lower case, without punctuation and white space."""
    return SILENT.sub("", unicodedata.normalize("NFC", text).lower())


class NearDuplicateIndex:
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

    def find(self, text: str) -> Iterator[SimilarRow]:
        """Every kept text that is the same as `text`, or near it."""
        bare = normalise(text)
        for place in self._same.get(bare, ()):
            yield SimilarRow(place, "exact" if self._texts[place] == text else "normalised", 1.0)
        if len(bare) < self.size:
            return
        shingles = self._shingles(bare)
        hits = Counter(chain.from_iterable(map(self.rarest.__getitem__, shingles & self.rarest.keys())))
        least = self.least
        for number in sorted(other for other, n in hits.items() if n >= least[other]):
            similarity = self._similarity(self._sets[number], shingles)
            if similarity >= self._threshold and self._kept[number] != bare:
                for place in self._same[self._kept[number]]:
                    yield SimilarRow(place, "near", similarity)

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


Numbers = NDArray[np.uint64]
Places = NDArray[np.int64]

_ODD = np.uint64(0x9E3779B97F4A7C15)  # 2⁶⁴ over the golden ratio: spreads its multiples evenly (Knuth, 6.4)
_SPARE = 4  # bits of the first look beyond what the index needs: one number in sixteen passes it for nothing
_FEWEST, _MOST = 12, 26


class Prefilter:
    """Holds back what `Index.find` would find nothing for."""

    def __init__(self, index: NearDuplicateIndex) -> None:
        self._size, self._shortest = index.size, index.shortest
        self._least = np.array(index.least, dtype=np.int64)
        lengths = np.fromiter(map(len, index.rarest.values()), np.int64, len(index.rarest))
        owners = [owner for texts in index.rarest.values() for owner in texts]
        numbers = np.repeat(_numbers(_codes("".join(index.rarest)), self._size)[:: self._size], lengths)
        order = np.argsort(numbers, kind="stable")
        self._owners = np.array(owners, dtype=np.int64)[order]
        self._known, self._first, self._several = np.unique(
            numbers[order], return_index=True, return_counts=True
        )
        bits = min(_MOST, max(_FEWEST, len(self._known).bit_length() + _SPARE))
        self._shift = np.uint64(64 - bits)
        self._there = np.zeros(1 << bits, dtype=np.bool_)
        self._there[self._known >> self._shift] = True

    def caught(self, texts: Sequence[str]) -> set[int]:
        """The places in `texts` of those that something may be found for. Texts too short to be near any are caught."""
        plain = [unicodedata.normalize("NFC", text).lower() for text in texts]
        codes = _codes("".join(plain))
        owner = np.repeat(np.arange(len(plain)), np.fromiter(map(len, plain), np.int64, len(plain)))
        heard = ~_silent()[codes]
        codes, owner = codes[heard], owner[heard]
        lengths = np.bincount(owner, minlength=len(plain))
        short = np.flatnonzero((lengths > 0) & (lengths < self._shortest))
        return {*short.tolist(), *self._met(codes, owner).tolist()}

    def _met(self, codes: NDArray[np.uint32], owner: Places) -> Places:
        """The texts that have enough of the shingles of one that is kept."""
        if len(codes) < self._size or not len(self._known):
            return np.zeros(0, np.int64)
        numbers = _numbers(codes, self._size)
        places = np.flatnonzero(self._there[numbers >> self._shift])
        places = places[owner[places] == owner[places + self._size - 1]]  # no shingle is of two texts
        at = np.minimum(np.searchsorted(self._known, numbers[places]), len(self._known) - 1)
        met = self._known[at] == numbers[places]
        at, texts = at[met], owner[places[met]]
        several = self._several[at]
        starts = np.repeat(self._first[at] - np.cumsum(several) + several, several)
        kept = self._owners[starts + np.arange(len(starts))]
        n = len(self._least)
        pairs, hits = np.unique(np.repeat(texts, several) * n + kept, return_counts=True)
        return np.unique(pairs[hits >= self._least[pairs % n]] // n)


def _codes(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def _numbers(codes: NDArray[np.uint32], size: int) -> Numbers:
    """A number for each run of `size` codes, modulo 2⁶⁴; equal runs have equal numbers."""
    n = max(0, len(codes) - size + 1)
    found = np.zeros(n, dtype=np.uint64)
    for k in range(size):
        found += codes[k : k + n]
        found *= _ODD
    return found


@cache
def _silent() -> NDArray[np.bool_]:
    """For every code point whether normalising drops it."""
    found = np.ones(0x110000, dtype=np.bool_)
    found[_codes(SILENT.sub("", "".join(map(chr, range(0x110000)))))] = False
    return found
