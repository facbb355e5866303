"""The published metrics against the definitions, written down once more here and another way.

Nothing of the implementation is used: characters are walked one by one, multisets are
lists that are crossed off, and the longest common substring is a table, with difflib's rule
about frequent characters in its own words.
"""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsa.metrics import mrc
from tests.support.transcribed_metrics import (
    ASCII_PUNCTUATION,
    BLANKED,
    NASTY,
    klue_form,
    klue_rouge_w,
    korquad_f1,
    korquad_form,
)


def same(said: str, expected: list[str]) -> None:
    references = expected or [""]
    forms = korquad_form(said), klue_form(said)
    assert mrc.korquad_form(said) == forms[0]
    assert mrc.klue_form(said) == forms[1]
    assert mrc.korquad_em(said, expected) == max(float(forms[0] == korquad_form(r)) for r in references)
    assert mrc.korquad_f1(said, expected) == max(korquad_f1(said, r) for r in references)
    assert mrc.klue_em(said, expected) == max(float(forms[1] == klue_form(r)) for r in references)
    assert mrc.klue_rouge_w(said, expected) == max(klue_rouge_w(said, r) for r in references)


@pytest.mark.parametrize("said", NASTY)
def test_nasty_strings_against_each_other(said: str) -> None:
    for expected in NASTY:
        same(said, [expected])
    same(said, [])
    same(said, NASTY)


LETTERS = "가나다라 ab1.,'\"()《》<>〈〉‘’·“”\t\u1100\u1161\u11a8😀"


@given(st.text(alphabet=LETTERS, max_size=40), st.lists(st.text(alphabet=LETTERS, max_size=40), max_size=4))
@settings(max_examples=300)
def test_any_string(said: str, expected: list[str]) -> None:
    same(said, expected)


@given(
    st.text(alphabet="가나다라마바사아자차카타파하 ", min_size=120, max_size=230),
    st.text(alphabet="가나다라마바사아자차카타파하 ", min_size=195, max_size=260),
    st.integers(0, 60),
    st.integers(0, 60),
)
@settings(max_examples=40)
def test_lengths_at_which_frequent_characters_are_passed_over(a: str, b: str, rare: int, cut: int) -> None:
    same(a, [b])
    # A rare character in both is what a run can begin from.
    marked = b[:rare] + "끝" + b[rare:]
    same(a[:cut] + "끝" + b[rare : rare + 50], [marked])
    same(b[cut:], [b])
    same(b, [b[:199], b[: len(b)]])


@given(
    st.text(alphabet=ASCII_PUNCTUATION + BLANKED + " ", max_size=30), st.text(alphabet=BLANKED, max_size=8)
)
def test_nothing_but_punctuation(said: str, expected: str) -> None:
    same(said, [expected])
    same(said, ["서울", expected])
    assert mrc.korquad_f1(said, [expected]) == 0.0
    assert mrc.korquad_em(said, [expected]) == 1.0


@given(st.text(alphabet="각낙닥가나다 Aa", min_size=1, max_size=20))
def test_composed_and_decomposed_letters_are_different_letters(text: str) -> None:
    apart = unicodedata.normalize("NFD", text)
    same(apart, [text])
    same(text, [apart])
