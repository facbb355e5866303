"""What endpoints take, found out once and kept in the user's cache folder, for every command and process.

It is kept by address, model and what is always sent along (`extra_body`, of which only a hash
is written down): each can change what is taken. Servers that simsa starts itself are not
remembered: their port may be another model's tomorrow, and they are new each time anyway.

What stands behind an address may change without a word. What was taken and is refused now shows
in the first call, and what is remembered is put right by it; what was refused and would be taken
now shows only when it is tried, so it is tried again in time.

A small file of facts that any number of processes read and write at once; of each fact the newest counts.

Merging is associative, commutative and idempotent: whatever the order and however often facts
come in, the same ones stay.
"""

from __future__ import annotations

import contextlib
import datetime
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from simsa.config import memory_file
from simsa.llm.base_url import BaseUrl
from simsa.llm.capabilities import LENGTH_FIELDS, OPTIONAL_FIELDS, Capabilities
from simsa.records import content_hash

_PATIENCE_S = 5.0
_DAY_MS_shelf = 24 * 3600 * 1000
# Older ones are believed by nobody; newer than tomorrow ones come from a clock that was wrong.
_KEPT_MS, _AHEAD_MS = 90 * _DAY_MS_shelf, _DAY_MS_shelf

_TABLE = (
    "CREATE TABLE IF NOT EXISTS facts (place TEXT NOT NULL, name TEXT NOT NULL, value INTEGER NOT NULL,"
    " at INTEGER NOT NULL, by TEXT NOT NULL, PRIMARY KEY (place, name)) WITHOUT ROWID"
)
_TIDY = "DELETE FROM facts WHERE at < ? OR at > ?"
_MERGE = (
    "INSERT INTO facts VALUES (?,?,?,?,?) ON CONFLICT (place, name) DO UPDATE"
    " SET value = excluded.value, at = excluded.at, by = excluded.by"
    " WHERE (excluded.at, excluded.value, excluded.by) > (at, value, by)"
)


class CacheEntry(NamedTuple):
    """`value` is a truth (0 or 1) or a number; `at` is when it was found, in ms since the epoch; `by` says by whom."""

    value: int
    at: int
    by: str


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def read_cache(file: Path, place: str) -> dict[str, CacheEntry]:
    """Name → fact about `place`; nothing where there is no file, or one that cannot be read."""
    import sqlite3

    with contextlib.suppress(sqlite3.Error, OSError):
        # Not "ro": what a writer was killed over has to be taken back before anybody can read.
        uri = f"{file.resolve().as_uri()}?mode=rw"
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=_PATIENCE_S)) as shelf:
            rows = shelf.execute("SELECT name, value, at, by FROM facts WHERE place = ?", (place,)).fetchall()
        ahead = now_ms() + _AHEAD_MS
        return {
            name: CacheEntry(*fact) for name, *fact in rows if _is_sound(name, *fact) and fact[1] <= ahead
        }
    return {}


def merge_cache(file: Path, place: str, facts: Mapping[str, CacheEntry]) -> None:
    """Adds what is newer than what is there, in one transaction.

    A damaged file is begun anew. One that cannot be written to is left alone: then the same is only found out again.
    """
    import sqlite3

    rows = [(place, name, *fact) for name, fact in facts.items()]
    with contextlib.suppress(sqlite3.Error, OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        before = _number(file)
        try:
            _write(file, rows)
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
                raise
            if _number(file) == before:  # otherwise another process has just begun it anew
                file.unlink()
            _write(file, rows)


def _write(file: Path, rows: Iterable[tuple[str, str, int, int, str]]) -> None:
    import sqlite3

    now = now_ms()
    with contextlib.closing(sqlite3.connect(file, isolation_level=None, timeout=_PATIENCE_S)) as shelf:
        shelf.execute("BEGIN IMMEDIATE")
        shelf.execute(_TABLE)
        shelf.execute(_TIDY, (now - _KEPT_MS, now + _AHEAD_MS))
        shelf.executemany(_MERGE, rows)
        shelf.execute("COMMIT")


def _number(file: Path) -> int | None:
    """What tells a file from another one of the same name."""
    try:
        return file.stat().st_ino
    except OSError:
        return None


def _is_sound(name: Any, value: Any, at: Any, by: Any) -> bool:
    texts, numbers = (name, by), (value, at)
    return all(isinstance(one, str) for one in texts) and all(isinstance(one, int) for one in numbers)


By = Literal["check", "run"]
"""Who found something out: `simsa check --ask`, or a command that had something to ask anyway."""

SCHEMA_KEPT, LOGPROBS_GIVEN, TOKENS = "schema_kept", "logprobs_given", "tokens"
_NAMES = {*OPTIONAL_FIELDS, *LENGTH_FIELDS, SCHEMA_KEPT, LOGPROBS_GIVEN}
_DAY_MS = 24 * 3600 * 1000
# That something is refused costs quality for as long as it is believed, and one call to see again.
# People restart and upgrade their own servers under one address, so there it is believed for a day.
_BELIEVED_MS, _REFUSED_NEARBY_MS = 30 * _DAY_MS, _DAY_MS


@dataclass(frozen=True, slots=True)
class CachedCapabilities:
    """What is known of a model at an endpoint.

    `abilities` says which request fields it takes; `schema_kept` whether its answers had the
    form of the schema, `logprobs_given` whether there were any: to take a field is not yet
    to heed it; None: not known. `facts` has each thing that was found out with its time and by whom.
    """

    abilities: Capabilities
    facts: Mapping[str, CacheEntry]

    @classmethod
    def of(cls, address: BaseUrl, facts: Mapping[str, CacheEntry]) -> CachedCapabilities | None:
        """What `facts` say that are young enough to be believed; None where none is."""
        now = now_ms()
        young = {n: f for n, f in facts.items() if n in _NAMES and now - f.at <= _lasts_ms(address, n, f)}
        if not young:
            return None
        length, refused = _length(address, young)
        refused |= {name for name in OPTIONAL_FIELDS if name in young and not young[name].value}
        accepted = {
            name for name in (*OPTIONAL_FIELDS, *LENGTH_FIELDS) if name in young and young[name].value
        }
        tokens = {TOKENS: facts[TOKENS]} if TOKENS in facts else {}
        return cls(Capabilities(length, frozenset(accepted - refused), frozenset(refused)), young | tokens)

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


def cached_capabilities(
    base_url: str, model: str, extra_body: Mapping[str, Any] | None = None
) -> CachedCapabilities | None:
    """What is known of `model` at `base_url`; None where nothing is, or not any more. Raises ConfigError
    for what is no address."""
    address, file = BaseUrl.parse(base_url), memory_file()
    return (
        CachedCapabilities.of(address, read_cache(file, _place(address, model, extra_body))) if file else None
    )


def remember(
    address: BaseUrl, model: str, extra_body: Mapping[str, Any] | None, found: Mapping[str, int], *, by: By
) -> dict[str, CacheEntry]:
    """Keeps what was found out just now, beside what others find, and gives it back with its time."""
    now = now_ms()
    facts = {name: CacheEntry(value, now, by) for name, value in found.items()}
    if file := memory_file():
        merge_cache(file, _place(address, model, extra_body), facts)
    return facts


def _place(address: BaseUrl, model: str, extra_body: Mapping[str, Any] | None) -> str:
    """Names what is spoken of. A query or a body may hold a secret, so they are hashed."""
    more = [address.query, {**extra_body} if extra_body else {}]
    return f"{address.base_url} {model}" + (f" {content_hash(*more)}" if any(more) else "")


def _lasts_ms(address: BaseUrl, name: str, fact: CacheEntry) -> int:
    refused = not fact.value and name not in (SCHEMA_KEPT, LOGPROBS_GIVEN)
    return _REFUSED_NEARBY_MS if refused and address.is_near else _BELIEVED_MS


def _length(address: BaseUrl, facts: Mapping[str, CacheEntry]) -> tuple[str, set[str]]:
    """The name of the length limit, and the other one where that is refused. Who refuses both is not believed."""
    usual = Capabilities.of(address).length_field
    other = LENGTH_FIELDS[1 - LENGTH_FIELDS.index(usual)]
    refused = {name for name in LENGTH_FIELDS if name in facts and not facts[name].value}
    if len(refused) == 2:
        return usual, set()
    return (other if usual in refused else usual), refused


def _date(at_ms: int) -> datetime.date:
    return datetime.datetime.fromtimestamp(at_ms / 1000, datetime.UTC).date()
