"""Runs the pipeline under a display: live bars on a terminal, plain lines elsewhere, all on stderr."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import time
from collections.abc import Collection, Iterator
from pathlib import Path

import click

from simsa.config import Config
from simsa.progress import Progress, Stage
from simsa.text import visible

_PLAIN_EVERY_S = 10.0


def perform(
    config: Config,
    folder: Path,
    stages: Collection[str],
    *,
    quiet: bool = False,
    retry: Collection[str] = (),
) -> Progress:
    """Makes or continues a run and returns its counters. Ctrl-C ends it cleanly, resumable."""
    from simsa import pipeline

    progress = Progress()

    async def work() -> None:
        with contextlib.ExitStack() as display:
            if not quiet:
                display.enter_context(_display(progress, config))
            await pipeline.evaluate(config, folder, stages=stages, retry=retry, progress=progress)

    # Rows come and go without cycles: looking for those at Python's usual rate costs a tenth of a run.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    asyncio.run(work())
    return progress


def _display(progress: Progress, config: Config) -> contextlib.AbstractContextManager[None]:
    return _bars(progress) if sys.stderr.isatty() else _lines(progress)


@contextlib.contextmanager
def _lines(progress: Progress) -> Iterator[None]:
    """For logs: what is said, and every few seconds where each stage stands."""
    progress.say = lambda text: click.echo(visible(text), err=True)
    task = asyncio.get_running_loop().create_task(_report_now_and_then(progress))
    try:
        yield
    finally:
        task.cancel()
        for name, stage in _stages(progress):
            progress.say(f"{name}: {describe(stage)}")


async def _report_now_and_then(progress: Progress) -> None:
    shown: dict[str, int] = {}
    while True:
        await asyncio.sleep(_PLAIN_EVERY_S)
        for name, stage in _stages(progress):
            if shown.get(name) != stage.done:
                shown[name] = stage.done
                progress.say(f"{name}: {describe(stage)}")


@contextlib.contextmanager
def _bars(progress: Progress) -> Iterator[None]:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(stderr=True, highlight=False)
    progress.say = lambda text: console.print(Text(visible(text)))

    class Now:
        def __rich__(self) -> Text:
            lines = [f"{name:<9} {bar(stage)} {describe(stage)}" for name, stage in _stages(progress)]
            if progress.spent_usd:
                lines.append(f"{'':<9} {progress.spent_usd:.4f} USD")
            return Text("\n".join(lines))

    with Live(Now(), console=console, refresh_per_second=4, transient=False):
        yield


def _stages(progress: Progress) -> list[tuple[str, Stage]]:
    both = [("generate", progress.generate), ("judge", progress.judge)]
    return [(name, stage) for name, stage in both if stage.started is not None and stage.total != 0]


def bar(stage: Stage, width: int = 24) -> str:
    """A bar of `width` cells; empty while the total is unknown."""
    filled = round(width * min(1.0, stage.done / stage.total)) if stage.total else 0
    return "━" * filled + "╌" * (width - filled)


def describe(stage: Stage) -> str:
    """Done of total, rate, time left, what failed and what was found done."""
    rate = stage.done / stage.seconds if stage.seconds > 0 else 0.0
    parts = [f"{stage.done}/{stage.total}" if stage.total else f"{stage.done}"]
    if stage.done:
        parts.append(f"{rate:.1f}/s")
    if stage.total and rate and stage.done < stage.total:
        parts.append(f"{time.strftime('%H:%M:%S', time.gmtime((stage.total - stage.done) / rate))} left")
    if stage.failed:
        parts.append(f"{stage.failed} failed")
    if stage.reused:
        parts.append(f"{stage.reused} reused")
    return " · ".join(parts)
