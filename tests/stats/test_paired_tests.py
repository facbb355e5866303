from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import friedmanchisquare
from statsmodels.stats.multitest import multipletests

from simsa.stats import friedman, holm


@pytest.mark.parametrize(
    "p_values",
    [[0.04], [0.01, 0.04, 0.03], [0.5, 0.5, 0.001, 0.02, 0.02], [1.0, 0.0, 0.3, 0.011, 0.012, 0.9]],
)
def test_holm_is_statsmodels_s(p_values: list[float]) -> None:
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1], abs=1e-12)


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_only_ever_raises_p_and_keeps_the_order(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(q is not None and p <= q <= 1 for p, q in zip(p_values, adjusted, strict=True))
    ranked = [q for _, q in sorted(zip(p_values, adjusted, strict=True))]
    assert ranked == sorted(ranked)  # type: ignore[type-var]


def test_a_missing_p_takes_no_part() -> None:
    assert holm([0.01, None, 0.04]) == [0.02, None, 0.04]
    assert holm([None]) == [None]
    assert holm([]) == []
    assert holm([0.03]) == [0.03]


def by_question(values: list[int]) -> dict[str, float | None]:
    return {f"q{i}": float(v) for i, v in enumerate(values)}


def test_friedman_is_scipy_s() -> None:
    rows = [[1, 3, 2, 5, 4, 3], [2, 3, 4, 5, 5, 2], [5, 5, 4, 5, 5, 4]]
    found, expected = friedman([by_question(row) for row in rows]), friedmanchisquare(*rows)
    assert found is not None
    assert (found.statistic, found.p_value) == pytest.approx((expected.statistic, expected.pvalue))
    assert (found.n, found.k) == (6, 3)


def test_friedman_takes_the_questions_that_all_have() -> None:
    a, b, c = by_question([1, 3, 2, 5]), by_question([2, 2, 4, 4]), by_question([5, 5, 4, 3])
    a["q0"] = None
    del b["q1"]
    found = friedman([a, b, c])
    assert found is not None
    assert found.n == 2


def test_friedman_where_there_is_nothing_to_test() -> None:
    same = by_question([1, 2, 3])
    assert friedman([same, same]) is None
    assert friedman([same, same, same]) is None
    assert friedman([same, same, {"other": 1.0}]) is None
    assert friedman([]) is None
