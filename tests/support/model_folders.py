"""Small adapter and model folders, valid or broken."""

from __future__ import annotations

import json
import math
import random
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Entries = Mapping[str, tuple[str, tuple[int, ...], bytes]]

HIDDEN, OUT, LAYERS = 16, 24, 2
PREFIX = "base_model.model.model.layers"


def floats(shape: tuple[int, ...], *, scale: float = 0.1, seed: int = 0) -> bytes:
    rng = random.Random(seed)
    n = math.prod(shape)
    return struct.pack(f"<{n}f", *(rng.gauss(0, scale) if scale else 0.0 for _ in range(n)))


def write_safetensors(file: Path, entries: Entries, metadata: Mapping[str, str] | None = None) -> None:
    table: dict[str, Any] = {"__metadata__": dict(metadata or {"format": "pt"})}
    data = b""
    for name, (dtype, shape, raw) in entries.items():
        table[name] = {
            "dtype": dtype,
            "shape": list(shape),
            "data_offsets": [len(data), len(data) + len(raw)],
        }
        data += raw
    header = json.dumps(table).encode()
    header += b" " * (-len(header) % 8)
    file.write_bytes(struct.pack("<Q", len(header)) + header + data)


def lora(
    *,
    r: int = 4,
    hidden: int = HIDDEN,
    out: int = OUT,
    layers: int = LAYERS,
    module: str = "self_attn.q_proj",
    prefix: str = PREFIX,
    scale: float = 0.1,
    seed: int = 0,
) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    """`scale` is that of B, as training makes it: 0 before the first step."""
    entries: dict[str, tuple[str, tuple[int, ...], bytes]] = {}
    for n in range(layers):
        name, a, b = f"{prefix}.{n}.{module}", (r, hidden), (out, r)
        entries[f"{name}.lora_A.weight"] = ("F32", a, floats(a, seed=2 * n + seed))
        entries[f"{name}.lora_B.weight"] = ("F32", b, floats(b, scale=scale, seed=2 * n + 1 + seed))
    return entries


CONFIG = {
    "peft_type": "LORA",
    "task_type": "CAUSAL_LM",
    "base_model_name_or_path": "somebody/tiny",
    "r": 4,
    "lora_alpha": 8,
    "target_modules": ["q_proj"],
    "bias": "none",
    "modules_to_save": None,
    "use_dora": False,
    "use_rslora": False,
    "init_lora_weights": True,
}


def make_adapter(
    folder: Path, entries: Entries | None = None, *, without: str | None = None, **changes: Any
) -> Path:
    """A sound adapter for `make_model`; `changes` go into its config, `without` out of it."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {key: value for key, value in (CONFIG | changes).items() if key != without}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    write_safetensors(folder / "adapter_model.safetensors", lora() if entries is None else entries)
    return folder


def make_model(
    folder: Path, *, hidden: int = HIDDEN, out: int = OUT, layers: int = LAYERS, prefix: str = "model.layers"
) -> Path:
    """A folder that looks like a checkpoint: config, weights of q_proj only, a tokenizer file, a template."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "model_type": "llama",
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 4,
        "max_position_embeddings": 512,
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text("{}")
    (folder / "tokenizer_config.json").write_text(json.dumps({"bos_token": "<s>", "eos_token": "</s>"}))
    (folder / "chat_template.jinja").write_text(
        "{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}"
    )
    shape = (out, hidden)
    entries = {
        f"{prefix}.{n}.self_attn.q_proj.weight": ("BF16", shape, bytes(2 * out * hidden))
        for n in range(layers)
    }
    entries["model.embed_tokens.weight"] = ("BF16", (32, hidden), bytes(64 * hidden))
    write_safetensors(folder / "model.safetensors", entries)
    return folder
