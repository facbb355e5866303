"""What one process learns of an endpoint spares the next one its refusals; what has changed is seen in one call."""

from __future__ import annotations

from typing import Any

import pytest

from simsa.llm import CachedCapabilities, CapabilityLearner, cached_capabilities
from simsa.llm.api_errors import ErrorResponse
from simsa.llm.base_url import BaseUrl
from simsa.llm.capabilities import is_lasting
from simsa.llm.capability_cache import remember
from tests.llm.asking import Outcome, ask, request
from tests.servers.chat import Body, ChatServer, unsupported
from tests.servers.faults import error

ALL = ("response_format", "temperature", "top_p", "seed", "stop", "logprobs", "max_tokens")
FITTING = '{"score": 4}'


def wanted(n: int = 10, **changes: Any) -> list[Any]:
    return [request(f"{i}번", **{"top_p": 0.9, "stop": ("끝",), "logprobs": 1, **changes}) for i in range(n)]


def sitting(server: ChatServer, requests: Any = None, model: str = "judge") -> Outcome:
    """A process of its own asks: everything it knows is what is remembered."""
    requests = wanted() if requests is None else requests
    return ask(server, requests, model=model, lessons=CapabilityLearner(server.url, model))


def known(server: ChatServer, model: str = "judge") -> CachedCapabilities:
    found = cached_capabilities(server.url, model)
    assert found is not None
    return found


@pytest.mark.parametrize("refused", [("temperature",), ("response_format", "max_tokens"), ALL])
def test_the_second_process_makes_no_refused_call(refused: tuple[str, ...]) -> None:
    with ChatServer(reply=FITTING, refuses=refused) as server:
        first = sitting(server)
        assert server.count == 10 + len(refused)
        before = server.count
        second = sitting(server)
        assert server.count == before + 10
        assert {call.status for call in server.calls[before:]} == {200}
    assert len(first.replies) == len(second.replies) == 10
    missed = sorted(set(refused) - {"max_tokens"})
    (said,) = second.events
    assert f"remembered not to take {', '.join(missed)}" in said
    assert second.abilities.same_form(first.abilities)


def test_only_what_is_really_left_out_is_spoken_of_and_once() -> None:
    with ChatServer(reply=FITTING, refuses=["seed", "logprobs"]) as server:
        sitting(server)
        assert sitting(server, []).events == [], "nothing was asked"
        plain = [request(f"{n}", seed=None) for n in range(5)]
        assert sitting(server, plain).events == []
        asked = [*plain, request("a"), request("b"), request("c", logprobs=1)]
        said = sitting(server, asked).events
    assert sorted(line.partition("not to take ")[2].split()[0] for line in said) == ["logprobs", "seed"]


def test_what_is_taken_and_heeded_is_remembered_too() -> None:
    with ChatServer(reply=FITTING) as server:
        assert sitting(server).events == []
        found = known(server)
    assert found.abilities.to_dict() == {"length_field": "max_tokens"} | dict.fromkeys(ALL[:-1], True)
    assert found.schema_kept is found.logprobs_given is True
    assert {fact.by for fact in found.facts.values()} == {"run"}


def test_what_is_known_is_not_written_again() -> None:
    with ChatServer(reply=FITTING, refuses=["seed"]) as server:
        sitting(server)
        before = known(server).facts
        sitting(server)
        assert known(server).facts == before, "it grows old, and is asked anew in time"


@pytest.mark.parametrize("field", ALL)
def test_what_was_taken_and_is_refused_now_is_learnt_in_one_call(field: str) -> None:
    with ChatServer(reply=FITTING) as server:
        sitting(server)
        server.refuses, before = [field], server.count
        healed = sitting(server)
        assert len(healed.replies) == 10
        assert server.count == before + 11
        assert known(server).abilities.takes(field) is False
        before = server.count
        sitting(server)
        assert server.count == before + 10


def test_the_two_names_of_the_length_limit_can_change_places_and_back() -> None:
    with ChatServer(reply=FITTING) as server:
        for refused, used in [
            ("max_tokens", "max_completion_tokens"),
            ("max_completion_tokens", "max_tokens"),
        ] * 2:
            server.refuses, before = [refused], server.count
            assert len(sitting(server).replies) == 10
            assert server.count == before + 11
            assert known(server).abilities.length_field == used
    with ChatServer(refuses=["max_tokens", "max_completion_tokens"]) as server:
        remember(BaseUrl.parse(server.url), "judge", None, {"max_tokens": 0}, by="run")
        assert ask(server, lessons=CapabilityLearner(server.url, "judge")).failures
        assert server.count == 2, "each name is tried once"


@pytest.mark.parametrize(
    "said",
    [
        "temperature must be between 0 and 2",
        "Unexpected value for 'temperature': should be less than or equal to 2",
        "3.0 is not valid for temperature, which is at most 2",
    ],
)
def test_a_value_that_is_out_of_bounds_is_not_taken_for_a_field_that_is_refused(said: str) -> None:
    def reply(body: Body) -> Any:
        if body.get("temperature", 0) > 2:
            return error(400, said, param="temperature")
        return FITTING

    with ChatServer(reply=reply) as server:
        assert len(sitting(server, [request("?", temperature=3.0)]).replies) == 1
        assert "temperature" not in known(server).facts
        sitting(server, [request("?", temperature=1.0)])
        assert known(server).abilities.temperature is True


def test_a_refusal_counts_once_a_request_without_the_field_was_answered() -> None:
    with ChatServer(reply=unsupported("temperature")) as server:
        assert sitting(server, wanted(1)).failures
        assert cached_capabilities(server.url, "judge") is None, "it was something else"


def test_models_at_one_address_are_kept_apart() -> None:
    def reply(body: Body) -> Any:
        return unsupported("seed") if body["model"] == "picky" and "seed" in body else FITTING

    with ChatServer(reply=reply) as server:
        sitting(server, model="picky")
        sitting(server, model="easy")
        assert known(server, "picky").abilities.seed is False
        assert known(server, "easy").abilities.seed is True
        before = known(server, "easy").facts
        sitting(server, [request("?", model="picky", logprobs=1)] * 7, model="easy")
        assert known(server, "easy").facts == before, "what another model makes of it is not this one's"


@pytest.mark.parametrize(
    ("reply", "heeded"),
    [
        ("Sure!", False),
        ('{"score": 4, "more": 1}', False),
        ("```json\n{}\n```", False),
        ("[]", False),
        (FITTING, True),
    ],
)
def test_whether_a_schema_is_heeded_shows_in_the_majority_of_five_answers(reply: str, heeded: bool) -> None:
    with ChatServer(reply=reply) as server:
        sitting(server, wanted(4))
        assert known(server).schema_kept is None
        sitting(server, wanted(5))
        assert known(server).schema_kept is heeded
        server.reply = "Sure!" if heeded else FITTING
        sitting(server, wanted(5))
        assert known(server).schema_kept is not heeded, "it may change"


def test_one_answer_that_went_wrong_says_nothing() -> None:
    with ChatServer(reply=lambda body: "글쎄요." if server.count == 2 else FITTING) as server:
        sitting(server)
        assert known(server).schema_kept is True


def test_processes_that_learn_different_things_at_once_add_up() -> None:
    with ChatServer(reply=FITTING, refuses=["seed", "stop"]) as server:
        one, two = CapabilityLearner(server.url, "judge"), CapabilityLearner(server.url, "judge")
        ask(server, wanted(5, stop=(), logprobs=None), lessons=one)
        ask(server, wanted(5, seed=None), lessons=two)
        found = known(server).abilities
    assert (found.seed, found.takes("stop"), found.logprobs) == (False, False, True)


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
def test_which_refusals_are_worth_remembering(said: str, code: str, lasting: bool) -> None:
    assert is_lasting(ErrorResponse(400, said, code)) is lasting
