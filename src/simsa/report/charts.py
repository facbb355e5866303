"""The marks of the report's charts: where each stands, in percent of the width, and what it says.

They are drawn as inline SVG beside figures in a table. Plotting libraries were looked at:
theirs bring a script, a font or a second copy for the dark, and a stacked bar and a whisker
are a rectangle and two lines.

Pictures as numbers: distributions of scores as stacked bars, runs over time as lines. Templates draw them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from simsa.i18n.messages import Words
from simsa.records import CRITERIA, MAX_SCORE, MAX_TOTAL
from simsa.report.format import format_fixed, format_signed, interval, p_value

if TYPE_CHECKING:
    from simsa.report.summary_model import Summary, VariantSummary
    from simsa.stats import Comparison, Distribution

LEVELS = tuple(range(1, MAX_SCORE + 1))
# Narrower parts have no room for their share.
_LABELLED = 9.0
_HALF = 47.0
_STEPS = (0.1, 0.2, 0.5, 1.0, 2.0, 4.0)
_MOST_TICKS = 3
_MOST_TYPES = 40


class BarSegment(NamedTuple):
    """A part of a stacked bar. `label` is empty where there is no room for one."""

    level: int
    start: float
    width: float
    title: str
    label: str

    @property
    def middle(self) -> float:
        return round(self.start + self.width / 2, 3)


class ScoreBar(NamedTuple):
    """The distribution of one variant's scores of one criterion; `counts` go by level, lowest first."""

    variant: str
    segments: tuple[BarSegment, ...]
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


class ForestTick(NamedTuple):
    """A place on the axis under the whiskers."""

    at: float
    label: str


class Forest(NamedTuple):
    """One variant's differences over a common axis."""

    variant: str
    whiskers: tuple[Whisker, ...]
    ticks: tuple[ForestTick, ...]


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


def bars(summary: Summary, criterion: str) -> list[ScoreBar]:
    """A bar for each variant that has scores of `criterion` on the 1–5 scale.

    Of several answers to a question each counts by itself; the mean is that over questions.
    """
    found = []
    for variant in summary.variants:
        scores = variant.whole.criteria.get(criterion)
        by_level = variant.answer_counts.get(criterion) or (scores and scores.counts)
        if scores and by_level:
            counts = tuple(by_level.get(str(level), 0) for level in LEVELS)
            found.append(
                ScoreBar(
                    variant.name, tuple(_segments(counts)), counts, format_fixed(scores.mean), sum(counts)
                )
            )
    return found


def _segments(counts: Sequence[int]) -> Iterator[BarSegment]:
    start = 0.0
    for level, count in zip(LEVELS, counts, strict=True):
        width = 100 * count / sum(counts)
        if count:
            label = f"{width:.0f}" if width >= _LABELLED else ""
            title = f"{level}: {count} ({width:.0f} %)"
            yield BarSegment(level, round(start, 3), round(width, 3), title, label)
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
        difference=format_signed(c.mean_diff),
        ci95=interval(c.ci95),
        verdict=say(c.verdict),
        p=p_value(c.p_adjusted),
        record=f"{c.wins}/{c.ties}/{c.losses}",
        strong=c.criterion == "total",
    )


def _ticks(reach: float) -> Iterator[ForestTick]:
    step = next((s for s in _STEPS if reach / s <= _MOST_TICKS), _STEPS[-1])
    most = math.floor(reach / step + 1e-9)
    places = 0 if step >= 1 else 1
    for n in range(-most, most + 1):
        yield ForestTick(_at(n * step, reach), format_signed(n * step, places))


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
    return Heat(format_fixed(total.mean, 1), total.n, round(min(1.0, max(0.0, warmth)), 3))


def answering(summary: Summary) -> list[Answering]:
    """The 2×2 of every variant; none when nothing was declined and nothing had to be."""
    found = [
        Answering(
            variant.name,
            (table.answerable_answered, table.answerable_abstained),
            (table.unanswerable_answered, table.unanswerable_abstained),
            format_fixed(table.f1),
            "–" if table.over_refusal_rate is None else f"{100 * table.over_refusal_rate:.0f} %",
        )
        for variant in summary.variants
        if (table := variant.whole.abstention) is not None
    ]
    return found if any(a.answerable[1] or sum(a.unanswerable) for a in found) else []


WIDTH, HEIGHT = 640, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 24, 16, 44
_LEAST_SPAN = 0.8

Y = Callable[[float], float]


class LevelSegment(NamedTuple):
    """The share of one level in a bar, in percent of its width."""

    level: int
    n: int
    start: float
    width: float


class LevelBar(NamedTuple):
    """One variant's scores of one criterion."""

    variant: str
    segments: tuple[LevelSegment, ...]
    mean: str
    n: int
    several: bool = False
    """Whether questions have several answers: each counts here, while the list of questions goes by their mean."""


def level_bars(summary: Summary) -> list[tuple[str, list[LevelBar]]]:
    """For each criterion that was scored, a bar a variant."""
    found = [(name, list(_bars(summary, name))) for name in CRITERIA]
    return [(name, made) for name, made in found if made]


def _bars(summary: Summary, criterion: str) -> Iterator[LevelBar]:
    several = {variant.name: variant.n_samples > 1 for variant in summary.variants}
    for bar in bars(summary, criterion):
        segments = (
            LevelSegment(s.level, bar.counts[s.level - 1], round(s.start, 2), round(s.width, 2))
            for s in bar.segments
        )
        yield LevelBar(bar.variant, tuple(segments), bar.mean, bar.n, several[bar.variant])


class ChartKey(NamedTuple):
    """What must be the same for two runs' figures of a variant to be joined by a line."""

    variant: str
    judge: str
    rubric: str
    mode: str
    data_hash: str


class HistoryPoint(NamedTuple):
    """A variant's mean in one run; `x` and `y`, `low` and `high` are places in the picture."""

    run: int
    x: float
    y: float
    low: float
    high: float
    text: str


class HistoryLine(NamedTuple):
    """Points that may be compared, in the order of time. `tone` is the same for a variant everywhere."""

    key: ChartKey
    tone: int
    points: tuple[HistoryPoint, ...]


class HistoryTick(NamedTuple):
    at: float
    text: str


class History(NamedTuple):
    """Runs from left to right, oldest first; a line for what may be compared."""

    lines: tuple[HistoryLine, ...]
    runs: tuple[HistoryTick, ...]
    scale: tuple[HistoryTick, ...]

    @property
    def joined(self) -> int:
        """How many lines join at least two runs."""
        return sum(len(line.points) > 1 for line in self.lines)


def history(summaries: Mapping[int, Summary], criterion: str) -> History:
    """The means of `criterion` (or "total") by run. `summaries` go by the run's number on the page.

    Runs with another judge, rubric, mode or test set are never joined.
    """
    order = sorted(summaries, key=lambda number: (summaries[number].run.created, number))
    found: dict[ChartKey, list[tuple[int, Distribution]]] = {}
    for number in order:
        for key, distribution in _means(summaries[number], criterion):
            found.setdefault(key, []).append((number, distribution))
    top = MAX_TOTAL if criterion == "total" else MAX_SCORE
    low, high = _span([d for points in found.values() for _, d in points], top)
    tones: dict[str, int] = {}
    for key in found:
        tones.setdefault(key.variant, len(tones))
    step = (WIDTH - _LEFT - _RIGHT) / max(1, len(order))
    places = {number: _LEFT + step * (n + 0.5) for n, number in enumerate(order)}

    def y(value: float) -> float:
        share = (min(max(value, low), high) - low) / (high - low)
        return round(HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM), 1)

    lines = []
    for key, points in found.items():
        # Side by side, so that intervals of several variants do not hide each other.
        shift = (tones[key.variant] - (len(tones) - 1) / 2) * min(10.0, step / (len(tones) + 1))
        lines.append(
            HistoryLine(key, tones[key.variant], tuple(_point(n, d, places[n] + shift, y) for n, d in points))
        )
    scale = tuple(HistoryTick(y(value), f"{value:g}") for value in _ticks_pictures(low, high))
    return History(tuple(lines), tuple(HistoryTick(round(places[n], 1), str(n)) for n in order), scale)


def _point(number: int, found: Distribution, x: float, y: Y) -> HistoryPoint:
    low, high = found.ci95 or (found.mean, found.mean)
    text = f"{format_fixed(found.mean)} {interval(found.ci95)}" if found.ci95 else format_fixed(found.mean)
    return HistoryPoint(number, round(x, 1), y(found.mean), y(low), y(high), text)


def _means(summary: Summary, criterion: str) -> Iterator[tuple[ChartKey, Distribution]]:
    judge = summary.judge
    for variant in summary.variants:
        found = variant.total if criterion == "total" else variant.whole.criteria.get(criterion)
        if found is not None and judge is not None:
            yield ChartKey(variant.name, judge.model, judge.rubric, judge.mode, summary.run.data_hash), found


def _span(found: Sequence[Distribution], top: int) -> tuple[float, float]:
    """Lowest and highest value of the picture: what there is with its intervals, and some air."""
    if not found:
        return 0, top
    low = min(d.ci95[0] if d.ci95 else d.mean for d in found)
    high = max(d.ci95[1] if d.ci95 else d.mean for d in found)
    air = max(_LEAST_SPAN - (high - low), 0.1 * (high - low)) / 2
    return max(0.0, low - air), min(float(top), high + air)


def _ticks_pictures(low: float, high: float) -> list[float]:
    steps = (0.1, 0.2, 0.5, 1, 2, 5)
    step = next((s for s in steps if (high - low) / s <= 6), steps[-1])
    first = -int(-low // step)
    return [round(n * step, 2) for n in range(first, first + 20) if n * step <= high]
