"""The mission as code: plan - done = pending; generation and judging side by side.

What a run has to do is what its plan lists and its store lacks, so running again *is*
resuming. The two stages meet only in the store: answers are committed there, and the
judge reads on from the last one it saw.
"""

from __future__ import annotations

import asyncio
import datetime
import secrets
from collections.abc import Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simsa import data, engines, judges, prompts
from simsa.config import Config, EndpointConfig, GenerationConfig, JudgeConfig, secret
from simsa.errors import ServiceError
from simsa.i18n.messages import msg
from simsa.judges import Judge, JudgeRequest
from simsa.judges.identity import identified, judge_locations, merge_locations, relocation_note
from simsa.judges.llm import LLMJudge
from simsa.judges.model_dates import deprecated_models, listed, models_of
from simsa.llm import CapabilityLearner, ChatEndpoint, ChatFailure, ChatReply, ChatRequest
from simsa.records import CRITERIA, Message, Prediction, Question
from simsa.run import plan as planning
from simsa.run import provenance
from simsa.run.batch.actions import BatchContext, Mode, default, is_offline
from simsa.run.batch.scoring import refuse_if_open
from simsa.run.batch.scoring import score as score_batches
from simsa.run.concurrency import Budget, JudgingQueue, async_iter, for_each_concurrent, race, task_group
from simsa.run.judging import JudgingSession, ask_with_budget, parts, row_requests
from simsa.run.progress import Progress
from simsa.store import TRANSIENT, Answered, Planned, Store
from simsa.text import usd
from simsa.version import __version__

STAGES = ("generate", "judge")
_SAMPLE = 8


async def evaluate(
    config: Config,
    folder: Path,
    *,
    stages: Collection[str] = STAGES,
    retry: Collection[str] = (),
    progress: Progress | None = None,
    batch: Mode | None = None,
) -> None:
    """Makes or continues the run in `folder` until nothing of `stages` is pending.

    `batch` is what is to be done about batches, where the judge is asked through them;
    by default what is pending is submitted and waited for. `retry` names verdict statuses to be
    asked again, besides those that a failing endpoint left. Raises a SimsaError for what ends a run; all that was done by then
    is kept, and calling again goes on from there.
    """
    progress = progress or Progress()
    for note in engines.check_adapters(config):
        progress.note("adapter", note)
    for end in deprecated_models(variant.endpoint.model for variant in config.variants if variant.endpoint):
        progress.note("variant_retiring", end.said)
    with Store.create(folder) as store:
        planning.prepare(store, config, progress)
        capabilities: dict[str, Any] = store.meta("capabilities", {})
        judge = (
            judges.of(config, say=progress.say, keyless=is_offline(batch), capabilities=capabilities)
            if config.judge and "judge" in stages
            else None
        )
        for note in judge.notes if judge else ():
            progress.note("judge", note)
        _describe(store, config, judge, progress)
        backlog = JudgingQueue(store, judge.task if judge else "", (*TRANSIENT, *retry))
        prompt = prompts.load(config.generation.prompt, config.root)
        asked = [v.name for v in config.variants if not v.predictions] if "generate" in stages else []
        by_batch = batch or default(config.judge)
        ours = judge is not None and judge_is_ours(config) and not by_batch
        lent = SharedServer(asyncio.get_running_loop().create_future()) if ours else None
        run = RunContext(
            store, config, progress, backlog, prompt, asked, capabilities, proven=asyncio.Event(), lent=lent
        )
        try:
            async with store.writing(), task_group() as side_by_side:
                side_by_side.create_task(generate(run))
                if judge:
                    side_by_side.create_task(fetch_model_metadata(run, ask=not is_offline(by_batch)))
                    side_by_side.create_task(
                        score_by_batch(run, judge, retry, by_batch) if by_batch else score(run, judge, retry)
                    )
        finally:
            store.set_meta(capabilities=capabilities)
        if "generate" in stages:
            measure(store)
        store.set_meta(notes=progress.notes, timing=_timing(store, progress))


@dataclass(frozen=True, slots=True)
class SharedServer:
    """The vLLM that a judge of ours is on: lent from the last answer to the last verdict, on a GPU from the first."""

    server: asyncio.Future[engines.VllmServer | None]
    """None: there is nothing to judge."""
    returned: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class RunContext:
    """What both stages share."""

    store: Store
    config: Config
    progress: Progress
    backlog: JudgingQueue
    prompt: prompts.Prompt
    asked: Sequence[str]
    """The variants whose answers this sitting gets."""
    capabilities: dict[str, Any]
    """What the run has learned about the request fields that endpoints accept."""
    proven: asyncio.Event
    """Set once every adapter is known to work: nothing is spent on the judge before."""
    lent: SharedServer | None = None
    """Where the judge is served, when it is an adapter beside the variants."""


# Generating --------------------------------------------------------------------------


async def generate(run: RunContext) -> None:
    """Every variant answers every question that it has not answered yet."""
    run.progress.generate.begin(total=len(run.store.pending_answers(run.asked)))
    async with AsyncExitStack() as kept:
        server = None
        try:
            elsewhere = {
                v.name: v.endpoint for v in run.config.variants if v.endpoint and v.name in run.asked
            }
            for name, endpoint in elsewhere.items():
                await _load_remote_adapter(run, name, endpoint)
            server = await _generate_served(run, kept)
            run.proven.set()
            for name, endpoint in elsewhere.items():
                await _generate_remote(run, name, endpoint)
        finally:
            run.progress.generate.end()
            run.backlog.close()
        if run.lent:
            await _lend(run.lent, server)


async def _lend(lent: SharedServer, server: engines.VllmServer | None) -> None:
    """Keeps the judge's server open until the last verdict."""
    if not lent.server.done():
        lent.server.set_result(server)
    if server:
        await race(server.died(), lent.returned.wait())


async def _generate_served(run: RunContext, kept: AsyncExitStack) -> engines.VllmServer | None:
    """vLLM by vLLM: base and adapters on one, merged checkpoints one after another.

    The one that a judge of ours is on comes last; it stays open on `kept` and is returned.
    """
    to_answer = bool(run.store.pending_answers(run.asked))
    to_judge = run.lent is not None and (to_answer or run.backlog.has_work)
    if not (to_answer or to_judge):
        return None
    judge = run.config.judge.model if to_judge and run.config.judge else ""
    plans = engines.plan_servers(run.config)
    for plan in sorted(plans, key=lambda plan: judge in plan.variants):
        pending = run.store.pending_answers([name for name in plan.variants if name in run.asked])
        if judge in plan.variants:
            server = await kept.enter_async_context(_server(run, plan))
            await _generate_at(run, server, pending)
            return server
        if pending:
            async with _server(run, plan) as server:
                await _generate_at(run, server, pending)
    return None


def _server(run: RunContext, plan: engines.ServerPlan) -> engines.VllmServer:
    return engines.VllmServer(plan, run.store.folder / "logs", run.progress.say)


async def _generate_at(run: RunContext, server: engines.VllmServer, pending: Sequence[Planned]) -> None:
    """The answers of one vLLM's variants."""
    plan = server.plan
    if run.config.serving.check_adapters:
        for finding in await engines.prove_adapters(server, sample(run)):
            run.progress.note("template", finding.text)
    if run.lent and run.config.judge and run.config.judge.model in plan.variants and not plan.vllm.cpu:
        # On a CPU one more adapter in a batch would slow all the others: there it waits for the last answer.
        run.lent.server.set_result(server)
    if not pending:
        return
    run.proven.set()
    async with ChatEndpoint(
        server.base_url,
        plan.variants[pending[0].variant],
        key=server.key,
        on_event=run.progress.say,
        max_concurrency=run.config.serving.max_concurrency,
        timeout_s=run.config.serving.request_timeout_s,
        max_attempts=run.config.generation.max_attempts,
    ) as endpoint:
        run.progress.generate.ready()
        for block in _blocks(pending, apart=plan.vllm.cpu):
            await race(server.died(), answer(run, endpoint, plan.variants, block))


def _blocks(pending: Sequence[Planned], *, apart: bool) -> list[Sequence[Planned]]:
    """What may be asked at once. On a CPU one adapter in a batch slows the whole batch to its pace,
    so there the variants go one after another; elsewhere all variants of a question stay together."""
    if not apart:
        return [pending]
    names = dict.fromkeys(planned.variant for planned in pending)
    return [[planned for planned in pending if planned.variant == name] for name in names]


async def _load_remote_adapter(run: RunContext, name: str, where: EndpointConfig) -> None:
    """Has somebody else's vLLM load a variant's adapter, and proves that it works."""
    if where.adapter and run.store.pending_answers([name]):
        key = secret(where.api_key_env)
        await engines.load_adapter(where.base_url, key, where.model, where.adapter, sample(run))


async def _generate_remote(run: RunContext, name: str, where: EndpointConfig) -> None:
    """A variant behind somebody else's server."""
    pending = run.store.pending_answers([name])
    if not pending:
        return
    always = {**run.config.generation.extra_body, **where.extra_body}
    async with ChatEndpoint(
        where.base_url,
        where.model,
        learner=CapabilityLearner(where.base_url, where.model, always, run.capabilities),
        key=secret(where.api_key_env),
        key_name=where.api_key_env,
        on_event=run.progress.say,
        max_concurrency=where.max_concurrency,
        timeout_s=where.timeout_s,
        max_attempts=run.config.generation.max_attempts,
    ) as endpoint:
        await answer(run, endpoint, {name: where.model}, pending, where.extra_body)


async def answer(
    run: RunContext,
    endpoint: ChatEndpoint,
    models: Mapping[str, str],
    pending: Sequence[Planned],
    extra_body: Mapping[str, object] | None = None,
) -> None:
    """Gets and keeps an answer to each pending request; `models` maps variants to served names."""

    async def ask(planned: Planned) -> None:
        question = run.store.question(planned.question_id)
        assert question is not None, planned
        messages = run.prompt.messages(question)
        how = run.config.generation.of_sample(planned.sample)
        request = _chat(how, messages, models[planned.variant], extra_body or {})
        prediction = _prediction(planned, await endpoint.complete(request))
        await run.store.add_prediction(prediction)
        run.progress.generate.done += 1
        run.progress.generate.failed += prediction.prediction is None
        run.backlog.wake()

    await for_each_concurrent(async_iter(pending), ask, endpoint.max_concurrency)


def sample(run: RunContext) -> list[tuple[Message, ...]]:
    """A few of the run's own prompts, spread over the test set."""
    questions = list(run.store.questions())
    return [run.prompt.messages(q) for q in questions[:: max(1, len(questions) // _SAMPLE)][:_SAMPLE]]


def _chat(
    how: GenerationConfig, messages: tuple[Message, ...], model: str, extra_body: Mapping[str, object]
) -> ChatRequest:
    return ChatRequest(
        messages=messages,
        max_tokens=how.max_tokens,
        temperature=how.temperature,
        top_p=how.top_p,
        seed=how.seed,
        stop=how.stop,
        extra_body={**how.extra_body, **extra_body},
        model=model,
    )


def _prediction(planned: Planned, reply: ChatReply | ChatFailure) -> Prediction:
    if isinstance(reply, ChatFailure):
        return Prediction(
            planned.question_id,
            planned.variant,
            None,
            planned.request_hash,
            error=f"{reply.kind}: {reply.detail}",
        )
    return Prediction(
        question_id=planned.question_id,
        variant=planned.variant,
        prediction=reply.text,
        request_hash=planned.request_hash,
        finish_reason=reply.finish_reason,
        prompt_tokens=reply.prompt_tokens,
        completion_tokens=reply.completion_tokens,
        latency_s=reply.latency_s,
        served_model=reply.model,
        system_fingerprint=reply.system_fingerprint,
    )


# Judging -----------------------------------------------------------------------------


async def score(run: RunContext, judge: Judge, retry: Collection[str]) -> None:
    """Every answer gets its verdict; what was judged before is found, not asked again."""
    store, stage = run.store, run.progress.judge
    refuse_if_open(store, judge.verdict_task)
    store.unlink_other_judges(judge.task, judge.verdict_task)
    assert run.config.judge is not None
    limit = run.config.judge.max_cost_usd
    budget = Budget(limit, store.spent_usd())
    ask = ask_with_budget(judge, budget, run.config.judge)
    hearing = JudgingSession(store, judge, ask, stage, (*TRANSIENT, *retry))

    async def heard(requests: Sequence[JudgeRequest]) -> bool:
        for request in requests:
            try:
                if not await hearing.hear(request):
                    return False
            except ServiceError:
                run.backlog.stop()
                raise
        return True

    async def verdict(answered: Answered) -> None:
        row = row_requests(judge, answered)
        if not await heard(row.verdict):
            run.backlog.stop()
            return
        if (
            row.beside
        ):  # the scores count, whatever becomes of these, and those of the other rows that are on file
            await store.add_verdict(answered, judge.verdict_task, parts(row.verdict))
            if not await heard(row.beside):
                return
        await store.add_verdict(answered, judge.task, row.parts)
        stage.done += 1
        run.progress.spent_usd = budget.spent

    await run.proven.wait()
    if run.lent:
        server = await run.lent.server
        if server is None:  # no answer waits for a verdict, so it was not started
            stage.begin(total=0)
            stage.end()
            return
        assert isinstance(judge, LLMJudge)
        judge.served_at(server.base_url, server.key)
    again = (*TRANSIENT, *retry)
    stage.begin(total=store.count_unjudged(judge.task, answered=run.backlog.closed, retry=again))
    run.progress.spent_usd = run.progress.before_usd = budget.spent
    run.progress.limit_usd = limit
    try:
        async with judge:
            await for_each_concurrent(run.backlog, verdict, judge.width)
    except ServiceError as error:
        if stage.done:  # it worked before: the answers are worth having all the same
            run.progress.say(msg("run.judge_stopped", error=str(error)))
            await run.backlog.wait_closed()
        raise
    finally:
        if run.lent:
            run.lent.returned.set()
    stage.end()
    if budget.exhausted:
        store.set_meta(stopped="budget")
        spent, most = usd(budget.spent), usd(budget.limit or 0.0)
        run.progress.note("budget", msg("run.budget", spent=spent, limit=most))


async def score_by_batch(run: RunContext, judge: Judge, retry: Collection[str], mode: Mode) -> None:
    """The same through batches, which are made when every answer is there."""
    await run.proven.wait()
    await run.backlog.wait_closed()
    assert run.config.judge is not None
    work = BatchContext(run.store, judge, run.config.judge, run.progress, tuple(retry))
    await score_batches(work, mode)


# Around ------------------------------------------------------------------------------


async def fetch_model_metadata(run: RunContext, *, ask: bool) -> None:
    """Asks the judge's endpoints what they say of their models, and keeps it for reports.

    Says when a model leaves its API, and when another than before may answer to the judge's name.
    """
    config = run.config.judge
    if config is None or not (models := models_of(config)):
        return
    cards = await listed(config) if ask else {}
    dates: dict[str, str] = run.store.meta("shutdown_dates") or {}
    dates |= {card.id: str(card.shutdown_date) for card in cards.values() if card.shutdown_date}
    known = merge_locations(run.store.meta("judge_places") or {}, judge_locations(config, cards))
    kept = {name: [list(place) for place in where] for name, where in known.items()}
    run.store.set_meta(shutdown_dates=dates, judge_places=kept)
    for end in deprecated_models(models, dates):
        run.progress.note("judge_retiring", end.said)
    for name in identified(config):
        if len(where := known.get(name, [])) > 1:
            run.progress.note("judge_moved", relocation_note(name, where))


def judge_is_ours(config: Config) -> bool:
    return bool(config.judge and config.judge.adapter)


def _timing(store: Store, progress: Progress) -> dict[str, dict[str, float]]:
    """Rows and seconds of each stage over all sittings of the run."""
    before = store.meta("timing") or {}
    found = {}
    for name, stage in (("generate", progress.generate), ("judge", progress.judge)):
        so_far = before.get(name) or {"rows": 0, "seconds": 0.0}
        found[name] = {
            "rows": so_far["rows"] + stage.done,
            "seconds": round(so_far["seconds"] + (stage.seconds if stage.done else 0.0), 3),
        }
    return {name: figures for name, figures in found.items() if figures["rows"]}


def measure(store: Store) -> None:
    """Deterministic metrics for every answer that has none of this version yet."""
    from simsa.metrics.abstention import refusals_of
    from simsa.metrics.registry import measures_version, score_rows

    refusals: tuple[str, ...] | None = None
    version = measures_version(__version__)
    while block := store.unmeasured(version, 256):
        if refusals is None:
            refusals = tuple(refusals_of(store.questions()))
        figures = score_rows(((row.prediction, row.question) for row in block), refusals)
        store.add_measures(
            (row.answer_hash, row.question.content_hash, version, figure)
            for row, figure in zip(block, figures, strict=True)
        )


def _describe(store: Store, config: Config, judge: Judge | None, progress: Progress) -> None:
    """Writes down what the run is made from."""
    run = store.meta("run") or {
        "id": secrets.token_hex(6),
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    shown = config.model_dump(mode="json")
    shown["serving"]["env"] = dict.fromkeys(config.serving.env, "…")
    summary = data.describe(store.questions())
    progress.show_data(summary)
    store.set_meta(
        run=run
        | {
            "config_hash": config.hash,
            "data_hash": store.data_hash(),
            "simsa_version": __version__,
        },
        config=shown,
        root=str(config.root.resolve()),
        judge=judge and _described(judge, config.judge, next(store.questions(), None)),
        criteria=judge.criteria.to_list() if judge else store.meta("criteria"),
        language=config.report.language,
        baseline=config.baseline,
        data=summary.to_dict(),
        made=provenance.of_run(config),
        stopped=None,
    )


def _described(judge: Judge, config: JudgeConfig | None, question: Question | None) -> dict[str, Any]:
    """What a report has to know of the judge. Its criteria are named where it has not all of them."""
    facts: dict[str, Any] = {
        "model": judge.label,
        "rubric": judge.rubric,
        "mode": judge.mode,
        "key": judge.key,
    }
    asked = (
        {name for request in judge.requests(question, "") for name in request.criteria} if question else set()
    )
    if asked and not asked.issuperset(CRITERIA):
        facts["criteria"] = [name for name in judge.criteria.names if name in asked]
    if config and config.panel:
        facts["members"] = [{"name": name, "model": one.model} for name, one in config.each.items()]
    if config and config.repeats > 1:
        facts |= {"repeats": config.repeats, "temperature": config.temperature}
    if config and config.via == "batch" and not config.is_local:
        facts["via"] = config.via
    return facts
