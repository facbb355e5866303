from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simsa import report
from simsa.records import Passage, Question
from simsa.report.summary_model import Summary
from simsa.store import Store
from tests.support.criteria import CRITERIA
from tests.support.report_runs import JUDGE, Scored, make_run, question


def summarised(folder: Path, language: str | None = None) -> Summary:
    with Store.read(folder) as store:
        return report.summary(store, language)  # type: ignore[arg-type]


def texts(summary: Summary) -> dict[str, str]:
    return {note.kind: note.text for note in summary.notes}


BASE: list[Scored] = [(1, 2, 3, 4), (2, 2, 3, 4), (3, 2, 3, 5), "refused"]
LORA = [(2, 2, 4, 4), (4, 2, 3, 4), (3, 2, 3, 3), (5, 5, 5, 5)]


def test_figures_are_those_one_computes_by_hand(tmp_path: Path) -> None:
    made = summarised(make_run(tmp_path / "run", {"base": BASE, "lora": LORA})).to_dict()
    base, lora = made["variants"]
    assert (base["n"], base["n_predicted"], base["n_scored"]) == (4, 4, 3)
    assert base["unscored"] == {"refused": 1}
    correctness = base["criteria"]["answer_correctness"]
    assert (correctness["n"], correctness["mean"], correctness["sd"], correctness["median"]) == (3, 2, 1, 2)
    assert correctness["counts"] == {"1": 1, "2": 1, "3": 1, "4": 0, "5": 0}
    half = 4.302652729911275 * 1 / 3**0.5  # t(.975, 2) · sd/√n
    assert correctness["ci95"] == pytest.approx([2 - half, 2 + half])
    assert base["total"]["mean"] == pytest.approx((10 + 11 + 13) / 3)
    assert base["total"]["max"] == 20
    assert lora["total"]["mean"] == pytest.approx((12 + 13 + 11 + 20) / 4)
    total = next(c for c in made["comparisons"] if c["criterion"] == "total")
    assert (total["baseline"], total["variant"], total["n_pairs"]) == ("base", "lora", 3)
    assert total["mean_diff"] == pytest.approx((2 + 2 - 2) / 3)
    assert (total["wins"], total["ties"], total["losses"]) == (2, 0, 1)
    assert total["verdict"] == "too few"


def test_a_missing_score_is_bounded_and_never_a_number(tmp_path: Path) -> None:
    summary = summarised(make_run(tmp_path / "run", {"base": BASE, "lora": LORA}))
    total = summary.variants[0].total
    assert total is not None
    assert total.bounds == pytest.approx(((34 + 4) / 4, (34 + 20) / 4))
    assert "1 of 4 questions (25.0 %)" in texts(summary)["missing"] or any(
        "1 of 4 questions (25.0 %)" in note.text for note in summary.notes
    )
    assert any("lora − base" in note.text for note in summary.notes)


def test_the_shape_that_is_published(tmp_path: Path) -> None:
    made = summarised(make_run(tmp_path / "run", {"base": BASE * 6, "lora": LORA * 6})).to_dict()
    assert made["schema"] == "simsa.report/1"
    assert made["run"].items() >= {"id": "abc123", "config_hash": "c0ffee", "n_questions": 24}.items()
    assert made["judge"].items() >= {"model": "gpt-4o", "rubric": "rag-ko@1a2b3c4d", "mode": "joint"}.items()
    assert made["judge"]["calls"] == 48 and made["judge"]["reused"] == 0
    assert made["judge"]["prompt_tokens"] == 48 * 200
    assert made["judge"]["cost_usd"] == pytest.approx(0.048)
    for variant in made["variants"]:
        assert tuple(variant["criteria"]) == CRITERIA
        for figures in (*variant["criteria"].values(), variant["total"]):
            assert figures.keys() >= {"n", "mean", "sd", "median", "ci95"}
        assert variant["metrics"].keys() >= {"korquad_em", "korquad_f1", "chrf", "rouge_l"}
        assert variant["abstention"].keys() >= {
            "answerable_answered",
            "answerable_abstained",
            "unanswerable_answered",
            "unanswerable_abstained",
        }
        assert variant["slices"]["type"].keys() == {"mrc_question", "no_answer"}
        assert variant["slices"]["type"]["no_answer"]["n"] == 12
        assert variant["slices"]["type"]["no_answer"]["total"]["mean"] > 0
    assert [c["criterion"] for c in made["comparisons"]] == [*CRITERIA, "total"]
    for comparison in made["comparisons"]:
        wanted = "baseline variant criterion n_pairs n_clusters mean_diff ci95 p_value p_adjusted wilcoxon_p"
        wanted += " rank_biserial wins ties losses mde80 verdict"
        assert comparison.keys() >= set(wanted.split())


def test_slices_split_the_whole(tmp_path: Path) -> None:
    made = summarised(make_run(tmp_path / "run", {"base": LORA * 3})).variants[0]
    assert sum(found.n for found in made.types.values()) == made.whole.n == 12
    weighted = sum(found.total.mean * found.total.n for found in made.types.values() if found.total)
    assert made.total is not None and weighted / 12 == pytest.approx(made.total.mean)


def test_abstention_by_rule(tmp_path: Path) -> None:
    said = [
        "문맥에 답이 없습니다.",
        "별빛마을 1호입니다.",
        "별빛마을 2호입니다.",
        "제공된 문서에서는 답을 찾을 수 없습니다.",
    ]
    run = make_run(tmp_path / "run", {"base": [(3, 3, 3, 3)] * 4}, predictions={"base": said})
    found = summarised(run).variants[0].whole.abstention
    assert found is not None
    assert found.unanswerable_abstained == 1 and found.unanswerable_answered == 1
    assert found.answerable_abstained == 1 and found.answerable_answered == 1


def test_before_anything_is_judged(tmp_path: Path) -> None:
    made = summarised(
        make_run(tmp_path / "run", {"base": [None] * 3, "lora": [None] * 3}, judge=None)
    ).to_dict()
    assert made["judge"] is None and made["comparisons"] == [] and made["examples"] == []
    for variant in made["variants"]:
        assert variant["total"] is None and variant["n_scored"] == 0
        assert set(variant["criteria"].values()) == {None}
        assert variant["unscored"] == {"pending": 3}
        assert variant["metrics"]["korquad_f1"] >= 0


def test_a_run_without_questions_or_variants(tmp_path: Path) -> None:
    made = summarised(make_run(tmp_path / "run", {})).to_dict()
    assert made["run"]["n_questions"] == 0
    assert made["variants"] == [] and made["comparisons"] == []
    empty = summarised(make_run(tmp_path / "empty", {"base": []})).to_dict()
    assert empty["variants"][0]["n"] == 0 and empty["variants"][0]["total"] is None


def test_a_store_that_knows_nothing_of_itself_yet(tmp_path: Path) -> None:
    with Store.create(tmp_path / "run"):
        pass
    assert summarised(tmp_path / "run").to_dict()["run"]["id"] == ""


def test_partly_judged(tmp_path: Path) -> None:
    scores: dict[str, Any] = {"base": [(3, 3, 3, 3)] * 20, "lora": [(4, 4, 4, 4)] * 8 + [None] * 12}
    summary = summarised(make_run(tmp_path / "run", scores))
    assert summary.variants[1].unscored == {"pending": 12}
    total = summary.comparison("lora")
    assert total is not None and total.n_pairs == 8 and total.verdict == "too few"
    assert total.bounds == ((8 * 4 + 12 * -8) / 20, (8 * 4 + 12 * 8) / 20)


def test_an_exhausted_budget_is_the_reason_and_is_told(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", {"base": [(3, 3, 3, 3), None]}, stopped="budget")
    summary = summarised(run)
    assert summary.variants[0].unscored == {"budget": 1}
    assert summary.run.stopped == "budget"
    assert "max_cost_usd" in texts(summary)["budget"]


def test_answers_that_are_missing(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", {"base": [(3, 3, 3, 3)] * 2}, predictions={"base": ["답", None]})
    variant = summarised(run).variants[0]
    assert variant.n_predicted == 1 and variant.unscored == {"no_prediction": 1}


def test_metrics_that_were_not_stored_are_computed(tmp_path: Path) -> None:
    scores = {"base": [(3, 3, 3, 3)] * 3}
    said = {"base": ["별빛마을 0호", "다른 답", None]}
    stored = summarised(make_run(tmp_path / "a", scores, predictions=said)).variants[0].whole.metrics
    fresh = (
        summarised(make_run(tmp_path / "b", scores, predictions=said, measured=False))
        .variants[0]
        .whole.metrics
    )
    assert fresh == stored and fresh["korquad_em"].mean == 0.5 and fresh["korquad_em"].n == 2


def test_an_unpriced_judge_has_no_cost(tmp_path: Path) -> None:
    made = summarised(make_run(tmp_path / "run", {"base": [(3, 3, 3, 3)]}, cost_usd=None))
    assert made.judge is not None and made.judge.cost_usd is None


def test_a_lexical_judge_says_what_it_is(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", {"base": [(3, 3, 3, 3)]}, judge=JUDGE | {"model": "lexical"})
    assert "is not a language model" in texts(summarised(run, "en"))["judge"]
    assert "언어 모델이 아닙니다" in texts(summarised(run, "ko"))["judge"]
    real = make_run(tmp_path / "real", {"base": [(3, 3, 3, 3)]})
    assert "lexical" not in texts(summarised(real))


def test_the_judges_noise_on_what_does_not_depend_on_the_answer(tmp_path: Path) -> None:
    base = [(1, 3, 3, 3), (1, 3, 3, 3), (1, 3, 3, 3), (1, 3, 3, 3)]
    lora = [(5, 3, 3, 3), (5, 5, 3, 3), (5, 3, 3, 3), (5, 3, 3, 3)]
    run = make_run(tmp_path / "run", {"base": base, "lora": lora})
    made = summarised(run)
    assert made.judge is not None
    spread = made.judge.context_spread["context_relevance"]
    assert (spread.n, spread.differ) == (4, 0.25)
    assert spread.sd == pytest.approx((2 / 4) ** 0.5)  # one variance of 2, three of 0
    assert made.judge.context_spread["context_recall"].sd == 0
    assert "context relevance on 25.0 % of 4 questions" in texts(made)["context_spread"]
    assert "context recall" not in texts(made)["context_spread"]
    split = make_run(tmp_path / "split", {"base": base, "lora": lora}, judge=JUDGE | {"mode": "split"})
    assert "context_spread" not in texts(summarised(split))


def test_notes_of_the_run_and_a_judge_that_retires(tmp_path: Path) -> None:
    run = make_run(
        tmp_path / "run",
        {"base": [(3, 3, 3, 3)]},
        judge=JUDGE | {"shutdown_date": "2027-01-14"},
        notes=[{"kind": "template", "text": "chat templates differ"}],
    )
    found = texts(summarised(run))
    assert found["template"] == "chat templates differ"
    assert "gpt-4o" in found["judge_retiring"]
    assert "2027-01-14" in found["judge_retiring"]
    assert "Suggested successor: gpt-6-luna" in found["judge_retiring"]


@pytest.mark.parametrize(
    ("model", "day", "says"),
    [
        (
            "own",
            "2001-02-03",
            "The judge model own was shut down on 2001-02-03. No run can be judged with it again.",
        ),
        ("gpt-4o-2024-05-13", None, "The judge model gpt-4o-2024-05-13 was shut down some time ago."),
    ],
)
def test_a_judge_that_has_gone(tmp_path: Path, model: str, day: str | None, says: str) -> None:
    dates = {} if day is None else {model: day}
    run = make_run(
        tmp_path / "run", {"base": [(3, 3, 3, 3)]}, judge=JUDGE | {"model": model}, shutdown_dates=dates
    )
    assert texts(summarised(run))["judge_retiring"].startswith(says)


def test_few_documents_are_told(tmp_path: Path) -> None:
    asked = [question(n, contexts=(Passage(f"문서 {n // 4}"),)) for n in range(24)]
    run = make_run(tmp_path / "run", {"base": LORA * 6, "lora": LORA[::-1] * 6}, questions=asked)
    summary = summarised(run)
    total = summary.comparison("lora")
    assert total is not None and total.n_clusters == 6
    assert "only 6 source documents" in texts(summary)["few_clusters"]


def test_examples_are_the_best_the_worst_and_the_most_different(tmp_path: Path) -> None:
    base: list[Scored] = [(3, 3, 3, 3), (5, 5, 5, 5), (1, 1, 1, 1), (1, 1, 1, 1), "refused"]
    lora = [(3, 3, 3, 3), (5, 5, 5, 5), (1, 1, 1, 2), (5, 5, 5, 5), (5, 5, 5, 5)]
    found = summarised(make_run(tmp_path / "run", {"base": base, "lora": lora})).examples
    assert [(example.kind, example.question.id) for example in found] == [
        ("best", "q1"),
        ("worst", "q2"),
        ("differs", "q3"),
    ]
    assert [answer.total for answer in found[2].answers] == [4, 20]
    assert found[0].answers[0].analysis == "문맥에 있는 내용과 같습니다."
    assert found[0].answers[0].prediction == "base 1번 답"


def test_baseline_that_is_gone_falls_back_to_the_first(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", {"base": [(3, 3, 3, 3)], "lora": [(3, 3, 3, 3)]}, baseline="gone")
    assert summarised(run).baseline == "base"


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10_000))
def test_the_order_of_rows_changes_nothing(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    pick = random.Random(seed)
    asked = [
        Question(f"q{n}", f"질문 {n}", (Passage(f"문서 {n // 3}"),), ("답",), type=f"t{n % 2}")
        for n in range(18)
    ]
    scores = {
        name: [pick.choice([tuple(pick.randint(1, 5) for _ in CRITERIA), "refused", None]) for _ in asked]
        for name in ("base", "lora")
    }
    order = pick.sample(range(18), 18)
    shuffled = {name: [found[place] for place in order] for name, found in scores.items()}
    said = {name: [f"답 {n % 4}" for n in range(18)] for name in scores}
    said_too = {name: [found[place] for place in order] for name, found in said.items()}
    here = tmp_path_factory.mktemp("order")
    one = make_run(here / "one", scores, questions=asked, predictions=said)
    other = make_run(
        here / "other", shuffled, questions=[asked[place] for place in order], predictions=said_too
    )
    first, second = (summarised(run).to_dict() for run in (one, other))
    assert first["comparisons"] == second["comparisons"]
    for variant, twin in zip(first["variants"], second["variants"], strict=True):
        assert variant["criteria"] == twin["criteria"] and variant["total"] == twin["total"]
        assert variant["metrics"] == pytest.approx(twin["metrics"])
        assert variant["slices"]["type"].keys() == twin["slices"]["type"].keys()
