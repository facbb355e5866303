from __future__ import annotations

import json
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau, spearmanr
from sklearn.metrics import mean_absolute_error

from simsa.i18n.messages import note_text
from simsa.stats import StatNote, agree_unrounded
from simsa.stats import agree as agree_on

LEVELS = range(1, 6)
agree = partial(agree_on, levels=LEVELS)


def raters(n: int, seed: int) -> tuple[list[int], list[float]]:
    random = np.random.default_rng(seed)
    truth = random.choice([1, 2, 3, 4, 5], n, p=[0.1, 0.15, 0.2, 0.3, 0.25])
    means = np.clip(truth[:, None] + random.normal(0.2, 1, (n, 3)).round(), 1, 5).mean(axis=1)
    return [int(x) for x in truth], [float(x) for x in means]


def concordance(x: list[int], y: list[float]) -> float:
    """Lin's coefficient from its definition: 2·cov/(var + var + (difference of means)²), ddof=0."""
    covariance = float(np.cov(x, y, ddof=0)[0, 1])
    return float(2 * covariance / (np.var(x) + np.var(y) + (np.mean(x) - np.mean(y)) ** 2))


@pytest.mark.parametrize(("n", "seed"), [(30, 1), (280, 2), (7, 3)])
def test_every_figure_is_the_library_s(n: int, seed: int) -> None:
    labels, judged = raters(n, seed)
    found = agree_unrounded(labels, judged, same_scale=True)
    assert found.n_labels == n
    assert found.quadratic_kappa == pytest.approx(concordance(labels, judged), abs=1e-12)
    assert found.spearman == pytest.approx(spearmanr(labels, judged).statistic, abs=1e-12)
    assert found.kendall_tau_b == pytest.approx(kendalltau(labels, judged).statistic, abs=1e-12)
    assert found.mae == pytest.approx(mean_absolute_error(labels, judged))
    assert found.bias == pytest.approx(np.mean(judged) - np.mean(labels))
    assert found.within_one == pytest.approx(
        np.mean([abs(a - b) <= 1 for a, b in zip(labels, judged, strict=True)])
    )
    assert (found.exact, found.krippendorff_alpha, found.confusion) == (None, None, ())
    assert found.notes == (StatNote("unrounded"),)


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=2, max_size=40))
@settings(max_examples=60, deadline=None)
def test_of_whole_scores_it_says_what_the_other_says(pairs: list[tuple[int, int]]) -> None:
    labels, judged = [a for a, _ in pairs], [b for _, b in pairs]
    whole, found = agree(labels, judged), agree_unrounded(labels, [float(b) for b in judged], same_scale=True)
    for name in ("quadratic_kappa", "spearman", "kendall_tau_b", "within_one", "mae", "bias"):
        if getattr(whole, name) is None:
            assert getattr(found, name) is None, name
        else:
            assert getattr(found, name) == pytest.approx(getattr(whole, name), abs=1e-9), name


def test_intervals_are_those_of_the_other() -> None:
    labels, judged = raters(100, 4)
    rounded = [round(score) for score in judged]
    whole = agree(labels, rounded, items=list(range(100)))
    found = agree_unrounded(labels, [float(score) for score in rounded], same_scale=True)
    for name, ends in found.intervals.items():
        assert ends == pytest.approx(whole.intervals[name], abs=0.03), name
        assert ends[0] <= getattr(found, name) <= ends[1]
    assert set(found.intervals) == {"quadratic_kappa", "within_one", "mae", "bias"}


def test_items_are_drawn_whole() -> None:
    labels, judged = raters(40, 5)
    alone = agree_unrounded(labels, judged, same_scale=True)
    doubled = agree_unrounded(labels * 4, judged * 4, same_scale=True, items=[f"q{n}" for n in range(40)] * 4)
    low, high = alone.intervals["bias"]
    assert doubled.bias == pytest.approx(alone.bias)
    assert doubled.intervals["bias"] == pytest.approx((low, high), abs=0.05)


def test_on_another_scale_only_ranks_are_compared() -> None:
    labels, judged = raters(50, 6)
    found = agree_unrounded(labels, [score / 5 for score in judged], same_scale=False)
    assert found.spearman == pytest.approx(spearmanr(labels, judged).statistic)
    assert (found.quadratic_kappa, found.mae, found.bias, found.intervals) == (None, None, None, {})
    assert found.notes == (StatNote("other_scale"),)


def test_a_side_that_does_not_vary_has_no_ranks() -> None:
    found = agree_unrounded([3] * 10, [2.5] * 10, same_scale=True)
    assert (found.spearman, found.kendall_tau_b) == (None, None)
    assert found.quadratic_kappa == 0.0
    assert found.mae == 0.5
    assert StatNote("one_side_constant", (("figures", ("spearman", "kendall_tau_b")),)) in found.notes
    same = agree_unrounded([3] * 10, [3.0] * 10, same_scale=True)
    assert same.quadratic_kappa is None


def test_nothing_and_one_pair() -> None:
    assert agree_unrounded([], [], same_scale=True).notes == (StatNote("no_labels"),)
    one = agree_unrounded([3], [3.5], same_scale=True)
    assert (one.n_labels, one.bias, one.intervals) == (1, 0.5, {})
    with pytest.raises(ValueError, match="2 labels, but 1"):
        agree_unrounded([1, 2], [1.5], same_scale=True)
    with pytest.raises(ValueError, match="not finite"):
        agree_unrounded([1], [float("nan")], same_scale=True)


def test_it_is_json() -> None:
    row = json.loads(json.dumps(agree_unrounded(*raters(30, 7), same_scale=True).to_dict(note_text)))
    assert row["exact"] is None
    assert row["quadratic_kappa"] is not None
