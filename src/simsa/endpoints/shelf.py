"""A small file of facts that any number of processes read and write at once; of each fact the newest counts.

Merging is associative, commutative and idempotent: whatever the order and however often facts
come in, the same ones stay.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

_PATIENCE_S = 5.0
_DAY_MS = 24 * 3600 * 1000
# Older ones are believed by nobody; newer than tomorrow ones come from a clock that was wrong.
_KEPT_MS, _AHEAD_MS = 90 * _DAY_MS, _DAY_MS

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


class Fact(NamedTuple):
    """`value` is a truth (0 or 1) or a number; `at` is when it was found, in ms since the epoch; `by` says by whom."""

    value: int
    at: int
    by: str


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def read(file: Path, place: str) -> dict[str, Fact]:
    """Name → fact about `place`; nothing where there is no file, or one that cannot be read."""
    import sqlite3

    with contextlib.suppress(sqlite3.Error, OSError):
        # Not "ro": what a writer was killed over has to be taken back before anybody can read.
        uri = f"{file.resolve().as_uri()}?mode=rw"
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=_PATIENCE_S)) as shelf:
            rows = shelf.execute("SELECT name, value, at, by FROM facts WHERE place = ?", (place,)).fetchall()
        ahead = now_ms() + _AHEAD_MS
        return {name: Fact(*fact) for name, *fact in rows if _is_sound(name, *fact) and fact[1] <= ahead}
    return {}


def merge(file: Path, place: str, facts: Mapping[str, Fact]) -> None:
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
