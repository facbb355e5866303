"""Chat requests and replies as plain records, and their JSON format."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from simsa.records import Message

_MAX_TOKEN_COUNT = 1 << 30


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One chat completion.

    `schema` is the JSON schema of the answer, sent as a strict `response_format` if the endpoint
    accepts one. `logprobs` is the number of alternatives to report for each token.
    `extra_body` is merged into the request's JSON and takes precedence. `model` overrides the
    endpoint's own model, for adapters on one server.
    """

    messages: Sequence[Message] | Sequence[Mapping[str, Any]]
    max_tokens: int
    temperature: float | None = 0.0
    top_p: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    schema: Mapping[str, Any] | None = None
    logprobs: int | None = None
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    model: str | None = None


@dataclass(frozen=True, slots=True)
class ChatReply:
    """An answer. `latency_s` is the seconds from sending the answered call to its last byte."""

    text: str
    finish_reason: str | None
    refusal: str | None
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    latency_s: float
    model: str | None
    system_fingerprint: str | None
    attempts: int
    logprobs: Any | None = None


FailureKind = Literal["too_long", "refused", "failed"]


@dataclass(frozen=True, slots=True)
class ChatFailure:
    """No answer to one request, for a reason that does not affect other requests.

    `too_long`: it doesn't fit the context window. `refused`: a content filter declined it.
    `failed`: every attempt failed, or the endpoint rejects this request.
    `latency_s` is the seconds from the first attempt to giving up.
    """

    kind: FailureKind
    detail: str
    attempts: int
    latency_s: float


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One model as `GET /v1/models` lists it. `parent` is an adapter's base, `root` the path it was loaded from."""

    id: str
    shutdown_date: datetime.date | None = None
    parent: str | None = None
    root: str | None = None
    max_model_len: int | None = None


class MalformedResponse(Exception):
    """A response body that cannot be used although its status is 200."""


def to_json_value(value: Any) -> Any:
    """Converts what orjson does not serialize itself: messages, tuples, and mappings other than dict."""
    if hasattr(value, "to_json"):
        return value.to_json()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple):
        return list(value)
    raise TypeError(f"{type(value).__name__} cannot be sent as JSON")


def parse_json(body: bytes) -> Any:
    """Parses JSON; replaces an unpaired surrogate in a string, as a truncated emoji leaves it, with "?".

    Raises orjson.JSONDecodeError.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        if b"\\u" not in body:
            raise
        try:
            repaired = json.dumps(json.loads(body), ensure_ascii=False).encode("utf-8", "replace")
        except (ValueError, RecursionError):
            repaired = body
        return orjson.loads(repaired)


def parse_completion(body: bytes, latency_s: float, attempts: int) -> ChatReply:
    """The ChatReply in the body of a 200. Raises MalformedResponse if it has no message.

    Only the message is required. Other values of an unexpected type are ignored, because the answer is already
    paid for.
    """
    try:
        found = parse_json(body)
        choice = found["choices"][0]
        message = choice["message"]
        content = message.get("content")
        text = content if isinstance(content, str) else _join_parts(content)
    except orjson.JSONDecodeError:
        raise MalformedResponse("an answer that is not JSON" if body else "an empty answer") from None
    except (KeyError, IndexError, TypeError, AttributeError):
        raise MalformedResponse("an answer without a message") from None
    usage = _dict(found.get("usage"))
    prompt = _token_count(usage.get("prompt_tokens"))
    cached = _token_count(_dict(usage.get("prompt_tokens_details")).get("cached_tokens"))
    return ChatReply(
        text=text,
        finish_reason=_str(choice.get("finish_reason")),
        refusal=_refusal(message.get("refusal")),
        prompt_tokens=prompt,
        completion_tokens=_token_count(usage.get("completion_tokens")),
        cached_tokens=min(cached, prompt),
        latency_s=latency_s,
        model=_str(found.get("model")),
        system_fingerprint=_str(found.get("system_fingerprint")),
        attempts=attempts,
        logprobs=choice.get("logprobs"),
    )


def parse_models(body: bytes) -> list[ModelInfo]:
    """The models in the body of `GET /v1/models`. Raises MalformedResponse."""
    try:
        found = orjson.loads(body)
        entries = found["data"] if isinstance(found, dict) else found
        models = [_model(entry) for entry in entries if isinstance(entry.get("id"), str)]
        if entries and not models:
            raise MalformedResponse("a list of models without names")
        return models
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        raise MalformedResponse("a list of models that cannot be read") from None


def _model(entry: dict[str, Any]) -> ModelInfo:
    length = entry.get("max_model_len") or entry.get("context_length") or entry.get("context_window")
    return ModelInfo(
        id=entry["id"],
        shutdown_date=_date(entry.get("shutdown_date")),
        parent=_str(entry.get("parent")),
        root=_str(entry.get("root")),
        max_model_len=length if isinstance(length, int) else None,
    )


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _str(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _refusal(value: Any) -> str | None:
    """The model's refusal as text. Some endpoints send only `true`."""
    if value is None or isinstance(value, str):
        return value
    return orjson.dumps(value).decode() if value else None


def _token_count(value: Any) -> int:
    """A number of tokens, which some endpoints send as text or as a float; 0 for anything else."""
    try:
        count = float(value)
    except (TypeError, ValueError, OverflowError):
        return 0
    return int(count) if 0 <= count <= _MAX_TOKEN_COUNT else 0


def _join_parts(content: Any) -> str:
    """The text of content that is a list of parts; "" for none."""
    return "".join(part["text"] for part in content or () if "text" in part)


def _date(value: Any) -> datetime.date | None:
    """A date from ISO text or seconds since the epoch; None for anything else."""
    try:
        if isinstance(value, str):
            return datetime.datetime.fromisoformat(value).date()
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.datetime.fromtimestamp(value, datetime.UTC).date()
    except (ValueError, OverflowError, OSError):
        pass
    return None
