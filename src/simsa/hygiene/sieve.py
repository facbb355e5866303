"""Passes over texts that resemble nothing, a whole block at a time; the few others are then compared one by one.

Every run of `size` characters becomes a number, and those of all texts of a block are looked
up at once. Counting places rather than different shingles, and taking two shingles of one
number for the same, only ever lets a text through: nothing is missed.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from simsa.hygiene.similar import SILENT, Index

Numbers = NDArray[np.uint64]
Places = NDArray[np.int64]

_ODD = np.uint64(0x9E3779B97F4A7C15)  # 2⁶⁴ over the golden ratio: spreads its multiples evenly (Knuth, 6.4)
_SPARE = 4  # bits of the first look beyond what the index needs: one number in sixteen passes it for nothing
_FEWEST, _MOST = 12, 26


class Sieve:
    """Holds back what `Index.find` would find nothing for."""

    def __init__(self, index: Index) -> None:
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
