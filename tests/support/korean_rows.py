"""One small Korean test set about places that do not exist, and how every format writes it down."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from simsa.records import Question


class Row(NamedTuple):
    id: str
    question: str
    contexts: tuple[str, ...]
    reference: tuple[str, ...]
    answerable: bool = True
    type: str = "mrc_question"
    citations: tuple[int, ...] = ()


ROWS = (
    Row(
        "달내-01",
        "달내시립도서관은 언제 문을 열었나요?",
        ("달내시립도서관은 1987년 5월에 문을 열었다.\n서가는 셋이다.", '관장은 "책은 길"이라고 말했다.'),
        ("1987년 5월입니다 [[ref1]].",),
        citations=(1,),
    ),
    Row(
        "달내-02",
        "가람제과의 대표, 윤서리 씨가 처음 만든 빵은?",
        (
            "윤서리 대표는 밤식빵, 쑥설기를 차례로 만들었다.",
            "가람제과는 2011년에 세워졌다.",
            "[공고] 휴무일 안내",
        ),
        ("밤식빵입니다 [[ref1]], [[ref2]].",),
        type="synthetic_question",
        citations=(1, 2),
    ),
    Row(
        "달내-03",
        "달내시의 인구는 얼마인가요?",
        ("달내시는 강을 끼고 있다.",),
        ("검색 결과에서 답을 찾을 수 없습니다.",),
        answerable=False,
        type="no_answer",
    ),
)
# One passage a question and bare answers, as the nested formats have them.
SPANS = (
    Row("6500-0", "도서관은 언제 열었나?", ("달내도서관은 1987년에 열었다.",), ("1987년", "1987년에")),
    Row("6500-1", "누가 열었나?", ("달내도서관은 1987년에 열었다.",), (), answerable=False),
    Row("6501-0", "강 이름은?", ("온새강이 시를 가른다.",), ("온새강",)),
)


def bare(question: Question) -> Row:
    """A question as the row it should have come from."""
    return Row(
        question.id,
        question.question,
        tuple(passage.text for passage in question.contexts),
        question.reference,
        question.answerable,
        question.type or "",
        question.citations,
    )


def dataset_rows(rows: Sequence[Row] = ROWS) -> list[dict[str, Any]]:
    """Rows of the Korean RAG data set: no id, `search_result`, `extracted_ref_numbers`."""
    return [
        {
            "question": row.question,
            "search_result": list(row.contexts),
            "answer": row.reference[0],
            "extracted_ref_numbers": list(row.citations),
            "type": row.type,
        }
        for row in rows
    ]


def plain_rows(rows: Sequence[Row] = ROWS) -> list[dict[str, Any]]:
    return [{"id": row.id, **fields} for row, fields in zip(rows, dataset_rows(rows), strict=True)]


def ragas_rows() -> list[dict[str, Any]]:
    return [
        {
            "user_input": row.question,
            "retrieved_contexts": list(row.contexts),
            "response": "모델의 답",
            "reference": row.reference[0],
            "reference_contexts": ["다른 것"],
        }
        for row in ROWS
    ]


def old_ragas_rows() -> list[dict[str, Any]]:
    return [
        {
            "question": row.question,
            "contexts": list(row.contexts),
            "answer": "모델의 답",
            "ground_truths": list(row.reference),
        }
        for row in ROWS
    ]


def deepeval_rows() -> list[dict[str, Any]]:
    return [
        {
            "input": row.question,
            "actual_output": "모델의 답",
            "expected_output": row.reference[0],
            "retrieval_context": list(row.contexts),
            "context": ["정답 문서"],
            "name": None,
            "tools_called": None,
        }
        for row in ROWS
    ]


def ragchecker() -> dict[str, Any]:
    return {
        "results": [
            {
                "query_id": row.id,
                "query": row.question,
                "gt_answer": row.reference[0],
                "response": "모델의 답",
                "retrieved_context": [
                    {"doc_id": f"{n:03}", "text": passage} for n, passage in enumerate(row.contexts)
                ],
            }
            for row in ROWS
        ]
    }


def autorag_rows() -> list[dict[str, Any]]:
    return [
        {
            "qid": row.id,
            "query": row.question,
            "retrieval_gt": [["문서-1"]],
            "generation_gt": list(row.reference),
            "retrieved_contents": list(row.contexts),
        }
        for row in ROWS
    ]


def alpaca_rows() -> list[dict[str, Any]]:
    return [
        {"instruction": row.question, "input": row.contexts[0], "output": row.reference[0]} for row in ROWS
    ]


def chat_rows(style: Callable[[Sequence[str]], str]) -> list[dict[str, Any]]:
    return [
        {
            "messages": [
                {
                    "role": "system",
                    "content": f"검색 결과에 없는 내용은 답하지 마세요.\n예: [[ref1]]\n\n{style(row.contexts)}",
                },
                {"role": "user", "content": row.question},
                {"role": "assistant", "content": row.reference[0]},
            ]
        }
        for row in ROWS
    ]


def nested(rows: Sequence[Row] = SPANS, *, klue: bool = False) -> dict[str, Any]:
    """SQuAD's nesting; with `klue` as KLUE-MRC writes it."""
    paragraphs: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        answers = [{"text": text, "answer_start": 0} for text in row.reference]
        asked: dict[str, Any] = {
            "question": row.question,
            "answers": answers * 2,
            "is_impossible": not row.answerable,
        }
        if not row.answerable:
            asked["plausible_answers"] = [{"text": "1987년", "answer_start": 7}]
        asked |= {"guid": row.id, "question_type": 1} if klue else {"id": row.id}
        paragraphs.setdefault(row.contexts[0], []).append(asked)
    documents = [
        {"title": "달내", "paragraphs": [{"context": context, "qas": qas}]}
        for context, qas in paragraphs.items()
    ]
    return {"version": "v", "data": documents}


def write_jsonl(path: Path, rows: Sequence[Any], *, encoding: str = "utf-8") -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding=encoding)
    return path


def write_json(path: Path, value: Any, *, indent: int | None = 2) -> Path:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=indent), encoding="utf-8")
    return path


def write_csv(
    path: Path,
    rows: Sequence[dict[str, Any]],
    *,
    delimiter: str = ",",
    encoding: str = "utf-8",
    listed: Callable[[Any], str] = lambda value: json.dumps(value, ensure_ascii=False),
) -> Path:
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(rows[0])
        for row in rows:
            cells = [row[name] for name in rows[0]]
            writer.writerow([listed(cell) if isinstance(cell, list) else cell for cell in cells])
    return path
