from __future__ import annotations

import subprocess
import sys
import threading
import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsa.metrics.morphology import analyse, content_forms, content_morphemes, morphemes


def test_every_morpheme_with_particles_endings_and_punctuation() -> None:
    assert morphemes("서울은 수도이다.") == ["서울", "은", "수도", "이", "다", "."]


def test_content_is_nouns_stems_adverbs_numbers_and_foreign_words_in_lower_case() -> None:
    found = content_morphemes("2023년에 GPT-4o 서버를 아름답게 다시 지었다.")
    assert found == ["2023", "gpt", "4", "o", "서버", "아름답", "다시", "짓"]


@pytest.mark.parametrize("text", ["", " ", "...", "\n\n", "?!"])
def test_text_without_content_has_none(text: str) -> None:
    assert content_morphemes(text) == []


def test_light_verbs_are_not_content() -> None:
    assert content_morphemes("하고 되어 있다") == []


def test_unicode_form_does_not_matter() -> None:
    text = "서울특별시에서 살았다"
    assert morphemes(unicodedata.normalize("NFD", text)) == morphemes(text)


def test_positions_point_into_the_text() -> None:
    text = "대한민국의 수도는 서울이며 API를 쓴다."
    for found in next(analyse([text])):
        if found.tag in {"NNP", "NNG", "SL"}:
            assert text[found.start : found.end] == found.form


def test_a_batch_equals_one_at_a_time_in_order() -> None:
    texts = [f"질문 {i}: 도시의 인구는 {i * 7}명인가?" for i in range(40)] + ["", "서울"]
    assert [[m.form for m in found] for found in analyse(texts)] == [morphemes(text) for text in texts]


def test_long_text_is_cut_and_keeps_its_positions() -> None:
    sentence = "서울은 대한민국의 수도이다. "
    text = sentence * 300
    found = next(analyse([text]))
    assert [m.form for m in found] == morphemes(sentence) * 300
    assert all(text[m.start : m.end] == "서울" for m in found if m.form == "서울")


def test_text_without_a_space_is_still_read_in_good_time() -> None:
    started = time.monotonic()
    assert morphemes("가" * 6_000)
    assert time.monotonic() - started < 20


def test_lone_surrogates_and_nul_are_survived() -> None:
    assert "서울" in morphemes("\ud800 서울 \x00")


def test_threads_agree() -> None:
    text = "가람시의 인구는 2021년 기준 12만 4천 명이다."
    expected = morphemes(text)
    seen: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda: seen.extend(morphemes(text) for _ in range(20))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 80
    assert all(one == expected for one in seen)


def test_content_of_analysed_text_is_the_same() -> None:
    text = "온빛대교는 1998년에 개통되었다."
    assert content_forms(next(analyse([text]))) == content_morphemes(text)


@given(st.text(max_size=60))
@settings(max_examples=60, deadline=None)
def test_any_text_is_read(text: str) -> None:
    found = next(analyse([text]))
    assert all(m.form and m.start <= m.end for m in found)
    assert all(form == form.lower() for form in content_morphemes(text))


def test_importing_loads_no_kiwi() -> None:
    code = "import sys, simsa.metrics.morphology; sys.exit('kiwipiepy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
