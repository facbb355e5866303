from __future__ import annotations

import time
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import permutation_test, wilcoxon
from statsmodels.stats.contingency_tables import mcnemar

from simsa.stats import mcnemar_p, rank_biserial, sign_flip_p, wilcoxon_p

FEW = st.lists(st.integers(-4, 4), min_size=1, max_size=10)


def scipy_sign_flip(differences: list[float], resamples: float) -> float:
    found = permutation_test(
        (np.array(differences),),
        np.mean,
        permutation_type="samples",
        n_resamples=resamples,
        rng=np.random.default_rng(0),
        vectorized=True,
    )
    return float(found.pvalue)


@given(FEW)
@settings(deadline=None)
def test_exact_permutation_is_scipy_s(differences: list[int]) -> None:
    values = [float(d) for d in differences]
    if len(values) > 1:
        assert sign_flip_p(values) == pytest.approx(scipy_sign_flip(values, np.inf), abs=1e-9)


def test_fifteen_that_differ_are_exact_whatever_the_ties() -> None:
    assert sign_flip_p([1.0] * 15 + [0.0] * 100) == 2 / 2**15
    assert sign_flip_p([1.0] * 14) == 2 / 2**14


def test_sixteen_are_drawn_and_never_zero() -> None:
    p = sign_flip_p([1.0] * 16)
    assert p == pytest.approx(2 / 2**16, abs=6e-5)
    assert sign_flip_p([1.0] * 60) == 1 / 100_000


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_drawn_permutation_is_scipy_s_within_monte_carlo_error(shift: float) -> None:
    random = np.random.default_rng(3)
    values = [float(x) for x in np.round(random.normal(shift, 1.5, 60))]
    expected = scipy_sign_flip(values, 99_999)
    error = 4 * (expected * (1 - expected) / 100_000 * 2) ** 0.5 + 1e-5
    assert sign_flip_p(values) == pytest.approx(expected, abs=error)


def test_continuous_differences_too() -> None:
    values = [float(x) for x in np.random.default_rng(5).normal(0.2, 1, 80)]
    expected = scipy_sign_flip(values, 99_999)
    assert sign_flip_p(values) == pytest.approx(expected, abs=0.01)


@given(st.lists(st.integers(-4, 4), min_size=16, max_size=40), st.randoms())
@settings(max_examples=10, deadline=None)
def test_order_and_swap_change_nothing(differences: list[int], random: object) -> None:
    shuffled = list(differences)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    p = sign_flip_p(differences)
    assert p == sign_flip_p(shuffled) == sign_flip_p([-d for d in differences])
    assert 0 < p <= 1


@given(st.lists(st.floats(-4, 4), min_size=1, max_size=14))
def test_fractions_swap_too(differences: list[float]) -> None:
    assert sign_flip_p(differences) == sign_flip_p([-d for d in differences])


def test_sums_of_tenths_are_compared_as_they_are_meant() -> None:
    # 0.1 + 0.2 is not 0.3 in floats: exact arithmetic gives the ties that count.
    assert sign_flip_p([0.1, 0.2, -0.3]) == 1.0
    assert sign_flip_p([0.1, 0.2, 0.3]) == 2 / 8


def test_nothing_differs() -> None:
    assert sign_flip_p([0.0] * 30) == 1.0
    assert sign_flip_p([]) == 1.0
    assert wilcoxon_p([0.0] * 30) is None
    assert rank_biserial([0.0] * 30) is None


def test_a_seed_decides_the_flips() -> None:
    values = [float(x) for x in np.round(np.random.default_rng(9).normal(0.4, 1.5, 40))]
    assert sign_flip_p(values, seed=1) == sign_flip_p(values, seed=1)
    assert len({sign_flip_p(values, seed=seed) for seed in range(8)}) > 1


def test_many_rows_are_quick() -> None:
    values = np.random.default_rng(0).integers(-16, 17, 100_000).astype(float)
    started = time.monotonic()
    sign_flip_p(list(values))
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 10, 11, 14, 15, 30, 51, 80])
@pytest.mark.parametrize("kind", ["whole", "fractions"])
def test_wilcoxon_is_scipy_s_with_pratt(n: int, kind: str) -> None:
    random = np.random.default_rng(n)
    differences = random.integers(-3, 5, n) if kind == "whole" else random.normal(0.3, 1, n)
    differences[0] = 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = wilcoxon(differences, zero_method="pratt").pvalue
    assert wilcoxon_p([float(d) for d in differences]) == pytest.approx(expected, abs=1e-9)


def test_wilcoxon_of_a_small_sample_with_ties_is_quick() -> None:
    started = time.process_time()
    assert wilcoxon_p([1.0] * 12 + [-1.0]) == pytest.approx(2 * 14 / 2**13)
    assert time.process_time() - started < 1


def test_rank_biserial_by_hand() -> None:
    # |d| = 1, 2, 2, 3 rank 1, 2.5, 2.5, 4; the zero takes no part.
    assert rank_biserial([1.0, 2.0, -2.0, 3.0, 0.0]) == pytest.approx((1 + 2.5 + 4 - 2.5) / 10)
    assert rank_biserial([2.0, 1.0]) == 1.0
    assert rank_biserial([-2.0, -1.0]) == -1.0


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=40))
@settings(deadline=None)
def test_rank_biserial_flips_with_the_sides(differences: list[int]) -> None:
    found, swapped = rank_biserial(differences), rank_biserial([-d for d in differences])
    assert found is None or found == pytest.approx(-swapped)  # type: ignore[operator]
    assert found is None or -1 <= found <= 1


@given(st.integers(0, 30), st.integers(0, 30))
@settings(deadline=None)
def test_mcnemar_is_statsmodels_s(first: int, second: int) -> None:
    if first + second:
        expected = mcnemar([[5, first], [second, 5]], exact=True).pvalue
        assert mcnemar_p(first, second) == pytest.approx(min(1.0, expected), abs=1e-9)
    assert mcnemar_p(first, second) == mcnemar_p(second, first)


def test_rates_that_never_differ() -> None:
    assert mcnemar_p(0, 0) == 1.0
