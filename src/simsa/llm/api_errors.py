"""Failed calls: what came back, whom it concerns, whether a retry can help, and the error to raise.

An `ErrorResponse` is any response with a status other than 200; a `TransportFailure` is a call without a response.
The functions below turn those that concern every request into an EndpointError that says what to do.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, Literal, NamedTuple

import orjson

from simsa.errors import EndpointError
from simsa.i18n.messages import msg
from simsa.llm.base_url import BaseUrl
from simsa.llm.chat import FailureKind
from simsa.text import one_line

_MAX_MESSAGE = 400
_RESUME = msg("error.llm.run_again_then_goes_where")

# The messages of OpenAI, vLLM (old and new), llama.cpp, TGI and their imitators.
_TOO_LONG = re.compile(
    r"context_length|exceed_context_size|context (?:length|window|size)|prompt is too long|reduce the length|"
    r"input (?:is )?too long|must have less than \d+ tokens",
    re.I,
)
_FILTERED = re.compile(
    r"content_filter|content_policy|content management policy|ResponsibleAI|invalid_prompt|safety system|moderation|"
    r"flagged",
    re.I,
)
# Some endpoints send a 400. A retired model is called "deprecated" or "decommissioned".
_NO_SUCH_MODEL = re.compile(
    r"model_(?:not_found|deprecated|decommissioned|retired)|ModelDeprecated|"
    r"\bmodel:?(?: [`'\"]?[\w./:@-]+[`'\"]?)? (?:has been|was|is) "
    r"(?:deprecated|decommissioned|retired|discontinued|shut ?down|sunset)",
    re.I,
)
_NO_CREDIT = re.compile(
    r"insufficient_quota|billing|credit balance|exceeded your current quota|insufficient balance", re.I
)


class ApiResponse(NamedTuple):
    """An HTTP response with any status."""

    status: int
    headers: Mapping[str, str]
    body: bytes


TransportFailureKind = Literal["unreachable", "untrusted", "timeout", "broken", "too_big"]


class TransportFailure(NamedTuple):
    """No response, or only a part of one.

    `unreachable`: no connection. `untrusted`: TLS failed. `timeout`: no response in time.
    `broken`: the connection or the protocol broke. `too_big`: the response exceeds the limit.
    """

    kind: TransportFailureKind
    detail: str


class ErrorClass(Enum):
    """What an error response means for the client."""

    RETRY = "send the request again"
    RATE_LIMITED = "send the request again later, and all requests more slowly"
    UNSUPPORTED_FIELD = "send the request without the field, or give it up"
    TOO_LONG = "the request doesn't fit the context window"
    FILTERED = "a content filter declined the request"
    REJECTED = "give the request up"
    FATAL = "no request will be answered"


class ErrorResponse(NamedTuple):
    """The status, message, code and parameter of an error response."""

    status: int
    message: str
    code: str = ""
    param: str | None = None

    @property
    def detail(self) -> str:
        return f"HTTP {self.status}: {self.message}" if self.message else f"HTTP {self.status}"

    @property
    def is_missing_model(self) -> bool:
        """Whether the model does not exist (any more), as opposed to a wrong path or request."""
        concerns_model = self.param in (None, "model")
        text = f"{self.code} {self.message}"
        if concerns_model and self.status in (400, 403, 404, 410, 422) and _NO_SUCH_MODEL.search(text):
            return True
        return self.status in (404, 410) and (
            "model" in self.code or self.param == "model" or "model" in self.message.lower()
        )

    @property
    def error_class(self) -> ErrorClass:
        text = f"{self.code} {self.message}"
        if self.status == 429:
            return ErrorClass.FATAL if _NO_CREDIT.search(text) else ErrorClass.RATE_LIMITED
        if self.status == 413 or _TOO_LONG.search(text):
            return ErrorClass.TOO_LONG
        if self.status >= 500 or self.status in (408, 409, 425):
            return ErrorClass.RETRY
        if self.is_missing_model:
            return ErrorClass.FATAL
        if self.status in (400, 403, 422) and _FILTERED.search(text):
            return ErrorClass.FILTERED
        if self.status in (400, 422):
            return ErrorClass.UNSUPPORTED_FIELD
        if self.status < 400 or self.status in (401, 402, 403, 404, 405, 407, 410):
            return ErrorClass.FATAL
        return ErrorClass.REJECTED

    @property
    def failure_kind(self) -> FailureKind:
        """The kind of ChatFailure if the request is given up because of this error."""
        match self.error_class:
            case ErrorClass.TOO_LONG:
                return "too_long"
            case ErrorClass.FILTERED:
                return "refused"
        return "failed"


def parse_error(status: int, body: bytes) -> ErrorResponse:
    """Reads an error body in any known envelope; quotes the beginning of anything else, such as an HTML page."""
    try:
        found: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        text = re.sub(r"<[^>]*>", " ", body[:4000].decode("utf-8", "replace"))
        return ErrorResponse(status, one_line(text, 120))
    if isinstance(found, list):
        found = found[0] if found else {}
    error = (found.get("error") or found) if isinstance(found, dict) else found
    if not isinstance(error, dict):
        return ErrorResponse(status, one_line(str(error), _MAX_MESSAGE))
    inner = error.get("innererror")
    codes = [error.get("code"), error.get("type"), inner.get("code") if isinstance(inner, dict) else None]
    param = error.get("param")
    message = error.get("message") or error.get("detail") or error.get("msg") or ""
    return ErrorResponse(
        status,
        one_line(message if isinstance(message, str) else _validation_text(message), _MAX_MESSAGE),
        " ".join(str(code) for code in codes if code),
        param if isinstance(param, str) else None,
    )


def _validation_text(detail: Any) -> str:
    """FastAPI's list of validation errors as text."""
    if isinstance(detail, dict):
        detail = detail.get("detail", detail)
    if not isinstance(detail, list):
        return str(detail)
    texts = []
    for item in detail:
        if isinstance(item, dict):
            loc = item.get("loc")
            path = loc if isinstance(loc, list) else [] if loc is None else [loc]
            item = f"'{'.'.join(str(part) for part in path if part != 'body')}' {item.get('msg', '')}"
        texts.append(str(item))
    return "; ".join(texts)


def unreachable(address: BaseUrl, detail: str, *, answered_before: bool) -> EndpointError:
    """The error for an endpoint without a connection."""
    if answered_before:
        return EndpointError(
            msg("error.llm.does_not_answer_any_more", detail=detail), where=address.base_url, hint=_RESUME
        )
    hint = "check base_url" + (
        ", and that the server is running" if address.is_loopback else " and the network"
    )
    return EndpointError(msg("error.llm.cannot_reached", detail=detail), where=address.base_url, hint=hint)


def untrusted(address: BaseUrl, detail: str) -> EndpointError:
    """The error for a failed TLS handshake."""
    hint = msg("error.llm.check_base_url_http_or")
    return EndpointError(
        msg("error.llm.no_secure_connection", detail=detail), where=address.base_url, hint=hint
    )


def no_answers(address: BaseUrl, detail: str, requests: int) -> EndpointError:
    """The error after `requests` failed requests in a row; `detail` is about the last one."""
    message = msg("error.llm.has_not_answered_requests_row", requests=requests, detail=detail)
    return EndpointError(message, where=address.base_url, hint=_RESUME)


def wait_too_long(address: BaseUrl, seconds: float, error: ErrorResponse) -> EndpointError:
    """The error for a rate limit that is longer than the client waits."""
    minutes = max(1, round(seconds / 60))
    duration = f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
    message = msg("error.llm.lets_nothing_through", duration=duration, detail=error.detail)
    return EndpointError(message, where=address.base_url, hint=_RESUME)


def missing_model(
    address: BaseUrl, model: str, listed: Sequence[str], error: ErrorResponse, deprecation: str = ""
) -> EndpointError:
    """The error for an unknown model; `listed` are the endpoint's models, `deprecation` says when it was retired."""
    similar = difflib.get_close_matches(model, listed, n=1, cutoff=0.5)
    shown = ", ".join(sorted(listed, key=lambda name: name not in similar)[:8])
    more = f" and {len(listed) - 8} more" if len(listed) > 8 else ""
    parts = [
        deprecation,
        f"did you mean {similar[0]!r}?" if similar else "",
        f"available: {shown}{more}" if listed else "",
    ]
    hint = "; ".join(part for part in parts if part) or "check the model's name"
    return EndpointError(
        msg("error.llm.has_no_model", model=model, detail=error.detail), where=address.base_url, hint=hint
    )


def rejected(
    address: BaseUrl, error: ErrorResponse, *, has_key: bool, key_name: str | None, location: str = ""
) -> EndpointError:
    """The error for an endpoint that rejects every request; `location` is where it redirects to."""
    detail, key_name = error.detail, key_name or "the variable that api_key_env names"
    match error.status:
        case 401 | 407 if has_key:
            message, hint = f"does not accept the key: {detail}", f"check {key_name}"
        case 401 | 407:
            message, hint = f"requires a key: {detail}", f"set {key_name}"
        case 402 | 429:
            message = msg("error.llm.has_no_credit_left", detail=detail)
            hint = msg("error.llm.top_up_account_or_raise", RESUME=_RESUME)
        case 403:
            message = msg("error.llm.forbids", detail=detail)
            hint = msg("error.llm.check_permissions_which_networks_may", key_name=key_name)
        case 404 | 405 | 410:
            message = msg("error.llm.has_no_chat_completions_here", detail=detail)
            hint = msg("error.llm.check_base_url_part_before")
        case status if status < 400:
            message = msg(
                "error.llm.redirects_http", value=location.split("?")[0] or "another address", status=status
            )
            hint = msg("error.llm.redirects_are_not_followed_if")
        case _:
            message, hint = f"rejects requests: {detail}", "check base_url, model and key"
    return EndpointError(message, where=address.base_url, hint=hint)
