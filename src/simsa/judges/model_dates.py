"""When the models of judges leave their APIs: by the table of deprecations, and by what endpoints report."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
from collections.abc import Iterable, Mapping

from simsa.config import JudgeConfig, secret
from simsa.errors import SimsaError
from simsa.llm import ChatEndpoint, Deprecation, ModelInfo, deprecation

_TIMEOUT_S = 5.0


def deprecated_models(models: Iterable[str], listed: Mapping[str, str] | None = None) -> list[Deprecation]:
    """Those of `models` that leave within 90 days, or have left, the earliest first.

    `listed` maps a model to the ISO date that its endpoint reports, which takes precedence over the table.
    """
    dates = {model: datetime.date.fromisoformat(date) for model, date in (listed or {}).items()}
    found = (deprecation(model, listed=dates.get(model)) for model in dict.fromkeys(models))
    return sorted((end for end in found if end and end.is_soon), key=lambda end: end.days_left)


def api_models(config: JudgeConfig) -> list[str]:
    """The models behind an API; none where the judge is local or served by simsa."""
    return [] if config.is_local or config.adapter else [one.model for one in config.each.values()]


async def fetch_model_info(config: JudgeConfig) -> dict[str, ModelInfo]:
    """Judge → what its endpoint reports of its model, or the name alone where it reports nothing.

    Takes no tokens, and at most a few seconds. Judges whose endpoint does not answer are left out.
    """
    if not api_models(config):
        return {}
    found = await asyncio.gather(*map(_model_info, config.each.values()))
    return {name: info for name, info in zip(config.each, found, strict=True) if info}


async def _model_info(config: JudgeConfig) -> ModelInfo | None:
    with contextlib.suppress(SimsaError, TimeoutError):
        endpoint = ChatEndpoint(
            config.base_url,
            config.model,
            key=secret(config.key_variable),
            key_name=config.key_variable,
            timeout_s=_TIMEOUT_S,
        )
        async with asyncio.timeout(_TIMEOUT_S), endpoint:
            models = {info.id: info for info in await endpoint.models()}
            return models.get(config.model, ModelInfo(config.model))
    return None
