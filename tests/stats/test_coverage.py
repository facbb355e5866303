"""A slim version of bench/coverage.py: the defaults do what they promise on skewed 1–5 scores."""

from __future__ import annotations

import math

import pytest
from bench.coverage import (
    corrected_coverage,
    draw,
    interval_coverage,
    missing_scores,
    power_at_mde,
    several_answers,
    stratified_coverage,
    type_one_error,
)


def within(share: float, promised: float, reps: int) -> bool:
    """Whether a simulated share is within 1.5 points of the promise, and three standard errors more."""
    return abs(share - promised) <= 0.015 + 3 * math.sqrt(promised * (1 - promised) / reps)


@pytest.mark.parametrize("n", [30, 100])
def test_the_t_interval_covers(n: int) -> None:
    assert within(interval_coverage(n, 1, 1_500)["t"], 0.95, 1_500)


def test_with_documents_the_robust_interval_covers_and_the_plain_one_does_not() -> None:
    shares = interval_coverage(120, 4, 1_000)
    assert within(shares["cluster-robust"], 0.95, 1_000)
    assert shares["t"] < 0.90


def test_the_test_errs_as_rarely_as_it_says() -> None:
    shares = type_one_error(40, 1, 120)
    assert within(shares["permutation"], 0.05, 120)
    assert within(shares["verdict"], 0.05, 120)


def test_the_verdict_errs_no_more_often_where_questions_share_documents() -> None:
    shares = type_one_error(120, 4, 120)
    assert within(shares["verdict"], 0.05, 120)
    assert shares["permutation"] > shares["verdict"]


@pytest.mark.parametrize("n_labels", [30, 100])
def test_the_corrected_mean_covers_where_the_judge_alone_misses(n_labels: int) -> None:
    shares = corrected_coverage(n_labels, 600)
    assert shares["bias"] == pytest.approx(0.3, abs=0.02)
    assert shares["judge alone"] < 0.2
    assert shares["corrected"] >= 0.93 - 2 * (0.95 * 0.05 / 600) ** 0.5
    assert shares["narrower by"] > 0.2


@pytest.mark.parametrize("n_labels", [60, 300])
def test_the_corrected_mean_covers_where_questions_share_documents(n_labels: int) -> None:
    shares = corrected_coverage(n_labels, 600, per_document=6)
    assert shares["corrected"] >= 0.93 - 2 * (0.95 * 0.05 / 600) ** 0.5
    assert shares["as if independent"] < shares["corrected"]
    assert shares["judge alone"] < 0.2


@pytest.mark.parametrize("n", [80, 300])
def test_a_mean_of_labels_drawn_by_strata_covers(n: int) -> None:
    assert 0.93 <= stratified_coverage(n, 500)["by strata"] <= 0.985


def test_several_answers_to_a_question_are_no_several_questions() -> None:
    assert within(several_answers(1, 1_000)["questions"], 0.95, 1_000)
    shares = several_answers(6, 1_000)
    assert within(shares["questions"], 0.95, 1_000)
    assert shares["answers as if independent"] < 0.8


def test_power_at_the_mde_is_eighty_percent() -> None:
    assert within(power_at_mde(100, 1_000), 0.80, 1_000)


@pytest.mark.parametrize("by_badness", [False, True])
@pytest.mark.parametrize("share", [0.01, 0.3])
def test_bounds_hold_the_truth_whatever_is_missing(share: float, by_badness: bool) -> None:
    shares = missing_scores(share, 60, by_badness=by_badness)
    assert shares["bounds of the mean"] == shares["bounds of the difference"] == shares["said"] == 1.0
    assert (abs(shares["mean rises"]) > 0.5 * share) == by_badness, (
        "the figure rises, and never without a word"
    )


def test_the_simulated_scores_are_what_they_are_said_to_be() -> None:
    import numpy as np

    pair = draw(np.random.default_rng(1), 4_000, per_document=4)
    assert set(np.unique(pair.first)) == {1, 2, 3, 4, 5}
    assert np.median(pair.first) < pair.first.mean()
    assert abs((pair.second - pair.first).mean()) < 0.1
    assert len(set(pair.documents)) == 1_000
