"""Stands in for vLLM as a process, to be started with `python -m`: a chat server with the models of its arguments.

A judge's request is one that brings a schema; it gets a verdict. Anything else is answered by the model's name.
`CALLS` is a file to which each request appends its model as it comes; `LATENCY` is how long an answer takes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from pathlib import Path

from tests.servers.chat import Body, ChatServer, verdict


def reply(body: Body) -> str:
    with Path(os.environ["CALLS"]).open("a", encoding="utf-8") as calls:
        calls.write(f"{body['model']}\n")
    return verdict() if "response_format" in body else f"{body['model']}의 답"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    parser.add_argument("--served-model-name", nargs="+", default=[])
    parser.add_argument("--lora-modules", nargs="+", default=[])
    given, _ = parser.parse_known_args()
    models = [*given.served_model_name, *(json.loads(one)["name"] for one in given.lora_modules)]
    server = ChatServer(
        reply,
        models=models,
        key=os.environ["VLLM_API_KEY"],
        port=given.port,
        latency_s=float(os.environ.get("LATENCY", "0")),
    )
    asyncio.run(server.serve())


if __name__ == "__main__":
    main()
