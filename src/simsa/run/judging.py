"""Each request gets its judgement on file, whoever asks: found there, made of others, or asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import Any, NamedTuple

from simsa.config import JudgeConfig
from simsa.judges import Judge, JudgeRequest, median_judgement, merge_criteria, merge_previous_usage
from simsa.judges.cost import answer_tokens, of_call
from simsa.records import CLAIMS, Judgement
from simsa.run.concurrency import Budget
from simsa.run.progress import Stage
from simsa.store import Answered, Role, Store, SubJudgement, judgement


class AskResult(NamedTuple):
    """A judgement that was asked for, and statements that belong into its transaction."""

    judgement: Judgement
    also: Sequence[tuple[str, Sequence[Any]]] = ()


class RowRequests(NamedTuple):
    """A row's requests: those whose judgements make its verdict, and those for what is listed beside it."""

    verdict: Sequence[JudgeRequest]
    beside: Sequence[JudgeRequest]

    @property
    def parts(self) -> list[tuple[str, str]]:
        """Part and hash of every request."""
        return [*parts(self.verdict), *parts(self.beside)]


def row_requests(judge: Judge, answered: Answered) -> RowRequests:
    """What is to be asked about an answer."""
    requests = judge.requests(answered.question, answered.prediction)
    return RowRequests([r for r in requests if r.part != CLAIMS], [r for r in requests if r.part == CLAIMS])


def parts(requests: Iterable[JudgeRequest]) -> list[tuple[str, str]]:
    """Part and hash of `requests`, as a store links them."""
    return [(request.part, request.request_hash) for request in requests]


RequestJudgement = Callable[[JudgeRequest], Awaitable[AskResult | None]]
"""One call; None: it cannot be had now, for want of money or because it is on its way."""


def ask_with_budget(judge: Judge, budget: Budget, config: JudgeConfig) -> RequestJudgement:
    """Asks the judge itself, as far as the budget goes; `config` has the prices by which a call is foretold."""

    async def ask(request: JudgeRequest) -> AskResult | None:
        foretold = 1.0
        if budget.limit is not None:
            one = config.each.get(request.member, config)
            call = of_call(one, judge.prompt_text(request), answer_tokens(request))
            foretold = call.cost_usd or 0.0
        if not await budget.admits(foretold, request.member):
            return None
        cost = 0.0
        try:
            made = await judge.judge(request, budget.affords)
            cost = made.spent_usd
        finally:
            budget.settle(cost, foretold, request.member)
        return AskResult(made)

    return ask


class JudgingSession:
    """Hears requests, the same one only once at a time, and pays for none that is on file."""

    def __init__(
        self,
        store: Store,
        judge: Judge,
        ask: RequestJudgement,
        stage: Stage,
        retry: Collection[str],
        under_way: Collection[str] = (),
    ) -> None:
        """`retry` are the statuses whose requests are asked again; `under_way` are requests that are asked
        already, whatever is on file."""
        self._store = store
        self._judge = judge
        self._ask_for = ask
        self._stage = stage
        self._known = store.judged_requests(tuple(retry)).difference(under_way)
        self._asked_before = store.judged_requests(()).difference(self._known)
        self._under_way: dict[str, asyncio.Future[None]] = {}

    async def hear(self, request: JudgeRequest) -> bool:
        """Waits until the judgement on `request` is on file; False: it cannot be had now."""
        key = request.request_hash
        while key in self._under_way:
            await asyncio.wait((self._under_way[key],))
        if key in self._known:
            self._stage.reused += 1
            return True
        self._under_way[key] = asyncio.get_running_loop().create_future()
        try:
            if not await self._make(request):
                return False
            self._known.add(key)
            return True
        finally:
            self._under_way.pop(key).set_result(None)

    async def _make(self, request: JudgeRequest) -> bool:
        if request.voices:
            return await self._hear_all(request)
        if request.keys and (kept := self._store.cached_criteria(list(request.keys.values()))):
            return await self._piece_together(request, kept)
        return await self._ask(request)

    async def _hear_all(self, request: JudgeRequest) -> bool:
        """All voices side by side; one that fails waits for the others, for they may be paid already."""
        heard = await asyncio.gather(*map(self.hear, request.voices.values()), return_exceptions=True)
        for outcome in heard:
            if isinstance(outcome, BaseException):
                raise outcome
        if not all(heard):
            return False
        found = {name: self._found(voice.request_hash) for name, voice in request.voices.items()}
        role: Role = "member" if next(iter(request.voices.values())).member != request.member else "repeat"
        label = self._judge.label if role == "member" else next(iter(found.values())).judge
        made = median_judgement(request, label, self._judge.rubric, found, named=role == "member")
        voices = [SubJudgement(role, name, voice.request_hash) for name, voice in request.voices.items()]
        await self._store.add_judgement(made, voices)
        return True

    def _found(self, request_hash: str) -> Judgement:
        found = judgement(self._store, request_hash)
        assert found is not None, request_hash  # it was heard
        return found

    async def _ask(self, request: JudgeRequest) -> bool:
        heard = await self._ask_for(request)
        if heard is None:
            return False
        made = heard.judgement
        if request.request_hash in self._asked_before:
            made = merge_previous_usage(made, self._found(request.request_hash))
        self._stage.failed += made.status != "scored"
        standing = (
            dict.fromkeys(request.keys.values(), request.request_hash) if made.status == "scored" else {}
        )
        await self._store.add_judgement(made, cached_criteria=standing, also=heard.also)
        return True

    async def _piece_together(self, request: JudgeRequest, kept: dict[str, str]) -> bool:
        """Scores that stand on file are kept; the other criteria are asked for in a call of their own."""
        sources: dict[str, list[str]] = {}
        for name, key in request.keys.items():
            if key in kept:
                sources.setdefault(kept[key], []).append(name)
        self._stage.reused += len(sources)
        standing: dict[str, str] = {}
        if rest := tuple(name for name in request.criteria if request.keys[name] not in kept):
            asked = self._judge.narrowed(request, rest)
            if not await self.hear(asked):
                return False
            sources[asked.request_hash] = list(rest)
            standing = {request.keys[name]: asked.request_hash for name in rest}
        parts = [(names, self._found(source)) for source, names in sources.items()]
        made = merge_criteria(request, parts, self._judge.rubric)
        voices = [SubJudgement("criteria", ",".join(names), source) for source, names in sources.items()]
        await self._store.add_judgement(made, voices, standing if made.status == "scored" else {})
        return True
