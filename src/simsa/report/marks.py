"""The marks of the report's charts: where each stands, in percent of the width, and what it says.

They are drawn as inline SVG beside figures in a table. Plotting libraries were looked at:
theirs bring a script, a font or a second copy for the dark, and a stacked bar and a whisker
are a rectangle and two lines.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from simsa.records import CRITERIA, MAX_SCORE, MAX_TOTAL
from simsa.report.numbers import fixed, interval, p_value, signed
from simsa.report.words import Words

if TYPE_CHECKING:
    from simsa.report.model import Summary, VariantSummary
    from simsa.stats import Comparison

LEVELS = tuple(range(1, MAX_SCORE + 1))
# Narrower parts have no room for their share.
_LABELLED = 9.0
_HALF = 47.0
_STEPS = (0.1, 0.2, 0.5, 1.0, 2.0, 4.0)
_MOST_TICKS = 3
_MOST_TYPES = 40


class Segment(NamedTuple):
    """A part of a stacked bar. `label` is empty where there is no room for one."""

    level: int
    start: float
    width: float
    title: str
    label: str

    @property
    def middle(self) -> float:
        return round(self.start + self.width / 2, 3)


class Bar(NamedTuple):
    """The distribution of one variant's scores of one criterion; `counts` go by level, lowest first."""

    variant: str
    segments: tuple[Segment, ...]
    counts: tuple[int, ...]
    mean: str
    n: int


class Whisker(NamedTuple):
    """A paired difference with its interval; zero stands at 50. `band` is the margin of equivalence."""

    label: str
    low: float
    point: float
    high: float
    band: tuple[float, float] | None
    tone: str
    difference: str
    ci95: str
    verdict: str
    p: str
    record: str
    strong: bool

    @property
    def title(self) -> str:
        return f"{self.label} {self.difference} {self.ci95} · {self.verdict}"


class Tick(NamedTuple):
    """A place on the axis under the whiskers."""

    at: float
    label: str


class Forest(NamedTuple):
    """One variant's differences over a common axis."""

    variant: str
    whiskers: tuple[Whisker, ...]
    ticks: tuple[Tick, ...]


class Heat(NamedTuple):
    """A mean total of one type of question; `warmth` is 0 for the lowest possible, 1 for the highest."""

    mean: str
    n: int
    warmth: float | None


class Answering(NamedTuple):
    """One variant's 2×2 of answerable × abstained: counts, the shares of their rows, and what follows."""

    variant: str
    answerable: tuple[int, int]
    unanswerable: tuple[int, int]
    f1: str
    over_refusal: str


def bars(summary: Summary, criterion: str) -> list[Bar]:
    """A bar for each variant that has scores of `criterion` on the 1–5 scale.

    Of several answers to a question each counts by itself; the mean is that over questions.
    """
    found = []
    for variant in summary.variants:
        scores = variant.whole.criteria.get(criterion)
        by_level = variant.answer_counts.get(criterion) or (scores and scores.counts)
        if scores and by_level:
            counts = tuple(by_level.get(str(level), 0) for level in LEVELS)
            found.append(Bar(variant.name, tuple(_segments(counts)), counts, fixed(scores.mean), sum(counts)))
    return found


def _segments(counts: Sequence[int]) -> Iterator[Segment]:
    start = 0.0
    for level, count in zip(LEVELS, counts, strict=True):
        width = 100 * count / sum(counts)
        if count:
            label = f"{width:.0f}" if width >= _LABELLED else ""
            title = f"{level}: {count} ({width:.0f} %)"
            yield Segment(level, round(start, 3), round(width, 3), title, label)
        start += width


def forests(summary: Summary, say: Words) -> list[Forest]:
    """The differences of every compared variant; the total at a quarter of its size, as a mean criterion."""
    drawn = [c for c in summary.comparisons if c.ci95 is not None and c.mean_diff is not None]
    if not drawn:
        return []
    reach = max(max(map(abs, _scaled(c, c.ci95 or ()))) for c in drawn) or 1.0
    ticks = tuple(_ticks(reach))
    return [
        Forest(name, tuple(_whisker(c, reach, say) for c in drawn if c.variant == name), ticks)
        for name in dict.fromkeys(c.variant for c in drawn)
    ]


def _scaled(comparison: Comparison, values: Sequence[float]) -> list[float]:
    parts = len(CRITERIA) if comparison.criterion == "total" else 1
    return [value / parts for value in values]


def _at(value: float, reach: float) -> float:
    return round(50 + _HALF * max(-1.0, min(1.0, value / reach)), 2)


def _whisker(c: Comparison, reach: float, say: Words) -> Whisker:
    assert c.ci95 is not None and c.mean_diff is not None  # only such are drawn
    low, point, high = (_at(v, reach) for v in _scaled(c, (c.ci95[0], c.mean_diff, c.ci95[1])))
    band = None if c.margin is None else [_at(v, reach) for v in _scaled(c, (-c.margin, c.margin))]
    return Whisker(
        label=say(c.criterion),
        low=low,
        point=point,
        high=high,
        band=None if band is None else (band[0], round(band[1] - band[0], 2)),
        tone={"better": "good", "worse": "bad"}.get(c.verdict, "plain"),
        difference=signed(c.mean_diff),
        ci95=interval(c.ci95),
        verdict=say(c.verdict),
        p=p_value(c.p_adjusted),
        record=f"{c.wins}/{c.ties}/{c.losses}",
        strong=c.criterion == "total",
    )


def _ticks(reach: float) -> Iterator[Tick]:
    step = next((s for s in _STEPS if reach / s <= _MOST_TICKS), _STEPS[-1])
    most = math.floor(reach / step + 1e-9)
    places = 0 if step >= 1 else 1
    for n in range(-most, most + 1):
        yield Tick(_at(n * step, reach), signed(n * step, places))


def heat(summary: Summary, say: Words) -> list[tuple[str, list[Heat]]]:
    """Rows of types, the largest forty in their order; empty when nothing was scored."""
    sizes = _sizes(summary)
    shown = sorted(sorted(sizes, key=lambda name: -sizes[name])[:_MOST_TYPES])
    if not any(part.total for v in summary.variants for part in v.types.values()):
        return []
    return [(name or say("untyped"), [_warmth(v, name) for v in summary.variants]) for name in shown]


def left_out(summary: Summary, say: Words) -> str:
    """Says how many types `heat` leaves out; empty when it has them all."""
    left = len(_sizes(summary)) - _MOST_TYPES
    return say("heat.more", shown=_MOST_TYPES, n=left) if left > 0 else ""


def _sizes(summary: Summary) -> dict[str, int]:
    return {name: part.n for v in summary.variants for name, part in v.types.items()}


def _warmth(variant: VariantSummary, name: str) -> Heat:
    total = variant.types[name].total if name in variant.types else None
    if total is None:
        return Heat("–", 0, None)
    lowest = len(CRITERIA)
    warmth = (total.mean - lowest) / (MAX_TOTAL - lowest)
    return Heat(fixed(total.mean, 1), total.n, round(min(1.0, max(0.0, warmth)), 3))


def answering(summary: Summary) -> list[Answering]:
    """The 2×2 of every variant; none when nothing was declined and nothing had to be."""
    found = [
        Answering(
            variant.name,
            (table.answerable_answered, table.answerable_abstained),
            (table.unanswerable_answered, table.unanswerable_abstained),
            fixed(table.f1),
            "–" if table.over_refusal_rate is None else f"{100 * table.over_refusal_rate:.0f} %",
        )
        for variant in summary.variants
        if (table := variant.whole.abstention) is not None
    ]
    return found if any(a.answerable[1] or sum(a.unanswerable) for a in found) else []
