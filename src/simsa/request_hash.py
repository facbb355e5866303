"""Hashes of a model that vLLM serves: everything that can change its answers.

Weights are hashed by content, so a changed folder is another model.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from simsa.config import Config
from simsa.errors import ConfigError
from simsa.i18n.messages import msg
from simsa.records import content_hash

_EDGE = 64 * 1024


def weights_hash(model: str) -> str:
    """Hash of a model's folder by its content, or of its name if there is no such folder.

    Small files are hashed whole; large ones by their size and both ends, because a safetensors file begins with its
    table of tensors and ends with the last of them.
    """
    folder = Path(model)
    if not folder.is_dir():
        return content_hash("hub", model)
    digest = hashlib.blake2b(digest_size=16)
    for file in sorted(folder.iterdir()):
        if not file.is_file() or file.suffix not in (".json", ".safetensors", ".jinja", ".model", ".txt"):
            continue
        size = file.stat().st_size
        digest.update(f"{file.name}\0{size}\0".encode())
        with file.open("rb") as stream:
            digest.update(stream.read(_EDGE if size > 16 * _EDGE else size))
            if size > 16 * _EDGE:
                stream.seek(-_EDGE, 2)
                digest.update(stream.read(_EDGE))
    return digest.hexdigest()


# vLLM arguments that change speed and memory, not answers.
_OPERATIONAL = {
    "api_server_count",
    "block_size",
    "data_parallel_size",
    "disable_log_requests",
    "disable_log_stats",
    "enable_prefix_caching",
    "enable_prompt_tokens_details",
    "enforce_eager",
    "gpu_memory_utilization",
    "kv_cache_memory_bytes",
    "max_loras",
    "max_num_batched_tokens",
    "max_num_seqs",
    "performance_mode",
    "pipeline_parallel_size",
    "swap_space",
    "tensor_parallel_size",
}


def of_served(config: Config, adapter: str | None, model: str | None = None) -> list[Any]:
    """As JSON: the weights of `model` (by default of the base model), of an adapter on it, and how they are served.

    Raises ConfigError where the chat template cannot be read.
    """
    serving = config.serving
    template = _template(config, serving.chat_template) if serving.chat_template else None
    args = {k.replace("-", "_"): v for k, v in serving.args.items()}
    args = {k: v for k, v in args.items() if k not in _OPERATIONAL}
    weights = weights_hash(config.local(model or serving.model or ""))
    own = weights_hash(str(config.path(adapter))) if adapter else None
    return ["vllm", weights, own, serving.dtype, template, args]


def _template(config: Config, path: str) -> str:
    try:
        return config.path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(
            msg("error.cannot_be_read", reason=why), field="serving.chat_template", found=path
        ) from None
