"""What endpoints take, found out once and kept in the user's cache folder, for every command and process.

It is kept by address, model and what is always sent along (`extra_body`, of which only a hash
is written down): each can change what is taken. Servers that simsa starts itself are not
remembered: their port may be another model's tomorrow, and they are new each time anyway.

What stands behind an address may change without a word. What was taken and is refused now shows
in the first call, and what is remembered is put right by it; what was refused and would be taken
now shows only when it is tried, so it is tried again in time.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from simsa.config import memory_file
from simsa.endpoints import shelf
from simsa.endpoints.abilities import LENGTH_FIELDS, OPTIONAL_FIELDS, Abilities
from simsa.endpoints.address import Address
from simsa.endpoints.shelf import Fact
from simsa.records import content_hash

By = Literal["check", "run"]
"""Who found something out: `simsa check --ask`, or a command that had something to ask anyway."""

SCHEMA_KEPT, LOGPROBS_GIVEN, TOKENS = "schema_kept", "logprobs_given", "tokens"
_NAMES = {*OPTIONAL_FIELDS, *LENGTH_FIELDS, SCHEMA_KEPT, LOGPROBS_GIVEN}
_DAY_MS = 24 * 3600 * 1000
# That something is refused costs quality for as long as it is believed, and one call to see again.
# People restart and upgrade their own servers under one address, so there it is believed for a day.
_BELIEVED_MS, _REFUSED_NEARBY_MS = 30 * _DAY_MS, _DAY_MS


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a model at an endpoint.

    `abilities` says which request fields it takes; `schema_kept` whether its answers had the
    form of the schema, `logprobs_given` whether there were any: to take a field is not yet
    to heed it; None: not known. `facts` has each thing that was found out with its time and by whom.
    """

    abilities: Abilities
    facts: Mapping[str, Fact]

    @classmethod
    def of(cls, address: Address, facts: Mapping[str, Fact]) -> Known | None:
        """What `facts` say that are young enough to be believed; None where none is."""
        now = shelf.now_ms()
        young = {n: f for n, f in facts.items() if n in _NAMES and now - f.at <= _lasts_ms(address, n, f)}
        if not young:
            return None
        length, refused = _length(address, young)
        refused |= {name for name in OPTIONAL_FIELDS if name in young and not young[name].value}
        accepted = {
            name for name in (*OPTIONAL_FIELDS, *LENGTH_FIELDS) if name in young and young[name].value
        }
        tokens = {TOKENS: facts[TOKENS]} if TOKENS in facts else {}
        return cls(Abilities(length, frozenset(accepted - refused), frozenset(refused)), young | tokens)

    @property
    def schema_kept(self) -> bool | None:
        return self.heeds(SCHEMA_KEPT)

    @property
    def logprobs_given(self) -> bool | None:
        return self.heeds(LOGPROBS_GIVEN)

    @property
    def tokens(self) -> int:
        """What asking for it took; 0 where nobody asked."""
        return self.facts[TOKENS].value if TOKENS in self.facts else 0

    @property
    def is_reasoning(self) -> bool:
        """Refusing a temperature is what reasoning models do."""
        return self.abilities.temperature is False

    @property
    def found(self) -> datetime.date:
        """The day on which the last thing was found out, UTC."""
        return _date(max(fact.at for fact in self.facts.values()))

    @property
    def found_by(self) -> dict[str, datetime.date]:
        """Who found something out → the last day of it, the latest first."""
        last = sorted(self.facts.values(), key=lambda fact: fact.at)
        return {fact.by: _date(fact.at) for fact in reversed(list({f.by: f for f in last}.values()))}

    def to_dict(self) -> dict[str, Any]:
        found = {
            name: {"found": str(_date(fact.at)), "by": fact.by}
            for name, fact in sorted(self.facts.items())
            if name in _NAMES
        }
        return self.abilities.to_dict() | {
            SCHEMA_KEPT: self.schema_kept,
            LOGPROBS_GIVEN: self.logprobs_given,
            "reasoning": self.is_reasoning,
            "found": str(self.found),
            TOKENS: self.tokens,
            "findings": found,
        }

    def heeds(self, name: str) -> bool | None:
        """`schema_kept` or `logprobs_given`."""
        return bool(self.facts[name].value) if name in self.facts else None


def remembered(base_url: str, model: str, extra_body: Mapping[str, Any] | None = None) -> Known | None:
    """What is known of `model` at `base_url`; None where nothing is, or not any more. Raises ConfigError
    for what is no address."""
    address, file = Address.parse(base_url), memory_file()
    return Known.of(address, shelf.read(file, _place(address, model, extra_body))) if file else None


def remember(
    address: Address, model: str, extra_body: Mapping[str, Any] | None, found: Mapping[str, int], *, by: By
) -> dict[str, Fact]:
    """Keeps what was found out just now, beside what others find, and gives it back with its time."""
    now = shelf.now_ms()
    facts = {name: Fact(value, now, by) for name, value in found.items()}
    if file := memory_file():
        shelf.merge(file, _place(address, model, extra_body), facts)
    return facts


def _place(address: Address, model: str, extra_body: Mapping[str, Any] | None) -> str:
    """Names what is spoken of. A query or a body may hold a secret, so they are hashed."""
    more = [address.query, {**extra_body} if extra_body else {}]
    return f"{address.base_url} {model}" + (f" {content_hash(*more)}" if any(more) else "")


def _lasts_ms(address: Address, name: str, fact: Fact) -> int:
    refused = not fact.value and name not in (SCHEMA_KEPT, LOGPROBS_GIVEN)
    return _REFUSED_NEARBY_MS if refused and address.is_near else _BELIEVED_MS


def _length(address: Address, facts: Mapping[str, Fact]) -> tuple[str, set[str]]:
    """The name of the length limit, and the other one where that is refused. Who refuses both is not believed."""
    usual = Abilities.of(address).length_field
    other = LENGTH_FIELDS[1 - LENGTH_FIELDS.index(usual)]
    refused = {name for name in LENGTH_FIELDS if name in facts and not facts[name].value}
    if len(refused) == 2:
        return usual, set()
    return (other if usual in refused else usual), refused


def _date(at_ms: int) -> datetime.date:
    return datetime.datetime.fromtimestamp(at_ms / 1000, datetime.UTC).date()
