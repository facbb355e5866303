"""Who scores: a chat model by a rubric, or the lexical baseline."""

from __future__ import annotations

import secrets
from collections.abc import Callable, MutableMapping, Sequence
from pathlib import Path
from typing import Any

from simsa import request_hash, rubrics
from simsa.config import Config, JudgeConfig, secret
from simsa.errors import ConfigError
from simsa.judges.aggregate import median_judgement, merge_criteria, merge_previous_usage
from simsa.judges.base import JOINT, Judge, JudgeRequest, combine
from simsa.llm import price
from simsa.records import content_hash
from simsa.request_hash import weights_hash

__all__ = [
    "JOINT",
    "Judge",
    "JudgeRequest",
    "combine",
    "make",
    "median_judgement",
    "merge_criteria",
    "merge_previous_usage",
    "of",
    "require_prices",
]


def of(
    config: Config,
    judge: JudgeConfig | None = None,
    *,
    say: Callable[[str], None] | None = None,
    keyless: bool = False,
    capabilities: MutableMapping[str, Any] | None = None,
) -> Judge:
    """The judge of `config`, or `judge`, which is the same with other settings. Raises as `make` does."""
    one = judge or config.judge
    assert one is not None, "there is no judge"
    base = request_hash.of_served(config, None) if one.adapter else None
    return make(one, root=config.root, base=base, say=say, keyless=keyless, capabilities=capabilities)


def make(
    config: JudgeConfig,
    *,
    root: Path = Path(),
    base: Sequence[Any] | None = None,
    salt: bytes | None = None,
    say: Callable[[str], None] | None = None,
    keyless: bool = False,
    capabilities: MutableMapping[str, Any] | None = None,
) -> Judge:
    """The judge that `config` names; paths start at `root`. `base` is what an adapter of ours is served on.

    `salt` fixes the boundary codes around material (tests); by default they are new in
    every process. `say` is told what a person should know of the endpoint. `keyless`: its
    endpoint will not be asked, so it needs no key. `capabilities` is what the run has learned about
    endpoints, and is updated. Raises RubricError for a rubric that
    cannot be used, ConfigError for a key that is named and not set, and for a limit of
    what it may cost where no price is known.
    """
    require_prices(config, config.max_cost_usd)
    rubric = rubrics.load(config.rubric, root)
    if config.is_local:
        from simsa.judges.lexical import LexicalJudge

        return LexicalJudge(rubric.language)
    from simsa.judges.llm import LLMJudge
    from simsa.judges.panel import Panel

    salt = salt or secrets.token_bytes(32)
    made: dict[str, LLMJudge] = {}
    for name, given in config.each.items():
        one = given.model_copy(update={"claims": config.claims and not made})  # one member's list is enough
        made[name] = LLMJudge(
            one,
            rubric,
            _key(one, keyless),
            name=name,
            weights=_weights(one, root, base),
            salt=salt,
            say=say,
            capabilities=capabilities,
        )
    return Panel(config.model, made, say) if config.panel else made[config.model]


def require_prices(config: JudgeConfig, limit_usd: float | None) -> None:
    """Raises ConfigError where a limit could not be kept, for want of a price."""
    from simsa.judges.llm import price_of

    unknown = [
        one.model for one in config.each.values() if not (one.is_local or price_of(one) or price(one.model))
    ]
    if limit_usd is not None and unknown:
        raise ConfigError(
            f"cannot be kept: no price of {unknown[0]!r} is known",
            field="judge.max_cost_usd",
            found=limit_usd,
            hint="give its price in USD per million tokens: price = { input = 1.0, output = 4.0 }",
        )


def _weights(config: JudgeConfig, root: Path, base: Sequence[Any] | None) -> str | None:
    if config.adapter is None:
        return None
    adapter = weights_hash(str(root / Path(config.adapter).expanduser()))
    return adapter if base is None else content_hash(adapter, base)


def _key(config: JudgeConfig, keyless: bool) -> str | None:
    key = secret(config.key_variable)
    if config.key_variable and not key and not keyless:
        raise ConfigError(
            f"the judge's API key is missing: the environment variable {config.key_variable} is not set, or empty",
            field="judge.api_key_env",
            hint=f'export {config.key_variable}=…, or judge.model = "lexical" for the free baseline',
        )
    return key
