"""Which fields an endpoint accepts is learned from its errors, once, and kept with the run."""

from __future__ import annotations

import asyncio
import datetime
from typing import Any

import pytest

from simsa.llm import Capabilities, CapabilityLearner, CapabilityReport, ChatEndpoint, ChatFailure, ChatReply
from simsa.llm.api_errors import ErrorResponse
from simsa.llm.base_url import BaseUrl
from simsa.llm.capabilities import is_lasting
from tests.servers.chat import Body, ChatServer, unsupported, verdict
from tests.servers.faults import error
from tests.servers.http import Response
from tests.support.llm_client import Outcome, ask, request

ALL = ("response_format", "temperature", "top_p", "seed", "stop", "logprobs", "max_tokens")


def requests_with_all_fields(n: int = 10) -> list[Any]:
    return [request(f"{i}번", top_p=0.9, stop=("끝",), logprobs=1) for i in range(n)]


def refusing(field: str, response: Response) -> Any:
    """A server's reply that refuses requests with `field` by `response`."""
    return lambda body: response if field in body else verdict()


def ask_saved(
    server: ChatServer, saved: dict[str, Any], requests: Any = None, model: str = "judge"
) -> Outcome:
    """Asks as a resumed run does: what it knows is in `saved`."""
    requests = requests_with_all_fields() if requests is None else requests
    return ask(server, requests, model=model, learner=CapabilityLearner(server.url, model, None, saved))


def known(server: ChatServer, saved: dict[str, Any], model: str = "judge") -> Capabilities:
    return CapabilityLearner(server.url, model, None, saved).capabilities


# Learning from errors -----------------------------------------------------------------------


@pytest.mark.parametrize("field", ALL[:-1])
def test_a_refused_field_is_left_out_of_later_requests(field: str) -> None:
    with ChatServer(refuses=[field]) as server:
        outcome = ask(server, requests_with_all_fields(40))
    assert len(outcome.replies) == 40
    assert server.count == 41, "one call finds out, for all"
    assert all(field not in body for body in server.requests[1:])
    assert outcome.capabilities.accepts(field) is False
    assert len(outcome.events) == 1
    assert f"does not accept {field}" in outcome.events[0]


@pytest.mark.parametrize(
    ("refused", "used"),
    [("max_tokens", "max_completion_tokens"), ("max_completion_tokens", "max_tokens")],
)
def test_the_other_name_of_the_length_limit_is_used(refused: str, used: str) -> None:
    with ChatServer(refuses=[refused]) as server:
        learner = CapabilityLearner(server.url, "judge")
        learner.capabilities = Capabilities(length_field=refused)
        outcome = ask(server, 10, learner=learner)
    assert server.count == 11
    assert all(body[used] == 64 and refused not in body for body in server.requests[1:])
    assert f"continuing with {used}" in outcome.events[0]


def test_openai_gets_the_newer_name_of_the_length_limit() -> None:
    assert Capabilities.of(BaseUrl.parse("https://api.openai.com/v1")).length_field == "max_completion_tokens"
    assert Capabilities.of(BaseUrl.parse("http://localhost:8000")).length_field == "max_tokens"


def test_a_reasoning_model_that_refuses_most_fields() -> None:
    wanted = [request(f"{i}", top_p=0.5, logprobs=3) for i in range(30)]
    with ChatServer(refuses=["max_tokens", "temperature", "top_p", "logprobs"]) as server:
        outcome = ask(server, wanted)
    assert len(outcome.replies) == 30
    assert server.count == 34
    assert outcome.capabilities.to_dict() == {
        "length_field": "max_completion_tokens",
        "response_format": True,
        "temperature": False,
        "top_p": False,
        "seed": True,
        "stop": None,
        "logprobs": False,
    }


def test_each_name_of_the_length_limit_is_tried_once() -> None:
    with ChatServer(refuses=["max_tokens", "max_completion_tokens"]) as server:
        failure = ask(server).only
    assert isinstance(failure, ChatFailure)
    assert "max_completion_tokens" in failure.detail
    assert server.count == 2


def test_a_length_limit_that_is_too_large_keeps_its_name() -> None:
    said = "max_tokens is too large: 64. This model supports at most 16 completion tokens."
    with ChatServer(reply=error(400, said, param="max_tokens")) as server:
        failure = ask(server).only
    assert isinstance(failure, ChatFailure)
    assert (failure.kind, server.count) == ("failed", 1)
    assert "at most 16" in failure.detail


def test_extra_body_is_never_left_out() -> None:
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
def test_the_error_messages_of_servers_are_understood(field: str, response: Response) -> None:
    with ChatServer(reply=refusing(field, response)) as server:
        outcome = ask(server)
    assert isinstance(outcome.only, ChatReply)
    assert server.count == 2
    assert field not in server.requests[1]


def test_an_error_about_the_context_is_not_about_max_tokens() -> None:
    said = (
        "'max_tokens' or 'max_completion_tokens' is too large: 64. This model's maximum context length is 60 "
        "tokens and your request has 10 input tokens."
    )
    with ChatServer(reply=error(400, said, param="max_tokens")) as server:
        failure = ask(server).only
    assert failure.kind == "too_long"
    assert server.count == 1


def test_an_error_about_a_field_that_was_not_sent_changes_nothing() -> None:
    sent: Body = {"model": "m", "messages": [], "max_tokens": 8}
    refused = ErrorResponse(400, "'temperature' is not supported", param="temperature")
    assert Capabilities().without(refused, sent) is None
    assert Capabilities().without(ErrorResponse(400, "Something else"), sent) is None


def test_requests_in_flight_are_repeated_once_after_the_first_error() -> None:
    async def scenario(url: str) -> Capabilities:
        async with ChatEndpoint(url, "judge") as endpoint:
            await endpoint.complete(request(schema=None, temperature=None, seed=None))
            await asyncio.gather(*(endpoint.complete(request(f"{i}")) for i in range(10)))
            return endpoint.capabilities

    with ChatServer(reply=refusing("response_format", unsupported("response_format"))) as server:
        found = asyncio.run(scenario(server.url))
    assert found.accepts("response_format") is False
    assert server.count == 1 + 10 + 10


def test_a_field_that_was_never_sent_is_unknown() -> None:
    with ChatServer() as server:
        found = ask(server, [request(temperature=None, seed=None, schema=None)]).capabilities
    assert [found.accepts(name) for name in ALL[:-1]] == [None] * 6


@pytest.mark.parametrize(
    ("said", "code", "lasting"),
    [
        ("Unsupported parameter: 'top_p' is not supported with this model.", "unsupported_parameter", True),
        ("Unsupported value: 'temperature' does not support 0.0 with this model.", "unsupported_value", True),
        ("'body.seed' Extra inputs are not permitted", "", True),
        ("Invalid value: 'seed'", "invalid_value", False),
        ("'stop' has too many sequences: at most 4 are allowed", "", False),
    ],
)
def test_refused_values_are_told_from_refused_fields(said: str, code: str, lasting: bool) -> None:
    assert is_lasting(ErrorResponse(400, said, code)) is lasting


# The probe ----------------------------------------------------------------------------------


def probed(server: ChatServer) -> CapabilityReport | None:
    async def probe() -> CapabilityReport | None:
        async with ChatEndpoint(server.url, "judge") as endpoint:
            return await endpoint.probe({"reasoning_effort": "none"})

    return asyncio.run(probe())


def test_a_probe_finds_out_every_field_with_one_reply() -> None:
    with ChatServer(reply='{"ok": true}') as server:
        found = probed(server)
    assert found is not None
    assert server.count == 1
    assert server.requests[0]["reasoning_effort"] == "none"
    fields = dict.fromkeys(ALL[:-1], True) | {"stop": None}
    assert found.to_dict() == fields | {
        "length_field": "max_tokens",
        "schema_kept": True,
        "logprobs_given": True,
        "reasoning": False,
        "found": str(datetime.datetime.now(datetime.UTC).date()),
        "tokens": found.tokens,
    }
    assert 0 < found.tokens < 100


@pytest.mark.parametrize("text", ["Sure!", "[]", '{"ok": 1}', '{"ok": true, "more": 1}', "```json\n{}\n```"])
def test_a_probe_sees_whether_the_schema_is_followed(text: str) -> None:
    with ChatServer(reply=text) as server:
        found = probed(server)
    assert found is not None
    assert found.capabilities.accepts("response_format") is True
    assert found.schema_kept is False


def test_a_probe_without_a_reply_reports_nothing() -> None:
    with ChatServer(reply=error(400, "no")) as server:
        assert probed(server) is None


# What a run saves ---------------------------------------------------------------------------


@pytest.mark.parametrize("refused", [("temperature",), ("response_format", "max_tokens"), ALL])
def test_a_resumed_run_makes_no_refused_call(refused: tuple[str, ...]) -> None:
    saved: dict[str, Any] = {}
    with ChatServer(refuses=refused) as server:
        first = ask_saved(server, saved)
        assert server.count == 10 + len(refused)
        second = ask_saved(server, saved)
        assert server.count == 20 + len(refused)
    assert len(first.replies) == len(second.replies) == 10
    assert second.capabilities.composes_like(first.capabilities)
    assert second.events == []
    assert set(known(server, saved).refused) == set(refused)


def test_nothing_is_saved_if_nothing_was_refused() -> None:
    saved: dict[str, Any] = {}
    with ChatServer() as server:
        ask_saved(server, saved)
    assert saved == {}


@pytest.mark.parametrize("field", ALL)
def test_a_field_that_is_refused_later_is_learned_in_one_call(field: str) -> None:
    saved: dict[str, Any] = {}
    with ChatServer(refuses=["temperature"] if field != "temperature" else ["seed"]) as server:
        ask_saved(server, saved)
        server.refuses, before = [*server.refuses, field], server.count
        assert len(ask_saved(server, saved).replies) == 10
        assert server.count == before + 11
        assert field in known(server, saved).refused
        ask_saved(server, saved)
        assert server.count == before + 21


def test_the_names_of_the_length_limit_can_be_exchanged_repeatedly() -> None:
    saved: dict[str, Any] = {}
    with ChatServer() as server:
        for refused, used in [
            ("max_tokens", "max_completion_tokens"),
            ("max_completion_tokens", "max_tokens"),
        ] * 2:
            server.refuses, before = [refused], server.count
            assert len(ask_saved(server, saved).replies) == 10
            assert server.count == before + 11
            assert known(server, saved).length_field == used


@pytest.mark.parametrize(
    "said",
    [
        "temperature must be between 0 and 2",
        "Unexpected value for 'temperature': should be less than or equal to 2",
        "3.0 is not valid for temperature, which is at most 2",
    ],
)
def test_a_value_out_of_bounds_is_not_saved(said: str) -> None:
    def reply(body: Body) -> Any:
        return error(400, said, param="temperature") if body.get("temperature", 0) > 2 else verdict()

    saved: dict[str, Any] = {}
    with ChatServer(reply=reply) as server:
        assert len(ask_saved(server, saved, [request("?", temperature=3.0)]).replies) == 1
    assert saved == {}


def test_an_error_is_saved_only_after_a_request_without_the_field_was_answered() -> None:
    saved: dict[str, Any] = {}
    with ChatServer(reply=unsupported("temperature")) as server:
        assert ask_saved(server, saved, [request()]).failures
    assert saved == {}


def test_models_and_bodies_have_entries_of_their_own() -> None:
    def reply(body: Body) -> Any:
        return unsupported("seed") if body["model"] == "picky" and "seed" in body else verdict()

    saved: dict[str, Any] = {}
    with ChatServer(reply=reply) as server:
        ask_saved(server, saved, model="picky")
        assert ask_saved(server, saved, [request("?", model="picky")], model="easy").replies
        assert known(server, saved, "picky").refused == {"seed"}
        assert known(server, saved, "easy").refused == frozenset()
        secret = {"token": "sk-0123456789"}
        assert CapabilityLearner(server.url, "picky", secret, saved).capabilities.refused == frozenset()
        ask(server, [request()], model="picky", learner=CapabilityLearner(server.url, "picky", secret, saved))
    assert len(saved) == 2
    assert "sk-0123456789" not in str(saved)
