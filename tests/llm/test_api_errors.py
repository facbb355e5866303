"""Errors that concern every request: they are raised early, have a hint, and never show the key."""

from __future__ import annotations

import asyncio
import datetime
import http.server
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from simsa.errors import ConfigError, EndpointError
from simsa.llm import ChatEndpoint, ChatFailure, ChatReply
from simsa.llm.api_errors import ErrorResponse, wait_too_long
from simsa.llm.base_url import BaseUrl
from tests.servers.chat import ChatServer, text_of
from tests.servers.faults import error
from tests.servers.http import Response
from tests.support.llm_client import ask, request

KEY = "sk-very-secret-0123456789"


@pytest.mark.parametrize(
    ("fault", "message", "hint"),
    [
        ("unauthorised", "does not accept the key: HTTP 401", "check JUDGE_KEY"),
        ("payment_required", "has no credit left: HTTP 402", "top up"),
        ("insufficient_quota", "has no credit left: HTTP 429", "goes on where it stopped"),
        ("forbidden", "forbids this: HTTP 403", "JUDGE_KEY"),
        ("wrong_path", "has no chat completions here: HTTP 404", "base_url"),
        ("tomorrow", "lets nothing through for 8 h 20 min", "goes on where it stopped"),
        ("redirect", "redirects to https://elsewhere.invalid/v1/chat/completions (HTTP 307)", "not followed"),
    ],
)
def test_fatal_errors_cost_one_call_and_have_a_hint(fault: str, message: str, hint: str) -> None:
    with ChatServer(faults={fault: 1.0}) as server:
        outcome = ask(server, 50, key=KEY, key_name="JUDGE_KEY")
    assert server.count == 1, "the scout alone meets it"
    assert len(outcome.errors) == 50
    for ended in outcome.errors:
        assert isinstance(ended, EndpointError)
        assert ended.exit_code == 5
        assert ended.where == server.url
        assert message in str(ended)
        assert hint in (ended.hint or "")
        assert KEY not in str(ended)


def test_a_missing_key_is_named_in_the_hint() -> None:
    with ChatServer(key=KEY) as server:
        (ended,) = ask(server, key_name="OPENAI_API_KEY").errors
        assert "requires a key" in str(ended)
        assert ended.hint == "set OPENAI_API_KEY"
        (ended,) = ask(server).errors
        assert "api_key_env" in (ended.hint or "")
        assert ask(server, key=KEY).replies


def test_later_requests_raise_the_fatal_error_without_a_call() -> None:
    async def scenario(url: str) -> list[str]:
        said = []
        async with ChatEndpoint(url, "judge", key=KEY) as endpoint:
            for _ in range(3):
                with pytest.raises(EndpointError) as caught:
                    await endpoint.complete(request())
                said.append(str(caught.value))
        return said

    with ChatServer(faults={"unauthorised": {0}}) as server:
        said = asyncio.run(scenario(server.url))
    assert len(set(said)) == 1
    assert server.count == 1


def test_a_missing_model_suggests_a_similar_one_and_affects_no_other() -> None:
    with ChatServer(models=["gpt-4o", "rag-lora", "rag-lora-early"]) as server:
        wanted = [request(model="rag-lore"), request(model="rag-lora")]
        missing, found = ask(server, wanted).results
    assert isinstance(missing, EndpointError)
    assert "has no model 'rag-lore'" in str(missing)
    assert missing.hint is not None
    assert "did you mean 'rag-lora'?" in missing.hint
    assert "gpt-4o" in missing.hint
    assert isinstance(found, ChatReply)


def test_a_retired_model_names_its_successor() -> None:
    with ChatServer(models=["gpt-6-luna"]) as server:
        (missing,) = ask(server, model="gpt-4o-2024-05-13").errors
    assert missing.hint is not None
    assert "left the API" in missing.hint
    assert "gpt-6-luna" in missing.hint
    assert "reasoning_effort" in missing.hint


def test_a_400_can_mean_a_retired_model() -> None:
    gone = error(400, "The model `gpt-4o` has been deprecated", code="model_deprecated")
    with ChatServer(reply=gone) as server:
        outcome = ask(server, 5, model="gpt-4o")
    assert len(outcome.errors) == 5
    assert "has no model 'gpt-4o'" in str(outcome.errors[0])
    assert "gpt-6-luna" in (outcome.errors[0].hint or "")
    assert server.count == 1, "those who waited for the first are told by it"


def test_only_eight_models_are_listed() -> None:
    with ChatServer(models=[f"model-{i:02}" for i in range(30)]) as server:
        (missing,) = ask(server, model="model-7").errors
    assert "and 22 more" in (missing.hint or "")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:9", "connection refused"),
        ("http://nowhere.invalid/v1", "the host name 'nowhere.invalid' is unknown"),
    ],
)
def test_an_unreachable_host(url: str, said: str) -> None:
    outcome = ask(url, 10, key=KEY, max_attempts=2)
    assert len(outcome.errors) == 10
    for ended in outcome.errors:
        assert isinstance(ended, EndpointError)
        assert "cannot be reached" in str(ended)
        assert said in str(ended)
        assert "base_url" in (ended.hint or "")


def test_an_untrusted_certificate(self_signed: str) -> None:
    (ended,) = ask(self_signed, key=KEY).errors
    assert "no secure connection" in str(ended)
    assert "certificate" in str(ended)
    assert KEY not in str(ended)


def test_https_to_an_http_server() -> None:
    with ChatServer() as server:
        (ended,) = ask(server.url.replace("http:", "https:")).errors
    assert "no secure connection" in str(ended)
    assert "http or https?" in (ended.hint or "")


def test_redirects_are_not_followed() -> None:
    with ChatServer() as thief:
        moved = Response(307, b"", {"location": f"{thief.url}/chat/completions?token=1"})
        with ChatServer(reply=moved) as server:
            (ended,) = ask(server, key=KEY).errors
    assert thief.count == 0
    assert thief.url in str(ended)
    assert "token=1" not in str(ended)


def test_the_key_is_removed_from_responses() -> None:
    with ChatServer(key="another-key-entirely") as server:
        (ended,) = ask(server, key=KEY).errors
    assert server.calls[0].headers["authorization"] == f"Bearer {KEY}"
    assert "Incorrect API key provided: Bearer ***" in str(ended)
    with ChatServer(reply=f"your key is {KEY}") as server:
        reply = ask(server, key=KEY).only
    assert reply.text == "your key is ***"
    with ChatServer(reply=error(400, f"bad request with {KEY}")) as server:
        failure = ask(server, key=KEY).only
    assert isinstance(failure, ChatFailure)
    assert KEY not in failure.detail


def test_a_short_placeholder_key_is_not_removed() -> None:
    with ChatServer(reply="EMPTY means nothing") as server:
        assert ask(server, key="EMPTY").only.text == "EMPTY means nothing"


@pytest.mark.parametrize("key", ["sk-1234\n", "sk 1234", "열쇠", "sk-\x00"])
def test_an_invalid_key_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ChatEndpoint("http://127.0.0.1:1", "m", key=key, key_name="JUDGE_KEY")
    assert caught.value.field == "JUDGE_KEY"
    assert key not in str(caught.value)


def test_an_unencrypted_connection_is_reported() -> None:
    events: list[str] = []

    async def open_(url: str, key: str | None) -> None:
        async with ChatEndpoint(url, "m", key=key, on_event=events.append):
            pass

    asyncio.run(open_("http://192.0.2.1:8000/v1", KEY))
    assert len(events) == 1
    assert "not encrypted" in events[0]
    assert KEY not in events[0]
    asyncio.run(open_("http://192.0.2.1:8000/v1", None))
    asyncio.run(open_("http://localhost:8000/v1", KEY))
    asyncio.run(open_("https://example.invalid/v1", KEY))
    assert len(events) == 1


@pytest.mark.parametrize(
    ("seconds", "said"), [(30, "1 min"), (600, "10 min"), (3600, "1 h 0 min"), (30000, "8 h 20 min")]
)
def test_long_waits_are_given_in_minutes_and_hours(seconds: float, said: str) -> None:
    ended = wait_too_long(BaseUrl.parse("http://localhost"), seconds, ErrorResponse(429, "limit"))
    assert said in str(ended)


@pytest.fixture
def self_signed(tmp_path: Path) -> Iterator[str]:
    """The URL of a TLS server with a certificate of its own making."""
    certificate = _certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda request, client: None  # type: ignore[method-assign,assignment]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    thread.join()
    server.server_close()


def _certificate(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "nobody")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / "server.pem"
    file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return file


def test_a_listed_model_is_used() -> None:
    with ChatServer(models=["judge"], reply=text_of) as server:
        (answered,) = ask(server, [request("메아리")]).replies
    assert answered.text == "메아리"
