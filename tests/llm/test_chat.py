"""Replies are parsed whatever values surround the message."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsa.llm.batch_lines import parse_result
from simsa.llm.chat import (
    ChatReply,
    MalformedResponse,
    ModelInfo,
    parse_completion,
    parse_json,
    parse_models,
)

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


def read(message: dict[str, Any] | None = None, finish: Any = "stop", **beside: Any) -> ChatReply:
    choice = {"message": {"content": "말"} | (message or {}), "finish_reason": finish}
    return parse_completion(orjson.dumps({"choices": [choice]} | beside), 0.0, 1)


def counted(usage: Any) -> tuple[int, int, int]:
    reply = read(usage=usage)
    return reply.prompt_tokens, reply.cached_tokens, reply.completion_tokens


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        ({"prompt_tokens": "120", "completion_tokens": "7"}, (120, 0, 7)),
        ({"prompt_tokens": 120.0, "completion_tokens": 7.0}, (120, 0, 7)),
        ({"prompt_tokens": -5, "completion_tokens": 9 * 10**18}, (0, 0, 0)),
        ({"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 99}}, (10, 10, 0)),
        ({"prompt_tokens": 10, "prompt_tokens_details": "none"}, (10, 0, 0)),
        ({"prompt_tokens": [1], "completion_tokens": {}}, (0, 0, 0)),
        ([1, 2], (0, 0, 0)),
        (None, (0, 0, 0)),
    ],
)
def test_odd_token_counts(usage: Any, counts: tuple[int, int, int]) -> None:
    assert counted(usage) == counts


@pytest.mark.parametrize(
    ("said", "understood"),
    [(None, None), ("", ""), ("no", "no"), (True, "true"), (False, None), ({"a": 1}, '{"a":1}')],
)
def test_odd_refusals(said: Any, understood: str | None) -> None:
    assert read({"refusal": said}).refusal == understood


@given(*[ANYTHING] * 6)
def test_any_value_beside_a_message_is_tolerated(
    usage: Any, model: Any, print_: Any, finish: Any, details: Any, refusal: Any
) -> None:
    for figures in (
        usage,
        {"prompt_tokens": usage, "completion_tokens": model, "prompt_tokens_details": details},
    ):
        reply = read({"refusal": refusal}, finish, usage=figures, model=model, system_fingerprint=print_)
        assert reply.text == "말"
        assert {type(one) for one in (reply.finish_reason, reply.refusal, reply.model)} <= {str, type(None)}
        assert 0 <= reply.cached_tokens <= reply.prompt_tokens < 2**31
        assert 0 <= reply.completion_tokens < 2**31


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"choices": [{}]}', b'{"choices": [{"message": {"content": 5}}]}']
)
def test_a_body_without_a_message_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedResponse):
        parse_completion(body, 0.0, 1)


def test_malformed_entries_in_a_list_of_models_are_skipped() -> None:
    odd = {"id": "b", "root": 5, "parent": [1], "max_model_len": "x", "shutdown_date": [1]}
    body = orjson.dumps({"data": [{"id": 5}, {"root": "x"}, odd, {"id": "a", "root": "/a"}]})
    assert parse_models(body) == [ModelInfo("b"), ModelInfo("a", root="/a")]


@given(ANYTHING)
def test_any_json_is_a_list_of_models_or_malformed(found: Any) -> None:
    for body in (found, {"data": found}, {"data": [{"id": "a", "root": found, "max_model_len": found}]}):
        try:
            assert all(isinstance(model.id, str) for model in parse_models(orjson.dumps(body)))
        except MalformedResponse:
            continue


def test_unpaired_surrogates_are_replaced() -> None:
    body = {"choices": [{"message": {"content": "\ud83d 4점 \U0001f600"}, "finish_reason": "stop"}]}
    assert parse_completion(json.dumps(body).encode(), 0.0, 1).text == "? 4점 \U0001f600"
    line = json.dumps({"custom_id": "a", "response": {"status_code": 200, "body": body}, "error": None})
    reply = parse_result(line.encode()).interpret()
    assert isinstance(reply, ChatReply)
    assert reply.text == "? 4점 \U0001f600"


@pytest.mark.parametrize(
    "text",
    [
        rb'"\ud83d',
        b'{"\\u0041": NaN, "b": "\\ud83d"}',
        b'"\\ud83d' + b"[" * 99_999,
        b'["\\ud83d",' + b"[" * 99_999,
    ],
)
def test_invalid_json_is_not_repaired(text: bytes) -> None:
    with pytest.raises(json.JSONDecodeError):
        parse_json(text)
