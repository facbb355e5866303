"""Every kind of probe over the demo's own rows: what is built is what its name says, and can be scored."""

from __future__ import annotations

from collections import Counter

import pytest

from simsa import data
from simsa.demo import demo_files
from simsa.judge_eval import perturb
from simsa.judge_eval.negation import negate
from simsa.judge_eval.perturb import numbers_in, swap_numbers
from simsa.judge_eval.probe_cases import KINDS, ProbeCase, build_cases
from simsa.metrics.abstention import is_abstention
from simsa.metrics.morphology import analyse
from simsa.records import Criteria, Criterion, Question
from tests.support.criteria import CRITERIA

NOT = {"않", "아니", "없", "못하", "못", "안"}
SEEDS = range(3)


@pytest.fixture(scope="module")
def questions() -> list[Question]:
    return list(data.read(demo_files().test))


@pytest.fixture(scope="module", params=SEEDS)
def cases(request: pytest.FixtureRequest, questions: list[Question]) -> list[ProbeCase]:
    return build_cases(questions, 12, request.param, criteria=Criteria(map(Criterion, CRITERIA)))


def of(cases: list[ProbeCase], kind: str) -> list[ProbeCase]:
    found = [case for case in cases if case.kind == kind]
    assert found
    return found


def test_every_kind_can_be_built(cases: list[ProbeCase]) -> None:
    assert {case.kind for case in cases} == set(KINDS)
    assert max(Counter(case.key for case in cases).values()) == 1


def test_every_bound_is_a_score_of_a_criterion_and_leaves_something_to_fail(cases: list[ProbeCase]) -> None:
    for case in cases:
        assert case.criteria
        assert set(case.criteria) <= set(CRITERIA)
        for bound in case.at_least.values():
            assert 1 < bound <= 5
        for bound in case.at_most.values():
            assert 1 <= bound < 5
        both = case.at_least.keys() & case.at_most.keys()
        assert all(case.at_least[name] <= case.at_most[name] for name in both)


def test_what_is_held_against_another_case_finds_it_there(cases: list[ProbeCase]) -> None:
    keys = {case.key: case for case in cases}
    for case in cases:
        assert bool(case.against) == bool(case.no_gain or case.same_mean)
        if case.against:
            assert keys[case.against].question == case.question
            assert keys[case.against].prediction.strip(" .") in case.prediction or case.kind == "padded"


def test_no_wrong_answer_is_an_accepted_one(cases: list[ProbeCase]) -> None:
    for case in cases:
        if "answer_correctness" in case.at_most and case.prediction:
            accepted = {perturb.bare(text) for text in case.question.reference}
            assert perturb.bare(case.prediction) not in accepted


def test_refusals_decline_and_answers_do_not(cases: list[ProbeCase]) -> None:
    for kind in ("abstained_rightly", "abstained_wrongly"):
        assert all(is_abstention(case.prediction) for case in of(cases, kind))
    for kind in ("reference", "number", "invented", "right_but_unfaithful"):
        assert not any(is_abstention(case.prediction) for case in of(cases, kind))


def test_swapped_numbers_are_other_numbers_in_the_same_sentence(cases: list[ProbeCase]) -> None:
    for case in of(cases, "number"):
        reference = case.question.reference[0]
        new, old = numbers_in(case.prediction), numbers_in(reference)
        assert new != old
        assert len(new) == len(old)
        assert without_numbers(case.prediction) == without_numbers(reference)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_swap_is_repeatable_and_leaves_the_numbers_of_the_question(
    seed: int, questions: list[Question]
) -> None:
    for question in questions:
        keep = numbers_in(question.question)
        for reference in question.reference:
            swapped = swap_numbers(reference, keep, seed)
            assert swapped == swap_numbers(reference, keep, seed)
            if swapped is not None:
                assert swapped != reference
                assert numbers_in(reference) & keep <= numbers_in(swapped)


def test_a_negation_is_a_whole_sentence_that_says_the_opposite(questions: list[Question]) -> None:
    """It ends as a statement does, and has one "not" more, or less, than before."""
    turned = 0
    for question in questions:
        for reference in question.reference:
            opposite = negate(reference) if question.answerable else None
            if opposite is None:
                continue
            turned += 1
            assert perturb.bare(opposite) != perturb.bare(reference)
            assert opposite.endswith(".")
            (found,) = analyse([opposite.rstrip(".")])
            assert found[-1].tag in ("EF", "ETM"), opposite
            assert nots(opposite) != nots(reference), opposite
    assert turned > 30


def test_negating_twice_states_it_again(questions: list[Question]) -> None:
    for question in questions:
        opposite = negate(question.reference[0]) if question.answerable else None
        if opposite and (back := negate(opposite)):
            assert perturb.bare(back) != perturb.bare(opposite)


def nots(text: str) -> int:
    (found,) = analyse([text])
    return sum(one.form in NOT for one in found) + text.count("사실이 아닙니다")


def without_numbers(text: str) -> str:
    for number in sorted(numbers_in(text), key=len, reverse=True):
        for shown in (number, f"{int(number):,}" if number.isdigit() else number):
            text = text.replace(shown, "#")
    return perturb.bare(text)
