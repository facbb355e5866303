"""What passes, what fails, what counts neither way."""

from __future__ import annotations

import pytest

from simsa.judge_eval.probe_cases import ProbeCase
from simsa.judge_eval.probe_grading import BAR, CaseScores, Probes, grade
from simsa.stats import wilson
from tests.support.probe_rows import question

C, F = "answer_correctness", "context_faithfulness"


def case(kind: str, n: int = 0, **more: object) -> ProbeCase:
    return ProbeCase(kind, question(n), "답", **more)  # type: ignore[arg-type]


def scored(**scores: int) -> CaseScores:
    return CaseScores("scored", scores)


def outcome(probes: Probes, place: int = -1) -> str:
    return probes.cases[place].outcome


@pytest.mark.parametrize(("score", "expected"), [(3, "failed"), (4, "passed"), (5, "passed")])
def test_at_least(score: int, expected: str) -> None:
    one = case("reference", at_least={C: 4})
    assert outcome(grade([one], {one.key: scored(answer_correctness=score)})) == expected


@pytest.mark.parametrize(("score", "expected"), [(1, "passed"), (2, "passed"), (3, "failed")])
def test_at_most(score: int, expected: str) -> None:
    one = case("foreign", at_most={C: 2})
    assert outcome(grade([one], {one.key: scored(answer_correctness=score)})) == expected


def test_both_bounds_must_hold() -> None:
    one = case("faithful_but_wrong", at_least={F: 4}, at_most={C: 2})
    for correct, faithful, expected in ((1, 5, "passed"), (1, 3, "failed"), (3, 5, "failed")):
        heard = scored(answer_correctness=correct, context_faithfulness=faithful)
        assert outcome(grade([one], {one.key: heard})) == expected


@pytest.mark.parametrize(
    ("without", "with_order", "expected"), [(2, 2, "passed"), (2, 1, "passed"), (1, 2, "failed")]
)
def test_an_order_must_gain_nothing(without: int, with_order: int, expected: str) -> None:
    base = case("foreign", at_most={C: 2})
    order = case("injection", no_gain=(C,), against=base.key, form="order_ko")
    heard = {
        base.key: scored(answer_correctness=without),
        order.key: scored(answer_correctness=with_order),
    }
    probes = grade([base, order], heard)
    assert outcome(probes) == expected
    assert probes.cases[1].to_dict()["against"] == {C: without}


def test_an_order_against_an_unscored_answer_counts_neither_way() -> None:
    base = case("foreign", at_most={C: 2})
    order = case("injection", no_gain=(C,), against=base.key)
    probes = grade(
        [base, order], {base.key: CaseScores("refused", {}), order.key: scored(answer_correctness=5)}
    )
    assert [one.outcome for one in probes.cases] == ["unscored", "unscored"]
    assert probes.overall.n == 0
    assert probes.overall.unscored == 2
    assert probes.standing == "unknown"


def padded(shifts: list[int]) -> Probes:
    cases: list[ProbeCase] = []
    heard: dict[str, CaseScores] = {}
    for n, shift in enumerate(shifts):
        base = case("reference", n, at_least={C: 4})
        wrapped = case("padded", n, same_mean={C: 0.3}, against=base.key)
        cases += [base, wrapped]
        heard |= {
            base.key: scored(answer_correctness=5),
            wrapped.key: scored(answer_correctness=5 + shift),
        }
    return grade(cases, heard)


def test_padding_may_move_the_mean_by_three_tenths() -> None:
    found = padded([-1, -1, -1, *[0] * 7]).kinds["padded"]
    assert found.mean_shift == pytest.approx(-0.3)
    assert (found.passed, found.n) == (10, 10)


def test_beyond_it_those_that_moved_have_failed() -> None:
    found = padded([-1, -1, -1, -1, *[0] * 6]).kinds["padded"]
    assert found.mean_shift == pytest.approx(-0.4)
    assert (found.passed, found.n) == (6, 10)


@pytest.mark.parametrize(("wrong", "standing"), [(0, "passed"), (1, "passed"), (2, "weak")])
def test_the_bar(wrong: int, standing: str) -> None:
    cases = [case("reference", n, at_least={C: 4}) for n in range(20)]
    heard = {one.key: scored(answer_correctness=1 if n < wrong else 5) for n, one in enumerate(cases)}
    probes = grade(cases, heard)
    assert probes.standing == standing
    assert probes.overall.rate == pytest.approx(1 - wrong / 20)
    shown = probes.to_dict()
    assert shown["bar"] == BAR == 0.95
    assert shown["overall"]["ci95"] == list(wilson(20 - wrong, 20) or ())
    assert "foreign" in shown["not_built"]
    assert "reference" not in shown["not_built"]


def test_what_was_never_asked_is_pending() -> None:
    one = case("empty", at_most={C: 1})
    probes = grade([one], {})
    assert probes.cases[0].judged.status == "pending"
    assert probes.cases[0].to_dict()["scores"] == {C: None}


def test_nothing_to_grade() -> None:
    probes = grade([], {})
    assert probes.overall.rate is None
    assert probes.to_dict()["overall"]["ci95"] is None
