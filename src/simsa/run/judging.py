"""Judging: a session is the only way in which judgements are asked for, combined and stored."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from typing import Any, Literal, NamedTuple

from simsa.errors import ServiceError
from simsa.i18n.messages import msg
from simsa.judges import Judge, JudgeRequest, median_judgement, merge_criteria, merge_previous_usage
from simsa.records import Judgement
from simsa.run.budget import Budget
from simsa.run.concurrency import async_iter, for_each_concurrent
from simsa.run.context import RunContext
from simsa.run.progress import Progress
from simsa.store import TRANSIENT, Answered, Role, Store, SubJudgement, judgement
from simsa.text import usd

AnswerState = Literal["complete", "scored", "pending"]
"""State of the verdict on an answer: `complete`; `scored`, but claims are missing; `pending`: scores are missing."""


class AskResult(NamedTuple):
    """A new judgement, and statements that belong into the same transaction."""

    judgement: Judgement
    statements: Sequence[tuple[str, Sequence[Any]]] = ()


AskJudge = Callable[[JudgeRequest], Awaitable[AskResult | None]]
"""Makes one call. None: there is no reply now, because the budget is exhausted or the request is on its way."""


class JudgingSession:
    """Provides the judgement on each request: the stored one, one combined from stored parts, or a new one.

    A request that is in flight is not asked a second time, and what is stored is not paid again. How a judge is
    asked is a strategy, `ask`: by default directly, as far as the budget allows; the Batch API is another one.

    `retry` are the statuses whose requests are asked again; `in_flight` are requests that have been sent
    already, so that a stored judgement on them does not count.
    """

    def __init__(
        self,
        store: Store,
        judge: Judge,
        budget: Budget,
        progress: Progress,
        *,
        ask: AskJudge | None = None,
        retry: Iterable[str] = TRANSIENT,
        in_flight: Collection[str] = (),
    ) -> None:
        self._store = store
        self._judge = judge
        self._budget = budget
        self._progress = progress
        self._stage = progress.judge
        self._ask = ask or self._ask_directly
        self._judged = store.judged_requests(tuple(retry)).difference(in_flight)
        self._judged_before = store.judged_requests(()).difference(self._judged)
        self._in_flight: dict[str, asyncio.Future[None]] = {}
        self.calls = 0
        """Judgements that this session got from the judge."""

    async def run(self, requests: Sequence[JudgeRequest]) -> None:
        """Provides the judgement on every request, as far as the budget allows.

        The judge is entered only where a judgement is missing. Raises what the judge raises.
        """

        async def provide(request: JudgeRequest) -> None:
            if not self._budget.exhausted or self.has(request):
                self._stage.done += await self.ensure_judgement(request)

        async with contextlib.nullcontext() if self.has(*requests) else self._judge:
            await for_each_concurrent(async_iter(requests), provide, self._judge.width)

    async def run_answers(
        self,
        answers: AsyncIterator[Answered],
        *,
        width: int | None = None,
        on_state: Callable[[Answered, AnswerState], None] = lambda answered, state: None,
    ) -> None:
        """Provides the verdict on every answer. `on_state` gets the state of each, also after an exception."""

        async def provide(answered: Answered) -> None:
            state: AnswerState = "pending"
            try:
                state = await self.judge_answer(answered)
            finally:
                on_state(answered, state)

        await for_each_concurrent(answers, provide, width or self._judge.width)

    def has(self, *requests: JudgeRequest) -> bool:
        """Whether the judgements on all of these requests are stored."""
        return all(request.request_hash in self._judged for request in requests)

    async def judge_answer(self, answered: Answered) -> AnswerState:
        """Provides the judgements on one answer, and stores which of them make up its verdict."""
        requests = self._judge.requests(answered.question, answered.prediction)
        scoring = [request for request in requests if not request.is_claims]
        scored = await self._ensure_all(scoring)
        if len(scoring) < len(requests):
            if scored:  # the scores count, even if the claims cannot be had
                await self._store.add_verdict(answered, self._judge.verdict_task, _parts(scoring))
            listed = await self._ensure_all([request for request in requests if request.is_claims])
            if not listed:
                return "scored" if scored else "pending"
        if not scored:
            return "pending"
        await self._store.add_verdict(answered, self._judge.task, _parts(requests))
        self._stage.done += 1
        return "complete"

    async def _ensure_all(self, requests: Iterable[JudgeRequest]) -> bool:
        return all([await self.ensure_judgement(request) for request in requests])

    async def ensure_judgement(self, request: JudgeRequest) -> bool:
        """Returns when the judgement on `request` is stored; False: it cannot be had now."""
        key = request.request_hash
        while key in self._in_flight:
            await asyncio.wait((self._in_flight[key],))
        if key in self._judged:
            self._stage.reused += 1
            return True
        self._in_flight[key] = asyncio.get_running_loop().create_future()
        try:
            if not await self._make(request):
                return False
            self._judged.add(key)
            return True
        finally:
            self._in_flight.pop(key).set_result(None)

    async def _make(self, request: JudgeRequest) -> bool:
        if request.sub_requests:
            return await self._combine(request)
        if request.criterion_hashes:
            cached = self._store.cached_criteria(list(request.criterion_hashes.values()))
            if cached:
                return await self._assemble_from_cache(request, cached)
        return await self._call(request)

    async def _call(self, request: JudgeRequest) -> bool:
        result = await self._ask(request)
        if result is None:
            return False
        self.calls += 1
        made = result.judgement
        if request.request_hash in self._judged_before:
            made = merge_previous_usage(made, self._stored(request.request_hash))
        scored = made.status == "scored"
        self._stage.failed += not scored
        cache = dict.fromkeys(request.criterion_hashes.values(), request.request_hash) if scored else {}
        await self._store.add_judgement(made, cached_criteria=cache, also=result.statements)
        return True

    async def _ask_directly(self, request: JudgeRequest) -> AskResult | None:
        """Asks the judge itself, as far as the budget allows."""
        budget, estimate = self._budget, 1.0
        if budget.limit is not None:
            estimate = self._judge.estimate(request).cost_usd or 0.0
        if not await budget.acquire(estimate, request.member):
            return None
        cost = 0.0
        try:
            made = await self._judge.judge(request, budget.can_continue)
            cost = made.spent_usd
        finally:
            budget.release(cost, estimate, request.member)
            self._progress.spent_usd += cost
        return AskResult(made)

    async def _combine(self, request: JudgeRequest) -> bool:
        """The median of the sub-requests. When one fails, the others are awaited: they may be paid already."""
        subs = request.sub_requests
        ensured = await asyncio.gather(*map(self.ensure_judgement, subs.values()), return_exceptions=True)
        for outcome in ensured:
            if isinstance(outcome, BaseException):
                raise outcome
        if not all(ensured):
            return False
        found = {name: self._stored(sub.request_hash) for name, sub in subs.items()}
        role: Role = "member" if next(iter(subs.values())).member != request.member else "repeat"
        label = self._judge.label if role == "member" else next(iter(found.values())).judge
        made = median_judgement(request, label, self._judge.rubric, found, named=role == "member")
        sources = [SubJudgement(role, name, sub.request_hash) for name, sub in subs.items()]
        await self._store.add_judgement(made, sources)
        return True

    async def _assemble_from_cache(self, request: JudgeRequest, cached: dict[str, str]) -> bool:
        """Reuses the scores of criteria in `cached`, and asks for the other criteria in one call."""
        hashes = request.criterion_hashes
        sources: dict[str, list[str]] = {}
        for name, criterion_hash in hashes.items():
            if criterion_hash in cached:
                sources.setdefault(cached[criterion_hash], []).append(name)
        self._stage.reused += len(sources)
        cache: dict[str, str] = {}
        if missing := tuple(name for name in request.criteria if hashes[name] not in cached):
            asked = self._judge.restrict_to(request, missing)
            if not await self.ensure_judgement(asked):
                return False
            sources[asked.request_hash] = list(missing)
            cache = {hashes[name]: asked.request_hash for name in missing}
        parts = [(names, self._stored(source)) for source, names in sources.items()]
        made = merge_criteria(request, parts, self._judge.rubric)
        subs = [SubJudgement("criteria", ",".join(names), source) for source, names in sources.items()]
        await self._store.add_judgement(made, subs, cache if made.status == "scored" else {})
        return True

    def _stored(self, request_hash: str) -> Judgement:
        found = judgement(self._store, request_hash)
        assert found is not None, request_hash
        return found


def _parts(requests: Iterable[JudgeRequest]) -> list[tuple[str, str]]:
    """Part and hash of `requests`, as the store links them."""
    return [(request.part, request.request_hash) for request in requests]


async def judge_directly(run: RunContext, judge: Judge) -> None:
    """Gives every answer its verdict as the answers are stored, until generation has ended.

    Raises ServiceError when the judge cannot be asked any more. If it worked before, generation ends first.
    """
    stage, progress = run.progress.judge, run.progress
    run.store.unlink_other_judges(judge.task, judge.verdict_task)
    limit = run.config.judge.max_cost_usd if run.config.judge else None
    budget = Budget(limit, run.store.spent_usd())
    session = JudgingSession(run.store, judge, budget, progress, retry=run.retried)

    def stop_unless_judged(answered: Answered, state: AnswerState) -> None:
        if state == "pending":
            run.queue.stop()

    await run.adapters_checked.wait()
    if run.judge_server:
        server = await run.judge_server.server
        if server is None:  # nothing is to be judged
            stage.begin(total=0)
            stage.end()
            return
        judge.set_base_url(server.base_url, server.key)
    stage.begin(total=run.store.count_unjudged(judge.task, answered=run.queue.closed, retry=run.retried))
    progress.spent_usd = progress.before_usd = budget.spent
    progress.limit_usd = limit
    try:
        async with judge:
            await session.run_answers(run.queue, on_state=stop_unless_judged)
    except ServiceError as error:
        if stage.done:
            progress.say(msg("run.judge_stopped", error=error.localized()))
            await run.queue.wait_closed()
        raise
    finally:
        if run.judge_server:
            run.judge_server.released.set()
    stage.end()
    if budget.exhausted:
        run.store.set_meta(stopped="budget")
        progress.note("budget", msg("run.budget", spent=usd(budget.spent), limit=usd(budget.limit or 0.0)))
