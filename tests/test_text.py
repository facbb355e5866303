"""Text on its way to a person's eyes: nothing hides in it; numbers and money read as people write them."""

from __future__ import annotations

import math
import re
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsa.text import count, format_number, list_choices, one_line, quoted, usd, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "�[31mred"),
        ("a\u202eb", "a�b"),
        ("a\u200bb", "a�b"),
        ("half \ud83d", "half �"),
        ("line\r\nline\ttab", "line\nline\ttab"),
        ("a\u2028b", "a�b"),
        ("안녕 🙂", "안녕 🙂"),
    ],
)
def test_what_moves_the_cursor_or_hides_is_shown_as_such(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text())
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    assert not [c for c in visible(text) if (ord(c) < 32 and c not in "\n\t") or 127 <= ord(c) < 160]
    assert visible(visible(text)) == visible(text)
    visible(text).encode()


@given(st.text(), st.integers(1, 40))
def test_one_line_is_one_line_and_not_longer(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert len(line.splitlines()) <= 1
    assert len(line) <= limit
    assert one_line(text).startswith(line.removesuffix("…"))


def test_what_is_cut_says_so() -> None:
    assert one_line("가나다라마", 3) == "가나…"
    assert one_line("가나다", 3) == "가나다"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_toml_reader_gets_back_what_was_quoted(text: str) -> None:
    assert tomllib.loads(f"x = {quoted(text)}") == {"x": text}


@pytest.mark.parametrize(
    ("cost", "shown"),
    [
        (0.0, "$0.00"),
        (0.3, "$0.30"),
        (0.1084, "$0.11"),
        (0.048, "$0.048"),
        (0.0042, "$0.0042"),
        (0.000031, "$0.000031"),
        (1.0, "$1.00"),
        (14.999, "$15.00"),
        (1234567.5, "$1,234,567.50"),
        (1e-30, "$0.000000000000"),
    ],
)
def test_money_has_two_digits_that_say_something(cost: float, shown: str) -> None:
    assert usd(cost) == shown


@given(st.floats(1e-9, 1e9))
def test_money_never_has_an_exponent_and_is_close(cost: float) -> None:
    shown = usd(cost)
    assert re.fullmatch(r"\$[\d,]+\.\d{2,12}", shown)
    assert math.isclose(float(shown[1:].replace(",", "")), cost, rel_tol=0.06)


@given(st.integers(0, 10**12))
def test_a_count_has_separators_and_is_the_count(n: int) -> None:
    assert int(count(n).replace(",", "")) == n
    assert re.fullmatch(r"\d{1,3}(,\d{3})*", count(n))


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0.0, "0"),
        (5.0, "5"),
        (1e-5, "0.00001"),
        (1234567.0, "1234567"),
        (0.5, "0.5"),
        (1e15, "1000000000000000"),
        (100.0, "100"),
        (-0.25, "-0.25"),
    ],
)
def test_a_number_of_the_users_is_shown_whole(number: float, shown: str) -> None:
    assert format_number(number) == shown


@given(st.floats(-1e9, 1e9))
def test_a_plain_number_is_the_number(number: float) -> None:
    assert "e" not in format_number(number)
    assert math.isclose(float(format_number(number)), number, abs_tol=1e-11)


def test_a_name_that_is_none_gets_the_one_that_was_meant_and_all_there_are() -> None:
    assert list_choices("bse", ["base", "lora"]) == "did you mean 'base'? there are base, lora"
    assert (
        list_choices("미세조종", iter(["base", "미세조정"]))
        == "did you mean '미세조정'? there are base, 미세조정"
    )
    assert list_choices("LORA", ["base", "lora"]).startswith("did you mean 'lora'?")
    assert list_choices("x", ["base", "lora"]) == "there are base, lora"
    assert list_choices("x", []) == "there is none"
