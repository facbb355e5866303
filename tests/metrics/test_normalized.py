from __future__ import annotations

import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsa.metrics import mrc, normalized


def lenient(
    metric: Callable[[str, list[str]], float | None], prediction: str, references: list[str]
) -> float | None:
    bare, *expected = normalized.bare_forms([prediction, *references])
    return metric(bare, expected)


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("서울입니다. [[ref1]]", "서울"),
        ("서울은", "서울"),
        ("대한민국의 수도는 서울특별시이다.", "대한민국수도서울특별시"),
        ("12만 4천 명이에요", "12만4천명"),
        ("길이는 3.5km이다.", "길이3.5km"),
        ("124,000명", "124000명"),
        ("《가람 연대기》", "가람연대기"),
        ("GPT-4o를", "gpt4o"),
        ("난 학생이다", "난학생"),
        ("1998년에 개통되었습니다.", "1998년개통되었습니다"),
        ("이순신", "이순신"),
        ("", ""),
    ],
)
def test_bare_form(text: str, bare: str) -> None:
    assert normalized.bare_forms([text]) == [bare]
    assert normalized.bare_forms([unicodedata.normalize("NFD", text)]) == [bare]


def test_a_sentence_that_names_the_answer_matches_where_the_official_figure_is_zero() -> None:
    assert mrc.korquad_em("서울입니다. [[ref1]]", ["서울"]) == 0.0
    assert lenient(normalized.exact_match, "서울입니다. [[ref1]]", ["서울"]) == 1.0
    assert lenient(normalized.f1, "서울입니다.", ["서울"]) == 1.0


def test_contains() -> None:
    assert lenient(normalized.contains, "온빛대교는 1998년에 개통되었습니다.", ["1998년"]) == 1.0
    assert lenient(normalized.contains, "온빛대교는 1998년에 개통되었습니다.", ["1999년", "온빛 대교"]) == 1.0
    assert lenient(normalized.contains, "온빛대교는 1998년에 개통되었습니다.", ["1999년"]) == 0.0


@pytest.mark.parametrize("said", ["112명", "12.5명", "3.12명", "120명"])
def test_a_number_is_not_found_inside_another(said: str) -> None:
    assert lenient(normalized.contains, said, ["12"]) == 0.0


def test_a_number_is_found_before_its_unit() -> None:
    assert lenient(normalized.contains, "모두 12명이다.", ["12"]) == 1.0


def test_wrong_stays_wrong() -> None:
    assert lenient(normalized.exact_match, "부산입니다.", ["서울"]) == 0.0
    assert lenient(normalized.f1, "부산입니다.", ["서울"]) == 0.0
    assert lenient(normalized.exact_match, "3.5km", ["35km"]) == 0.0


def test_without_references_there_is_no_figure() -> None:
    assert lenient(normalized.exact_match, "서울", []) is None
    assert lenient(normalized.f1, "서울", []) is None
    assert lenient(normalized.contains, "서울", []) is None
    assert lenient(normalized.contains, "서울", ["", "[[ref1]]"]) is None


@given(st.text(max_size=40), st.text(max_size=40))
@settings(max_examples=60, deadline=None)
def test_bounds(said: str, expected: str) -> None:
    for metric in (normalized.exact_match, normalized.f1, normalized.contains):
        figure = lenient(metric, said, [expected])
        assert figure is None or 0.0 <= figure <= 1.0
    assert lenient(normalized.exact_match, said, [said]) == 1.0
