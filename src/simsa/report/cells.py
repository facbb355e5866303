"""A table as cells of text, the same for the terminal, Markdown and HTML."""

from __future__ import annotations

from typing import Literal, NamedTuple

from simsa.report.words import Words

Weight = Literal["normal", "strong", "sub"]
Tone = Literal["plain", "good", "bad"]


class Cell(NamedTuple):
    text: str
    tone: Tone = "plain"


class Row(NamedTuple):
    """A label and one cell a column. A "sub" row explains the one above it."""

    label: str
    cells: tuple[Cell, ...]
    weight: Weight = "normal"


class Grid(NamedTuple):
    """A table with a heading, a head over every column but the first, and rows."""

    title: str
    head: tuple[str, ...]
    rows: tuple[Row, ...]


def label(say: Words, name: str) -> str:
    """A criterion's or metric's name for people; its own where it has none."""
    try:
        return say(name)
    except KeyError:
        return name
