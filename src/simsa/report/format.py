"""How figures, names and tables look to people, whatever the output format.

A missing figure is a dash, never a number. Tables are cells of text (`Grid`) that the terminal, Markdown and HTML share.
"""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, Self

from rich.cells import cell_len

from simsa.i18n.language import Language
from simsa.i18n.messages import Words, has_text, words
from simsa.i18n.messages import label as catalogue_label
from simsa.records import Criterion
from simsa.text import count as count
from simsa.text import one_line
from simsa.text import usd as usd

DASH = "–"
Weight = Literal["normal", "strong", "sub"]
Tone = Literal["plain", "good", "bad"]
_TONES: dict[str, Tone] = {"better": "good", "worse": "bad"}
_ELLIPSIS = "…"


# Numbers -------------------------------------------------------------------------------


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


def format_estimate(value: float | None, ci95: Sequence[float] | None, places: int = 2) -> str:
    """2.10 [1.80, 2.40]; without an interval the value alone."""
    shown = format_fixed(value, places)
    return shown if ci95 is None else f"{shown} {interval(ci95, places)}"


def format_difference(value: float | None, ci95: Sequence[float] | None, places: int = 2) -> str:
    """+0.30 [0.10, 0.50]."""
    return f"{format_signed(value, places)} {interval(ci95, places)}"


def p_value(p: float | None) -> str:
    """.034 or <.001."""
    if p is None:
        return DASH
    return "<.001" if p < 0.001 else f"{p:.3f}".removeprefix("0")


def percent(share: float | None, places: int = 0) -> str:
    """A share of 1 as 42 or 4.2, without the sign."""
    return DASH if share is None else format_fixed(100 * share, places)


def half(value: float) -> str:
    """A median of integers: 11 or 11.5."""
    return format_fixed(value, 0 if value == int(value) else 1)


# Names ---------------------------------------------------------------------------------


def labels(language: Language, criteria: Iterable[Criterion] = ()) -> Callable[[str], str]:
    """A function from a criterion's or metric's name to its title in `language`.

    The title is the catalogue's, else the one that the criterion or metric declares, else the name itself.
    """
    titles = {criterion.name: criterion.title for criterion in criteria}

    def title(name: str) -> str:
        found = catalogue_label(name, language)
        return found if found != name else titles.get(name) or _metric_label(name) or name

    return title


def short_labels(language: Language) -> Callable[[str], str]:
    """A function from a criterion's name to its short title for narrow places: the catalogue's, else the name."""
    say = words(language)
    return lambda name: say(f"short.{name}") if has_text(f"short.{name}") else name


def label(say: Words, name: str) -> str:
    """The text `name` of `say`, else the label that a metric of this name declares, else the name itself."""
    try:
        return say(name)
    except KeyError:
        return _metric_label(name) or name


def _metric_label(name: str) -> str:
    from simsa.metrics.registry import METRICS

    return METRICS[name].label if name in METRICS else ""


def short_names(names: Iterable[str], cells: int) -> dict[str, str]:
    """Each name as shown in at most `cells` terminal cells (from 12 on): whole, or without its middle.

    No two look the same: a middle that tells names apart is kept, and names that differ in nothing
    visible are numbered.
    """
    whole = {name: _normalized(name) for name in names}
    shown = {name: _ends(text, cells) for name, text in whole.items()}
    for alike in _same_text(shown):
        if any(shown[name] != whole[name] for name in alike):
            texts = [whole[name] for name in alike]
            shown |= zip(alike, _differing(texts, cells), strict=True)
    # Numbers go to shortened names first, so that a name shown whole stays as it is.
    order = sorted(shown, key=lambda name: shown[name] != whole[name])
    return _numbered(shown, order, cells)


def shortened(shown: Mapping[str, str]) -> dict[str, str]:
    """The names that `short_names` changed: shown text → whole name, both on one line."""
    return {text: _normalized(name) for name, text in shown.items() if text != _normalized(name)}


def _normalized(name: str) -> str:
    """Composed and decomposed letters look the same, so both become composed ones."""
    return unicodedata.normalize("NFC", one_line(name))


def _same_text(shown: Mapping[str, str]) -> list[list[str]]:
    by_text: dict[str, list[str]] = {}
    for name, text in shown.items():
        by_text.setdefault(text, []).append(name)
    return [names for names in by_text.values() if len(names) > 1]


def _differing(texts: Sequence[str], cells: int) -> list[str]:
    """The beginning, the place where the texts first differ, and the end of each text."""
    places = range(min(map(len, texts)))
    first = next((n for n in places if len({text[n] for text in texts}) > 1), len(places))
    part = (cells - 2 * len(_ELLIPSIS)) // 3
    return [
        _ELLIPSIS.join((_head(text, part), _head(text[first:], part), _tail(text, part))) for text in texts
    ]


def _numbered(shown: Mapping[str, str], order: Iterable[str], cells: int) -> dict[str, str]:
    taken: dict[str, str] = {}
    for name in order:
        text = shown[name]
        for n in itertools.count(2):
            if text not in taken:
                break
            text = f"{_ends(shown[name], cells - len(f' #{n}'))} #{n}"
        taken[text] = name
    return {name: text for text, name in taken.items()}


def _ends(text: str, cells: int) -> str:
    if cell_len(text) <= cells:
        return text
    head = cells // 2
    return f"{_head(text, head)}{_ELLIPSIS}{_tail(text, cells - head - len(_ELLIPSIS))}"


def _head(text: str, cells: int) -> str:
    for n, character in enumerate(text):
        cells -= cell_len(character)
        if cells < 0:
            return text[:n]
    return text


def _tail(text: str, cells: int) -> str:
    return _head(text[::-1], cells)[::-1]


# Tables --------------------------------------------------------------------------------


class TableCell(NamedTuple):
    text: str
    tone: Tone = "plain"


class TableRow(NamedTuple):
    """A label and one cell a column. A "sub" row explains the one above it."""

    label: str
    cells: tuple[TableCell, ...]
    weight: Weight = "normal"

    @classmethod
    def of(cls, label: str, cells: Iterable[TableCell | str | None], weight: Weight = "normal") -> Self:
        """A row from texts and cells; what is missing or empty becomes a dash."""
        made = (one if isinstance(one, TableCell) else TableCell(one or DASH) for one in cells)
        return cls(label, tuple(made), weight)


class Grid(NamedTuple):
    """A table with a title, a head over every column but the first, and rows."""

    title: str
    head: tuple[str, ...]
    rows: tuple[TableRow, ...]

    @classmethod
    def of(cls, title: str, head: Iterable[str], rows: Iterable[TableRow] = ()) -> Self:
        return cls(title, tuple(head), tuple(rows))


def tone_of(conclusion: str | None) -> Tone:
    """The colour of a comparison's conclusion: good for "better", bad for "worse"."""
    return _TONES.get(conclusion or "", "plain")
