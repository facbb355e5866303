"""Runs the pipeline under a display: live bars on a terminal, plain lines elsewhere, all on stderr."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import shlex
import signal
import sys
from collections.abc import Collection, Coroutine, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from simsa.cli import console, progress_bars
from simsa.config import Config
from simsa.errors import Interrupted
from simsa.i18n.language import Language, localize
from simsa.i18n.messages import msg
from simsa.run.progress import Progress
from simsa.text import one_line, usd, visible

if TYPE_CHECKING:
    from rich.text import Text

    from simsa.data import DataSummary
    from simsa.judges.cost import CostEstimate
    from simsa.run.batch.actions import Mode
    from simsa.run.cost_estimate import RunEstimate

_T = TypeVar("_T")
_PLAIN_EVERY_S = 10.0
_REDRAWN_A_SECOND = 4
# Shorter lines stay whole in most terminals that get narrower.
_WIDEST = 79


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
    language = console.listener(config.report.language)
    if not quiet:
        progress.show_data = lambda summary: progress.say(look(summary, language))

    # Rows come and go without cycles: looking for those at Python's usual rate costs a tenth of a run.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    work = pipeline.evaluate(config, folder, stages=stages, retry=retry, progress=progress, batch=batch)
    watched(work, progress, language, quiet=quiet)
    return progress


def watched(
    work: Coroutine[Any, Any, _T], progress: Progress, language: Language, *, quiet: bool = False
) -> _T:
    """Does `work`, which moves `progress`, under its display. Raises Interrupted for Ctrl-C and SIGTERM."""
    language = console.listener(language)

    async def shown() -> _T:
        _end_as_by_ctrl_c(signal.SIGTERM)
        with contextlib.nullcontext() if quiet else _display(progress, language):
            return await work

    try:
        return asyncio.run(shown())
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise Interrupted(localize(_how_to_go_on(), language)) from None


def _end_as_by_ctrl_c(number: signal.Signals) -> None:
    task = asyncio.current_task()
    assert task is not None
    with contextlib.suppress(ValueError, RuntimeError, NotImplementedError):  # not in the main thread
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)


def _how_to_go_on() -> str:
    """The sentence with the command itself, where it is known."""
    context = click.get_current_context(silent=True)
    given = context.find_root().obj if context else None
    if not given:
        return msg("interrupted")
    return msg("interrupted.command", command=shlex.join(["simsa", *given]))


def expected(expense: CostEstimate | RunEstimate) -> str:
    """What is about to be spent, on one line."""
    return msg(
        "estimate",
        calls=expense.calls,
        prompt=expense.prompt_tokens,
        completion=expense.completion_tokens,
        cost=price(expense.cost_usd),
    )


def price(cost_usd: float | None) -> str:
    """A price that is guessed, or that there is none."""
    return msg("price.unknown") if cost_usd is None else msg("price.about", usd=usd(cost_usd))


def look(summary: DataSummary, language: Language) -> str:
    """A first look at the test set: how many of what, how long, and two questions with their answers."""
    types = ", ".join(f"{name} {n:,}" for name, n in summary.types.items())
    lines = [
        localize(msg("look.n", n=summary.n, yes=summary.answerable, no=summary.unanswerable), language)
        + (f": {types}" if types else "")
    ]
    spreads = (
        ("look.question", summary.question_length),
        ("look.contexts", summary.contexts_length),
        ("look.reference", summary.reference_length),
    )
    lengths = (
        f"{localize(msg(key), language)} {s.min:,.0f}–{s.median:,.0f}–{s.max:,.0f}" for key, s in spreads if s
    )
    lines.append(localize(msg("look.lengths", list=", ".join(lengths)), language))
    for question in summary.examples:
        reference = one_line(question.reference[0], 100) if question.reference else "–"
        lines.append(f"  {one_line(question.question, 100)} → {reference}")
    return "\n".join(lines)


def _display(progress: Progress, language: Language) -> contextlib.AbstractContextManager[None]:
    """Shows the counters of `progress` while it is open: live bars, or plain lines where nothing can be redrawn."""
    redraws = sys.stderr.isatty() and not console.console(stderr=True).is_dumb_terminal
    return _bars(progress, language) if redraws else _lines(progress, language)


@contextlib.contextmanager
def _lines(progress: Progress, language: Language) -> Iterator[None]:
    """For logs: what is said, and every few seconds where each stage stands."""
    progress.say = lambda text: console.say(visible(localize(text, language)))
    task = asyncio.get_running_loop().create_task(_report_now_and_then(progress, language))
    try:
        yield
    finally:
        task.cancel()
        for line in progress_bars.lines(progress, language):
            progress.say(line)


async def _report_now_and_then(progress: Progress, language: Language) -> None:
    shown: tuple[int, int] | None = None
    while True:
        await asyncio.sleep(_PLAIN_EVERY_S)
        now = progress.generate.done, progress.judge.done
        if now != shown:
            for line in progress_bars.lines(progress, language):
                progress.say(line)
        shown = now


@contextlib.contextmanager
def _bars(progress: Progress, language: Language) -> Iterator[None]:
    from rich.live import Live
    from rich.text import Text

    from simsa.cli.progress_bars import TerminalRepair

    screen = console.console(stderr=True)
    ascii_only = not console.shows("━╌·", sys.stderr)
    progress.say = lambda text: screen.print(
        Text(console.folded(visible(localize(text, language)), screen.width, hang=2))
    )
    drawn = TerminalRepair(screen)

    class Now:
        def __rich__(self) -> Text:
            # The last cell stays free: a line that fills it wraps on some terminals.
            width = min(screen.width - 1, _WIDEST)
            drawn.lines = progress_bars.live(progress, width, language, ascii_only=ascii_only)
            return _coloured("\n".join(drawn.lines))

    screen.push_render_hook(drawn)
    try:
        with Live(Now(), console=screen, refresh_per_second=_REDRAWN_A_SECOND, transient=False):
            yield
    finally:
        screen.pop_render_hook()


def _coloured(lines: str) -> Text:
    from rich.text import Text

    text = Text(lines, no_wrap=True, overflow="crop")
    text.highlight_regex("━+", "green")
    text.highlight_regex("╌+", "dim")
    return text
