"""What an answer other than 200 means: who it concerns, and whether asking again can help."""

from __future__ import annotations

import re
from enum import Enum
from typing import Any, NamedTuple

import orjson

from simsa.text import one_line

_LIMIT = 400


class Meaning(Enum):
    """What to do about a refusal."""

    AGAIN = "ask again"
    SLOWER = "ask again, but more slowly"
    CHANGE = "ask differently, or give this request up"
    TOO_LONG = "the request doesn't fit the context window"
    FILTERED = "a content filter declined the request"
    GIVE_UP = "give this request up"
    END = "no request will be answered"


class Refusal(NamedTuple):
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
    def meaning(self) -> Meaning:
        text = f"{self.code} {self.message}"
        if self.status == 429:
            return Meaning.END if _NO_CREDIT.search(text) else Meaning.SLOWER
        if self.status == 413 or _TOO_LONG.search(text):
            return Meaning.TOO_LONG
        if self.status >= 500 or self.status in (408, 409, 425):
            return Meaning.AGAIN
        if self.is_missing_model:
            return Meaning.END
        if self.status in (400, 403, 422) and _FILTERED.search(text):
            return Meaning.FILTERED
        if self.status in (400, 422):
            return Meaning.CHANGE
        if self.status < 400 or self.status in (401, 402, 403, 404, 405, 407, 410):
            return Meaning.END
        return Meaning.GIVE_UP


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


def read(status: int, body: bytes) -> Refusal:
    """A Refusal from an answer's body, whatever envelope it comes in; a page or noise is quoted in short."""
    try:
        found: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        text = re.sub(r"<[^>]*>", " ", body[:4000].decode("utf-8", "replace"))
        return Refusal(status, one_line(text, 120))
    if isinstance(found, list):
        found = found[0] if found else {}
    if not isinstance(found, dict):
        return Refusal(status, one_line(str(found), _LIMIT))
    error = found.get("error") or found
    if not isinstance(error, dict):
        return Refusal(status, one_line(str(error), _LIMIT))
    inner = error.get("innererror")
    codes = [error.get("code"), error.get("type"), inner.get("code") if isinstance(inner, dict) else None]
    param = error.get("param")
    message = error.get("message") or error.get("detail") or error.get("msg") or ""
    return Refusal(
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
