"""Sentences that carry both languages, and the one home of what the terminal says."""

from __future__ import annotations

import ast
import copy
import json
import pickle
import re
import string
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

import simsa
from simsa.i18n.language import KoreanNoun, LocalizedText, join_text, localize
from simsa.i18n.messages import CATALOGUE, msg

SOURCE = Path(simsa.__file__).parent
HANGUL = re.compile("[가-힣]")


def blanks(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_a_sentence_is_english_to_programs_and_korean_to_who_reads_korean() -> None:
    said = msg("vllm.ready", seconds=12.4)
    assert said == "vLLM is ready after 12 s"
    assert localize(said, "en") == "vLLM is ready after 12 s"
    assert localize(said, "ko") == "vLLM 준비됨 (12초)"
    assert type(localize(said, "en")) is str
    assert json.dumps(said) == '"vLLM is ready after 12 s"'
    assert orjson.dumps({"text": said}) == b'{"text":"vLLM is ready after 12 s"}'


@pytest.mark.parametrize("language", ["ko", "en"])
def test_text_of_others_is_left_as_it_is(language: simsa.i18n.language.Language) -> None:
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


@pytest.mark.parametrize("key", CATALOGUE)
def test_every_sentence_is_there_in_both_languages_with_the_same_blanks(key: str) -> None:
    korean, english = CATALOGUE[key]
    assert korean.strip()
    assert english.strip()
    assert blanks(korean) == blanks(english)
    assert not HANGUL.search(english)
    words = re.sub(r"\{[^}]*\}|`[^`]*`", "", english)
    if re.search("[a-z]{3}", words) and key not in SAME:
        assert HANGUL.search(korean), "not translated"


SAME = {"vllm.phase", "files.written"}


def test_every_sentence_is_said_somewhere_and_nothing_else_is() -> None:
    used, families = set(), set()
    for file in SOURCE.rglob("*.py"):
        if file.name == "spoken.py":
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in CATALOGUE:
                used.add(node.value)
            if isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
                families.add(str(node.values[0].value))
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "told"
                and isinstance(node.args[0], ast.Constant)
            ):
                assert node.args[0].value in CATALOGUE, f"{file}:{node.lineno}"
    families = {start for start in families if start.endswith(".") and start.count(".") == 1}
    silent = {key for key in CATALOGUE if key not in used and f"{key.partition('.')[0]}." not in families}
    assert not silent
