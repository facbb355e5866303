"""Many texts in one file, searched from front to back: for Hangul, of which any two syllables may be asked for,
that is nearly as quick as an index and needs none."""

from __future__ import annotations

import threading
from array import array
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

_BLOCK = 4 * 1024 * 1024
_REMEMBERED = 16
# Behind every text; no text holds it, so nothing is found across two.
_END = b"\x1e"


class Writing:
    """Writes the file at `path`. Use as a context manager."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._file.close()

    def add(self, text: str) -> None:
        self._file.write(text.encode("utf-8", "replace").replace(_END, b" ") + _END)


class Texts:
    """The texts that `Writing` wrote. Any number of threads may search."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: OrderedDict[tuple[str, ...], array[int]] = OrderedDict()
        self._lock = threading.Lock()

    def places(self, words: tuple[str, ...]) -> list[int]:
        """The numbers, from 0, of the texts that hold every one of `words`; the last ones asked for are remembered."""
        with self._lock:
            known = self._found.get(words)
            if known is None:
                known = array("L", self.search(words))
                self._found[words] = known
                if len(self._found) > _REMEMBERED:
                    self._found.popitem(last=False)
            else:
                self._found.move_to_end(words)
        return known.tolist()

    def search(self, words: Sequence[str]) -> Iterator[int]:
        """As `places`, one after another."""
        # A long word first: it is found quickest and fits fewest.
        first, *others = sorted((word.encode("utf-8", "replace") for word in words), key=len, reverse=True)
        number, rest = 0, b""
        with self._path.open("rb") as file:
            while block := file.read(_BLOCK):
                block, end, rest = (rest + block).rpartition(_END)
                block += end
                yield from _within(block, number, first, others)
                number += block.count(_END)

    def close(self) -> None:
        self._path.unlink(missing_ok=True)


def _within(block: bytes, number: int, first: bytes, others: Sequence[bytes]) -> Iterator[int]:
    """The numbers of the texts in `block` that hold all words; that of its first text is `number`."""
    begin, at = 0, block.find(first)
    while at >= 0:
        number += block.count(_END, begin, at)
        end = block.index(_END, at)
        if not others or all(other in block[block.rfind(_END, 0, at) + 1 : end] for other in others):
            yield number
        begin = end
        at = block.find(first, end)
