"""The concurrency window and waiting, in real time against a real server."""

from __future__ import annotations

import asyncio
import time

import pytest

from simsa.errors import EndpointError
from simsa.llm import AdmissionStats, ChatEndpoint, ChatFailure, ChatReply
from simsa.llm.rate_limit import AdmissionControl, ConcurrencyWindow
from tests.servers.chat import ChatServer
from tests.servers.faults import error
from tests.servers.limits import RateLimit
from tests.support.llm_client import ask, request


def test_the_first_request_goes_alone() -> None:
    with ChatServer(latency_s=0.1) as server:
        ask(server, 30)
    first, *others = [call.at for call in server.calls]
    assert min(others) - first >= 0.1
    assert max(others) - min(others) < 0.5


def test_a_slow_first_request_delays_the_others_only_briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simsa.llm.rate_limit._FIRST_REQUEST_S", 0.05)
    with ChatServer(latency_s=lambda body: 1.0 if "0번" in body["messages"][0]["content"] else 0.0) as server:
        begun = time.monotonic()
        ask(server, 5)
    assert max(call.at for call in server.calls) - begun < 0.9


def test_the_window_grows_to_the_limit_without_failures() -> None:
    with ChatServer(latency_s=0.02) as server:
        outcome = ask(server, 600, max_concurrency=100)
    assert outcome.stats.window == 100
    assert 60 <= server.peak <= 100


def test_the_window_shrinks_to_the_capacity_of_the_endpoint() -> None:
    with ChatServer(latency_s=0.02, capacity=10) as server:
        outcome = ask(server, 600, max_concurrency=200, max_attempts=30, backoff_s=0.02)
    assert len(outcome.replies) == 600
    assert outcome.stats.window < 30
    assert server.count < 1.5 * 600


def test_the_window_follows_the_share_of_failures() -> None:
    window = ConcurrencyWindow(most=64, least=4)
    assert window.size == 1
    window.open()
    assert window.size == 16
    for _ in range(200):
        window.record(success=True)
    assert window.size == 64
    for _ in range(300):
        window.record(success=False)
    assert window.size == 4, "never below the least"
    for _ in range(1000):
        window.record(success=True)
    assert window.size == 64, "and it recovers"
    steady = ConcurrencyWindow(most=64, least=4)
    steady.open()
    for i in range(2000):
        steady.record(success=i % 20 != 0)
    assert steady.size > 40, "one failure in twenty is no lack of capacity"


def test_max_concurrency_below_the_initial_window_is_kept() -> None:
    narrow = ConcurrencyWindow(most=2, least=4)
    narrow.open()
    for _ in range(50):
        narrow.record(success=True)
    assert narrow.size == 2
    for _ in range(50):
        narrow.record(success=False)
    assert narrow.size == 2


def test_retries_are_admitted_first() -> None:
    async def order() -> list[str]:
        admission = AdmissionControl(most=1, least=1)
        first = admission.try_acquire()
        assert first is not None
        assert admission.try_acquire() is None
        seen: list[str] = []

        async def turn(name: str, urgent: bool) -> None:
            await admission.acquire(urgent=urgent)
            seen.append(name)
            admission.release()

        tasks = [asyncio.create_task(turn("new 1", False)), asyncio.create_task(turn("new 2", False))]
        await asyncio.sleep(0)
        tasks.append(asyncio.create_task(turn("again", True)))
        await asyncio.sleep(0)
        admission.release()
        await asyncio.gather(*tasks)
        return seen

    assert asyncio.run(order()) == ["again", "new 1", "new 2"]


def test_closing_raises_in_waiting_requests() -> None:
    async def scenario() -> list[object]:
        admission = AdmissionControl(most=1, least=1)
        admission.try_acquire()
        waiting = [asyncio.create_task(admission.acquire()) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.sleep(0)
        admission.close(EndpointError("gone"))
        return await asyncio.gather(*waiting, return_exceptions=True)

    cancelled, *told = asyncio.run(scenario())
    assert isinstance(cancelled, asyncio.CancelledError)
    assert [str(error) for error in told] == ["gone", "gone"]


def test_a_rate_limit_in_real_time() -> None:
    """6,000 per minute, enforced by 429s that ask to wait a second."""
    with ChatServer(rate=RateLimit(6000, headers=False), latency_s=0.05) as server:
        outcome = ask(server, 900, max_concurrency=64)
    assert len(outcome.replies) == 900
    begun = server.calls[0].at
    late = [call for call in server.calls if call.at - begun > 4]
    assert sum(call.status == 429 for call in late) <= 0.03 * len(late)
    # At the least (900 - 100) / 100 = 8 s; finding the rate out costs a pause or three.
    assert max(call.at for call in server.calls) - begun < 13
    assert outcome.stats.rate_limited == server.refused


def test_rate_limit_headers_prevent_429s() -> None:
    with ChatServer(rate=RateLimit(3000, burst=100), latency_s=0.02) as server:
        outcome = ask(server, 250, max_concurrency=32)
    assert len(outcome.replies) == 250
    assert server.refused <= 3
    assert max(call.at for call in server.calls) - server.calls[0].at < 4.5  # at the least 3 s


def test_a_rate_limit_costs_patience_but_no_attempts() -> None:
    with ChatServer(faults={"rate_limited": 1.0}) as server:
        outcome = ask(server, max_attempts=1, patience_s=0.5)
    (ended,) = outcome.errors
    assert isinstance(ended, EndpointError)
    assert "lets nothing through" in str(ended)
    assert server.count > 2


def test_a_request_that_is_always_rate_limited_fails_alone() -> None:
    unlucky = {"rate_limited_silently"}

    def fault(number: int, body: dict[str, object]) -> str | None:
        return next(iter(unlucky)) if "미운" in str(body["messages"]) else None

    async def scenario(url: str) -> tuple[object, int]:
        async with ChatEndpoint(url, "judge", patience_s=0.6, backoff_s=0.05) as endpoint:
            hated = asyncio.create_task(endpoint.complete(request("미운 오리")))
            answered = 0
            while not hated.done():
                answered += isinstance(await endpoint.complete(request("고운 오리")), ChatReply)
            return await hated, answered

    with ChatServer(faults=fault) as server:
        result, answered = asyncio.run(scenario(server.url))
    assert isinstance(result, ChatFailure)
    assert result.kind == "failed"
    assert answered > 0


def test_stats_are_live() -> None:
    async def scenario(url: str) -> list[AdmissionStats | int | float | None]:
        async with ChatEndpoint(url, "judge") as endpoint:
            await endpoint.complete(request())
            tasks = [asyncio.create_task(endpoint.complete(request(f"{i}"))) for i in range(5)]
            await asyncio.sleep(0.05)
            during = endpoint.stats.in_flight
            await asyncio.gather(*tasks)
            return [during, endpoint.stats.in_flight, endpoint.stats.done, endpoint.stats.pace]

    with ChatServer(latency_s=0.15) as server:
        assert asyncio.run(scenario(server.url)) == [5, 0, 6, None]


def test_a_long_pause_is_reported_once() -> None:
    patient = error(429, "Rate limit reached", headers={"retry-after": "30"})

    async def scenario(url: str) -> list[str]:
        said: list[str] = []
        async with ChatEndpoint(url, "judge", on_event=said.append) as endpoint:
            asking = [asyncio.create_task(endpoint.complete(request(f"{i}"))) for i in range(5)]
            await asyncio.sleep(0.3)
            assert endpoint.stats.paused_until is not None
            assert 25 < endpoint.stats.paused_until - time.monotonic() <= 30
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
        return said

    with ChatServer(reply=patient) as server:
        (said,) = asyncio.run(scenario(server.url))
    assert "asks to wait 30 s: HTTP 429: Rate limit reached" in said
    assert server.count == 1


def test_a_retry_after_beyond_patience_is_fatal() -> None:
    down = error(503, "Maintenance", headers={"retry-after": "7200"})
    with ChatServer(reply=down) as server:
        (ended,) = ask(server).errors
    assert isinstance(ended, EndpointError)
    assert "lets nothing through for 2 h 0 min: HTTP 503: Maintenance" in str(ended)
    assert server.count == 1
