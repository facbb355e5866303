"""PEFT adapter folders: reading them, and checking whether vLLM can serve them.

vLLM reports most of these problems only after a minute, with a traceback, and some never: it serves an adapter whose
weights are all zero without an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from simsa.engines.tensors import Tensor, read_contents, read_shapes
from simsa.errors import AdapterError, AdapterWithoutEffect
from simsa.i18n.messages import msg


def read_object(file: Path) -> dict[str, Any]:
    """Reads the JSON object in `file`. Raises FileNotFoundError if there is no file, AdapterError for other content."""
    try:
        found = orjson.loads(file.read_bytes())
    except FileNotFoundError:
        raise
    except OSError as error:
        raise AdapterError(
            msg("error.engines.cannot_read", strerror=error.strerror), where=str(file)
        ) from None
    except orjson.JSONDecodeError as error:
        raise AdapterError(
            msg("error.engines.is_not_valid_json", error=error),
            where=str(file),
            hint=msg("error.engines.save_or_copy_folder_again"),
        ) from None
    if not isinstance(found, dict):
        raise AdapterError(msg("error.engines.is_not_json_object"), where=str(file), found=found)
    return found


CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""The values that vLLM's `--max-lora-rank` accepts."""

_MERGE = msg("error.engines.merge_into_base_model_merge")
_PICKLES = ("adapter_model.bin", "adapter_model.pt")
# Features of PEFT that vLLM does not support.
_UNSERVED = {
    "use_dora": "DoRA",
    "lora_bias": msg("adapter.feature.bias"),
    "alora_invocation_tokens": msg("adapter.feature.activated"),
    "layer_replication": msg("adapter.feature.replicated"),
    "use_bdlora": msg("adapter.feature.block_diagonal"),
    "use_qalora": "QALoRA",
}
# Initialisations that do not change the weights of the base model.
_PLAIN_INITS = ("gaussian", "eva", "orthogonal", "mica", "lora_ga")
_LORA = re.compile(
    r"(?:base_model\.model\.)?(?P<module>.+)\.(?:lora_(?P<side>[AB])\.weight|lora_embedding_(?P<embedding>[AB]))"
)
_EMBEDDINGS = (".embed_tokens.base_layer.weight", ".lm_head.base_layer.weight")


class LoraPair(NamedTuple):
    """The two matrices of one module. `linear` is true for an ordinary linear layer: A is [rank, in], B is [out, rank]."""

    module: str
    a: Tensor
    b: Tensor
    linear: bool


@dataclass(frozen=True, slots=True)
class Adapter:
    """A LoRA adapter folder. `rank` is the largest rank of its modules."""

    path: Path
    rank: int
    alpha: float
    target_modules: tuple[str, ...]
    base_model: str | None
    task_type: str | None
    use_rslora: bool
    pairs: tuple[LoraPair, ...]
    notes: tuple[str, ...]

    @property
    def weights(self) -> Path:
        return self.path / WEIGHTS


def read_adapter(folder: Path) -> Adapter:
    """Reads the config of a PEFT folder and the shapes of its tensors, not the weights.

    Raises AdapterError if vLLM cannot serve the adapter, AdapterWithoutEffect for an alpha of 0.
    """
    if not folder.is_dir():
        raise AdapterError(
            msg("error.engines.is_not_folder") if folder.exists() else msg("error.engines.no_such_folder"),
            where=str(folder),
            hint=msg("error.engines.adapter_is_peft_folder", CONFIG=CONFIG, WEIGHTS=WEIGHTS),
        )
    config = _read_config(folder)
    _refuse_unserved(folder / CONFIG, config)
    rank, alpha = _rank(folder, config), _alpha(folder, config)
    ranks = _patterns(folder, config)
    weights = _weights(folder)
    table = read_shapes(weights)
    pairs = _pairs(weights, table.values())
    stacked = bool(config.get("target_parameters"))
    for pair in pairs:
        if pair.linear and not stacked:
            _check_rank(weights, pair, _expected(pair.module, ranks, rank))
    return Adapter(
        path=folder,
        rank=max([rank, *ranks.values()]),
        alpha=alpha,
        target_modules=_targets(folder, config),
        base_model=_optional_text(folder, config, "base_model_name_or_path"),
        task_type=_optional_text(folder, config, "task_type"),
        use_rslora=config.get("use_rslora") is True,
        pairs=pairs,
        notes=tuple(_notes(folder, table, config)),
    )


def check_weights(adapter: Adapter) -> None:
    """Reads the weights. Raises AdapterWithoutEffect if they change nothing, AdapterError for NaN or infinite numbers."""
    contents = read_contents(adapter.weights)
    for name, found in contents.items():
        if not found.finite:
            raise AdapterError(
                msg("error.engines.holds_nan_or_infinite_numbers"),
                where=str(adapter.weights),
                field=name,
                hint=msg("error.engines.training_diverged_take_earlier_checkpoint"),
            )
    if all(contents[pair.a.name].zero or contents[pair.b.name].zero for pair in adapter.pairs):
        raise AdapterWithoutEffect(
            msg("error.engines.every_update_adapter_is_zero"),
            where=str(adapter.weights),
            hint=msg("error.engines.was_saved_before_any_training"),
        )


def _read_config(folder: Path) -> dict[str, Any]:
    file = folder / CONFIG
    try:
        config = read_object(file)
    except FileNotFoundError:
        hint = msg("error.engines.save_pretrained_peft_writes_beside", CONFIG=CONFIG)
        if (folder / "config.json").exists():
            hint = msg("error.engines.looks_like_whole_model_give")
        raise AdapterError(
            msg("error.engines.has_no_2", CONFIG=CONFIG), where=str(folder), hint=hint
        ) from None
    kind = config.get("peft_type")
    if kind != "LORA":
        raise AdapterError(
            msg("error.engines.vllm_serves_lora_adapters_only"),
            where=str(file),
            field="peft_type",
            found=kind,
            hint=msg("error.engines.merge_into_base_model_give"),
        )
    return config


def _refuse_unserved(file: Path, config: Mapping[str, Any]) -> None:
    for field, what in _UNSERVED.items():
        if config.get(field):
            raise AdapterError(
                msg("error.engines.vllm_does_not_serve", what=what),
                where=str(file),
                field=field,
                found=config[field],
                hint=_MERGE,
            )
    bias = config.get("bias", "none")
    if bias != "none":
        raise AdapterError(
            msg("error.engines.vllm_serves_no_bias"), where=str(file), field="bias", found=bias, hint=_MERGE
        )
    init = config.get("init_lora_weights", True)
    if isinstance(init, str) and init.lower() not in _PLAIN_INITS:
        raise AdapterError(
            msg("error.engines.initialisation_changed_base_model_s"),
            where=str(file),
            field="init_lora_weights",
            found=init,
            hint=msg("error.engines.save_path_initial_model_weight"),
        )
    if config.get("modules_to_save"):
        raise AdapterError(
            msg("error.engines.vllm_does_not_serve_modules"),
            where=str(file),
            field="modules_to_save",
            found=config["modules_to_save"],
            hint=_MERGE,
        )


def _rank(folder: Path, config: Mapping[str, Any]) -> int:
    if "r" not in config:
        raise AdapterError(msg("error.engines.is_missing"), where=str(folder / CONFIG), field="r")
    return _checked_rank(folder, "r", config["r"])


def _checked_rank(folder: Path, field: str, rank: object) -> int:
    where = str(folder / CONFIG)
    if type(rank) is not int or rank < 1:
        raise AdapterError(
            msg("error.engines.must_positive_whole_number"), where=where, field=field, found=rank
        )
    if rank > RANKS[-1]:
        raise AdapterError(
            msg("error.engines.vllm_serves_ranks_up", value=RANKS[-1]),
            where=where,
            field=field,
            found=rank,
            hint=_MERGE,
        )
    return rank


def _alpha(folder: Path, config: Mapping[str, Any]) -> float:
    where, alpha = str(folder / CONFIG), config.get("lora_alpha")
    if isinstance(alpha, bool) or not isinstance(alpha, int | float):
        what = msg("error.engines.is_missing") if alpha is None else msg("error.engines.must_number")
        raise AdapterError(what, where=where, field="lora_alpha", found=alpha)
    if alpha == 0:
        raise AdapterWithoutEffect(
            msg("error.engines.scales_every_update_adapter_zero"),
            where=where,
            field="lora_alpha",
            found=alpha,
        )
    return float(alpha)


def _patterns(folder: Path, config: Mapping[str, Any]) -> dict[str, int]:
    """`rank_pattern`: module name pattern → rank."""
    patterns = config.get("rank_pattern") or {}
    if not isinstance(patterns, dict):
        raise AdapterError(
            msg("error.engines.must_table"), where=str(folder / CONFIG), field="rank_pattern", found=patterns
        )
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            raise AdapterError(
                msg("error.engines.is_not_regular_expression", error=error),
                where=str(folder / CONFIG),
                field="rank_pattern",
                found=pattern,
            ) from None
    return {key: _checked_rank(folder, f"rank_pattern.{key}", value) for key, value in patterns.items()}


def _expected(module: str, patterns: Mapping[str, int], rank: int) -> int:
    """The rank of `module` by PEFT's rule: the first pattern that matches the end of its name, starting at a dot."""
    return next((r for key, r in patterns.items() if re.match(rf"(.*\.)?({key})$", module)), rank)


def _targets(folder: Path, config: Mapping[str, Any]) -> tuple[str, ...]:
    match config.get("target_modules"):
        case str(pattern) if pattern:
            return (pattern,)
        case [*names] if all(isinstance(name, str) for name in names):
            return tuple(sorted(names))
        case None if config.get("target_parameters"):
            return ()
        case found:
            what = (
                msg("error.engines.is_missing")
                if found is None
                else msg("error.engines.must_list_module_names_or")
            )
            raise AdapterError(what, where=str(folder / CONFIG), field="target_modules", found=found)


def _optional_text(folder: Path, config: Mapping[str, Any], field: str) -> str | None:
    value = config.get(field)
    if value is not None and not isinstance(value, str):
        raise AdapterError(
            msg("error.engines.must_text"), where=str(folder / CONFIG), field=field, found=value
        )
    return value or None


def _weights(folder: Path) -> Path:
    if (folder / WEIGHTS).is_file():
        return folder / WEIGHTS
    pickle = next((name for name in _PICKLES if (folder / name).exists()), None)
    if pickle:
        raise AdapterError(
            msg("error.engines.pickle_place_safetensors_was_not"),
            where=str(folder / pickle),
            hint=msg("error.engines.load_adapter_where_you_trust"),
        )
    raise AdapterError(msg("error.engines.has_no", WEIGHTS=WEIGHTS), where=str(folder))


def _pairs(file: Path, tensors: Iterable[Tensor]) -> tuple[LoraPair, ...]:
    sides: dict[str, dict[str, Tensor]] = {}
    linear: dict[str, bool] = {}
    for tensor in tensors:
        if tensor.name.endswith(_EMBEDDINGS):
            continue
        found = _LORA.fullmatch(tensor.name)
        if not found:
            raise _unknown_tensor(file, tensor.name)
        module, side = found["module"], found["side"] or found["embedding"]
        sides.setdefault(module, {})[side] = tensor
        linear[module] = found["side"] is not None and ".experts" not in module
    if not sides:
        raise AdapterError(msg("error.engines.holds_no_lora_weights"), where=str(file))
    for module, both in sides.items():
        if len(both) < 2:
            raise AdapterError(
                msg("error.engines.has_lora_without_counterpart", next=next(iter(both))),
                where=str(file),
                field=module,
            )
    return tuple(LoraPair(module, both["A"], both["B"], linear[module]) for module, both in sides.items())


def _unknown_tensor(file: Path, name: str) -> AdapterError:
    if "lora_magnitude_vector" in name:
        return AdapterError(msg("error.engines.vllm_does_not_serve_dora"), where=str(file), field=name)
    return AdapterError(
        msg("error.engines.is_not_lora_weight_vllm"),
        where=str(file),
        field=name,
        hint=msg("error.engines.save_peft_s_save_pretrained", MERGE=_MERGE),
    )


def _check_rank(file: Path, pair: LoraPair, rank: int) -> None:
    for tensor, axis in ((pair.a, 0), (pair.b, 1)):
        if len(tensor.shape) != 2:
            raise AdapterError(
                msg("error.engines.vllm_serves_lora_linear_layers"),
                where=str(file),
                field=tensor.name,
                found=tensor.shape,
            )
        if tensor.shape[axis] != rank:
            raise AdapterError(
                msg("error.engines.has_rank_but_says", value=tensor.shape[axis], CONFIG=CONFIG, rank=rank),
                where=str(file),
                field=tensor.name,
                found=tensor.shape,
                hint=msg("error.engines.config_weights_are_two_different"),
            )


def _notes(folder: Path, table: Mapping[str, Tensor], config: Mapping[str, Any]) -> Iterable[str]:
    embeddings = [name for name in table if name.endswith(_EMBEDDINGS)]
    if embeddings:
        yield msg("adapter.embeddings", folder=str(folder), name=embeddings[0])
    if config.get("task_type") not in (None, "CAUSAL_LM"):
        yield msg("adapter.task", folder=str(folder), task=str(config["task_type"]))
