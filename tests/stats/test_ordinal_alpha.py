"""Ordinal α among several raters, against its definition computed by hand."""

from __future__ import annotations

import itertools
import math
import random

import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsa.stats import agree, ordinal_alpha

SCORE = st.none() | st.integers(1, 5)
ITEMS = st.lists(st.tuples(SCORE, SCORE, SCORE), min_size=1, max_size=30)


def by_definition(items: list[tuple[int | None, ...]]) -> float | None:
    """1 − observed/expected disagreement with ordinal distances (Krippendorff 2011, §C)."""
    rated = [[s for s in scores if s is not None] for scores in items]
    rated = [scores for scores in rated if len(scores) > 1]
    counts = {k: sum(scores.count(k) for scores in rated) for k in range(1, 6)}
    n = sum(counts.values())
    if sum(1 for c in counts.values() if c) < 2:
        return None

    def distance(a: int, b: int) -> float:
        low, high = min(a, b), max(a, b)
        between = sum(counts[k] for k in range(low, high + 1))
        return (between - (counts[low] + counts[high]) / 2) ** 2

    observed = sum(
        distance(a, b) / (len(scores) - 1) for scores in rated for a, b in itertools.permutations(scores, 2)
    )
    expected = sum(counts[a] * counts[b] * distance(a, b) for a in counts for b in counts if a != b)
    return 1 - (n - 1) * observed / expected


@settings(max_examples=200, deadline=None)
@given(ITEMS)
def test_it_is_the_published_figure_with_gaps_too(items: list[tuple[int | None, ...]]) -> None:
    expected = by_definition(items)
    found = ordinal_alpha(items)
    if expected is None:
        assert found is None
    else:
        assert found == pytest.approx(expected, abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(ITEMS, st.randoms())
def test_neither_the_order_of_items_nor_of_raters_matters(
    items: list[tuple[int | None, ...]], dice: random.Random
) -> None:
    mixed = [tuple(dice.sample(scores, len(scores))) for scores in dice.sample(items, len(items))]
    assert ordinal_alpha(mixed) == pytest.approx(ordinal_alpha(items), abs=1e-9)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_it_equals_the_krippendorff_package_on_any_scale(data: st.DataObject) -> None:
    """Random scales (whole or not), two to five raters, missing scores."""
    scale = sorted(data.draw(st.sets(st.floats(-10, 100), min_size=2, max_size=17), label="scale"))
    n_raters = data.draw(st.integers(2, 5), label="raters")
    score = st.none() | st.sampled_from(scale)
    table = data.draw(st.lists(st.tuples(*[score] * n_raters), min_size=1, max_size=30), label="items")
    found, occurring = ordinal_alpha(table, scale), ordinal_alpha(table)
    if found is None:
        assert occurring is None
        return
    units = np.array([[math.nan if s is None else s for s in scores] for scores in table])
    oracle = krippendorff.alpha(units.T, level_of_measurement="ordinal", value_domain=scale)
    assert found == pytest.approx(oracle, abs=1e-12)
    assert occurring == pytest.approx(oracle, abs=1e-12)


def test_of_two_raters_it_is_that_of_the_calibration() -> None:
    labels, judged = [1, 2, 3, 4, 5, 3, 2], [1, 2, 4, 4, 4, 3, 1]
    both = agree(labels, judged, range(1, 6)).krippendorff_alpha
    assert ordinal_alpha(list(zip(labels, judged, strict=True))) == pytest.approx(both)


def test_what_tells_nothing_has_no_figure() -> None:
    assert ordinal_alpha([]) is None
    assert ordinal_alpha([(3, None), (None, 4)]) is None, "nobody scored what another did"
    assert ordinal_alpha([(3, 3), (3, 3)]) is None, "nothing varies"
    assert ordinal_alpha([(1, 1), (5, 5)]) == 1.0
