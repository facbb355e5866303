"""Pictures as numbers: distributions of scores as stacked bars, runs over time as lines. Templates draw them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from simsa.records import CRITERIA, MAX_SCORE, MAX_TOTAL
from simsa.report import marks
from simsa.report.numbers import fixed, interval

if TYPE_CHECKING:
    from simsa.report import Summary
    from simsa.stats import Distribution

WIDTH, HEIGHT = 640, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 24, 16, 44
_LEAST_SPAN = 0.8

Y = Callable[[float], float]


class Segment(NamedTuple):
    """The share of one level in a bar, in percent of its width."""

    level: int
    n: int
    start: float
    width: float


class Bar(NamedTuple):
    """One variant's scores of one criterion."""

    variant: str
    segments: tuple[Segment, ...]
    mean: str
    n: int
    several: bool = False
    """Whether questions have several answers: each counts here, while the list of questions goes by their mean."""


def bars(summary: Summary) -> list[tuple[str, list[Bar]]]:
    """For each criterion that was scored, a bar a variant."""
    found = [(name, list(_bars(summary, name))) for name in CRITERIA]
    return [(name, made) for name, made in found if made]


def _bars(summary: Summary, criterion: str) -> Iterator[Bar]:
    several = {variant.name: variant.n_samples > 1 for variant in summary.variants}
    for bar in marks.bars(summary, criterion):
        segments = (
            Segment(s.level, bar.counts[s.level - 1], round(s.start, 2), round(s.width, 2))
            for s in bar.segments
        )
        yield Bar(bar.variant, tuple(segments), bar.mean, bar.n, several[bar.variant])


class Key(NamedTuple):
    """What must be the same for two runs' figures of a variant to be joined by a line."""

    variant: str
    judge: str
    rubric: str
    mode: str
    data_hash: str


class Point(NamedTuple):
    """A variant's mean in one run; `x` and `y`, `low` and `high` are places in the picture."""

    run: int
    x: float
    y: float
    low: float
    high: float
    text: str


class Line(NamedTuple):
    """Points that may be compared, in the order of time. `tone` is the same for a variant everywhere."""

    key: Key
    tone: int
    points: tuple[Point, ...]


class Tick(NamedTuple):
    at: float
    text: str


class History(NamedTuple):
    """Runs from left to right, oldest first; a line for what may be compared."""

    lines: tuple[Line, ...]
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
    found: dict[Key, list[tuple[int, Distribution]]] = {}
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
            Line(key, tones[key.variant], tuple(_point(n, d, places[n] + shift, y) for n, d in points))
        )
    scale = tuple(Tick(y(value), f"{value:g}") for value in _ticks(low, high))
    return History(tuple(lines), tuple(Tick(round(places[n], 1), str(n)) for n in order), scale)


def _point(number: int, found: Distribution, x: float, y: Y) -> Point:
    low, high = found.ci95 or (found.mean, found.mean)
    text = f"{fixed(found.mean)} {interval(found.ci95)}" if found.ci95 else fixed(found.mean)
    return Point(number, round(x, 1), y(found.mean), y(low), y(high), text)


def _means(summary: Summary, criterion: str) -> Iterator[tuple[Key, Distribution]]:
    judge = summary.judge
    for variant in summary.variants:
        found = variant.total if criterion == "total" else variant.whole.criteria.get(criterion)
        if found is not None and judge is not None:
            yield Key(variant.name, judge.model, judge.rubric, judge.mode, summary.run.data_hash), found


def _span(found: Sequence[Distribution], top: int) -> tuple[float, float]:
    """Lowest and highest value of the picture: what there is with its intervals, and some air."""
    if not found:
        return 0, top
    low = min(d.ci95[0] if d.ci95 else d.mean for d in found)
    high = max(d.ci95[1] if d.ci95 else d.mean for d in found)
    air = max(_LEAST_SPAN - (high - low), 0.1 * (high - low)) / 2
    return max(0.0, low - air), min(float(top), high + air)


def _ticks(low: float, high: float) -> list[float]:
    steps = (0.1, 0.2, 0.5, 1, 2, 5)
    step = next((s for s in steps if (high - low) / s <= 6), steps[-1])
    first = -int(-low // step)
    return [round(n * step, 2) for n in range(first, first + 20) if n * step <= high]
