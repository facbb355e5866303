"""The report as one HTML file: no network, no script, everything escaped, good on paper and in the dark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from simsa.records import CRITERIA, MAX_SCORE, MAX_TOTAL
from simsa.report.grids import grids, scores_line
from simsa.report.numbers import fixed, interval, signed
from simsa.report.sentences import headline, judged, unscored
from simsa.report.words import Words, words
from simsa.text import visible

if TYPE_CHECKING:
    from jinja2 import Environment

    from simsa.report.model import Summary, VariantSummary
    from simsa.stats import Comparison, Distribution

# Beyond these lengths a text is cut: the page is for looking, `simsa examples --json` has it whole.
_PASSAGE = 1_500
_LONGEST = 4_000
_LEVELS = range(1, MAX_SCORE + 1)


class Segment(NamedTuple):
    """A part of a stacked bar, in percent of its width."""

    level: int
    start: float
    width: float
    title: str


class Bar(NamedTuple):
    """The distribution of one variant's scores of one criterion."""

    variant: str
    segments: tuple[Segment, ...]
    mean: str
    n: int


class Whisker(NamedTuple):
    """A paired difference with its interval; positions in percent of the width, zero at 50."""

    label: str
    low: float
    point: float
    high: float
    tone: str
    text: str


class Heat(NamedTuple):
    """A mean total of one type of question; `warmth` is 0 for the lowest possible, 1 for the highest."""

    text: str
    warmth: float | None


def render(summary: Summary) -> str:
    """The whole page. Its language is the summary's."""
    say = words(summary.language)
    page = _environment(say).get_template("report.html.jinja")
    return page.render(
        summary=summary,
        say=say,
        headline=headline(summary),
        judged=judged(summary),
        unscored=[(v.name, unscored(v, summary.language)) for v in summary.variants if v.unscored],
        grids=[grid for grid in grids(summary, intervals=True) if grid.title != say("head.types")],
        distributions=[(say(name), bars) for name in CRITERIA if (bars := list(_bars(summary, name, say)))],
        levels=_LEVELS,
        whiskers=[(name, list(_whiskers(summary, name, say))) for name in _compared(summary)],
        heat=_heat(summary, say),
        criteria=CRITERIA,
        max_total=MAX_TOTAL,
        scores_line=scores_line,
    )


def _environment(say: Words) -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "passage": lambda text: _cut(text, _PASSAGE),
        "shown": lambda text: _cut(text, _LONGEST),
        "pretty": _pretty,
        "unbroken": lambda text: text.replace(", ", ",\u00a0"),
    }
    return environment


def _cut(text: str, limit: int) -> str:
    shown = visible(text)
    return shown if len(shown) <= limit else f"{shown[:limit]}…"


def _pretty(value: Any) -> str:
    import orjson

    return visible(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def _bars(summary: Summary, criterion: str, say: Words) -> Iterator[Bar]:
    for variant in summary.variants:
        found = variant.whole.criteria.get(criterion)
        if found and found.counts:
            yield Bar(variant.name, tuple(_segments(found)), fixed(found.mean), found.n)


def _segments(distribution: Distribution) -> Iterator[Segment]:
    start = 0.0
    counts = distribution.counts or {}
    for level in _LEVELS:
        count = counts.get(str(level), 0)
        width = 100 * count / distribution.n
        if count:
            yield Segment(level, round(start, 3), round(width, 3), f"{level}: {count} ({width:.0f} %)")
        start += width


def _compared(summary: Summary) -> list[str]:
    return list(dict.fromkeys(c.variant for c in summary.comparisons if c.ci95 is not None))


def _whiskers(summary: Summary, variant: str, say: Words) -> Iterator[Whisker]:
    """The total is drawn at a quarter of its size, which is that of a mean criterion."""
    reach = max((_reach(c) for c in summary.comparisons if c.ci95), default=0.0) or 1.0
    for c in summary.comparisons:
        if c.variant != variant or c.ci95 is None or c.mean_diff is None:
            continue
        scale = 48 / reach / (len(CRITERIA) if c.criterion == "total" else 1)
        low, point, high = (round(50 + scale * value, 2) for value in (c.ci95[0], c.mean_diff, c.ci95[1]))
        tone = {"better": "good", "worse": "bad"}.get(c.verdict, "plain")
        text = f"{signed(c.mean_diff)} {interval(c.ci95)} · {say(c.verdict)}"
        yield Whisker(say(c.criterion), low, point, high, tone, text)


def _reach(comparison: Comparison) -> float:
    assert comparison.ci95 is not None
    return max(map(abs, comparison.ci95)) / (len(CRITERIA) if comparison.criterion == "total" else 1)


def _heat(summary: Summary, say: Words) -> list[tuple[str, list[Heat]]]:
    names = dict.fromkeys(name for v in summary.variants for name in v.types)
    if not any(found.total for v in summary.variants for found in v.types.values()):
        return []
    return [(name or say("untyped"), [_warmth(v, name) for v in summary.variants]) for name in names]


def _warmth(variant: VariantSummary, name: str) -> Heat:
    total = variant.types[name].total if name in variant.types else None
    if total is None:
        return Heat("–", None)
    lowest = len(CRITERIA)
    warmth = (total.mean - lowest) / (MAX_TOTAL - lowest)
    return Heat(f"{fixed(total.mean, 1)} ({total.n})", round(warmth, 3))
