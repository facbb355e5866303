from __future__ import annotations

import json
import random as stdlib_random
from functools import partial

import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau, spearmanr
from sklearn.metrics import cohen_kappa_score, confusion_matrix, mean_absolute_error

from simsa.i18n.messages import note_text
from simsa.stats import StatNote
from simsa.stats import agree as agree_on
from simsa.stats.agreement import _figures_of_tables
from tests.support.published_people import PEOPLE

LEVELS = range(1, 6)
agree = partial(agree_on, levels=LEVELS)


def raters(n: int, seed: int, noise: float = 1.0) -> tuple[list[int], list[int]]:
    random = np.random.default_rng(seed)
    truth = random.choice([1, 2, 3, 4, 5], n, p=[0.1, 0.15, 0.2, 0.3, 0.25])
    seen = np.clip(truth + random.normal(0.2, noise, n).round(), 1, 5).astype(int)
    return [int(x) for x in truth], [int(x) for x in seen]


@pytest.mark.parametrize(("n", "seed", "noise"), [(30, 1, 0.5), (280, 2, 1.0), (50, 3, 3.0), (9, 4, 1.0)])
def test_every_figure_is_the_library_s(n: int, seed: int, noise: float) -> None:
    labels, judged = raters(n, seed, noise)
    found = agree(labels, judged)
    difference = np.array(judged) - np.array(labels)
    assert found.n_labels == n
    assert found.quadratic_kappa == pytest.approx(
        cohen_kappa_score(labels, judged, weights="quadratic", labels=LEVELS), abs=1e-9
    )
    assert found.krippendorff_alpha == pytest.approx(
        krippendorff.alpha([labels, judged], level_of_measurement="ordinal", value_domain=list(LEVELS)),
        abs=1e-9,
    )
    assert found.spearman == pytest.approx(spearmanr(labels, judged).statistic, abs=1e-9)
    assert found.kendall_tau_b == pytest.approx(kendalltau(labels, judged).statistic, abs=1e-9)
    assert found.exact == pytest.approx((difference == 0).mean())
    assert found.within_one == pytest.approx((abs(difference) <= 1).mean())
    assert found.mae == pytest.approx(mean_absolute_error(labels, judged))
    assert found.bias == pytest.approx(difference.mean())
    assert [list(row) for row in found.confusion] == confusion_matrix(labels, judged, labels=LEVELS).tolist()


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=3, max_size=40))
@settings(max_examples=60, deadline=None)
def test_the_bootstrap_s_figures_are_those_of_the_point_estimate(pairs: list[tuple[int, int]]) -> None:
    table = np.zeros((1, 5, 5))
    for label, score in pairs:
        table[0, label - 1, score - 1] += 1
    found = agree([label for label, _ in pairs], [score for _, score in pairs])
    for name, value in _figures_of_tables(table, np.array(LEVELS, dtype=np.float64)).items():
        expected = getattr(found, name)
        if expected is not None:
            assert value[0] == pytest.approx(expected, abs=1e-9), name


def test_intervals_are_those_of_a_plain_bootstrap_over_items() -> None:
    labels, judged = raters(60, 5)
    random = np.random.default_rng(1)
    draws = []
    for _ in range(400):
        rows = random.integers(0, 60, 60)
        draws.append(cohen_kappa_score(np.array(labels)[rows], np.array(judged)[rows], weights="quadratic"))
    low, high = agree(labels, judged).intervals["quadratic_kappa"]
    assert (low, high) == pytest.approx(np.quantile(draws, (0.025, 0.975)), abs=0.05)


def test_every_figure_has_an_interval_around_it() -> None:
    found = agree(*raters(100, 6))
    assert len(found.intervals) == 8
    for name, (low, high) in found.intervals.items():
        assert low <= getattr(found, name) <= high


def test_a_rater_agrees_with_itself() -> None:
    labels, _ = raters(40, 7)
    found = agree(labels, labels)
    assert found.quadratic_kappa == found.krippendorff_alpha == pytest.approx(1.0)
    assert found.spearman == found.kendall_tau_b == pytest.approx(1.0)
    assert (found.exact, found.within_one, found.mae, found.bias) == (1.0, 1.0, 0.0, 0.0)


def test_bias_is_the_judge_s_generosity() -> None:
    labels, _ = raters(40, 8)
    kinder = [min(5, label + 1) for label in labels]
    assert agree(labels, kinder).bias > 0  # type: ignore[operator]
    assert agree(kinder, labels).bias < 0  # type: ignore[operator]


def test_order_changes_nothing() -> None:
    labels, judged = raters(50, 9)
    pairs = list(zip(labels, judged, strict=True))
    stdlib_random.Random(1).shuffle(pairs)
    assert agree(labels, judged).intervals == agree([a for a, _ in pairs], [b for _, b in pairs]).intervals


def test_a_side_that_does_not_vary_has_no_correlation_and_says_so() -> None:
    found = agree([3] * 20, [*range(1, 6)] * 4)
    assert found.spearman is found.kendall_tau_b is None
    assert found.quadratic_kappa == pytest.approx(0.0)
    assert found.notes == (StatNote("one_side_constant", (("figures", ("spearman", "kendall_tau_b")),)),)
    assert "spearman" not in found.intervals
    same = agree([4] * 20, [4] * 20)
    assert same.quadratic_kappa is same.krippendorff_alpha is None
    assert same.exact == 1.0


def test_no_labels_and_one_label() -> None:
    assert agree([], []).notes == (StatNote("no_labels"),)
    one = agree([3], [4])
    assert (one.mae, one.bias, one.exact, one.within_one) == (1.0, 1.0, 0.0, 1.0)
    assert one.spearman is None
    assert one.intervals == {}


def test_other_scales() -> None:
    found = agree([-2, 0, 2, 1], [-2, 1, 2, 1], levels=(-2, -1, 0, 1, 2))
    assert found.confusion[0][0] == 1
    assert found.exact == 0.75


def test_published_labels_of_people_give_their_published_agreement() -> None:
    cells = [(a, b) for a in range(5) for b in range(5) for _ in range(PEOPLE[a][b])]
    found = agree([a - 2 for a, _ in cells], [b - 2 for _, b in cells], levels=(-2, -1, 0, 1, 2))
    assert found.n_labels == 280
    assert found.quadratic_kappa == pytest.approx(0.698, abs=5e-4)
    assert found.krippendorff_alpha == pytest.approx(0.684, abs=5e-4)
    assert found.exact == pytest.approx(0.55, abs=5e-3)
    assert found.within_one == pytest.approx(0.90, abs=5e-3)


@pytest.mark.parametrize("wrong", [([1, 6], [1, 1]), ([1, 2], [0, 1]), ([1], [1, 2])])
def test_what_is_off_the_scale_is_refused(wrong: tuple[list[int], list[int]]) -> None:
    with pytest.raises(ValueError, match=r"levels|labels"):
        agree(*wrong)


def test_its_json_has_the_published_keys() -> None:
    row = json.loads(json.dumps(agree(*raters(30, 10)).to_dict(note_text)))
    assert set(row) == {
        "n_labels",
        "quadratic_kappa",
        "krippendorff_alpha",
        "spearman",
        "kendall_tau_b",
        "exact",
        "within_one",
        "mae",
        "bias",
        "confusion",
        "ci95",
        "notes",
    }
    assert len(row["confusion"]) == len(row["confusion"][0]) == 5


def test_items_with_several_labels_are_drawn_whole() -> None:
    labels, judged = raters(60, 9)
    items = [n // 3 for n in range(60)]
    found = agree(labels, judged, items=items)
    random = np.random.default_rng(7)
    biases = []
    difference = np.array(judged) - np.array(labels)
    for _ in range(4000):
        drawn = random.integers(0, 20, 20)
        biases.append(np.concatenate([difference[3 * n : 3 * n + 3] for n in drawn]).mean())
    assert found.intervals["bias"] == pytest.approx(np.quantile(biases, (0.025, 0.975)), abs=0.05)
    alone = agree(labels, judged)
    assert found.quadratic_kappa == alone.quadratic_kappa
    assert agree(labels, judged, items=range(60)).intervals == alone.intervals
    assert agree(labels[:3], judged[:3], items=[0, 0, 0]).intervals == {}
    with pytest.raises(ValueError, match="2 items"):
        agree([1, 2, 3], [1, 2, 3], items=[1, 2])
