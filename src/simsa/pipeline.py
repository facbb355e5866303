"""The pipeline: plan → serve → generate ‖ judge → measure.

A run has to do what its plan lists and its store lacks, so running again is resuming. Generation and judging
run side by side and meet only in the store: answers are committed there, and judging reads on from the last
answer that it has seen.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from simsa import engines, judges, prompts
from simsa.config import Config
from simsa.judges import Judge
from simsa.judges.model_dates import deprecated_models
from simsa.run import plan, provenance
from simsa.run.batch.actions import BatchAction, BatchContext, default_action, is_offline
from simsa.run.batch.batch_judging import judge_by_batch, refuse_open_batches
from simsa.run.concurrency import task_group
from simsa.run.context import RunContext, SharedServer
from simsa.run.generation import generate
from simsa.run.judging import judge_directly
from simsa.run.progress import Progress
from simsa.run.queue import JudgingQueue
from simsa.store import TRANSIENT, Store
from simsa.version import __version__

STAGES = ("generate", "judge")
_MEASURED_AT_ONCE = 256


async def evaluate(
    config: Config,
    folder: Path,
    *,
    stages: Collection[str] = STAGES,
    retry: Collection[str] = (),
    progress: Progress | None = None,
    batch: BatchAction | None = None,
    judge: Judge | None = None,
) -> None:
    """Makes or continues the run in `folder` until nothing of `stages` is pending.

    `retry` names statuses of verdicts to ask again, besides those that a failed endpoint left. `batch` says
    what to do about batches, where the judge is asked through them; by default pending requests are submitted
    and waited for. `judge` replaces the judge that `config` names.

    Raises a SimsaError for what ends the run. Everything done by then is stored, and calling again continues.
    """
    progress = progress or Progress()
    note_config(config, progress)
    with Store.create(folder) as store:
        plan.prepare(store, config, progress)
        capabilities: dict[str, Any] = store.meta("capabilities", {})
        if "judge" not in stages:
            judge = None
        elif judge is None and config.judge:
            judge = judges.from_config(
                config, say=progress.say, keyless=is_offline(batch), capabilities=capabilities
            )
        for note in judge.notes if judge else ():
            progress.note("judge", note)
        provenance.record_run(store, config, judge, progress)
        action = batch or default_action(config.judge)
        run = RunContext(
            store,
            config,
            progress,
            queue=JudgingQueue(store, judge.task if judge else "", (*TRANSIENT, *retry)),
            prompt=prompts.load(config.generation.prompt, config.root),
            generated=[v.name for v in config.variants if not v.predictions] if "generate" in stages else [],
            capabilities=capabilities,
            retry=tuple(retry),
            judge_server=SharedServer.of(config) if judge and action is None else None,
        )
        try:
            async with store.writing(), task_group() as side_by_side:
                side_by_side.create_task(generate(run))
                if judge:
                    side_by_side.create_task(provenance.record_judge_models(run, ask=not is_offline(action)))
                    side_by_side.create_task(judge_answers(run, judge, action))
        finally:
            store.set_meta(capabilities=capabilities)
        if "generate" in stages:
            measure(store)
        store.set_meta(notes=progress.notes, timing=progress.timing(store.meta("timing") or {}))


def note_config(config: Config, progress: Progress) -> None:
    """Checks adapters' files, and notes what a user should know before anything is asked."""
    for note in engines.check_adapters(config):
        progress.note("adapter", note)
    for end in deprecated_models(variant.endpoint.model for variant in config.variants if variant.endpoint):
        progress.note("variant_retiring", end.said)


async def judge_answers(run: RunContext, judge: Judge, action: BatchAction | None) -> None:
    """Gives every answer its verdict: directly, or by batch once every answer is there."""
    if action is None:
        refuse_open_batches(run.store, judge.verdict_task)
        await judge_directly(run, judge)
        return
    await run.adapters_checked.wait()
    await run.queue.wait_closed()
    assert run.config.judge is not None
    context = BatchContext(run.store, judge, run.config.judge, run.progress, run.retry)
    await judge_by_batch(context, action)


def measure(store: Store) -> None:
    """Computes the deterministic metrics of every answer that has none of this version yet."""
    from simsa.metrics.abstention import refusals_of
    from simsa.metrics.registry import measures_version, score_rows

    refusals: tuple[str, ...] | None = None
    version = measures_version(__version__)
    while block := store.unmeasured(version, _MEASURED_AT_ONCE):
        if refusals is None:
            refusals = tuple(refusals_of(store.questions()))
        figures = score_rows(((row.prediction, row.question) for row in block), refusals)
        store.add_measures(
            (row.answer_hash, row.question.content_hash, version, figure)
            for row, figure in zip(block, figures, strict=True)
        )
