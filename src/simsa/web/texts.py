"""Many texts in one file, searched from front to back: for Hangul, of which any two syllables may be asked for,
that is as quick as an index and needs none."""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Self

import orjson

_BLOCK = 4 * 1024 * 1024
_REMEMBERED = 16
# Between texts; no text holds it, so nothing is found across two.
_END = b"\x1e"


class Writing:
    """Writes the file at `path`, and beside it where each text begins. Use as a context manager."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._starts = array("Q", [0])
        self._file = path.open("wb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._file.close()
        _starts(self._path).write_bytes(self._starts.tobytes())

    def add(self, text: str) -> None:
        self._file.write(text.encode("utf-8", "replace").replace(_END, b" ") + _END)
        self._starts.append(self._file.tell())


class _Block(NamedTuple):
    """Texts that are read together: the number of the first, and where each begins, the end last."""

    first: int
    starts: Sequence[int]


class Texts:
    """The texts that `Writing` wrote. Any number of threads may search."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._starts = array("Q", _starts(path).read_bytes())
        self._found: OrderedDict[tuple[str, ...], str] = OrderedDict()
        self._lock = threading.Lock()

    def places(self, words: tuple[str, ...]) -> str:
        """The numbers, from 0, of the texts that hold every one of `words`, as a JSON list; the last ones asked for
        are remembered."""
        with self._lock:
            known = self._found.get(words)
            if known is None:
                known = orjson.dumps(list(self.search(words))).decode()
                self._found[words] = known
                if len(self._found) > _REMEMBERED:
                    self._found.popitem(last=False)
            else:
                self._found.move_to_end(words)
        return known

    def search(self, words: Sequence[str]) -> Iterator[int]:
        """As `places`, one after another. A long word first: it is found quickest and fits fewest."""
        first, *others = sorted((word.encode("utf-8", "replace") for word in words), key=len, reverse=True)
        with self._path.open("rb") as file:
            for block in self._blocks():
                data = file.read(block.starts[-1] - block.starts[0])
                yield from _within(data, block, first, others)

    def close(self) -> None:
        self._path.unlink(missing_ok=True)
        _starts(self._path).unlink(missing_ok=True)

    def _blocks(self) -> Iterator[_Block]:
        first, n = 0, len(self._starts) - 1
        while first < n:
            after = min(n, max(first + 1, bisect_right(self._starts, self._starts[first] + _BLOCK) - 1))
            yield _Block(first, self._starts[first : after + 1])
            first = after


def _within(data: bytes, block: _Block, first: bytes, others: Sequence[bytes]) -> Iterator[int]:
    base = block.starts[0]
    at = data.find(first)
    while at >= 0:
        number = bisect_right(block.starts, base + at) - 1
        start, end = block.starts[number] - base, block.starts[number + 1] - base
        if all(data.find(other, start, end) >= 0 for other in others):
            yield block.first + number
        at = data.find(first, end)


def _starts(path: Path) -> Path:
    return path.with_suffix(".starts")
