"""The test server itself: true to the protocol, as the official client and plain sockets see it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import Any

import openai
import pytest

from tests.conftest import NetworkForbidden
from tests.servers.chat import ChatServer, text_of, verdict
from tests.servers.faults import FAULTS
from tests.servers.http import Response
from tests.servers.limits import RateLimit


def client(server: ChatServer, key: str = "sk-test") -> openai.OpenAI:
    return openai.OpenAI(base_url=server.url, api_key=key, max_retries=0, timeout=5)


def ask(server: ChatServer, text: str = "안녕", **more: Any) -> Any:
    with client(server) as official:
        return official.chat.completions.create(
            model="judge", messages=[{"role": "user", "content": text}], max_tokens=5, **more
        )


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=5) as response:
        return json.load(response) if response.headers["content-length"] != "0" else None


def test_the_official_client_understands_it() -> None:
    with ChatServer(models=["judge", {"id": "lora", "parent": "judge"}]) as server:
        answer = ask(server, "가" * 40)
        assert answer.choices[0].message.content == verdict()
        assert answer.choices[0].finish_reason == "stop"
        assert answer.usage.prompt_tokens == 10
        assert answer.usage.prompt_tokens_details.cached_tokens == 5
        with client(server) as official:
            assert [model.id for model in official.models.list()] == ["judge", "lora"]
    assert server.requests[0]["max_tokens"] == 5
    assert server.calls[0].headers["authorization"] == "Bearer sk-test"
    assert (server.count, server.answered, server.calls[0].status) == (1, 1, 200)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("rate_limited", openai.RateLimitError),
        ("insufficient_quota", openai.RateLimitError),
        ("server_error", openai.InternalServerError),
        ("overloaded", openai.InternalServerError),
        ("unauthorised", openai.AuthenticationError),
        ("forbidden", openai.PermissionDeniedError),
        ("wrong_path", openai.NotFoundError),
        ("too_long", openai.BadRequestError),
        ("content_filter", openai.BadRequestError),
        ("conflict", openai.ConflictError),
        ("disconnect", openai.APIConnectionError),
        ("cut", openai.APIConnectionError),
        ("truncated", (json.JSONDecodeError, openai.OpenAIError)),
    ],
)
def test_faults_are_what_the_official_client_takes_them_for(fault: str, error: type[Exception]) -> None:
    with ChatServer(faults={fault: 1.0}) as server, pytest.raises(error):
        ask(server)
    assert server.calls[0].fault == fault


def test_a_hanging_request_gets_nothing_and_the_server_still_stops() -> None:
    with ChatServer(faults={"hang": 1.0}) as server:
        with pytest.raises(openai.APITimeoutError), client(server) as official:
            official.with_options(timeout=0.2).chat.completions.create(model="m", messages=[])
        begun = time.monotonic()
    assert time.monotonic() - begun < 2


def test_a_slow_drip_arrives_whole_in_the_end() -> None:
    with ChatServer(reply=Response(200, b'{"slow": true}', delivery="drip", pause_s=0.005)) as server:
        request = urllib.request.Request(f"{server.url}/chat/completions", data=b'{"messages": []}')
        with urllib.request.urlopen(request, timeout=5) as response:
            assert json.load(response) == {"slow": True}


def test_faults_come_by_number_by_chance_and_by_function() -> None:
    with ChatServer(faults={"server_error": {1, 3}}) as server:
        statuses(server, 5)
    assert [call.status for call in server.calls] == [200, 500, 200, 500, 200]

    with ChatServer(faults={"server_error": 0.3, "bad_request": 0.3}, seed=7) as one:
        statuses(one, 200)
    with ChatServer(faults={"server_error": 0.3, "bad_request": 0.3}, seed=7) as two:
        statuses(two, 200)
    drawn = [call.fault for call in one.calls]
    assert drawn == [call.fault for call in two.calls], "the same seed draws the same"
    assert 40 < drawn.count("server_error") < 80
    assert 40 < drawn.count("bad_request") < 80

    with ChatServer(faults=lambda number, body: "empty" if "비었" in text_of(body) else None) as server:
        statuses(server, 1)
    assert server.calls[0].fault is None


def statuses(server: ChatServer, n: int) -> None:
    for _ in range(n):
        request = urllib.request.Request(f"{server.url}/chat/completions", data=b'{"messages": []}')
        try:
            urllib.request.urlopen(request, timeout=5).close()
        except urllib.error.HTTPError as error:
            error.close()


def test_an_unknown_fault_is_a_mistake_of_the_test() -> None:
    with pytest.raises(AssertionError, match="no such fault"):
        ChatServer(faults={"sever_error": 0.1})
    assert all(callable(fault) for fault in FAULTS.values())


def test_refused_fields_models_keys_and_contexts() -> None:
    with ChatServer(refuses=["seed"], models=["judge"], key="sk-test", context=10) as server:
        ask(server)
        for more in ({"seed": 1}, {"text": "길다" * 100}):
            with pytest.raises(openai.BadRequestError):
                ask(server, **more)
        with pytest.raises(openai.NotFoundError), client(server) as official:
            official.chat.completions.create(model="other", messages=[])
        with pytest.raises(openai.AuthenticationError), client(server, "sk-wrong") as official:
            official.models.list()


def test_adapters_are_loaded_at_run_time() -> None:
    with ChatServer(models=["base"]) as server:
        body = json.dumps({"lora_name": "rag", "lora_path": "adapters/rag"}).encode()
        url = f"{server.url}/load_lora_adapter"
        urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=5).close()
        card = get(f"{server.url}/models")["data"][1]
        assert (card["id"], card["root"], card["parent"]) == ("rag", "adapters/rag", "base")
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=5)
        caught.value.close()


def test_replies_may_be_texts_messages_responses_or_functions() -> None:
    with ChatServer(reply=lambda body: text_of(body).upper()) as server:
        assert ask(server, "abc").choices[0].message.content == "ABC"
    with ChatServer(reply={"content": None, "refusal": "no"}) as server:
        assert ask(server).choices[0].message.refusal == "no"
    with ChatServer(reply=Response(418)) as server, pytest.raises(openai.APIStatusError):
        ask(server)
    assert json.loads(verdict(answer_correctness=1))["answer_correctness"] == 1


def test_an_enforced_rate_limit_says_when_to_come_back() -> None:
    with ChatServer(rate=RateLimit(2, per_s=60, kind="fixed")) as server:
        ask(server)
        ask(server)
        with pytest.raises(openai.RateLimitError) as caught:
            ask(server)
    headers = caught.value.response.headers
    assert 1 <= int(headers["retry-after"]) <= 60
    assert headers["x-ratelimit-limit-requests"] == "2"
    assert headers["x-ratelimit-remaining-requests"] == "0"
    assert server.refused == 1


@pytest.mark.parametrize("kind", ["bucket", "fixed", "sliding"])
def test_limits_let_through_what_they_say(kind: Any) -> None:
    limit = RateLimit(600, kind=kind)
    passed = [step / 100 for step in range(12_000) if limit.take(step / 100) == 0.0]
    assert len(passed) == pytest.approx(1200, abs=limit.capacity + 1)
    in_a_minute = sum(30 <= at < 90 for at in passed)
    assert in_a_minute <= 600 + limit.capacity


def test_a_limits_wait_is_long_enough_and_not_longer() -> None:
    for kind in ("bucket", "fixed", "sliding"):
        limit = RateLimit(60, kind=kind)
        now = 0.0
        while (wait := limit.take(now)) == 0.0:
            now += 0.01
        assert limit.take(now + wait - 0.01) > 0
        assert limit.take(now + wait + 0.001) == 0.0


def test_it_speaks_http_to_the_letter() -> None:
    body = b'{"messages": []}'
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n" % len(body)
    with ChatServer() as server:
        with socket.create_connection(("127.0.0.1", server.port), 5) as plain:
            plain.sendall((head + b"\r\n" + body) * 2)  # two at once on one connection
            assert _read(plain, 2).count(b"HTTP/1.1 200 OK") == 2
            plain.sendall(head[:20])
            time.sleep(0.05)
            plain.sendall(head[20:] + b"Expect: 100-continue\r\n\r\n")
            assert plain.recv(100).startswith(b"HTTP/1.1 100 Continue")
            plain.sendall(body)
            assert _read(plain, 1).startswith(b"HTTP/1.1 200 OK")
            plain.sendall(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
            assert plain.recv(1000).startswith(b"HTTP/1.1 411")
        with socket.create_connection(("127.0.0.1", server.port), 5) as noise:
            noise.sendall(b"\x16\x03\x01")
            assert noise.recv(1000).startswith(b"HTTP/1.1 400")
        assert get(f"http://127.0.0.1:{server.port}/health") is None
        assert get(f"http://127.0.0.1:{server.port}/count")["count"] == 3


def _read(plain: socket.socket, answers: int) -> bytes:
    received = b""
    while received.count(b'"usage"') < answers or not received.endswith(b"}"):
        more = plain.recv(65536)
        assert more, f"the connection ended after {received!r}"
        received += more
    return received


def test_it_runs_as_a_process_of_its_own() -> None:
    command = [sys.executable, "-m", "tests.servers.chat", "--fault", "server_error=1.0", "--model", "judge"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert get(f"{url}/models")["data"][0]["id"] == "judge"
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(
                urllib.request.Request(f"{url}/chat/completions", data=b'{"model":"judge","messages":[]}'),
                timeout=5,
            )
        assert caught.value.code == 500
        caught.value.close()
        process.terminate()


def test_tests_cannot_leave_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NetworkForbidden):
        socket.create_connection(("192.0.2.1", 80), 1)
    with pytest.raises(NetworkForbidden):
        socket.create_connection(("example.com", 80), 1)
    with pytest.raises(socket.gaierror):
        socket.create_connection(("nowhere.invalid", 80), 1)
