"""Reading what endpoints answer: completions and lists of models."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import orjson

from simsa.endpoints.chat import ChatReply, ModelInfo


class Answer(NamedTuple):
    """What came back, whatever the status."""

    status: int
    headers: Mapping[str, str]
    body: bytes


TroubleKind = Literal["unreachable", "untrusted", "timeout", "broken", "too_big"]


class Trouble(NamedTuple):
    """Nothing came back, or not all of it.

    `unreachable`: no connection. `untrusted`: no TLS. `timeout`: no answer in time.
    `broken`: the connection or the protocol broke. `too_big`: more than 32 MB.
    """

    kind: TroubleKind
    detail: str


class Malformed(Exception):
    """A body that is no answer, though its status said so."""


def completion(body: bytes, latency_s: float, attempts: int) -> ChatReply:
    """A ChatReply from the body of a 200. Raises Malformed."""
    try:
        found = orjson.loads(body)
        choice = found["choices"][0]
        message = choice["message"]
        content = message.get("content")
        usage = found.get("usage") or {}
        cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens")
        return ChatReply(
            text=content if isinstance(content, str) else _parts(content),
            finish_reason=choice.get("finish_reason"),
            refusal=message.get("refusal"),
            prompt_tokens=usage.get("prompt_tokens") or 0,
            completion_tokens=usage.get("completion_tokens") or 0,
            cached_tokens=cached or 0,
            latency_s=latency_s,
            model=found.get("model"),
            system_fingerprint=found.get("system_fingerprint"),
            attempts=attempts,
            logprobs=choice.get("logprobs"),
        )
    except orjson.JSONDecodeError:
        raise Malformed("an answer that is not JSON" if body else "an empty answer") from None
    except (KeyError, IndexError, TypeError, AttributeError):
        raise Malformed("an answer without a message") from None


def models(body: bytes) -> list[ModelInfo]:
    """The models of `GET /v1/models`. Raises Malformed."""
    try:
        found = orjson.loads(body)
        return [_model(card) for card in (found["data"] if isinstance(found, dict) else found)]
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        raise Malformed("a list of models that cannot be read") from None


def _parts(content: Any) -> str:
    """The text of content given in parts; "" for none."""
    return "".join(part["text"] for part in content or () if "text" in part)


def _model(card: dict[str, Any]) -> ModelInfo:
    length = card.get("max_model_len") or card.get("context_length") or card.get("context_window")
    return ModelInfo(
        id=card["id"],
        shutdown_date=_date(card.get("shutdown_date")),
        parent=card.get("parent"),
        root=card.get("root"),
        max_model_len=length if isinstance(length, int) else None,
    )


def _date(value: Any) -> datetime.date | None:
    """A date from ISO text or seconds since the epoch; None from anything else."""
    try:
        if isinstance(value, str):
            return datetime.datetime.fromisoformat(value).date()
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.datetime.fromtimestamp(value, datetime.UTC).date()
    except (ValueError, OverflowError, OSError):
        pass
    return None
