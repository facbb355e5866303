"""The judge's training cases: each deserves the scores it is given."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsa import rubrics
from simsa.config import JudgeConfig
from simsa.demo import demo_files
from simsa.judges.llm import LLMJudge
from simsa.records import Passage, Question
from simsa.rubrics import ParsedScores, built_in_criteria, read_verdict
from tests.demo.conftest import RECIPES, recipe, rows_of

N = 1_500


@pytest.fixture(scope="module")
def made() -> ModuleType:
    return recipe("make_judge_data")


@pytest.fixture(scope="module")
def cases(made: ModuleType) -> list[tuple[Any, Any]]:
    return list(made.JudgeWorld(3, made.TOPICS).cases(N))


def of_kind(cases: list[tuple[Any, Any]], *kinds: str) -> list[tuple[Any, Any]]:
    found = [(case, answer) for case, answer in cases if answer.kind in kinds]
    assert len(found) >= 5, f"too few of {kinds} to say anything"
    return found


def test_the_script_writes_the_same_for_the_same_seed(tmp_path: Path) -> None:
    script = str(RECIPES / "make_judge_data.py")
    written = []
    for seed in ("4", "4", "5"):
        out = tmp_path / "judge.jsonl"
        subprocess.run([sys.executable, script, "--out", str(out), "--n", "60", "--seed", seed], check=True)
        written.append(out.read_text(encoding="utf-8"))
    assert written[0] == written[1] != written[2]


def test_every_level_is_taught(cases: list[tuple[Any, Any]]) -> None:
    correct = Counter(answer.correct for _, answer in cases)
    faithful = Counter(answer.faithful for _, answer in cases)
    assert set(correct) == {1, 2, 3, 4, 5} and set(faithful) >= {1, 3, 5}
    assert {case.relevance for case, _ in cases} == {1, 2, 3, 4, 5}
    assert {case.recall for case, _ in cases} == {1, 3, 5}
    assert max(correct.values()) < 0.6 * N and max(faithful.values()) < 0.6 * N, "no answer is a safe guess"


def test_what_the_judge_should_say_is_a_verdict(made: ModuleType, cases: list[tuple[Any, Any]]) -> None:
    for case, answer in cases[:300]:
        row = made.messages(case, answer, analysed=True)
        verdict = read_verdict(row["messages"][-1]["content"], built_in_criteria())
        assert isinstance(verdict, ParsedScores)
        assert verdict.scores == row["scores"]
        assert verdict.analysis


def test_it_is_asked_in_training_as_in_a_run(made: ModuleType, cases: list[tuple[Any, Any]]) -> None:
    rubric = rubrics.load(str(demo_files().rubric))
    judge = LLMJudge(JudgeConfig(model="judge", base_url="http://127.0.0.1:1/v1"), rubric)
    for case, answer in cases[:100]:
        question = Question(
            id="1",
            question=case.question,
            contexts=tuple(Passage(text) for text in case.passages),
            reference=(case.reference,),
            answerable=case.key != made.NOTHING,
        )
        (request,) = judge.requests(question, answer.text)
        assert judge.conversation(request).prompt_text() == made.asked(case, answer)


def test_a_swapped_value_is_nowhere(cases: list[tuple[Any, Any]]) -> None:
    for case, answer in of_kind(cases, "swapped", "made up"):
        assert (answer.correct, answer.faithful) == (1, 1)
        if len(answer.key) > 3 and ", " not in answer.key and case.relevant is not None:
            assert answer.key not in case.reference


def test_the_right_answer_is_right_and_faithful_where_its_passage_is(cases: list[tuple[Any, Any]]) -> None:
    for case, answer in of_kind(cases, "reference", "right"):
        assert answer.correct == 5
        assert answer.key == case.key
        assert answer.faithful == {5: 5, 3: 3, 1: 1}[case.recall]


def test_a_refusal_is_right_exactly_where_the_reference_refuses(
    made: ModuleType, cases: list[tuple[Any, Any]]
) -> None:
    for case, answer in of_kind(cases, "refusal", "wrong refusal"):
        assert answer.correct == (5 if case.key == made.NOTHING else 1)
        assert answer.faithful == 5


def test_an_order_to_the_judge_gains_nothing(cases: list[tuple[Any, Any]]) -> None:
    for _, answer in of_kind(cases, "injection"):
        assert answer.correct == answer.faithful == 1


def test_an_answer_turned_round_is_wrong_and_unsupported(cases: list[tuple[Any, Any]]) -> None:
    found = of_kind(cases, "negated")
    for case, answer in found:
        assert (answer.correct, answer.faithful) == (1, 1)
        assert answer.text != case.reference
    denied = [
        a for _, a in found if any(word in a.text for word in ("않", "아니", "아닙", "아닌", "없", "못"))
    ]
    assert len(denied) > 0.9 * len(found), "all but what was denied before, and is asserted now"


def test_a_sentence_of_the_passages_that_answers_nothing_is_faithful_and_wrong(
    cases: list[tuple[Any, Any]],
) -> None:
    for case, answer in of_kind(cases, "sentence"):
        assert (answer.correct, answer.faithful) == (1, 5)
        bare = answer.text.split("[[")[0].strip()
        assert any(sentence in bare for text in case.passages for sentence in re.split(r"(?<=[.?!]) ", text))


def test_courtesies_change_the_words_and_no_score(made: ModuleType) -> None:
    plain = made.Answer("1999년입니다.", "1999년", 5, 5, "right")
    dressed = made.courteous(random.Random(1), plain)
    assert plain.text in dressed.text and dressed.text != plain.text
    assert (dressed.correct, dressed.faithful, dressed.key) == (5, 5, "1999년")
    empty = made.Answer("", "", 1, 1, "empty")
    assert made.courteous(random.Random(1), empty) is empty


def test_half_an_answer_is_worth_three(cases: list[tuple[Any, Any]]) -> None:
    assert {answer.correct for _, answer in of_kind(cases, "half", "half swapped")} == {3}


def test_relevance_is_the_share_of_passages(made: ModuleType) -> None:
    def level(relevant: int, of: int) -> int:
        return int(made.Case("q", ["p"] * of, "r", "k", relevant).relevance)

    assert [level(n, 5) for n in range(6)] == [1, 2, 3, 3, 4, 5]
    assert level(0, 0) == 1
    assert made.Case("q", ["p"], "r", "k", None).relevance is None


@given(
    st.integers(0, 10**6), st.sampled_from(["{}년", "{:,}명이 왔다", "3월 {}일과 {}일"]), st.integers(0, 99)
)
def test_swapping_changes_every_number_and_nothing_else(n: int, text: str, seed: int) -> None:
    swapped = recipe("make_judge_data").swapped
    answer = text.format(n, n + 1)
    other = swapped(answer, random.Random(seed))
    assert other is not None
    numbers = re.compile(r"\d[\d,]*\d|\d")
    assert numbers.sub("#", other) == numbers.sub("#", answer)
    before, after = numbers.findall(answer), numbers.findall(other)
    assert all(a != b for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("answer", ["", "검색 결과에서 답을 찾을 수 없습니다.", "노을빛입니다."])
def test_without_a_number_there_is_nothing_to_swap(made: ModuleType, answer: str) -> None:
    assert made.swapped(answer, random.Random(0)) is None


def test_counting_words_are_numbers_too(made: ModuleType) -> None:
    other = made.swapped("수리공 여섯 명이 일합니다.", random.Random(0))
    assert other is not None and other.startswith("수리공 ") and "여섯" not in other


def test_cases_on_a_test_set_know_what_they_cannot_know(made: ModuleType) -> None:
    rows = rows_of(demo_files().test)
    cases = list(made.on_rows(demo_files().test, 4, 5))
    assert len(cases) == 4 * len(rows)
    for case, answer in cases:
        shown = made.messages(case, answer, analysed=False)
        assert json.loads(shown["messages"][-1]["content"])["analysis"] == ""
        assert shown["scores"]["context_relevance"] in (None, 1, 5)
        if case.relevant == 0 and case.key != made.NOTHING:
            assert case.recall == 1
            assert answer.faithful in (1, 5)
            assert answer.faithful == 1 or answer.kind in ("wrong refusal", "sentence")


def test_training_never_sees_the_documents_kept_for_choosing(made: ModuleType, tmp_path: Path) -> None:
    kept = {text for topic in made.TOPICS[-made.HELD_OUT_TOPICS :] for text in topic["docs"]}
    seen = {
        text
        for case, _ in made.JudgeWorld(1, made.TOPICS[: -made.HELD_OUT_TOPICS]).cases(800)
        for text in case.passages
    }
    assert not kept & seen
