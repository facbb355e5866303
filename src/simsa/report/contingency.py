"""Head to head: how often a variant's score of so much met the other's score of so much on the same question."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, NamedTuple

from simsa.records import Criteria
from simsa.report.score_matrix import TOTAL

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simsa.report.score_matrix import Floats, ScoreMatrix

MOST_VARIANTS = 12
"""With more, only pairs with the baseline are counted: there would be hundreds of others."""
_STEPS = 5
_MOST_LEVELS = 7
_SAME = 1e-9


class Range(NamedTuple):
    """The scores of one row or column of a grid, both ends included. A mean of several answers counts as the
    nearest integer."""

    low: int
    high: int

    @property
    def text(self) -> str:
        return str(self.low) if self.low == self.high else f"{self.low}–{self.high}"


def ranges_of(criteria: Criteria) -> dict[str, tuple[Range, ...]]:
    """The rows and columns of the grid of each criterion, and of the total where there is one.

    A criterion with few levels has a row for each; others, and the total, have one for the lowest
    score and four of equal width above it.
    """
    found = {
        c.name: tuple(Range(n, n) for n in c.levels) if c.span < _MOST_LEVELS else _split(c.low, c.high)
        for c in criteria
    }
    low, high = criteria.min_total, criteria.max_total
    if low is not None and high is not None:
        found[TOTAL] = _split(math.floor(low), math.ceil(high))
    return found


def _split(low: int, high: int) -> tuple[Range, ...]:
    ends = [low, *(low + (2 * n * (high - low) + 4) // 8 for n in range(1, 5))]
    return (Range(low, low), *(Range(a + 1, b) for a, b in pairwise(ends) if b > a))


class ScoreContingency(NamedTuple):
    """Questions by both variants' scores of one criterion, or of the total.

    `counts[i][j]` is how many have a score of `a` in the i-th range and one of `b` in the j-th,
    lowest first. `wins` are those on which `a` is better, whatever the range. Questions without
    both scores are in no cell: `lacking` has how many lack only a's, only b's, and both.
    """

    a: str
    b: str
    criterion: str
    counts: tuple[tuple[int, ...], ...]
    wins: int
    ties: int
    losses: int
    lacking: tuple[int, int, int]
    ranges: tuple[Range, ...]

    @property
    def n(self) -> int:
        """Questions with both scores."""
        return self.wins + self.ties + self.losses

    def turned(self) -> ScoreContingency:
        """The same from the other side."""
        first, second, both = self.lacking
        turned = tuple(zip(*self.counts, strict=True))
        return ScoreContingency(
            self.b,
            self.a,
            self.criterion,
            turned,
            self.losses,
            self.ties,
            self.wins,
            (second, first, both),
            self.ranges,
        )


class ContingencyCell(NamedTuple):
    """One cell of a grid. `tone` says on which side of the diagonal it lies; `step` is 1 to 5 by how many
    there are, 0 for none."""

    a: Range
    b: Range
    n: int
    tone: str
    step: int


def contingencies(table: ScoreMatrix, baseline: str) -> Iterator[ScoreContingency]:
    """Every pair of variants, the baseline as `b`; empty where a pair has no score in common."""
    names = [baseline, *(name for name in table.variants if name != baseline)]
    many = len(names) > MOST_VARIANTS
    pairs = [(names[0], other) for other in names[1:]] if many else combinations(names, 2)
    ranges = ranges_of(table.criteria)
    for b, a in pairs:
        for criterion in sorted(ranges, key=lambda name: name != TOTAL):
            found = _head(table, a, b, criterion, ranges[criterion])
            if found.n:
                yield found


def pair(found: Sequence[ScoreContingency], a: str, b: str) -> list[ScoreContingency]:
    """What there is of one pair, whichever way round it was counted."""
    straight = [head for head in found if (head.a, head.b) == (a, b)]
    return straight or [head.turned() for head in found if (head.a, head.b) == (b, a)]


def cells(head: ScoreContingency) -> list[tuple[Range, list[ContingencyCell]]]:
    """The grid as it is drawn: scores of `a` from the top down, those of `b` from left to right, lowest first,
    so that what lies above the diagonal is better."""
    most = max(n for row in head.counts for n in row)
    ranges = head.ranges
    return [
        (
            ranges[i],
            [
                ContingencyCell(ranges[i], ranges[j], n, _tone(i - j), _step(n, most))
                for j, n in enumerate(head.counts[i])
            ],
        )
        for i in reversed(range(len(ranges)))
    ]


def _tone(difference: int) -> str:
    return "better" if difference > 0 else "worse" if difference < 0 else "equal"


def _step(n: int, most: int) -> int:
    """By the square root: a cell of a hundred still shows beside one of ten thousand."""
    return 0 if not n else max(1, round(_STEPS * (n / most) ** 0.5))


def _head(table: ScoreMatrix, a: str, b: str, criterion: str, ranges: tuple[Range, ...]) -> ScoreContingency:
    import numpy as np

    ours, theirs = table.column(a, criterion), table.column(b, criterion)
    has_a, has_b = np.isfinite(ours), np.isfinite(theirs)
    both = has_a & has_b
    ours, theirs = ours[both], theirs[both]
    n = len(ranges)
    places = _places(ours, ranges) * n + _places(theirs, ranges)
    counts = np.bincount(places, minlength=n * n).reshape(n, n)
    differences = ours - theirs
    wins, losses = int((differences > _SAME).sum()), int((differences < -_SAME).sum())
    lacking = int((~has_a & has_b).sum()), int((has_a & ~has_b).sum()), int((~has_a & ~has_b).sum())
    rows = tuple(tuple(row) for row in counts.tolist())
    return ScoreContingency(
        a, b, criterion, rows, wins, len(differences) - wins - losses, losses, lacking, ranges
    )


def _places(scores: Floats, ranges: Sequence[Range]) -> NDArray[np.intp]:
    """Which of the ranges each score is in, from 0."""
    import numpy as np

    found = np.searchsorted([one.high for one in ranges], np.floor(scores + 0.5))
    return np.minimum(found, len(ranges) - 1)
