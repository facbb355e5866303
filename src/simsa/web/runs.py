"""The runs that a server shows, each with what was made of it."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from simsa.errors import DataError
from simsa.labels import DATABASE as LABELS
from simsa.store import Store
from simsa.web.fresh import Fresh
from simsa.web.index import Index

if TYPE_CHECKING:
    from simsa.report import Summary
    from simsa.report.words import Language
    from simsa.web.agreement import Agreement


class Counts(NamedTuple):
    """How far a run is: rows that were planned, that have an answer, that have been judged."""

    planned: int
    answered: int
    judged: int


class Run:
    """One run: its index and its summary, made anew as the store grows."""

    def __init__(self, folder: Path, scratch: Path, language: Language | None) -> None:
        self.folder = folder
        self.name = folder.resolve().name.removesuffix(".simsa")
        with Store.read(folder) as store:
            self.language: Language = language or store.meta("language") or "ko"
        self._scratch = scratch
        self._numbers = itertools.count()
        self.index = Fresh(self._index, self._stamp, Index.close)
        self.summary = Fresh(self._summary, self._stamp)
        self._agreed: tuple[Hashable, Agreement | None] | None = None
        self._agreeing = threading.Lock()

    @property
    def is_working(self) -> bool:
        """Whether something is being made from the run just now."""
        return self.index.is_working or self.summary.is_working

    def counts(self) -> Counts:
        with Store.read(self.folder) as store:
            row = store.db.execute(
                """SELECT count(*), count(a.serial), (SELECT count(*) FROM
                    (SELECT DISTINCT question_id, variant FROM judging))
                FROM plan p LEFT JOIN answers a ON a.request_hash = p.request_hash"""
            ).fetchone()
        return Counts(*row)

    def agreement(self) -> Agreement | None:
        """The judge against the labels as they are now; None while there are none."""
        from simsa.web.agreement import agreement

        if not (self.folder / LABELS).is_file():
            return None
        with self._agreeing:
            stamp = self._stamp(LABELS), self._stamp()
            if self._agreed is None or self._agreed[0] != stamp:
                try:
                    self._agreed = stamp, agreement(self.folder, self.language)
                except DataError:
                    self._agreed = stamp, None
            return self._agreed[1]

    def _stamp(self, name: str = "run.sqlite") -> Hashable:
        found = []
        for path in (self.folder / name, self.folder / f"{name}-wal"):
            try:
                stat = path.stat()
                found.append((stat.st_mtime_ns, stat.st_size))
            except FileNotFoundError:
                found.append((0, 0))
        return tuple(found)

    def _index(self) -> Index:
        with Store.read(self.folder) as store:
            return Index(self._scratch / f"{id(self)}-{next(self._numbers)}.sqlite", store)

    def _summary(self) -> Summary:
        from simsa.report import summary

        with Store.read(self.folder) as store:
            return summary(store, self.language, n_examples=0)
