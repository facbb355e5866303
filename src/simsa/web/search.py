"""Many texts in one file, searched from front to back: for Hangul, of which any two syllables may be asked for,
that is nearly as quick as an index and needs none.

The texts stand in blocks of UTF-16, which Python turns into its own strings quickest, and
searches three times as fast as UTF-8: there, most bytes of Hangul look alike. Behind the
blocks stand where each text begins, and the table of the blocks.
"""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Self

import orjson

_BLOCK = 1024 * 1024  # letters: what a search holds in memory at once
_REMEMBERED = 16
_CODE = "utf-16-le"
_LENGTH_BYTES = 8
# Behind every text; no text and no word holds it, so nothing is found across two.
_END = "\x1e"


class Writing:
    """Writes the file at `path`; it is whole at the end of the context, not before."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._texts: list[str] = []
        self._starts = array("I")
        self._blocks: list[tuple[int, int]] = []
        self._size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        with self._file:
            self._flush()
            table = orjson.dumps(self._blocks)
            self._file.write(self._starts.tobytes())
            self._file.write(table + len(table).to_bytes(_LENGTH_BYTES, "little"))

    def add(self, text: str) -> None:
        said = text.replace(_END, " ") + _END
        self._starts.append(self._size)
        self._texts.append(said)
        self._size += len(said)
        if self._size >= _BLOCK:
            self._flush()

    def _flush(self) -> None:
        if self._texts:
            self._blocks.append((len(self._texts), self._file.write(_coded("".join(self._texts)))))
        self._texts.clear()
        self._size = 0


class _Block(NamedTuple):
    """`n_bytes` of the file, with the text number `first` and those behind it; `starts` are places in the block."""

    n_bytes: int
    first: int
    starts: array[int]


class Texts:
    """The texts that `Writing` wrote. Any number of threads may search."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._blocks = list(_blocks(path))
        self._found: OrderedDict[tuple[tuple[str, ...], ...], array[int]] = OrderedDict()
        self._lock = threading.Lock()

    def places(self, words: tuple[str, ...], unwanted: tuple[str, ...] = ()) -> list[int]:
        """The numbers, from 0, of the texts that hold every one of `words` and none of the `unwanted`; the last
        ones asked for are remembered."""
        asked = words, unwanted
        with self._lock:
            known = self._found.get(asked)
            if known is None:
                known = array("L", self.search(words, unwanted))
                self._found[asked] = known
                if len(self._found) > _REMEMBERED:
                    self._found.popitem(last=False)
            else:
                self._found.move_to_end(asked)
        return known.tolist()

    def search(self, words: Sequence[str], unwanted: Sequence[str] = ()) -> Iterator[int]:
        """As `places`, one after another."""
        # A long word first: it is found quickest and fits fewest.
        wanted, without = (
            sorted((_coded(word.replace(_END, " ")).decode(_CODE) for word in some), key=len, reverse=True)
            for some in (words, unwanted)
        )
        with self._path.open("rb") as file:
            for block in self._blocks:
                text = file.read(block.n_bytes).decode(_CODE)
                yield from _within(text, block, wanted, without) if wanted else _free(text, block, without)

    def close(self) -> None:
        self._path.unlink(missing_ok=True)


def _blocks(path: Path) -> Iterator[_Block]:
    with path.open("rb") as file:
        tail = file.seek(-_LENGTH_BYTES, 2)
        length = int.from_bytes(file.read(), "little")
        file.seek(tail - length)
        sizes: list[tuple[int, int]] = orjson.loads(file.read(length))
        file.seek(sum(n_bytes for _, n_bytes in sizes))
        first = 0
        for n, n_bytes in sizes:
            starts = array("I")
            starts.fromfile(file, n)
            yield _Block(n_bytes, first, starts)
            first += n


def _within(text: str, block: _Block, words: Sequence[str], unwanted: Sequence[str]) -> Iterator[int]:
    """The numbers of the texts in `block`, which is `text`, that hold all words, the longest of which is the
    first, and nothing unwanted."""
    first, *others = words
    starts, last, find = block.starts, len(block.starts), text.find
    at = find(first)
    while at >= 0:
        behind = bisect_right(starts, at)
        begin, end = starts[behind - 1], starts[behind] if behind < last else len(text)
        for other in others:
            if find(other, begin, end) < 0:
                break
        else:
            if not unwanted or all(find(other, begin, end) < 0 for other in unwanted):
                yield block.first + behind - 1
        at = find(first, end)


def _free(text: str, block: _Block, unwanted: Sequence[str]) -> Iterator[int]:
    """The numbers of the texts in `block` that hold nothing unwanted."""
    ends = [*block.starts[1:], len(text)]
    for n, (begin, end) in enumerate(zip(block.starts, ends, strict=True)):
        if all(text.find(word, begin, end) < 0 for word in unwanted):
            yield block.first + n


def _coded(text: str) -> bytes:
    return text.encode(_CODE, "replace")
