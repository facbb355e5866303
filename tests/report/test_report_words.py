from __future__ import annotations

import re
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsa.i18n.language import LANGUAGES, KoreanNoun, particle
from simsa.records import CRITERIA, STATUSES
from simsa.report import report_words as words_module
from simsa.report.report_words import CATALOGUE, words


def _blanks(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_fill_the_same_blanks() -> None:
    for key, (korean, english) in CATALOGUE.items():
        assert _blanks(korean) == _blanks(english), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_criterion_status_and_verdict_has_a_name(language: str) -> None:
    say = words(language)  # type: ignore[arg-type]
    for key in (*CRITERIA, *(f"short.{name}" for name in CRITERIA), "total"):
        assert say(key)
    for status in STATUSES:
        assert status == "scored" or say(f"status.{status}")
    for verdict in ("better", "worse", "equivalent", "no difference shown", "too few"):
        assert say(verdict) and f"say.{verdict}" in CATALOGUE


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


@given(st.text(alphabet="{}%:!/"))
def test_a_name_full_of_braces_is_not_a_template(name: str) -> None:
    assert words("en")("say.no_others", baseline=name) == f"There is no variant besides {name}."


def test_no_word_is_said_twice() -> None:
    source = Path(words_module.__file__).read_text(encoding="utf-8")
    keys = re.findall(r'^    "([^"]+)": \(', source, re.MULTILINE)
    assert len(keys) == len(set(keys)) == len(words_module.CATALOGUE), "the later one would win in silence"
