"""The runs that a server shows, each with what was made of it."""

from __future__ import annotations

import itertools
from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING

from simsa.store import Store
from simsa.web.fresh import Fresh
from simsa.web.index import Index

if TYPE_CHECKING:
    from simsa.report import Summary
    from simsa.report.words import Language


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

    def _stamp(self) -> Hashable:
        found = []
        for name in ("run.sqlite", "run.sqlite-wal"):
            try:
                stat = (self.folder / name).stat()
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
