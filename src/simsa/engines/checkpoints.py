"""Model folders: checking whether vLLM can load one, and whether an adapter fits it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson

from simsa.config import environment
from simsa.engines import adapters
from simsa.engines.adapters import Adapter, LoraPair, read_object
from simsa.engines.tensors import read_shapes
from simsa.errors import AdapterError
from simsa.i18n.messages import msg

_INDEX = "model.safetensors.index.json"
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "tekken.json", "spiece.model", "vocab.txt")
_LAYER = re.compile(r"(?:^|\.)(?P<key>(?:layers|h|blocks|block)\.(?P<n>\d+)\..+)")
# Linear layers whose input is the hidden state, in every architecture.
_FROM_HIDDEN = ("q_proj", "k_proj", "v_proj", "qkv_proj", "gate_proj", "up_proj", "gate_up_proj")
_OTHER_TOWERS = ("vision", "visual", "audio", "encoder")


@dataclass(frozen=True)
class Checkpoint:
    """A Hugging Face model folder; `config` is its config.json."""

    path: Path
    config: Mapping[str, Any]

    @property
    def text_config(self) -> Mapping[str, Any]:
        """The config of the language model; multimodal configs nest it."""
        nested = self.config.get("text_config")
        return nested if isinstance(nested, dict) else self.config

    @cached_property
    def matrices(self) -> Mapping[str, tuple[int, ...]]:
        """Module name → [out, in] of every linear layer that is stored as a plain matrix. Raises AdapterError."""
        tables = (read_shapes(file) for file in _weight_files(self.path))
        return {
            name.removesuffix(".weight"): tensor.shape
            for table in tables
            for name, tensor in table.items()
            if name.endswith(".weight") and len(tensor.shape) == 2 and "F" in tensor.dtype
        }

    @cached_property
    def matrices_of_layers(self) -> Mapping[str, tuple[int, ...]]:
        """The same with names from `layers.` on, because wrappers add prefixes. Ambiguous names are left out."""
        found: dict[str, list[tuple[int, ...]]] = {}
        for name, shape in self.matrices.items():
            if layer := _LAYER.search(name):
                found.setdefault(layer["key"], []).append(shape)
        return {key: shapes[0] for key, shapes in found.items() if len(shapes) == 1}


def model_folder(model: str) -> Path | None:
    """The folder of a model (a path or a hub name) on this machine, or its snapshot in the hub's cache; None if absent."""
    path = Path(model)
    if path.is_dir():
        return path
    if path.exists() or not re.fullmatch(r"[\w.-]+/[\w.-]+", model):
        return None
    variables = environment()
    home = Path(variables.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    cache = Path(variables.get("HF_HUB_CACHE") or home / "hub") / f"models--{model.replace('/', '--')}"
    try:
        folder = cache / "snapshots" / (cache / "refs" / "main").read_text(encoding="utf-8").strip()
    except OSError:
        return None
    return folder if (folder / "config.json").is_file() else None


def read_checkpoint(folder: Path) -> Checkpoint:
    """Reads the config of a model folder. Raises AdapterError if vLLM cannot load it."""
    file = folder / "config.json"
    try:
        config = read_object(file)
    except FileNotFoundError:
        hint = msg("error.engines.model_folder_has_config_json")
        if (folder / adapters.CONFIG).exists():
            hint = msg("error.engines.is_lora_adapter_give_adapter")
        raise AdapterError(msg("error.engines.has_no_config_json"), where=str(folder), hint=hint) from None
    return Checkpoint(folder, config)


def check_checkpoint(checkpoint: Checkpoint) -> None:
    """Checks that the weights are complete safetensors and that there is a tokenizer. Raises AdapterError."""
    for file in _weight_files(checkpoint.path):
        read_shapes(file)
    if not any((checkpoint.path / name).exists() for name in _TOKENIZERS):
        raise AdapterError(
            msg("error.engines.has_no_tokenizer"),
            where=str(checkpoint.path),
            hint=msg("error.engines.save_tokenizer_into_same_folder"),
        )


def check_fit(adapter: Adapter, base: Checkpoint) -> str | None:
    """Compares the layers of an adapter with those of `base`.

    Returns a note if the base has none of the adapter's modules. Raises AdapterError for an adapter of another
    base model.
    """
    known = 0
    for pair in adapter.pairs:
        _check_layer(adapter, pair, base)
        if not pair.linear:
            continue
        shape = _shape(pair.module, base)
        if shape is None:
            _check_hidden(adapter, pair, base)
            continue
        known += 1
        made_for = (pair.b.shape[0], pair.a.shape[1])
        if made_for != shape:
            needs = msg("adapter.needs.layer", shape=list(made_for))
            raise _other_base(adapter, pair, base, needs, f"{list(shape)}")
    if known or not base.matrices_of_layers:
        return None
    return msg(
        "adapter.names",
        folder=str(adapter.path),
        base=base.path.name,
        there=adapter.pairs[0].module,
        here=next(iter(base.matrices_of_layers)),
    )


def _shape(module: str, base: Checkpoint) -> tuple[int, ...] | None:
    if module in base.matrices:
        return base.matrices[module]
    layer = None if _in_other_tower(module) else _LAYER.search(module)
    return base.matrices_of_layers.get(layer["key"]) if layer else None


def _check_layer(adapter: Adapter, pair: LoraPair, base: Checkpoint) -> None:
    layers = base.text_config.get("num_hidden_layers")
    layer = _LAYER.search(pair.module)
    if not layer or not isinstance(layers, int) or _in_other_tower(pair.module):
        return
    if int(layer["n"]) >= layers:
        needs = msg("adapter.needs.layer_number", n=layer["n"])
        raise _other_base(adapter, pair, base, needs, msg("adapter.has.layers", n=layers))


def _check_hidden(adapter: Adapter, pair: LoraPair, base: Checkpoint) -> None:
    hidden = base.text_config.get("hidden_size")
    plain = pair.module.endswith(_FROM_HIDDEN) and not _in_other_tower(pair.module)
    if plain and isinstance(hidden, int) and pair.a.shape[1] != hidden:
        needs = msg("adapter.needs.hidden_size", n=pair.a.shape[1])
        raise _other_base(adapter, pair, base, needs, f"{hidden}")


def _in_other_tower(module: str) -> bool:
    return any(tower in module for tower in _OTHER_TOWERS)


def _other_base(adapter: Adapter, pair: LoraPair, base: Checkpoint, needs: str, has: str) -> AdapterError:
    trained = msg("adapter.names_base", base=adapter.base_model) if adapter.base_model else ""
    return AdapterError(
        msg("error.engines.was_made_another_base_model", needs=needs, name=base.path.name, has=has),
        where=str(adapter.weights),
        field=pair.module,
        hint=msg("error.engines.set_serving_model_model_was", trained=trained),
    )


def _weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a model: the shards named by its index, or all in the folder."""
    index = folder / _INDEX
    if index.is_file():
        try:
            shards = sorted(set(orjson.loads(index.read_bytes())["weight_map"].values()))
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
            raise AdapterError(msg("error.engines.is_not_index_weights"), where=str(index)) from None
        missing = [name for name in shards if not (folder / name).is_file()]
        if missing:
            raise AdapterError(
                msg("error.engines.weight_files_are_missing", n=len(missing), n2=len(shards)),
                where=str(folder),
                found=missing[0],
                hint=msg("error.engines.copy_whole_folder"),
            )
        return [folder / name for name in shards]
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        pickles = sorted(folder.glob("*.bin")) or sorted(folder.glob("*.pt*"))
        raise AdapterError(
            msg("error.engines.has_weights_only_pickle")
            if pickles
            else msg("error.engines.has_no_weights_safetensors"),
            where=str(pickles[0] if pickles else folder),
            hint=msg("error.engines.save_pretrained_safe_serialization_true") if pickles else None,
        )
    return files
