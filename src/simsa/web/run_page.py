"""One run on the page: what is read from its file, and what is computed from it and kept until the file changes."""

from __future__ import annotations

import threading
import time
from array import array
from collections.abc import Callable, Hashable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from simsa.errors import DataError
from simsa.records import Criteria
from simsa.store import Store, criteria_of
from simsa.store.labels import DATABASE as LABELS
from simsa.store.labels import read as read_labels
from simsa.web import question_list
from simsa.web.query import QuestionFilter, filter_from
from simsa.web.question_list import PAGE, ListOptions, ListRow

if TYPE_CHECKING:
    from simsa.i18n.language import Language
    from simsa.report import Summary
    from simsa.web.labeling import DeskAgreement

_REST_S = 0.25
_REST_FACTOR = 5.0
_CACHED_LISTS = 16


class RunProgress(NamedTuple):
    """How far a run is: rows planned, answered, and judged with or without success."""

    planned: int
    answered: int
    judged: int

    @property
    def is_open(self) -> bool:
        return self.judged < self.planned


_PROGRESS = """
    SELECT count(*),
        total(EXISTS (SELECT 1 FROM answers a WHERE a.request_hash = p.request_hash)),
        total(EXISTS (SELECT 1 FROM judging g WHERE g.question_id = p.question_id AND g.variant = p.variant
            AND g.answer_hash = p.request_hash))
    FROM plan p"""


class RunFacts(NamedTuple):
    """What a run is about. `baseline` is the number of the variant that the others are compared with."""

    variants: tuple[str, ...]
    criteria: Criteria
    baseline: int


class ListPage(NamedTuple):
    """Some rows of a list, and how many questions it has."""

    rows: list[ListRow]
    n: int


class RunPage:
    """One run. Values are computed again when the run's file has changed. All methods are thread-safe."""

    def __init__(self, folder: Path, language: Language | None) -> None:
        self.folder = folder
        self.name = folder.resolve().name.removesuffix(".simsa")
        with Store.read(folder) as store:
            self.language: Language = language or store.meta("language") or "ko"
        self.summary = BackgroundSummary(folder, self.language, self._stamp)
        self._last_stamp: tuple[float, Hashable] = (0.0, None)
        self._progress = lru_cache(1)(self._read_progress)
        self._options = lru_cache(1)(self._read_options)
        self._positions = lru_cache(_CACHED_LISTS)(self._read_positions)
        self._agreement = lru_cache(1)(self._compute_agreement)

    def facts(self) -> RunFacts:
        with Store.read(self.folder) as store:
            variants = tuple(store.variants())
            baseline = store.meta("baseline")
            return RunFacts(
                variants, criteria_of(store), variants.index(baseline) if baseline in variants else 0
            )

    def filter(self, query: Mapping[str, str]) -> QuestionFilter:
        """The filter that a URL's query asks for."""
        facts = self.facts()
        return filter_from(query, facts.variants, facts.criteria.names, facts.baseline)

    def progress(self) -> RunProgress:
        return self._progress(self._stamp())

    def options(self) -> ListOptions:
        """What the form of the list offers."""
        return self._options(self._stamp())

    def agreement(self) -> DeskAgreement | None:
        """The judge's agreement with the labels; None while there are none."""
        labels = _file_stamp(self.folder / LABELS)
        return self._agreement(self._stamp(), labels) if (self.folder / LABELS).is_file() else None

    def positions(self, ask: QuestionFilter) -> array[int]:
        """The positions of the questions in the list of `ask`, in its order."""
        labels = _file_stamp(self.folder / LABELS) if ask.labelled else None
        return self._positions(self._stamp(), labels, ask.changed(show=()))

    def page(self, ask: QuestionFilter, first: int | None = None, limit: int = PAGE) -> ListPage:
        """The page that `ask` names, or `limit` questions from the `first` (from 0) of its list on."""
        found = self.positions(ask)
        with Store.read(self.folder) as store:
            start = (ask.page - 1) * PAGE if first is None else first
            return ListPage(question_list.rows(store, found, start, limit), len(found))

    def place(self, question_id: str, ask: QuestionFilter) -> int | None:
        """The number, from 0, of a question in the list of `ask`."""
        with Store.read(self.folder) as store:
            found = store.db.execute("SELECT position FROM questions WHERE id = ?", (question_id,)).fetchone()
        listed = self.positions(ask)
        return listed.index(found[0]) if found and found[0] in listed else None

    def _stamp(self) -> Hashable:
        """Differs when the run's file has changed; looks at the file at most four times a second."""
        until, stamp = self._last_stamp
        if (now := time.monotonic()) >= until:
            stamp = _file_stamp(self.folder / "run.sqlite")
            self._last_stamp = now + _REST_S, stamp
        return stamp

    def _read_progress(self, _: Hashable) -> RunProgress:
        with Store.read(self.folder) as store:
            return RunProgress(*map(int, store.db.execute(_PROGRESS).fetchone()))

    def _read_options(self, _: Hashable) -> ListOptions:
        with Store.read(self.folder) as store:
            return question_list.list_options(store)

    def _read_positions(self, _: Hashable, __: Hashable, ask: QuestionFilter) -> array[int]:
        with Store.read(self.folder) as store:
            return question_list.positions(store, ask, self._labelled() if ask.labelled else ())

    def _labelled(self) -> Iterator[tuple[str, str]]:
        if (self.folder / LABELS).is_file():
            yield from ((label.question_id, label.variant) for label in read_labels(self.folder))

    def _compute_agreement(self, *_: Hashable) -> DeskAgreement | None:
        from simsa.web.labeling import agreement

        try:
            return agreement(self.folder, self.language)
        except DataError:
            return None


def _file_stamp(path: Path) -> Hashable:
    """Time and size of a database and of its write-ahead log."""
    found = []
    for file in (path, path.with_name(f"{path.name}-wal")):
        try:
            stat = file.stat()
        except FileNotFoundError:
            stat = None
        # Readers leave an empty log behind.
        found.append((stat.st_mtime_ns, stat.st_size) if stat and stat.st_size else (0, 0))
    return tuple(found)


class BackgroundSummary:
    """The figures of a run, computed in a thread of their own.

    After a change of the run the last figures are shown until the new ones are there. A computation starts only
    after a rest of five times as long as the last one took.
    """

    def __init__(self, folder: Path, language: Language, stamp: Callable[[], Hashable]) -> None:
        self._folder = folder
        self._language: Language = language
        self._stamp = stamp
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._summary: Summary | None = None
        self._stamp_of_summary: Hashable = None
        self._rest_until = 0.0
        self._error: Exception | None = None

    @property
    def is_computing(self) -> bool:
        return self._thread is not None

    def get(self, wait_s: float | None = None) -> Summary | None:
        """The last summary; waits up to `wait_s` seconds for the first one, then returns None.

        Raises the error of the last computation, once.
        """
        stamp = self._stamp()
        with self._lock:
            is_due = stamp != self._stamp_of_summary and time.monotonic() >= self._rest_until
            if self._thread is None and is_due:
                self._thread = threading.Thread(target=self._compute, args=(stamp,), daemon=True)
                self._thread.start()
            thread = self._thread
        if self._summary is None and thread is not None:
            thread.join(wait_s)
        with self._lock:
            error, self._error = self._error, None
        if error is not None and self._summary is None:
            raise error
        return self._summary

    def _compute(self, stamp: Hashable) -> None:
        from simsa.report import summary

        began = time.monotonic()
        try:
            with Store.read(self._folder) as store:
                self._summary = summary(store, self._language, n_examples=0)
            self._stamp_of_summary = stamp
            self._rest_until = time.monotonic() + _REST_FACTOR * (time.monotonic() - began)
        except Exception as error:  # for whoever asks for the summary
            self._error = error
        finally:
            self._thread = None
