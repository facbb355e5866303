"""Somebody who runs request files elsewhere, and writes results as `vllm run-batch` does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from tests.servers.chat import Body, text_of, verdict


def results(
    requests: Path,
    reply: Callable[[Body], str] | None = None,
    refuse: Callable[[Body], str | None] = lambda body: None,
) -> list[dict[str, Any]]:
    """One result a request. `refuse` names why a request is answered by a 400."""
    return [
        _result(n, orjson.loads(line), reply or (lambda body: verdict()), refuse)
        for n, line in enumerate(requests.read_bytes().splitlines())
    ]


def write(file: Path, lines: list[dict[str, Any]]) -> Path:
    file.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    return file


def _result(
    n: int, line: dict[str, Any], reply: Callable[[Body], str], refuse: Callable[[Body], str | None]
) -> dict[str, Any]:
    body = line["body"]
    common = {"id": f"vllm-{n}", "custom_id": line["custom_id"]}
    if (why := refuse(body)) is not None:
        failure = {"error": {"message": why, "type": "BadRequestError", "param": None, "code": 400}}
        return common | {
            "response": {"status_code": 400, "request_id": f"vllm-batch-{n}", "body": None},
            "error": failure,
        }
    text = reply(body)
    usage = {"prompt_tokens": len(text_of(body)) // 4, "completion_tokens": len(text) // 4, "total_tokens": 0}
    completion = {
        "id": f"chatcmpl-{n}",
        "object": "chat.completion",
        "model": body["model"],
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": usage | {"prompt_tokens_details": None},
    }
    return common | {
        "response": {"status_code": 200, "request_id": f"vllm-batch-{n}", "body": completion},
        "error": None,
    }
