"""Pairs of variants head to head: how often each combination of scores occurs on the same question."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, NamedTuple

from simsa.records import TOTAL, Criteria

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simsa.report.score_matrix import Floats, ScoreMatrix

MOST_VARIANTS = 12
"""With more variants only pairs with the baseline are counted."""
_STEPS = 5
_MOST_LEVELS = 7
_SAME = 1e-9


class Range(NamedTuple):
    """The scores of one row or column of a grid, both ends included. A mean counts as the nearest integer."""

    low: int
    high: int

    @property
    def text(self) -> str:
        return str(self.low) if self.low == self.high else f"{self.low}–{self.high}"


def ranges_of(criteria: Criteria) -> dict[str, tuple[Range, ...]]:
    """The rows and columns of the grid of each criterion and of the total, where there is one.

    A criterion with at most seven levels has a row for each. Others, and the total, have one row for the
    lowest score and four rows of equal width above it.
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

    `counts[i][j]` is the number of questions with `a`'s score in range i and `b`'s in range j, the lowest
    first. On `wins` questions the score of `a` is higher. Questions without both scores are in no cell:
    `lacking` counts those without a's only, b's only, and both.
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
        """The same with `a` and `b` exchanged."""
        only_a, only_b, both = self.lacking
        return self._replace(
            a=self.b,
            b=self.a,
            counts=tuple(zip(*self.counts, strict=True)),
            wins=self.losses,
            losses=self.wins,
            lacking=(only_b, only_a, both),
        )


class ContingencyCell(NamedTuple):
    """One cell of a grid. `tone` is the side of the diagonal, `step` 1 to 5 by the count, 0 for an empty cell."""

    a: Range
    b: Range
    n: int
    tone: str
    step: int


def contingencies(matrix: ScoreMatrix, baseline: str) -> Iterator[ScoreContingency]:
    """Every pair of variants with the baseline as `b`, the total first; pairs without common scores are left out."""
    names = [baseline, *(name for name in matrix.variants if name != baseline)]
    many = len(names) > MOST_VARIANTS
    pairs = [(names[0], other) for other in names[1:]] if many else combinations(names, 2)
    ranges = ranges_of(matrix.criteria)
    for b, a in pairs:
        for criterion in sorted(ranges, key=lambda name: name != TOTAL):
            found = _count(matrix, a, b, criterion, ranges[criterion])
            if found.n:
                yield found


def pair(found: Sequence[ScoreContingency], a: str, b: str) -> list[ScoreContingency]:
    """The grids of one pair, with `a` as their `a`."""
    straight = [head for head in found if (head.a, head.b) == (a, b)]
    return straight or [head.turned() for head in found if (head.a, head.b) == (b, a)]


def cells(head: ScoreContingency) -> list[tuple[Range, list[ContingencyCell]]]:
    """The rows of the grid as drawn: scores of `a` from top down, the highest first, scores of `b` from the left.

    Cells above the diagonal are those in which `a` is better.
    """
    most = max(n for row in head.counts for n in row)
    tones = {True: "better", False: "worse"}
    return [
        (
            ours,
            [
                # By the square root, so that a cell of a hundred still shows beside one of ten thousand.
                ContingencyCell(
                    ours,
                    theirs,
                    n := head.counts[i][j],
                    "equal" if i == j else tones[i > j],
                    max(1, round(_STEPS * (n / most) ** 0.5)) if n else 0,
                )
                for j, theirs in enumerate(head.ranges)
            ],
        )
        for i, ours in reversed(list(enumerate(head.ranges)))
    ]


def _count(
    matrix: ScoreMatrix, a: str, b: str, criterion: str, ranges: tuple[Range, ...]
) -> ScoreContingency:
    import numpy as np

    ours, theirs = matrix.column(a, criterion), matrix.column(b, criterion)
    has_a, has_b = np.isfinite(ours), np.isfinite(theirs)
    both = has_a & has_b
    ours, theirs = ours[both], theirs[both]
    n = len(ranges)
    places = _places(ours, ranges) * n + _places(theirs, ranges)
    counts = np.bincount(places, minlength=n * n).reshape(n, n)
    differences = ours - theirs
    wins, losses = int((differences > _SAME).sum()), int((differences < -_SAME).sum())
    return ScoreContingency(
        a,
        b,
        criterion,
        counts=tuple(tuple(row) for row in counts.tolist()),
        wins=wins,
        ties=len(differences) - wins - losses,
        losses=losses,
        lacking=(int((~has_a & has_b).sum()), int((has_a & ~has_b).sum()), int((~has_a & ~has_b).sum())),
        ranges=ranges,
    )


def _places(scores: Floats, ranges: Sequence[Range]) -> NDArray[np.intp]:
    """For each score the index of its range."""
    import numpy as np

    found = np.searchsorted([one.high for one in ranges], np.floor(scores + 0.5))
    return np.minimum(found, len(ranges) - 1)
