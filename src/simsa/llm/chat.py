"""What is asked of a chat endpoint and what comes back: plain records, no network."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from simsa.records import Message


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One chat completion.

    `schema` is the JSON schema of the answer, sent as a strict `response_format` while
    the endpoint takes it. `logprobs` is how many alternatives a token to report.
    `extra_body` is merged into the request's JSON and wins. `model` overrides the
    endpoint's own: adapters on one server.
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
    """An answer. `latency_s` is seconds from sending the request that was answered to its last byte."""

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
    """No answer to this one request, for a reason that leaves the others untouched.

    `too_long`: it doesn't fit the context window. `refused`: a content filter declined it.
    `failed`: every attempt failed, or the endpoint finds fault with this request.
    `latency_s` is seconds from the first attempt to giving up.
    """

    kind: FailureKind
    detail: str
    attempts: int
    latency_s: float


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One model as `GET /v1/models` lists it. `parent` is an adapter's base, `root` where it was loaded from."""

    id: str
    shutdown_date: datetime.date | None = None
    parent: str | None = None
    root: str | None = None
    max_model_len: int | None = None


def plain(value: Any) -> Any:
    """What orjson does not write by itself: messages, and mappings that are no dict."""
    if hasattr(value, "to_json"):
        return value.to_json()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple):
        return list(value)
    raise TypeError(f"{type(value).__name__} cannot be sent as JSON")
