"""Group commit: one thread commits the writes of many tasks together."""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from simsa.errors import RunError
from simsa.i18n.messages import msg

Connect = Callable[[], sqlite3.Connection]


class _Write(NamedTuple):
    statements: Sequence[tuple[str, Sequence[Any]]]
    done: asyncio.Future[None]


class GroupCommit:
    """Commits rows in its own thread, so that the event loop never waits for the disk.

    `await write(…)` returns when the rows are committed. All queued writes go into one transaction, so a busy run
    needs one fsync per batch. A write that fails raises RunError for every write of its batch.
    """

    def __init__(self, connect: Connect, where: str) -> None:
        self._connect = connect
        self._where = where
        self._queue: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._work, name="simsa-store", daemon=True)
        self._thread.start()

    def write(self, *statements: tuple[str, Sequence[Any]]) -> asyncio.Future[None]:
        """Queues (SQL, parameters) pairs as one unit; the future resolves when they are on disk."""
        done = self._loop.create_future()
        self._queue.put(_Write(statements, done))
        return done

    async def close(self) -> None:
        """Commits the queued writes and ends the thread."""
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _work(self) -> None:
        connection = self._connect()
        try:
            while batch := self._take():
                error = self._commit(connection, batch)
                if not self._loop.is_closed():
                    self._loop.call_soon_threadsafe(_settle, batch, error)
        finally:
            connection.close()

    def _take(self) -> list[_Write]:
        first = self._queue.get()
        if first is None:
            return []
        batch = [first]
        while True:
            try:
                following = self._queue.get_nowait()
            except queue.Empty:
                return batch
            if following is None:
                self._queue.put(None)
                return batch
            batch.append(following)

    def _commit(self, connection: sqlite3.Connection, batch: list[_Write]) -> RunError | None:
        by_statement: dict[str, list[Sequence[Any]]] = {}
        for write in batch:
            for sql, row in write.statements:
                by_statement.setdefault(sql, []).append(row)
        try:
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                for sql, rows in by_statement.items():
                    connection.executemany(sql, rows)
        except sqlite3.Error as error:
            return RunError(
                msg("error.store.cannot_written", error=error),
                where=self._where,
                hint=msg("error.store.free_some_disk_space_or"),
            )
        return None


def _settle(batch: list[_Write], error: RunError | None) -> None:
    for write in batch:
        if write.done.done():
            continue
        if error is None:
            write.done.set_result(None)
        else:
            write.done.set_exception(error)
