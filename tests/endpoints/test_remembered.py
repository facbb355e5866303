"""What an endpoint takes is asked once, told apart from what it heeds, and forgotten after a month."""

from __future__ import annotations

import asyncio
import datetime
import json
from pathlib import Path
from typing import Any

import pytest
from tests.servers.chat import Body, ChatServer

from simsa.endpoints import Abilities, ChatEndpoint, Known, find_out, remembered
from simsa.errors import EndpointError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SIMSA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "endpoints.json"


def obedient(body: Body) -> str:
    return '{"ok": true}' if "response_format" in body else "Sure: ok!"


def found_out(url: str, model: str = "m", **more: Any) -> Known | None:
    async def work() -> Known | None:
        async with ChatEndpoint(url, model, max_attempts=1, **more) as endpoint:
            return await find_out(endpoint)

    return asyncio.run(work())


def test_one_answer_tells_all_and_is_remembered(cache: Path) -> None:
    with ChatServer(reply=obedient) as server:
        known = found_out(server.url)
        assert server.count == 1
        assert known is not None
        assert known.schema_kept
        assert known.logprobs_given
        assert known.abilities.schema is known.abilities.seed is known.abilities.temperature is True
        assert not known.is_reasoning
        assert 0 < known.tokens < 60
        again = remembered(server.url, "m")
        assert again is not None
        assert again.to_dict() == known.to_dict()
        assert remembered(f"{server.url}/", "m") is not None
        assert remembered(server.url, "other") is None
        assert server.count == 1
    assert "sk-" not in cache.read_text()


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
    assert not known.schema_kept


def test_after_a_month_it_is_not_known_any_more(cache: Path) -> None:
    with ChatServer(reply=obedient) as server:
        found_out(server.url)
        kept = json.loads(cache.read_text())
        (key,) = kept
        for days, still in ((30, True), (31, False)):
            today = datetime.datetime.now(datetime.UTC).date()
            kept[key]["found"] = str(today - datetime.timedelta(days=days))
            cache.write_text(json.dumps(kept))
            assert (remembered(server.url, "m") is not None) is still


@pytest.mark.parametrize(
    "damage", ["", "[]", "{", '{"%s m": 3}', '{"%s m": {"length_field": "x"}}', '{"%s m": {}}']
)
def test_a_damaged_file_is_as_good_as_none(cache: Path, damage: str) -> None:
    cache.parent.mkdir()
    with ChatServer(reply=obedient) as server:
        cache.write_text(damage.replace("%s", server.url))
        assert remembered(server.url, "m") is None
        assert found_out(server.url) is not None
        assert remembered(server.url, "m") is not None


def test_a_cache_that_cannot_be_written_to_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SIMSA_CACHE", str(tmp_path / "file" / "cache"))
    with ChatServer(reply=obedient) as server:
        assert found_out(server.url) is not None
        assert remembered(server.url, "m") is None


def test_no_answer_and_no_endpoint() -> None:
    with ChatServer(reply=obedient, context=1) as server:
        assert found_out(server.url) is None
        assert remembered(server.url, "m") is None
    with pytest.raises(EndpointError):
        found_out("http://127.0.0.1:9/v1")


def test_abilities_survive_their_json() -> None:
    abilities = Abilities(
        "max_completion_tokens", frozenset({"seed"}), frozenset({"temperature", "logprobs"})
    )
    again = Abilities.from_dict(abilities.to_dict())
    assert (again.seed, again.temperature, again.logprobs, again.schema) == (True, False, False, None)
    assert again.length_field == "max_completion_tokens"
    with pytest.raises(ValueError, match="length_field"):
        Abilities.from_dict({"length_field": "n_predict"})
