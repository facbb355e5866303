"""The filters of a list in words, each with the list without it; and which variants have a column."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from simsa.i18n.language import KoreanNoun
from simsa.i18n.messages import Words
from simsa.report.format import label
from simsa.text import format_number, one_line
from simsa.web.query import TOTAL, QuestionFilter

MOST_COLUMNS = 4
_LONGEST = 60
_PATIENCE_S = 0.12


class ActiveFilter(NamedTuple):
    """A filter that is on, and what would be asked for without it."""

    text: str
    without: QuestionFilter


class FilterSuggestion(NamedTuple):
    """A filter without which some questions would fit: how many, None where there was no time to count."""

    chip: ActiveFilter
    n: int | None


def active_filters(ask: QuestionFilter, variants: Sequence[str], say: Words) -> list[ActiveFilter]:
    """Every filter that is on, in the order of the form."""
    return [
        ActiveFilter(text, ask.changed(**dict.fromkeys(off))) for text, off in _chips(ask, variants, say)
    ] + [ActiveFilter(text, ask.changed(**changes)) for text, changes in _others(ask, say)]


def _others(ask: QuestionFilter, say: Words) -> Iterator[tuple[str, dict[str, str]]]:
    """What has a default other than None."""
    if ask.search:
        yield f"{say('search')}: {_short(ask.search)}", {"search": ""}
    if ask.criterion != TOTAL:
        yield f"{say('criterion')}: {say(ask.criterion)}", {"criterion": TOTAL}


def _chips(ask: QuestionFilter, variants: Sequence[str], say: Words) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name in ("type", "ids", "cluster", "finish"):
        if (value := getattr(ask, name)) is not None:
            yield f"{say(name if name == 'type' else f'filter.{name}')}: {_short(value)}", (name,)
    if ask.variant is not None:
        yield f"{say('variant')}: {_short(variants[ask.variant])}", ("variant",)
    if ask.status is not None:
        yield (
            f"{say('status')}: {say('scored') if ask.status == 'scored' else say(f'status.{ask.status}')}",
            ("status",),
        )
    if text := _between(ask.low, ask.high):
        yield f"{say('filter.score')} {text}", ("low", "high")
    if ask.bounded_metric is not None:
        name = _short(label(say, ask.bounded_metric))
        yield f"{name} {_between(ask.mlow, ask.mhigh)}", ("metric", "mlow", "mhigh")
    for name in ("refused", "labelled"):
        if (value := getattr(ask, name)) is not None:
            yield f"{say(f'filter.{name}')}: {say(f'{name}.{value}')}", (name,)
    if not variants:
        return
    a, b = _short(variants[ask.a]), _short(variants[ask.b])
    if ask.diff is not None:
        yield f"{say('diff', a=a, b=b)}: {say(f'diff.{ask.diff}')}", ("diff",)
    for name, low, high, off in (
        (a, ask.alow, ask.ahigh, ("alow", "ahigh")),
        (b, ask.blow, ask.bhigh, ("blow", "bhigh")),
    ):
        if text := _between(low, high):
            yield say("filter.score_of", variant=name, text=text), off
    if ask.said is not None:
        yield say(f"said.{ask.said}_of", a=KoreanNoun(a), b=b), ("said",)


def filter_suggestions(
    found: Sequence[ActiveFilter], count: Callable[[QuestionFilter], int]
) -> list[FilterSuggestion]:
    """Of a list with nothing in it the filters that are worth taking away, those that bring most first.

    What can't be counted soon is not counted.
    """
    end = time.monotonic() + _PATIENCE_S
    counted = [
        FilterSuggestion(chip, count(chip.without) if time.monotonic() < end else None) for chip in found
    ]
    return sorted((one for one in counted if one.n != 0), key=lambda one: -(one.n or 0))


def columns(ask: QuestionFilter, n: int, baseline: int) -> list[int]:
    """The variants with a column: those that were chosen, or the first four of baseline, pair and the others."""
    if ask.show:
        return list(ask.show)
    first = dict.fromkeys((baseline, ask.a, ask.b, *range(n)) if n else ())
    return sorted([*first][:MOST_COLUMNS])


def _between(low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return ""
    if low == high and low is not None:
        return f"= {format_number(low)}"
    if high is None:
        return f"≥ {format_number(low or 0)}"
    return f"≤ {format_number(high)}" if low is None else f"{format_number(low)}–{format_number(high)}"


def _short(text: str) -> str:
    return one_line(text[: 4 * _LONGEST], _LONGEST)
