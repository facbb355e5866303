"""Judges: a chat model with a rubric, a panel of them, the lexical baseline, or a function of the user's."""

from __future__ import annotations

import secrets
from collections.abc import Callable, MutableMapping, Sequence
from pathlib import Path
from typing import Any

from simsa import request_hash, rubrics
from simsa.config import Config, JudgeConfig, secret
from simsa.errors import ConfigError
from simsa.i18n.messages import msg
from simsa.judges.aggregate import median_judgement, merge_criteria, merge_previous_usage
from simsa.judges.base import Judge, combine
from simsa.judges.cost import price_of
from simsa.judges.function import FunctionJudge
from simsa.judges.request import JOINT, JudgeRequest
from simsa.llm import price
from simsa.records import content_hash
from simsa.request_hash import weights_hash

__all__ = [
    "JOINT",
    "FunctionJudge",
    "Judge",
    "JudgeRequest",
    "combine",
    "from_config",
    "make",
    "median_judgement",
    "merge_criteria",
    "merge_previous_usage",
    "require_prices",
]


def from_config(
    config: Config,
    judge: JudgeConfig | None = None,
    *,
    say: Callable[[str], None] | None = None,
    keyless: bool = False,
    capabilities: MutableMapping[str, Any] | None = None,
) -> Judge:
    """The judge of `config`, or `judge`: the same judge with other settings. Raises as `make` does."""
    chosen = judge or config.judge
    assert chosen is not None, "there is no judge"
    base = request_hash.of_served(config, None) if chosen.adapter else None
    return make(chosen, root=config.root, base=base, say=say, keyless=keyless, capabilities=capabilities)


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
    """The judge that `config` names.

    Paths are relative to `root`. `base` describes the base model of a judge that simsa serves itself. `salt`
    fixes the boundary codes around material, for tests; by default they are random. `say` gets messages about
    the endpoint. With `keyless` no API key is needed, because the endpoint is not asked. `capabilities` is what
    the run has learned about endpoints; it is updated.

    Raises RubricError for a rubric that cannot be used. Raises ConfigError where the variable with the API key
    is not set, and for a cost limit where no price is known.
    """
    require_prices(config, config.max_cost_usd)
    rubric = rubrics.load(config.rubric, root)
    if config.is_local:
        from simsa.judges.lexical import LexicalJudge

        return LexicalJudge(rubric.language)
    from simsa.judges.llm import LLMJudge
    from simsa.judges.panel import Panel

    salt = salt or secrets.token_bytes(32)
    members: dict[str, LLMJudge] = {}
    for name, given in config.each.items():
        one = given.model_copy(
            update={"claims": config.claims and not members}
        )  # the first member's list counts
        weights = _weights(one, root, base)
        members[name] = LLMJudge(
            one,
            rubric,
            _key(one, keyless),
            name=name,
            weights=weights,
            salt=salt,
            say=say,
            capabilities=capabilities,
        )
    return Panel(config.model, members, say) if config.panel else members[config.model]


def require_prices(config: JudgeConfig, limit_usd: float | None) -> None:
    """Raises ConfigError where a price is missing that is needed to keep a cost limit."""
    unknown = [
        one.model for one in config.each.values() if not (one.is_local or price_of(one) or price(one.model))
    ]
    if limit_usd is not None and unknown:
        raise ConfigError(
            msg("error.judging.no_price", model=repr(unknown[0])),
            field="judge.max_cost_usd",
            found=limit_usd,
            hint=msg("error.judging.give_price", price="price = { input = 1.0, output = 4.0 }"),
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
            msg("error.judging.no_key", variable=config.key_variable),
            field="judge.api_key_env",
            hint=msg("error.judging.set_key", variable=config.key_variable),
        )
    return key
