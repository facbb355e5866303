"""Length bias: whether longer answers to the same question get higher scores."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from simsa.stats.intervals import Codes, Floats, NoteText, Range, StatNote, cluster_codes, finite, t_quantile


@dataclass(frozen=True, slots=True)
class LengthBias:
    """How scores depend on the lengths of answers to the same question.

    `slope` is in score points per doubling of the length, with questions held fixed; `ci95` is its
    cluster-robust t interval over questions (or documents). `correlation` is Pearson's r of the deviations from
    each question's means. `adjusted` also holds the variant fixed: a better variant with longer answers is then
    not counted as bias. A figure that cannot be computed is None, and `notes` gives the reason.
    """

    n: int
    n_questions: int
    slope: float | None = None
    ci95: Range | None = None
    correlation: float | None = None
    adjusted: float | None = None
    adjusted_ci95: Range | None = None
    notes: tuple[StatNote, ...] = ()

    def to_dict(self, note_text: NoteText) -> dict[str, Any]:
        """A criterion's entry of `length_bias` in the reports' JSON."""
        return {
            "n": self.n,
            "n_questions": self.n_questions,
            "slope_per_doubling": self.slope,
            "ci95": None if self.ci95 is None else list(self.ci95),
            "correlation": self.correlation,
            "adjusted_slope": self.adjusted,
            "adjusted_ci95": None if self.adjusted_ci95 is None else list(self.adjusted_ci95),
            "notes": list(map(note_text, self.notes)),
        }


def length_bias(
    scores: Sequence[float],
    lengths: Sequence[int],
    questions: Sequence[Hashable],
    variants: Sequence[Hashable],
    clusters: Sequence[Hashable] | None = None,
) -> LengthBias:
    """Regression of `scores` on log2(1 + length) with one intercept per question (the within estimator).

    The sequences are parallel: score, length of the answer in characters, question, variant, and the source
    document of the question. Questions with one row are left out. Raises ValueError for a score that is not
    finite or a negative length.
    """
    data = finite(scores)
    if any(length < 0 for length in lengths):
        raise ValueError("a length is negative")
    codes = cluster_codes(questions)
    several = np.bincount(codes)[codes] > 1 if len(codes) else np.zeros(0, dtype=bool)
    kept = np.flatnonzero(several)
    n, n_questions = len(kept), len(set(codes[kept].tolist()))
    if n_questions < 2:
        return LengthBias(n, n_questions, notes=(StatNote("few_questions"),))
    groups = cluster_codes([questions[place] for place in kept])
    x = _within(np.log2(1 + np.array(lengths, dtype=np.float64)[kept]), groups)
    y = _within(data[kept], groups)
    blocks = groups if clusters is None else cluster_codes([clusters[place] for place in kept])
    if not (x**2).sum() > 1e-9 * n:
        return LengthBias(n, n_questions, notes=(StatNote("equal_lengths"),))
    slope, ci95 = _slope(x, y, blocks)
    spread = math.sqrt(float((x**2).sum() * (y**2).sum()))
    dummies = _dummies([variants[place] for place in kept], groups)
    adjusted, adjusted_ci95 = _slope(_residuals(x, dummies), _residuals(y, dummies), blocks)
    return LengthBias(
        n,
        n_questions,
        slope,
        ci95,
        float((x * y).sum()) / spread if spread else None,
        adjusted,
        adjusted_ci95,
        () if adjusted is not None else (StatNote("length_is_variant"),),
    )


def _slope(x: Floats, y: Floats, blocks: Codes) -> tuple[float | None, Range | None]:
    """Least squares through the origin with a sandwich variance over blocks; t with blocks − 1 degrees."""
    squares = float((x**2).sum())
    if squares <= 1e-9 * len(x):
        return None, None
    slope = float((x * y).sum()) / squares
    n_blocks = int(blocks.max()) + 1
    if n_blocks < 2:
        return slope, None
    sums = np.bincount(blocks, weights=x * (y - slope * x))
    variance = float((sums**2).sum()) / squares**2 * n_blocks / (n_blocks - 1)
    half = t_quantile(n_blocks - 1) * math.sqrt(variance)
    return slope, (slope - half, slope + half)


def _within(values: Floats, groups: Codes) -> Floats:
    means = np.bincount(groups, weights=values) / np.bincount(groups)
    return np.asarray(values - means[groups])


def _dummies(variants: Sequence[Hashable], groups: Codes) -> Floats:
    """One column per variant except the first, as deviations from the questions' means."""
    codes = cluster_codes(variants)
    columns = [_within((codes == code).astype(np.float64), groups) for code in range(1, int(codes.max()) + 1)]
    return np.column_stack(columns) if columns else np.zeros((len(codes), 0))


def _residuals(values: Floats, columns: Floats) -> Floats:
    """Residuals of `values` after the regression on `columns` (Frisch–Waugh)."""
    if not columns.shape[1]:
        return values
    fitted, *_ = np.linalg.lstsq(columns, values, rcond=None)
    return np.asarray(values - columns @ fitted)
