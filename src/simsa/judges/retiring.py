"""Judges whose models leave their API: by the table, and by what their endpoints say themselves."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
from collections.abc import Iterable, Mapping

from simsa.config import JudgeConfig, secret
from simsa.endpoints import ChatEndpoint, Retirement, retirement
from simsa.errors import SimsaError

_PATIENCE_S = 5.0


def retiring(models: Iterable[str], listed: Mapping[str, str] | None = None) -> list[Retirement]:
    """Those of `models` that leave within 90 days, or have left, the next first.

    `listed` maps a model to the ISO date that its endpoint gives, which wins over the table.
    """
    dates = {model: datetime.date.fromisoformat(date) for model, date in (listed or {}).items()}
    found = (retirement(model, listed=dates.get(model)) for model in dict.fromkeys(models))
    return sorted((end for end in found if end and end.is_soon), key=lambda end: end.days_left)


def models_of(config: JudgeConfig) -> list[str]:
    """The models that judge behind somebody's API; none where the judge is local or served by simsa."""
    return [] if config.is_local or config.adapter else [one.model for one in config.each.values()]


async def shutdown_dates(config: JudgeConfig) -> dict[str, str]:
    """Model → ISO date of its last day, where the judge's endpoints list one.

    Takes a moment and no tokens. An endpoint that cannot be asked has nothing to say.
    """
    if not models_of(config):
        return {}
    found = await asyncio.gather(*map(_listed, config.each.values()))
    return {model: date for dates in found for model, date in dates.items()}


async def _listed(config: JudgeConfig) -> dict[str, str]:
    with contextlib.suppress(SimsaError, TimeoutError):
        endpoint = ChatEndpoint(
            config.base_url,
            config.model,
            key=secret(config.key_variable),
            key_name=config.key_variable,
            timeout_s=_PATIENCE_S,
        )
        async with asyncio.timeout(_PATIENCE_S), endpoint:
            return {
                info.id: info.shutdown_date.isoformat()
                for info in await endpoint.models()
                if info.id == config.model and info.shutdown_date
            }
    return {}
