"""The judge against itself: what is drawn, what is asked anew, and what the figures mean."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from simsa import judges
from simsa.config import JudgeConfig
from simsa.judge_eval.retest import RetestRow, compare, draw_retest, requests, reseeded
from simsa.rubrics import built_in_criteria
from simsa.store import Store
from tests.support.criteria import CRITERIA
from tests.support.report_runs import make_run, question

BUILT_IN = built_in_criteria()
URL = "http://127.0.0.1:9/v1"


def config(**more: Any) -> JudgeConfig:
    return JudgeConfig.model_validate({"model": "a-judge", "base_url": URL, **more})


def row(n: int, **scores: int) -> RetestRow:
    return RetestRow(question(n), "base", "답", dict.fromkeys(CRITERIA, 3) | scores)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    scores = [(3, 3, 3, 3), "refused", (5, 4, 3, 2), (1, 1, 1, 1), None]
    return make_run(tmp_path / "run", {"base": scores, "lora": [(2, 2, 2, 2)] * 5})


def test_only_judged_answers_are_drawn_over_all_variants_by_the_seed(run: Path) -> None:
    with Store.read(run) as store:
        everything = draw_retest(store, 100)
        some, same, other = (
            draw_retest(store, 4, seed=1),
            draw_retest(store, 4, seed=1),
            draw_retest(store, 4, seed=2),
        )
    assert len(everything) == 3 + 5
    assert {one.variant for one in everything} == {"base", "lora"}
    assert len({one.key for one in everything}) == 8
    assert len(some) == 4
    assert [one.key for one in some] == [one.key for one in same]
    assert [one.key for one in some] != [one.key for one in other]
    by_key = {one.key: one for one in everything}
    assert by_key["q2/base"].scores == dict(zip(CRITERIA, (5, 4, 3, 2), strict=True))
    assert by_key["q2/base"].prediction == "base 2번 답"


def test_nothing_is_drawn_from_nothing(tmp_path: Path) -> None:
    with Store.read(make_run(tmp_path / "run", {"base": ["refused", None]})) as store:
        assert draw_retest(store, 5) == []


@pytest.mark.parametrize("seed", [0, 7, None])
def test_another_seed_makes_every_request_a_new_one(seed: int | None) -> None:
    one = config(seed=seed)
    first, second = judges.make(one), judges.make(reseeded(one))
    asked = [{r.request_hash for r in requests(judge, row(1))} for judge in (first, second)]
    assert asked[0]
    assert not asked[0] & asked[1]
    assert first.rubric == second.rubric
    assert first.label == second.label


def test_every_member_of_a_panel_gets_another_seed() -> None:
    members = [{"model": "a", "base_url": URL, "seed": 5}, {"model": "b", "base_url": URL}]
    panel = JudgeConfig.model_validate({"panel": members})
    before, after = (one.each for one in (panel, reseeded(panel)))
    assert list(after) == list(before) == ["a", "b"]
    for name in before:
        assert (before[name].seed or 0) + 1_000_000 < (after[name].seed or 0)
    assert len({one.seed for one in after.values()}) == 2, "what told them apart still does"


def test_claims_are_not_listed_a_second_time() -> None:
    plain, listing = judges.make(config()), judges.make(config(claims=True))
    assert len(listing.requests(question(1), "답")) == len(plain.requests(question(1), "답")) + 1
    assert [r.criteria for r in requests(listing, row(1))] == [r.criteria for r in requests(plain, row(1))]


def test_agreement_is_that_of_the_rows_that_both_have() -> None:
    rows = [row(n, answer_correctness=1 + n % 5) for n in range(20)]
    second = {one.key: dict(one.scores) for one in rows}
    same = compare(rows, second, BUILT_IN)
    assert (same.n_rows, same.n_unscored) == (20, 0)
    found = same.to_dict()["criteria"]
    assert found["answer_correctness"]["exact"] == 1.0
    assert found["answer_correctness"]["quadratic_kappa"] == 1.0
    assert found["answer_correctness"]["n"] == 20
    assert found["context_recall"]["quadratic_kappa"] is None, "a constant agrees with itself by chance too"
    assert found["context_recall"]["notes"]


def test_a_kinder_second_time_is_a_bias() -> None:
    rows = [row(n, answer_correctness=1 + n % 4) for n in range(20)]
    second = {one.key: {"answer_correctness": one.scores["answer_correctness"] + 1} for one in rows}
    figures = compare(rows, second, BUILT_IN).to_dict()["criteria"]
    assert list(figures) == ["answer_correctness"], "what was not scored again is not compared"
    assert figures["answer_correctness"]["exact"] == 0.0
    assert figures["answer_correctness"]["within_one"] == 1.0
    assert abs(figures["answer_correctness"]["bias"]) == 1.0


def test_rows_without_a_second_verdict_are_counted() -> None:
    rows = [row(n) for n in range(4)]
    found = compare(rows, {rows[0].key: dict(rows[0].scores), rows[1].key: {}}, BUILT_IN)
    assert (found.n_rows, found.n_unscored) == (4, 3)
    assert found.to_dict()["criteria"]["context_recall"]["n"] == 1
    assert compare([], {}, BUILT_IN).to_dict() == {"n": 0, "unscored": 0, "criteria": {}}
