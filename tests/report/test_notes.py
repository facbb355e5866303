"""What a reader is told before believing a figure: when, when not, and with which numbers."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from simsa import report
from simsa.i18n.language import Language
from simsa.llm import Deprecation
from simsa.metrics.abstention import AbstentionTable
from simsa.report.judge_reliability import PanelAgreement, PanelInfo, PanelMember
from simsa.report.notes import comparison_notes, notes
from simsa.report.summary_model import VariantSummary
from simsa.stats import Spread
from simsa.store import Store
from tests.support.report_runs import make_run, question


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> report.Summary:
    asked = [question(n, cluster=f"c{n // 4}") for n in range(24)]
    base, lora = [(3, 3, 3, 3), (2, 3, 2, 3)] * 12, [(4, 3, 4, 3), (3, 3, 4, 3)] * 12
    folder = tmp_path_factory.mktemp("notes") / "run"
    with Store.read(make_run(folder, {"base": base, "lora": lora}, questions=asked)) as store:
        return report.summary(store, "en", n_examples=0)


def said(*variants: VariantSummary, language: Language = "en", kept: Any = (), **more: Any) -> dict[str, str]:
    found = notes(
        kept, language, None, variants, more.pop("comparisons", ()), more.pop("stopped", None), **more
    )
    return {note.kind: note.text for note in found}


@pytest.mark.parametrize(("cut", "is_said"), [(0, False), (2, False), (3, True), (100, True)])
def test_cut_answers_are_told_from_more_than_two_percent_on(
    summary: report.Summary, cut: int, is_said: bool
) -> None:
    variant = replace(summary.variants[0], n_predicted=100, n_answered=100, n_cut=cut)
    assert (
        said(variant).get("cut")
        == f"base: {cut} of 100 answers were cut off at the length limit (max_tokens)."
    ) is (is_said)


@pytest.mark.parametrize(("declined", "is_said"), [(0, False), (10, False), (11, True)])
def test_declining_what_has_an_answer_is_told_from_more_than_a_tenth_on(
    summary: report.Summary, declined: int, is_said: bool
) -> None:
    table = AbstentionTable(100 - declined, declined, 3, 90)
    first = summary.variants[0]
    variant = replace(first, whole=replace(first.whole, abstention=table))
    found = said(variant).get("over_refusal")
    assert found == (f"base declined to answer {declined} of 100 answerable questions." if is_said else None)


@pytest.mark.parametrize("n_missing", [1, 2])
def test_missing_totals_are_bounded_from_more_than_two_percent_on(tmp_path: Path, n_missing: int) -> None:
    scores: Any = {
        "base": [(3, 3, 3, 3)] * (60 - n_missing) + ["refused"] * n_missing,
        "lora": [(4, 4, 4, 4)] * 60,
    }
    with Store.read(make_run(tmp_path / "run", scores)) as store:
        found = [note.text for note in report.summary(store, "en").notes if note.kind == "missing"]
    if n_missing == 1:
        assert found == [], "one of 60 is less than 2 %"
        return
    low, high = (58 * 12 + 2 * 4) / 60, (58 * 12 + 2 * 20) / 60
    assert found[0] == (
        "base: 2 of 60 questions (3.3 %) have no total. If all of them had the lowest or all the highest score, "
        f"the mean total would be {low:.1f} to {high:.1f}."
    )
    # The missing side of a pair is base's: at its best the difference is least.
    low, high = (58 * 4 + 2 * (16 - 20)) / 60, (58 * 4 + 2 * (16 - 4)) / 60
    assert found[1].startswith("lora − base:") and found[1].endswith(f"is +{low:.1f} to +{high:.1f}.")


def test_what_a_run_has_kept_is_told_in_the_readers_language_unless_the_figures_say_it(
    summary: report.Summary,
) -> None:
    kept = [
        {"kind": "template", "text": "templates differ", "ko": "서식이 다릅니다"},
        {"kind": "old", "text": "kept before there was Korean"},
        {"kind": "budget", "text": "an older word on the budget", "ko": "예산"},
    ]
    english = said(*summary.variants, kept=kept, stopped="budget")
    korean = said(*summary.variants, kept=kept, stopped="budget", language="ko")
    assert (english["template"], korean["template"]) == ("templates differ", "서식이 다릅니다")
    assert english["old"] == korean["old"] == "kept before there was Korean"
    assert english["budget"].startswith("Judging stopped") and korean["budget"].startswith(
        "judge.max_cost_usd에"
    )
    assert said(kept=kept[2:])["budget"] == "an older word on the budget"


def test_of_many_disputed_questions_five_are_named(summary: report.Summary) -> None:
    from simsa.report.score_checks import JudgedAbstention

    for n in (5, 6):
        judged = JudgedAbstention(1, 1, 0, 0, tuple(f"q{i}" for i in range(n)))
        text = said(replace(summary.variants[1], abstention_by_judge=judged))["abstention_disputed"]
        assert text.startswith("lora: ") and f"whether {n} answers" in text
        assert ("q0, q1, q2, q3, q4 …" in text) is (n == 6) and "q5" not in text


def test_few_documents_are_told_of_a_comparison_too_and_enough_are_not(summary: report.Summary) -> None:
    [few] = [note for note in comparison_notes("en", (), summary.comparisons) if note.kind == "few_clusters"]
    assert few.text.startswith("There are only 6 source documents")
    for n, is_said in ((29, True), (30, False)):
        many = [replace(c, n_clusters=n, n_pairs=100) for c in summary.comparisons]
        assert bool([note for note in comparison_notes("ko", (), many) if f"{n}개뿐" in note.text]) is is_said
    alone = [replace(c, n_clusters=6, n_pairs=6) for c in summary.comparisons]
    assert comparison_notes("en", (), alone) == (), (
        "where each question is its own document there is nothing to say"
    )


@pytest.mark.parametrize(
    ("standing", "kind"), [("weak", "weak_judge"), ("passed", "calibrated"), ("too few", None)]
)
def test_people_s_labels_speak_for_or_against_the_judge(
    summary: report.Summary, standing: str, kind: str | None
) -> None:
    agreed = {"n_labels": 40, "quadratic_kappa": 0.31, "ci95": [0.12, 0.5], "standing": standing}
    calibration = {
        "criteria": {"answer_correctness": agreed, "context_recall": agreed | {"quadratic_kappa": 0.42}}
    }
    found = {
        k: text for k, text in said(calibration=calibration).items() if k in ("weak_judge", "calibrated")
    }
    assert list(found) == ([kind] if kind else [])
    if kind:
        assert "answer correctness 0.31 [0.12, 0.50], 40 labels; context recall 0.42" in found[kind]


def test_only_variants_that_answered_several_times_are_named(summary: report.Summary) -> None:
    base, lora = summary.variants
    assert "samples" not in said(base, lora)
    text = said(base, replace(lora, n_samples=3))["samples"]
    assert "(lora 3)" in text and "without a score" not in text
    text = said(replace(base, n_samples=2, n_gaps=4), replace(lora, n_samples=3, n_gaps=1))["samples"]
    assert "(base 2, lora 3)" in text and text.endswith(
        " 5 answers without a score, to questions with a score from another answer, are not in these means."
    )


def of_judge(summary: report.Summary, language: Language = "en", **more: Any) -> dict[str, str]:
    assert summary.judge is not None
    found = notes((), language, replace(summary.judge, **more), (), (), None)
    return {note.kind: note.text for note in found}


@pytest.mark.parametrize(("alpha", "is_said"), [(0.5, True), (0.666, True), (0.667, False), (None, False)])
def test_a_panel_that_disagrees_is_told_below_the_bar(
    summary: report.Summary, alpha: float | None, is_said: bool
) -> None:
    agreement = {
        "answer_correctness": PanelAgreement(40, 0.5, 0.7, alpha),
        "context_recall": PanelAgreement(40, 0.1, 0.2, 0.9),
    }
    members = (PanelMember("one", 40, {}, {}), PanelMember("two", 30, {"refused": 8, "truncated": 2}, {}))
    found = of_judge(summary, panel=PanelInfo(members, agreement))
    assert ("panel_disagrees" in found) is is_said
    if is_said:
        assert (
            f"answer correctness {alpha:.2f}." in found["panel_disagrees"]
            and "0.667" in found["panel_disagrees"]
        )
        assert "recall" not in found["panel_disagrees"]
    assert found["panel_absent"] == (
        "The panel member two has no score for 10 of 40 answers (judge refused 8, judge's reply cut off 2); "
        "for these the median is that of the other members."
    )


def test_a_judge_that_leaves_is_told_with_days_successor_and_how_old_the_news_is(
    summary: report.Summary,
) -> None:
    today = datetime.date(2026, 11, 24)
    soon = Deprecation("gpt-x", datetime.date(2026, 12, 4), today, "gpt-y", as_of="2026-10")
    assert of_judge(summary, retiring=(soon,))["judge_retiring"] == (
        "The judge model gpt-x is shut down on 2026-12-04, in 10 days. After that no run can be judged with it again. "
        "Suggested successor: gpt-y."
    )
    aged = replace(soon, as_of="2024-01", successor=None)
    assert of_judge(summary, retiring=(aged,))["judge_retiring"].endswith(
        " with it again. This date was known in 2024-01; check whether it still holds."
    )
    korean = of_judge(summary, "ko", retiring=(replace(soon, date=today),))["judge_retiring"]
    assert korean.startswith("심사 모델 gpt-x은(는) 2026-11-24에 서비스가 종료됩니다(앞으로 0일).")


def test_context_criteria_that_never_differ_are_not_told(summary: report.Summary) -> None:
    spreads = {"context_relevance": Spread(20, 0.25, 0.5), "context_recall": Spread(20, 0.0, 0.0)}
    text = of_judge(summary, context_spread=spreads)["context_spread"]
    assert "context relevance on 25.0 % of 20 questions (sd within a question 0.50)" in text
    assert "recall" not in text
