"""Properties that hold for any request, response and order of events."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from simsa.errors import EndpointError
from simsa.llm import Capabilities, ChatReply, ChatRequest, Price, cost
from simsa.llm.api_errors import parse_error
from simsa.llm.capabilities import LENGTH_FIELDS
from simsa.llm.chat import MalformedResponse, parse_completion, parse_models
from simsa.llm.rate_limit import ConcurrencyWindow, RateLimiter
from tests.servers.chat import ChatServer, unsupported
from tests.servers.faults import error
from tests.support.llm_client import SCHEMA, ask, request

OPTIONAL = ("response_format", "temperature", "top_p", "seed", "stop", "logprobs")

# What endpoints take ------------------------------------------------------------------------

requests = st.builds(
    ChatRequest,
    messages=st.just([{"role": "user", "content": "질문"}]),
    max_tokens=st.integers(1, 4096),
    temperature=st.none() | st.floats(0, 2),
    top_p=st.none() | st.floats(0.1, 1),
    seed=st.none() | st.integers(0, 99),
    stop=st.just(()) | st.just(("끝",)),
    schema=st.none() | st.just(SCHEMA),
    logprobs=st.none() | st.integers(1, 20),
)
abilities = st.builds(
    Capabilities,
    length_field=st.sampled_from(LENGTH_FIELDS),
    accepted=st.frozensets(st.sampled_from(OPTIONAL)),
    refused=st.frozensets(st.sampled_from(OPTIONAL)),
)


@given(requests, abilities)
def test_compose_leaves_out_exactly_the_refused_fields(wanted: ChatRequest, known: Capabilities) -> None:
    body = known.compose(wanted, "judge")
    assert not known.refused & body.keys()
    assert body[known.length_field] == wanted.max_tokens
    assert len(body.keys() & set(LENGTH_FIELDS)) == 1
    for name in ("temperature", "top_p", "seed"):
        if name not in known.refused:
            assert body.get(name) == getattr(wanted, name)
    assert ("top_logprobs" in body) == ("logprobs" in body)
    assert orjson.loads(orjson.dumps(body)) == body | {"stop": list(body["stop"])} if "stop" in body else True


@given(requests, st.permutations([*OPTIONAL, "max_tokens"]))
def test_fields_refused_one_after_another_are_all_learned(wanted: ChatRequest, order: list[str]) -> None:
    known, lessons = Capabilities(), 0
    while True:
        sent = known.compose(wanted, "judge")
        complained = next((name for name in order if name in sent), None)
        if complained is None:
            break
        response = unsupported(complained)
        learnt = known.without(parse_error(response.status, response.body), sent)
        assert learnt is not None, complained
        assert learnt != known
        known, lessons = learnt, lessons + 1
        assert lessons <= len(order)
    assert sent.keys() <= {"model", "messages", "max_completion_tokens"}


# What comes back ----------------------------------------------------------------------------

json = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "message", "content", "usage", "prompt_tokens", "data", "id", "text", "refusal"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=14,
)


@given(st.one_of(st.binary(max_size=80), json.map(orjson.dumps)))
def test_any_body_is_a_reply_or_malformed(body: bytes) -> None:
    try:
        found = parse_completion(body, 0.5, 1)
    except MalformedResponse as malformed:
        assert str(malformed)
    else:
        assert isinstance(found, ChatReply)
        assert isinstance(found.text, str)


@given(st.one_of(st.binary(max_size=80), json.map(orjson.dumps)))
def test_any_body_is_a_list_of_models_or_malformed(body: bytes) -> None:
    try:
        found = parse_models(body)
    except MalformedResponse as malformed:
        assert "models" in str(malformed)
    else:
        assert isinstance(found, list)


# Prices -------------------------------------------------------------------------------------

tokens = st.integers(0, 10**7)
prices = st.builds(Price, st.floats(0, 1e3), st.floats(0, 1e3), st.floats(0, 1e3))


@given(tokens, tokens, tokens, prices)
def test_cost_is_between_fully_cached_and_uncached(
    prompt: int, cached: int, answer: int, each: Price
) -> None:
    found = cost("any", prompt, cached, answer, each)
    ends = [cost("any", prompt, from_cache, answer, each) for from_cache in (0, prompt)]
    assert found is not None
    low, high = sorted(end for end in ends if end is not None)
    assert low - 1e-9 <= found <= high + 1e-9
    assert found >= 0


@given(tokens, tokens, prices)
def test_cost_is_additive(prompt: int, answer: int, each: Price) -> None:
    one, two = cost("any", prompt, 0, answer, each), cost("any", 2 * prompt, 0, 2 * answer, each)
    assert one is not None
    assert two == pytest.approx(2 * one)


# The window and the pace --------------------------------------------------------------------


@given(
    st.integers(1, 300), st.integers(1, 16), st.lists(st.sampled_from(["good", "bad", "open"]), max_size=400)
)
def test_the_window_stays_within_its_limits(most: int, least: int, events: list[str]) -> None:
    window = ConcurrencyWindow(most, least)
    for event in events:
        window.open() if event == "open" else window.record(success=event == "good")
        assert 1 <= int(window.size) <= most
    if "open" in events:
        assert window.size >= min(least, most, 16)


class PacerMachine(RuleBasedStateMachine):
    """Requests, successes and 429s in any order, on any monotonic clock."""

    def __init__(self) -> None:
        super().__init__()
        self.limiter = RateLimiter()
        self.now = 0.0
        self.under_way: list[Any] = []
        self.paused_until = -math.inf

    @rule(seconds=st.floats(0, 30))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def send(self) -> None:
        delay = self.limiter.delay(self.now)
        assert delay >= 0
        self.now += delay
        assert self.limiter.delay(self.now) <= 1e-6, "a request may be sent after its delay"
        assert self.now >= self.paused_until - 1e-6, "no request is sent in a requested pause"
        self.under_way.append(self.limiter.send(self.now))

    @precondition(lambda self: self.under_way)
    @rule(
        place=st.integers(0, 99),
        left=st.none() | st.integers(0, 500),
        limit=st.integers(1, 500),
        reset=st.sampled_from(["", "1s", "6m0s", "soon"]),
    )
    def answer(self, place: int, left: int | None, limit: int, reset: str) -> None:
        permit = self.under_way.pop(place % len(self.under_way))
        self.limiter.record_success(permit, _headers(left, limit, reset), tokens=100)

    @precondition(lambda self: self.under_way)
    @rule(place=st.integers(0, 99), after=st.none() | st.floats(0, 60), left=st.none() | st.just(0))
    def refuse(self, place: int, after: float | None, left: int | None) -> None:
        permit = self.under_way.pop(place % len(self.under_way))
        rests = self.limiter._estimator.ignores(self.limiter.sent)
        self.limiter.record_rejection(permit, self.now, _headers(left, 60, "1m0s"), after)
        if after is not None and not rests:
            self.paused_until = max(self.paused_until, min(self.limiter.resume_at, self.now + after))

    @invariant()
    def the_pace_is_a_pace(self) -> None:
        assert self.limiter.rate is None or 0 < self.limiter.rate < math.inf


def _headers(left: int | None, limit: int, reset: str) -> Mapping[str, str]:
    if left is None:
        return {}
    return {
        "x-ratelimit-limit-requests": str(limit),
        "x-ratelimit-remaining-requests": str(min(left, limit)),
        "x-ratelimit-reset-requests": reset,
    }


TestPacer = PacerMachine.TestCase
TestPacer.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


# Several models at one endpoint -------------------------------------------------------------


def test_a_missing_model_affects_only_its_own_requests() -> None:
    with ChatServer(models=["here"], latency_s=0.005) as server:
        wanted = [request(f"{n}", model="here" if n % 3 else "gone") for n in range(60)]
        outcome = ask(server, wanted, max_concurrency=4)
    for n, found in enumerate(outcome.results):
        assert isinstance(found, ChatReply if n % 3 else EndpointError), found
    of_the_missing = sum(body["model"] == "gone" for body in server.requests)
    assert of_the_missing <= 4, "no more than were in flight at the first error"


def test_each_request_raises_its_own_copy_of_a_fatal_error() -> None:
    with ChatServer(reply=error(401, "Incorrect API key provided", code="invalid_api_key")) as server:
        outcome = ask(server, 20, key="sk-wrong-0123456789", key_name="JUDGE_KEY")
    assert len(outcome.errors) == 20
    assert len({id(one) for one in outcome.errors}) == 20, "each has its own traceback"
    assert {str(one) for one in outcome.errors} == {str(outcome.errors[0])}
    assert server.count == 1


def test_loopback_addresses_bypass_the_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with ChatServer() as server:
        assert len(ask(server, 3).replies) == 3


def test_a_cancelled_first_request_lets_the_next_one_go() -> None:
    async def scenario(url: str) -> object:
        from simsa.llm import ChatEndpoint

        async with ChatEndpoint(url, "judge") as endpoint:
            scout = asyncio.create_task(endpoint.complete(request("느림")))
            await asyncio.sleep(0.05)
            after = asyncio.create_task(endpoint.complete(request("빠름")))
            await asyncio.sleep(0.05)
            scout.cancel()
            return await asyncio.wait_for(after, 5)

    with ChatServer(latency_s=lambda body: 2.0 if "느림" in str(body["messages"]) else 0.0) as server:
        assert isinstance(asyncio.run(scenario(server.url)), ChatReply)
