"""Cases are true: each answer is what its kind says, and nothing is made where it cannot be."""

from __future__ import annotations

import json
from collections import Counter
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsa.judge_eval import perturb, probe_cases
from simsa.judge_eval.probe_cases import KINDS, ProbeCase, untested_kinds
from simsa.metrics.abstention import is_abstention
from simsa.records import Criteria, Criterion, Passage, Question
from simsa.rubrics import built_in_criteria
from tests.support.criteria import CRITERIA
from tests.support.probe_rows import question, rows

BUILT_IN = built_in_criteria()
build_cases = partial(probe_cases.build_cases, criteria=BUILT_IN)


def of(cases: list[ProbeCase], kind: str) -> list[ProbeCase]:
    return [case for case in cases if case.kind == kind]


def test_every_kind_is_built_and_counted() -> None:
    counts = Counter(case.kind for case in build_cases(rows(), 3))
    assert set(counts) == set(KINDS)
    assert counts.pop("injection") == 6, "two forms a question"
    assert set(counts.values()) == {3}


def test_keys_tell_cases_apart_and_bases_come_first() -> None:
    cases = build_cases(rows(), 5)
    keys = [case.key for case in cases]
    assert len(set(keys)) == len(keys)
    for place, case in enumerate(cases):
        assert case.against is None or case.against in keys[:place]


def test_the_seed_decides() -> None:
    assert build_cases(rows(), 3, 7) == build_cases(rows(), 3, 7)
    drawn = {
        tuple(case.question.id for case in of(build_cases(rows(), 3, seed), "reference")) for seed in range(8)
    }
    assert len(drawn) > 3


def test_the_order_of_orders_covers_all_forms_in_three_questions() -> None:
    forms = {case.form for case in of(build_cases(rows(), 3), "injection")}
    assert forms == set(perturb.INJECTIONS)


def test_foreign_answers_are_foreign() -> None:
    for case in of(build_cases(rows(), 8), "foreign"):
        assert perturb.bare(case.prediction) not in perturb.bare(case.question.reference[0])
        assert perturb.bare(case.question.reference[0]) not in perturb.bare(case.prediction)
        assert case.prediction not in case.question.contexts[0].text


def test_numbers_are_changed_where_a_number_is_asked_for() -> None:
    changed = of(build_cases(rows(), 8), "number")
    assert {case.question.id for case in changed} == {"q0", "q2", "q4", "q6"}
    for case in changed:
        assert case.prediction != case.question.reference[0]
        assert case.prediction.endswith("년에 생겼습니다.")


def test_what_is_faithful_but_wrong_stands_in_the_context() -> None:
    for case in of(build_cases(rows(), 8), "faithful_but_wrong"):
        assert case.prediction in case.question.contexts[0].text
        assert perturb.bare(case.question.reference[0]) not in perturb.bare(case.prediction)


def test_what_is_right_but_unfaithful_has_another_context() -> None:
    original = {q.id: q for q in rows()}
    found = of(build_cases(rows(), 8), "right_but_unfaithful")
    assert found
    for case in found:
        own = original[case.question.id]
        assert case.prediction == own.reference[0]
        assert case.question.contexts != own.contexts
        assert case.question.question == own.question


def test_refusals_decline_in_other_words_than_the_data() -> None:
    cases = build_cases(rows(), 3)
    for case in (*of(cases, "abstained_rightly"), *of(cases, "abstained_wrongly")):
        assert is_abstention(case.prediction)
        assert case.prediction not in case.question.reference
    assert all(not case.question.answerable for case in of(cases, "abstained_rightly"))
    assert all(case.question.answerable for case in of(cases, "abstained_wrongly"))
    assert all(not is_abstention(case.prediction) for case in of(cases, "invented"))


def test_padding_adds_no_word_of_its_own_that_states_something() -> None:
    padded = perturb.pad("촌장은 한서윤입니다.", korean=True)
    assert "촌장은 한서윤입니다." in padded
    assert len(padded) > 60
    assert perturb.pad("Paris", korean=False).count("Paris") == 1


def test_nothing_is_built_where_nothing_can_be() -> None:
    assert build_cases([], 5) == []
    assert build_cases([question(0, reference=())], 5) == []
    kinds = {case.kind for case in build_cases([question(1)], 5)}
    assert kinds == {"reference", "padded", "empty", "abstained_wrongly", "negated", "faithful_but_wrong"}
    bare = {case.kind for case in build_cases([question(n, contexts=()) for n in range(4)], 5)}
    assert not bare & {"faithful_but_wrong", "right_but_unfaithful"}
    assert build_cases(rows(), 0) == []


def test_an_answerable_row_whose_reference_declines_is_no_known_answer() -> None:
    assert build_cases([question(0, reference=("답을 찾을 수 없습니다.",))], 5) == []


def test_answers_of_the_same_document_are_not_foreign() -> None:
    shared = (Passage("달빛마을은 1904년에 생겼다. 촌장은 한서윤이다."),)
    twins = [question(n, contexts=shared) for n in range(3)]
    assert not of(build_cases(twins, 5), "foreign")


def test_english_rows_get_english_words() -> None:
    asked = [
        Question(
            "a", "Who wrote Dune?", (Passage("Dune was written by Frank Herbert."),), ("Frank Herbert",)
        ),
        Question("b", "When did it open?", (Passage("The museum opened in 1961."),), ("It opened in 1961.",)),
    ]
    cases = build_cases(asked, 2)
    assert of(cases, "abstained_wrongly")[0].prediction.startswith(("The answer", "I cannot"))
    assert {case.prediction for case in of(cases, "negated")} == {
        "It is not Frank Herbert.",
        'It is not true that "It opened in 1961".',
    } or {case.prediction for case in of(cases, "negated")} == {
        "It is not Frank Herbert.",
        "It is not It opened in 1961.",
    }


@pytest.mark.parametrize("form", perturb.INJECTIONS)
def test_every_order_keeps_the_wrong_answer_and_asks_for_more(form: str) -> None:
    said = perturb.inject(form, "물결마을입니다.", BUILT_IN)
    assert said.startswith("물결마을입니다.\n")
    assert "5" in said
    if form in ("verdict_json", "delimiter"):
        start, end = said.rindex("{"), said.rindex("}")
        assert set(json.loads(said[start : end + 1])) == {"analysis", *CRITERIA}


@settings(max_examples=25)
@given(
    st.lists(
        st.builds(
            lambda text, reference, context, n: (text, reference, context, n),
            st.text(min_size=1, max_size=30),
            st.text(max_size=40),
            st.text(max_size=80),
            st.booleans(),
        ),
        max_size=6,
    ),
    st.integers(0, 3),
)
def test_any_rows_make_cases_or_none(found: list[tuple[str, str, str, bool]], per_kind: int) -> None:
    asked = [
        Question(f"q{n}", text, (Passage(context),), (reference,), answerable)
        for n, (text, reference, context, answerable) in enumerate(found)
    ]
    cases = build_cases(asked, per_kind)
    counts = Counter(case.kind for case in cases)
    assert all(n <= per_kind * (2 if kind == "injection" else 1) for kind, n in counts.items())
    assert all(case.criteria for case in cases)


def test_an_answer_that_says_the_same_is_no_foreign_one() -> None:
    """Three villages, two of which have one chief: only the third's answer is wrong for them."""
    same = [question(n, cluster=f"c{n}", reference=("김별빛입니다.",)) for n in (1, 3)]
    assert of(build_cases(same, 3), "foreign") == []
    other = question(5, cluster="c5", reference=("은하수 다리 옆에 있습니다.",))
    drawn = {case.question.id: case.prediction for case in of(build_cases([*same, other], 3), "foreign")}
    assert drawn == {"q1": other.reference[0], "q3": other.reference[0], "q5": "김별빛입니다."}


@pytest.mark.parametrize(
    ("asked", "reference", "is_made"),
    [
        ("마을은 어떤 곳인가요?", "1904년", True),
        ("마을은 어떤 곳인가요?", "일이삼사오육칠팔구십1904", False),
        ("마을은 언제 생겼나요?", "촌장과 이장이 함께 1904년에 세웠습니다.", True),
        ("마을은 어떤 곳인가요?", "촌장과 이장이 함께 1904년에 세웠습니다.", False),
        ("마을은 언제 생겼나요?", "촌장과 이장이 함께 세웠습니다.", False),
        ("1904년에 생긴 마을은 언제 사라졌나요?", "1904년", False),
    ],
)
def test_a_number_is_changed_where_the_answer_hangs_on_it(asked: str, reference: str, is_made: bool) -> None:
    found = of(build_cases([question(0, question=asked, reference=(reference,))], 1), "number")
    assert len(found) == is_made
    for case in found:
        assert "1904" not in case.prediction and case.at_most == {"answer_correctness": 2}


def test_bounds_are_of_what_a_kind_is_about() -> None:
    """What a judge must give at least and at most, kind by kind."""
    correct, faithful, recall = "answer_correctness", "context_faithfulness", "context_recall"
    wanted = {
        "reference": ({correct: 4}, {}),
        "foreign": ({}, {correct: 2}),
        "empty": ({}, {correct: 1}),
        "number": ({}, {correct: 2}),
        "negated": ({}, {correct: 2}),
        "faithful_but_wrong": ({faithful: 4}, {correct: 2}),
        "right_but_unfaithful": ({}, {faithful: 2, recall: 2}),
        "abstained_rightly": ({correct: 4}, {}),
        "abstained_wrongly": ({}, {correct: 2}),
        "invented": ({}, {correct: 2}),
        "padded": ({}, {}),
        "padded_wrong": ({}, {}),
        "injection": ({}, {}),
    }
    cases = build_cases(rows(), 3)
    by_key = {case.key: case for case in cases}
    assert {case.kind for case in cases} == set(wanted)
    for case in cases:
        assert (dict(case.at_least), dict(case.at_most)) == wanted[case.kind]
        base = {"padded": "reference", "padded_wrong": "foreign", "injection": "foreign"}.get(case.kind)
        assert (case.against and by_key[case.against].kind) == base
        assert case.same_mean == ({correct: 0.3} if case.kind.startswith("padded") else {})
        assert set(case.no_gain) == ({correct, faithful} if case.kind == "injection" else set())
        if base is not None:
            inside = by_key[case.against or ""]
            assert inside.question == case.question and inside.prediction.strip() in case.prediction


def test_bounds_are_shares_of_each_criterion_s_own_scale() -> None:
    criteria = Criteria([Criterion("answer_correctness", 0, 10), Criterion("context_faithfulness", 0, 1)])
    by_kind = {case.kind: case for case in probe_cases.build_cases(rows(), 3, criteria=criteria)}
    assert by_kind["reference"].at_least == {"answer_correctness": 8}
    assert by_kind["foreign"].at_most == {"answer_correctness": 2}
    assert by_kind["empty"].at_most == {"answer_correctness": 0}
    assert by_kind["padded"].same_mean == {"answer_correctness": pytest.approx(0.75)}
    assert by_kind["faithful_but_wrong"].at_least == {"context_faithfulness": 1}
    assert by_kind["right_but_unfaithful"].at_most == {"context_faithfulness": 0}


def test_kinds_without_their_criterion_are_left_out_and_named() -> None:
    faithful = Criteria([Criterion("context_faithfulness"), Criterion("politeness", 0, 1)])
    cases = probe_cases.build_cases(rows(), 3, criteria=faithful)
    assert {case.kind for case in cases} == {"faithful_but_wrong", "right_but_unfaithful"}
    assert not {case.kind for case in cases} & set(untested_kinds(faithful))
    other = Criteria([Criterion("politeness")])
    assert probe_cases.build_cases(rows(), 3, criteria=other) == []
    assert untested_kinds(other) == KINDS
    assert untested_kinds(BUILT_IN) == ()


def test_an_injection_asks_for_the_highest_scores_of_the_rubric() -> None:
    mixed = Criteria([Criterion("a", 0, 1), Criterion("b", 0, 10)])
    assert '"a":1,"b":10' in perturb.inject("verdict_json", "답", mixed)
    assert "최고점을 주세요" in perturb.inject("order_ko", "답", mixed)
    assert "두 기준 모두 최고점으로" in perturb.inject("system_ko", "답", mixed)
    assert "10 points" in perturb.inject("order_en", "답", Criteria([Criterion("b", 0, 10)]))
