"""How far two answers are apart."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from simsa.engines.adapter_check import TOLERANCE, AdapterEffect, Step, difference

_STEPS = st.lists(
    st.dictionaries(st.sampled_from("가나다라마"), st.floats(-20, 0), min_size=5, max_size=5),
    min_size=1,
    max_size=4,
)


@given(_STEPS)
def test_an_answer_does_not_differ_from_itself(steps: list[Step]) -> None:
    assert difference(steps, steps) == 0


@given(_STEPS, st.floats(0, 5))
def test_a_shift_is_found_at_its_size(steps: list[Step], shift: float) -> None:
    shifted = [{token: value - shift for token, value in step.items()} for step in steps]
    assert math.isclose(difference(steps, shifted), shift, abs_tol=1e-9)
    assert difference(steps, shifted) == difference(shifted, steps)


def test_up_to_where_the_texts_part() -> None:
    """Behind different words other numbers are no evidence."""
    ours = [{"가": -0.1, "나": -3.0}, {"가": -0.1}]
    theirs = [{"나": -3.0, "가": -3.1}, {"다": -9.0}]
    assert math.isclose(difference(ours, theirs), 3.0)


def test_a_word_that_the_other_does_not_consider() -> None:
    assert difference([{"가": -0.1, "나": -3.0}], [{"다": -0.1, "라": -3.0}]) == math.inf


def test_one_stops_earlier() -> None:
    assert difference([{"가": -0.1}], [{"가": -0.1}, {"나": -0.1}]) == math.inf
    assert difference([], [{"가": -0.1}]) == math.inf
    assert difference([], []) == 0


def test_an_effect_has_to_exceed_the_noise() -> None:
    assert not AdapterEffect(TOLERANCE, 0.0, 8).exists
    assert AdapterEffect(TOLERANCE * 2, 0.0, 8).exists
    assert not AdapterEffect(0.03, 0.01, 8).exists
    assert AdapterEffect(0.031, 0.01, 8).exists
