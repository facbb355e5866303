"""In which form an endpoint takes requests: learnt from refusals, kept with the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

from simsa.batching.work import Member, Work
from simsa.endpoints import Abilities
from simsa.endpoints.address import Address
from simsa.endpoints.refusals import Refusal


class Forms:
    """The form for what is asked of a member now, and the one that each earlier job was asked in."""

    def __init__(self, name: str, now: Abilities, by_job: Mapping[str, Abilities]) -> None:
        self.now = now
        self._meta = f"batch_form:{name}"
        self._first = now
        self._by_job = by_job

    @classmethod
    def of(cls, work: Work, member: Member) -> Self:
        """What answers to earlier requests of this run have taught."""
        address = Address.parse(member.config.base_url)
        name = f"{member.config.model}@{address.base_url}"
        kept = work.store.meta(f"batch_form:{name}")
        now = _read(kept) if kept else Abilities.of(address)
        return cls(name, now, {key: _read(form) for key, form in work.ledger.forms().items()})

    def keep(self, work: Work) -> None:
        if self.now != self._first:
            work.store.set_meta(**{self._meta: self.to_dict()})

    def to_dict(self) -> dict[str, Any]:
        return {"length_field": self.now.length_field, "refused": sorted(self.now.refused)}

    def asked_in(self, job: str | None) -> Abilities:
        return self._by_job.get(job or "", self._first)

    def learn(self, job: str | None, refusal: Refusal, sent: Mapping[str, Any]) -> tuple[bool, str | None]:
        """Whether what `refusal` complains of will be different next time, and the field if that is news."""
        learnt = self.asked_in(job).without(refusal, sent)
        if learnt is None:
            return False, None
        news = sorted(learnt.refused - self.now.refused)
        if news:
            swap = self.now.length_field in learnt.refused
            length = learnt.length_field if swap else self.now.length_field
            self.now = replace(self.now, length_field=length, refused=self.now.refused | set(news))
        return True, news[0] if news else None


def _read(found: Mapping[str, Any]) -> Abilities:
    return Abilities(found["length_field"], refused=frozenset(found["refused"]))
