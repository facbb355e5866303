from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsa.metrics.citations import strip_citations
from simsa.web.text_diff import LONGEST, diff_spans, overlap_spans

PASSAGE = "식물학자 여운비는 1957년에 고산 식물을 정리한 《구름 위의 풀》을 펴냈습니다."
# Few letters, so that texts share some; spaces, marks and a citation between them.
texts = st.text(alphabet="가나다라 12.,《》\n", max_size=60) | st.lists(
    st.sampled_from(
        ["구름 위의 풀", "1957년에", "펴냈습니다.", "[[ref1]]", "[[ref2, ref3]]", "[[", " ", "\n", "책은"]
    ),
    max_size=12,
).map("".join)


def marked(passage: str, *answers: str) -> list[tuple[str, tuple[int, ...]]]:
    return [(piece.text, piece.by) for piece in overlap_spans(passage, answers) if piece.by]


def test_what_an_answer_took_is_marked() -> None:
    assert marked(PASSAGE, "책은 《구름 위의 풀》입니다. [[ref1]]") == [("구름 위의 풀", (0,))]
    assert marked(PASSAGE, "구름위의 풀", "1957년에 나왔습니다", "모릅니다") == [
        ("1957년에", (1,)),
        ("구름 위의 풀", (0,)),
    ]


def test_pieces_that_several_answers_share_name_them_all() -> None:
    assert marked(PASSAGE, "고산 식물", "고산 식물을 정리한") == [("고산 식물", (0, 1)), ("을 정리한", (1,))]


@pytest.mark.parametrize(
    "answer", ["", "풀", "[[ref1957]]", "찾을 수 없습니다.", "일이 끝났습니다", "여운초", "1958년"]
)
def test_what_is_too_little_is_not_marked(answer: str) -> None:
    assert marked(PASSAGE, answer) == []


def test_a_short_answer_counts_as_a_whole() -> None:
    assert marked("탁무경이 대신 받았다. 무경은", "무경") == [("무경", (0,)), ("무경", (0,))]
    assert marked("ABC 회사", "abc") == [("ABC", (0,))]


@given(texts, st.lists(texts, max_size=3))
def test_the_pieces_make_up_the_passage(passage: str, answers: list[str]) -> None:
    pieces = overlap_spans(passage, answers)
    assert "".join(piece.text for piece in pieces) == passage
    assert all(0 <= n < len(answers) for piece in pieces for n in piece.by)


@given(texts)
def test_a_copied_passage_is_marked_from_end_to_end(passage: str) -> None:
    letters = "".join(c for c in strip_citations(passage) if c.isalnum())
    pieces = overlap_spans(strip_citations(passage), [passage])
    unmarked = "".join(c for piece in pieces if not piece.by for c in piece.text if c.isalnum())
    if len(letters) >= 4 and "니" not in letters:
        assert unmarked == ""


def test_the_end_of_a_long_passage_is_there_unmarked() -> None:
    passage = "나무" * LONGEST
    pieces = overlap_spans(passage, ["나무나무"])
    assert "".join(piece.text for piece in pieces) == passage
    assert pieces[-1].by == ()


def shown(answer: str, *references: str) -> str:
    """=same= +added+ -missing- and citations as they are."""
    marks = {"same": "=", "added": "+", "missing": "-", "cited": ""}
    return "".join(f"{marks[p.kind]}{p.text}{marks[p.kind]}" for p in diff_spans(answer, references) or [])


@pytest.mark.parametrize(
    ("answer", "reference", "expected"),
    [
        ("별빛마을", "별빛마을", "=별빛마을="),
        ("별빛마을입니다.", "별빛마을", "=별빛마을=+입니다.+"),
        ("별빛마을에 있다", "달빛마을에 있다", "-달-+별+=빛마을에 있다="),
        ("서울", "부산", "-부산-+서울+"),
        ("별빛마을, 그리고 산", "별빛마을 그리고 산", "=별빛마을, 그리고 산="),
        ("책은 《풀》입니다. [[ref1]]", "책은 《풀》입니다. [[ref2]]", "=책은 《풀》입니다. =[[ref1]]"),
        ("책은 [[ref1]] 풀이다", "책은 풀이다", "=책은 =[[ref1]]+ +=풀이다="),
        ("", "별빛마을", "-별빛마을-"),
        ("가 나", "가 나 다라", "=가 나=-다라-"),
    ],
)
def test_an_answer_beside_its_reference(answer: str, reference: str, expected: str) -> None:
    assert shown(answer, reference).replace("= =", " ").replace("==", "") == expected


def test_the_closest_reference_is_the_one_compared_with() -> None:
    assert shown("달빛마을", "별빛 언덕", "달빛마을") == "=달빛마을="


@pytest.mark.parametrize("references", [(), ("",), (" \n",), ("x" * (LONGEST + 1),), ("가 " * 3000,)])
def test_what_cannot_be_compared_is_left_alone(references: tuple[str, ...]) -> None:
    assert diff_spans("별빛마을", references) is None


@given(texts, texts)
def test_the_pieces_but_the_missing_make_up_the_answer(answer: str, reference: str) -> None:
    pieces = diff_spans(answer, [reference])
    if pieces is not None:
        assert "".join(piece.text for piece in pieces if piece.kind != "missing") == answer
        wanted = strip_citations(reference)
        assert all(piece.text in wanted for piece in pieces if piece.kind == "missing")
        assert all(piece.text for piece in pieces)


@given(texts)
def test_an_answer_equal_to_its_reference_differs_in_nothing(text: str) -> None:
    pieces = diff_spans(text, [text])
    if pieces is not None and "[[" not in text:
        assert {piece.kind for piece in pieces} <= {"same"}
