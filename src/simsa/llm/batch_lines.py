"""The lines of batch files: requests as OpenAI's Batch API and `vllm run-batch` take them, and their answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from simsa.llm import api_errors, responses
from simsa.llm.api_errors import ErrorResponse
from simsa.llm.chat import ChatReply, plain
from simsa.text import one_line

ROUTE = "/v1/chat/completions"
_LIMIT = 300


class BatchResult(NamedTuple):
    """One line of an output or error file.

    `status` is the answer's HTTP status and `body` its parsed body; without an answer they
    are 0 and None, and `error` says why there is none.
    """

    custom_id: str
    status: int
    body: Any
    error: str

    def keep(self) -> bytes:
        """All but the id, as JSON."""
        return orjson.dumps([self.status, self.body, self.error])

    @classmethod
    def kept(cls, custom_id: str, text: str | bytes) -> BatchResult:
        """Inverse of `keep`."""
        return cls(custom_id, *orjson.loads(text))


class LostResult(NamedTuple):
    """A request came to nothing, for a reason that says nothing against asking it again."""

    detail: str


def request_line(custom_id: str, body: Mapping[str, Any]) -> bytes:
    """One line that asks for a chat completion."""
    line = {"custom_id": custom_id, "method": "POST", "url": ROUTE, "body": body}
    return orjson.dumps(line, default=plain, option=orjson.OPT_APPEND_NEWLINE)


def result_line(line: bytes) -> BatchResult:
    """Reads a line of results. Raises `answers.Malformed` saying what is wrong with it."""
    try:
        found = responses.parsed(line)
    except orjson.JSONDecodeError:
        raise responses.MalformedResponse("is not JSON") from None
    if not isinstance(found, dict) or not isinstance(found.get("custom_id"), str):
        raise responses.MalformedResponse("has no custom_id")
    if "response" not in found and "error" not in found:
        if "url" in found and "body" in found:
            raise responses.MalformedResponse("is a request, not a result")
        raise responses.MalformedResponse("has neither a response nor an error")
    response, error = found.get("response"), found.get("error")
    if response is None:
        return BatchResult(found["custom_id"], 0, None, _words(error))
    if not isinstance(response, dict) or not isinstance(response.get("status_code"), int):
        raise responses.MalformedResponse("has a response without a status_code")
    status, body = response["status_code"], response.get("body")
    if status == 200 and error is not None and body is None:
        return BatchResult(found["custom_id"], 0, None, _words(error))
    # vLLM puts what an error says beside the response, not into its body.
    return BatchResult(found["custom_id"], status, error if body is None else body, "")


def understand(found: BatchResult) -> ChatReply | ErrorResponse | LostResult:
    """What a result comes to."""
    if found.status == 0:
        return LostResult(found.error)
    body = orjson.dumps(found.body)
    if found.status != 200:
        return api_errors.read_error(found.status, body)
    try:
        return responses.completion(body, 0.0, 1)
    except responses.MalformedResponse as malformed:
        return LostResult(str(malformed))


def _words(error: Any) -> str:
    if isinstance(error, dict):
        error = error.get("error", error)
    if isinstance(error, dict):
        told = [str(error[name]) for name in ("code", "message") if error.get(name)]
        return one_line(": ".join(told), _LIMIT) or "no reason was given"
    return one_line(str(error), _LIMIT) if error else "no answer and no reason"
