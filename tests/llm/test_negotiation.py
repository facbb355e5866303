"""What an endpoint takes is found out once, and remembered."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from simsa.llm import Capabilities, ChatEndpoint, ChatFailure, ChatReply
from simsa.llm.api_errors import ErrorResponse
from simsa.llm.base_url import BaseUrl
from tests.llm.asking import ask, request
from tests.servers.chat import Body, ChatServer, unsupported, verdict
from tests.servers.faults import error
from tests.servers.http import Response


def refusing(field: str, response: Response) -> Any:
    """A server's reply that refuses requests with `field` in words of its own."""
    return lambda body: response if field in body else verdict()


@pytest.mark.parametrize("field", ["response_format", "temperature", "top_p", "seed", "stop", "logprobs"])
def test_a_field_that_is_refused_is_left_out_from_then_on(field: str) -> None:
    wanted = [request(f"{i}", top_p=0.9, stop=("끝",), logprobs=1) for i in range(40)]
    with ChatServer(refuses=[field]) as server:
        outcome = ask(server, wanted)
    assert len(outcome.replies) == 40
    assert server.count == 41, "one call finds out, for all"
    assert all(field not in body for body in server.requests[1:])
    assert outcome.abilities.takes(field) is False
    assert len(outcome.events) == 1
    assert f"does not take {field}" in outcome.events[0]


@pytest.mark.parametrize(
    ("refused", "used"),
    [("max_tokens", "max_completion_tokens"), ("max_completion_tokens", "max_tokens")],
)
def test_the_length_limit_goes_by_the_name_that_the_endpoint_knows(refused: str, used: str) -> None:
    with ChatServer(refuses=[refused]) as server:
        outcome = ask(server, 10, abilities=Capabilities(length_field=refused))
    assert server.count == 11
    assert all(body[used] == 64 and refused not in body for body in server.requests[1:])
    assert f"going on with {used}" in outcome.events[0]


def test_openai_is_asked_by_the_newer_name_at_once() -> None:
    assert Capabilities.of(BaseUrl.parse("https://api.openai.com/v1")).length_field == "max_completion_tokens"
    assert Capabilities.of(BaseUrl.parse("http://localhost:8000")).length_field == "max_tokens"


def test_a_reasoning_model_that_refuses_nearly_everything() -> None:
    wanted = [request(f"{i}", top_p=0.5, logprobs=3) for i in range(30)]
    with ChatServer(refuses=["max_tokens", "temperature", "top_p", "logprobs"]) as server:
        outcome = ask(server, wanted)
    assert len(outcome.replies) == 30
    assert server.count == 34
    assert outcome.abilities.to_dict() == {
        "length_field": "max_completion_tokens",
        "response_format": True,
        "temperature": False,
        "top_p": False,
        "seed": True,
        "stop": None,
        "logprobs": False,
    }


def test_an_endpoint_that_refuses_both_names_of_the_length_limit_is_not_asked_for_ever() -> None:
    with ChatServer(refuses=["max_tokens", "max_completion_tokens"]) as server:
        failure = ask(server).only
    assert isinstance(failure, ChatFailure)
    assert "max_completion_tokens" in failure.detail
    assert server.count == 2


def test_a_length_limit_that_is_too_large_is_no_question_of_its_name() -> None:
    said = "max_tokens is too large: 64. This model supports at most 16 completion tokens."
    with ChatServer(reply=error(400, said, param="max_tokens")) as server:
        failure = ask(server).only
    assert isinstance(failure, ChatFailure)
    assert (failure.kind, server.count) == ("failed", 1)
    assert "at most 16" in failure.detail


def test_what_the_user_wants_sent_is_not_left_out() -> None:
    insisting = request(temperature=None, extra_body={"temperature": 0.7})
    with ChatServer(refuses=["temperature"]) as server:
        failure = ask(server, [insisting]).only
    assert isinstance(failure, ChatFailure)
    assert all(body["temperature"] == 0.7 for body in server.requests)
    assert server.count <= 2


@pytest.mark.parametrize(
    ("field", "response"),
    [
        ("response_format", Response(400, b'{"error": "This response_format type is unavailable now"}')),
        (
            "response_format",
            error(400, "Invalid parameter: 'response_format' of type 'json_schema' is not supported"),
        ),
        ("response_format", error(422, "Structured outputs are not enabled", code="invalid")),
        ("response_format", error(400, "Failed to compile the grammar", type="BadRequestError", code=400)),
        (
            "response_format",
            Response(400, b'{"object":"error","message":"json_schema is not supported","code":40001}'),
        ),
        (
            "seed",
            Response(
                422,
                b'{"detail":[{"type":"extra_forbidden","loc":["body","seed"],"msg":"Extra inputs are not permitted"}]}',
            ),
        ),
        (
            "seed",
            Response(
                422, b'{"object":"error","message":{"detail":[{"loc":["body","seed"],"msg":"Extra inputs"}]}}'
            ),
        ),
        (
            "temperature",
            error(
                400,
                "Unsupported value: 'temperature' does not support 0.0 with this model. Only the default (1) value is supported.",
                param="temperature",
                code="unsupported_value",
            ),
        ),
        (
            "temperature",
            Response(400, b'[{"error": {"code": 400, "message": "temperature is not supported"}}]'),
        ),
        (
            "max_tokens",
            Response(
                400,
                b'{"error": {"message": "Unsupported parameter: \'max_tokens\'", "code": "invalid_request_body"}}',
            ),
        ),
    ],
)
def test_complaints_as_servers_word_them(field: str, response: Response) -> None:
    with ChatServer(reply=refusing(field, response)) as server:
        outcome = ask(server)
    assert isinstance(outcome.only, ChatReply)
    assert server.count == 2
    assert field not in server.requests[1]


def test_a_complaint_about_the_context_is_not_one_about_max_tokens() -> None:
    said = (
        "'max_tokens' or 'max_completion_tokens' is too large: 64. This model's maximum context length is 60 "
        "tokens and your request has 10 input tokens."
    )
    with ChatServer(reply=error(400, said, param="max_tokens")) as server:
        failure = ask(server).only
    assert failure.kind == "too_long"
    assert server.count == 1


def test_requests_under_way_when_it_is_learnt_are_sent_again_without_another_lesson() -> None:
    known = Capabilities(accepted=frozenset({"response_format"}))

    async def scenario(url: str) -> Capabilities:
        async with ChatEndpoint(url, "judge", abilities=known) as endpoint:
            await endpoint.complete(request(schema=None, temperature=None, seed=None))
            await asyncio.gather(*(endpoint.complete(request(f"{i}")) for i in range(10)))
            return endpoint.abilities

    with ChatServer(reply=refusing("response_format", unsupported("response_format"))) as server:
        abilities = asyncio.run(scenario(server.url))
    assert abilities.schema is False
    assert server.count == 1 + 10 + 10


def test_probing_finds_out_everything_with_one_answer() -> None:
    async def probed(url: str) -> Capabilities:
        async with ChatEndpoint(url, "judge") as endpoint:
            return await endpoint.probe()

    with ChatServer() as server:
        assert asyncio.run(probed(server.url)).to_dict() == {
            "length_field": "max_tokens",
            "response_format": True,
            "temperature": True,
            "top_p": True,
            "seed": True,
            "stop": None,
            "logprobs": True,
        }
    assert server.count == 1
    with ChatServer(refuses=["response_format", "seed"]) as server:
        found = asyncio.run(probed(server.url))
    assert (found.schema, found.seed, found.temperature, found.logprobs) == (False, False, True, True)


def test_nothing_is_known_of_what_was_never_tried() -> None:
    with ChatServer() as server:
        found = ask(server, [request(temperature=None, seed=None, schema=None)]).abilities
    assert (found.temperature, found.seed, found.schema, found.logprobs) == (None, None, None, None)


def test_a_complaint_about_a_field_that_was_not_sent_changes_nothing() -> None:
    sent: Body = {"model": "m", "messages": [], "max_tokens": 8}
    abilities = Capabilities()
    assert (
        abilities.without(ErrorResponse(400, "'temperature' is not supported", param="temperature"), sent)
        is None
    )
    assert abilities.without(ErrorResponse(400, "Something else"), sent) is None
