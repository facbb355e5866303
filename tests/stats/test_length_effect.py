"""Score against length within a question, held against regressions with a column for every question."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsa.i18n.messages import note_text
from simsa.stats import StatNote, length_bias


def world(
    n: int = 60,
    variants: int = 3,
    slope: float = 0.0,
    better: float = 0.0,
    longer: float = 0.0,
    seed: int = 1,
) -> tuple[list[float], list[int], list[int], list[int]]:
    """Scores that move by `slope` a doubling; variants that are `better` and `longer` by their number."""
    random = np.random.default_rng(seed)
    scores, lengths, questions, names = [], [], [], []
    for q in range(n):
        ease, size = random.normal(0, 1), random.normal(6, 1)
        for v in range(variants):
            doublings = max(0.5, size + longer * v + random.normal(0, 0.8))
            length = round(2**doublings)
            scores.append(float(3 + ease + better * v + slope * np.log2(1 + length) + random.normal(0, 0.3)))
            lengths.append(length)
            questions.append(q)
            names.append(v)
    return scores, lengths, questions, names


def test_a_bias_is_found_and_none_is_made_up() -> None:
    found = length_bias(*world(slope=0.5))
    assert found.slope == pytest.approx(0.5, abs=0.1)
    assert found.ci95 is not None
    assert found.ci95[0] > 0.3
    assert found.correlation is not None
    assert found.correlation > 0.6


@pytest.mark.parametrize(("better", "longer"), [(0.0, 0.0), (1.0, 1.0)])
def test_the_interval_covers_what_it_promises(better: float, longer: float) -> None:
    repeats = 200
    found = [length_bias(*world(40, better=better, longer=longer, seed=seed)) for seed in range(repeats)]
    covers = [f.adjusted_ci95[0] <= 0 <= f.adjusted_ci95[1] for f in found if f.adjusted_ci95]
    assert len(covers) == repeats
    assert 0.90 <= sum(covers) / repeats <= 0.985


def test_hard_questions_with_long_answers_are_no_bias() -> None:
    scores, lengths, questions, names = world(slope=0.0)
    harder = [s - 2 * np.log2(1 + 100 * q) for s, q in zip(scores, questions, strict=True)]
    longer = [length * (1 + 100 * q) for length, q in zip(lengths, questions, strict=True)]
    found = length_bias(harder, longer, questions, names)
    assert found.slope == pytest.approx(length_bias(scores, lengths, questions, names).slope, abs=0.1)


def test_a_better_variant_that_is_longer_is_no_bias_once_it_is_held_fixed() -> None:
    found = length_bias(*world(better=1.0, longer=1.0))
    assert found.slope is not None
    assert found.slope > 0.3
    assert found.adjusted == pytest.approx(0.0, abs=0.1)


def test_equal_to_a_regression_with_a_column_for_every_question_and_variant() -> None:
    import statsmodels.api as sm

    scores, lengths, questions, names = world(n=25, slope=0.3, better=0.4, longer=0.3)
    x = np.log2(1 + np.array(lengths))
    of_questions = np.eye(25)[questions]
    of_variants = np.eye(3)[names][:, 1:]
    plain = sm.OLS(scores, np.column_stack([x, of_questions])).fit()
    both = sm.OLS(scores, np.column_stack([x, of_questions, of_variants])).fit()
    found = length_bias(scores, lengths, questions, names)
    assert found.slope == pytest.approx(plain.params[0], abs=1e-9)
    assert found.adjusted == pytest.approx(both.params[0], abs=1e-9)
    robust = plain.get_robustcov_results(
        "cluster", groups=questions, df_correction=False, use_correction=False
    )
    assert found.ci95 is not None
    from scipy.stats import t

    half = robust.bse[0] * np.sqrt(25 / 24) * t.ppf(0.975, 24)
    assert found.slope is not None
    assert found.ci95[1] - found.slope == pytest.approx(half, abs=1e-9)


def test_documents_that_questions_share_widen_the_interval() -> None:
    scores, lengths, questions, names = world(n=40)
    shared = [q // 10 for q in questions]
    alone, together = (length_bias(scores, lengths, questions, names, c) for c in (None, shared))
    assert alone.slope == together.slope
    assert alone.ci95 != together.ci95
    assert length_bias(scores, lengths, questions, names, questions).ci95 == pytest.approx(alone.ci95)


def test_what_cannot_be_computed_says_why() -> None:
    assert length_bias([], [], [], []).notes
    assert length_bias([3, 4], [5, 6], [0, 0], [0, 1]).slope is None
    alike = length_bias([3, 4, 5, 2], [7, 7, 9, 9], [0, 0, 1, 1], [0, 1, 0, 1])
    assert alike.slope is None
    assert alike.notes == (StatNote("equal_lengths"),)
    bound = length_bias([3, 4, 5, 2], [3, 7, 3, 7], [0, 0, 1, 1], [0, 1, 0, 1])
    assert bound.slope is not None
    assert bound.adjusted is None
    assert bound.notes == (StatNote("length_is_variant"),)
    document = bound.to_dict(note_text)
    assert document["adjusted_slope"] is None
    assert document["n_questions"] == 2


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="finite"):
        length_bias([float("nan"), 2], [1, 2], [0, 0], [0, 1])
    with pytest.raises(ValueError, match="negative"):
        length_bias([1, 2], [1, -2], [0, 0], [0, 1])


@settings(max_examples=40)
@given(st.randoms(use_true_random=False), st.floats(-3, 3))
def test_order_does_not_matter_and_a_constant_changes_nothing(random: object, constant: float) -> None:
    scores, lengths, questions, names = world(n=8)
    places = list(range(len(scores)))
    random.shuffle(places)  # type: ignore[attr-defined]
    found = length_bias(scores, lengths, questions, names)
    moved = length_bias(
        [scores[p] + constant for p in places],
        [lengths[p] for p in places],
        [questions[p] for p in places],
        [names[p] for p in places],
    )
    assert moved.slope == pytest.approx(found.slope, abs=1e-9)
    assert moved.adjusted == pytest.approx(found.adjusted, abs=1e-9)
    assert moved.ci95 == pytest.approx(found.ci95, abs=1e-9)


def test_questions_answered_once_are_left_out() -> None:
    scores, lengths, questions, names = world(n=10)
    more = length_bias([*scores, 1.0], [*lengths, 4_000], [*questions, 99], [*names, 0])
    assert more.n == len(scores)
    assert more.slope == length_bias(scores, lengths, questions, names).slope
