from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsa.metrics.citations import citation_score, parse_citations, strip_citations


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("서울입니다. [[ref1]]", [1]),
        ("[[ref1]], [[ref5]]", [1, 5]),
        ("[[ref1]][[ref5]] 그리고 [[ref1]]", [1, 5]),
        ("[[ref1, ref2]]", [1, 2]),
        ("[[ref1; 3]]", [1, 3]),
        ("[1] 그리고 [2, 10]", [1, 2, 10]),
        ("[[12]] [ref 7] [[Ref3]] [[ ref4 ]]", [12, 7, 3, 4]),
        ("[0]", [0]),
        ("[[ref2023]]", [2023]),
        ("2023년 [2023] 개통", []),
        ("인용 없음", []),
        ("[ref] [[]] [a1] [1a] (1) ref1", []),
        ("", []),
    ],
)
def test_numbers_in_order_and_once(text: str, numbers: list[int]) -> None:
    assert parse_citations(text) == numbers


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("서울입니다. [[ref1]]", "서울입니다."),
        ("서울입니다. [[ref1]], [[ref5]]", "서울입니다."),
        ("[[ref1]] 서울", "서울"),
        ("서울 [[ref1]]은 수도이고 [2] 부산은 항구다 [3].", "서울은 수도이고 부산은 항구다."),
        ("서울, [[ref1]] 부산", "서울, 부산"),
        ("[[ref1]]", ""),
        ("[2023] 개통", "[2023] 개통"),
        (" 그대로 ", " 그대로 "),
        ("", ""),
    ],
)
def test_markers_go_and_the_sentence_stays(text: str, bare: str) -> None:
    assert strip_citations(text) == bare


@given(st.lists(st.integers(1, 99), min_size=1, max_size=6), st.sampled_from(["[[ref{}]]", "[{}]", "[[{}]]"]))
def test_what_is_written_is_read_back(numbers: list[int], marker: str) -> None:
    text = "답입니다. " + ", ".join(marker.format(n) for n in numbers)
    assert parse_citations(text) == list(dict.fromkeys(numbers))
    assert strip_citations(text) == "답입니다."


@given(st.text(alphabet="[]ref12, 가.", max_size=60))
def test_stripping_twice_changes_no_more_than_markers_it_made(text: str) -> None:
    once = strip_citations(text)
    assert len(once) <= len(text)
    if not parse_citations(text):
        assert once == text


def test_hostile_text_is_quick() -> None:
    started = time.monotonic()
    for text in ("[" * 200_000, " " * 200_000 + "[[ref1]]", "[[ref1 " * 50_000, "[1," * 100_000):
        parse_citations(text)
        strip_citations(text)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("cited", "expected", "n", "score"),
    [
        ([1], [1], 3, (1.0, 1.0, 0)),
        ([1, 2], [1], 3, (0.5, 1.0, 0)),
        ([1], [1, 3], 3, (1.0, 0.5, 0)),
        ([2], [1], 3, (0.0, 0.0, 0)),
        ([], [1], 3, (None, 0.0, 0)),
        ([1, 9, 0], [1], 3, (1.0, 1.0, 2)),
        ([9], [1], 3, (None, 0.0, 1)),
        ([1, 7], [], 3, (None, None, 1)),
        ([1, 9], [1], None, (0.5, 1.0, None)),
        ([], [], 0, (None, None, 0)),
    ],
)
def test_scores(cited: list[int], expected: list[int], n: int | None, score: tuple[object, ...]) -> None:
    assert citation_score(cited, expected, n) == score
