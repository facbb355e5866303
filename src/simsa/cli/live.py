"""Runs the pipeline under a display: live bars on a terminal, plain lines elsewhere, all on stderr."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
from collections.abc import Collection, Coroutine, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from simsa.config import Config
from simsa.progress import Progress, Stage
from simsa.text import one_line, visible

if TYPE_CHECKING:
    from simsa.batching import Mode
    from simsa.data import DataSummary
    from simsa.judges.estimate import Expense

_T = TypeVar("_T")
_PLAIN_EVERY_S = 10.0


def perform(
    config: Config,
    folder: Path,
    stages: Collection[str],
    *,
    quiet: bool = False,
    retry: Collection[str] = (),
    batch: Mode | None = None,
) -> Progress:
    """Makes or continues a run and returns its counters. Ctrl-C ends it cleanly, resumable."""
    from simsa import pipeline

    progress = Progress()
    if not quiet:
        progress.show_data = lambda summary: progress.say(look(summary, config.report.language))

    async def work() -> None:
        with contextlib.ExitStack() as display:
            if not quiet:
                display.enter_context(_display(progress))
            await pipeline.evaluate(
                config, folder, stages=stages, retry=retry, progress=progress, batch=batch
            )

    # Rows come and go without cycles: looking for those at Python's usual rate costs a tenth of a run.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    asyncio.run(work())
    return progress


def watched(work: Coroutine[Any, Any, _T], progress: Progress, *, quiet: bool = False) -> _T:
    """Does `work`, which moves `progress`, under its display."""

    async def shown() -> _T:
        with contextlib.nullcontext() if quiet else _display(progress):
            return await work

    return asyncio.run(shown())


def expected(expense: Expense) -> str:
    """What is about to be spent, on one line."""
    cost = "no price is known" if expense.cost_usd is None else f"about {expense.cost_usd:.2f} USD"
    return (
        f"judging: {expense.calls} calls, about {expense.prompt_tokens:,} tokens in and"
        f" {expense.completion_tokens:,} out (estimated from characters), {cost}"
    )


def look(summary: DataSummary, language: str) -> str:
    """A first look at the test set: how many of what, how long, and two questions with their answers."""
    korean = language == "ko"
    types = ", ".join(f"{name} {n}" for name, n in summary.types.items())
    n, yes, no = summary.n, summary.answerable, summary.unanswerable
    lines = [
        f"질문 {n}개 (답 있음 {yes}, 답 없음 {no})"
        if korean
        else f"{n} questions ({yes} answerable, {no} not)"
    ]
    if types:
        lines[0] += f": {types}"
    lengths = [
        (name, spread)
        for name, spread in (
            ("질문" if korean else "question", summary.question_length),
            ("문맥" if korean else "contexts", summary.contexts_length),
            ("정답" if korean else "reference", summary.reference_length),
        )
        if spread
    ]
    shown = ", ".join(f"{name} {s.min:g}–{s.median:g}–{s.max:g}" for name, s in lengths)
    lines.append(f"길이(글자, 최소–중앙–최대): {shown}" if korean else f"characters, min–median–max: {shown}")
    for question in summary.examples:
        reference = one_line(question.reference[0], 100) if question.reference else "–"
        lines.append(f"  {one_line(question.question, 100)} → {reference}")
    return "\n".join(lines)


def _display(progress: Progress) -> contextlib.AbstractContextManager[None]:
    """Shows the counters of `progress` while it is open: live bars, or plain lines where there is no terminal."""
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
            progress.say(_line(name, stage, progress))


async def _report_now_and_then(progress: Progress) -> None:
    shown: dict[str, int] = {}
    while True:
        await asyncio.sleep(_PLAIN_EVERY_S)
        for name, stage in _stages(progress):
            if shown.get(name) != stage.done:
                shown[name] = stage.done
                progress.say(_line(name, stage, progress))


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
            if spent := money(progress):
                lines.append(f"{'':<9} {spent}")
            return Text("\n".join(lines))

    with Live(Now(), console=console, refresh_per_second=4, transient=False):
        yield


def _stages(progress: Progress) -> list[tuple[str, Stage]]:
    both = [("generate", progress.generate), ("judge", progress.judge)]
    return [(name, stage) for name, stage in both if stage.started is not None and stage.total != 0]


def _clock(seconds: float) -> str:
    """03:25:45, also beyond a day."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest:02}"


def bar(stage: Stage, width: int = 24) -> str:
    """A bar of `width` cells; empty while the total is unknown."""
    filled = round(width * min(1.0, stage.done / stage.total)) if stage.total else 0
    return "━" * filled + "╌" * (width - filled)


def _line(name: str, stage: Stage, progress: Progress) -> str:
    spent = money(progress) if stage is progress.judge else ""
    return f"{name}: {describe(stage)}" + (f" · {spent}" if spent else "")


def money(progress: Progress) -> str:
    """What was spent, what the rest will cost, and what it may; empty where nothing costs."""
    if not progress.spent_usd:
        return ""
    parts = [f"{progress.spent_usd:.4f} USD spent"]
    if progress.to_go_usd:
        parts.append(f"about {progress.to_go_usd:.4f} to go")
    if progress.limit_usd is not None:
        parts.append(f"limit {progress.limit_usd:g}")
    return ", ".join(parts)


def describe(stage: Stage) -> str:
    """Done of total, rate, time left, what failed and what was found done."""
    rate, left = stage.rate(), stage.left_s()
    parts = [f"{stage.done}/{stage.total}" if stage.total else f"{stage.done}"]
    if stage.done:
        parts.append(f"{rate:.1f}/s")
    if left:
        parts.append(f"{_clock(left)} left")
    if stage.failed:
        parts.append(f"{stage.failed} failed")
    if stage.reused:
        parts.append(f"{stage.reused} reused")
    return " · ".join(parts)
