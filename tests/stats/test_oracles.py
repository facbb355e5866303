"""Score tables of every sort against the libraries: ties, constants, one row, two, and scores that are missing."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import krippendorff
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import cohen_kappa_score, confusion_matrix, mean_absolute_error
from statsmodels.api import OLS
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import ttost_paired

from simsa.records import Criterion
from simsa.stats import (
    Comparison,
    Scale,
    agree_unrounded,
    compare,
    compare_all,
    corrected_mean,
    estimate,
    friedman,
    holm,
    mcnemar_p,
    ordinal_alpha,
    sign_flip_p,
    summarise,
    wilson,
)
from simsa.stats import agree as agree_on
from simsa.stats.intervals import cluster_bootstrap, cluster_codes

Floats = NDArray[np.float64]
CLOSE = 1e-9
LEVELS = range(1, 6)
CRITERION_SCALE = Scale.of(Criterion("x"))
agree = partial(agree_on, levels=LEVELS)

SCORE = st.integers(1, 5) | st.integers(1, 5).map(lambda k: k / 3) | st.sampled_from([3, 3, 3, 1.5, 4.25])
CELL = st.none() | SCORE
TABLE = st.lists(st.tuples(CELL, CELL), max_size=25)
PAIRS = st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=1, max_size=40)


def near(value: float | None, abs: float = CLOSE) -> object:
    return pytest.approx(value, rel=CLOSE, abs=abs)


def quiet(what: Callable[[], float]) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(what())


def sides(rows: Sequence[tuple[float | None, float | None]]) -> tuple[dict[str, float | None], ...]:
    return {f"q{n}": a for n, (a, _) in enumerate(rows)}, {f"q{n}": b for n, (_, b) in enumerate(rows)}


def compared(first: Mapping[str, float | None], second: Mapping[str, float | None]) -> Comparison:
    return compare(first, second, baseline="a", variant="b", criterion="x", scale=CRITERION_SCALE)


# One variant -------------------------------------------------------------------------------------


@given(st.lists(CELL, max_size=30))
@settings(max_examples=80, deadline=None)
def test_one_variant(column: list[float | None]) -> None:
    known = [float(score) for score in column if score is not None]
    found = summarise({f"q{n}": score for n, score in enumerate(column)}, scale=CRITERION_SCALE)
    if not known:
        assert found is None
        return
    assert found is not None
    assert (found.n, found.n_missing) == (len(known), len(column) - len(known))
    assert found.mean == near(float(np.mean(known)))
    assert found.median == near(float(np.median(known)))
    if len(known) == 1:
        assert (found.sd, found.ci95) == (None, None)
        return
    assert found.sd == near(float(np.std(known, ddof=1)))
    half = stats.t.ppf(0.975, len(known) - 1) * np.std(known, ddof=1) / math.sqrt(len(known))
    assert found.ci95 == near((np.mean(known) - half, np.mean(known) + half))  # type: ignore[arg-type]
    if any(score is None for score in column):
        filled = [[fill if score is None else score for score in column] for fill in (1, 5)]
        assert found.bounds == near(tuple(map(np.mean, filled)))  # type: ignore[arg-type]
    if found.counts is not None:
        assert found.counts == {str(k): known.count(k) for k in range(1, 6)}


@given(st.lists(st.tuples(SCORE, st.integers(0, 6)), min_size=2, max_size=40))
@settings(max_examples=100, deadline=None)
def test_scores_of_shared_documents(rows: list[tuple[float, int]]) -> None:
    values, documents = [float(score) for score, _ in rows], [document for _, document in rows]
    n, n_clusters = len(rows), len(set(documents))
    assume(1 < n_clusters < n)
    found = estimate(values, documents)
    groups = {"groups": cluster_codes(documents), "use_correction": False}
    robust = OLS(values, np.ones(n)).fit(cov_type="cluster", cov_kwds=groups)
    # Miller's part of independent scores has ddof=1 where the sandwich has ddof=0.
    variance = float(robust.cov_params()[0, 0]) + np.var(values, ddof=1) / n - np.var(values) / n
    assert found.se is not None
    assert found.se**2 == near(max(0.0, float(variance)))
    assert (found.df, found.n_clusters) == (n_clusters - 1, n_clusters)
    half = stats.t.ppf(0.975, n_clusters - 1) * found.se
    assert found.ci95 == near((np.mean(values) - half, np.mean(values) + half))  # type: ignore[arg-type]


def test_the_cluster_bootstrap_is_scipy_s() -> None:
    random = np.random.default_rng(11)
    data, codes = random.choice([1.0, 2, 3, 5], 60), random.integers(0, 12, 60)
    sums, sizes = np.bincount(codes, data), np.bincount(codes)

    def mean(sums: Floats, sizes: Floats, axis: int = -1) -> Floats:
        return np.asarray(sums.sum(axis=axis) / sizes.sum(axis=axis))

    theirs = stats.bootstrap(
        (sums, sizes.astype(float)), mean, paired=True, vectorized=True, method="percentile",
        n_resamples=9_999, rng=np.random.default_rng(1),
    ).confidence_interval  # fmt: skip
    assert cluster_bootstrap(data, codes) == pytest.approx((theirs.low, theirs.high), abs=0.04)


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_rate(case: tuple[int, int]) -> None:
    found = wilson(*case)
    assert found == near(proportion_confint(*case, method="wilson"))
    theirs = stats.binomtest(*case).proportion_ci(method="wilson")
    assert found == near((theirs.low, theirs.high))  # type: ignore[arg-type]


# Two variants ------------------------------------------------------------------------------------


@given(TABLE)
@settings(max_examples=80, deadline=None)
def test_two_variants(rows: list[tuple[float | None, float | None]]) -> None:
    first, second = sides(rows)
    found = compared(first, second)
    both = [(float(a), float(b)) for a, b in rows if a is not None and b is not None]
    d = np.array([b - a for a, b in both])
    assert (found.n_pairs, found.n_dropped) == (len(both), len(rows) - len(both))
    assert (found.wins, found.ties, found.losses) == ((d > 0).sum(), (d == 0).sum(), (d < 0).sum())
    if not both:
        assert (found.mean_diff, found.p_value, found.wilcoxon_p) == (None, None, None)
        assert found.verdict == "too few"
        return
    assert found.mean_diff == near(d.mean())
    if len(both) > 1:
        if np.ptp(d) > CLOSE:
            test = stats.ttest_rel([b for _, b in both], [a for a, _ in both])
            assert found.ci95 == near(tuple(test.confidence_interval(0.95)))  # type: ignore[arg-type]
        else:
            assert found.ci95 == near((d.mean(), d.mean()))  # type: ignore[arg-type]
        z = stats.norm.ppf(0.975) + stats.norm.ppf(0.8)
        assert found.mde80 == near(z * d.std(ddof=1) / math.sqrt(len(d)))
    assert_ranks(found, d)


def assert_ranks(found: Comparison, d: Floats) -> None:
    if not d.any():
        assert (found.wilcoxon_p, found.rank_biserial) == (None, None)
        return
    p = quiet(lambda: stats.wilcoxon(d, zero_method="pratt").pvalue)
    if len(d) <= 13 or len(d) > 50 or (not (d == 0).any() and len(set(abs(d))) == len(d)):
        assert found.wilcoxon_p == near(p)
    moved = d[d != 0]
    above = quiet(lambda: stats.wilcoxon(moved, zero_method="wilcox", alternative="greater").statistic)
    whole = len(moved) * (len(moved) + 1) / 2
    assert found.rank_biserial == near((2 * above - whole) / whole)


# Halves: scipy compares sums without a tolerance and miscounts ties of numbers such as 4/3.
@given(st.lists(st.sampled_from([1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5]), min_size=2, max_size=9))
@settings(max_examples=60, deadline=None)
def test_signs_are_flipped_exactly(values: list[float]) -> None:
    d = [value - 3 for value in values]
    theirs = stats.permutation_test(
        (np.array(d),), np.mean, permutation_type="samples", n_resamples=np.inf, vectorized=True
    )
    assert sign_flip_p(d) == near(theirs.pvalue)
    assert compared(
        dict.fromkeys("abcdefghi"[: len(d)], 3.0), dict(zip("abcdefghi", values, strict=False))
    ).p_value == near(theirs.pvalue)


@given(
    st.lists(st.sampled_from([-2, -1, -0.5, 0, 0, 0.5, 1]), min_size=2, max_size=40),
    st.sampled_from([0.1, 0.2, 0.5, 1]),
)
@settings(max_examples=150, deadline=None)
def test_equivalence_is_two_one_sided_tests(differences: list[float], margin: float) -> None:
    """The 95 % interval lies within the margin just when both one-sided tests reject at 2.5 %."""
    d = np.array(differences)
    assume(np.ptp(d) > 0)
    found = compared({f"q{n}": 3.0 for n in range(len(d))}, {f"q{n}": 3.0 + x for n, x in enumerate(d)})
    p, below, above = ttost_paired(d, np.zeros(len(d)), -margin, margin)
    assume(abs(p - 0.025) > 1e-9)
    assume(abs(below[1] - 0.025) > 1e-9)
    assert found.equivalent_within(margin) == (p < 0.025)
    assert found.not_worse_than(margin) == (below[1] < 0.025)
    worse = stats.ttest_1samp(d, -margin, alternative="greater").pvalue
    assert below[1] == near(worse)
    assert above[1] == near(stats.ttest_1samp(d, margin, alternative="less").pvalue)


@given(st.integers(0, 40), st.integers(0, 40))
@settings(deadline=None)
def test_paired_rates(first: int, second: int) -> None:
    assume(first + second)
    assert mcnemar_p(first, second) == near(min(1.0, mcnemar([[9, first], [second, 9]], exact=True).pvalue))


# Several variants --------------------------------------------------------------------------------


@given(st.lists(st.none() | st.floats(0, 1) | st.sampled_from([0.01, 0.01, 0.05, 1.0]), max_size=12))
@settings(max_examples=20, deadline=None)
def test_several_comparisons(p_values: list[float | None]) -> None:
    known = [p for p in p_values if p is not None]
    theirs = iter(multipletests(known, method="holm")[1] if known else [])
    for p, adjusted in zip(p_values, holm(p_values), strict=True):
        assert adjusted == (None if p is None else near(next(theirs)))


@given(st.integers(3, 5).flatmap(lambda k: st.lists(st.lists(CELL, min_size=k, max_size=k), max_size=15)))
@settings(max_examples=100, deadline=None)
def test_whether_any_differs(rows: list[list[float | None]]) -> None:
    k = len(rows[0]) if rows else 3
    found = friedman([{f"q{n}": row[v] for n, row in enumerate(rows)} for v in range(k)])
    whole = [row for row in rows if None not in row]
    if len(whole) < 2 or all(len(set(row)) == 1 for row in whole):
        assert found is None
        return
    theirs = stats.friedmanchisquare(*zip(*whole, strict=True))
    assert found is not None
    assert (found.statistic, found.p_value) == near((theirs.statistic, theirs.pvalue))  # type: ignore[arg-type]
    assert (found.n, found.k) == (len(whole), k)


@given(st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=15))
@settings(max_examples=15, deadline=None)
def test_a_baseline_against_each(rows: list[tuple[float | None, float | None, float | None]]) -> None:
    columns = {name: {"x": {f"q{n}": row[v] for n, row in enumerate(rows)}} for v, name in enumerate("abc")}
    found = compare_all(columns, "a", scales={"x": CRITERION_SCALE})
    assert [one.variant for one in found] == ["b", "c"]
    for one in found:
        alone = compared(columns["a"]["x"], columns[one.variant]["x"])
        assert (one.mean_diff, one.ci95, one.p_value) == (alone.mean_diff, alone.ci95, alone.p_value)
    known = [one.p_value for one in found if one.p_value is not None]
    theirs = iter(multipletests(known, method="holm")[1] if known else [])
    assert [one.p_adjusted for one in found if one.p_value is not None] == [near(p) for p in theirs]


# Raters ------------------------------------------------------------------------------------------


def raters(pairs: Sequence[tuple[int, int]]) -> tuple[list[int], list[int]]:
    return [a for a, _ in pairs], [b for _, b in pairs]


@given(PAIRS)
@settings(max_examples=60, deadline=None)
def test_a_judge_and_people(pairs: list[tuple[int, int]]) -> None:
    labels, judged = raters(pairs)
    found = agree(labels, judged)
    one_sided = len(set(labels)) == 1 or len(set(judged)) == 1
    kappa = quiet(lambda: cohen_kappa_score(labels, judged, weights="quadratic", labels=LEVELS))
    if len(set(labels) | set(judged)) == 1:
        assert found.quadratic_kappa is found.krippendorff_alpha is None
    else:
        assert found.quadratic_kappa == near(kappa)
        units = [labels, judged]
        assert found.krippendorff_alpha == near(
            quiet(
                lambda: krippendorff.alpha(units, level_of_measurement="ordinal", value_domain=list(LEVELS))
            )
        )
        assert ordinal_alpha(pairs) == near(found.krippendorff_alpha)
    if one_sided:
        assert found.spearman is found.kendall_tau_b is None
    else:
        assert found.spearman == near(stats.spearmanr(labels, judged).statistic)
        assert found.kendall_tau_b == near(stats.kendalltau(labels, judged).statistic)
    assert found.mae == near(mean_absolute_error(labels, judged))
    assert found.bias == near(float(np.mean(judged) - np.mean(labels)))
    assert [list(row) for row in found.confusion] == confusion_matrix(labels, judged, labels=LEVELS).tolist()


@given(st.lists(st.tuples(*[st.none() | st.integers(1, 5)] * 4), min_size=1, max_size=20))
@settings(max_examples=80, deadline=None)
def test_several_raters_with_gaps(items: list[tuple[int | None, ...]]) -> None:
    units = np.array([[np.nan if s is None else s for s in item] for item in items], dtype=float).T
    paired = [item for item in items if sum(s is not None for s in item) > 1]
    found = ordinal_alpha(items)
    if len({s for item in paired for s in item if s is not None}) < 2:
        assert found is None
        return
    theirs = quiet(
        lambda: krippendorff.alpha(units, level_of_measurement="ordinal", value_domain=list(LEVELS))
    )
    assert found == near(theirs)


# Labels that were drawn by strata ----------------------------------------------------------------

WEIGHTED = st.lists(
    st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 4)), min_size=1, max_size=25
)


@given(WEIGHTED)
@settings(max_examples=40, deadline=None)
def test_a_weight_counts_as_so_many_pairs(rows: list[tuple[int, int, int]]) -> None:
    labels, judged, weights = ([row[k] for row in rows] for k in range(3))
    found = agree(labels, judged, weights=[0.5 * w for w in weights])
    written_out = [(a, b) for a, b, w in rows for _ in range(w)]
    whole = agree(*raters(written_out))
    for name in ("quadratic_kappa", "spearman", "kendall_tau_b", "exact", "within_one", "mae", "bias"):
        assert getattr(found, name) == (
            None if getattr(whole, name) is None else near(getattr(whole, name))
        ), name
    if found.quadratic_kappa is not None:
        kappa = quiet(
            lambda: cohen_kappa_score(
                labels, judged, weights="quadratic", labels=LEVELS, sample_weight=weights
            )
        )
        assert found.quadratic_kappa == near(kappa)
    assert found.mae == near(mean_absolute_error(labels, judged, sample_weight=weights))
    assert found.n_labels == len(rows)
    assert [list(row) for row in found.confusion] == confusion_matrix(labels, judged, labels=LEVELS).tolist()
    if found.krippendorff_alpha is not None and whole.krippendorff_alpha is not None:
        # α pairs each score with all others but itself: 2n − 1 of the labels, not of what they stand for.
        n, m = 2 * len(rows), 2 * len(written_out)
        share = (1 - found.krippendorff_alpha) / (n - 1) * n
        assert share == near((1 - whole.krippendorff_alpha) / (m - 1) * m)


@given(WEIGHTED)
@settings(max_examples=60, deadline=None)
def test_a_weight_counts_so_for_unrounded_scores_too(rows: list[tuple[int, int, int]]) -> None:
    labels, judged, weights = (
        [r[0] for r in rows],
        [r[1] + r[2] / 3 for r in rows],
        [float(r[2]) for r in rows],
    )
    found = agree_unrounded(labels, judged, same_scale=True, weights=weights)
    out = [n for n, row in enumerate(rows) for _ in range(row[2])]
    whole = agree_unrounded([labels[n] for n in out], [judged[n] for n in out], same_scale=True)
    for name in ("quadratic_kappa", "spearman", "kendall_tau_b", "within_one", "mae", "bias"):
        assert getattr(found, name) == (
            None if getattr(whole, name) is None else near(getattr(whole, name))
        ), name


def test_equal_weights_change_nothing_and_wrong_ones_are_refused() -> None:
    labels, judged = [1, 2, 3, 4, 5, 3] * 5, [1, 3, 3, 5, 4, 2] * 5
    assert agree(labels, judged, weights=[2.5] * 30) == agree(labels, judged)
    scores = [score + 0.25 for score in judged]
    assert agree_unrounded(labels, scores, same_scale=True, weights=[7.0] * 30) == agree_unrounded(
        labels, scores, same_scale=True
    )
    for wrong, said in (
        ([0.0] * 30, "above 0"),
        ([1.0] * 29 + [-1.0], "above 0"),
        ([1.0], "30 labels, but 1"),
    ):
        with pytest.raises(ValueError, match=said):
            agree(labels, judged, weights=wrong)


def test_the_bootstrap_draws_within_strata() -> None:
    random = np.random.default_rng(4)
    rare, common = random.integers(1, 3, 30), random.integers(3, 6, 30)
    labels = [int(x) for x in (*rare, *common)]
    judged = [int(x) for x in np.clip(np.array(labels) + random.integers(-1, 2, 60), 1, 5)]
    weights = [1.0] * 30 + [9.0] * 30
    d = np.array(judged) - np.array(labels)
    means = [
        0.1 * random.choice(d[:30], 30).mean() + 0.9 * random.choice(d[30:], 30).mean() for _ in range(4_000)
    ]
    found = agree(labels, judged, weights=weights)
    assert found.bias == near(0.1 * d[:30].mean() + 0.9 * d[30:].mean())
    assert found.intervals["bias"] == pytest.approx(np.quantile(means, (0.025, 0.975)), abs=0.05)
    unrounded = agree_unrounded(labels, [score + 0.0 for score in judged], same_scale=True, weights=weights)
    assert unrounded.intervals["bias"] == pytest.approx(found.intervals["bias"], abs=0.05)
    # Where all of a stratum are alike, nothing of it varies from draw to draw.
    alike = agree([1] * 30 + [5] * 30, [2] * 30 + [5] * 30, weights=weights)
    assert alike.intervals["bias"] == near((0.1, 0.1))  # type: ignore[arg-type]


def test_documents_of_several_strata_are_drawn_whole_among_themselves() -> None:
    """None draws only itself, which would make an interval of no width."""
    random = np.random.default_rng(5)
    labels = [int(x) for x in random.integers(1, 6, 80)]
    judged = [int(x) for x in np.clip(np.array(labels) + random.integers(-1, 2, 80), 1, 5)]
    weights = [1.0 if n % 4 else 1.0 + n / 10 for n in range(80)]  # a weight of its own in every document
    documents = [n // 4 for n in range(80)]
    found = agree(labels, judged, weights=weights, items=documents)
    d, w = np.array(judged) - np.array(labels), np.array(weights)
    means = []
    for _ in range(3_000):
        rows = np.concatenate([np.arange(4 * k, 4 * k + 4) for k in random.integers(0, 20, 20)])
        means.append((d[rows] * w[rows]).sum() / w[rows].sum())
    assert found.intervals["bias"] == pytest.approx(np.quantile(means, (0.025, 0.975)), abs=0.06)
    low, high = found.intervals["quadratic_kappa"]
    assert low < (found.quadratic_kappa or 0) < high


# Labels that correct a mean ----------------------------------------------------------------------


@given(st.integers(0, 10**6), st.integers(30, 60))
@settings(max_examples=40, deadline=None)
def test_without_others_the_correction_is_the_t_interval_of_the_labels(seed: int, n: int) -> None:
    random = np.random.default_rng(seed)
    y, f = random.integers(1, 6, n).astype(float), random.integers(1, 6, n).astype(float)
    found = corrected_mean(list(y), list(f), [])
    assert found.mean == near(y.mean())
    assert found.ci95 == near(stats.t.interval(0.95, n - 1, y.mean(), stats.sem(y)))
