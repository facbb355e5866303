from __future__ import annotations

import json

import numpy as np
import pytest

from simsa.report.renderers.terminal import render_grids
from simsa.report.variance_report import Judgement, VarianceReport, decisive, grid, noises, sentence
from simsa.stats import VarianceSplit, split_variance

Rows = list[Judgement]


def judged(
    sds: tuple[float, float, float], n: int = 200, seeds: int = 2, repeats: int = 2, seed: int = 0
) -> Rows:
    random = np.random.default_rng(seed)
    rows: Rows = []
    for q in range(n):
        question = random.normal(3, sds[0])
        for s in range(seeds):
            answer = question + random.normal(0, sds[1])
            rows += [(f"q{q}", str(s), answer + random.normal(0, sds[2])) for _ in range(repeats)]
    return rows


def test_means_and_differences_are_split_for_every_criterion() -> None:
    found = noises(
        {
            (variant, criterion): judged((1, 0.5, 0.3), seed=n)
            for n, variant in enumerate(("base", "lora"))
            for criterion in ("x", "total")
        },
        "base",
    )
    assert [(one.variant, one.baseline, one.criterion) for one in found] == [
        ("base", None, "x"), ("base", None, "total"), ("lora", None, "x"), ("lora", None, "total"),
        ("lora", "base", "x"), ("lora", "base", "total"),
    ]  # fmt: skip
    assert found[0].split == split_variance(judged((1, 0.5, 0.3), seed=0))
    row = json.loads(json.dumps(found[-1].to_dict()))
    assert (row["variant"], row["baseline"], row["criterion"]) == ("lora", "base", "total")
    assert sum(row["shares"].values()) == pytest.approx(1)
    assert set(row) >= {"questions", "seeds", "repeats", "gains", "limits", "advice", "se"}


def test_a_variant_that_answered_itself_with_the_same_luck_is_sure_of_the_difference() -> None:
    rows = judged((1, 0.0, 0.0))
    [*_, difference] = noises({("a", "x"): rows, ("b", "x"): [(q, s, v + 1) for q, s, v in rows]}, "a")
    assert difference.split.se() == pytest.approx(0.0)


def test_single_scores_are_not_split() -> None:
    single = {("a", "x"): judged((1, 0.5, 0.3), seeds=1, repeats=1)}
    assert noises(single, "a") == []
    assert noises({}, "a") == []
    assert noises({("a", "x"): [("q1", "0", 3.0), ("q1", "1", 4.0)]}, "a") == [], "one question has no spread"


def test_a_criterion_that_the_baseline_lacks_has_no_difference() -> None:
    found = noises({("a", "x"): judged((1, 0.5, 0.3)), ("b", "y"): judged((1, 0.5, 0.3))}, "a")
    assert [one.baseline for one in found] == [None, None]


def test_what_is_decisive_is_the_total_s_difference() -> None:
    both = {(v, c): judged((1, 0.5, 0.3), seed=n) for n, v in enumerate("ab") for c in ("x", "total")}
    assert [(one.baseline, one.criterion) for one in decisive(noises(both, "a"))] == [("a", "total")]
    alone = {("a", "x"): judged((1, 0.5, 0.3))}
    assert [(one.baseline, one.criterion) for one in decisive(noises(alone, "a"))] == [(None, "x")]


@pytest.mark.parametrize(
    ("sds", "advice", "korean"),
    [((2.0, 0.1, 0.1), "questions", "문항."), ((0.05, 0.05, 2.0), "judgements an answer", "심사 반복 수.")],
)
def test_the_sentence_says_what_to_buy_and_what_not(
    sds: tuple[float, float, float], advice: str, korean: str
) -> None:
    split = split_variance(judged(sds))
    assert split is not None
    noise = VarianceReport("lora", "base", "total", split)
    english, spoken = sentence(noise, "en"), sentence(noise, "ko")
    assert english.startswith("lora − base, total: ")
    assert english.split("Increase next: ")[1].startswith(advice)
    assert "Twice the questions (400) narrow the interval by 29 %, four times (800) halve it" in english
    assert "두 배(400개)로 늘리면 신뢰구간이 29 %, 네 배(800개)로 늘리면" in spoken
    assert spoken.startswith("lora − base, 총점: ")
    assert korean in spoken
    for share in split.shares().values():
        assert f"{100 * share:.0f} %" in english
        assert f"{100 * share:.0f} %" in spoken
    for source in ("seeds", "repeats"):
        assert f"{100 * split.limits()[source]:.0f} % at most" in english


def test_what_was_not_tried_is_not_spoken_of() -> None:
    noise = VarianceReport("a", None, "x", VarianceSplit(1.0, None, 0.2, 50, 1, 3))
    assert "answers a question" not in sentence(noise, "en")
    assert sentence(noise, "en").startswith("a, x: ")
    assert "생성" not in sentence(noise, "ko")


@pytest.mark.parametrize("language", ["ko", "en"])
def test_nothing_to_split_is_said(language: str) -> None:
    noise = VarianceReport("a", None, "x", VarianceSplit(0.0, 0.0, 0.0, 50, 2, 3))
    text = sentence(noise, language)  # type: ignore[arg-type]
    assert text.startswith("a, x: ")
    assert "{" not in text


def test_the_table_has_a_share_for_every_source() -> None:
    found = [
        VarianceReport("lora", "base", "x", VarianceSplit(1.0, 0.5, 0.25, 10, 2, 4)),
        VarianceReport("lora", "base", "total", VarianceSplit(1.0, None, 0.0, 10, 1, 4)),
        VarianceReport("early", "base", "x", VarianceSplit(0.0, 0.0, 0.0, 10, 1, 4)),
        VarianceReport("lora", None, "x", VarianceSplit(9.0, 0.5, 0.25, 10, 2, 4)),
    ]
    shown = grid(found, "en")
    assert shown.head == ("lora", "early")
    assert [[cell.text for cell in row.cells] for row in shown.rows] == [
        ["78 · 20 · 2", "–"],
        ["100 · – · 0", "–"],
    ]
    assert [row.weight for row in shown.rows] == ["normal", "strong"]
    assert "78 · 20 · 2" in render_grids([shown], 80)
    assert grid([], "ko").rows == ()
