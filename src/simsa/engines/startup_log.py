"""Reads vLLM's log: the phase of the start, and the cause of a failure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from simsa.i18n.messages import msg

_PREFIX = re.compile(
    r"^(?:\([\w.\- ]+ pid=\d+\)\s*)?(?:(?:DEBUG|INFO|WARNING|ERROR|CRITICAL)\s+\d\d-\d\d \d\d:\d\d:\d\d\s+(?:\[[^\]]*\]\s?)?)?"
)
_PHASES = (
    (re.compile(r"Starting to load model|Loading safetensors checkpoint"), "phase.weights"),
    (re.compile(r"torch\.compile|Dynamo bytecode|Compiling a graph"), "phase.compiling"),
    (re.compile(r"GPU KV cache size|CPU KV cache size"), "phase.warming"),
    (re.compile(r"Capturing CUDA graph"), "phase.graphs"),
    (re.compile(r"Loaded new LoRA adapter: name '(?P<name>[^']*)'"), "phase.adapter"),
)
_ERROR = re.compile(
    r"^(?:[\w.]*(?:Error|Exception|Exit|Interrupt)\b|[\w.]+: error:|\S*(?:OutOfMemory|CUDA out of memory)|Killed)"
)
# Messages that follow the cause of an error.
_ECHO = re.compile(
    r"Engine core initialization failed|Engine process failed|EngineDeadError|EngineCore (?:failed|encountered)|"
    r"WorkerProc initialization failed|Exception in ASGI|KeyboardInterrupt|SystemExit|CancelledError"
)
_HINTS = (
    (
        re.compile(r"out of memory|OutOfMemory|No available memory|MemoryError|Available memory", re.I),
        "vllm.hint.memory",
    ),
    (
        re.compile(r"Free memory on device|desired GPU memory utilization", re.I),
        "vllm.hint.gpu_busy",
    ),
    (
        re.compile(
            r"KV cache.*(?:max seq len|max model len|larger than|needed)|max_model_len|max seq len", re.I
        ),
        "vllm.hint.length",
    ),
    (
        re.compile(
            r"architectures?.*(?:not supported|failed to be inspected)|model type.*does not recognize|not recognize",
            re.I,
        ),
        "vllm.hint.architecture",
    ),
    (
        re.compile(
            r"not a valid model identifier|Repository Not Found|LocalEntryNotFound|couldn't connect|offline mode|Invalid repository",
            re.I,
        ),
        "vllm.hint.model",
    ),
    (
        re.compile(r"trust_remote_code", re.I),
        "vllm.hint.remote_code",
    ),
    (re.compile(r"bfloat16 is only supported|Bfloat16 is only", re.I), "vllm.hint.dtype"),
)
PORT_TAKEN = re.compile(r"address already in use", re.I)
_CLOSE_TO_THE_END = 400


class StartupFailure(NamedTuple):
    """The line of the log that names the cause, and a hint if one is known."""

    line: str
    hint: str | None


def phase(line: str) -> str | None:
    """The phase of the start that a line of the log reports; None for other lines."""
    for pattern, key in _PHASES:
        if found := pattern.search(line):
            return msg(key, **found.groupdict())
    return None


def read_from(log: Path, offset: int) -> bytes:
    """The content of the log from byte `offset` on."""
    with log.open("rb") as stream:
        stream.seek(offset)
        return stream.read()


def startup_failure(text: str) -> StartupFailure | None:
    """The last error in a log that is not a consequence of another; None if there is none."""
    lines = [_PREFIX.sub("", line).rstrip() for line in text.splitlines()[-_CLOSE_TO_THE_END:]]
    for n in range(len(lines) - 1, -1, -1):
        if _ERROR.match(lines[n]) and not _ECHO.search(lines[n]):
            line = " ".join(_whole(lines[n : n + 4]))
            return StartupFailure(
                line, next((msg(code) for pattern, code in _HINTS if pattern.search(line)), None)
            )
    return None


def _whole(lines: list[str]) -> Iterable[str]:
    """The first line, and for a validation error of pydantic the two lines below it, which name the problem."""
    yield lines[0]
    if "validation error" in lines[0]:
        yield from (line.strip() for line in lines[1:3])
