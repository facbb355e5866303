"""Heavy work in a process of its own, so that the pages stay quick meanwhile and its memory goes back."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from simsa.store import Store

if TYPE_CHECKING:
    from simsa.report import Summary
    from simsa.report.words import Language

T = TypeVar("T")

LARGE = 10_000
"""Planned rows from which a run is large: below, another interpreter costs more than it spares."""

_one_at_a_time = threading.Lock()


def apart(what: Callable[..., T], *values: Any, large: bool) -> T:
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
    from simsa.web.index import build

    with Store.read(folder) as store:
        build(path, store)


def summarise(folder: Path, language: Language) -> Summary:
    """The figures of the run in `folder`, without examples."""
    from simsa.report import summary

    with Store.read(folder) as store:
        return summary(store, language, n_examples=0)
