"""A rubric with other names, scales and weights is reported like a built-in one."""

from __future__ import annotations

from pathlib import Path

import pytest

from simsa.records import Criteria, Criterion
from simsa.report import Summary, summary
from simsa.report.comparisons import comparison_report
from simsa.report.example_answers import pick
from simsa.report.gates import parse
from simsa.report.score_matrix import load
from simsa.report.score_rows import columns, rows
from simsa.store import Store
from tests.support.report_runs import Scored, make_run

CRITERIA = Criteria(
    (
        Criterion("quality", 0, 10, weight=2, aspect="correctness"),
        Criterion("grounded", 0, 1, aspect="faithfulness"),
        Criterion("passages", 1, 4, in_total=False, sees_prediction=False),
    )
)


def scored(quality: int, grounded: int, passages: int) -> Scored:
    return {"quality": quality, "grounded": grounded, "passages": passages}


BASE: list[Scored] = [scored(n % 4, n % 2, 1 + n % 4) for n in range(20)]
LORA: list[Scored] = [*(scored(10 - n % 4, 1, 1 + n % 4) for n in range(19)), "refused"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own") / "run"
    return make_run(folder, {"base": BASE, "lora": LORA}, criteria=CRITERIA.to_list())


@pytest.fixture(scope="module")
def made(run: Path) -> Summary:
    with Store.read(run) as store:
        return summary(store, "en")


def test_the_json_has_the_declared_criteria_and_a_weighted_total(made: Summary) -> None:
    base, lora = made.to_dict()["variants"]
    assert list(base["criteria"]) == ["quality", "grounded", "passages"]
    assert base["criteria"]["quality"]["counts"] == {str(n): 5 if n < 4 else 0 for n in range(11)}
    assert base["criteria"]["grounded"]["counts"] == {"0": 10, "1": 10}
    assert (base["total"]["mean"], base["total"]["max"]) == (2 * 1.5 + 0.5, 21)
    assert (lora["n_scored"], lora["unscored"]) == (19, {"refused": 1})


def test_margins_and_bounds_are_in_proportion_to_the_scale(made: Summary) -> None:
    margins = {c.criterion: c.margin for c in made.comparisons}
    assert margins == pytest.approx({"quality": 0.5, "grounded": 0.05, "passages": 0.15, "total": 21 / 32})
    total = made.comparison("lora")
    assert total is not None and total.verdict == "better" and total.bounds is not None
    passages = made.comparison("lora", "passages")
    assert passages is not None and passages.verdict == "equivalent"


def test_the_grids_of_pairs_have_the_levels_of_each_scale(made: Summary) -> None:
    ranges = {head.criterion: [one.text for one in head.ranges] for head in made.heads}
    assert ranges["total"] == ["0", "1–5", "6–11", "12–16", "17–21"]
    assert ranges["grounded"] == ["0", "1"] and ranges["passages"] == ["1", "2", "3", "4"]
    assert all(head.n == 19 for head in made.heads)


def test_a_criterion_that_does_not_depend_on_the_prediction_shows_the_noise_of_the_judge(
    made: Summary,
) -> None:
    assert made.judge is not None
    assert list(made.judge.context_spread) == ["passages"]
    assert list(made.judge.length_bias) == ["quality", "grounded", "total"]


def test_gates_and_rows_use_the_declared_names(run: Path) -> None:
    with Store.read(run) as store:
        gates = [parse(text) for text in ("quality > baseline + 5", "grounded >= 0.9", "total >= 20")]
        found = comparison_report([store], "base", gates)
        assert [outcome.passed for outcome in found.outcomes] == [True, True, False]
        row = next(rows(store))
        assert tuple(row) == columns(CRITERIA)
        assert (row["quality"], row["grounded"], row["passages"], row["total"]) == (0, 0, 1, 0)


def test_examples_are_ranked_by_the_weighted_total(run: Path) -> None:
    with Store.read(run) as store:
        matrix = load(store)
        assert pick(matrix, "best", 1, ["base"]) == ["q3"]
        assert pick(matrix, "worst", 1, ["base"]) == ["q0"]


def test_a_run_without_criteria_has_a_report_without_scores(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", {"base": [None, None], "lora": [None, None]}, judge=None, criteria=[])
    with Store.read(folder) as store:
        made = summary(store, "en")
        assert made.examples == () and made.comparisons == () and made.heads == ()
        base = made.to_dict()["variants"][0]
        assert (base["n"], base["n_scored"], base["criteria"], base["total"]) == (2, 0, {}, None)
        found = comparison_report([store], "base", [parse("total > baseline")])
        assert not found.passed and "total" not in tuple(next(rows(store)))[:12]
