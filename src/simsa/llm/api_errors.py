"""Failures that concern every request, as errors that say what to do.

What an answer other than 200 means: who it concerns, and whether asking again can help.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from enum import Enum
from typing import Any, NamedTuple

import orjson

from simsa.errors import EndpointError
from simsa.llm.base_url import BaseUrl
from simsa.text import one_line

_LIMIT = 400


class ErrorClass(Enum):
    """What to do about a refusal."""

    AGAIN = "ask again"
    SLOWER = "ask again, but more slowly"
    CHANGE = "ask differently, or give this request up"
    TOO_LONG = "the request doesn't fit the context window"
    FILTERED = "a content filter declined the request"
    GIVE_UP = "give this request up"
    END = "no request will be answered"


class ErrorResponse(NamedTuple):
    """An error as endpoints word it."""

    status: int
    message: str
    code: str = ""
    param: str | None = None

    @property
    def detail(self) -> str:
        return f"HTTP {self.status}: {self.message}" if self.message else f"HTTP {self.status}"

    @property
    def is_missing_model(self) -> bool:
        """Whether it is about the model, which is not there or no more, and not about the path or the request."""
        about_it = self.param in (None, "model")
        text = f"{self.code} {self.message}"
        if about_it and self.status in (400, 403, 404, 410, 422) and _NO_SUCH_MODEL.search(text):
            return True
        return self.status in (404, 410) and (
            "model" in self.code or self.param == "model" or "model" in self.message.lower()
        )

    @property
    def meaning(self) -> ErrorClass:
        text = f"{self.code} {self.message}"
        if self.status == 429:
            return ErrorClass.END if _NO_CREDIT.search(text) else ErrorClass.SLOWER
        if self.status == 413 or _TOO_LONG.search(text):
            return ErrorClass.TOO_LONG
        if self.status >= 500 or self.status in (408, 409, 425):
            return ErrorClass.AGAIN
        if self.is_missing_model:
            return ErrorClass.END
        if self.status in (400, 403, 422) and _FILTERED.search(text):
            return ErrorClass.FILTERED
        if self.status in (400, 422):
            return ErrorClass.CHANGE
        if self.status < 400 or self.status in (401, 402, 403, 404, 405, 407, 410):
            return ErrorClass.END
        return ErrorClass.GIVE_UP


# OpenAI, vLLM (old and new), llama.cpp, TGI, and those that copy them.
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
# Some say it with a 400; a model that has retired is "deprecated" or "decommissioned".
_NO_SUCH_MODEL = re.compile(
    r"model_(?:not_found|deprecated|decommissioned|retired)|ModelDeprecated|"
    r"\bmodel:?(?: [`'\"]?[\w./:@-]+[`'\"]?)? (?:has been|was|is) "
    r"(?:deprecated|decommissioned|retired|discontinued|shut ?down|sunset)",
    re.I,
)
_NO_CREDIT = re.compile(
    r"insufficient_quota|billing|credit balance|exceeded your current quota|insufficient balance", re.I
)


def read_error(status: int, body: bytes) -> ErrorResponse:
    """A Refusal from an answer's body, whatever envelope it comes in; a page or noise is quoted in short."""
    try:
        found: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        text = re.sub(r"<[^>]*>", " ", body[:4000].decode("utf-8", "replace"))
        return ErrorResponse(status, one_line(text, 120))
    if isinstance(found, list):
        found = found[0] if found else {}
    if not isinstance(found, dict):
        return ErrorResponse(status, one_line(str(found), _LIMIT))
    error = found.get("error") or found
    if not isinstance(error, dict):
        return ErrorResponse(status, one_line(str(error), _LIMIT))
    inner = error.get("innererror")
    codes = [error.get("code"), error.get("type"), inner.get("code") if isinstance(inner, dict) else None]
    param = error.get("param")
    message = error.get("message") or error.get("detail") or error.get("msg") or ""
    return ErrorResponse(
        status,
        one_line(message if isinstance(message, str) else _validation(message), _LIMIT),
        " ".join(str(code) for code in codes if code),
        param if isinstance(param, str) else None,
    )


def _validation(detail: Any) -> str:
    """FastAPI's list of validation errors in words: where, what."""
    if isinstance(detail, dict):
        detail = detail.get("detail", detail)
    if not isinstance(detail, list):
        return str(detail)
    return "; ".join(_complaint(item) if isinstance(item, dict) else str(item) for item in detail)


def _complaint(item: dict[str, Any]) -> str:
    where = item.get("loc")
    path = where if isinstance(where, list) else [] if where is None else [where]
    return f"'{'.'.join(str(part) for part in path if part != 'body')}' {item.get('msg', '')}"


_RESUME = "run again then: it goes on where it stopped"


def unreachable(address: BaseUrl, detail: str, *, before: bool) -> EndpointError:
    """No connection; `before`: there was one before."""
    if before:
        return EndpointError(f"does not answer any more: {detail}", where=address.base_url, hint=_RESUME)
    hint = "check base_url" + (
        ", and that the server is running" if address.is_loopback else " and the network"
    )
    return EndpointError(f"cannot be reached: {detail}", where=address.base_url, hint=hint)


def untrusted(address: BaseUrl, detail: str) -> EndpointError:
    hint = "check base_url (http or https?); a private certificate authority is made known by SSL_CERT_FILE"
    return EndpointError(f"no secure connection: {detail}", where=address.base_url, hint=hint)


def never_answers(address: BaseUrl, detail: str, requests: int) -> EndpointError:
    """So many requests in a row were given up that the rest would be too."""
    message = f"has not answered {requests} requests in a row; the last: {detail}"
    return EndpointError(message, where=address.base_url, hint=_RESUME)


def asks_to_wait(address: BaseUrl, seconds: float, refusal: ErrorResponse) -> EndpointError:
    """A limit that is too far from being lifted to wait for it."""
    message = f"lets nothing through for {_duration(seconds)}: {refusal.detail}"
    return EndpointError(message, where=address.base_url, hint=_RESUME)


def missing_model(
    address: BaseUrl, model: str, listed: Sequence[str], refusal: ErrorResponse, gone: str = ""
) -> EndpointError:
    """`listed`: what the endpoint has; `gone`: what is known of the model's retirement."""
    near = difflib.get_close_matches(model, listed, n=1, cutoff=0.5)
    shown = ", ".join(sorted(listed, key=lambda name: name not in near)[:8])
    more = f" and {len(listed) - 8} more" if len(listed) > 8 else ""
    parts = [gone, f"did you mean {near[0]!r}?" if near else "", f"there: {shown}{more}" if listed else ""]
    hint = "; ".join(part for part in parts if part) or "check the model's name"
    return EndpointError(f"has no model {model!r} ({refusal.detail})", where=address.base_url, hint=hint)


def refused(
    address: BaseUrl, refusal: ErrorResponse, *, has_key: bool, key_name: str | None, location: str = ""
) -> EndpointError:
    """The endpoint turns every request away; `location`: where it points to."""
    message, hint = _in_words(refusal, has_key, key_name or "the variable that api_key_env names", location)
    return EndpointError(message, where=address.base_url, hint=hint)


def _in_words(refusal: ErrorResponse, has_key: bool, key_name: str, location: str) -> tuple[str, str]:
    detail = refusal.detail
    match refusal.status:
        case 401 | 407 if has_key:
            return f"does not accept the key: {detail}", f"check {key_name}"
        case 401 | 407:
            return f"wants a key: {detail}", f"set {key_name}"
        case 402 | 429:
            return f"has no credit left: {detail}", f"top up the account or raise its limit; {_RESUME}"
        case 403:
            return f"forbids this: {detail}", f"check what {key_name} may do, and from where"
        case 404 | 405 | 410:
            return (
                f"has no chat completions here: {detail}",
                "check base_url: the part before /chat/completions",
            )
        case status if status < 400:
            seen = location.split("?")[0] or "elsewhere"
            return (
                f"points to {seen} (HTTP {status})",
                "redirects are not followed; if you trust it, make it base_url",
            )
    return f"turns requests away: {detail}", "check base_url, model and key"


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{max(1, minutes)} min"
    return f"{minutes // 60} h {minutes % 60} min"
