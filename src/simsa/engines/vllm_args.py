"""Converts `serving.args` to vLLM's command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from simsa.errors import ConfigError
from simsa.i18n.messages import msg

# Arguments that simsa sets itself → the setting to use instead.
_OURS = {
    "model": "serving.model",
    "model_tag": "serving.model",
    "dtype": "serving.dtype",
    "max_model_len": "serving.max_model_len",
    "chat_template": "serving.chat_template",
    "served_model_name": "the variants' names",
    "enable_lora": "a variant's `adapter`",
    "lora_modules": "a variant's `adapter`",
    "host": "`simsa serve --host`",
    "port": "`simsa serve --port`",
    "api_key": "`simsa serve --key-env`",
    "uds": None,
    "root_path": None,
    "config": None,
    "headless": None,
    "grpc": None,
    "ssl_keyfile": None,
    "ssl_certfile": None,
    "ssl_ca_certs": None,
    "enable_ssl_refresh": None,
}
# vLLM takes these lists as one JSON text, or as one flag per value; all other lists as separate words.
_JSON_LISTS = {"allowed_origins", "allowed_methods", "allowed_headers"}
_REPEATED = {"middleware"}
# Flags without a `--no-` form.
_ONE_WAY = {"disable_log_stats", "aggregate_engine_logging", "data_parallel_multi_port_external_lb"}


def checked(args: Mapping[str, Any]) -> dict[str, Any]:
    """Normalises the names in `serving.args` to underscores.

    Raises ConfigError for an argument that simsa sets itself, or one that is given twice.
    """
    found: dict[str, Any] = {}
    for given, value in args.items():
        head, dot, rest = given.lstrip("-").partition(".")
        name = head.replace("-", "_") + dot + rest
        if head.replace("-", "_") in _OURS:
            instead = _OURS[head.replace("-", "_")]
            raise ConfigError(
                msg("error.engines.is_set_simsa_itself"),
                field=f"serving.args.{given}",
                hint=msg("error.engines.use_instead", instead=instead)
                if instead
                else msg("error.engines.leave_out"),
            )
        if name in found:
            raise ConfigError(msg("error.engines.is_given_twice"), field=f"serving.args.{given}")
        found[name] = value
    return found


def to_argv(args: Mapping[str, Any]) -> list[str]:
    """Converts `{"max_num_seqs": 8, "enforce_eager": True, …}` to `--max-num-seqs=8 --enforce-eager …`.

    True gives the flag, False its `--no-` form, None nothing, a table JSON, a list its items. Raises ConfigError for
    values that cannot be on a command line.
    """
    return [word for name, value in args.items() for word in _words(name, value)]


def _words(name: str, value: Any) -> list[str]:
    head, dot, rest = name.partition(".")
    flag = head.replace("_", "-") + dot + rest
    match value:
        case None:
            return []
        case True:
            return [f"--{flag}"]
        case False:
            return [] if name in _ONE_WAY else [f"--no-{flag}"]
        case dict():
            return [f"--{flag}={_json(name, value)}"]
        case list() | tuple() if name in _JSON_LISTS or any(isinstance(item, dict | list) for item in value):
            return [f"--{flag}={_json(name, value)}"]
        case list() | tuple() if name in _REPEATED:
            return [f"--{flag}={item}" for item in value]
        case list() | tuple():
            return [f"--{flag}", *map(str, value)] if value else []
        case str() | int() | float():
            return [f"--{flag}={value}"]
    raise ConfigError(
        msg("error.engines.cannot_put_vllm_s_command"), field=f"serving.args.{name}", found=value
    )


def _json(name: str, value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError as error:
        raise ConfigError(
            msg("error.engines.cannot_written_json", error=error), field=f"serving.args.{name}"
        ) from None
