"""A value made from a run that may still be growing: kept, and made anew behind the reader's back.

Heavy work in a process of its own, so that the pages stay quick meanwhile and its memory goes back.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from simsa.store import Store

if TYPE_CHECKING:
    from simsa.i18n.language import Language
    from simsa.report import Summary

T = TypeVar("T")
_REST_FACTOR = 5.0


class RefreshingValue(Generic[T]):
    """`make()` again whenever `stamp()` has changed, but after `rest_s` at the earliest, and not so often that
    nothing else is done.

    A reader gets the last value while the next is being made. `drop` gets a value when the
    one after the next is there: whoever still reads the one before it is not disturbed.
    """

    def __init__(
        self,
        make: Callable[[], T],
        stamp: Callable[[], Hashable],
        drop: Callable[[T], object] | None = None,
        *,
        rest_s: float = 2.0,
    ) -> None:
        self._make = make
        self._stamp = stamp
        self._drop = drop
        self._rest_s = rest_s
        self._made: tuple[T, Hashable, float] | None = None
        self._before: T | None = None
        self._error: Exception | None = None
        self._lock = threading.Lock()
        self._working: threading.Thread | None = None

    def get(self, wait: float | None = None) -> T | None:
        """The value. The first one is waited for, for `wait` seconds or as long as it takes; then None."""
        with self._lock:
            made = self._made
            if self._working is None and (made is None or self._is_stale(made)):
                self._working = threading.Thread(target=self._work, daemon=True)
                self._working.start()
            working = self._working
        if made is not None:
            return made[0]
        if working is not None and wait != 0:
            working.join(wait)
        with self._lock:
            if self._error is not None:
                error, self._error = self._error, None
                raise error
            return None if self._made is None else self._made[0]

    @property
    def is_made(self) -> bool:
        """Whether there is a value to be had at once."""
        with self._lock:
            return self._made is not None

    @property
    def is_working(self) -> bool:
        with self._lock:
            return self._working is not None

    def _is_stale(self, made: tuple[T, Hashable, float]) -> bool:
        return time.monotonic() >= made[2] and self._stamp() != made[1]

    def _work(self) -> None:
        began, stamp = time.monotonic(), self._stamp()
        try:
            value = self._make()
        except Exception as error:  # whoever asks for the value gets it
            with self._lock:
                self._error, self._working = error, None
            return
        now = time.monotonic()
        with self._lock:
            gone, self._before = self._before, None if self._made is None else self._made[0]
            self._made = (value, stamp, now + max(self._rest_s, _REST_FACTOR * (now - began)))
            self._error, self._working = None, None
        if gone is not None and self._drop is not None:
            self._drop(gone)


LARGE = 10_000
"""Planned rows from which a run is large: below, another interpreter costs more than it spares."""

_one_at_a_time = threading.Lock()


def run_in_subprocess(what: Callable[..., T], *values: Any, large: bool) -> T:
    """`what(*values)`, a function of a module and values that can be pickled; in another process where it is `large`."""
    if not large:
        return what(*values)
    with (
        _one_at_a_time,
        ProcessPoolExecutor(
            1, mp_context=multiprocessing.get_context("spawn"), initializer=_step_back
        ) as pool,
    ):
        return pool.submit(what, *values).result()


def _step_back() -> None:
    """Whoever waits for a page goes first."""
    os.nice(5)


def build_index(folder: Path, path: Path) -> None:
    """Writes the index of the run in `folder` to `path`."""
    from simsa.web.question_list import build

    with Store.read(folder) as store:
        build(path, store)


def summarise(folder: Path, language: Language) -> Summary:
    """The figures of the run in `folder`, without examples."""
    from simsa.report import summary

    with Store.read(folder) as store:
        return summary(store, language, n_examples=0)
