"""How figures look to people. What is missing is a dash, never a number.

Long names where there is little room: cut in the middle, since names of one family begin and end alike.

A table as cells of text, the same for the terminal, Markdown and HTML.
"""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from rich.cells import cell_len

from simsa.i18n.messages import Words
from simsa.text import count as count
from simsa.text import one_line
from simsa.text import usd as usd

DASH = "–"


def format_fixed(value: float | None, places: int = 2) -> str:
    """12.34, with a real minus sign; no negative zero."""
    if value is None:
        return DASH
    shown = f"{value:.{places}f}"
    if float(shown) == 0:
        return shown.lstrip("-")
    return shown.replace("-", "−")


def format_signed(value: float | None, places: int = 2) -> str:
    """+1.23 or −1.23."""
    shown = format_fixed(value, places)
    return f"+{shown}" if value is not None and value > 0 and shown.strip("0.") else shown


def interval(ci95: Sequence[float] | None, places: int = 2) -> str:
    """[1.20, 3.40]; a dash when there is none."""
    return DASH if ci95 is None else f"[{format_fixed(ci95[0], places)}, {format_fixed(ci95[1], places)}]"


def p_value(p: float | None) -> str:
    """.034 or <.001."""
    if p is None:
        return DASH
    return "<.001" if p < 0.001 else f"{p:.3f}".removeprefix("0")


def percent(share: float | None, places: int = 0) -> str:
    """A share of 1 as 42 or 4.2, without the sign."""
    return DASH if share is None else format_fixed(100 * share, places)


def half(value: float) -> str:
    """A median of whole numbers: 11 or 11.5."""
    return format_fixed(value, 0 if value == int(value) else 1)


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
        marks = (f" #{n}" for n in itertools.count(2))
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


Weight = Literal["normal", "strong", "sub"]
Tone = Literal["plain", "good", "bad"]


class TableCell(NamedTuple):
    text: str
    tone: Tone = "plain"


class TableRow(NamedTuple):
    """A label and one cell a column. A "sub" row explains the one above it."""

    label: str
    cells: tuple[TableCell, ...]
    weight: Weight = "normal"


class Grid(NamedTuple):
    """A table with a heading, a head over every column but the first, and rows."""

    title: str
    head: tuple[str, ...]
    rows: tuple[TableRow, ...]


def label(say: Words, name: str) -> str:
    """A criterion's or metric's name for people; its own where it has none."""
    try:
        return say(name)
    except KeyError:
        from simsa.metrics.registry import METRICS

        return (METRICS[name].label if name in METRICS else "") or name
