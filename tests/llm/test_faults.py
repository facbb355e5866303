"""Temporary faults and faults of one request: each request ends with a reply or a failure."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter

import aiohttp
import pytest

from simsa.errors import EndpointError
from simsa.llm import ChatEndpoint, ChatFailure, ChatReply
from simsa.llm.transport import FAILURE_KINDS
from tests.servers.chat import Body, ChatServer, text_of, verdict
from tests.support.llm_client import ask, request

PASSING = [
    "server_error",
    "bad_gateway",
    "overloaded",
    "request_timeout",
    "conflict",
    "rate_limited",
    "rate_limited_silently",
    "disconnect",
    "cut",
    "truncated",
    "html",
    "empty",
    "huge",
    "no_choices",
    "error_in_200",
]


def echo(body: Body) -> str:
    """A verdict whose analysis is the question, so that mixed-up answers show."""
    return verdict(text_of(body))


@pytest.mark.parametrize("fault", PASSING)
def test_a_temporary_fault_costs_one_more_call(fault: str) -> None:
    with ChatServer(faults={fault: {0}}) as server:
        reply = ask(server).only
    assert isinstance(reply, ChatReply), reply
    assert reply.text == verdict()
    assert (server.count, reply.attempts) == (2, 2)


@pytest.mark.parametrize("fault", ["hang", "drip"])
def test_a_timeout_is_retried(fault: str) -> None:
    with ChatServer(faults={fault: {0}}) as server:
        reply = ask(server, timeout_s=0.3).only
    assert isinstance(reply, ChatReply)
    assert reply.attempts == 2
    assert reply.latency_s < 0.3


@pytest.mark.parametrize("fault", [f for f in PASSING if not f.startswith("rate_limited")])
def test_a_permanent_fault_is_given_up_with_its_reason(fault: str) -> None:
    with ChatServer(faults={fault: 1.0}) as server:
        failure = ask(server, max_attempts=3).only
    assert isinstance(failure, ChatFailure)
    assert failure.kind == "failed"
    assert failure.attempts == server.count == 3
    expected = {
        "server_error": "HTTP 500: The server had an error",
        "bad_gateway": "HTTP 502: Bad gateway nginx",
        "overloaded": "HTTP 503: The engine is overloaded",
        "request_timeout": "HTTP 408: Timed out",
        "conflict": "HTTP 409: Try again",
        "disconnect": "closed before the answer was complete",
        "cut": "closed before the answer was complete",
        "huge": "more than 32 MB",
        "empty": "an empty answer",
        "truncated": "an answer that is not JSON",
        "html": "an answer that is not JSON",
        "no_choices": "an answer without a message",
        "error_in_200": "an answer without a message",
    }
    assert expected[fault] in failure.detail


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("too_long", "too_long"),
        ("too_long_vllm", "too_long"),
        ("too_large", "too_long"),
        ("content_filter", "refused"),
        ("bad_request", "failed"),
    ],
)
def test_errors_of_one_request_are_not_retried(fault: str, kind: str) -> None:
    with ChatServer(faults={fault: {1}}) as server:
        outcome = ask(server, 4)
    assert len(outcome.replies) == 3
    (failure,) = outcome.failures
    assert (failure.kind, failure.attempts) == (kind, 1)
    assert "HTTP 4" in failure.detail
    assert server.count == 4
    assert outcome.stats.failed == 1


def test_a_prompt_beyond_the_context_is_too_long() -> None:
    with ChatServer(context=100) as server:
        outcome = ask(server, [request("짧다"), request("길다" * 400)])
    assert [getattr(result, "kind", "answered") for result in outcome.results] == ["answered", "too_long"]


@pytest.mark.parametrize("fault", [*PASSING, "hang"])
def test_each_request_gets_its_own_reply_if_a_tenth_of_the_calls_fail(fault: str) -> None:
    n = 20 if fault == "huge" else 120
    with ChatServer(reply=echo, faults={fault: 0.1}, seed=1) as server:
        outcome = ask(server, n, timeout_s=1.0 if fault == "hang" else 30.0, backoff_s=0.005)
    assert [f"{i}번" in reply.text for i, reply in enumerate(outcome.replies)] == [True] * n
    assert server.count <= 1.3 * n
    assert server.count == sum(reply.attempts for reply in outcome.replies)


def test_each_request_ends_under_all_faults_together() -> None:
    n = 150
    faults = {fault: 0.03 for fault in PASSING if fault != "huge"} | {"hang": 0.01, "content_filter": 0.03}
    with ChatServer(reply=echo, faults=faults, seed=2) as server:
        outcome = ask(server, n, timeout_s=0.5, backoff_s=0.002, max_attempts=14)
    assert len(outcome.results) == n
    kinds = Counter(failure.kind for failure in outcome.failures)
    assert kinds.keys() == {"refused"}
    for i, result in enumerate(outcome.results):
        assert isinstance(result, ChatFailure) or (isinstance(result, ChatReply) and f"{i}번" in result.text)


def test_retries_wait_as_long_as_the_endpoint_asks() -> None:
    with ChatServer(faults={"rate_limited": {0}}) as server:
        ask(server)
    first, second = server.calls
    assert second.at - first.at >= 0.05


def test_a_cancelled_request_releases_its_permit() -> None:
    async def scenario(url: str) -> int:
        async with ChatEndpoint(url, "judge", max_concurrency=2, min_concurrency=2) as endpoint:
            await endpoint.complete(request("먼저"))
            tasks = [asyncio.create_task(endpoint.complete(request(f"{i}"))) for i in range(20)]
            await asyncio.sleep(0.05)
            for task in tasks[::2]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert endpoint.stats.in_flight == 0
            assert isinstance(await endpoint.complete(request("마지막")), ChatReply)
            return sum(task.cancelled() for task in tasks)

    with ChatServer(latency_s=0.02) as server:
        cancelled = asyncio.run(scenario(server.url))
    assert 5 <= cancelled <= 10


def test_a_restarted_server_is_used_again() -> None:
    with ChatServer() as first:
        port = first.port

    def later() -> None:
        time.sleep(0.7)
        second.__enter__()

    async def scenario() -> ChatReply | ChatFailure:
        async with ChatEndpoint(
            f"http://127.0.0.1:{port}", "judge", backoff_s=0.1, max_attempts=2
        ) as endpoint:
            with ChatServer(port=port):
                await endpoint.complete(request())
            threading.Thread(target=later).start()
            return await endpoint.complete(request())

    second = ChatServer(port=port)
    try:
        assert isinstance(asyncio.run(scenario()), ChatReply)
    finally:
        second.__exit__()


def test_every_aiohttp_error_has_a_kind() -> None:
    def below(family: type[Exception]) -> set[type[Exception]]:
        return {family} | {kind for child in family.__subclasses__() for kind in below(child)}

    for error in below(aiohttp.ClientError):
        if error.__module__.startswith("aiohttp"):
            assert any(issubclass(error, family) for family, _ in FAILURE_KINDS[:-1]), error
    meant = {
        error.__name__: next(kind for family, kind in FAILURE_KINDS if issubclass(error, family))
        for error in below(aiohttp.ClientError)
    }
    assert meant["ServerDisconnectedError"] == "broken"
    assert meant["SocketTimeoutError"] == "timeout"
    assert meant["ConnectionTimeoutError"] == "unreachable"
    assert meant["ClientConnectorDNSError"] == "unreachable"
    assert meant["ClientConnectorCertificateError"] == "untrusted"
    assert meant["ClientPayloadError"] == "broken"


def test_twenty_failures_in_a_row_are_fatal() -> None:
    with ChatServer(faults={"server_error": 1.0}) as server:
        outcome = ask(server, 60, max_attempts=2, backoff_s=0.001, min_concurrency=16)
    assert outcome.errors
    assert isinstance(outcome.errors[0], EndpointError)
    assert "20 requests in a row" in str(outcome.errors[0])
    assert "HTTP 500" in str(outcome.errors[0])
    assert len(outcome.failures) == 19
