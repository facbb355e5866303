"""What judging took: by variant, by part of the verdicts, by judge."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from simsa.records import CRITERIA
from simsa.store import UsageShare


@dataclass(frozen=True, slots=True)
class Usage:
    """Calls, tokens and USD of some shares. `cost_usd` is None where a price is not known."""

    calls: int
    reused: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    cost_usd: float | None

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class UsageInfo:
    """The shares of a run, each call in exactly one of them."""

    shares: tuple[UsageShare, ...] = ()

    @property
    def parts(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(share.part for share in self.shares))

    def of(self, **wanted: str) -> Usage:
        """Of the shares with these values: `of(variant="base", part="answer")`."""
        return _sum(s for s in self.shares if all(getattr(s, key) == value for key, value in wanted.items()))

    def criteria(self, part: str) -> list[str]:
        """The criteria that a part has scores for."""
        found = {name for share in self.shares if share.part == part for name in share.criteria}
        return [name for name in CRITERIA if name in found]

    def to_dict(self) -> dict[str, Any]:
        def by(key: str) -> dict[str, Any]:
            names = dict.fromkeys(getattr(share, key) for share in self.shares)
            return {name: self.of(**{key: name}).to_dict() for name in names}

        parts = {name: figures | {"criteria": self.criteria(name)} for name, figures in by("part").items()}
        return {"by_variant": by("variant"), "by_part": parts, "by_judge": by("judge")}


def _sum(shares: Iterable[UsageShare]) -> Usage:
    found = list(shares)
    costs = [share.cost_usd for share in found if share.cost_usd is not None]
    return Usage(
        calls=sum(share.calls for share in found),
        reused=sum(share.reused for share in found),
        prompt_tokens=sum(share.prompt_tokens for share in found),
        completion_tokens=sum(share.completion_tokens for share in found),
        cached_tokens=sum(share.cached_tokens for share in found),
        cost_usd=math.fsum(costs) if len(costs) == len(found) else None,
    )
