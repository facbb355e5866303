"""Judges whose models leave their API: by the table, and by what their endpoints say themselves."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
from collections.abc import Iterable, Mapping

from simsa.config import JudgeConfig, secret
from simsa.errors import SimsaError
from simsa.llm import ChatEndpoint, Deprecation, ModelInfo, deprecation

_PATIENCE_S = 5.0


def deprecated_models(models: Iterable[str], listed: Mapping[str, str] | None = None) -> list[Deprecation]:
    """Those of `models` that leave within 90 days, or have left, the next first.

    `listed` maps a model to the ISO date that its endpoint gives, which wins over the table.
    """
    dates = {model: datetime.date.fromisoformat(date) for model, date in (listed or {}).items()}
    found = (deprecation(model, listed=dates.get(model)) for model in dict.fromkeys(models))
    return sorted((end for end in found if end and end.is_soon), key=lambda end: end.days_left)


def models_of(config: JudgeConfig) -> list[str]:
    """The models that judge behind somebody's API; none where the judge is local or served by simsa."""
    return [] if config.is_local or config.adapter else [one.model for one in config.each.values()]


async def listed(config: JudgeConfig) -> dict[str, ModelInfo]:
    """Judge → what its endpoint lists of its model, the name alone where it lists nothing of it.

    Takes a moment and no tokens. A judge whose endpoint cannot be asked is left out, and one that is no endpoint's.
    """
    if not models_of(config):
        return {}
    cards = await asyncio.gather(*map(_card, config.each.values()))
    return {name: card for name, card in zip(config.each, cards, strict=True) if card}


async def _card(config: JudgeConfig) -> ModelInfo | None:
    with contextlib.suppress(SimsaError, TimeoutError):
        endpoint = ChatEndpoint(
            config.base_url,
            config.model,
            key=secret(config.key_variable),
            key_name=config.key_variable,
            timeout_s=_PATIENCE_S,
        )
        async with asyncio.timeout(_PATIENCE_S), endpoint:
            cards = {info.id: info for info in await endpoint.models()}
            return cards.get(config.model, ModelInfo(config.model))
    return None
