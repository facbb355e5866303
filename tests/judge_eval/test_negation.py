"""The opposite reads like something a person would say."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsa.judge_eval.negation import negate


@pytest.mark.parametrize(
    ("said", "opposite"),
    [
        # Copula, by the final sound and the style.
        ("서울입니다.", "서울이 아닙니다."),
        ("학교다", "학교가 아니다."),
        ("서울이에요.", "서울이 아니에요."),
        ("의사였다.", "의사가 아니었다."),
        ("펴낸 책은 《구름 위의 풀》입니다.", "펴낸 책은 《구름 위의 풀》이 아닙니다."),
        # Verbs and adjectives, with tense, honorifics and contractions.
        ("9월에 막을 올립니다.", "9월에 막을 올리지 않습니다."),
        ("1983년에 나왔습니다", "1983년에 나오지 않았습니다."),
        ("매일 연습한다.", "매일 연습하지 않는다."),
        ("2021년부터 시행되었다.", "2021년부터 시행되지 않았다."),
        ("매우 예쁘다.", "매우 예쁘지 않다."),
        ("3시에 시작해요.", "3시에 시작하지 않아요."),
        ("왕께서 오셨다.", "왕께서 오시지 않았다."),
        ("더 깁니다.", "더 길지 않습니다."),
        ("내일 가겠다", "내일 가지 않겠다."),
        ("로비에 걸려 있습니다.", "로비에 걸려 있지 않습니다."),
        # There is and there is not; what was denied is affirmed.
        ("본사는 쪽빛항에 있습니다.", "본사는 쪽빛항에 없습니다."),
        ("다친 사람이 없었다.", "다친 사람이 있었다."),
        ("310명이 탈 수 있습니다.", "310명이 탈 수 없습니다."),
        ("밥을 먹지 않는다.", "밥을 먹는다."),
        ("입장료는 받지 않습니다.", "입장료는 받습니다."),
        # Yes and no.
        ("네, 가능합니다.", "아니요, 가능하지 않습니다."),
        ("아니요.", "네."),
        # Phrases.
        ("서울", "서울이 아닙니다."),
        ("1996년", "1996년이 아닙니다."),
        ("나무", "나무가 아닙니다."),
        # Where the opposite would be other words, the whole is said to be untrue.
        ("2004년부터", "“2004년부터”라는 말은 사실이 아닙니다."),
        ("안전모를 써야 합니다.", "“안전모를 써야 합니다”라는 말은 사실이 아닙니다."),
        ("그는 안 갔다.", "“그는 안 갔다”라는 말은 사실이 아닙니다."),
        ("연 2회 실시함", "“연 2회 실시함”이라는 말은 사실이 아닙니다."),
        ("의사가 아니다.", "“의사가 아니다”라는 말은 사실이 아닙니다."),
        # Citations are no part of it.
        ("서울입니다. [[ref1]] [[ref2]]", "서울이 아닙니다."),
        # Two sentences.
        ("크다. 서울이다.", "크지 않다. 서울이 아니다."),
    ],
)
def test_korean(said: str, opposite: str) -> None:
    assert negate(said) == opposite


@pytest.mark.parametrize(
    ("said", "opposite"),
    [
        ("It was founded in 1996.", "It was not founded in 1996."),
        ("He can't swim.", "He can swim."),
        ("He cannot swim.", "He can swim."),
        ("It is not open.", "It is open."),
        ("It isn't open.", "It is open."),
        ("Paris", "It is not Paris."),
        ("Yes, it is.", "No, it is not."),
        ("The company sold all of its shares", 'It is not true that "The company sold all of its shares".'),
    ],
)
def test_english(said: str, opposite: str) -> None:
    assert negate(said) == opposite


def test_the_language_of_the_answer_decides() -> None:
    assert negate("3.5%", korean=True) == "3.5%가 아닙니다."
    assert negate("3.5%", korean=False) == "It is not 3.5%."


@pytest.mark.parametrize("text", ["", "  ", "하나다. 둘이다. 셋이다.", "[[ref1]]"])
def test_nothing_to_turn_or_too_much(text: str) -> None:
    assert negate(text) is None


NOUNS = st.text(alphabet="가각간나난다달마말바박사산", min_size=2, max_size=6)


@settings(max_examples=60)
@given(NOUNS, st.sampled_from(["입니다.", "이다.", "이었다.", "이에요."]))
def test_the_particle_fits_the_noun(noun: str, ending: str) -> None:
    turned = negate(f"그것은 {noun}{ending}")
    assert turned is not None
    assert turned != f"그것은 {noun}{ending}"
    closed = (ord(noun[-1]) - ord("가")) % 28 > 0
    if f"{noun}이 아" in turned or f"{noun}가 아" in turned:
        assert f"{noun}{'이' if closed else '가'} 아" in turned


@settings(max_examples=60)
@given(st.text(max_size=80))
def test_any_text_is_turned_or_let_be(text: str) -> None:
    turned = negate(text)
    assert turned is None or turned.strip()
