"""The files of a run's folder: its lock, its database for readers, and what can be wrong with them."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from simsa.errors import RunError
from simsa.store.migrations import migrate

LOCK = "run.lock"


def take_lock(folder: Path) -> sqlite3.Connection:
    """An exclusive lock that the operating system gives back however this process ends."""
    lock = sqlite3.connect(folder / LOCK, isolation_level=None, timeout=0)
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError:
        lock.close()
        raise RunError(
            "another simsa is writing this run",
            where=str(folder),
            hint="wait for it, or give this one a folder of its own with --out",
        ) from None
    return lock


def connect_reader(path: Path) -> sqlite3.Connection:
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


def migrate_aside(path: Path) -> None:
    """A reader meets an older file: brings it up to date through a writer's connection."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as writer:
        migrate(writer, str(path))


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise RunError(f"two rows claim the same place: {error}", where=str(path)) from None
    except sqlite3.DatabaseError as error:
        raise RunError(
            f"cannot be used as a run's database: {error}",
            where=str(path),
            hint="if it was damaged, move the folder away and run again",
        ) from None
