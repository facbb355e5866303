"""What endpoints take, found out once and kept for a month in the user's cache folder."""

from __future__ import annotations

import contextlib
import datetime
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from simsa.config import cache_dir
from simsa.endpoints.abilities import Abilities, probe_request
from simsa.endpoints.chat import ChatReply

if TYPE_CHECKING:
    from simsa.endpoints.client import ChatEndpoint

_DAYS = 30


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a model at an endpoint.

    `abilities` says which request fields it takes; `schema_kept` whether its answer had the
    form of the schema, `logprobs_given` whether there were any: to take a field is not yet
    to heed it. `found` is the day on which it was asked; `tokens` is what that took.
    """

    abilities: Abilities
    schema_kept: bool
    logprobs_given: bool
    found: datetime.date
    tokens: int = 0

    @property
    def is_reasoning(self) -> bool:
        """Refusing a temperature is what reasoning models do."""
        return self.abilities.temperature is False

    def to_dict(self) -> dict[str, Any]:
        return self.abilities.to_dict() | {
            "schema_kept": self.schema_kept,
            "logprobs_given": self.logprobs_given,
            "reasoning": self.is_reasoning,
            "found": str(self.found),
            "tokens": self.tokens,
        }

    @classmethod
    def from_dict(cls, kept: dict[str, Any]) -> Known:
        """Inverse of `to_dict`. Raises KeyError, TypeError or ValueError for anything else."""
        return cls(
            Abilities.from_dict(kept),
            bool(kept["schema_kept"]),
            bool(kept["logprobs_given"]),
            datetime.date.fromisoformat(kept["found"]),
            int(kept["tokens"]),
        )


async def find_out(endpoint: ChatEndpoint) -> Known | None:
    """Asks the endpoint one small question with every optional field, and remembers what it made of it.

    Takes a few tokens. None when it gave no answer at all; raises EndpointError as every request does.
    """
    reply = await endpoint.complete(probe_request())
    if not isinstance(reply, ChatReply):
        return None
    known = Known(
        endpoint.abilities,
        schema_kept=endpoint.abilities.schema is True and _kept(reply.text),
        logprobs_given=bool(reply.logprobs),
        found=_today(),
        tokens=reply.prompt_tokens + reply.completion_tokens,
    )
    _write(_key(endpoint.base_url, endpoint.model), known)
    return known


def remembered(base_url: str, model: str) -> Known | None:
    """What was found out of `model` at `base_url` within the last month; None otherwise."""
    try:
        known = Known.from_dict(_read()[_key(base_url, model)])
    except (KeyError, TypeError, ValueError):
        return None
    return known if (_today() - known.found).days <= _DAYS else None


def _kept(text: str) -> bool:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return isinstance(found, dict) and list(found) == ["ok"] and isinstance(found["ok"], bool)


def _key(base_url: str, model: str) -> str:
    return f"{base_url.rstrip('/')} {model}"


def _file() -> Path:
    return cache_dir() / "endpoints.json"


def _read() -> dict[str, Any]:
    try:
        found = orjson.loads(_file().read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(key: str, known: Known) -> None:
    """A folder that cannot be written to only means asking again another day."""
    file = _file()
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_bytes(orjson.dumps(_read() | {key: known.to_dict()}, option=orjson.OPT_INDENT_2))
        unfinished.replace(file)


def _today() -> datetime.date:
    return datetime.datetime.now(datetime.UTC).date()
