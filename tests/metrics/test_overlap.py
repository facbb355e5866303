from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu import sentence_chrf

from simsa.metrics.morphology import morphemes
from simsa.metrics.overlap import chrf, lcs_length, rouge_l, share_found
from simsa.metrics.registry import score_row
from simsa.records import Passage, Question

TOKENS = st.lists(st.sampled_from("가나다라"), max_size=25)


def slow_lcs(left: list[str], right: list[str]) -> int:
    row = [0] * (len(right) + 1)
    for a in left:
        previous = 0
        for j, b in enumerate(right, 1):
            previous, row[j] = row[j], previous + 1 if a == b else max(row[j], row[j - 1])
    return row[-1]


@given(TOKENS, TOKENS)
def test_lcs_equals_the_textbook_table(left: list[str], right: list[str]) -> None:
    assert lcs_length(left, right) == slow_lcs(left, right) == lcs_length(right, left)


def test_lcs_of_long_texts_is_quick() -> None:
    left, right = list(range(20_000)), list(range(0, 40_000, 2))
    assert lcs_length(left, right) == 10_000


@given(st.text(max_size=40), st.lists(st.text(max_size=40), min_size=1, max_size=3))
@settings(deadline=None)
def test_chrf_is_sacrebleu_s(said: str, expected: list[str]) -> None:
    assert chrf(said, expected) == pytest.approx(sentence_chrf(said, expected).score, abs=1e-12)


def test_chrf_by_hand() -> None:
    assert chrf("서울특별시", ["서울특별시"]) == 100.0
    assert chrf("서울", ["부산"]) == 0.0
    assert chrf("", ["서울"]) == 0.0
    assert chrf("서울", []) is None


def test_chrf_takes_the_best_reference_whole() -> None:
    assert chrf("서울", ["부산", "서울"]) == 100.0


def rouge(prediction: str, references: list[str]) -> float | None:
    return rouge_l(morphemes(prediction), map(morphemes, references))


def context_overlap(prediction: str, contexts: list[str]) -> float | None:
    question = Question("q", "?", tuple(map(Passage, contexts)))
    return score_row(prediction, question)["context_overlap"]


def test_rouge_l_over_morphemes() -> None:
    said, expected = "서울은 수도이다.", "서울이 수도였다."
    common = slow_lcs(morphemes(said), morphemes(expected))
    assert rouge(said, [expected]) == pytest.approx(
        2 * common / (len(morphemes(said)) + len(morphemes(expected)))
    )
    assert rouge(said, [said]) == 1.0
    assert rouge("서울", ["부산"]) == 0.0
    assert rouge("서울", ["부산", "서울"]) == 1.0
    assert rouge("서울", []) is None
    assert rouge("", [""]) == 0.0


@given(TOKENS, TOKENS)
def test_rouge_l_is_symmetric_and_bounded(left: list[str], right: list[str]) -> None:
    score = rouge_l(left, [right])
    assert score is not None
    assert score == rouge_l(right, [left])
    assert 0.0 <= score <= 1.0
    assert (score == 1.0) == (left == right != [])


def test_share_of_the_answer_s_content_in_the_contexts() -> None:
    contexts = ["온빛대교는 1998년에 개통되었다.", "가람시의 인구는 12만 명이다."]
    assert context_overlap("온빛대교는 1998년 개통", contexts) == 1.0
    assert context_overlap("가람시의 온빛대교 [[ref1]]", contexts) == 1.0
    assert context_overlap("화성 탐사선", contexts) == 0.0
    assert context_overlap("인구는 화성", contexts) == 0.5
    assert context_overlap("", contexts) is None
    assert context_overlap("서울", []) is None


def test_share_counts_every_occurrence() -> None:
    assert share_found(["가", "가", "나", "다"], {"가"}) == 0.5
    assert share_found([], {"가"}) is None


def test_importing_loads_no_heavy_library() -> None:
    code = (
        "import sys, simsa.metrics.overlap, simsa.metrics.registry;"
        "sys.exit(any(name in sys.modules for name in ('sacrebleu', 'kiwipiepy', 'numpy')))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
