"""Numbers are changed to others that read as well, and nothing else is."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsa.judge_eval.perturb import asks_for_number, numbers_in, swap_numbers

DIGITS = re.compile(r"\d")
TEXTS = st.text(alphabet="가나다 .,0123456789년월일시명%[]refA-/:", max_size=40)


@pytest.mark.parametrize(
    "text",
    [
        "9월 셋째 주 수요일", "1,500원", "3.14", "12월 25일 오후 3시 30분", "열두 명", "두 번", "100 %",
        "승객 310명이 탑니다", "5km", "It was founded in 1996.", "약 3만 2천 권", "제2차 회의", "0",
    ],
)  # fmt: skip
def test_something_else_stands_there(text: str) -> None:
    swapped = swap_numbers(text)
    assert swapped is not None
    assert not numbers_in(swapped) & numbers_in(text)
    assert len(swapped.split()) == len(text.split())


@pytest.mark.parametrize(
    "text",
    [
        "서울입니다.", "", "2NE1", "A4 용지", "U-23 대표", "[[ref1]]", "[1] 그렇다", "2023-05-01",
        "010-1234-5678", "오전 10:30", "세상에서", "한국 사람", "3rd place", "네, 그렇습니다", "1/2",
    ],
)  # fmt: skip
def test_names_citations_and_words_are_left_alone(text: str) -> None:
    assert swap_numbers(text) is None


def test_numbers_of_the_question_stay() -> None:
    question = "2017년 정전은 몇 시간 이어졌나요?"
    assert swap_numbers("2017년 정전은 6시간 이어졌습니다.", numbers_in(question)) in (
        "2017년 정전은 3시간 이어졌습니다.",
    )
    assert swap_numbers("2017년", numbers_in(question)) is None
    assert swap_numbers("1,500원", {"1500"}) is None, "separators make no other number"


@given(st.integers(1, 12), st.integers(1, 31), st.integers(1, 12), st.integers(1, 59), st.integers(0, 99))
def test_a_date_stays_a_date(month: int, day: int, hour: int, minute: int, seed: int) -> None:
    swapped = swap_numbers(f"{month}월 {day}일 {hour}시 {minute}분", seed=seed)
    assert swapped is not None
    found = re.fullmatch(r"(\d+)월 (\d+)일 (\d+)시 (\d+)분", swapped)
    assert found is not None
    new = [int(part) for part in found.groups()]
    assert all(1 <= value <= most for value, most in zip(new, (12, 31, 12, 59), strict=True))
    assert all(value != old for value, old in zip(new, (month, day, hour, minute), strict=True))


@given(st.integers(0, 10**9), st.integers(0, 99), st.booleans())
def test_a_number_keeps_its_length_its_separators_and_its_last_sound(
    number: int, seed: int, separated: bool
) -> None:
    text = f"{number:,}" if separated else str(number)
    swapped = swap_numbers(f"모두 {text}입니다", seed=seed)
    assert swapped is not None
    new = swapped.removeprefix("모두 ").removesuffix("입니다")
    assert DIGITS.sub("0", new) == DIGITS.sub("0", text)
    assert int(new.replace(",", "")) != number
    assert new[0] != "0"
    if number % 10:
        assert any(text[-1] in group and new[-1] in group for group in ("178", "036", "2459"))
    else:
        assert new[-1] == "0" or number == 0, "a round number stays round"


@given(TEXTS, st.integers(0, 5))
def test_only_numbers_change_and_always_alike(text: str, seed: int) -> None:
    swapped = swap_numbers(text, seed=seed)
    assert swapped == swap_numbers(text, seed=seed)
    if swapped is not None:
        assert swapped != text
        assert DIGITS.sub("", swapped) == DIGITS.sub("", text)
        assert len(swapped) == len(text) or "월" in text or "일" in text or "시" in text or "%" in text


def test_equal_numbers_stay_equal() -> None:
    swapped = swap_numbers("처음 31명, 나중에도 31명")
    assert swapped is not None
    first, second = re.findall(r"\d+", swapped)
    assert first == second != "31"


def test_counted_in_words() -> None:
    assert numbers_in("스물네 곳과 세 명, 1,500원 [[ref7]]") == {"스물네", "세", "1500"}
    swapped = swap_numbers("맞바람시는 강당 스물네 곳을 열었습니다.")
    assert swapped is not None
    assert re.fullmatch(r"맞바람시는 강당 스물\S+ 곳을 열었습니다\.", swapped)


@pytest.mark.parametrize(
    "question",
    ["몇 명인가요?", "언제 열리나요?", "요금은 얼마인가요?", "When was it built?", "How many people live there?", "Which year was it?"],
)  # fmt: skip
def test_questions_for_a_number(question: str) -> None:
    assert asks_for_number(question)


@pytest.mark.parametrize("question", ["누구인가요?", "어디에 있나요?", "Who wrote it?", "왜 무너졌나요?"])
def test_questions_for_something_else(question: str) -> None:
    assert not asks_for_number(question)


@pytest.mark.parametrize("word", ["한", "두", "세", "네", "다섯", "여섯", "일곱", "여덟", "아홉"])
@pytest.mark.parametrize("ten", ["", "열", "스물", "아흔"])
def test_every_counted_word_is_a_number_and_becomes_another_of_the_same_ten(ten: str, word: str) -> None:
    text = f"배가 {ten}{word} 척 있었습니다."
    assert numbers_in(text) == {ten + word}
    changed = {swap_numbers(text, seed=seed) for seed in range(40)}
    assert None not in changed and text not in changed
    words = {str(found).removeprefix(f"배가 {ten}").removesuffix(" 척 있었습니다.") for found in changed}
    assert (
        words <= {"한", "두", "세", "네", "다섯", "여섯", "일곱", "여덟", "아홉"} - {word} and len(words) > 4
    )


@pytest.mark.parametrize("word", ["첫째", "둘째", "셋째", "넷째", "다섯째"])
def test_every_ordinal_becomes_another(word: str) -> None:
    text = f"{word} 왕입니다."
    assert numbers_in(text) == {word}
    changed = {swap_numbers(text, seed=seed) for seed in range(40)}
    rest = {"첫째", "둘째", "셋째", "넷째", "다섯째"} - {word}
    assert changed == {f"{one} 왕입니다." for one in rest}


@pytest.mark.parametrize(
    ("unit", "most"),
    [("월", 12), ("일", 31), ("시", 12), ("분", 59), ("초", 59), ("%", 100), (" percent", 100)],
)
def test_what_a_unit_bounds_stays_within_it(unit: str, most: int) -> None:
    for number in range(1, most + 1):
        for seed in range(4):
            changed = swap_numbers(f"답은 {number}{unit}", seed=seed)
            assert changed is not None
            other = int(changed.removeprefix("답은 ").removesuffix(unit))
            assert 1 <= other <= most and other != number


@pytest.mark.parametrize("number", ["1200", "1,200", "30", "450,000", "20.50"])
def test_a_round_number_changes_in_its_last_figure_and_stays_as_round(number: str) -> None:
    for seed in range(6):
        changed = swap_numbers(f"{number}명입니다.", seed=seed)
        assert changed is not None
        other = changed.removesuffix("명입니다.")
        place = max(n for n, digit in enumerate(number) if digit in "123456789")
        assert other[:place] == number[:place] and other[place + 1 :] == number[place + 1 :]
        assert other[place] in "123456789" and other[place] != number[place]
