"""Texts that carry both languages, and Korean particles."""

from __future__ import annotations

import copy
import json
import pickle

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsa.i18n.language import KoreanNoun, Language, LocalizedText, join_text, localize, particle
from simsa.i18n.messages import msg


def test_a_sentence_is_english_to_programs_and_korean_to_who_reads_korean() -> None:
    said = msg("vllm.ready", seconds=12.4)
    assert said == "vLLM is ready after 12 s"
    assert localize(said, "en") == "vLLM is ready after 12 s"
    assert localize(said, "ko") == "vLLM 준비됨 (12초)"
    assert type(localize(said, "en")) is str
    assert json.dumps(said) == '"vLLM is ready after 12 s"'
    assert orjson.dumps({"text": said}) == b'{"text":"vLLM is ready after 12 s"}'


@pytest.mark.parametrize("language", ["ko", "en"])
def test_text_of_others_is_left_as_it_is(language: Language) -> None:
    assert localize("CUDA out of memory", language) == "CUDA out of memory"
    assert localize(LocalizedText("only English"), language) == "only English"


def test_a_sentence_survives_copies_and_processes() -> None:
    said = msg("vllm.phase", phase=msg("phase.weights"))
    for twin in (copy.copy(said), copy.deepcopy(said), pickle.loads(pickle.dumps(said))):
        assert twin == said
        assert localize(twin, "ko") == "vLLM: 가중치를 읽고 있습니다"


def test_a_sentence_within_a_sentence_is_in_the_same_language() -> None:
    said = msg("check.doubt", n=2, total=1234, doubt=msg("doubt.duplicate_question"), examples="q1")
    assert said == "2 of 1,234 rows: an earlier row asks the same: q1"
    assert localize(said, "ko") == "1,234행 중 2행: 앞 행과 같은 질문입니다: q1"


def test_sentences_are_joined_in_both_languages() -> None:
    both = join_text(", ", (msg("files.new", n=3), "plain", msg("files.foreign", n=1)))
    assert both == "3 read, plain, 1 not ours"
    assert localize(both, "ko") == "읽음 3, plain, 다른 데서 온 것 1"
    assert join_text(", ", ()) == ""


@pytest.mark.parametrize(
    ("name", "said"),
    [("심사", "심사는"), ("모델", "모델은"), ("gpt-4o", "gpt-4o는"), ("x-lm", "x-lm은"), ("b", "b은(는)")],
)
def test_the_particle_fits_the_name_that_fills_a_blank(name: str, said: str) -> None:
    text = localize(msg("retires.was", model=name, date="2026-01-01"), "ko")
    assert text.startswith(said + " ")


@given(st.text(max_size=30))
def test_any_text_may_fill_a_blank(text: str) -> None:
    """Braces, percent signs and format specs in somebody's text are text."""
    said = msg("batch.crowded", why=text)
    assert said == f"{text}: the rest waits until a batch is done"
    assert said.ko == f"{text}: 나머지는 배치 하나가 끝날 때까지 기다립니다"


@given(st.text(max_size=12))
def test_a_name_is_its_text_and_never_loses_it(text: str) -> None:
    assert f"{KoreanNoun(text)}" == text
    assert f"{KoreanNoun(text):이/가}".startswith(text)
    assert len(f"{KoreanNoun(text):이/가}") > len(text)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("모델", "모델이"),
        ("기본", "기본이"),
        ("학습", "학습이"),
        ("베이스", "베이스가"),
        ("rag-lora", "rag-lora가"),
        ("ko", "ko가"),
        ("tiny-lm", "tiny-lm이"),
        ("v1", "v1이"),
        ("v2", "v2가"),
        ("step-100", "step-100이"),
        ("v9", "v9가"),
        ("base", "base이(가)"),
        ("SFT", "SFT이(가)"),
        ("모데\u1106", "모데ᄆ이(가)"),
        ("모\u1103\u1166\u11af", "모\u1103\u1166\u11af이"),  # 델, in three letters
        ("", "이(가)"),
        ("x!", "x!이(가)"),
    ],
)
def test_particles_follow_the_sound_of_the_name(name: str, expected: str) -> None:
    assert f"{KoreanNoun(name):이/가}" == expected


def test_all_pairs_of_particles() -> None:
    assert f"{KoreanNoun('모델'):은/는}" == "모델은"
    assert f"{KoreanNoun('라마'):은/는}" == "라마는"
    assert f"{KoreanNoun('모델'):과/와}" == "모델과"
    assert f"{KoreanNoun('라마'):을/를}" == "라마를"
    assert f"{KoreanNoun('라마'):>6}" == "    라마"


@given(st.text())
def test_a_particle_is_one_of_the_two_or_both(name: str) -> None:
    assert particle(name, "이", "가") in ("이", "가", "이(가)")
