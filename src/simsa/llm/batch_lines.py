"""The lines of batch files: requests as OpenAI's Batch API and `vllm run-batch` take them, and their results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from simsa.llm.api_errors import ErrorResponse, parse_error
from simsa.llm.chat import ChatReply, MalformedResponse, parse_completion, parse_json, to_json_value
from simsa.text import one_line

ROUTE = "/v1/chat/completions"
_MAX_REASON = 300


class BatchResult(NamedTuple):
    """One line of an output or error file.

    `status` is the HTTP status of the response and `body` its parsed body. Without a response
    they are 0 and None, and `error` is the reason.
    """

    custom_id: str
    status: int
    body: Any
    error: str

    def to_json(self) -> bytes:
        """Everything except the id, as JSON."""
        return orjson.dumps([self.status, self.body, self.error])

    @classmethod
    def from_json(cls, custom_id: str, text: str | bytes) -> BatchResult:
        """Restores what `to_json` returned."""
        return cls(custom_id, *orjson.loads(text))

    def interpret(self) -> ChatReply | ErrorResponse | LostResult:
        """The reply, the endpoint's error, or why there is neither."""
        if self.status == 0:
            return LostResult(self.error)
        body = orjson.dumps(self.body)
        if self.status != 200:
            return parse_error(self.status, body)
        try:
            return parse_completion(body, 0.0, 1)
        except MalformedResponse as malformed:
            return LostResult(str(malformed))


class LostResult(NamedTuple):
    """A request without a usable result. It can be sent again."""

    detail: str


def request_line(custom_id: str, body: Mapping[str, Any]) -> bytes:
    """One line that requests a chat completion."""
    line = {"custom_id": custom_id, "method": "POST", "url": ROUTE, "body": body}
    return orjson.dumps(line, default=to_json_value, option=orjson.OPT_APPEND_NEWLINE)


def parse_result(line: bytes) -> BatchResult:
    """Parses one line of results. Raises MalformedResponse, which says what is wrong with it."""
    try:
        found = parse_json(line)
    except orjson.JSONDecodeError:
        raise MalformedResponse("is not JSON") from None
    if not isinstance(found, dict) or not isinstance(found.get("custom_id"), str):
        raise MalformedResponse("has no custom_id")
    custom_id = found["custom_id"]
    if "response" not in found and "error" not in found:
        if "url" in found and "body" in found:
            raise MalformedResponse("is a request, not a result")
        raise MalformedResponse("has neither a response nor an error")
    response, error = found.get("response"), found.get("error")
    if response is None:
        return BatchResult(custom_id, 0, None, _reason(error))
    if not isinstance(response, dict) or not isinstance(response.get("status_code"), int):
        raise MalformedResponse("has a response without a status_code")
    status, body = response["status_code"], response.get("body")
    if status == 200 and error is not None and body is None:
        return BatchResult(custom_id, 0, None, _reason(error))
    # vLLM puts the error beside the response, not into its body.
    return BatchResult(custom_id, status, error if body is None else body, "")


def _reason(error: Any) -> str:
    if isinstance(error, dict):
        error = error.get("error", error)
    if isinstance(error, dict):
        parts = [str(error[name]) for name in ("code", "message") if error.get(name)]
        return one_line(": ".join(parts), _MAX_REASON) or "no reason was given"
    return one_line(str(error), _MAX_REASON) if error else "no answer and no reason"
