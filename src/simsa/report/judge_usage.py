"""What judging took: by variant, by part of the verdicts, by judge and by criterion."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

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


class Spent(NamedTuple):
    """Tokens and USD of one criterion's even part of calls; they need not be whole numbers.

    `cost_usd` is None without a price.
    """

    prompt_tokens: float
    completion_tokens: float
    cost_usd: float | None

    def plus(self, share: UsageShare, n: int) -> Spent:
        """With the `n`th part of a share."""
        known = self.cost_usd is not None and share.cost_usd is not None
        return Spent(
            self.prompt_tokens + share.prompt_tokens / n,
            self.completion_tokens + share.completion_tokens / n,
            (self.cost_usd or 0.0) + (share.cost_usd or 0.0) / n if known else None,
        )


@dataclass(frozen=True, slots=True)
class UsageInfo:
    """The shares of a run, with each call in exactly one of them. `names` are the run's criteria."""

    shares: tuple[UsageShare, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def parts(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(share.part for share in self.shares))

    def of(self, **wanted: str) -> Usage:
        """Sum of the shares with these values: `of(variant="base", part="answer")`."""
        found = [s for s in self.shares if all(getattr(s, key) == value for key, value in wanted.items())]
        costs = [share.cost_usd for share in found if share.cost_usd is not None]
        return Usage(
            calls=sum(share.calls for share in found),
            reused=sum(share.reused for share in found),
            prompt_tokens=sum(share.prompt_tokens for share in found),
            completion_tokens=sum(share.completion_tokens for share in found),
            cached_tokens=sum(share.cached_tokens for share in found),
            cost_usd=math.fsum(costs) if len(costs) == len(found) else None,
        )

    def criteria(self, part: str) -> list[str]:
        """The criteria that a part has scores for."""
        found = {name for share in self.shares if share.part == part for name in share.criteria}
        return [name for name in self.names if name in found]

    def by_criterion(self, variant: str | None = None) -> dict[str, Spent]:
        """What each criterion took: of a call for several criteria each has an even part.

        A call that gave no scores counts as asked for all criteria of its part.
        """
        found: dict[str, Spent] = {}
        for share in self.shares:
            if variant in (None, share.variant):
                names = share.criteria or self.criteria(share.part) or [share.part]
                for name in names:
                    found[name] = found.get(name, Spent(0.0, 0.0, 0.0)).plus(share, len(names))
        return {name: found[name] for name in (*self.names, *found) if name in found}

    @property
    def shares_calls(self) -> bool:
        """Whether calls asked for several criteria, so that figures by criterion are even parts of them."""
        return any(len(share.criteria) > 1 for share in self.shares)

    def to_dict(self) -> dict[str, Any]:
        def by(key: str) -> dict[str, Any]:
            names = dict.fromkeys(getattr(share, key) for share in self.shares)
            return {name: asdict(self.of(**{key: name})) for name in names}

        by_variant = {share.variant: self.by_criterion(share.variant) for share in self.shares}
        return {
            "by_variant": by("variant"),
            "by_part": {
                name: usage | {"criteria": self.criteria(name)} for name, usage in by("part").items()
            },
            "by_judge": by("judge"),
            "by_criterion": {
                name: spent._asdict()
                | {
                    "by_variant": {
                        v: found[name].cost_usd for v, found in by_variant.items() if name in found
                    }
                }
                for name, spent in self.by_criterion().items()
            },
        }
