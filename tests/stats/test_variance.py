from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsa.stats import VarianceSplit, split_variance, spread

Row = tuple[int, int, float]


def nested(q: int, s: int, r: int, sds: tuple[float, float, float], seed: int = 0) -> list[Row]:
    random = np.random.default_rng(seed)
    rows = []
    for question in range(q):
        of_question = random.normal(3, sds[0])
        for generation in range(s):
            of_answer = of_question + random.normal(0, sds[1])
            rows += [(question, generation, of_answer + random.normal(0, sds[2])) for _ in range(r)]
    return rows


def test_components_are_found() -> None:
    found = split_variance(nested(3_000, 3, 3, (1.0, 0.5, 0.3)))
    assert found is not None
    assert found.questions == pytest.approx(1.0, rel=0.1)
    assert found.seeds == pytest.approx(0.25, rel=0.1)
    assert found.repeats == pytest.approx(0.09, rel=0.1)
    assert (found.n_questions, found.n_seeds, found.n_repeats) == (3_000, 3, 3)


def test_components_are_found_where_counts_differ() -> None:
    random = np.random.default_rng(1)
    rows = [row for row in nested(4_000, 3, 3, (1.0, 0.5, 0.3)) if random.random() < 0.6]
    found = split_variance(rows)
    assert found is not None
    assert found.questions == pytest.approx(1.0, rel=0.1)
    assert found.seeds == pytest.approx(0.25, rel=0.1)
    assert found.repeats == pytest.approx(0.09, rel=0.1)


def test_balanced_components_are_those_of_reml() -> None:
    """For balanced data with positive components the method of moments and REML agree."""
    import pandas as pd
    from statsmodels.regression.mixed_linear_model import MixedLM

    rows = nested(30, 3, 2, (1.0, 0.8, 0.5), seed=3)
    frame = pd.DataFrame(rows, columns=["question", "seed", "score"])
    model = MixedLM.from_formula(
        "score ~ 1", groups="question", re_formula="1", vc_formula={"seed": "0 + C(seed)"}, data=frame
    )
    fit = model.fit(reml=True)
    found = split_variance(rows)
    assert found is not None
    assert found.questions == pytest.approx(float(fit.cov_re.iloc[0, 0]), rel=0.02)
    assert found.seeds == pytest.approx(float(fit.vcomp[0]), rel=0.02)
    assert found.repeats == pytest.approx(float(fit.scale), rel=0.02)


def test_standard_error_is_that_of_repeated_experiments() -> None:
    means = [np.mean([row[2] for row in nested(20, 2, 2, (1.0, 0.5, 0.3), seed)]) for seed in range(400)]
    truth = VarianceSplit(1.0, 0.25, 0.09, 20, 2, 2)
    assert truth.se() == pytest.approx(np.std(means), rel=0.1)
    assert truth.se(questions=4) == pytest.approx(truth.se() / 2)


def test_one_score_a_question_is_all_between_questions() -> None:
    rows = [(i, 0, float(v)) for i, v in enumerate([1, 2, 3, 4, 5])]
    found = split_variance(rows)
    assert found is not None
    assert found.questions == pytest.approx(2.5)
    assert found.seeds is found.repeats is None
    assert found.se() == pytest.approx((2.5 / 5) ** 0.5)
    assert found.gains() == {"questions": pytest.approx(1 - 0.5**0.5)}


def test_repeats_without_seeds_and_seeds_without_repeats() -> None:
    repeated = split_variance(nested(500, 1, 3, (1.0, 0.0, 0.5)))
    regenerated = split_variance(nested(500, 3, 1, (1.0, 0.5, 0.0)))
    assert repeated is not None
    assert regenerated is not None
    assert repeated.seeds is None
    assert repeated.repeats == pytest.approx(0.25, rel=0.15)
    assert regenerated.repeats is None
    assert regenerated.seeds == pytest.approx(0.25, rel=0.15)


def test_advice_follows_the_noise_and_the_price() -> None:
    noisy_judge = VarianceSplit(0.05, 0.0, 3.0, 50, 1, 1)
    noisy_questions = VarianceSplit(3.0, 0.0, 0.05, 50, 1, 1)
    assert noisy_judge.advice() == "repeats"
    assert noisy_questions.advice() == "questions"
    assert VarianceSplit(0.3, 3.0, 0.05, 50, 1, 1).advice(question_cost=20) == "seeds"
    assert noisy_judge.advice(question_cost=0, generation_cost=0, judgement_cost=9) == "questions"
    assert VarianceSplit(0.0, None, 0.0, 50, 1, 2).advice() is None


def test_components_are_never_negative() -> None:
    rows = [(q, s, v) for q in range(4) for s, v in ((0, 1.0), (1, 5.0))]
    found = split_variance(rows)
    assert found is not None
    assert found.questions == 0.0


def test_too_little_to_split() -> None:
    assert split_variance([]) is None
    assert split_variance([(1, 1, 3.0), (1, 2, 4.0)]) is None


def test_its_json() -> None:
    found = split_variance(nested(10, 2, 2, (1.0, 0.5, 0.3)))
    assert found is not None
    row = json.loads(json.dumps(found.to_dict()))
    assert row["advice"] in ("questions", "seeds", "repeats")
    assert row["se"] > 0


@given(st.lists(st.lists(st.integers(1, 5), max_size=5), max_size=12))
def test_spread_is_the_pooled_deviation_within_groups(groups: list[list[int]]) -> None:
    found = spread(groups)
    several = [group for group in groups if len(group) > 1]
    if not several:
        assert found is None
        return
    assert found is not None
    squares = sum(np.var(group) * len(group) for group in several)
    assert found.sd == pytest.approx((squares / sum(len(group) - 1 for group in several)) ** 0.5)
    assert found.n == len(several)
    assert found.differ == sum(len(set(group)) > 1 for group in several) / len(several)
