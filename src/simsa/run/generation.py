"""Generation: every variant answers every question that it has not answered yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack

from simsa import engines
from simsa.config import EndpointConfig, secret
from simsa.llm import CapabilityLearner, ChatEndpoint, ChatFailure, ChatReply, ChatRequest
from simsa.records import Message, Prediction
from simsa.run.concurrency import async_iter, for_each_concurrent, race
from simsa.run.context import RunContext, SharedServer
from simsa.store import Planned

_CHECK_PROMPTS = 8


async def generate(run: RunContext) -> None:
    """Gets and stores the missing answers: of served variants first, then of variants behind an endpoint."""
    run.progress.generate.begin(total=len(run.store.pending_answers(run.generated)))
    endpoints = {v.name: v.endpoint for v in run.config.variants if v.endpoint and v.name in run.generated}
    async with AsyncExitStack() as kept_open:
        server = None
        try:
            for name, endpoint in endpoints.items():
                await _load_remote_adapter(run, name, endpoint)
            server = await _generate_served(run, kept_open)
            run.adapters_checked.set()
            for name, endpoint in endpoints.items():
                await _generate_remote(run, name, endpoint)
        finally:
            run.progress.generate.end()
            run.queue.close()
        if run.judge_server:
            await _share(run.judge_server, server)


async def _share(shared: SharedServer, server: engines.InferenceEngine | None) -> None:
    """Keeps the judge's server open until judging has released it."""
    if not shared.server.done():
        shared.server.set_result(server)
    if server:
        await race(server.died(), shared.released.wait())


async def _generate_served(run: RunContext, kept_open: AsyncExitStack) -> engines.InferenceEngine | None:
    """One server after another: the base model with its adapters on one, each merged checkpoint on its own.

    The server with the judge comes last; it stays open on `kept_open` and is returned.
    """
    to_answer = bool(run.store.pending_answers(run.generated))
    to_judge = run.judge_server is not None and (to_answer or run.queue.has_work)
    if not (to_answer or to_judge):
        return None
    judge = run.config.judge.model if to_judge and run.config.judge else ""
    plans = engines.plan_servers(run.config)
    for plan in sorted(plans, key=lambda plan: judge in plan.variants):
        pending = run.store.pending_answers([name for name in plan.variants if name in run.generated])
        server = engines.VllmServer(plan, run.store.folder / "logs", run.progress.say)
        if judge in plan.variants:
            await kept_open.enter_async_context(server)
            await _generate_on(run, server, pending)
            return server
        if pending:
            async with server:
                await _generate_on(run, server, pending)
    return None


async def _generate_on(run: RunContext, server: engines.InferenceEngine, pending: Sequence[Planned]) -> None:
    """The answers of the variants on one server."""
    plan, config = server.plan, run.config
    if config.serving.check_adapters:
        for finding in await engines.prove_adapters(server, _check_prompts(run)):
            run.progress.note("template", finding.text)
    if run.judge_server and config.judge and config.judge.model in plan.variants and not plan.vllm.cpu:
        # On a CPU, one more adapter in a batch would slow down all others: there judging waits for the last answer.
        run.judge_server.server.set_result(server)
    if not pending:
        return
    run.adapters_checked.set()
    async with ChatEndpoint(
        server.base_url,
        plan.variants[pending[0].variant],
        key=server.key,
        on_event=run.progress.say,
        max_concurrency=config.serving.max_concurrency,
        timeout_s=config.serving.request_timeout_s,
        max_attempts=config.generation.max_attempts,
    ) as endpoint:
        run.progress.generate.ready()
        for block in _blocks(pending, by_variant=plan.vllm.cpu):
            await race(server.died(), _answer(run, endpoint, plan.variants, block))


def _blocks(pending: Sequence[Planned], *, by_variant: bool) -> list[Sequence[Planned]]:
    """Requests that may be sent together. On a CPU one adapter slows down the whole batch, so there the
    variants go one after another; elsewhere all variants of a question stay together."""
    if not by_variant:
        return [pending]
    names = dict.fromkeys(planned.variant for planned in pending)
    return [[planned for planned in pending if planned.variant == name] for name in names]


async def _load_remote_adapter(run: RunContext, name: str, where: EndpointConfig) -> None:
    """Loads a variant's adapter on a vLLM that somebody else runs, and checks that it works."""
    if where.adapter and run.store.pending_answers([name]):
        key = secret(where.api_key_env)
        await engines.load_adapter(where.base_url, key, where.model, where.adapter, _check_prompts(run))


async def _generate_remote(run: RunContext, name: str, where: EndpointConfig) -> None:
    """The answers of a variant behind an endpoint."""
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
        await _answer(run, endpoint, {name: where.model}, pending, where.extra_body)


async def _answer(
    run: RunContext,
    endpoint: ChatEndpoint,
    models: Mapping[str, str],
    pending: Sequence[Planned],
    extra_body: Mapping[str, object] | None = None,
) -> None:
    """Gets and stores the answer to each pending request; `models` maps variants to served names."""

    async def answer(planned: Planned) -> None:
        question = run.store.question(planned.question_id)
        assert question is not None, planned
        settings = run.config.generation.of_sample(planned.sample)
        request = ChatRequest(
            messages=run.prompt.messages(question),
            max_tokens=settings.max_tokens,
            temperature=settings.temperature,
            top_p=settings.top_p,
            seed=settings.seed,
            stop=settings.stop,
            extra_body={**settings.extra_body, **(extra_body or {})},
            model=models[planned.variant],
        )
        prediction = _prediction(planned, await endpoint.complete(request))
        await run.store.add_prediction(prediction)
        run.progress.generate.done += 1
        run.progress.generate.failed += prediction.prediction is None
        run.queue.notify()

    await for_each_concurrent(async_iter(pending), answer, endpoint.max_concurrency)


def _check_prompts(run: RunContext) -> list[tuple[Message, ...]]:
    """A few prompts of the run, spread over the test set."""
    questions = list(run.store.questions())
    step = max(1, len(questions) // _CHECK_PROMPTS)
    return [run.prompt.messages(question) for question in questions[::step][:_CHECK_PROMPTS]]


def _prediction(planned: Planned, reply: ChatReply | ChatFailure) -> Prediction:
    names = planned.question_id, planned.variant
    if isinstance(reply, ChatFailure):
        return Prediction(*names, None, planned.request_hash, error=f"{reply.kind}: {reply.detail}")
    return Prediction(
        *names,
        reply.text,
        planned.request_hash,
        finish_reason=reply.finish_reason,
        prompt_tokens=reply.prompt_tokens,
        completion_tokens=reply.completion_tokens,
        latency_s=reply.latency_s,
        served_model=reply.model,
        system_fingerprint=reply.system_fingerprint,
    )
