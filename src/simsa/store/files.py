"""The files of a run's folder: the lock, the database, and errors of SQLite as RunError."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from simsa.errors import RunError
from simsa.i18n.messages import msg
from simsa.store.schema_sql import prepare

LOCK = "run.lock"
_TRIES, _BETWEEN_S = 100, 0.05
_PATIENCE_MS = 200


def take_lock(folder: Path) -> sqlite3.Connection:
    """Takes an exclusive lock, which the operating system releases when this process ends. Raises RunError."""
    lock = sqlite3.connect(folder / LOCK, isolation_level=None, timeout=0)
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError:
        lock.close()
        raise RunError(
            msg("error.store.another_simsa_is_writing_run"),
            where=str(folder),
            hint=msg("error.store.wait_or_give_one_folder"),
        ) from None
    return lock


def connect_reader(path: Path) -> sqlite3.Connection:
    """Opens a database for reading only."""
    with translated(path):
        connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode=ro",
            uri=True,
            isolation_level=None,
            timeout=30,
            check_same_thread=False,
        )
        connection.execute("PRAGMA query_only=ON")
    return connection


def enable_wal(connection: sqlite3.Connection) -> None:
    """Lets readers read while one writes. Retries, because SQLite does not wait for other processes here."""
    for _ in range(_TRIES):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & _KIND != sqlite3.SQLITE_BUSY:
                raise
            time.sleep(_BETWEEN_S)
        else:
            return
    connection.execute("PRAGMA journal_mode=WAL")


def migrate_copy(path: Path) -> None:
    """Upgrades the file of an earlier version through a writing connection."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as writer:
        prepare(writer, str(path))
        truncate_wal(writer)


def truncate_wal(connection: sqlite3.Connection) -> None:
    """Moves the write-ahead log into the file, as far as no reader prevents it, so that it opens faster."""
    with contextlib.suppress(sqlite3.Error):
        connection.execute(f"PRAGMA busy_timeout = {_PATIENCE_MS}")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Translates errors of SQLite into RunError with a hint."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise RunError(msg("error.store.two_rows_claim_same_place", error=error), where=str(path)) from None
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # a damaged name raises the latter
        raise RunError(
            msg("error.store.cannot_used_run_s_database", error=error),
            where=str(path),
            hint=msg(_HINTS.get(getattr(error, "sqlite_errorcode", 0) & _KIND, _DAMAGED)),
        ) from None


_KIND = 0xFF  # the primary part of an extended result code
_DISK = "store.hint.disk"
_ALLOWED = "store.hint.permissions"
_HINTS = {
    sqlite3.SQLITE_BUSY: "store.hint.busy",
    sqlite3.SQLITE_FULL: _DISK,
    sqlite3.SQLITE_IOERR: _DISK,
    sqlite3.SQLITE_READONLY: _ALLOWED,
    sqlite3.SQLITE_CANTOPEN: _ALLOWED,
    sqlite3.SQLITE_PERM: _ALLOWED,
}
_DAMAGED = "store.hint.damaged"
