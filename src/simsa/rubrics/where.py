"""Where a key stands in a TOML file."""

from __future__ import annotations

import re
from collections.abc import Sequence

_TABLE = re.compile(r"\s*\[+\s*([^\[\]#]+?)\s*\]+\s*(?:#.*)?$")
_KEY = re.compile(r"""\s*("[^"]*"|'[^']*'|[\w-]+(?:\s*\.\s*[\w-]+)*)\s*=""")
_QUOTES = ('"""', "'''")


def line_of(text: str, path: Sequence[str]) -> int | None:
    """The line, from 1, of the key at `path` or of the nearest table or key above it; None without any."""
    best, line = 0, None
    table: tuple[str, ...] = ()
    inside = ""
    for number, row in enumerate(text.split("\n"), 1):
        if inside:
            inside = "" if row.count(inside) % 2 else inside
            continue
        if found := _TABLE.match(row):
            table = _parts(found[1])
            here: Sequence[str] = table
        elif found := _KEY.match(row):
            here = (*table, *_parts(found[1]))
            inside = next((quotes for quotes in _QUOTES if row.count(quotes) % 2), "")
        else:
            continue
        if len(here) > best and tuple(path[: len(here)]) == tuple(here):
            best, line = len(here), number
    return line


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))
