from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t

from simsa.stats import stratified_mean


def test_it_is_the_stratified_mean_of_the_textbook() -> None:
    random = np.random.default_rng(1)
    strata = {2.0: random.normal(2, 1, 20), 5.0: random.normal(4, 0.5, 15)}
    labels = {f"{w}/{i}": float(y) for w, found in strata.items() for i, y in enumerate(found)}
    weights = {key: float(key.split("/")[0]) for key in labels}
    shares, centres = np.array([40, 75]) / 115, np.array([found.mean() for found in strata.values()])
    mean = shares @ centres
    variance = shares**2 @ [found.var(ddof=1) / len(found) for found in strata.values()]
    variance += shares @ (centres - mean) ** 2 / 115
    found = stratified_mean(labels, weights, [1.0] * 115)
    assert found.mean == pytest.approx(mean)
    assert found.ci95 == pytest.approx(t.interval(0.95, 33, mean, np.sqrt(variance)))
    assert (found.n_labels, found.n_others, found.naive, found.weight) == (35, 80, 1.0, 0.0)


def test_equal_weights_are_the_plain_mean() -> None:
    labels = {f"q{i}": float(1 + i % 5) for i in range(40)}
    found = stratified_mean(labels, dict.fromkeys(labels, 3.0), [2.0] * 120)
    assert found.mean == pytest.approx(3.0)
    low, high = t.interval(0.95, 39, 3.0, np.std(list(labels.values()), ddof=1) / np.sqrt(40))
    assert found.ci95 == pytest.approx((low, high))


def test_few_labels_or_a_stratum_of_one_correct_nothing() -> None:
    few = {f"q{i}": 3.0 for i in range(29)}
    assert stratified_mean(few, dict.fromkeys(few, 1.0), [3.0] * 50).mean is None
    many = {f"q{i}": 3.0 for i in range(31)}
    weights = dict.fromkeys(many, 1.0) | {"q0": 9.0}
    assert stratified_mean(many, weights, [3.0] * 50).mean is None


def test_the_interval_covers_the_truth_where_the_plain_mean_of_the_sample_does_not() -> None:
    random = np.random.default_rng(3)
    rare, common = random.choice([1, 2], 60), random.choice([3, 4, 5], 540)
    truth = np.concatenate((rare, common)).mean()
    covered = plain = 0
    for _ in range(300):
        drawn = {1: random.choice(rare, 20, replace=False), 2: random.choice(common, 20, replace=False)}
        labels = {f"{h}/{i}": float(y) for h, found in drawn.items() for i, y in enumerate(found)}
        weights = {key: 3.0 if key[0] == "1" else 27.0 for key in labels}
        low, high = stratified_mean(labels, weights, [1.0] * 600).ci95 or (0, 0)
        covered += low <= truth <= high
        plain += abs(np.mean(list(labels.values())) - truth) < 0.4
    assert covered / 300 >= 0.93
    assert plain / 300 < 0.1


@pytest.mark.parametrize(("n", "each"), [(48, 8), (120, 10), (400, 15)])
def test_the_interval_speaks_of_other_questions_too(n: int, each: int) -> None:
    """As those of plain draws do: strata of few questions are a sample themselves."""
    random = np.random.default_rng(1)
    chances = [0.35, 0.25, 0.2, 0.12, 0.08]
    truth = float(np.arange(1, 6) @ chances)
    covered = rounds = 0
    for _ in range(500):
        y = random.choice(np.arange(1.0, 6), n, p=chances)
        judge = np.clip(y + random.choice([-1, 0, 0, 0, 1], n), 1, 5)
        labels: dict[str, float] = {}
        weights: dict[str, float] = {}
        for stratum in range(4):
            places = np.flatnonzero(np.digitize(judge, [1.5, 2.5, 3.5]) == stratum)
            taken = random.permutation(places)[:each]
            labels |= {f"q{i}": float(y[i]) for i in taken}
            weights |= {f"q{i}": len(places) / len(taken) for i in taken}
        if (found := stratified_mean(labels, weights, judge.tolist()).ci95) is not None:
            rounds += 1
            covered += found[0] <= truth <= found[1]
    assert rounds > 400
    assert covered / rounds >= 0.93


def test_documents_add_what_their_questions_share() -> None:
    random = np.random.default_rng(4)
    labels = {f"q{i:02}": float(x) for i, x in enumerate(random.integers(1, 6, 40))}
    weights = {q: 2.0 if int(q[1:]) % 2 else 5.0 for q in labels}
    clusters = {q: int(q[1:]) // 4 for q in labels}
    plain, found = (stratified_mean(labels, weights, [3.0] * 140, c) for c in (None, clusters))
    parts: dict[str, float] = {}
    for weight in (2.0, 5.0):
        own = [q for q in labels if weights[q] == weight]
        centre = float(np.mean([labels[q] for q in own]))
        parts |= {q: weight * len(own) / 140 * (labels[q] - centre) / len(own) for q in own}
    shared = sum(parts[a] * parts[b] for a in parts for b in parts if a != b and clusters[a] == clusters[b])
    assert plain.ci95 is not None
    half = (plain.ci95[1] - plain.ci95[0]) / 2
    variance = (half / t.ppf(0.975, 38)) ** 2 + shared
    assert found.n_clusters == 10
    assert found.mean == plain.mean
    assert found.ci95 == pytest.approx(
        (plain.mean - t.ppf(0.975, 9) * variance**0.5, plain.mean + t.ppf(0.975, 9) * variance**0.5)
    )


def test_documents_of_one_question_change_nothing_and_a_single_one_is_said() -> None:
    labels = {f"q{i}": float(1 + i % 5) for i in range(40)}
    weights = {q: 1.0 + (int(q[1:]) % 2) for q in labels}
    plain = stratified_mean(labels, weights, [3.0] * 60)
    assert stratified_mean(labels, weights, [3.0] * 60, {q: q for q in labels}).ci95 == pytest.approx(
        plain.ci95
    )
    one = stratified_mean(labels, weights, [3.0] * 60, dict.fromkeys(labels, "a"))
    assert one.ci95 == pytest.approx(plain.ci95)
    assert one.n_clusters == 1
    assert one.notes
