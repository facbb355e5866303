"""Everything that goes wrong at an OpenAI-compatible endpoint, by name.

A fault takes what would have been the right answer and gives what is sent in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from tests.servers.http import Response

Completion = dict[str, Any]
Fault = Callable[[Completion], Response]


def error(
    status: int,
    message: str,
    *,
    type: str = "invalid_request_error",
    param: str | None = None,
    code: str | int | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An error in OpenAI's envelope."""
    body = {"error": {"message": message, "type": type, "param": param, "code": code}}
    return Response(status, orjson.dumps(body), headers or {})


def plain(completion: Completion) -> Response:
    """No fault at all."""
    return Response(200, orjson.dumps(completion))


def _always(response: Response) -> Fault:
    return lambda completion: response


def _choice(**changes: Any) -> Fault:
    def fault(completion: Completion) -> Response:
        message = completion["choices"][0]["message"]
        choice = completion["choices"][0] | {k: v for k, v in changes.items() if k in ("finish_reason",)}
        choice["message"] = message | {k: v for k, v in changes.items() if k != "finish_reason"}
        return plain(completion | {"choices": [choice]})

    return fault


def _length(completion: Completion) -> Response:
    content = completion["choices"][0]["message"]["content"]
    return _choice(finish_reason="length", content=content[: len(content) // 2])(completion)


def _parts(completion: Completion) -> Response:
    text = completion["choices"][0]["message"]["content"]
    return _choice(content=[{"type": "text", "text": text}])(completion)


def _delivered(delivery: Any) -> Fault:
    return lambda completion: plain(completion)._replace(delivery=delivery)


_PAGE = b"<html><head><title>Bad gateway</title></head><body>nginx</body></html>"
_QUOTA = "You exceeded your current quota, please check your plan and billing details."
_LONG = (
    "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens. "
    "Please reduce the length of the messages."
)
_LONG_VLLM = (
    "You passed 1015 input tokens and requested 10 output tokens. However, the model's context length is only "
    "1024 tokens, resulting in a maximum input length of 1014 tokens. Please reduce the length of the input "
    "prompt. (parameter=input_tokens, value=1015)"
)
_FILTERED = "The response was filtered due to the prompt triggering the content management policy."

FAULTS: dict[str, Fault] = {
    # Refusals that pass.
    "rate_limited": _always(
        error(
            429,
            "Rate limit reached",
            type="requests",
            code="rate_limit_exceeded",
            headers={"retry-after-ms": "50"},
        )
    ),
    "rate_limited_silently": _always(error(429, "Too many requests", type="requests")),
    "server_error": _always(error(500, "The server had an error", type="server_error")),
    "bad_gateway": _always(Response(502, _PAGE, content_type="text/html")),
    "overloaded": _always(
        error(503, "The engine is overloaded", type="server_error", headers={"retry-after": "0"})
    ),
    "request_timeout": _always(error(408, "Timed out", type="server_error")),
    "conflict": _always(error(409, "Try again", type="server_error")),
    # The connection.
    "hang": _delivered("hang"),
    "disconnect": _delivered("drop"),
    "cut": _delivered("cut"),
    "drip": _delivered("drip"),
    # Bodies that are not an answer.
    "truncated": lambda completion: Response(200, orjson.dumps(completion)[:-20]),
    "html": _always(Response(200, _PAGE, content_type="text/html")),
    "empty": _always(Response(200, b"")),
    "huge": lambda completion: Response(200, orjson.dumps(completion | {"padding": "x" * (33 << 20)})),
    "no_choices": lambda completion: plain(completion | {"choices": []}),
    "error_in_200": _always(Response(200, b'{"error": {"message": "Provider returned error", "code": 502}}')),
    # Refusals that concern one request.
    "too_long": _always(error(400, _LONG, param="messages", code="context_length_exceeded")),
    "too_long_vllm": _always(error(400, _LONG_VLLM, type="BadRequestError", param="input_tokens", code=400)),
    "too_large": _always(Response(413, _PAGE, content_type="text/html")),
    "content_filter": _always(error(400, _FILTERED, code="content_filter")),
    "bad_request": _always(error(400, "Something about this request is not right")),
    # Refusals that concern every request.
    "unauthorised": _always(error(401, "Incorrect API key provided", code="invalid_api_key")),
    "payment_required": _always(error(402, "Insufficient credits")),
    "forbidden": _always(error(403, "Country, region, or territory not supported", type="request_forbidden")),
    "wrong_path": _always(Response(404, b'{"detail": "Not Found"}')),
    "insufficient_quota": _always(error(429, _QUOTA, type="insufficient_quota", code="insufficient_quota")),
    "tomorrow": _always(error(429, "Daily limit reached", type="requests", headers={"retry-after": "30000"})),
    "redirect": _always(Response(307, b"", {"location": "https://elsewhere.invalid/v1/chat/completions"})),
    # Answers with something amiss.
    "length": _length,
    "refusal": _choice(content=None, refusal="I'm sorry, I can't help with that."),
    "filtered": _choice(content="", finish_reason="content_filter"),
    "no_usage": lambda completion: plain({k: v for k, v in completion.items() if k != "usage"}),
    "null_content": _choice(content=None),
    "reasoning": _choice(reasoning_content="Let me think about the scores first."),
    "parts": _parts,
}
