"""Columns are mapped to fields: aliases, shapes of other tools, mapped names, errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from simsa.data import from_rows, read
from simsa.data.field_aliases import ALIASES
from simsa.errors import DataError
from simsa.records import Passage, Question
from tests.support.korean_rows import write_csv, write_jsonl

GOOD: dict[str, Any] = {"id": "1", "question": "q", "contexts": ["c"], "reference": "r"}
WANTED = {
    "id": "1",
    "question": "q",
    "contexts": ["c"],
    "reference": "r",
    "answerable": False,
    "type": "t",
    "cluster": "k",
    "citations": [2],
    "metadata": {"level": 1},
}


def only(row: dict[str, Any], **fields: str) -> Question:
    (question,) = from_rows([row], fields)
    return question


def renamed(row: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    return {new if name == old else name: value for name, value in row.items()}


@pytest.mark.parametrize(
    ("field", "alias"),
    [(field, alias) for field in WANTED for alias in ALIASES[field] if alias != "is_impossible"],
)
def test_every_alias_is_read_in_any_case(field: str, alias: str) -> None:
    assert only(renamed(WANTED, field, alias)).to_dict() == WANTED
    assert only(renamed(WANTED, field, f" {alias.upper()}")).to_dict() == WANTED


def test_published_aliases_are_known() -> None:
    published = {
        "question": "user_input query input instruction",
        "contexts": "retrieved_contexts context contexts search_result retrieved_context retrieval_context "
        "retrieved_contents",
        "reference": "answer ground_truth ground_truths label gt_answer expected_output target generation_gt "
        "reference_answer",
        "prediction": "response output actual_output generated_answer prediction",
        "citations": "extracted_ref_numbers",
        "type": "type question_type",
        "answerable": "is_impossible",
    }
    for field, names in published.items():
        assert set(names.split()) <= set(ALIASES[field])


@pytest.mark.parametrize(
    ("row", "answerable"),
    [
        ({}, True),
        ({"answerable": False}, False),
        ({"answerable": None, "type": "no_answer"}, False),
        ({"is_impossible": True}, False),
        ({"is_impossible": False}, True),
        ({"type": "no_answer"}, False),
        ({"type": "no_answer", "is_impossible": False}, False),
        ({"type": "no_answer", "answerable": True}, True),
    ],
)
def test_answerable_is_impossible_and_type_decide(row: dict[str, Any], answerable: bool) -> None:
    assert only(GOOD | row).answerable is answerable


def test_unanswerable_question_needs_no_reference() -> None:
    refusal = GOOD | {"type": "no_answer", "reference": "답을 찾을 수 없습니다."}
    assert only(refusal).reference == ("답을 찾을 수 없습니다.",)
    for none in ("", [], [""], None):
        assert only(GOOD | {"answerable": False, "reference": none}).reference == ()
    bare = {"id": "1", "question": "q", "contexts": ["c"], "is_impossible": True}
    assert only(bare).reference == ()


def test_citations_default_to_those_in_the_reference() -> None:
    assert only(GOOD | {"reference": "가 [[ref3]], 나 [[ref1]], 다 [[ref3]] [2]"}).citations == (3, 1)
    assert only(GOOD | {"reference": "가 [[ref3]]", "citations": []}).citations == ()
    assert only(GOOD | {"reference": "가 [[ref3]]", "extracted_ref_numbers": None}).citations == ()


def test_passages_are_read_in_every_form() -> None:
    forms: list[Any] = [
        "a",
        {"text": "b", "id": 7, "title": "t"},
        {"content": "c", "doc_id": "d"},
        {"contents": "d", "title": ""},
        {"page_content": "e", "metadata": {"source": "s"}},
        {"passage": "f", "title": 3},
    ]
    assert only(GOOD | {"contexts": forms}).contexts == (
        Passage("a"),
        Passage("b", "7", "t"),
        Passage("c", "d"),
        Passage("d"),
        Passage("e"),
        Passage("f", None, "3"),
    )
    for alone, passage in zip(forms[:2], (Passage("a"), Passage("b", "7", "t")), strict=True):
        assert only(GOOD | {"contexts": alone}).contexts == (passage,)


def test_deepeval_contexts_are_the_retrieved_ones() -> None:
    row = {"input": "q", "expected_output": "r", "retrieval_context": ["seen"], "context": ["ideal"]}
    assert only(row).contexts == (Passage("seen"),)
    assert only(row | {"retrieval_context": None}).contexts == (Passage("ideal"),)
    assert only(row | {"retrieval_context": []}).contexts == ()
    with pytest.raises(DataError, match="context: is null"):
        only(row | {"retrieval_context": None, "context": None})
    with pytest.raises(DataError, match="'retrieval_context', 'context'"):
        only(renamed(row, "input", "question"))


def test_old_ragas_answer_is_the_prediction() -> None:
    row = {"question": "q", "contexts": ["c"], "answer": "모델", "ground_truth": "정답"}
    assert only(row).reference == ("정답",)
    assert only(row, reference="answer").reference == ("모델",)
    with pytest.raises(DataError, match="'answer', 'ground_truth'"):
        only(renamed(row, "contexts", "context"))


def test_output_of_fine_tuning_rows_is_the_reference() -> None:
    alpaca = {"instruction": "q", "input": "c", "output": "r"}
    assert only(alpaca).contexts == (Passage("c"),)
    assert only(alpaca | {"input": ""}).contexts == ()
    assert only(alpaca).reference == ("r",)
    dolly = {"instruction": "q", "context": "c", "response": "r", "category": "closed_qa"}
    assert (only(dolly).reference, only(dolly).metadata) == (("r",), {"category": "closed_qa"})
    with pytest.raises(DataError, match="'instruction', 'input'"):
        only(alpaca | {"contexts": ["c"]})
    with pytest.raises(DataError, match="'output' is read as the model's answer"):
        only({"input": "q", "contexts": ["c"], "output": "r"})
    assert only({"input": "q", "contexts": ["c"], "output": "r"}, reference="output").reference == ("r",)


def test_mapped_fields_override_aliases() -> None:
    row = {"질문": "q", "문서": ["c"], "정답": "r", "answer": "r2", "번호": 3, "구분": "t"}
    question = only(row, question="질문", contexts="문서", reference="정답", id="번호", type="구분")
    assert (question.id, question.question, question.reference, question.type) == ("3", "q", ("r",), "t")
    assert question.metadata == {"answer": "r2"}


def test_missing_mapped_column_names_the_nearest(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [GOOD | {"kwestion": "q"}])
    with pytest.raises(DataError) as refusal:
        list(read(path, fields={"question": "kwestio"}))
    assert refusal.value.field == "fields.question"
    assert refusal.value.found == "kwestio"
    assert "did you mean 'kwestion'? it has id, question, contexts, reference, kwestion" in str(refusal.value)


def test_mapped_optional_column_may_appear_in_a_later_row(tmp_path: Path) -> None:
    rows = [GOOD, GOOD | {"id": "2", "kind": "t"}]
    path = write_jsonl(tmp_path / "a.jsonl", rows)
    assert [question.type for question in read(path, fields={"type": "kind"})] == [None, "t"]
    with pytest.raises(DataError, match=r"fields.type: the file has no such field \(found kond\)\n.*'kind'"):
        list(read(path, fields={"type": "kond"}))
    table = write_csv(tmp_path / "a.csv", [{"q": "a", "contexts": "b", "answer": "c"}])
    with pytest.raises(DataError, match=r"fields\.question: the file has no such field"):
        list(read(table, fields={"question": "Q"}))


def test_unknown_or_shared_mapping_is_an_error() -> None:
    with pytest.raises(DataError, match=r"fields.quesiton: there is no such field\n.*'question'"):
        only(GOOD, quesiton="q")
    with pytest.raises(DataError, match="one field cannot be several things: question, reference"):
        only(GOOD, question="reference", reference="reference")


def test_unknown_columns_become_metadata() -> None:
    row = GOOD | {"response": "p", "variant": "base", "latency_s": 1, "level": 2, "none": None, "tags": ["a"]}
    assert only(row).metadata == {"level": 2, "tags": ["a"]}
    assert only(row | {"metadata": {"level": 3, "x": None}}).metadata == {
        "level": 3,
        "tags": ["a"],
        "x": None,
    }


def test_content_ids_do_not_depend_on_row_order() -> None:
    rows = [{"question": q, "contexts": [c], "answer": "r"} for q in "ab" for c in "cd"]
    forwards = {question.id: question for question in from_rows(rows)}
    assert forwards == {question.id: question for question in from_rows(rows[::-1])}
    assert len(forwards) == 4


def test_repeated_questions_get_numbered_ids() -> None:
    row = {"question": "q", "contexts": ["c"], "answer": "r"}
    first, second, third = from_rows([row, row | {"answer": "s"}, row])
    assert (second.id, third.id) == (f"{first.id}-2", f"{first.id}-3")


def test_rows_may_have_different_columns() -> None:
    other = {"qid": 2, "query": "q2", "context": "c2", "answer": "r2"}
    first, second = from_rows([GOOD, other])
    assert (first.id, second.id, second.question, second.contexts) == ("1", "2", "q2", (Passage("c2"),))


def test_dates_and_decimals_become_texts() -> None:
    import datetime
    import decimal

    row = GOOD | {"on": datetime.date(2020, 1, 2), "price": decimal.Decimal("1.50"), "when": datetime.time(1)}
    assert only(row).metadata == {"on": "2020-01-02", "price": "1.50", "when": "01:00:00"}
