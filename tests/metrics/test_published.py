"""KorQuAD 1.0 and KLUE-MRC: figures recorded from the published scripts themselves, equal to the last digit."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsa.metrics import mrc

RECORDED = [
    json.loads(line) for line in Path(__file__).with_name("published.jsonl").read_text("utf-8").splitlines()
]
TEXT = st.text(alphabet="가나다라 ab1.,'\"()《》‘’·\t", max_size=30)


@pytest.mark.parametrize("row", RECORDED)
def test_equal_to_the_published_script(row: dict[str, Any]) -> None:
    said, expected = row["prediction"], row["references"]
    assert mrc.korquad_em(said, expected) == row["korquad_em"]
    assert mrc.korquad_f1(said, expected) == row["korquad_f1"]
    assert mrc.klue_em(said, expected) == row["klue_em"]
    assert mrc.klue_rouge_w(said, expected) == row["klue_rouge_w"]


def test_the_record_covers_what_is_easily_got_wrong() -> None:
    said = {row["prediction"] for row in RECORDED}
    assert any(unicodedata.normalize("NFC", text) != text for text in said)
    assert any(len(mrc.klue_form(r)) >= 200 for row in RECORDED for r in row["references"])
    assert any(len(row["references"]) > 1 for row in RECORDED)
    assert any("" in row["references"] for row in RECORDED)
    assert len({row["klue_rouge_w"] for row in RECORDED}) > 20


def test_the_two_normal_forms_differ() -> None:
    text = "《가람》(수도) ‘강’"
    assert mrc.korquad_form(text) == "가람 수도 강"
    assert mrc.klue_form(text) == "《가람》수도 ‘강’"


def test_without_references_the_empty_answer_is_expected() -> None:
    for metric in (mrc.korquad_em, mrc.korquad_f1, mrc.klue_em, mrc.klue_rouge_w):
        assert metric("", []) == metric("", [""])
        assert metric("서울", []) == metric("서울", [""]) == 0.0
    assert (mrc.korquad_em("", []), mrc.korquad_f1("", [])) == (1.0, 0.0)
    assert (mrc.klue_em("", []), mrc.klue_rouge_w("", [])) == (1.0, 1.0)


def test_difflib_s_junk_heuristic_is_on() -> None:
    reference = "가나" * 110
    assert mrc.klue_rouge_w("나가" * 50, [reference]) < mrc.klue_rouge_w("나가" * 50, [reference[:198]])


@given(TEXT, st.lists(TEXT, min_size=1, max_size=4))
def test_bounds_and_best_over_references(said: str, expected: list[str]) -> None:
    for metric in (mrc.korquad_em, mrc.korquad_f1, mrc.klue_em, mrc.klue_rouge_w):
        best = metric(said, expected)
        assert 0.0 <= best <= 1.0
        assert best == max(metric(said, [one]) for one in expected)
        assert best == metric(said, expected[::-1])


@given(TEXT)
def test_a_text_matches_itself(text: str) -> None:
    assert mrc.korquad_em(text, [text]) == mrc.klue_em(text, [text]) == mrc.klue_rouge_w(text, [text]) == 1.0
    assert mrc.korquad_f1(text, [text]) == (1.0 if mrc.korquad_form(text) else 0.0)
