"""The display of a running command on stderr: live bars on a terminal, plain lines in a log."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from simsa.cli import console
from simsa.i18n.language import Language, localize
from simsa.i18n.messages import msg
from simsa.run.progress import Progress, Stage
from simsa.text import count, usd, visible

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.progress import Progress as RichProgress

_LOG_INTERVAL_S = 10.0
_REFRESH_PER_SECOND = 4
_BAR_WIDTH = 24
_COUNT_WIDTH = 9


def display(progress: Progress, language: Language) -> contextlib.AbstractContextManager[None]:
    """Shows the counters of `progress` while the context is open. Sets `progress.say`."""
    screen = console.console(stderr=True)
    redraws = sys.stderr.isatty() and not screen.is_dumb_terminal
    return _bars(progress, language, screen) if redraws else _log_lines(progress, language)


def describe(stage: Stage, language: Language = "en") -> str:
    """Done of total, time left, failures, rate, and rows reused from earlier, on one line."""
    return " · ".join((_count(stage), *_details(stage, language)))


def cost_line(progress: Progress, language: Language = "en") -> str:
    """Cost so far, the estimate for the rest, and the limit; empty when nothing was paid."""
    if not progress.spent_usd:
        return ""
    to_go, limit = progress.to_go_usd, progress.limit_usd
    parts = [msg("money.spent", usd=usd(progress.spent_usd))]
    if to_go:
        parts.append(msg("money.to_go", usd=usd(to_go)))
    if limit is not None:
        rest = max(0.0, limit - progress.spent_usd)
        parts.append(msg("money.limit_rest", limit=usd(limit), rest=usd(rest)))
        if to_go and to_go > rest:
            parts.append(msg("money.not_enough"))
    return " · ".join(localize(part, language) for part in parts)


def clock(seconds: float) -> str:
    """Formats a duration as 05:45, or 3:25:45 from an hour on."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}" if minutes >= 60 else f"{minutes:02}:{rest:02}"


def _stages(progress: Progress, language: Language) -> list[tuple[str, Stage]]:
    """Name and counters of the stages that have begun and have something to do."""
    return [
        (localize(msg(code), language), stage)
        for code, stage in _both(progress)
        if stage.started is not None and stage.total != 0
    ]


def _both(progress: Progress) -> tuple[tuple[str, Stage], tuple[str, Stage]]:
    return ("live.generate", progress.generate), ("live.judge", progress.judge)


def _count(stage: Stage) -> str:
    return f"{count(stage.done)}/{count(stage.total)}" if stage.total else count(stage.done)


def _details(stage: Stage, language: Language) -> list[str]:
    left = stage.left_s()
    found = []
    if stage.finished is not None and stage.done:
        found.append(msg("live.took", time=clock(stage.seconds)))
    elif left:
        found.append(msg("live.left", time=clock(left)))
    elif not stage.done:
        found.append(msg("live.waiting", time=clock(stage.seconds)))
    if stage.failed:
        found.append(msg("live.failed", n=count(stage.failed)))
    if stage.done:
        found.append(msg("live.rate", rate=_rate(stage.rate())))
    if stage.reused:
        found.append(msg("live.reused", n=count(stage.reused)))
    return [localize(text, language) for text in found]


def _rate(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.1f}" if rate >= 0.1 or not rate else f"{rate:.2f}"


@contextlib.contextmanager
def _log_lines(progress: Progress, language: Language) -> Iterator[None]:
    """Prints messages as they come, and the state of each stage every few seconds while it changes."""
    progress.say = lambda text: console.say(visible(localize(text, language)))
    task = asyncio.get_running_loop().create_task(_log_regularly(progress, language))
    try:
        yield
    finally:
        task.cancel()
        _log(progress, language)


async def _log_regularly(progress: Progress, language: Language) -> None:
    last: tuple[int, int] | None = None
    while True:
        await asyncio.sleep(_LOG_INTERVAL_S)
        now = progress.generate.done, progress.judge.done
        if now != last:
            _log(progress, language)
        last = now


def _log(progress: Progress, language: Language) -> None:
    for name, stage in _stages(progress, language):
        cost = cost_line(progress, language) if stage is progress.judge else ""
        progress.say(f"{name}: {describe(stage, language)}" + (f" · {cost}" if cost else ""))


@contextlib.contextmanager
def _bars(progress: Progress, language: Language, screen: Console) -> Iterator[None]:
    from rich.text import Text

    progress.say = lambda text: screen.print(
        Text(console.folded(visible(localize(text, language)), screen.width, hang=2))
    )
    with _rich_progress(progress, language, screen):
        yield


def _rich_progress(progress: Progress, language: Language, screen: Console) -> RichProgress:
    """A rich progress display that reads the counters of `progress` whenever it is drawn."""
    from rich.cells import cell_len
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as RichProgress
    from rich.table import Column
    from rich.text import Text

    class Bars(RichProgress):
        def get_renderables(self) -> Iterable[RenderableType]:
            begun = dict(_stages(progress, language))
            for task in self.tasks:
                if (stage := begun.get(task.description)) is None:
                    continue
                details = separator.join(_details(stage, language))
                task.visible = True
                task.completed, task.total = stage.done, stage.total
                task.fields.update(count=_count(stage), details=details)
            yield from super().get_renderables()
            if cost := cost_line(progress, language).replace(" · ", separator):
                yield Text(f"{cost_label} {cost}", no_wrap=True, overflow="crop")

    def text(field: str, min_width: int = 0) -> TextColumn:
        column = Column(no_wrap=True, overflow="crop", min_width=min_width)
        return TextColumn(f"{{task.{field}}}", markup=False, table_column=column)

    separator = " · " if screen.encoding.startswith("utf") else " | "
    names = [localize(msg(code), language) for code, _ in _both(progress)]
    cost_label = localize(msg("live.money"), language)
    bars = Bars(
        text("description", max(map(cell_len, names))),
        BarColumn(bar_width=_BAR_WIDTH),
        text("fields[count]", _COUNT_WIDTH),
        text("fields[details]"),
        console=screen,
        refresh_per_second=_REFRESH_PER_SECOND,
    )
    for name in names:
        bars.add_task(name, total=None, visible=False, count="", details="")
    return bars
