"""The rate limiter uses nearly all of a quota with few 429s, however the limit is enforced."""

from __future__ import annotations

import math
import random
import statistics
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsa.llm.rate_limit import RateLimiter
from simsa.llm.rate_limit_headers import Quota, parse_duration, retry_after
from tests.servers.limits import RateLimit, duration
from tests.support.rate_simulation import Simulation

MINUTES = 180.0


@pytest.mark.parametrize("latency_s", [0.005, 0.5, 3.0])
@pytest.mark.parametrize("retry", ["exact", "seconds", None])
@pytest.mark.parametrize("headers", [True, False])
@pytest.mark.parametrize("burst", [10, 60, 600])
def test_600_a_minute_by_a_token_bucket(burst: int, headers: bool, retry: Any, latency_s: float) -> None:
    limit = RateLimit(600, burst=burst, headers=headers, retry_after=retry)
    simulation = Simulation(limit, latency_s=latency_s).run(MINUTES)
    assert simulation.used(60) >= 0.95
    assert simulation.used(MINUTES) >= 0.97
    assert simulation.refused_after(10) < 0.02


@pytest.mark.parametrize("retry", ["exact", "seconds"])
@pytest.mark.parametrize("headers", [True, False])
@pytest.mark.parametrize("kind", ["fixed", "sliding"])
@pytest.mark.parametrize("window", [8, 64])
def test_600_a_minute_by_a_window_of_a_minute(kind: Any, headers: bool, retry: Any, window: int) -> None:
    limit = RateLimit(600, kind=kind, headers=headers, retry_after=retry)
    simulation = Simulation(limit, window=window, latency_s=0.005).run(MINUTES)
    assert simulation.used(60) >= 0.99
    assert simulation.used(MINUTES) >= 0.99
    assert simulation.refused_after(5) < 0.02


@pytest.mark.parametrize("kind", ["fixed", "sliding"])
@pytest.mark.parametrize("window", [8, 64])
def test_a_window_of_a_minute_without_headers(kind: Any, window: int) -> None:
    limit = RateLimit(600, kind=kind, headers=False, retry_after=None)
    simulation = Simulation(limit, window=window).run(MINUTES)
    assert simulation.used(MINUTES) >= 0.9
    assert simulation.refused_after(5) < 0.05


@pytest.mark.parametrize("retry", ["exact", "seconds", None])
def test_a_limit_without_any_burst(retry: Any) -> None:
    limit = RateLimit(600, burst=1, headers=False, retry_after=retry)
    simulation = Simulation(limit).run(MINUTES)
    assert simulation.used(MINUTES) >= 0.7
    assert simulation.refused_after(10) < 0.02


@pytest.mark.parametrize(
    ("a_minute", "used", "refused"), [(30, 0.8, 0.15), (3000, 0.95, 0.005), (60000, 0.95, 0.005)]
)
def test_limits_of_any_size(a_minute: int, used: float, refused: float) -> None:
    limit = RateLimit(a_minute, headers=False)
    simulation = Simulation(limit, window=1024, latency_s=0.5).run(120)
    assert simulation.used(120) >= used
    assert simulation.refused_after(20) < refused


@pytest.mark.parametrize("headers", [True, False])
@pytest.mark.parametrize(("stalled_s", "used"), [(0.0, 0.97), (4.0, 0.95), (10.0, 0.92)])
def test_a_client_that_stalls(headers: bool, stalled_s: float, used: float) -> None:
    """900 rows at 600 a minute, while the client stands still for 0.4 s at a time, so many seconds in all."""
    shares = []
    for seed in range(8):
        at = random.Random(seed)
        begins = [at.uniform(0, 89) for _ in range(round(stalled_s / 0.4))]
        limit = RateLimit(600, headers=headers)
        stalls = [(begin, begin + 0.4) for begin in begins]
        simulation = Simulation(limit, seed=seed, stalls=stalls).run(89)
        shares.append(len(simulation.accepted) / (limit.capacity + limit.rate * 89))
        assert simulation.refused_after(5) < 0.02
    assert min(shares) >= used - 0.02
    assert statistics.median(shares) >= used


def test_a_raised_limit_is_noticed() -> None:
    limit = RateLimit(600, headers=False)
    simulation = Simulation(limit).run(60)
    limit.requests = 3000
    before = len(simulation.accepted)
    simulation.run(180)
    assert len(simulation.accepted) - before > 0.5 * limit.rate * 120


def test_a_lowered_limit_is_noticed() -> None:
    limit = RateLimit(3000, headers=False)
    simulation = Simulation(limit).run(60)
    limit.requests = 600
    simulation.run(240)
    assert simulation.refused_after(120) < 0.03


@pytest.mark.parametrize("headers", [{}, {"retry-after": "0"}, {"retry-after-ms": "50"}])
def test_random_429s_do_not_throttle(headers: dict[str, str]) -> None:
    simulation = Simulation(None, chance=0.1, chance_headers=headers).run(60)
    assert len(simulation.accepted) / 60 > 30  # the window alone would allow 128


def test_random_429s_that_ask_for_a_second() -> None:
    simulation = Simulation(None, chance=0.1, chance_headers={"retry-after": "1"}).run(60)
    assert len(simulation.accepted) / 60 > 8


def test_without_429s_nothing_is_delayed() -> None:
    limiter = RateLimiter()
    for _ in range(1000):
        assert limiter.delay(1.0) == 0.0
        limiter.record_success(limiter.send(1.0), {}, 100)
    assert limiter.rate is None


def test_a_token_quota_delays_requests() -> None:
    limiter = RateLimiter()
    headers = {
        "x-ratelimit-limit-tokens": "60000",
        "x-ratelimit-remaining-tokens": "1000",
        "x-ratelimit-reset-tokens": "59s",
    }
    limiter.record_success(limiter.send(0.0), headers, tokens=500)
    sent = 0
    now = 1.0
    while limiter.delay(now) == 0.0 and sent < 100:
        limiter.send(now)
        sent += 1
    assert 1 <= sent <= 3, "1,000 tokens are two requests"
    assert limiter.rate == pytest.approx(1000 / 500, rel=0.01)  # 1,000 tokens a second come back


def test_a_requested_pause_is_kept() -> None:
    limiter = RateLimiter()
    limiter.record_rejection(limiter.send(0.0), 0.1, {}, retry_after=7.0)
    assert limiter.delay(0.1) == pytest.approx(7.0)
    assert limiter.delay(7.0) > 0
    assert limiter.delay(7.2) == 0.0


def test_short_waits_without_success_are_lengthened() -> None:
    limiter, now, sent = RateLimiter(), 0.0, []
    while now < 120:
        if wait := limiter.delay(now):
            now += wait
            continue
        permit = limiter.send(now)
        sent.append(now)
        now += 0.05
        limiter.record_rejection(permit, now, {}, retry_after=0.0)
    assert sum(at > 60 for at in sent) <= 6, "not twenty times a second"
    assert len(sent) < 100


def test_invalid_quota_headers_are_ignored() -> None:
    quota = Quota("tokens", each=1.0)
    for limit, left in [("-1", "-1"), ("0", "0"), ("many", "5"), ("inf", "nan"), (None, "5"), ("5", None)]:
        headers = {"x-ratelimit-limit-tokens": limit, "x-ratelimit-remaining-tokens": left}
        quota.update({name: value for name, value in headers.items() if value is not None}, 0, 1)
    assert quota.rate == math.inf


def test_older_quota_headers_are_ignored() -> None:
    quota = Quota("requests", each=1.0)
    quota.update({"x-ratelimit-limit-requests": "10", "x-ratelimit-remaining-requests": "5"}, 7, 8)
    quota.update({"x-ratelimit-limit-requests": "10", "x-ratelimit-remaining-requests": "9"}, 3, 8)
    assert quota.left == 5
    quota.update({"x-ratelimit-limit-requests": "10", "x-ratelimit-remaining-requests": "4"}, 8, 11)
    assert quota.left == 4 - 2, "two requests have gone out since that answer's"


def test_a_quota_without_a_valid_reset_is_per_minute() -> None:
    for reset in ["1735689600", "2026-11-20T00:00:00Z", "0s", ""]:
        quota = Quota("requests", each=1.0)
        headers = {
            "x-ratelimit-limit-requests": "600",
            "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-reset-requests": reset,
        }
        quota.update(headers, 0, 1)
        assert quota.rate == 10


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12", 12),
        ("1.5", 1.5),
        ("1s", 1),
        ("120ms", 0.12),
        ("6m0s", 360),
        ("1h2m3s", 3723),
        ("1d", 86400),
        ("59.94s", 59.94),
        (" 7 ", 7),
        ("0", 0),
        ("", None),
        (None, None),
        ("soon", None),
        ("9" * 400, None),
        ("-1", None),
        ("1x", None),
        ("1s and more", None),
    ],
)
def test_durations(text: str | None, expected: float | None) -> None:
    assert parse_duration(text) == (None if expected is None else pytest.approx(expected))


@given(st.floats(0, 10**6))
def test_durations_round_trip(wait: float) -> None:
    read = parse_duration(duration(wait))
    assert read is not None
    assert abs(read - wait) <= 0.01 or (wait < 1 and abs(read - wait) <= 0.001)


@given(st.text(max_size=12))
def test_any_header_is_a_wait_or_none(text: str) -> None:
    for name in ("retry-after", "retry-after-ms"):
        wait = retry_after({name: text}, 0.0)
        assert wait is None or wait >= 0


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3),
        ({"retry-after": "0"}, 0),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after": "Thu, 01 Jan 1970 00:01:00 GMT"}, 50),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0),
        ({"retry-after": "tomorrow"}, None),
    ],
)
def test_retry_after(headers: dict[str, str], expected: float | None) -> None:
    assert retry_after(headers, now=10.0) == expected
