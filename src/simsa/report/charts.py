"""Charts as numbers: where each mark is, what it says, and its colour. The templates draw them as inline SVG.

A plotting library would add a script, a font, or a second copy for dark screens; a stacked bar and an interval are
only rectangles and lines.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from simsa.i18n.messages import Words
from simsa.records import TOTAL, Criteria, Criterion
from simsa.report.format import (
    DASH,
    format_estimate,
    format_fixed,
    format_signed,
    interval,
    labels,
    p_value,
    percent,
    tone_of,
)

if TYPE_CHECKING:
    from simsa.report.summary_model import Summary, VariantSummary
    from simsa.stats import Comparison, Distribution

STOPS = 5
"""How many colours the palette of the style sheets has; other scales interpolate between them."""
_LAST_LIGHT = 3.2  # the darkest place in the palette on which dark text is readable
_MOST_BANDS = 11
_LABELED = 9.0  # percent of the width from which a segment has room for its share
_REACH = 47.0  # percent of the width on either side of zero
_STEPS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
_MOST_TICKS = 3
_MOST_TYPES = 40


class Band(NamedTuple):
    """One level of a scale, or of a long scale several neighbouring levels; both ends are included.

    `style` is the inline CSS of its colour, "" where the style sheet has a class for `stop` (1 to `STOPS`).
    """

    low: int
    high: int
    stop: int
    style: str

    @property
    def text(self) -> str:
        return str(self.low) if self.low == self.high else f"{self.low}–{self.high}"


class Segment(NamedTuple):
    """A part of a stacked bar in percent of its width. `label` is empty where there is no room for one."""

    band: Band
    n: int
    start: float
    width: float
    label: str

    @property
    def level(self) -> int:
        return self.band.low

    @property
    def middle(self) -> float:
        return round(self.start + self.width / 2, 3)

    @property
    def title(self) -> str:
        return f"{self.band.text}: {self.n} ({self.width:.0f} %)"


class Bar(NamedTuple):
    """The distribution of one variant's scores of one criterion; `counts` go by band, lowest first.

    Where questions have `several` answers each answer counts, and `mean` is that over questions.
    """

    variant: str
    segments: tuple[Segment, ...]
    counts: tuple[int, ...]
    mean: str
    n: int
    several: bool


class Tick(NamedTuple):
    """A labelled place on an axis."""

    at: float
    text: str


# Distributions of scores ---------------------------------------------------------------


def bands(criterion: Criterion) -> tuple[Band, ...]:
    """The levels of `criterion` with their colours; a long scale in at most eleven bands."""
    levels = criterion.levels
    width = math.ceil(len(levels) / _MOST_BANDS)
    starts = levels[::width]
    return tuple(
        Band(low, min(low + width - 1, criterion.high), *_colour(place, len(starts)))
        for place, low in enumerate(starts)
    )


def band_of(criterion: Criterion, score: int) -> Band:
    """The band of one score. Raises ValueError for a score outside of the scale."""
    for band in bands(criterion):
        if band.low <= score <= band.high:
            return band
    raise ValueError(f"{criterion.name} has no level {score}")


def _colour(place: int, n: int) -> tuple[int, str]:
    """The palette's stop for the `place`-th of `n` levels, and the inline colour where it lies between two stops."""
    if n == 1 or place == n - 1:
        return STOPS, ""
    if (STOPS - 1) % (n - 1) == 0:
        return 1 + (STOPS - 1) * place // (n - 1), ""
    # All but the last lie in the range on which dark text is readable.
    whole, share = divmod(_LAST_LIGHT * place / (n - 2), 1)
    stop = 1 + int(whole)
    if not share:
        return stop, ""
    mixed = f"color-mix(in oklab, var(--l{stop}), var(--l{stop + 1}) {100 * share:.0f}%)"
    return stop, f"fill: {mixed}; background: {mixed}"


def level_bars(summary: Summary) -> list[tuple[str, list[Bar]]]:
    """For each criterion that has scores, one bar a variant."""
    found = [(criterion.name, bars(summary, criterion)) for criterion in summary.criteria]
    return [(name, made) for name, made in found if made]


def bars(summary: Summary, criterion: Criterion) -> list[Bar]:
    """A bar for each variant that has integer scores of `criterion`."""
    found = []
    for variant in summary.variants:
        scores = variant.whole.criteria.get(criterion.name)
        by_level = variant.answer_counts.get(criterion.name) or (scores and scores.counts)
        if scores and by_level:
            parts = [
                (band, sum(by_level.get(str(level), 0) for level in range(band.low, band.high + 1)))
                for band in bands(criterion)
            ]
            counts = tuple(n for _, n in parts)
            n, several = sum(counts), variant.n_samples > 1
            segments = tuple(_segments(parts, n))
            found.append(Bar(variant.name, segments, counts, format_fixed(scores.mean), n, several))
    return found


def _segments(parts: Sequence[tuple[Band, int]], whole: int) -> Iterator[Segment]:
    start = 0.0
    for band, n in parts:
        width = 100 * n / whole
        if n:
            label = f"{width:.0f}" if width >= _LABELED else ""
            yield Segment(band, n, round(start, 3), round(width, 3), label)
        start += width


# Differences to the baseline -----------------------------------------------------------


class Whisker(NamedTuple):
    """A paired difference with its interval in percent of the width; zero is at 50. `band` is the margin of equivalence."""

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


class Forest(NamedTuple):
    """One variant's differences over a common axis."""

    variant: str
    whiskers: tuple[Whisker, ...]
    ticks: tuple[Tick, ...]


class DifferenceScale(NamedTuple):
    """How differences of different criteria share one axis.

    Where all criteria have scales of one length, the axis is in their points and the total is drawn smaller:
    `factors` has the factor of each name, `total_parts` its inverse for the total. Otherwise every difference
    is drawn as a share of its scale and `is_share` is true.
    """

    factors: Mapping[str, float]
    is_share: bool
    total_parts: float | None

    @classmethod
    def of(cls, criteria: Criteria) -> DifferenceScale:
        spans: dict[str, float] = {criterion.name: criterion.span for criterion in criteria}
        is_share = len(set(spans.values())) != 1
        unit = 1.0 if is_share else next(iter(spans.values()))
        if criteria.max_total is not None and criteria.min_total is not None:
            spans[TOTAL] = criteria.max_total - criteria.min_total
        parts = spans[TOTAL] / unit if TOTAL in spans and not is_share else None
        return cls({name: unit / (span or 1) for name, span in spans.items()}, is_share, parts)

    def drawn(self, comparison: Comparison, values: Sequence[float]) -> list[float]:
        return [value * self.factors.get(comparison.criterion, 1.0) for value in values]

    def tick(self, value: float, places: int) -> str:
        return f"{format_signed(100 * value, 0)} %" if self.is_share else format_signed(value, places)


def forests(summary: Summary, say: Words) -> list[Forest]:
    """The differences of every compared variant over one axis for all."""
    drawn = [c for c in summary.comparisons if c.ci95 is not None and c.mean_diff is not None]
    if not drawn:
        return []
    scale = DifferenceScale.of(summary.criteria)
    title = labels(summary.language, summary.criteria)
    reach = max(max(map(abs, scale.drawn(c, c.ci95 or ()))) for c in drawn) or 1.0
    ticks = tuple(_forest_ticks(reach, scale))
    return [
        Forest(
            name,
            tuple(_whisker(c, reach, scale, title(c.criterion), say) for c in drawn if c.variant == name),
            ticks,
        )
        for name in dict.fromkeys(c.variant for c in drawn)
    ]


def _at(value: float, reach: float) -> float:
    return round(50 + _REACH * max(-1.0, min(1.0, value / reach)), 2)


def _whisker(c: Comparison, reach: float, scale: DifferenceScale, title: str, say: Words) -> Whisker:
    assert c.ci95 is not None and c.mean_diff is not None  # `forests` leaves the others out
    low, point, high = (_at(v, reach) for v in scale.drawn(c, (c.ci95[0], c.mean_diff, c.ci95[1])))
    band = None if c.margin is None else [_at(v, reach) for v in scale.drawn(c, (-c.margin, c.margin))]
    return Whisker(
        label=title,
        low=low,
        point=point,
        high=high,
        band=None if band is None else (band[0], round(band[1] - band[0], 2)),
        tone=tone_of(c.verdict),
        difference=format_signed(c.mean_diff),
        ci95=interval(c.ci95),
        verdict=say(c.verdict),
        p=p_value(c.p_adjusted),
        record=f"{c.wins}/{c.ties}/{c.losses}",
        strong=c.criterion == TOTAL,
    )


def _forest_ticks(reach: float, scale: DifferenceScale) -> Iterator[Tick]:
    step = _step(reach, _MOST_TICKS)
    most = math.floor(reach / step + 1e-9)
    for n in range(-most, most + 1):
        yield Tick(_at(n * step, reach), scale.tick(n * step, 0 if step >= 1 else 1))


def _step(length: float, most: int) -> float:
    """The smallest round step that divides `length` into at most `most` parts."""
    return next((step for step in _STEPS if length / step <= most), _STEPS[-1])


# Types of questions, and abstentions ---------------------------------------------------


class Heat(NamedTuple):
    """A mean total of one type of question; `warmth` is 0 for the lowest possible total, 1 for the highest."""

    mean: str
    n: int
    warmth: float | None


class Answering(NamedTuple):
    """One variant's 2×2 table of answerable × abstained, and what follows from it."""

    variant: str
    answerable: tuple[int, int]
    unanswerable: tuple[int, int]
    f1: str
    over_refusal: str


def heat(summary: Summary, say: Words) -> list[tuple[str, list[Heat]]]:
    """One row for each of the forty largest types, by name; empty when nothing has a total."""
    sizes = _type_sizes(summary)
    shown = sorted(sorted(sizes, key=lambda name: -sizes[name])[:_MOST_TYPES])
    if not any(part.total for v in summary.variants for part in v.types.values()):
        return []
    return [
        (name or say("untyped"), [_heat(v, name, summary.criteria) for v in summary.variants])
        for name in shown
    ]


def types_left_out(summary: Summary, say: Words) -> str:
    """A sentence on how many types `heat` leaves out; empty when it has them all."""
    left = len(_type_sizes(summary)) - _MOST_TYPES
    return say("heat.more", shown=_MOST_TYPES, n=left) if left > 0 else ""


def _type_sizes(summary: Summary) -> dict[str, int]:
    return {name: part.n for v in summary.variants for name, part in v.types.items()}


def _heat(variant: VariantSummary, name: str, criteria: Criteria) -> Heat:
    total = variant.types[name].total if name in variant.types else None
    if total is None:
        return Heat(DASH, 0, None)
    low, high = criteria.min_total, criteria.max_total
    warmth = None
    if low is not None and high is not None and low < high:
        warmth = round(min(1.0, max(0.0, (total.mean - low) / (high - low))), 3)
    return Heat(format_fixed(total.mean, 1), total.n, warmth)


def answering(summary: Summary) -> list[Answering]:
    """The 2×2 table of every variant; none when nothing was declined and nothing had to be."""
    found = [
        Answering(
            variant.name,
            (table.answerable_answered, table.answerable_abstained),
            (table.unanswerable_answered, table.unanswerable_abstained),
            format_fixed(table.f1),
            DASH if table.over_refusal_rate is None else f"{percent(table.over_refusal_rate)} %",
        )
        for variant in summary.variants
        if (table := variant.whole.abstention) is not None
    ]
    return found if any(a.answerable[1] or sum(a.unanswerable) for a in found) else []


# Runs over time ------------------------------------------------------------------------

WIDTH, HEIGHT = 640, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 24, 16, 44
_LEAST_SPAN = 0.8
_MOST_GRIDLINES = 6


class ChartKey(NamedTuple):
    """What must be the same for the figures of two runs to be joined by a line."""

    variant: str
    judge: str
    rubric: str
    mode: str
    data_hash: str


class HistoryPoint(NamedTuple):
    """A variant's mean in one run; `x`, `y`, `low` and `high` are places in the chart."""

    run: int
    x: float
    y: float
    low: float
    high: float
    text: str


class HistoryLine(NamedTuple):
    """Comparable points in the order of time. A variant has the same `tone` in every line."""

    key: ChartKey
    tone: int
    points: tuple[HistoryPoint, ...]


class History(NamedTuple):
    """Runs from left to right, oldest first, and a line for what can be compared."""

    lines: tuple[HistoryLine, ...]
    runs: tuple[Tick, ...]
    scale: tuple[Tick, ...]

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
    scales = [_scale_of(summary.criteria, criterion) for summary in summaries.values()]
    low, high = _span([d for points in found.values() for _, d in points], scales)
    variants = list(dict.fromkeys(key.variant for key in found))
    step = (WIDTH - _LEFT - _RIGHT) / max(1, len(order))
    places = {number: _LEFT + step * (n + 0.5) for n, number in enumerate(order)}

    def y(value: float) -> float:
        share = (min(max(value, low), high) - low) / (high - low)
        return round(HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM), 1)

    lines = []
    for key, points in found.items():
        tone = variants.index(key.variant)
        # Side by side, so that intervals of several variants do not hide each other.
        shift = (tone - (len(variants) - 1) / 2) * min(10.0, step / (len(variants) + 1))
        lines.append(HistoryLine(key, tone, tuple(_point(n, d, places[n] + shift, y) for n, d in points)))
    scale = tuple(Tick(y(value), f"{value:g}") for value in _gridlines(low, high))
    return History(tuple(lines), tuple(Tick(round(places[n], 1), str(n)) for n in order), scale)


def _point(number: int, found: Distribution, x: float, y: Callable[[float], float]) -> HistoryPoint:
    low, high = found.ci95 or (found.mean, found.mean)
    text = format_estimate(found.mean, found.ci95)
    return HistoryPoint(number, round(x, 1), y(found.mean), y(low), y(high), text)


def _means(summary: Summary, criterion: str) -> Iterator[tuple[ChartKey, Distribution]]:
    judge = summary.judge
    for variant in summary.variants:
        found = variant.total if criterion == TOTAL else variant.whole.criteria.get(criterion)
        if found is not None and judge is not None:
            yield ChartKey(variant.name, judge.model, judge.rubric, judge.mode, summary.run.data_hash), found


def _scale_of(criteria: Criteria, name: str) -> tuple[float, float] | None:
    """The lowest and highest possible score of `name`; None where the rubric does not have it."""
    if name == TOTAL:
        low, high = criteria.min_total, criteria.max_total
        return None if low is None or high is None else (low, high)
    criterion = criteria.named(name)
    return None if criterion is None else (criterion.low, criterion.high)


def _span(found: Sequence[Distribution], scales: Sequence[tuple[float, float] | None]) -> tuple[float, float]:
    """The lowest and highest value of the chart: the means with their intervals and some air."""
    known = [scale for scale in scales if scale is not None]
    bottom = min([0.0, *(low for low, _ in known)])
    top = max((high for _, high in known), default=1.0)
    if not found:
        return bottom, top
    low = min(d.ci95[0] if d.ci95 else d.mean for d in found)
    high = max(d.ci95[1] if d.ci95 else d.mean for d in found)
    air = max(_LEAST_SPAN - (high - low), 0.1 * (high - low)) / 2
    return max(bottom, low - air), min(float(top), high + air)


def _gridlines(low: float, high: float) -> list[float]:
    step = _step(high - low, _MOST_GRIDLINES)
    first = -int(-low // step)
    return [round(n * step, 2) for n in range(first, first + 20) if n * step <= high]
