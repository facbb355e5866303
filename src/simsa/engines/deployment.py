"""Plans the servers of a config: one for the base model and its adapters, one for each merged checkpoint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from simsa.config import Config, GenerationConfig, JudgeConfig, VariantConfig, environment
from simsa.engines import vllm_install
from simsa.engines.adapters import RANKS, Adapter, read_adapter
from simsa.engines.chat_template import TEMPLATE
from simsa.engines.checkpoints import model_folder, read_checkpoint
from simsa.engines.vllm_args import checked, to_argv
from simsa.errors import ConfigError
from simsa.i18n.messages import msg

_KEY = "VLLM_API_KEY"


@dataclass(frozen=True, slots=True)
class ServerPlan:
    """A server to be started; its port and key are chosen when it starts.

    `variants` maps each variant to the model name to request; `adapters` has the variants that are adapters;
    `base` is the model name of the base model.
    """

    name: str
    model: str
    base: str
    variants: Mapping[str, str]
    adapters: Mapping[str, Adapter]
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    chat_template: Path | None
    """The chat template given in the config; None for the model's own."""
    vllm: vllm_install.VllmInstall
    cwd: Path
    start_timeout_s: float

    @property
    def models(self) -> tuple[str, ...]:
        """Every model name that the server has to offer."""
        return (self.base, *(name for name in self.variants.values() if name != self.base))


def plan_servers(config: Config) -> list[ServerPlan]:
    """The servers that the variants of `config` need, to be started one after another.

    Reads adapters' configs, starts nothing. Raises AdapterError for an adapter that
    cannot be served, ConfigError for arguments that cannot be passed, MissingExtra
    where vLLM is not installed.
    """
    groups: dict[str, list[VariantConfig]] = {}
    for variant in sorted(config.served, key=lambda v: v.model is not None):
        groups.setdefault(config.local(variant.model or config.serving.model or ""), []).append(variant)
    if not groups:
        return []
    vllm = vllm_install.installed()
    return [_plan(config, vllm, model, variants) for model, variants in groups.items()]


def plan_judge(config: Config) -> ServerPlan | None:
    """A server for a judge that is an adapter, without the variants; None for any other judge.

    Raises the errors of `plan_servers`.
    """
    judge = config.judge
    if judge is None or not judge.adapter:
        return None
    alone = VariantConfig(name=judge.model, adapter=judge.adapter)
    return _plan(config, vllm_install.installed(), config.local(config.serving.model or ""), [alone])


def _plan(
    config: Config, vllm: vllm_install.VllmInstall, model: str, variants: list[VariantConfig]
) -> ServerPlan:
    serving = config.serving
    adapters = {v.name: read_adapter(config.path(v.adapter).resolve()) for v in variants if v.adapter}
    plain = [v.name for v in variants if not v.adapter]
    base_names = plain or [_unused("base", adapters)]
    folder = model_folder(model)
    args = checked(serving.args)
    given_template = config.path(serving.chat_template).resolve() if serving.chat_template else None
    defaults: dict[str, Any] = {
        "model": model,
        "served_model_name": base_names,
        "dtype": serving.dtype,
        "max_model_len": serving.max_model_len,
        # Small models produce endless white space in JSON when it is allowed.
        "structured_outputs_config": {"backend": "xgrammar", "disable_any_whitespace": True},
        "disable_uvicorn_access_log": True,
    }
    if given_template:
        defaults["chat_template"] = str(given_template)
    elif folder and (folder / TEMPLATE).is_file():
        # The template that vLLM would find itself, after loading the tokenizer a second time.
        defaults["chat_template"] = str(folder / TEMPLATE)
    if adapters:
        defaults |= _lora(adapters, args, cpu=vllm.cpu)
    local = all(Path(path).is_dir() for path in (model, args.get("tokenizer") or model))
    env = _environment(config, vllm, local=local)
    if vllm.cpu and not {"kv_cache_memory_bytes", "gpu_memory_utilization"} & args.keys():
        defaults |= vllm_install.cpu_arguments(
            read_checkpoint(folder) if folder else None, serving.max_model_len, env
        )
    if vllm.cpu and _draws_with_seed(config):
        # With chunked prefill, vLLM resets the random generator of a seeded request after each chunk. The CPU
        # generator of torch cannot do that, and the engine would crash.
        defaults["enable_chunked_prefill"] = False
    return ServerPlan(
        name=base_names[0],
        model=model,
        base=base_names[0],
        variants={v.name: v.name for v in variants},
        adapters=adapters,
        argv=(*to_argv(defaults | args), *_modules(adapters, base_names[0])),
        env=env,
        chat_template=given_template,
        vllm=vllm,
        cwd=config.root.resolve(),
        start_timeout_s=serving.start_timeout_s,
    )


def _draws_with_seed(config: Config) -> bool:
    """Whether requests to our own servers may sample with a seed."""
    ours: list[GenerationConfig | JudgeConfig] = [config.generation]
    if config.judge and config.judge.adapter:
        ours.append(config.judge)
    # Without a temperature the model's own default applies, which is seldom 0.
    return any(asked.seed is not None and asked.temperature != 0 for asked in ours)


def _lora(adapters: Mapping[str, Adapter], args: Mapping[str, Any], *, cpu: bool) -> dict[str, Any]:
    needed = max(adapter.rank for adapter in adapters.values())
    given = args.get("max_lora_rank")
    if isinstance(given, int) and given < needed:
        raise ConfigError(
            msg("error.engines.is_less_than_rank_adapter", needed=needed),
            field="serving.args.max_lora_rank",
            found=given,
            hint=msg("error.engines.leave_out_simsa_reads_adapters"),
        )
    rank = next(rank for rank in RANKS if rank >= needed)
    # The LoRA kernels of vLLM for CPUs take "no adapter" (index -1) for the last slot: if every slot is used, the
    # base model answers as the last adapter does. An additional empty slot prevents that.
    slots = len(adapters) + cpu
    room = args.get("max_loras")
    if cpu and isinstance(room, int) and room < slots:
        raise ConfigError(
            msg("error.engines.leaves_no_empty_slot_beside", n=len(adapters)),
            field="serving.args.max_loras",
            found=room,
            hint=msg("error.engines.leave_out"),
        )
    return {"enable_lora": True, "max_loras": slots, "max_lora_rank": rank}


def _modules(adapters: Mapping[str, Adapter], base: str) -> Iterable[str]:
    """Formats adapters as JSON, because the NAME=PATH form of vLLM fails on a comma in a path."""
    if adapters:
        yield "--lora-modules"
    for name, adapter in adapters.items():
        module = {"name": name, "path": str(adapter.path), "base_model_name": base}
        yield orjson.dumps(module).decode()


def _environment(config: Config, vllm: vllm_install.VllmInstall, *, local: bool) -> dict[str, str]:
    """The environment of the server process: ours without API keys, vLLM's settings, and the user's."""
    if _KEY in config.serving.env:
        raise ConfigError(
            msg("error.engines.is_set_simsa_itself_new"),
            field=f"serving.env.{_KEY}",
            hint=msg("error.engines.leave_out"),
        )
    inherited = environment()
    keys = {_KEY, *(v.endpoint.api_key_env for v in config.variants if v.endpoint)}
    if config.judge:
        keys |= {judge.key_variable for judge in config.judge.each.values()}
    inherited = {name: value for name, value in inherited.items() if name not in keys}
    given = inherited | config.serving.env
    # `python -m` would import from the working folder first, where a folder may be called `datasets`.
    env = inherited | vllm_install.QUIET | {"PYTHONSAFEPATH": "1"}
    if local:
        env |= {"HF_HUB_OFFLINE": "1"}
    if vllm.cpu:
        env |= vllm_install.cpu_environment(given)
    return env | config.serving.env


def _unused(name: str, taken: Mapping[str, object]) -> str:
    while name in taken:
        name += "-model"
    return name
