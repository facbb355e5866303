from __future__ import annotations

import json
import random as stdlib_random

import numpy as np
import pytest
from numpy.typing import NDArray
from ppi_py import ppi_mean_ci, ppi_mean_pointestimate
from scipy.stats import t

from simsa.i18n.messages import note_text
from simsa.stats import corrected_difference, corrected_mean, estimate
from simsa.stats.intervals import cluster_codes
from simsa.stats.ppi import ONE_DOCUMENT, _weights

Floats = NDArray[np.float64]


def judged_items(n: int, n_others: int, seed: int, bias: float = 0.3) -> tuple[Floats, Floats, Floats]:
    random = np.random.default_rng(seed)
    truth = random.choice([1.0, 2, 3, 4, 5], n + n_others, p=[0.1, 0.15, 0.2, 0.3, 0.25])
    judge = np.clip(truth + random.normal(bias, 0.8, n + n_others).round(), 1, 5)
    return truth[:n], judge[:n], judge[n:]


@pytest.mark.parametrize("seed", range(5))
def test_point_estimate_is_ppi_py_s_fold_by_fold(seed: int) -> None:
    y, f, others = judged_items(60, 400, seed)
    weights = _weights(y, f, others)
    expected = sum(
        (weights == w).sum() / 60 * ppi_mean_pointestimate(y[weights == w], f[weights == w], others, lam=w)[0]
        for w in np.unique(weights)
    )
    found = corrected_mean(list(y), list(f), list(others))
    assert found.mean == pytest.approx(expected, abs=1e-9)
    assert found.weight == pytest.approx(weights.mean())


def test_weights_are_ppi_py_s_but_for_the_fold_left_out() -> None:
    y, f, others = judged_items(1_000, 5_000, 1)
    # The tuned estimate is linear in λ, which can be read off from it.
    tuned = ppi_mean_pointestimate(y, f, others)[0]
    weight = (tuned - y.mean()) / (others.mean() - f.mean())
    assert _weights(y, f, others) == pytest.approx(np.full(1_000, weight), abs=0.03)


def test_interval_is_ppi_py_s_up_to_t_and_degrees_of_freedom() -> None:
    y, f, others = judged_items(200, 2_000, 2)
    found = corrected_mean(list(y), list(f), list(others))
    low, high = ppi_mean_ci(y, f, others, alpha=0.05, lam=found.weight)
    assert found.ci95 == pytest.approx((low[0], high[0]), abs=0.01)


def test_a_biased_judge_is_corrected_and_says_less_than_the_truth_alone() -> None:
    y, f, others = judged_items(100, 2_000, 3, bias=0.5)
    found = corrected_mean(list(y), list(f), list(others))
    truth = float(np.concatenate((y, others)).mean())
    assert found.naive is not None
    assert found.mean is not None
    assert found.ci95 is not None
    assert found.naive == pytest.approx(np.concatenate((f, others)).mean())
    assert found.mean < found.naive
    assert truth is not None
    assert found.ci95[1] - found.ci95[0] < 2 * 1.984 * float(y.std(ddof=1)) / 10


def test_a_judge_that_knows_nothing_gets_no_weight() -> None:
    random = np.random.default_rng(4)
    y = random.choice([1.0, 2, 3, 4, 5], 200)
    f, others = random.choice([1.0, 2, 3, 4, 5], 200), random.choice([1.0, 2, 3, 4, 5], 2_000)
    found = corrected_mean(list(y), list(f), list(others))
    assert found.weight == pytest.approx(0.0, abs=0.15)
    assert found.mean == pytest.approx(y.mean(), abs=0.05)


def test_a_judge_that_contradicts_gets_no_weight_at_all() -> None:
    y, _, _ = judged_items(50, 0, 5)
    found = corrected_mean(list(y), list(6 - y), [3.0, 4.0, 5.0] * 50)
    assert found.weight == 0.0
    assert found.mean == pytest.approx(y.mean())


def test_a_constant_judge_gets_no_weight() -> None:
    y, _, _ = judged_items(40, 0, 6)
    found = corrected_mean(list(y), [3.0] * 40, [3.0] * 100)
    assert found.weight == 0.0
    assert found.mean == pytest.approx(y.mean())


def test_without_others_it_is_the_mean_of_the_labels() -> None:
    y, f, _ = judged_items(40, 0, 7)
    found = corrected_mean(list(y), list(f), [])
    half = 2.0226909 * float(y.std(ddof=1)) / 40**0.5
    assert found.mean == pytest.approx(y.mean())
    assert found.ci95 == pytest.approx((y.mean() - half, y.mean() + half), abs=1e-6)


@pytest.mark.parametrize(("n", "corrected"), [(29, False), (30, True)])
def test_under_thirty_labels_nothing_is_corrected(n: int, corrected: bool) -> None:
    y, f, others = judged_items(n, 100, 8)
    found = corrected_mean(list(y), list(f), list(others))
    assert (found.mean is not None) == (found.ci95 is not None) == corrected
    assert bool(found.notes) != corrected
    assert found.naive is not None


def test_order_changes_nothing() -> None:
    y, f, others = judged_items(45, 100, 9)
    pairs = list(zip(y, f, strict=True))
    stdlib_random.Random(2).shuffle(pairs)
    found = corrected_mean(list(y), list(f), list(others))
    again = corrected_mean([a for a, _ in pairs], [b for _, b in pairs], list(others)[::-1])
    assert again.mean == pytest.approx(found.mean, abs=1e-12)
    assert again.ci95 == pytest.approx(found.ci95, abs=1e-12)


def test_a_constant_on_both_sides_shifts_it() -> None:
    y, f, others = judged_items(45, 100, 10)
    found, moved = corrected_mean(y, f, others), corrected_mean(y + 2, f + 2, others + 2)  # type: ignore[arg-type]
    assert moved.mean == pytest.approx(found.mean + 2)  # type: ignore[operator]
    assert moved.weight == pytest.approx(found.weight)


def test_wrong_input_is_refused() -> None:
    with pytest.raises(ValueError, match="2 labels, but 1"):
        corrected_mean([1, 2], [1], [])
    with pytest.raises(ValueError, match="not finite"):
        corrected_mean([float("nan")], [1], [])
    assert corrected_mean([], [], []).naive is None


def test_differences_are_corrected_over_the_questions_that_both_have() -> None:
    y, f, others = judged_items(40, 60, 11)
    names = [f"q{i}" for i in range(100)]
    judge = np.concatenate((f, others))
    labels_a = dict(zip(names[:40], np.full(40, 3.0), strict=True)) | {"only a": 1.0}
    labels_b = dict(zip(names[:40], y, strict=True))
    judged_a = dict.fromkeys(names, 3.0) | {"only a": 1.0}
    judged_b = dict(zip(names, judge, strict=True)) | {"only b": 5.0}
    found = corrected_difference((labels_a, labels_b), (judged_a, judged_b))
    plain = corrected_mean(list(y - 3), list(f - 3), list(others - 3))
    assert (found.n_labels, found.n_others) == (40, 60)
    assert found.mean == pytest.approx(plain.mean)
    assert found.ci95 == pytest.approx(plain.ci95)
    swapped = corrected_difference((labels_b, labels_a), (judged_b, judged_a))
    assert swapped.naive == pytest.approx(-found.naive)  # type: ignore[operator]
    assert swapped.mean == pytest.approx(-found.mean, abs=0.02)  # type: ignore[operator]


def test_its_json_has_the_published_keys() -> None:
    y, f, others = judged_items(40, 60, 12)
    row = json.loads(json.dumps(corrected_mean(list(y), list(f), list(others)).to_dict(note_text)))
    assert set(row) >= {"mean", "ci95", "lambda"}


# Documents ---------------------------------------------------------------------------


def in_documents(
    n: int, n_others: int, per_document: int, seed: int
) -> tuple[Floats, Floats, Floats, list[int]]:
    """Items of which `per_document` share their luck; which of them are labelled is drawn at random."""
    random = np.random.default_rng(seed)
    document = random.permutation(np.arange(n + n_others) // per_document)
    luck = random.normal(0, 1, n + n_others)[document]
    truth = np.clip((3 + luck + random.normal(0, 0.7, n + n_others)).round(), 1, 5)
    judge = np.clip(truth + (random.random(n + n_others) < 0.4), 1, 5)
    return truth[:n], judge[:n], judge[n:], [int(d) for d in document]


def test_items_with_documents_of_their_own_are_independent_items() -> None:
    y, f, others = judged_items(60, 200, 13)
    plain = corrected_mean(list(y), list(f), list(others))
    found = corrected_mean(list(y), list(f), list(others), (list(range(60)), list(range(60, 260))))
    assert found.n_clusters == 60
    assert found.ci95 is not None
    # Whole documents are dealt into folds, which may deal them otherwise: λ differs a little.
    assert found.mean == pytest.approx(plain.mean, abs=0.03)
    assert found.ci95 == pytest.approx(plain.ci95, abs=0.03)


@pytest.mark.parametrize("per_document", [2, 5, 10])
def test_the_variance_is_that_of_whole_documents_shares(per_document: int) -> None:
    """Against a plain transcription: every item's share in the error, summed up by document."""
    y, f, others, documents = in_documents(60, 240, per_document, per_document)
    found = corrected_mean(list(y), list(f), list(others), (documents[:60], documents[60:]))
    weights = _weights(y, f, others, cluster_codes(documents)[:60])
    rest = y - weights * f
    lam = weights.mean()
    shares: dict[int, float] = {}
    squares = 0.0
    parts = [*((rest - rest.mean()) / 60), *(lam * (others - others.mean()) / 240)]
    for document, part in zip(documents, parts, strict=True):
        shares[document] = shares.get(document, 0.0) + part
        squares += part**2
    variance = rest.var(ddof=1) / 60 + lam**2 * others.var(ddof=1) / 240
    variance += sum(share**2 for share in shares.values()) - squares
    n_clusters = len(set(documents[:60]))
    half = t.ppf(0.975, n_clusters - 1) * variance**0.5
    assert found.n_clusters == n_clusters
    assert found.weight == pytest.approx(lam)
    assert found.mean == pytest.approx(lam * others.mean() + rest.mean())
    assert found.ci95 == pytest.approx((found.mean - half, found.mean + half))


def test_documents_of_the_labelled_only_are_the_clusters_of_a_plain_mean() -> None:
    y, f, _, documents = in_documents(80, 0, 4, 14)
    found = corrected_mean(list(y), list(f), [], (documents, []))
    plain = estimate(list(y), documents)
    assert found.mean == pytest.approx(plain.mean)
    assert found.ci95 == pytest.approx(plain.ci95)


def test_a_document_is_never_weighed_by_what_it_taught() -> None:
    y, f, others, documents = in_documents(60, 100, 6, 15)
    codes = np.array(documents[:60], dtype=np.intp)
    weights = _weights(y, f, others, codes)
    for document in set(documents[:60]):
        assert len(set(weights[codes == document])) == 1, "one document, one fold"
    assert len(set(weights)) > 1


def test_twice_the_same_rows_of_a_document_are_no_new_evidence() -> None:
    y, f, others = judged_items(40, 200, 16)
    once = corrected_mean(list(y), list(f), list(others), (list(range(40)), list(range(40, 240))))
    twice = corrected_mean(
        [*y, *y], [*f, *f], [*others, *others], (list(range(40)) * 2, list(range(40, 240)) * 2)
    )
    naive = corrected_mean([*y, *y], [*f, *f], [*others, *others])
    widths = [one.ci95[1] - one.ci95[0] for one in (once, twice, naive) if one.ci95]
    assert widths[1] == pytest.approx(widths[0], rel=0.05)
    assert widths[2] < 0.8 * widths[0]


def test_one_document_for_all_is_said() -> None:
    y, f, others = judged_items(40, 100, 17)
    found = corrected_mean(list(y), list(f), list(others), (["a"] * 40, ["a"] * 100))
    plain = corrected_mean(list(y), list(f), list(others))
    assert (found.mean, found.ci95, found.n_clusters) == (plain.mean, plain.ci95, 1)
    assert found.notes == (ONE_DOCUMENT,)


def test_few_documents_still_have_an_interval() -> None:
    y, f, others, _ = in_documents(40, 100, 4, 18)
    found = corrected_mean(
        list(y), list(f), list(others), ([n % 2 for n in range(40)], [n % 2 for n in range(100)])
    )
    assert found.n_clusters == 2
    assert found.ci95 is not None
    assert found.ci95[0] <= (found.mean or 0) <= found.ci95[1]


def test_the_order_of_rows_with_documents_changes_nothing() -> None:
    y, f, others, documents = in_documents(45, 90, 3, 19)
    rows = list(zip(y, f, documents[:45], strict=True))
    stdlib_random.Random(3).shuffle(rows)
    found = corrected_mean(list(y), list(f), list(others), (documents[:45], documents[45:]))
    again = corrected_mean(
        [a for a, _, _ in rows],
        [b for _, b, _ in rows],
        list(others)[::-1],
        ([c for _, _, c in rows], documents[45:][::-1]),
    )
    assert again.mean == pytest.approx(found.mean, abs=1e-12)
    assert again.ci95 == pytest.approx(found.ci95, abs=1e-12)


def test_differences_take_the_documents_of_their_questions() -> None:
    y, f, others, documents = in_documents(40, 80, 4, 20)
    names = [f"q{i}" for i in range(120)]
    judge = dict(zip(names, np.concatenate((f, others)), strict=True))
    zero = dict.fromkeys(names, 0.0)
    clusters = dict(zip(names, documents, strict=True))
    labels = dict(zip(names[:40], y, strict=True))
    found = corrected_difference((dict.fromkeys(names[:40], 0.0), labels), (zero, judge), clusters)
    expected = corrected_mean(list(y), list(f), list(others), (documents[:40], documents[40:]))
    assert found.mean == pytest.approx(expected.mean, abs=0.05)
    assert found.n_clusters == expected.n_clusters
    assert found.ci95 == pytest.approx(expected.ci95, abs=0.08)
    unnamed = {name: clusters[name] for name in names[:119]}
    alone = corrected_difference((dict.fromkeys(names[:40], 0.0), labels), (zero, judge), unnamed)
    assert alone.ci95 is not None, "a question without a document stands for itself"


def test_clusters_of_another_length_are_refused() -> None:
    y, f, others = judged_items(40, 10, 21)
    with pytest.raises(ValueError, match=r"40 \+ 10 scores, but 39 \+ 10 clusters"):
        corrected_mean(list(y), list(f), list(others), (list(range(39)), list(range(10))))
