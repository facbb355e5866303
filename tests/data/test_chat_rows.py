"""Chat rows become questions; the messages to send stay unchanged."""

from __future__ import annotations

from typing import Any

import pytest

from simsa.data import chat_rows, from_rows
from simsa.errors import DataError
from simsa.prompts import load
from simsa.records import Message, Passage, Question

SYSTEM = (
    "당신은 검색 결과를 바탕으로 질문에 답해야 합니다.\n1. 검색 결과에 없는 내용은 답하지 마십시오.\n"
    "2. 1번 문서를 인용했다면 [[ref1]]이라고 적으십시오.\n\n검색 결과:\n-----\n"
    "문서1: 달내도서관은 1987년에 열었다.\n\n문서3: 이라는 말이 본문에 있다.\n-----\n문서2: 서가는 셋이다."
)
PASSAGES = ["달내도서관은 1987년에 열었다.\n\n문서3: 이라는 말이 본문에 있다.", "서가는 셋이다."]


def only(row: dict[str, Any]) -> Question:
    (question,) = from_rows([row])
    return question


def talk(*said: str, reference: str | None = "1987년 [[ref1]]", roles: str = "su") -> dict[str, Any]:
    names = {"s": "system", "u": "user", "a": "assistant", "d": "developer"}
    messages = [{"role": names[role], "content": text} for role, text in zip(roles, said, strict=True)]
    if reference is not None:
        messages.append({"role": "assistant", "content": reference})
    return {"messages": messages}


def texts(question: Question) -> list[str]:
    return [passage.text for passage in question.contexts]


def test_sft_row_becomes_question_reference_and_messages() -> None:
    row = talk(SYSTEM, "도서관은 언제 열었나요?")
    question = only(row | {"type": "mrc_question", "id": 4})
    assert (question.id, question.question, question.type) == ("4", "도서관은 언제 열었나요?", "mrc_question")
    assert texts(question) == PASSAGES
    assert (question.reference, question.citations) == (("1987년 [[ref1]]",), (1,))
    assert question.messages == (Message("system", SYSTEM), Message("user", "도서관은 언제 열었나요?"))


def test_last_user_message_is_the_question() -> None:
    question = only(talk(SYSTEM, "안녕?", "안녕하세요.", "언제 열었나요?", roles="duau"))
    assert question.question == "언제 열었나요?"
    assert [message.role for message in question.messages] == ["developer", "user", "assistant", "user"]
    assert texts(question) == PASSAGES


def test_passages_are_found_in_an_earlier_message() -> None:
    question = only(talk("지시", "검색 결과:\n[1] 가\n\n질문: 왜?", "그래서.", "언제?", roles="suau"))
    assert (question.question, texts(question)) == ("언제?", ["가"])


def test_citation_marks_in_instructions_are_no_passages() -> None:
    assert only(talk("출처를 [[ref1]]처럼 적으세요. 문서1: 이라고도 합니다.", "언제?")).contexts == ()


def test_id_depends_on_the_whole_conversation() -> None:
    first, second = from_rows([talk("가", "왜?"), talk("나", "왜?")])
    assert first.id != second.id


@pytest.mark.parametrize(
    ("asked", "question", "passages"),
    [
        ("검색 결과:\n문서1: 가\n문서2: 나\n\n질문: 언제?\n답변:", "언제?", ["가", "나"]),
        ("질문: 언제?\n\n검색 결과:\n[1] 가\n[2] 질문: 나\n", "언제?", ["가", "질문: 나"]),
        ("언제 열었나요?\n\n### Context\n가", "언제 열었나요?", ["가"]),
        ("<documents>\n가\n\n나\n</documents>\n언제?", "언제?", ["가", "나"]),
        ("[[ref1]] 가\n[[ref2]] 나\n\nQuestion: 언제?", "언제?", ["가", "나"]),
        ("언제 열었나요?", "언제 열었나요?", []),
        ("Context:\n", "Context:\n", []),
        ("질문: 문서 1개를 참고하면?", "질문: 문서 1개를 참고하면?", []),
    ],
)
def test_passages_are_found_in_the_user_message(asked: str, question: str, passages: list[str]) -> None:
    found = only(talk("친절하게 답하세요.", asked))
    assert (found.question, texts(found)) == (question, passages)
    assert found.messages[-1].content == asked


@pytest.mark.parametrize(
    ("section", "passages"),
    [
        ("", []),
        ("-----\n", []),
        ("한 덩어리다.\n두 줄이다.", ["한 덩어리다.\n두 줄이다."]),
        ("\n-----\n가\n-----\n나\n-----\n", ["가", "나"]),
        ("가\n\n나\n \n다", ["가", "나", "다"]),
        ("[2] 나\n\n[1] 가", ["[2] 나", "[1] 가"]),
        ("[1] 가 [2]는 본문이다.\n[2]: 나", ["가 [2]는 본문이다.", "나"]),
        ("Document 1: a\nDocument #2: b", ["a", "b"]),
        ("[[REF1]]: 가\n[[ref2]] 나", ["가", "나"]),
        ("**문서 1**\n가\n\n나\n\n**문서 2**\n다", ["가\n\n나", "다"]),
        ("<문서1>\n가\n<문서2>\n나", ["가", "나"]),
        ("[[ref1]] 가 [[ref2]] 나\n[[ref3]] 다", ["가", "나", "다"]),
        ("머리말\n[1] 가\n[2] 나", ["머리말\n[1] 가\n[2] 나"]),
    ],
)
def test_section_is_split_into_passages(section: str, passages: list[str]) -> None:
    assert chat_rows.split(section) == passages


def test_empty_passage_is_an_error() -> None:
    with pytest.raises(DataError, match=r"messages\[1\]: is empty"):
        only(talk("검색 결과:\n문서1: 가\n문서2:\n문서3: 나", "언제?"))


@pytest.mark.parametrize("name", ["rag-ko", "rag-en"])
def test_messages_of_built_in_prompts_read_back(name: str) -> None:
    """Training data rendered with our own prompt give back the questions they were made of."""
    asked = Question(
        "1", "언제?", (Passage("첫째.\n\n둘째 문단."), Passage("셋째.")), ("1987년",), cluster="c"
    )
    messages = [message.to_json() for message in load(name).messages(asked)]
    found = only({"messages": [*messages, {"role": "assistant", "content": "1987년"}]})
    assert (found.question, found.contexts, found.reference) == (
        asked.question,
        asked.contexts,
        asked.reference,
    )


def test_row_fields_override_the_conversation() -> None:
    row = talk(SYSTEM, "언제?") | {"contexts": ["다른 것"], "reference": ["1987년", "87년"], "citations": []}
    question = only(row)
    assert (texts(question), question.reference, question.citations) == (["다른 것"], ("1987년", "87년"), ())
    assert len(question.messages) == 2
    without = only(talk(SYSTEM, "언제?", reference=None) | {"answer": "1987년", "contexts": None})
    assert (without.reference, texts(without)) == (("1987년",), PASSAGES)


def test_canonical_row_keeps_all_messages() -> None:
    row = talk("지시", "언제?", "1", roles="sua", reference=None)
    question = only(row | {"question": "언제?", "contexts": [], "reference": "1987년"})
    assert [message.role for message in question.messages] == ["system", "user", "assistant"]
    assert list(from_rows([question.to_dict()])) == [question]


def test_unanswerable_conversation_needs_no_reference() -> None:
    question = only(talk(SYSTEM, "언제?", reference=None) | {"answerable": False})
    assert (question.reference, question.answerable) == ((), False)


def test_sharegpt_and_prompt_completion_equal_messages() -> None:
    plain = only(talk(SYSTEM, "언제?"))
    told = [
        {"from": "system", "value": SYSTEM},
        {"from": "human", "value": "언제?"},
        {"from": "gpt", "value": "1987년 [[ref1]]"},
    ]
    assert only({"conversations": told}) == plain
    halves = talk(SYSTEM, "언제?")["messages"]
    assert only({"prompt": halves[:2], "completion": halves[2:]}) == plain
    parts = [{"role": "system", "content": [{"type": "text", "text": SYSTEM}]}, *halves[1:]]
    assert only({"messages": parts}) == plain
    beside = only(talk(SYSTEM, "언제?") | {"prompt": "p", "completion": "c"})
    assert (beside.messages, beside.metadata) == (plain.messages, {"prompt": "p", "completion": "c"})


def test_null_messages_are_ignored() -> None:
    row = {"messages": None, "question": "q", "contexts": ["c"], "answer": "a"}
    assert only(row).messages == ()
