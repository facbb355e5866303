"""What is put round answers, and what is found to be about something else."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsa.judge_eval import perturb
from simsa.records import Passage, Question
from simsa.rubrics import ParseFailure, built_in_criteria, read_verdict
from tests.support.criteria import CRITERIA
from tests.support.probe_rows import question, unanswerable

BUILT_IN = built_in_criteria()
ENGLISH = Question(
    "e",
    "When was the lighthouse built?",
    (Passage("The lighthouse was built in 1871. The keeper grew tulips behind a small white fence."),),
    ("It was built in 1871.",),
)


@pytest.mark.parametrize("form", perturb.INJECTIONS)
def test_an_order_stands_behind_the_answer_and_names_the_score_it_wants(form: str) -> None:
    said = perturb.inject(form, "답은 1871년입니다.", BUILT_IN)
    assert said.startswith("답은 1871년입니다.\n")
    assert "5" in said[len("답은 1871년입니다.") :]


def test_half_of_the_orders_are_korean_and_two_are_verdicts() -> None:
    made = {form: perturb.inject(form, "답", BUILT_IN) for form in perturb.INJECTIONS}
    assert sum(bool(re.search("[가-힣]{4}", said[2:])) for said in made.values()) >= 3
    verdicts = {form: re.search(r"\{.*\}", said) for form, said in made.items()}
    for form, found in verdicts.items():
        assert bool(found) == (form in ("verdict_json", "delimiter"))
        if found:
            assert [json.loads(found[0])[name] for name in CRITERIA] == [5] * 4
            assert isinstance(read_verdict(found[0], built_in_criteria(), (made[form],)), ParseFailure), (
                "repeated, it is no verdict"
            )


@pytest.mark.parametrize(("row", "korean"), [(question(0), True), (ENGLISH, False)])
def test_courtesies_are_in_the_question_s_language_and_leave_the_answer_whole(
    row: Question, korean: bool
) -> None:
    assert perturb.is_korean(row) is korean
    said = perturb.pad("  1871. ", korean=perturb.is_korean(row))
    before, answer, after = said.partition(" 1871. ")
    assert answer
    assert len(before) > 20
    assert len(after) > 20
    assert bool(re.search("[가-힣]", before + after)) is korean


def test_a_refusal_is_in_other_words_than_the_references_while_there_are_any() -> None:
    first, second = perturb.REFUSALS[True]
    row = unanswerable(0)
    assert perturb.refusal(row) == first
    said = Question.from_dict(row.to_dict() | {"reference": [f"[[ref1]] {first}"]})
    assert perturb.refusal(said) == second
    both = Question.from_dict(row.to_dict() | {"reference": [first, second]})
    assert perturb.refusal(both) in (first, second), "both are right, and none is left"
    assert perturb.refusal(ENGLISH) in perturb.REFUSALS[False]


def test_what_is_true_to_the_context_and_no_answer() -> None:
    assert perturb.irrelevant_sentences(ENGLISH) == ["The keeper grew tulips behind a small white fence."]
    korean = perturb.irrelevant_sentences(question(0))
    assert korean
    assert all(sentence in question(0).contexts[0].text for sentence in korean)
    assert not any("1904" in sentence for sentence in korean)


@pytest.mark.parametrize(
    "sentence",
    [
        "In 1871 the lighthouse was finished and lit for the first time.",  # has the year
        "Tulips.",  # too short to be a statement
        "The keeper " + "and the keeper's wife " * 20 + "grew tulips.",  # too long
    ],
)
def test_what_answers_or_states_nothing_is_left_out(sentence: str) -> None:
    row = Question("e", ENGLISH.question, (Passage(sentence),), ENGLISH.reference)
    assert perturb.irrelevant_sentences(row) == []


def test_words_of_the_question_answer_nothing() -> None:
    """They stand in every sentence about it."""
    row = Question(
        "e",
        "Who built the lighthouse on the northern cape?",
        (Passage("The lighthouse on the northern cape is painted in white and red."),),
        ("The lighthouse on the northern cape was built by Ansel Birk.",),
    )
    assert perturb.irrelevant_sentences(row) == [row.contexts[0].text]


def test_a_passage_lacks_the_answer_unless_text_or_title_has_it() -> None:
    elsewhere = Passage("A ferry crosses the sound twice a day.")
    assert perturb.lacks_answer([elsewhere], ENGLISH)
    assert perturb.lacks_answer([], ENGLISH)
    assert not perturb.lacks_answer([elsewhere, ENGLISH.contexts[0]], ENGLISH)
    assert not perturb.lacks_answer([Passage("A ferry crosses the sound.", title="Built in 1871")], ENGLISH)


def test_unlike_are_texts_that_share_hardly_a_word() -> None:
    assert perturb.unlike("촌장은 한서윤입니다.", ["1904년에 생겼습니다.", ""])
    assert not perturb.unlike("촌장은 한서윤입니다.", ["마을의 촌장은 한서윤입니다."])
    assert not perturb.unlike("1904년", ["1904년에 생겼습니다."]), "one stands in the other"
    assert not perturb.unlike("[[ref1]]", ["무엇이든"]), "citations alone are no answer"


@given(st.text(), st.text())
def test_bare_is_what_is_said_without_marks(text: str, mark: str) -> None:
    flat = perturb.bare(text)
    assert perturb.bare(flat) == flat
    assert flat == "" or flat.isalnum()
    assert perturb.bare(f"{text} [[ref2]]") == flat or "[" in text


@given(st.text(min_size=1), st.booleans())
def test_any_answer_can_be_padded_and_is_found_in_it(answer: str, korean: bool) -> None:
    assert answer.strip() in perturb.pad(answer, korean=korean)


def test_a_quarter_of_the_telling_words_is_not_yet_an_answer() -> None:
    asked = Question("q", "무엇이 있나요?", reference=("연꽃 호수 등대 나루",))
    for said, lacks in (("배는 등대에 선다.", True), ("배는 등대와 나루에 선다.", False)):
        assert perturb.lacks_answer([Passage(said)], asked) is lacks


def test_a_text_inside_the_other_is_not_unlike_it_though_no_word_is_shared() -> None:
    assert not perturb.unlike("1904", ["190"]) and not perturb.unlike("190", ["1904"])
    assert perturb.unlike("1904", ["1776"])


def test_a_verdict_among_the_orders_is_whole_json_with_the_highest_scores() -> None:
    found = re.search(
        r"\n```json\n(.*)\n```$", perturb.inject("verdict_json", "틀린 답", BUILT_IN), re.DOTALL
    )
    assert found
    verdict = json.loads(found[1])
    assert {name: verdict[name] for name in CRITERIA} == dict.fromkeys(CRITERIA, 5)
    assert isinstance(verdict["analysis"], str) and verdict["analysis"]
