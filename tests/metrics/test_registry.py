from __future__ import annotations

from collections.abc import Iterator

import pytest

from simsa.metrics import mrc, normalized, overlap
from simsa.metrics.morphology import morphemes
from simsa.metrics.registry import (
    METRICS,
    Metric,
    MetricInput,
    _registered,
    decimals,
    measures_version,
    register,
    score_row,
    score_rows,
)
from simsa.records import Passage, Question

REFUSAL = "자료 밖의 질문이군요"
QUESTION = Question(
    "q1",
    "온빛대교는 언제 개통되었나요?",
    contexts=(Passage("온빛대교는 1998년에 개통되었다."), Passage("가람시의 인구는 12만 명이다.")),
    reference=("1998년에 개통되었다. [[ref1]]", "1998년"),
    citations=(1,),
)
UNANSWERABLE = Question("q2", "설계자는?", reference=(REFUSAL,), answerable=False)


def test_every_metric_by_its_own_function() -> None:
    said = "온빛대교는 1998년에 개통되었습니다. [[ref1]], [[ref9]]"
    references = QUESTION.reference
    bare, *expected = normalized.bare_forms([said, *references])
    assert score_row(said, QUESTION) == {
        "korquad_em": mrc.korquad_em(said, references),
        "korquad_f1": mrc.korquad_f1(said, references),
        "klue_em": mrc.klue_em(said, references),
        "klue_rouge_w": mrc.klue_rouge_w(said, references),
        "chrf": overlap.chrf(said, references),
        "rouge_l": overlap.rouge_l(morphemes(said), map(morphemes, references)),
        "lenient_em": normalized.exact_match(bare, expected),
        "lenient_f1": normalized.f1(bare, expected),
        "contains_reference": 1.0,
        "context_overlap": 1.0,
        "citation_precision": 1.0,
        "citation_recall": 1.0,
        "citations_out_of_range": 1,
        "abstained": 0.0,
    }


def test_official_figures_see_the_citation_and_the_lenient_ones_do_not() -> None:
    cited, plain = score_row("1998년 [[ref1]]", QUESTION), score_row("1998년", QUESTION)
    assert cited["korquad_em"] == 0.0
    assert plain["korquad_em"] == 1.0
    assert cited["lenient_em"] == plain["lenient_em"] == 1.0


def test_keys_are_the_list_of_metrics_in_its_order() -> None:
    assert tuple(score_row("", QUESTION)) == tuple(METRICS)


def test_what_does_not_apply_is_none() -> None:
    row = score_row("아무 말", Question("q", "질문"))
    assert {name for name, value in row.items() if value is None} == {
        "chrf",
        "rouge_l",
        "lenient_em",
        "lenient_f1",
        "contains_reference",
        "context_overlap",
        "citation_precision",
        "citation_recall",
        "citations_out_of_range",
    }
    assert row["korquad_em"] == row["klue_em"] == 0.0


def test_an_unanswerable_question_s_reference_is_a_refusal() -> None:
    assert score_row(REFUSAL, UNANSWERABLE)["abstained"] == 1.0
    assert score_row(REFUSAL, QUESTION)["abstained"] == 0.0
    assert score_row(REFUSAL, QUESTION, refusals=[REFUSAL])["abstained"] == 1.0
    assert score_row("김하늘", UNANSWERABLE)["abstained"] == 0.0


def test_rows_come_in_order_across_blocks() -> None:
    pairs = [
        (f"{i}년", Question(str(i), "?", (Passage(f"본문 {i}"),), (f"{i}년", "없음"))) for i in range(600)
    ]
    rows = list(score_rows(pairs))
    assert len(rows) == 600
    assert all(row["korquad_em"] == 1.0 for row in rows)
    assert rows[300] == score_row(*pairs[300])


def test_rows_are_streamed() -> None:
    def endless() -> Iterator[tuple[str, Question]]:
        while True:
            yield "서울", QUESTION

    assert next(score_rows(endless()))["korquad_em"] == 0.0


def test_no_rows_give_no_rows() -> None:
    assert list(score_rows([])) == []


@pytest.fixture
def added() -> Iterator[Metric]:
    def n_words(answer: MetricInput) -> float | None:
        return len(answer.prediction.split()) or None

    yield register(Metric("n_words", n_words, scale=None, decimals=1, label="words"))
    del _registered["n_words"]


def test_a_user_s_function_becomes_a_metric(added: Metric) -> None:
    assert list(METRICS)[-1] == "n_words"
    assert score_row("온빛대교는 1998년에", QUESTION)["n_words"] == 2
    assert score_row("", QUESTION)["n_words"] is None
    assert decimals("n_words") == 1
    assert measures_version("1.0") == "1.0+n_words"
    register(Metric("n_words", added.fn))
    assert decimals("n_words") == 3


def test_built_in_metrics_cannot_be_replaced() -> None:
    with pytest.raises(ValueError, match="chrf"):
        register(Metric("chrf", lambda answer: 1.0))


def test_decimals_and_version_of_the_built_in_metrics() -> None:
    assert (decimals("chrf"), decimals("rouge_l"), decimals("measured once")) == (1, 3, 3)
    assert measures_version("1.0") == "1.0"
