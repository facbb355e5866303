"""Requests, replies and usage of the chat client without faults."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from typing import Any

import pytest

from simsa.errors import EndpointError
from simsa.llm import ChatEndpoint, ChatReply, ChatRequest, ModelInfo
from simsa.records import Message
from tests.servers.chat import ChatServer, verdict
from tests.servers.http import Response
from tests.support.llm_client import SCHEMA, ask, request


def test_a_request_is_one_call_with_all_fields() -> None:
    with ChatServer(key="sk-secret-1234") as server:
        outcome = ask(server, [request("점수?", top_p=0.9, stop=("끝",), logprobs=2)], key="sk-secret-1234")
    assert server.count == 1
    assert server.requests == [
        {
            "model": "judge",
            "messages": [{"role": "user", "content": "점수?"}],
            "max_tokens": 64,
            "temperature": 0.0,
            "top_p": 0.9,
            "seed": 0,
            "stop": ["끝"],
            "logprobs": True,
            "top_logprobs": 2,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA},
            },
        }
    ]
    reply = outcome.only
    assert reply.text == verdict()
    assert (reply.finish_reason, reply.model, reply.system_fingerprint) == ("stop", "judge", "fp_test")
    assert reply.attempts == 1
    assert reply.completion_tokens > 0


def test_fields_that_are_none_are_not_sent() -> None:
    plain = ChatRequest([Message("user", "안녕")], max_tokens=8, temperature=None)
    with ChatServer() as server:
        ask(server, [plain])
    assert server.requests == [
        {"model": "judge", "messages": [{"role": "user", "content": "안녕"}], "max_tokens": 8}
    ]


def test_messages_may_be_records_or_dictionaries_and_extra_body_wins() -> None:
    mixed = ChatRequest(
        (Message("system", "너는 심사자다"), Message("user", "점수?")),
        max_tokens=8,
        extra_body={"temperature": 0.5, "chat_template_kwargs": {"enable_thinking": False}},
        model="adapter",
    )
    with ChatServer() as server:
        ask(server, [mixed])
    (sent,) = server.requests
    assert sent["messages"][0] == {"role": "system", "content": "너는 심사자다"}
    assert sent["temperature"] == 0.5
    assert sent["chat_template_kwargs"] == {"enable_thinking": False}
    assert sent["model"] == "adapter"


def test_usage_and_latency_are_reported() -> None:
    with ChatServer(latency_s=0.05) as server:
        outcome = ask(server, [request("가" * 400), request("나" * 800)])
    first, second = outcome.replies
    assert (first.prompt_tokens, first.cached_tokens) == (100, 50)
    assert second.prompt_tokens == 200
    assert 0.05 <= first.latency_s < 2
    assert outcome.stats.done == 2
    assert outcome.stats.prompt_tokens == 300
    assert outcome.stats.cached_tokens == 150
    assert outcome.stats.in_flight == 0


@pytest.mark.parametrize(
    ("fault", "text", "finish_reason", "refusal"),
    [
        ("length", verdict()[: len(verdict()) // 2], "length", None),
        ("refusal", "", "stop", "I'm sorry, I can't help with that."),
        ("filtered", "", "content_filter", None),
        ("null_content", "", "stop", None),
        ("reasoning", verdict(), "stop", None),
        ("parts", verdict(), "stop", None),
        ("no_usage", verdict(), "stop", None),
    ],
)
def test_odd_replies_are_accepted(fault: str, text: str, finish_reason: str, refusal: str | None) -> None:
    with ChatServer(faults={fault: 1.0}) as server:
        reply = ask(server).only
    assert isinstance(reply, ChatReply)
    assert (reply.text, reply.finish_reason, reply.refusal) == (text, finish_reason, refusal)
    assert server.count == 1
    if fault == "no_usage":
        assert (reply.prompt_tokens, reply.completion_tokens, reply.cached_tokens) == (0, 0, 0)


def test_connections_are_reused_and_bounded() -> None:
    with ChatServer(latency_s=0.005) as server:
        outcome = ask(server, 200, max_concurrency=8)
    assert len(outcome.replies) == 200
    assert server.connections <= 8
    assert server.peak <= 8


@pytest.mark.parametrize("ending", ["", "/", "/chat/completions", "/chat/completions/", "/models"])
def test_variants_of_the_base_url_work(ending: str) -> None:
    with ChatServer() as server:
        assert ask(server.url + ending).replies
        assert ask(server.url.removesuffix("/v1") + ending).replies


def test_a_query_in_the_base_url_is_kept() -> None:
    seen: list[str] = []

    def reply(body: dict[str, Any]) -> str:
        seen.append(body["model"])
        return "좋다"

    with ChatServer(reply=reply) as server:
        assert ask(server.url + "?api-version=2026-01-01").replies
    assert seen == ["judge"]


def test_models_are_listed_with_dates_and_parents() -> None:
    cards: list[dict[str, Any]] = [
        {"id": "gpt-4o", "shutdown_date": "2027-01-14"},
        {"id": "old", "shutdown_date": 1800000000},
        {"id": "rag-lora", "parent": "base", "root": "adapters/rag", "max_model_len": 2048},
        {"id": "odd", "shutdown_date": "soon", "max_model_len": "long"},
    ]

    async def listed(url: str) -> list[ModelInfo]:
        async with ChatEndpoint(url, "gpt-4o") as endpoint:
            return await endpoint.models()

    with ChatServer(models=cards) as server:
        first, second, third, fourth = asyncio.run(listed(server.url))
    assert str(first.shutdown_date) == "2027-01-14"
    assert str(second.shutdown_date) == "2027-01-15"
    assert third == ModelInfo("rag-lora", None, "base", "adapters/rag", 2048)
    assert fourth == ModelInfo("odd")


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"data": [1]}', b'{"data": [{"name": "x"}]}', b'"x"'])
def test_a_malformed_list_of_models_is_an_error(body: bytes, unused_port: int) -> None:
    class Listing(ChatServer):
        def _list(self) -> Response:
            return Response(200, body)

    async def list_(url: str) -> None:
        async with ChatEndpoint(url, "m") as endpoint:
            await endpoint.models()

    with Listing() as server, pytest.raises(EndpointError, match="list of models"):
        asyncio.run(list_(server.url))
    with pytest.raises(EndpointError, match="cannot be reached"):
        asyncio.run(list_(f"http://127.0.0.1:{unused_port}"))


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def test_the_client_requires_async_with() -> None:
    endpoint = ChatEndpoint("http://127.0.0.1:1", "m")
    with pytest.raises(RuntimeError, match="async with"):
        asyncio.run(endpoint.complete(request()))


def test_importing_loads_no_slow_module() -> None:
    code = "import sys, simsa.llm; print([m for m in ('aiohttp', 'numpy', 'yarl', 'urllib.request') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
