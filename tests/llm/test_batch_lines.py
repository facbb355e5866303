"""Lines of batch files survive a round trip, and only results are parsed as results."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsa.llm import ChatReply
from simsa.llm.api_errors import ErrorClass, ErrorResponse
from simsa.llm.batch_lines import BatchResult, LostResult, parse_result, request_line
from simsa.llm.chat import MalformedResponse
from simsa.records import Message

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def line(**fields: Any) -> bytes:
    return json.dumps({"custom_id": "a-0", **fields}).encode()


def completion(text: str = "응답", **usage: int) -> dict[str, Any]:
    return {
        "model": "m",
        "choices": [{"message": {"content": text}, "finish_reason": "stop"}],
        "usage": usage,
    }


@given(st.text(), st.text())
def test_any_request_is_one_line(custom_id: str, content: str) -> None:
    try:
        made = request_line(custom_id, {"model": "m", "messages": (Message("user", content),)})
    except TypeError:  # lone surrogates are no text
        return
    assert made.endswith(b"\n")
    assert made.count(b"\n") == 1
    found = json.loads(made)
    assert found["custom_id"] == custom_id
    assert found["body"]["messages"] == [{"role": "user", "content": content}]
    assert (found["method"], found["url"]) == ("POST", "/v1/chat/completions")


@given(st.integers(100, 599), JSON, st.text())
def test_results_survive_to_json_and_from_json(status: int, body: Any, error: str) -> None:
    one = BatchResult("a-0", status, body, error)
    assert BatchResult.from_json("a-0", one.to_json()) == one


@given(st.binary())
def test_any_bytes_are_a_result_or_malformed(noise: bytes) -> None:
    try:
        parse_result(noise)
    except MalformedResponse as malformed:
        assert str(malformed)


@given(JSON)
def test_any_json_is_a_result_or_malformed(value: Any) -> None:
    try:
        parse_result(json.dumps(value).encode()).interpret()
    except MalformedResponse as malformed:
        assert str(malformed)


@given(JSON, JSON)
def test_any_response_and_error_are_interpreted(response: Any, error: Any) -> None:
    try:
        found = parse_result(line(response=response, error=error))
    except MalformedResponse:
        return
    assert isinstance(found.interpret(), ChatReply | ErrorResponse | LostResult)


@given(st.integers(100, 599), JSON, JSON)
def test_any_body_is_interpreted_and_only_a_200_is_a_reply(status: int, body: Any, error: Any) -> None:
    found = parse_result(line(response={"status_code": status, "body": body}, error=error)).interpret()
    assert isinstance(found, ChatReply | ErrorResponse | LostResult)
    if status != 200:
        assert isinstance(found, ErrorResponse)


def test_a_200_is_a_reply() -> None:
    body = completion(prompt_tokens=7, completion_tokens=3)
    found = parse_result(
        line(response={"status_code": 200, "request_id": "r", "body": body}, error=None)
    ).interpret()
    assert isinstance(found, ChatReply)
    assert (found.text, found.finish_reason, found.prompt_tokens, found.completion_tokens) == (
        "응답",
        "stop",
        7,
        3,
    )
    assert found.latency_s == 0.0


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (
            {"code": "batch_expired", "message": "This request could not be executed."},
            "batch_expired: This request",
        ),
        ({"error": {"message": "inner"}}, "inner"),
        ("a text", "a text"),
        ({}, "no reason"),
        (None, "no answer and no reason"),
    ],
)
def test_a_result_without_a_response_is_lost_with_a_reason(error: Any, says: str) -> None:
    found = parse_result(line(response=None, error=error)).interpret()
    assert isinstance(found, LostResult)
    assert says in found.detail


def test_an_error_beside_an_empty_200_is_lost() -> None:
    found = parse_result(line(response={"status_code": 200, "body": None}, error="timed out")).interpret()
    assert found == LostResult("timed out")


@pytest.mark.parametrize("body", [None, {}, {"choices": []}, [], "text", 7])
def test_a_200_without_a_message_is_lost(body: Any) -> None:
    assert isinstance(parse_result(line(response={"status_code": 200, "body": body})).interpret(), LostResult)


@pytest.mark.parametrize(
    ("response", "error", "meaning"),
    [
        # As OpenAI writes it, in the body; and as vLLM does, beside it, or as a text.
        (
            {"status_code": 400, "body": {"error": {"message": "no", "code": "context_length_exceeded"}}},
            None,
            ErrorClass.TOO_LONG,
        ),
        (
            {"status_code": 400, "body": None},
            {"error": {"message": "the prompt is too long"}},
            ErrorClass.TOO_LONG,
        ),
        ({"status_code": 400, "body": None}, "'temperature' is not supported", ErrorClass.UNSUPPORTED_FIELD),
        ({"status_code": 429, "body": {"error": {"message": "slow down"}}}, None, ErrorClass.RATE_LIMITED),
        ({"status_code": 500, "body": "oops"}, None, ErrorClass.RETRY),
        ({"status_code": 404, "body": {"error": {"message": "no such model"}}}, None, ErrorClass.FATAL),
    ],
)
def test_batch_errors_have_the_same_classes_as_direct_ones(
    response: Any, error: Any, meaning: ErrorClass
) -> None:
    found = parse_result(line(response=response, error=error)).interpret()
    assert isinstance(found, ErrorResponse)
    assert found.error_class is meaning
