"""The limit on what judging may cost, for calls that run at the same time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field


class Budget:
    """Admits calls while the expected cost stays under `limit` (USD; None: no limit).

    The estimate of a call may be in any unit that is consistent among the calls of one member. What a unit
    costs is learnt from calls that were paid. Until then, the calls of a member run one at a time.
    """

    def __init__(self, limit: float | None, spent: float) -> None:
        self.limit = limit
        self.spent = spent
        self.exhausted = False
        self._accounts: dict[str, _Account] = {}

    async def acquire(self, estimate: float = 1.0, member: str = "") -> bool:
        """Admits one call, or returns False. Each admitted call must be `release`d."""
        account = self._accounts.setdefault(member, _Account())
        if self.limit is not None:
            while not account.paid and account.in_flight:
                account.changed.clear()
                await account.changed.wait()
            expected = self._expected() + estimate * account.unit_usd
            if self.exhausted or expected > self.limit or self.spent >= self.limit:
                self.exhausted = True
                return False
        account.in_flight += 1
        account.estimated += estimate
        return True

    def release(self, cost: float, estimate: float = 1.0, member: str = "") -> None:
        """Books the cost of an admitted call; `estimate` and `member` as in `acquire`."""
        account = self._accounts[member]
        account.in_flight -= 1
        account.estimated -= estimate
        if cost or account.paid or not estimate:  # a first call that failed without a cost shows no price
            account.paid += 1
            account.paid_usd += cost
            account.paid_units += estimate
        self.spent += cost
        account.changed.set()

    def can_continue(self, cost_so_far: float) -> bool:
        """Whether an admitted call that has cost `cost_so_far` may be repeated."""
        if self.limit is not None and (self.exhausted or self._expected() + cost_so_far > self.limit):
            self.exhausted = True
        return not self.exhausted

    def reserve(self, usd: float) -> bool:
        """Books the expected cost of a call that is paid later, or returns False where it does not fit."""
        if self.limit is None:
            return True
        if self.exhausted or self.spent + usd > self.limit or self.spent >= self.limit:
            self.exhausted = True
            return False
        self.spent += usd
        return True

    def _expected(self) -> float:
        """What will be spent when all calls in flight are paid."""
        return self.spent + sum(one.estimated * one.unit_usd for one in self._accounts.values())


@dataclass(slots=True)
class _Account:
    """What the calls of one member have cost, and the estimates of those in flight."""

    in_flight: int = 0
    estimated: float = 0.0
    paid: int = 0
    paid_usd: float = 0.0
    paid_units: float = 0.0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def unit_usd(self) -> float:
        return self.paid_usd / self.paid_units if self.paid_units else 0.0
