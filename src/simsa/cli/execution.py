"""Runs the pipeline, or other long work, under a display; Ctrl-C and SIGTERM end it cleanly."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import shlex
import signal
from collections.abc import Collection, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from simsa.cli import console
from simsa.cli.progress_display import display
from simsa.config import Config
from simsa.errors import Interrupted
from simsa.i18n.language import Language, localize
from simsa.i18n.messages import msg
from simsa.run.progress import Progress
from simsa.text import one_line, usd

if TYPE_CHECKING:
    from simsa.data import DataSummary
    from simsa.judges.cost import CostEstimate
    from simsa.run.batch.actions import BatchAction
    from simsa.run.cost_estimate import RunEstimate

_T = TypeVar("_T")


def run_pipeline(
    config: Config,
    folder: Path,
    stages: Collection[str],
    *,
    quiet: bool = False,
    retry: Collection[str] = (),
    batch: BatchAction | None = None,
) -> Progress:
    """Starts or continues a run and returns its counters. Raises Interrupted after Ctrl-C; the run can be resumed."""
    from simsa import pipeline

    progress = Progress()
    language = console.listener(config.report.language)
    if not quiet:
        progress.show_data = lambda summary: progress.say(describe_data(summary, language))

    # A run creates few reference cycles: the default frequency of garbage collection costs a tenth of its time.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    work = pipeline.evaluate(config, folder, stages=stages, retry=retry, progress=progress, batch=batch)
    run_with_display(work, progress, language, quiet=quiet)
    return progress


def run_with_display(
    work: Coroutine[Any, Any, _T], progress: Progress, language: Language, *, quiet: bool = False
) -> _T:
    """Runs `work`, which moves the counters of `progress`, and returns its result.

    Raises Interrupted after Ctrl-C or SIGTERM.
    """
    language = console.listener(language)

    async def shown() -> _T:
        _cancel_on(signal.SIGTERM)
        with contextlib.nullcontext() if quiet else display(progress, language):
            return await work

    try:
        return asyncio.run(shown())
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise Interrupted(localize(_interrupted(), language)) from None


def _cancel_on(number: signal.Signals) -> None:
    task = asyncio.current_task()
    assert task is not None
    with contextlib.suppress(ValueError, RuntimeError, NotImplementedError):  # outside of the main thread
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)


def _interrupted() -> str:
    """The message after an interruption, with the command that continues the run where it is known."""
    context = click.get_current_context(silent=True)
    invocation = context.find_root().obj if context else None
    if not isinstance(invocation, console.Invocation):
        return msg("interrupted")
    return msg("interrupted.command", command=shlex.join(["simsa", *invocation.argv]))


def describe_estimate(estimate: CostEstimate | RunEstimate) -> str:
    """Calls, tokens and cost of judging that has not been done yet, on one line."""
    return msg(
        "estimate",
        calls=estimate.calls,
        prompt=estimate.prompt_tokens,
        completion=estimate.completion_tokens,
        cost=describe_cost(estimate.cost_usd),
    )


def describe_cost(cost_usd: float | None) -> str:
    """An estimated cost, or that no price is known."""
    return msg("price.unknown") if cost_usd is None else msg("price.about", usd=usd(cost_usd))


def describe_data(summary: DataSummary, language: Language) -> str:
    """The size of the test set, the lengths of its texts, and two questions with their answers."""
    types = ", ".join(f"{name} {n:,}" for name, n in summary.types.items())
    counts = msg("look.n", n=summary.n, yes=summary.answerable, no=summary.unanswerable)
    spreads = (
        ("look.question", summary.question_length),
        ("look.contexts", summary.contexts_length),
        ("look.reference", summary.reference_length),
    )
    lengths = (
        f"{localize(msg(code), language)} {s.min:,.0f}–{s.median:,.0f}–{s.max:,.0f}"
        for code, s in spreads
        if s
    )
    lines = [
        localize(counts, language) + (f": {types}" if types else ""),
        localize(msg("look.lengths", list=", ".join(lengths)), language),
    ]
    for question in summary.examples:
        reference = one_line(question.reference[0], 100) if question.reference else "–"
        lines.append(f"  {one_line(question.question, 100)} → {reference}")
    return "\n".join(lines)
