from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsa.stats import VarianceSplit, split_difference, split_variance, spread

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


def test_shares_are_of_the_mean_s_variance_and_sum_to_one() -> None:
    split = VarianceSplit(1.0, 0.5, 0.25, 10, 2, 4)
    parts = {"questions": 1.0 / 10, "seeds": 0.5 / 20, "repeats": 0.25 / 80}
    whole = sum(parts.values())
    assert split.shares() == pytest.approx({name: part / whole for name, part in parts.items()})
    assert split.se() ** 2 == pytest.approx(whole)
    only = VarianceSplit(1.0, None, 0.25, 10, 1, 4)
    assert set(only.shares()) == {"questions", "repeats"}
    assert sum(only.shares().values()) == pytest.approx(1.0)
    assert VarianceSplit(0.0, None, 0.0, 10, 1, 2).shares() == {}


def test_limits_are_what_endless_buying_brings() -> None:
    split = VarianceSplit(1.0, 0.5, 0.25, 10, 2, 4)
    limits = split.limits()
    assert limits["questions"] == 1.0
    assert limits["seeds"] == pytest.approx(1 - split.se(seeds=1e12) / split.se())
    assert limits["repeats"] == pytest.approx(1 - split.se(repeats=1e12) / split.se())
    only = VarianceSplit(1.0, None, 0.25, 10, 1, 4)
    assert set(only.limits()) == {"questions", "repeats"}
    assert only.limits()["repeats"] == pytest.approx(1 - only.se(repeats=1e12) / only.se())
    assert VarianceSplit(0.0, None, 0.0, 10, 1, 2).limits() == {}


@given(
    st.floats(0, 5), st.one_of(st.none(), st.floats(0, 5)), st.one_of(st.none(), st.floats(0, 5)),
    st.integers(2, 500), st.integers(1, 5), st.integers(1, 5),
)  # fmt: skip
def test_doubling_never_brings_more_than_the_limit(
    questions: float, seeds: float | None, repeats: float | None, q: int, s: int, r: int
) -> None:
    split = VarianceSplit(questions, seeds, repeats, q, s, r)
    limits = split.limits()
    for source, gain in split.gains().items():
        assert -1e-9 <= gain <= limits[source] + 1e-9
    assert split.is_split == (seeds is not None or repeats is not None)


def paired(n: int, s: int, r: int, seed: int) -> tuple[list[Row], list[Row]]:
    """Two variants whose luck with a question is partly the same."""
    random = np.random.default_rng(seed)
    sides: tuple[list[Row], list[Row]] = ([], [])
    for question in range(n):
        shared = random.normal(3, 1.0)
        for rows in sides:
            own = shared + random.normal(0, 0.5)
            for generation in range(s):
                answer = own + random.normal(0, 0.6)
                rows += [(question, generation, answer + random.normal(0, 0.4)) for _ in range(r)]
    return sides


def means(rows: list[Row]) -> dict[int, float]:
    questions = sorted({row[0] for row in rows})
    return {q: float(np.mean([row[2] for row in rows if row[0] == q])) for q in questions}


def test_a_difference_is_split_into_what_both_sides_bring() -> None:
    sides = paired(1_500, 3, 2, 5)
    first, second = (split_variance(rows) for rows in sides)
    assert first is not None
    assert second is not None
    of_first, of_second = (means(rows) for rows in sides)
    found = split_difference(first, second, [of_second[q] - of_first[q] for q in of_first])
    assert found is not None
    assert found.questions == pytest.approx(2 * 0.5**2, rel=0.15), "what both share of a question is gone"
    assert found.seeds == pytest.approx(2 * 0.6**2, rel=0.1)
    assert found.repeats == pytest.approx(2 * 0.4**2, rel=0.1)
    assert (found.n_questions, found.n_seeds, found.n_repeats) == (1_500, 3, 2)


@pytest.mark.parametrize("seed", range(5))
def test_the_split_s_standard_error_is_that_of_the_paired_difference(seed: int) -> None:
    sides = paired(60, 2, 3, seed)
    first, second = (split_variance(rows) for rows in sides)
    assert first is not None
    assert second is not None
    of_first, of_second = (means(rows) for rows in sides)
    d = np.array([of_second[q] - of_first[q] for q in of_first])
    found = split_difference(first, second, d.tolist())
    assert found is not None
    if found.questions > 0:
        assert found.se() == pytest.approx(float(d.std(ddof=1)) / 60**0.5)


def test_a_difference_of_sides_that_cannot_be_split_is_all_between_questions() -> None:
    plain = [(q, 0, float(q % 5)) for q in range(20)]
    first, second = split_variance(plain), split_variance([(q, s, v + 1) for q, s, v in plain])
    assert first is not None
    assert second is not None
    found = split_difference(first, second, [1.0] * 20)
    assert found is not None
    assert not found.is_split
    assert found.questions == 0.0
    assert split_difference(first, second, [1.0]) is None
