"""Flags that several commands share, and how they and a file become a Config."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from simsa import config as configuration
from simsa.cli import console
from simsa.config import DEFAULT_CONFIG, Config
from simsa.errors import ConfigError
from simsa.i18n.messages import msg

F = TypeVar("F", bound=Callable[..., Any])

_DATA_SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".arrow")

# flag → dotted key of the config
_PLAIN = {
    "data": "data.path",
    "limit": "data.limit",
    "model": "serving.model",
    "prompt": "generation.prompt",
    "max_tokens": "generation.max_tokens",
    "temperature": "generation.temperature",
    "samples": "generation.samples",
    "judge": "judge.model",
    "judge_url": "judge.base_url",
    "judge_adapter": "judge.adapter",
    "api_key_env": "judge.api_key_env",
    "rubric": "judge.rubric",
    "mode": "judge.mode",
    "via": "judge.via",
    "claims": "judge.claims",
    "max_cost_usd": "judge.max_cost_usd",
    "language": "report.language",
    "baseline": "report.baseline",
}


def run_options(command: F) -> F:
    """CONFIG and the flags that stand in for it, or win over it."""
    options = [
        click.argument("config", required=False, type=click.Path()),
        click.option("--data", metavar="FILE", help="option.data"),
        click.option("--limit", type=int, metavar="N", help="option.limit"),
        click.option("--model", metavar="MODEL", help="option.model"),
        click.option(
            "--adapter",
            multiple=True,
            metavar="NAME=DIR",
            help="option.adapter",
        ),
        click.option("--merged", multiple=True, metavar="NAME=DIR", help="option.merged"),
        click.option(
            "--predictions",
            multiple=True,
            metavar="NAME=FILE",
            help="option.predictions",
        ),
        click.option("--prompt", metavar="PROMPT", help="option.prompt"),
        click.option("--max-tokens", type=int, metavar="N", help="option.max_tokens"),
        click.option("--temperature", type=float, help="option.temperature"),
        click.option(
            "--samples",
            type=int,
            metavar="N",
            help="option.samples",
        ),
        click.option(
            "--judge",
            metavar="MODEL",
            help="option.judge",
        ),
        click.option("--judge-url", metavar="URL", help="option.judge_url"),
        click.option(
            "--judge-adapter",
            metavar="DIR",
            help="option.judge_adapter",
        ),
        click.option(
            "--api-key-env",
            metavar="NAME",
            help="option.api_key_env",
        ),
        click.option("--rubric", metavar="RUBRIC", help="option.rubric"),
        click.option(
            "--mode",
            type=click.Choice(["joint", "split"]),
            help="option.mode",
        ),
        click.option(
            "--claims/--no-claims",
            default=None,
            help="option.claims",
        ),
        click.option("--max-cost-usd", type=float, metavar="USD", help="option.max_cost_usd"),
        click.option("--language", type=click.Choice(["ko", "en"]), help="option.language"),
        click.option(
            "--baseline",
            metavar="NAME",
            help="option.baseline",
        ),
        click.option(
            "--out",
            metavar="DIR",
            type=click.Path(path_type=Path),
            help="option.out",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def config_from(flags: dict[str, Any]) -> tuple[Config, Path]:
    """The Config that CONFIG and flags describe, and the run's folder."""
    overrides = {key: flags[flag] for flag, key in _PLAIN.items() if flags.get(flag) is not None}
    variants = _variants(flags)
    file = flags.get("config") or (DEFAULT_CONFIG if "data.path" not in overrides else None)
    if file is not None:
        _check_config_argument(Path(file))
        config = _with_file(file, overrides, variants)
    else:
        if "data.path" not in overrides:
            raise ConfigError(
                msg("error.cli.nothing_do_give_config_or"), hint=msg("error.cli.simsa_init_writes_config")
            )
        if flags.get("model") or not variants:
            variants.insert(0, {"name": "base"})
        config = configuration.build({"variants": variants}, overrides)
    console.set_language(config.report.language)
    return config, flags.get("out") or config.run_dir


def _check_config_argument(path: Path) -> None:
    """Raises ConfigError for a data file, or a folder without a config, in the place of CONFIG."""
    if path.is_dir() and not (path / DEFAULT_CONFIG).exists():
        raise ConfigError(
            msg("error.cli.folder_without_config", name=DEFAULT_CONFIG),
            where=str(path),
            hint=msg("error.cli.init_writes", command=f"simsa init {shlex.quote(str(path))}"),
        )
    if path.suffix.lower() in _DATA_SUFFIXES:
        raise ConfigError(
            msg("error.cli.data_as_config"),
            where=str(path),
            hint=msg("error.cli.data_as_config.hint", file=str(path)),
        )


def _with_file(file: str, overrides: dict[str, Any], variants: list[dict[str, Any]]) -> Config:
    here = {"data.path": lambda value: str(Path(value).resolve()) if Path(value).exists() else value}
    overrides = {key: here.get(key, lambda v: v)(value) for key, value in overrides.items()}
    if variants:
        known = configuration.load(file).model_dump(mode="json", exclude_none=True)["variants"]
        overrides["variants"] = [*known, *variants]
    return configuration.load(file, overrides)


def _variants(flags: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for flag, key in (("adapter", "adapter"), ("merged", "model"), ("predictions", "predictions")):
        for pair in flags.get(flag) or ():
            name, equals, value = pair.partition("=")
            if not (equals and name and value):
                raise ConfigError(
                    msg("error.cli.takes_name_path"),
                    field=f"--{flag}",
                    found=pair,
                    hint=msg("error.cli.my_name", flag=flag, value=pair or "PATH"),
                )
            path = Path(value).expanduser()
            found.append({"name": name, key: str(path.resolve()) if path.exists() else value})
    return found
