from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from statsmodels.api import OLS
from statsmodels.stats.proportion import proportion_confint

from simsa.stats import StatNote, estimate, wilson

SCORES = st.lists(st.integers(1, 5), min_size=2, max_size=40)


def random_scores(n: int, seed: int = 1) -> list[float]:
    return [float(x) for x in np.random.default_rng(seed).integers(1, 6, n)]


@given(SCORES)
def test_t_interval_is_scipy_s(values: list[int]) -> None:
    found = estimate(values)
    mean, sem = np.mean(values), scipy_stats.sem(values)
    assert found.mean == pytest.approx(mean)
    assert found.sd == pytest.approx(np.std(values, ddof=1))
    if sem > 0:
        low, high = scipy_stats.t.interval(0.95, len(values) - 1, loc=mean, scale=sem)
        assert found.ci95 == pytest.approx((low, high), abs=1e-6)
    else:
        assert found.ci95 == (values[0], values[0])


@pytest.mark.parametrize("n_clusters", [2, 5, 12, 40])
def test_cluster_robust_error_is_statsmodels_s_plus_its_small_sample_term(n_clusters: int) -> None:
    values = random_scores(120)
    clusters = [int(x) for x in np.random.default_rng(2).integers(0, n_clusters, 120)]
    robust = OLS(values, np.ones(120)).fit(
        cov_type="cluster", cov_kwds={"groups": np.array(clusters), "use_correction": False}
    )
    found = estimate(values, clusters)
    assert found.se is not None
    assert found.sd is not None
    assert found.mean is not None
    # Miller's iid part has ddof=1 where the sandwich has ddof=0.
    assert found.se**2 == pytest.approx(robust.bse[0] ** 2 + found.sd**2 / 120**2, abs=1e-9)
    half = scipy_stats.t.ppf(0.975, len(set(clusters)) - 1) * found.se
    assert found.ci95 == pytest.approx((found.mean - half, found.mean + half), abs=1e-6)
    assert found.df == len(set(clusters)) - 1


def test_cluster_robust_error_by_the_formula() -> None:
    values, clusters = [1.0, 2.0, 5.0, 4.0, 3.0], ["a", "a", "b", "b", "c"]
    mean = 3.0
    r = [v - mean for v in values]
    cross = 2 * r[0] * r[1] + 2 * r[2] * r[3]
    expected = np.var(values, ddof=1) / 5 + cross / 25
    assert estimate(values, clusters).se == pytest.approx(expected**0.5)


def test_clusters_of_one_change_nothing() -> None:
    values = random_scores(30)
    alone, single = estimate(values), estimate(values, list(range(30)))
    assert alone == single
    assert single.bootstrap95 is None


def test_one_cluster_for_all_is_said_and_left_out() -> None:
    values = random_scores(30)
    found = estimate(values, ["same"] * 30)
    assert found.ci95 == estimate(values).ci95
    assert found.n_clusters == 1
    assert found.notes == (StatNote("single_cluster"),)


def test_the_cluster_bootstrap_stands_beside_few_clusters_only() -> None:
    values = random_scores(200)
    few = estimate(values, [i % 10 for i in range(200)])
    many = estimate(values, [i % 40 for i in range(200)])
    assert many.bootstrap95 is None
    assert few.bootstrap95 is not None
    assert few.ci95 is not None
    assert few.bootstrap95[0] == pytest.approx(few.ci95[0], abs=0.1)
    assert few.bootstrap95[1] == pytest.approx(few.ci95[1], abs=0.1)
    assert few == estimate(values, [i % 10 for i in range(200)])


def test_clustered_scores_are_less_sure() -> None:
    values = [float(1 + (i // 10) % 5) for i in range(100)]
    clustered, alone = estimate(values, [i // 10 for i in range(100)]), estimate(values)
    assert clustered.se is not None
    assert alone.se is not None
    assert clustered.se > 2 * alone.se


@given(SCORES, st.randoms())
def test_the_order_of_rows_changes_nothing(values: list[int], random: object) -> None:
    rows = [(v, i % 4) for i, v in enumerate(values)]
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert estimate([v for v, _ in rows], [c for _, c in rows]) == estimate(
        [v for v, _ in shuffled], [c for _, c in shuffled]
    )


@given(SCORES, st.integers(-5, 5))
def test_a_constant_shifts_the_interval_by_it(values: list[int], shift: int) -> None:
    found, moved = estimate(values), estimate([v + shift for v in values])
    assert found.mean is not None
    assert found.ci95 is not None
    assert moved.mean == pytest.approx(found.mean + shift)
    assert moved.ci95 == pytest.approx(tuple(end + shift for end in found.ci95))
    assert moved.sd == pytest.approx(found.sd)


def test_too_few_scores_have_no_interval_and_say_why() -> None:
    nothing, one = estimate([]), estimate([3.0])
    assert (nothing.n, nothing.mean, nothing.ci95) == (0, None, None)
    assert nothing.notes
    assert (one.n, one.mean, one.sd, one.ci95) == (1, 3.0, None, None)
    assert one.notes


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="not finite"):
        estimate([1.0, bad])


def test_clusters_must_match_the_scores() -> None:
    with pytest.raises(ValueError, match="2 scores, but 1 clusters"):
        estimate([1.0, 2.0], ["a"])


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_statsmodels_s(case: tuple[int, int]) -> None:
    successes, n = case
    assert wilson(successes, n) == pytest.approx(proportion_confint(successes, n, method="wilson"), abs=1e-9)


def test_a_rate_of_nothing_has_no_interval() -> None:
    assert wilson(0, 0) is None
    low_high = wilson(0, 10)
    assert low_high is not None
    assert low_high[0] == 0.0


def test_importing_loads_no_scipy() -> None:
    code = "import sys, simsa.stats; sys.exit('scipy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
