"""Long names where there is little room: cut in the middle, since names of one family begin and end alike."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from itertools import count

from rich.cells import cell_len

from simsa.text import one_line

_CUT = "…"


def short_names(names: Iterable[str], cells: int) -> dict[str, str]:
    """Each name as it is shown in `cells` cells of a terminal: whole, or without its middle.

    No two look the same: where the middle is what tells names apart, it is kept, and where
    nothing visible does, they are numbered. Takes `cells` from 12 on.
    """
    whole = {name: _whole(name) for name in names}
    shown = {name: _ends(text, cells) for name, text in whole.items()}
    for alike in _groups(shown):
        if any(shown[name] != whole[name] for name in alike):
            texts = [whole[name] for name in alike]
            shown |= zip(alike, _differing(texts, cells), strict=True)
    # Who is whole is what he seems: a number goes to the others.
    order = sorted(shown, key=lambda name: shown[name] != whole[name])
    return _numbered(shown, order, cells)


def shortened(shown: Mapping[str, str]) -> dict[str, str]:
    """What `short_names` did not leave as it was: what is shown → the name, both on one line."""
    return {text: _whole(name) for name, text in shown.items() if text != _whole(name)}


def _whole(name: str) -> str:
    """Letters that are composed in one name and not in another look the same."""
    return unicodedata.normalize("NFC", one_line(name))


def _groups(shown: Mapping[str, str]) -> list[list[str]]:
    by_look: dict[str, list[str]] = {}
    for name, text in shown.items():
        by_look.setdefault(text, []).append(name)
    return [names for names in by_look.values() if len(names) > 1]


def _differing(texts: Sequence[str], cells: int) -> list[str]:
    """A beginning, the place where the texts first differ, and an end, of each text."""
    places = range(min(map(len, texts)))
    first = next((n for n in places if len({text[n] for text in texts}) > 1), len(places))
    part = (cells - 2 * len(_CUT)) // 3
    return [
        f"{_head(text, part)}{_CUT}{_head(text[first:], part)}{_CUT}{_tail(text, part)}" for text in texts
    ]


def _numbered(shown: Mapping[str, str], order: Iterable[str], cells: int) -> dict[str, str]:
    taken: dict[str, str] = {}
    for name in order:
        text = shown[name]
        marks = (f" #{n}" for n in count(2))
        while text in taken:
            mark = next(marks)
            text = _ends(shown[name], cells - len(mark)) + mark
        taken[text] = name
    return {name: text for text, name in taken.items()}


def _ends(text: str, cells: int) -> str:
    if cell_len(text) <= cells:
        return text
    head = cells // 2
    return f"{_head(text, head)}{_CUT}{_tail(text, cells - head - len(_CUT))}"


def _head(text: str, cells: int) -> str:
    for n, character in enumerate(text):
        cells -= cell_len(character)
        if cells < 0:
            return text[:n]
    return text


def _tail(text: str, cells: int) -> str:
    return _head(text[::-1], cells)[::-1]
