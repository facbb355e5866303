from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t

from simsa.calibration.weighted import weighted_mean


def test_it_is_the_stratified_mean_of_the_textbook() -> None:
    random = np.random.default_rng(1)
    strata = {2.0: random.normal(2, 1, 20), 5.0: random.normal(4, 0.5, 15)}
    labels = {f"{w}/{i}": float(y) for w, found in strata.items() for i, y in enumerate(found)}
    weights = {key: float(key.split("/")[0]) for key in labels}
    shares = np.array([40, 75]) / 115
    mean = shares @ [found.mean() for found in strata.values()]
    variance = shares**2 @ [found.var(ddof=1) / len(found) for found in strata.values()]
    found = weighted_mean(labels, weights, [1.0] * 115)
    assert found.mean == pytest.approx(mean)
    assert found.ci95 == pytest.approx(t.interval(0.95, 33, mean, np.sqrt(variance)))
    assert (found.n_labels, found.n_others, found.naive, found.weight) == (35, 80, 1.0, 0.0)


def test_equal_weights_are_the_plain_mean() -> None:
    labels = {f"q{i}": float(1 + i % 5) for i in range(40)}
    found = weighted_mean(labels, dict.fromkeys(labels, 3.0), [2.0] * 120)
    assert found.mean == pytest.approx(3.0)
    low, high = t.interval(0.95, 39, 3.0, np.std(list(labels.values()), ddof=1) / np.sqrt(40))
    assert found.ci95 == pytest.approx((low, high))


def test_few_labels_or_a_stratum_of_one_correct_nothing() -> None:
    few = {f"q{i}": 3.0 for i in range(29)}
    assert weighted_mean(few, dict.fromkeys(few, 1.0), [3.0] * 50).mean is None
    many = {f"q{i}": 3.0 for i in range(31)}
    weights = dict.fromkeys(many, 1.0) | {"q0": 9.0}
    assert weighted_mean(many, weights, [3.0] * 50).mean is None


def test_the_interval_covers_the_truth_where_the_plain_mean_of_the_sample_does_not() -> None:
    random = np.random.default_rng(3)
    rare, common = random.choice([1, 2], 60), random.choice([3, 4, 5], 540)
    truth = np.concatenate((rare, common)).mean()
    covered = plain = 0
    for _ in range(300):
        drawn = {1: random.choice(rare, 20, replace=False), 2: random.choice(common, 20, replace=False)}
        labels = {f"{h}/{i}": float(y) for h, found in drawn.items() for i, y in enumerate(found)}
        weights = {key: 3.0 if key[0] == "1" else 27.0 for key in labels}
        low, high = weighted_mean(labels, weights, [1.0] * 600).ci95 or (0, 0)
        covered += low <= truth <= high
        plain += abs(np.mean(list(labels.values())) - truth) < 0.4
    assert covered / 300 >= 0.93
    assert plain / 300 < 0.1
