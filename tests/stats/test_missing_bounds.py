from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.power import NormalIndPower

from simsa.stats import difference_bounds, mde80, mean_bounds, questions_needed


def test_mde_by_hand() -> None:
    assert mde80(2.0, 100) == pytest.approx((1.959964 + 0.841621) * 2 / 10, abs=1e-5)
    assert mde80(0.0, 10) == 0.0
    assert mde80(1.0, 0) is None


@given(st.floats(0.1, 5), st.integers(5, 2000))
def test_mde_has_eighty_percent_power(sd: float, n: int) -> None:
    found = mde80(sd, n)
    assert found is not None
    # ratio 0 is the one-sample test.
    assert NormalIndPower(ddof=0).power(found / sd, n, 0.05, ratio=0) == pytest.approx(0.80, abs=1e-3)


@given(st.floats(0.05, 3), st.floats(0.1, 5))
def test_the_questions_needed_make_the_difference_the_mde(difference: float, sd: float) -> None:
    n = questions_needed(difference, sd)
    assert n is not None
    assert n == questions_needed(-difference, sd)
    enough, short = mde80(sd, n), mde80(sd, n - 1)
    assert enough is not None
    assert enough <= difference * (1 + 1e-9)
    assert short is None or short >= difference * (1 - 1e-9)


def test_no_difference_is_never_shown() -> None:
    assert questions_needed(0.0, 1.0) is None
    assert questions_needed(1.0, 0.0) is None
    assert questions_needed(1e-17, 1.0) is None, "the rounding of thirds is no difference"
    assert questions_needed(1e-200, 1.0) is None


def test_bounds_of_a_mean() -> None:
    assert mean_bounds([4.0, None, 2.0, None], 1, 5) == (2.0, 4.0)
    assert mean_bounds([4.0, 2.0], 1, 5) == (3.0, 3.0)
    assert mean_bounds([None], 1, 5) == (1.0, 5.0)
    assert mean_bounds([], 1, 5) is None


TRUTH = st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5), st.booleans(), st.booleans()), min_size=1)


@given(TRUTH)
def test_bounds_hold_the_truth_whatever_is_removed(rows: list[tuple[int, int, bool, bool]]) -> None:
    first = {str(i): None if gone else float(a) for i, (a, _, gone, _) in enumerate(rows)}
    second = {str(i): float(b) for i, (_, b, _, gone) in enumerate(rows) if not gone}
    mean = sum(a for a, *_ in rows) / len(rows)
    difference = sum(b - a for a, b, *_ in rows) / len(rows)
    low, high = mean_bounds(first.values(), 1, 5) or (9, 9)
    assert low - 1e-9 <= mean <= high + 1e-9
    low, high = difference_bounds(first, second, 1, 5) or (9, 9)
    assert low - 1e-9 <= difference <= high + 1e-9


def test_bounds_of_a_difference_by_hand() -> None:
    first = {"a": 2.0, "b": None}
    second = {"a": 4.0, "c": 3.0}
    # a: +2; b: from 1−5 to 5−1; c: from 3−5 to 3−1.
    assert difference_bounds(first, second, 1, 5) == pytest.approx(((2 - 4 - 2) / 3, (2 + 4 + 2) / 3))
    assert difference_bounds({}, {}, 1, 5) is None
    flipped = difference_bounds(second, first, 1, 5)
    assert flipped == pytest.approx((-(2 + 4 + 2) / 3, (4 + 2 - 2) / 3))
