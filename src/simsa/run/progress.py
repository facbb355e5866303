"""Progress of a run: counters that the pipeline moves and a display reads."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simsa.i18n.language import localize

if TYPE_CHECKING:
    from simsa.data import DataSummary


_WINDOW_S = 60.0
_STEP_S = 1.0


@dataclass(slots=True)
class Stage:
    """Counters of one stage. `total` is None until it is known."""

    total: int | None = None
    done: int = 0
    failed: int = 0
    reused: int = 0
    started: float | None = None
    finished: float | None = None
    _seen: deque[tuple[float, int]] = field(default_factory=deque)

    def begin(self, total: int | None = None) -> None:
        self.started = self.started or time.monotonic()
        self.total = total

    def ready(self) -> None:
        """The server is ready: the rate counts from now, if nothing was done before."""
        if not self.done:
            self.started = time.monotonic()

    def end(self) -> None:
        self.finished = time.monotonic()

    def rate(self, now: float | None = None) -> float:
        """Rows per second over the last minute; over the whole time once the stage has ended.

        Rows that a resumed run finds done pass at once, so they must not count for the rest.
        """
        if self.finished is not None or self.started is None:
            return self.done / self.seconds if self.seconds > 0 else 0.0
        at = time.monotonic() if now is None else now
        seen = self._seen
        if not seen:
            seen.append((self.started, 0))
        while len(seen) > 1 and seen[1][0] <= at - _WINDOW_S:
            seen.popleft()
        if at - seen[-1][0] >= _STEP_S:
            seen.append((at, self.done))
        before, done = seen[0]
        return (self.done - done) / (at - before) if at > before else 0.0

    def left_s(self, now: float | None = None) -> float | None:
        """Seconds until the stage is done at this rate; None while that is unknown."""
        rate = self.rate(now)
        if not self.total or not rate:
            return None
        return max(0, self.total - self.done) / rate

    @property
    def seconds(self) -> float:
        if self.started is None:
            return 0.0
        return (self.finished or time.monotonic()) - self.started


@dataclass(slots=True)
class Progress:
    """Counters of both stages, and what to tell the user.

    `say` gets messages as they arise. `show_data` gets the description of the test set before anything is asked.
    """

    say: Callable[[str], None] = lambda text: None
    show_data: Callable[[DataSummary], None] = lambda summary: None
    generate: Stage = field(default_factory=Stage)
    judge: Stage = field(default_factory=Stage)
    spent_usd: float = 0.0
    """Cost of all judging of the run; `before_usd` of it before this call of the program."""
    before_usd: float = 0.0
    limit_usd: float | None = None
    notes: list[dict[str, str]] = field(default_factory=list)

    @property
    def to_go_usd(self) -> float | None:
        """Expected cost of the rest of the judging at the price so far; None while that is unknown."""
        stage = self.judge
        if not stage.total or not stage.done:
            return None
        each = (self.spent_usd - self.before_usd) / stage.done
        return each * max(0, stage.total - stage.done)

    def timing(self, before: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
        """Rows and seconds of each stage, added to those of earlier calls of the program."""
        total = {}
        for name, stage in (("generate", self.generate), ("judge", self.judge)):
            so_far = before.get(name) or {"rows": 0, "seconds": 0.0}
            total[name] = {
                "rows": so_far["rows"] + stage.done,
                "seconds": round(so_far["seconds"] + (stage.seconds if stage.done else 0.0), 3),
            }
        return {name: figures for name, figures in total.items() if figures["rows"]}

    def note(self, kind: str, text: str) -> None:
        """Adds a warning, which is shown now and in every report of the run."""
        self.notes.append({"kind": kind, "text": str(text), "ko": localize(text, "ko")})
        self.say(text)
