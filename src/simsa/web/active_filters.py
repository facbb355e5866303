"""The active filters of a list as removable chips, suggestions for an empty list, and the columns of variants."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from simsa.i18n.messages import Words
from simsa.records import TOTAL, Number
from simsa.text import format_number, one_line
from simsa.web.query import QuestionFilter

MAX_COLUMNS = 4
_MAX_CELLS = 60
_PATIENCE_S = 0.05


class ActiveFilter(NamedTuple):
    """A filter that is on, and the list without it."""

    text: str
    without: QuestionFilter


class FilterSuggestion(NamedTuple):
    """A filter whose removal brings questions: how many, None where there was no time to count."""

    chip: ActiveFilter
    n: int | None


def active_filters(
    ask: QuestionFilter, variants: Sequence[str], say: Words, label: Callable[[str], str]
) -> list[ActiveFilter]:
    """Every filter that is on, in the order of the form. `label` gives the titles of criteria and metrics."""
    return [
        ActiveFilter(text, ask.changed(**{name: getattr(_DEFAULT, name) for name in names}))
        for text, *names in _chips(ask, variants, say, label)
    ]


_DEFAULT = QuestionFilter()


def _chips(
    ask: QuestionFilter, variants: Sequence[str], say: Words, label: Callable[[str], str]
) -> Iterator[tuple[str, *tuple[str, ...]]]:
    """The text of each chip, and the fields that it is about."""
    if ask.search:
        yield f"{say('search')}: {_short(ask.search)}", "search"
    for name in ("type", "ids", "cluster", "finish"):
        if (value := getattr(ask, name)) is not None:
            yield f"{say(name if name == 'type' else f'filter.{name}')}: {_short(value)}", name
    if ask.variant is not None:
        yield f"{say('variant')}: {_short(variants[ask.variant])}", "variant"
    if ask.status is not None:
        status = say("scored") if ask.status == "scored" else say(f"status.{ask.status}")
        yield f"{say('status')}: {status}", "status"
    if ask.criterion != TOTAL:
        yield f"{say('criterion')}: {label(ask.criterion)}", "criterion"
    if text := _range(ask.low, ask.high):
        yield f"{say('filter.score')} {text}", "low", "high"
    if ask.bounded_metric is not None:
        name = _short(label(ask.bounded_metric))
        yield f"{name} {_range(ask.mlow, ask.mhigh)}", "metric", "mlow", "mhigh"
    for name in ("refused", "labelled"):
        if (value := getattr(ask, name)) is not None:
            yield f"{say(f'filter.{name}')}: {say(f'{name}.{value}')}", name
    if not variants:
        return
    a, b = _short(variants[ask.a]), _short(variants[ask.b])
    if ask.diff is not None:
        yield f"{say('diff', a=a, b=b)}: {say(f'diff.{ask.diff}')}", "diff"
    for variant, low, high in ((a, "alow", "ahigh"), (b, "blow", "bhigh")):
        if text := _range(getattr(ask, low), getattr(ask, high)):
            yield say("filter.score_of", variant=variant, text=text), low, high
    if ask.said is not None:
        yield say(f"said.{ask.said}_of", a=a, b=b), "said"


def filter_suggestions(
    chips: Sequence[ActiveFilter], count: Callable[[QuestionFilter], int]
) -> list[FilterSuggestion]:
    """The filters of an empty list whose removal brings questions, the most first.

    Stops counting when that takes too long; filters that were not counted come last.
    """
    end = time.monotonic() + _PATIENCE_S
    counted = [
        FilterSuggestion(chip, count(chip.without) if time.monotonic() < end else None) for chip in chips
    ]
    return sorted((one for one in counted if one.n != 0), key=lambda one: -(one.n or 0))


def columns(ask: QuestionFilter, n: int, baseline: int) -> list[int]:
    """The variants with a column: the chosen ones, or the first four of baseline, pair and the others."""
    if ask.show:
        return list(ask.show)
    first = dict.fromkeys((baseline, ask.a, ask.b, *range(n)) if n else ())
    return sorted([*first][:MAX_COLUMNS])


def _range(low: Number | None, high: Number | None) -> str:
    if low is None and high is None:
        return ""
    least, most = ("" if one is None else format_number(one) for one in (low, high))
    if least == most:
        return f"= {least}"
    return f"{least}–{most}" if least and most else f"≥ {least}" if least else f"≤ {most}"


def _short(text: str) -> str:
    return one_line(text[: 4 * _MAX_CELLS], _MAX_CELLS)
