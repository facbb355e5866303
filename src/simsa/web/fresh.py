"""A value made from a run that may still be growing: kept, and made anew behind the reader's back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")
_REST_FACTOR = 5.0


class Fresh(Generic[T]):
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
