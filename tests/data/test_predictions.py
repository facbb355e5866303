"""Files of finished answers are read with the ids that the test set has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from simsa.data import PredictionRow, read, read_predictions
from simsa.errors import DataError
from tests.support import korean_rows as korean
from tests.support.korean_rows import write_csv, write_json, write_jsonl


def answers(path: Path, **options: Any) -> list[PredictionRow]:
    return list(read_predictions(path, **options))


@pytest.mark.parametrize("name", ["prediction", "response", "output", "actual_output", "generated_answer"])
@pytest.mark.parametrize("key", ["question_id", "id", "qid"])
def test_id_and_answer_suffice(name: str, key: str, tmp_path: Path) -> None:
    path = write_jsonl(
        tmp_path / "a.jsonl", [{key: 1, name: "답"}, {key: "2", name: ""}, {key: "3", name: None}]
    )
    assert answers(path) == [PredictionRow("1", "답"), PredictionRow("2", ""), PredictionRow("3", None)]


def test_optional_columns_are_read(tmp_path: Path) -> None:
    row = {
        "question_id": "1",
        "variant": "base",
        "prediction": "답",
        "finish_reason": "stop",
        "prompt_tokens": 10,
        "completion_tokens": 3,
        "latency_s": 0.5,
        "request_hash": "h",
        "reference": ["정답", "다른 정답"],
        "type": "no_answer",
        "citations": [1],
    }
    wanted = PredictionRow(
        "1", "답", "base", "stop", 10, 3, 0.5, ("정답", "다른 정답"), False, "no_answer", (1,)
    )
    assert answers(write_jsonl(tmp_path / "a.jsonl", [row])) == [wanted]
    assert answers(write_csv(tmp_path / "a.csv", [row])) == [wanted]


@pytest.mark.parametrize(
    "value",
    [
        korean.ragas_rows(),
        korean.old_ragas_rows(),
        korean.deepeval_rows(),
        korean.ragchecker(),
        [row | {"generated_texts": "모델의 답"} for row in korean.autorag_rows()],
    ],
)
def test_file_of_another_tool_has_questions_and_answers(value: Any, tmp_path: Path) -> None:
    path = write_json(tmp_path / "a.json", value)
    questions, found = list(read(path)), answers(path)
    assert [row.question_id for row in found] == [question.id for question in questions]
    assert {row.prediction for row in found} == {"모델의 답"}
    assert [row.reference for row in found] == [question.reference for question in questions]


def test_answers_to_chat_rows_have_the_questions_ids(tmp_path: Path) -> None:
    rows = korean.chat_rows(lambda texts: "검색 결과:\n" + "\n\n".join(texts))
    path = write_jsonl(tmp_path / "a.jsonl", [row | {"response": "답"} for row in rows])
    found = answers(path)
    assert [row.question_id for row in found] == [question.id for question in read(path)]


def test_output_in_a_file_of_answers_is_the_prediction(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", korean.alpaca_rows())
    found = answers(path)
    assert [row.prediction for row in found] == [row.reference[0] for row in korean.ROWS]
    assert [row.question_id for row in found] == [question.id for question in read(path)]


def test_file_may_hold_several_variants(tmp_path: Path) -> None:
    rows = [{"id": n, "variant": name, "output": f"{name}{n}"} for n in (1, 2) for name in ("base", "lora")]
    path = write_jsonl(tmp_path / "a.jsonl", rows)
    assert [(row.question_id, row.variant) for row in answers(path)] == [
        ("1", "base"),
        ("1", "lora"),
        ("2", "base"),
        ("2", "lora"),
    ]
    without = [
        {"question": "q", "contexts": ["c"], "variant": name, "output": "p"} for name in ("base", "lora")
    ]
    first, second = answers(write_jsonl(tmp_path / "b.jsonl", without))
    assert first.question_id == second.question_id
    write_jsonl(path, [*rows, rows[0]])
    with pytest.raises(DataError, match=r"a.jsonl:5: id: this id is already used at .*a.jsonl:1"):
        answers(path)


def test_mapped_fields_override_aliases(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [{"번호": "1", "모델": "base", "응답": "답"}])
    found = answers(path, fields={"id": "번호", "variant": "모델", "prediction": "응답"})
    assert found == [PredictionRow("1", "답", "base")]


def test_squad_answer_file_is_read(tmp_path: Path) -> None:
    said = {row.id: "답" for row in korean.SPANS}
    for indent in (None, 2):
        found = answers(write_json(tmp_path / "a.json", said, indent=indent))
        assert [row.question_id for row in found] == list(said)
    with pytest.raises(DataError, match="no list of rows"):
        list(read(tmp_path / "a.json"))


def test_numbered_answers_need_no_id(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [{"prediction": "p", "reference": "r"}] * 2)
    with pytest.raises(DataError, match="no field holds the id"):
        answers(path)
    assert [row.question_id for row in answers(path, numbered=True)] == ["row-1", "row-2"]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"id": "1", "answer": "a"}, "no field holds the prediction"),
        ({"id": "1", "output": 5}, "output: is a number"),
        ({"id": "1", "output": ["a", "b"]}, "output: is a list"),
        ({"id": None, "output": "a"}, "id: is null"),
        ({"id": "1", "output": "a", "prompt_tokens": -1}, "prompt_tokens: is a number"),
        ({"id": "1", "output": "a", "latency_s": "fast"}, "latency_s: is a text"),
        ({"id": "1", "output": "a", "response": "b"}, "'output', 'response'"),
        ({"question": "q", "output": "a"}, "no field holds the id"),
    ],
)
def test_malformed_answer_is_refused_with_place(row: dict[str, Any], says: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as refusal:
        answers(write_jsonl(tmp_path / "a.jsonl", [row]))
    assert says in str(refusal.value)
    assert str(refusal.value).startswith(f"{tmp_path / 'a.jsonl'}:1")


def test_file_without_answers_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no rows"):
        answers(write_json(tmp_path / "a.json", []))
