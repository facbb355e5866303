"""How far a run is: plain counters that the pipeline moves and a display reads."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simsa.data import DataSummary


@dataclass(slots=True)
class Stage:
    """One stage's counters. `total` is None until it is known."""

    total: int | None = None
    done: int = 0
    failed: int = 0
    reused: int = 0
    started: float | None = None
    finished: float | None = None

    def begin(self, total: int | None = None) -> None:
        self.started = self.started or time.monotonic()
        self.total = total

    def ready(self) -> None:
        """The wait for a server is over; the rate counts from here if nothing was done before."""
        if not self.done:
            self.started = time.monotonic()

    def end(self) -> None:
        self.finished = time.monotonic()

    @property
    def seconds(self) -> float:
        if self.started is None:
            return 0.0
        return (self.finished or time.monotonic()) - self.started


@dataclass(slots=True)
class Progress:
    """`say` is told what a person should know as it happens; the counters move silently.

    `show_data` gets the test set's description before anything is asked.
    """

    say: Callable[[str], None] = lambda text: None
    show_data: Callable[[DataSummary], None] = lambda summary: None
    generate: Stage = field(default_factory=Stage)
    judge: Stage = field(default_factory=Stage)
    spent_usd: float = 0.0
    notes: list[dict[str, str]] = field(default_factory=list)

    def note(self, kind: str, text: str) -> None:
        """A warning: shown now, and kept for every report of the run."""
        self.notes.append({"kind": kind, "text": text})
        self.say(text)
