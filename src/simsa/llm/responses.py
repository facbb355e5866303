"""Reading what endpoints answer: completions and lists of models."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import orjson

from simsa.llm.chat import ChatReply, ModelInfo


class ApiResponse(NamedTuple):
    """What came back, whatever the status."""

    status: int
    headers: Mapping[str, str]
    body: bytes


_MOST_TOKENS = 1 << 30

TroubleKind = Literal["unreachable", "untrusted", "timeout", "broken", "too_big"]


class TransportFailure(NamedTuple):
    """Nothing came back, or not all of it.

    `unreachable`: no connection. `untrusted`: no TLS. `timeout`: no answer in time.
    `broken`: the connection or the protocol broke. `too_big`: more than 32 MB.
    """

    kind: TroubleKind
    detail: str


class MalformedResponse(Exception):
    """A body that is no answer, though its status said so."""


def completion(body: bytes, latency_s: float, attempts: int) -> ChatReply:
    """A ChatReply from the body of a 200. Raises Malformed.

    Only the message has to be there. What else is not what it should be counts as not said: an answer is paid for,
    whatever stands beside it.
    """
    try:
        found = parsed(body)
        choice = found["choices"][0]
        message = choice["message"]
        content = message.get("content")
        text = content if isinstance(content, str) else _parts(content)
    except orjson.JSONDecodeError:
        raise MalformedResponse("an answer that is not JSON" if body else "an empty answer") from None
    except (KeyError, IndexError, TypeError, AttributeError):
        raise MalformedResponse("an answer without a message") from None
    usage = _members(found.get("usage"))
    prompt = _count(usage.get("prompt_tokens"))
    cached = _count(_members(usage.get("prompt_tokens_details")).get("cached_tokens"))
    return ChatReply(
        text=text,
        finish_reason=_text(choice.get("finish_reason")),
        refusal=_refusal(message.get("refusal")),
        prompt_tokens=prompt,
        completion_tokens=_count(usage.get("completion_tokens")),
        cached_tokens=min(cached, prompt),
        latency_s=latency_s,
        model=_text(found.get("model")),
        system_fingerprint=_text(found.get("system_fingerprint")),
        attempts=attempts,
        logprobs=choice.get("logprobs"),
    )


def parsed(body: bytes) -> Any:
    """The value of a JSON text; half a character in a string, as a cut through an emoji leaves, becomes a question mark.

    Raises orjson.JSONDecodeError.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        if b"\\u" not in body:
            raise
        try:
            whole = json.dumps(json.loads(body), ensure_ascii=False).encode("utf-8", "replace")
        except (ValueError, RecursionError):
            whole = body
        return orjson.loads(whole)


def models(body: bytes) -> list[ModelInfo]:
    """The models of `GET /v1/models`. Raises Malformed."""
    try:
        found = orjson.loads(body)
        cards = found["data"] if isinstance(found, dict) else found
        named = [_model(card) for card in cards if isinstance(card.get("id"), str)]
        if cards and not named:
            raise MalformedResponse("a list of models without names")
        return named
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        raise MalformedResponse("a list of models that cannot be read") from None


def _members(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _refusal(value: Any) -> str | None:
    """Why the model refuses; some say only that it does."""
    return (
        value if value is None or isinstance(value, str) else orjson.dumps(value).decode() if value else None
    )


def _count(value: Any) -> int:
    """A number of tokens, which some write as text or with a point; 0 for what cannot be one, as where none is given."""
    try:
        count = float(value)
    except (TypeError, ValueError, OverflowError):
        return 0
    return int(count) if 0 <= count <= _MOST_TOKENS else 0


def _parts(content: Any) -> str:
    """The text of content given in parts; "" for none."""
    return "".join(part["text"] for part in content or () if "text" in part)


def _model(card: dict[str, Any]) -> ModelInfo:
    length = card.get("max_model_len") or card.get("context_length") or card.get("context_window")
    return ModelInfo(
        id=card["id"],
        shutdown_date=_date(card.get("shutdown_date")),
        parent=_text(card.get("parent")),
        root=_text(card.get("root")),
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
