"""The Batch API's client: each submission is sent once, and found again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from simsa.errors import ConfigError, EndpointError
from simsa.llm import batch_lines
from simsa.llm.batch_client import BatchEndpoint, BatchState
from tests.servers.batch import BatchServer, fault
from tests.servers.faults import error
from tests.servers.http import Response

T = TypeVar("T")


def ask(server: BatchServer, work: Callable[[BatchEndpoint], Awaitable[T]], **how: float) -> T:
    async def main() -> T:
        settings = {"settle_s": 0.1, "backoff_s": 0.01, "timeout_s": 0.5} | how
        async with BatchEndpoint(server.url, key="sk-test-0123", **settings) as api:  # type: ignore[arg-type]
            return await work(api)

    return asyncio.run(main())


@pytest.fixture
def requests(tmp_path: Path) -> Path:
    file = tmp_path / "requests.jsonl"
    lines = [batch_lines.request_line(f"{n:032x}-0", {"model": "m", "messages": []}) for n in range(3)]
    file.write_bytes(b"".join(lines))
    return file


async def submit(api: BatchEndpoint, file: Path, key: str = "key") -> BatchState:
    return await api.create(await api.upload(file, key), key, "24h", since=time.time())


def test_an_upload_arrives_unchanged(requests: Path) -> None:
    with BatchServer() as server:
        file_id = ask(server, lambda api: api.upload(requests, "key"))
        assert server.files[file_id] == ("simsa-key.jsonl", requests.read_bytes())
        assert server.seen_keys == ["Bearer sk-test-0123"]


def test_large_files_are_streamed(tmp_path: Path) -> None:
    big = tmp_path / "big.jsonl"
    with big.open("wb") as file:
        for n in range(200):
            file.write(batch_lines.request_line(f"{n:032x}-0", {"text": "가" * 30_000}))
    with BatchServer() as server:
        file_id = ask(server, lambda api: api.upload(big, "key"), timeout_s=30)
        assert len(server.files[file_id][1]) == big.stat().st_size > 17_000_000
        back = tmp_path / "back.jsonl"
        ask(server, lambda api: api.download(file_id, back), timeout_s=30)
        assert back.read_bytes() == big.read_bytes()
        assert not list(tmp_path.glob("*.part"))


def test_a_batch_is_found_by_its_key(requests: Path) -> None:
    with BatchServer(page=2) as server:

        async def work(api: BatchEndpoint) -> None:
            for n in range(5):
                await submit(api, requests, f"key{n}")
            for n in range(5):
                found = await api.find(f"key{n}", since=time.time())
                assert found is not None
                assert (found.id, found.key) == (f"batch_{n}", f"key{n}")
            assert await api.find("other", since=time.time()) is None

        ask(server, work)


def test_the_search_ends_at_older_batches(requests: Path) -> None:
    with BatchServer(page=1) as server:

        async def work(api: BatchEndpoint) -> None:
            for n in range(5):
                await submit(api, requests, f"key{n}")
            listed = server.asked["list"]
            assert await api.find("other", since=time.time() + 2 * 86_400) is None
            assert server.asked["list"] == listed + 1

        ask(server, work)


@pytest.mark.parametrize("step", ["uploaded", "created"])
@pytest.mark.parametrize("name", ["server_error", "disconnect", "hang", "cut"])
def test_a_submission_without_a_response_is_found_and_not_repeated(
    requests: Path, step: str, name: str
) -> None:
    with BatchServer(trouble=lambda at, n: fault(name) if at == step and n == 1 else None) as server:
        state = ask(server, lambda api: submit(api, requests))
        assert state.id == "batch_0"
        assert len(server.files) == len(server.batches) == 1


def test_a_file_of_another_size_is_not_reused(requests: Path) -> None:
    with BatchServer() as server:
        server.files["file-0"] = ("simsa-key.jsonl", b"half of it")
        assert ask(server, lambda api: api.upload(requests, "key", perhaps_sent=True)) == "file-1"


@pytest.mark.parametrize("step", ["upload", "create"])
def test_max_attempts_limits_submissions(requests: Path, step: str) -> None:
    with BatchServer(trouble=lambda at, n: fault("server_error") if at == step else None) as server:
        with pytest.raises(EndpointError, match="failed 3 times"):
            ask(server, lambda api: submit(api, requests), max_attempts=3)
        assert server.asked[step] == 3


def test_a_rate_limit_costs_no_attempt(requests: Path) -> None:
    with BatchServer(
        trouble=lambda at, n: fault("rate_limited") if at == "create" and n < 5 else None
    ) as server:
        assert ask(server, lambda api: submit(api, requests), max_attempts=1).id == "batch_0"


def test_patience_with_a_rate_limit_ends(requests: Path) -> None:
    with (
        BatchServer(
            trouble=lambda at, n: fault("rate_limited_silently") if at == "create" else None
        ) as server,
        pytest.raises(EndpointError, match="lets nothing through"),
    ):
        ask(server, lambda api: submit(api, requests), patience_s=0.1)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"<html>", b'{"id": 7, "status": "validating"}', b'{"id": "batch_0"}']
)
def test_a_malformed_state_is_an_error(body: bytes) -> None:
    with (
        BatchServer(trouble=lambda at, n: Response(200, body) if at == "status" else None) as server,
        pytest.raises(EndpointError, match="answers with"),
    ):
        ask(server, lambda api: api.state("batch_0"))


def test_a_list_that_repeats_a_page_ends(requests: Path) -> None:
    """A server that says `has_more` and gives the same page for ever."""
    page = Response(200, b'{"data": [{"id": "batch_9", "status": "completed"}], "has_more": true}')
    with BatchServer(trouble=lambda at, n: page if at == "list" else None) as server:
        assert ask(server, lambda api: api.find("key", since=0)) is None
        assert server.asked["list"] == 2


def test_a_download_is_complete_or_absent(tmp_path: Path) -> None:
    cut = Response(200, b"x" * 1_000, delivery="cut")
    to = tmp_path / "results.jsonl"
    with BatchServer(trouble=lambda at, n: cut if at == "content" else None) as server:
        with pytest.raises(EndpointError):
            ask(server, lambda api: api.download("file-0", to), max_attempts=2, patience_s=0)
        assert server.asked["content"] == 2
    assert list(tmp_path.iterdir()) == []


def test_cancelling_an_unknown_batch_returns_false(requests: Path) -> None:
    with BatchServer() as server:
        state = ask(server, lambda api: submit(api, requests))
        assert ask(server, lambda api: api.cancel(state.id)) is True
        assert ask(server, lambda api: api.cancel(state.id)) is True, "cancelled already"
        assert ask(server, lambda api: api.cancel("batch_none")) is False


def test_a_failed_state_has_its_errors(requests: Path) -> None:
    reasons = [{"code": "c", "message": "m", "line": 3}]
    with BatchServer(final=lambda n: "failed", errors=lambda n: reasons) as server:

        async def work(api: BatchEndpoint) -> BatchState:
            return await api.state((await submit(api, requests)).id)

        state = ask(server, work)
        assert state.is_over
        assert (state.status, state.errors, state.total) == ("failed", ("c: m",), 3)
        assert state.expires_at is not None
        assert state.created_at is not None
        assert state.expires_at - state.created_at == 86_400


def test_an_invalid_key_is_refused_by_the_batch_client() -> None:
    with pytest.raises(ConfigError, match="no key has"):
        BatchEndpoint("http://127.0.0.1:1/v1", key="sk-\n", key_name="JUDGE_KEY")


def test_the_batch_client_requires_async_with() -> None:
    with pytest.raises(RuntimeError, match="async with"):
        asyncio.run(BatchEndpoint("http://127.0.0.1:1/v1").check())


def test_the_key_is_removed_from_batch_errors(requests: Path) -> None:
    echo = error(401, "Incorrect API key provided: sk-test-0123", code="invalid_api_key")
    with BatchServer(trouble=lambda at, n: echo) as server:
        with pytest.raises(EndpointError) as raised:
            ask(server, lambda api: api.upload(requests, "key"))
        assert "sk-test-0123" not in str(raised.value)
