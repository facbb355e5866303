"""What an endpoint takes is asked once, told apart from what it heeds, and forgotten in time."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsa.errors import ConfigError, EndpointError
from simsa.llm import CachedCapabilities, ChatEndpoint, cached_capabilities, probe_capabilities
from simsa.llm.base_url import BaseUrl
from simsa.llm.capability_cache import CacheEntry, now_ms, remember
from tests.llm.asking import request
from tests.servers.chat import Body, ChatServer

DAY = 24 * 3600 * 1000
NEAR, FAR = BaseUrl.parse("http://localhost:8000"), BaseUrl.parse("https://api.example.com")


def cache() -> Path:
    return Path(os.environ["SIMSA_MEMORY"])


def obedient(body: Body) -> str:
    return '{"ok": true}' if "response_format" in body else "Sure: ok!"


def found_out(
    url: str, model: str = "m", extra_body: Mapping[str, Any] | None = None
) -> CachedCapabilities | None:
    async def work() -> CachedCapabilities | None:
        async with ChatEndpoint(url, model, max_attempts=1, key="sk-test-secret") as endpoint:
            return await probe_capabilities(endpoint, extra_body)

    return asyncio.run(work())


def test_one_answer_tells_all_and_is_remembered() -> None:
    with ChatServer(reply=obedient) as server:
        known = found_out(server.url)
        assert server.count == 1
        assert known is not None
        assert known.schema_kept
        assert known.logprobs_given
        assert known.abilities.schema is known.abilities.seed is known.abilities.temperature is True
        assert not known.is_reasoning
        assert 0 < known.tokens < 60
        again = cached_capabilities(server.url, "m")
        assert again is not None
        assert again.to_dict() == known.to_dict()
        assert list(again.found_by) == ["check"]
        assert cached_capabilities(f"{server.url}/", "m") is not None
        assert cached_capabilities(server.url.removesuffix("/v1"), "m") is not None, (
            "however the address is written"
        )
        assert cached_capabilities(server.url, "other") is None
        assert server.count == 1
    assert b"sk-" not in cache().read_bytes()


def test_a_reasoning_model_and_an_old_server() -> None:
    refuses = ("temperature", "top_p", "logprobs", "max_tokens")
    with ChatServer(reply=obedient, refuses=refuses) as server:
        known = found_out(server.url, "reasoner")
    assert known is not None
    assert known.is_reasoning
    assert known.abilities.length_field == "max_completion_tokens"
    assert known.abilities.logprobs is False
    assert known.schema_kept
    with ChatServer(reply=obedient, refuses=("response_format",)) as server:
        old = found_out(server.url)
    assert old is not None
    assert old.abilities.schema is False
    assert not old.schema_kept


def test_a_schema_that_is_taken_and_not_heeded() -> None:
    with ChatServer(reply="Of course! Everything is ok.") as server:
        known = found_out(server.url)
    assert known is not None
    assert known.abilities.schema is True
    assert known.schema_kept is False


def test_what_is_always_sent_along_is_another_matter_and_never_written_down() -> None:
    """A reasoning model takes a temperature only at some efforts; a body or a query may hold a key."""

    def refuse(body: Body) -> Any:
        return obedient(body)

    with ChatServer(reply=refuse, refuses=("temperature",)) as server:
        assert found_out(server.url, extra_body={"effort": "sk-in-the-body"}) is not None
        assert server.requests[-1]["effort"] == "sk-in-the-body"
        assert cached_capabilities(server.url, "m") is None
        assert cached_capabilities(server.url, "m", {"effort": "other"}) is None
        assert cached_capabilities(server.url, "m", {"effort": "sk-in-the-body"}) is not None
        assert cached_capabilities(server.url, "m", {}) is None
    remember(BaseUrl.parse("https://one.example/v1?key=sk-in-the-query"), "m", None, {"seed": 1}, by="run")
    assert cached_capabilities("https://one.example/v1?key=sk-in-the-query", "m") is not None
    assert cached_capabilities("https://one.example/v1", "m") is None
    assert b"sk-" not in cache().read_bytes()


@pytest.mark.parametrize(
    ("address", "value", "days"), [(FAR, 1, 30), (FAR, 0, 30), (NEAR, 1, 30), (NEAR, 0, 1)]
)
def test_it_is_believed_for_a_month_and_what_ones_own_server_refuses_for_a_day(
    address: BaseUrl, value: int, days: int
) -> None:
    now = now_ms()
    young, old = (CacheEntry(value, now - age, "run") for age in (days * DAY - 60_000, days * DAY + 60_000))
    known = CachedCapabilities.of(address, {"seed": young, "stop": old})
    assert known is not None
    assert known.abilities.seed is bool(value)
    assert known.abilities.takes("stop") is None
    assert CachedCapabilities.of(address, {"stop": old}) is None


@pytest.mark.parametrize(
    ("url", "near"),
    [
        ("http://localhost:8000", True),
        ("http://gpu3:8000", True),
        ("http://box.local:1", True),
        ("http://10.1.2.3:8000", True),
        ("http://[fd00::1]:8000", True),
        ("http://8.8.8.8", False),
        ("http://[2606:4700::1]:8000", False),
        ("https://api.openai.com/v1", False),
    ],
)
def test_which_servers_are_ones_own(url: str, near: bool) -> None:
    assert BaseUrl.parse(url).is_near is near


@pytest.mark.parametrize(
    ("max_tokens", "newer", "used", "refused"),
    [
        (None, None, "max_tokens", set()),
        (0, 1, "max_completion_tokens", {"max_tokens"}),
        (1, 0, "max_tokens", {"max_completion_tokens"}),
        (0, None, "max_completion_tokens", {"max_tokens"}),
        (0, 0, "max_tokens", set()),
    ],
)
def test_the_length_limit_goes_by_the_name_that_is_not_refused(
    max_tokens: int | None, newer: int | None, used: str, refused: set[str]
) -> None:
    given = {"max_tokens": max_tokens, "max_completion_tokens": newer, "seed": 1}
    facts = {name: CacheEntry(value, now_ms(), "run") for name, value in given.items() if value is not None}
    known = CachedCapabilities.of(FAR, facts)
    assert known is not None
    assert (known.abilities.length_field, known.abilities.refused) == (used, refused)


NAMES = (
    "response_format",
    "temperature",
    "top_p",
    "seed",
    "stop",
    "logprobs",
    "max_tokens",
    "max_completion_tokens",
)


@given(
    st.dictionaries(
        st.sampled_from([*NAMES, "schema_kept", "logprobs_given", "tokens", "of another version"]),
        st.builds(CacheEntry, st.integers(0, 1), st.integers(0, 40), st.sampled_from(["check", "run"])),
    ),
    st.sampled_from([NEAR, FAR, BaseUrl.parse("https://api.openai.com")]),
)
def test_whatever_is_remembered_makes_a_whole_request(found: dict[str, CacheEntry], address: BaseUrl) -> None:
    now = now_ms()
    facts = {name: fact._replace(at=now - fact.at * DAY + 60_000) for name, fact in found.items()}
    known = CachedCapabilities.of(address, facts)
    if known is None:
        return
    body = known.abilities.compose(request(top_p=0.5, stop=("끝",), logprobs=1), "m")
    assert len({"max_tokens", "max_completion_tokens"} & body.keys()) == 1
    assert body["model"] == "m" and body["messages"]
    for name in NAMES[:6]:
        believed = name in found and found[name].at <= (1 if address.is_near else 30)
        assert (name in body) is not (believed and not found[name].value)
    assert all(fact.at >= now - 31 * DAY for name, fact in known.facts.items() if name != "tokens")


def test_a_damaged_file_is_as_good_as_none() -> None:
    cache().parent.mkdir(exist_ok=True)
    with ChatServer(reply=obedient) as server:
        cache().write_bytes(b"{" * 5000)
        assert cached_capabilities(server.url, "m") is None
        assert found_out(server.url) is not None
        assert cached_capabilities(server.url, "m") is not None


def test_where_nothing_can_or_shall_be_written_it_is_only_not_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    for where in (str(tmp_path / "file" / "facts"), "off"):
        monkeypatch.setenv("SIMSA_MEMORY", where)
        with ChatServer(reply=obedient) as server:
            assert found_out(server.url) is not None
            assert cached_capabilities(server.url, "m") is None
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_by_default_it_is_in_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SIMSA_MEMORY")
    monkeypatch.setenv("SIMSA_CACHE", str(tmp_path / "cache"))
    remember(FAR, "m", None, {"seed": 0}, by="run")
    with sqlite3.connect(tmp_path / "cache" / "endpoints.sqlite") as kept:
        (row,) = kept.execute("SELECT place, name, value, by FROM facts").fetchall()
    kept.close()
    assert row == ("https://api.example.com/v1 m", "seed", 0, "run")


def test_the_last_word_of_each_who_found_something_out() -> None:
    day = BaseUrl.parse("https://api.example.com")
    now = now_ms()
    facts = {
        "seed": CacheEntry(1, now - 3 * DAY, "check"),
        "stop": CacheEntry(1, now - 5 * DAY, "check"),
        "temperature": CacheEntry(0, now - DAY, "run"),
    }
    known = CachedCapabilities.of(day, facts)
    assert known is not None
    assert list(known.found_by) == ["run", "check"]
    assert (known.found - known.found_by["check"]).days == 2
    found = known.to_dict()
    assert found["findings"]["temperature"]["by"] == "run"
    assert found["found"] == str(known.found)
    assert (found["tokens"], found["schema_kept"]) == (0, None)


def test_no_answer_and_no_endpoint() -> None:
    with ChatServer(reply=obedient, context=1) as server:
        assert found_out(server.url) is None
        assert cached_capabilities(server.url, "m") is None
    with pytest.raises(EndpointError):
        found_out("http://127.0.0.1:9/v1")
    with pytest.raises(ConfigError):
        cached_capabilities("nowhere", "m")
