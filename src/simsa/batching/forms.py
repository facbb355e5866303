"""In which form an endpoint takes requests: learnt from refusals, kept with the run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Set
from dataclasses import replace
from typing import Any, Self

from simsa.batching.work import Member, Work
from simsa.endpoints import Abilities, ChatReply, Lessons
from simsa.endpoints.abilities import is_lasting
from simsa.endpoints.address import Address
from simsa.endpoints.lessons import SHOWING
from simsa.endpoints.refusals import Refusal


class Forms:
    """The form for what is asked of a member now, and the one that each earlier job was asked in."""

    def __init__(
        self,
        name: str,
        now: Abilities,
        by_job: Mapping[str, Abilities],
        lessons: Lessons | None = None,
        hearsay: Set[str] = frozenset(),
    ) -> None:
        self.now = now
        self._meta = f"batch_form:{name}"
        self._first = now
        self._by_job = by_job
        self._lessons = lessons
        self._hearsay = hearsay
        self._answered: Counter[str | None] = Counter()
        self._before = self.to_dict()

    @classmethod
    def of(cls, work: Work, member: Member, *, elsewhere: bool) -> Self:
        """What answers to earlier requests of this run have taught, or else what is remembered.

        `elsewhere`: somebody else will ask, nobody knows whom; then nothing is remembered of it.
        """
        config = member.config
        address = Address.parse(config.base_url)
        name = f"{config.model}@{address.base_url}"
        kept = work.store.meta(f"batch_form:{name}") or {}
        unproven = frozenset(kept.get("unproven", ()))
        lessons = (
            None
            if elsewhere
            else Lessons(config.base_url, config.model, config.extra_body, unproven=unproven)
        )
        before = lessons.abilities if lessons else Abilities.of(address)
        now = _read(kept) if kept else replace(before, accepted=frozenset())
        by_job = {key: _read(form) for key, form in work.ledger.forms().items()}
        return cls(name, now, by_job, lessons, hearsay=frozenset() if kept else now.refused)

    def keep(self, work: Work) -> None:
        if (kept := self.to_dict()) != self._before:
            work.store.set_meta(**{self._meta: kept})

    def to_dict(self) -> dict[str, Any]:
        unproven = sorted(self._lessons.unproven) if self._lessons else []
        form = {"length_field": self.now.length_field, "refused": sorted(self.now.refused)}
        return form | ({"unproven": unproven} if unproven else {})

    def asked_in(self, job: str | None) -> Abilities:
        return self._by_job.get(job or "", self._first)

    def learn(self, job: str | None, refusal: Refusal, sent: Mapping[str, Any]) -> tuple[bool, str | None]:
        """Whether what `refusal` complains of will be different next time, and the field if that is news."""
        asked = self.asked_in(job)
        learnt = asked.without(refusal, sent, self._hearsay)
        if learnt is None:
            return False, None
        news = sorted(learnt.refused - self.now.refused)
        if news:
            swap = self.now.length_field in learnt.refused
            length = learnt.length_field if swap else self.now.length_field
            healed = asked.refused - learnt.refused
            refused = self.now.refused.difference(healed).union(news)
            self.now = replace(self.now, length_field=length, refused=refused)
            if self._lessons and is_lasting(refusal):
                self._lessons.refused(news[0])
        return True, news[0] if news else None

    def answered(self, job: str | None, sent: Callable[[], Mapping[str, Any]], reply: ChatReply) -> None:
        """A request of a job was answered: each job has one form, so its first answers say what that is worth."""
        if self._lessons and self._answered[job] < SHOWING:
            self._answered[job] += 1
            self._lessons.answered(sent(), reply)


def _read(found: Mapping[str, Any]) -> Abilities:
    return Abilities(found["length_field"], refused=frozenset(found["refused"]))
