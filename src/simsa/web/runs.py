"""The runs that a server shows, each with what was made of it."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from simsa.errors import DataError
from simsa.store import Store
from simsa.store.labels import DATABASE as LABELS
from simsa.web.background import LARGE, RefreshingValue, build_index, run_in_subprocess, summarise
from simsa.web.query import QuestionFilter, filter_from
from simsa.web.question_list import QuestionIndex, QuestionList, UnindexedQuestions

if TYPE_CHECKING:
    from simsa.i18n.language import Language
    from simsa.report import Summary
    from simsa.web.agreement import DeskAgreement


_MOMENT_S = 0.1


class RunProgress(NamedTuple):
    """How far a run is: rows planned, of those answered, of those judged for good or ill."""

    planned: int
    answered: int
    judged: int

    @property
    def is_open(self) -> bool:
        return self.judged < self.planned


def baseline_of(store: Store, variants: Sequence[str]) -> int:
    """The number of the variant that the others are compared with, as reports take it."""
    name = store.meta("baseline")
    return variants.index(name) if name in variants else 0


_PROGRESS = """
    SELECT count(*),
        total(EXISTS (SELECT 1 FROM answers a WHERE a.request_hash = p.request_hash)),
        total(EXISTS (SELECT 1 FROM judging g WHERE g.question_id = p.question_id AND g.variant = p.variant
            AND g.answer_hash = p.request_hash))
    FROM plan p"""


class RunPage:
    """One run: its index and its summary, made anew as the store grows."""

    def __init__(self, folder: Path, scratch: Path, language: Language | None) -> None:
        self.folder = folder
        self.name = folder.resolve().name.removesuffix(".simsa")
        with Store.read(folder) as store:
            self.language: Language = language or store.meta("language") or "ko"
        self._scratch = scratch
        self._numbers = itertools.count()
        self.index = RefreshingValue(self._index, self._stamp, QuestionIndex.close)
        self.summary = RefreshingValue(self._summary, self._stamp)
        self.progress = RefreshingValue(self._progress, self._stamp, rest_s=_MOMENT_S)
        self._agreed: tuple[Hashable, DeskAgreement | None] | None = None
        self._agreeing = threading.Lock()

    @property
    def is_working(self) -> bool:
        """Whether something is being made from the run just now."""
        return self.index.is_working or self.summary.is_working

    def agreement(self) -> DeskAgreement | None:
        """The judge against the labels as they are now; None while there are none."""
        from simsa.web.agreement import agreement

        if not (self.folder / LABELS).is_file():
            return None
        with self._agreeing:
            stamp = self._stamp(LABELS), self._stamp()
            if self._agreed is None or self._agreed[0] != stamp:
                try:
                    found = run_in_subprocess(agreement, self.folder, self.language, large=self.is_large)
                    self._agreed = stamp, found
                except DataError:
                    self._agreed = stamp, None
            return self._agreed[1]

    def _stamp(self, name: str = "run.sqlite") -> Hashable:
        found = []
        for path in (self.folder / name, self.folder / f"{name}-wal"):
            try:
                stat = path.stat()
            except FileNotFoundError:
                stat = None
            # An empty log is what a reader leaves behind who only looked.
            found.append((stat.st_mtime_ns, stat.st_size) if stat and stat.st_size else (0, 0))
        return tuple(found)

    def listing(self, ask: QuestionFilter) -> QuestionList | None:
        """What answers `ask`; None where only the index can, and a large run has none yet."""
        index = self.index.get((0 if ask.is_plain else _MOMENT_S) if self.is_large else None)
        if index is not None:
            return index
        return UnindexedQuestions(self.folder) if ask.is_plain else None

    def read(self, query: Mapping[str, str]) -> QuestionFilter:
        """What an address asks of this run."""
        with Store.read(self.folder) as store:
            variants = tuple(store.variants())
            return filter_from(query, variants, baseline_of(store, variants))

    @property
    def is_large(self) -> bool:
        with Store.read(self.folder) as store:
            return store.db.execute("SELECT 1 FROM plan LIMIT 1 OFFSET ?", (LARGE,)).fetchone() is not None

    def _index(self) -> QuestionIndex:
        path = self._scratch / f"{id(self)}-{next(self._numbers)}.sqlite"
        run_in_subprocess(build_index, self.folder, path, large=self.is_large)
        return QuestionIndex(path, self.folder)

    def _progress(self) -> RunProgress:
        with Store.read(self.folder) as store:
            return RunProgress(*map(int, store.db.execute(_PROGRESS).fetchone()))

    def _summary(self) -> Summary:
        return run_in_subprocess(summarise, self.folder, self.language, large=self.is_large)
