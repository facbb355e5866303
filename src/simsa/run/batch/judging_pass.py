"""One pass over every answer without a verdict: what has come is read, what is missing is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from simsa.errors import EndpointError
from simsa.i18n.messages import msg
from simsa.judges import JudgeRequest, cost
from simsa.judges.retry import JudgeConversation
from simsa.llm import ChatFailure, ChatReply, deprecation
from simsa.llm.api_errors import ErrorClass, ErrorResponse
from simsa.llm.batch_lines import BatchResult, LostResult
from simsa.llm.chat import FailureKind
from simsa.records import Judgement
from simsa.run.batch.actions import BatchContext, BatchMember
from simsa.run.batch.request_files import RequestFiles, RequestFormats
from simsa.run.concurrency import async_iter, for_each_concurrent
from simsa.run.judging import AskResult, JudgingSession, RequestJudgement, parts, row_requests
from simsa.run.progress import Stage
from simsa.store import Answered, ever_parsed
from simsa.store.batches import BatchRow

_WIDTH = 256


class BatchJudge:
    """Goes over the answers again and again, and remembers between passes what is settled."""

    def __init__(self, work: BatchContext) -> None:
        self.work = work
        self._ask: RequestJudgement | None = None
        self._linked: set[tuple[str, str, int]] = set()
        self._scored: set[tuple[str, str, int]] = set()
        self._stage = Stage()
        standings = work.ledger.standings()
        self._hearing = JudgingSession(
            work.store, work.judge, self._forward, self._stage, work.again, standings
        )

    async def over(self, ask: RequestJudgement) -> None:
        """One pass: `ask` gets each call that is not on file. Whole verdicts are written down."""
        self._ask = ask
        await for_each_concurrent(async_iter(self.work.unjudged()), self._verdict, _WIDTH)
        self.work.progress.judge.failed = self._stage.failed
        self.work.progress.spent_usd = self.work.store.spent_usd()

    async def _verdict(self, answered: Answered) -> None:
        work, row = self.work, row_requests(self.work.judge, answered)
        name = answered.question.id, answered.variant, answered.sample
        scored = all([await self._hearing.hear(request) for request in row.verdict])
        listed = all([await self._hearing.hear(request) for request in row.beside])
        if scored and not listed and name not in self._scored:  # the scores count already
            await work.store.add_verdict(answered, work.judge.verdict_task, parts(row.verdict))
            self._scored.add(name)
        if not (scored and listed) or name in self._linked:
            return
        await work.store.add_verdict(answered, work.judge.task, row.parts)
        self._linked.add(name)
        work.progress.judge.done += 1

    async def _forward(self, request: JudgeRequest) -> AskResult | None:
        assert self._ask is not None, "`over` was not called"
        return await self._ask(request)


class JudgingPass:
    """What is asked in one pass. `files` makes the files for a member's requests; None: nothing is asked now.

    `asked` and `unasked` count requests that were put into files, and that could not be;
    `out_of_money` says why. `waiting` are those for which others show first whether it is worth it, `heard`
    those that got their judgement. `elsewhere`: it is asked somewhere else, so that neither `max_cost_usd` nor
    what is remembered of the endpoint counts.
    """

    def __init__(
        self,
        work: BatchContext,
        files: Callable[[BatchMember, RequestFormats], RequestFiles] | None,
        *,
        elsewhere: bool = False,
    ) -> None:
        self.work = work
        self.asked = 0
        self.unasked = 0
        self.waiting = 0
        self.heard = 0
        self.out_of_money = False
        self._members = work.members()
        for member in self._members.values():
            for claims in (False, True):
                if ever_parsed(work.store, member.judge.label, claims=claims):
                    member.judge.was_read(claims=claims)
        self._forms = {
            name: RequestFormats.of(work, member, elsewhere=elsewhere)
            for name, member in self._members.items()
        }
        self._files: Mapping[str, RequestFiles] | None = files and {
            name: files(member, self._forms[name]) for name, member in self._members.items()
        }
        self._ledger = work.ledger
        self._standings = self._ledger.standings()
        self._one_at_a_time = asyncio.Lock()
        self._replies = 0
        self._turned_away: tuple[BatchMember, ErrorResponse] | None = None
        limit = None if elsewhere else work.config.max_cost_usd
        spent = work.store.spent_usd() + self._ledger.committed_usd()
        self._left_usd = None if limit is None else limit - spent
        self._factor = self._ledger.estimates_fall_short()

    async def run(self, desk: BatchJudge) -> None:
        """Raises EndpointError when answers show that no request will ever be answered."""
        files = list((self._files or {}).values())
        try:
            await desk.over(self._settle)
            for one in files:
                await one.close()
        finally:
            for one in files:
                one.abandon()
        for forms in self._forms.values():
            forms.keep(self.work)
        if self._turned_away and not self._replies:
            raise _turned_away(*self._turned_away)

    # One request --------------------------------------------------------------------------

    async def _settle(self, request: JudgeRequest) -> AskResult | None:
        """The judgement on `request` if it has come; otherwise it is asked for, if it can be."""
        standing = self._standings.get(request.request_hash)
        if standing == "sent":
            return None
        member = self._members[request.member]
        row = self._ledger.row(request.request_hash) if standing else None
        asking = member.judge.asking(request)
        if row and row.so_far:
            asking.resume(row.so_far)
        if row and row.reply is not None:
            outcome = await self._read(member, asking, row, row.reply)
            if isinstance(outcome, AskResult):
                member.judge.is_over(request)
                return outcome
            row = outcome
        if asking.outcome is not None:
            worth = member.judge.may_ask_again(asking)
            if worth is None:
                self.waiting += 1
                return None
            if not worth:
                return self._heard(member.judge.give_up(asking), row, 0.0)
        async with self._one_at_a_time:
            return await self._post(member, asking, row)

    async def _post(
        self, member: BatchMember, asking: JudgeConversation, row: BatchRow | None
    ) -> AskResult | None:
        """Puts a request into a file; a judgement where it could be settled without."""
        key = asking.request.request_hash
        said = "\n".join(message.content for message in asking.first)
        usd = cost.of_call(member.config, said, cost.answer_tokens(asking.request)).cost_usd
        if not self._files or not self._affords(usd):
            self.unasked += 1
            return None
        body = self._forms[member.name].now.compose(member.judge.chat(asking), member.config.model)
        if await self._files[member.name].add(key, row.round if row else 0, body, usd):
            self._standings[key] = "sent"
            self.asked += 1
            return None
        failure = ChatFailure("too_long", "the request is larger than a batch file may be", 0, 0.0)
        made = member.judge.hear(asking, failure)
        assert made is not None
        return self._heard(made, None, 0.0)

    def _affords(self, usd: float | None) -> bool:
        """Whether a request fits under the cap, which is then lower by what it is expected to cost."""
        if self._left_usd is None:
            return True
        expected = (usd or 0.0) * self._factor
        if self.out_of_money or expected > self._left_usd or self._left_usd <= 0:
            self.out_of_money = True
            return False
        self._left_usd -= expected
        return True

    # One answer ---------------------------------------------------------------------------

    async def _read(
        self, member: BatchMember, asking: JudgeConversation, row: BatchRow, reply: str
    ) -> AskResult | BatchRow:
        """The judgement that a reply makes; or how the request stands, which is to be asked again."""
        key, before = asking.request.request_hash, asking.spent_usd
        meaning = BatchResult.from_json(key, reply).interpret()
        made, lost = self._take(member, asking, row, meaning)
        self._replies += isinstance(meaning, ChatReply)
        usd = asking.spent_usd - before
        if made:
            return self._heard(made, row, usd)
        after = BatchRow(None, row.round + 1, lost, None, asking.so_far(), None)
        await self.work.store.write(
            self._ledger.again(key, after.round, lost, asking.so_far()),
            self._ledger.heard(row.batch, usd, row.estimate_usd if usd else 0.0),
        )
        self._standings[key] = "again"
        return after

    def _take(
        self,
        member: BatchMember,
        asking: JudgeConversation,
        row: BatchRow,
        meaning: ChatReply | ErrorResponse | LostResult,
    ) -> tuple[Judgement | None, int]:
        """The judgement, if one comes of it; else how many losses in a row there have been."""
        most, lost = member.config.max_attempts, row.lost + 1
        if isinstance(meaning, ChatReply):
            share = 1.0 - member.config.batch.discount
            return member.judge.hear(asking, replace(meaning, attempts=lost), price_share=share), 0
        kind: FailureKind = "failed"
        if isinstance(meaning, ErrorResponse):
            if meaning.error_class is ErrorClass.UNSUPPORTED_FIELD and self._learn(
                member, asking, row, meaning
            ):
                return None, row.lost
            if meaning.error_class is ErrorClass.FATAL:
                self._turned_away = member, meaning
            elif meaning.error_class not in (ErrorClass.RETRY, ErrorClass.RATE_LIMITED):
                lost = most
            kind = meaning.failure_kind
        if lost < most:
            return None, lost
        return member.judge.hear(asking, ChatFailure(kind, meaning.detail, row.lost + 1, 0.0)), 0

    def _learn(
        self, member: BatchMember, asking: JudgeConversation, row: BatchRow, refusal: ErrorResponse
    ) -> bool:
        """Whether the request will look different when it is sent again."""
        forms = self._forms[member.name]
        sent = self._sent(member, asking, row)
        learnt, news = forms.learn(row.batch, refusal, sent)
        if news:
            what = {"url": member.config.base_url, "name": news, "detail": refusal.detail}
            self.work.progress.say(msg("endpoint.without", **what))
        return learnt

    def _sent(self, member: BatchMember, asking: JudgeConversation, row: BatchRow) -> Mapping[str, Any]:
        """The body of the request that a row was asked by."""
        form = self._forms[member.name].asked_in(row.batch)
        return form.compose(member.judge.chat(asking), member.config.model)

    def _heard(self, made: Judgement, row: BatchRow | None, usd: float) -> AskResult:
        key = made.request_hash
        self.heard += 1
        self._standings.pop(key, None)
        estimated = row.estimate_usd if row and usd else 0.0
        return AskResult(
            made, (self._ledger.judged(key), self._ledger.heard(row and row.batch, usd, estimated))
        )


def _turned_away(member: BatchMember, refusal: ErrorResponse) -> EndpointError:
    gone = deprecation(member.config.model) if refusal.is_missing_model else None
    hint = "check the model's name and what the key may do; then run again: it goes on from here"
    return EndpointError(
        f"turned every request of a batch away: {refusal.detail}",
        where=member.config.base_url,
        hint=f"{gone}; {hint}" if gone else hint,
    )
