"""One pass over the answers without a verdict: replies are read, missing requests are written into files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from simsa.errors import EndpointError
from simsa.i18n.messages import msg
from simsa.judges import JudgeRequest
from simsa.judges.conversation import JudgeConversation
from simsa.llm import ChatFailure, ChatReply, deprecation
from simsa.llm.api_errors import ErrorClass, ErrorResponse
from simsa.llm.batch_lines import BatchResult, LostResult
from simsa.llm.chat import FailureKind
from simsa.records import Judgement
from simsa.run.batch.actions import BatchContext, BatchMember
from simsa.run.batch.request_files import RequestFiles, RequestFormats
from simsa.run.budget import Budget
from simsa.run.concurrency import async_iter
from simsa.run.judging import AnswerState, AskJudge, AskResult, JudgingSession
from simsa.run.progress import Progress
from simsa.store import Answered, ever_parsed
from simsa.store.batches import BatchRow

_WIDTH = 256

FilesFor = Callable[[BatchMember, RequestFormats], RequestFiles]


class BatchSession:
    """A judging session that is run in passes. Between passes it remembers which verdicts are complete."""

    def __init__(self, context: BatchContext) -> None:
        self.context = context
        self._ask: AskJudge | None = None
        self._complete: set[tuple[str, str, int]] = set()
        self._counts = Progress()
        self._session = JudgingSession(
            context.store,
            context.judge,
            Budget(None, 0.0),
            self._counts,
            ask=self._forward,
            retry=context.retried,
            in_flight=context.table.standings(),
        )

    async def run(self, ask: AskJudge) -> None:
        """One pass: `ask` gets each call whose judgement is missing. Complete verdicts are stored."""
        self._ask = ask
        pending = (one for one in self.context.unjudged() if _row(one) not in self._complete)
        await self._session.run_answers(async_iter(pending), width=_WIDTH, on_state=self._note)
        self.context.progress.judge.failed = self._counts.judge.failed
        self.context.progress.spent_usd = self.context.store.spent_usd()

    def _note(self, answered: Answered, state: AnswerState) -> None:
        if state == "complete":
            self._complete.add(_row(answered))
            self.context.progress.judge.done += 1

    async def _forward(self, request: JudgeRequest) -> AskResult | None:
        assert self._ask is not None, "there is no pass"
        return await self._ask(request)


def _row(answered: Answered) -> tuple[str, str, int]:
    return answered.question.id, answered.variant, answered.sample


class JudgingPass:
    """One pass. `files` makes the request files of a member; without it nothing is asked.

    `unasked` counts requests that are missing and could not be written into files; `out_of_money` says whether
    that was for want of money. `waiting` counts requests that are repeated only if other ones can be parsed,
    `judged` those that got their judgement. `elsewhere`: the files are run somewhere else, so that neither
    `max_cost_usd` nor what is known of the endpoint applies.
    """

    def __init__(self, context: BatchContext, files: FilesFor | None, *, elsewhere: bool = False) -> None:
        self.unasked = 0
        self.waiting = 0
        self.judged = 0
        self._context = context
        self._table = context.table
        self._standings = self._table.standings()
        self._members = context.members()
        for member in self._members.values():
            for claims in (False, True):
                if ever_parsed(context.store, member.judge.label, claims=claims):
                    member.judge.record_parsed(claims=claims)
        self._formats = {
            name: RequestFormats.of(context, member, elsewhere=elsewhere)
            for name, member in self._members.items()
        }
        self._files: Mapping[str, RequestFiles] | None = files and {
            name: files(member, self._formats[name]) for name, member in self._members.items()
        }
        limit = None if elsewhere else context.config.max_cost_usd
        self._budget = Budget(limit, context.store.spent_usd() + self._table.committed_usd())
        self._cost_factor = self._table.estimates_fall_short()
        self._writing = asyncio.Lock()
        self._replies = 0
        self._rejection: tuple[BatchMember, ErrorResponse] | None = None

    @property
    def out_of_money(self) -> bool:
        return self._budget.exhausted

    async def run(self, session: BatchSession) -> None:
        """Raises EndpointError when the replies show that no request will ever be answered."""
        files = list((self._files or {}).values())
        try:
            await session.run(self._ask)
            for one in files:
                await one.close()
        finally:
            for one in files:
                one.abandon()
        for formats in self._formats.values():
            formats.keep(self._context)
        if self._rejection and not self._replies:
            raise _rejected(*self._rejection)

    # One request --------------------------------------------------------------------------

    async def _ask(self, request: JudgeRequest) -> AskResult | None:
        """The judgement on `request` if its reply has come; otherwise the request is written into a file."""
        standing = self._standings.get(request.request_hash)
        if standing == "sent":
            return None
        member = self._members[request.member]
        row = self._table.row(request.request_hash) if standing else None
        conversation = member.judge.conversation(request)
        if row and row.so_far:
            conversation.restore(row.so_far)
        if row and row.reply is not None:
            outcome = await self._read(member, conversation, row, row.reply)
            if isinstance(outcome, AskResult):
                conversation.finish()
                return outcome
            row = outcome
        if conversation.failure is not None:
            may_retry = conversation.may_retry()
            if may_retry is None:
                self.waiting += 1
                return None
            if not may_retry:
                return self._result(conversation.give_up(), row, 0.0)
        async with self._writing:
            return await self._write(member, conversation, row)

    async def _write(
        self, member: BatchMember, conversation: JudgeConversation, row: BatchRow | None
    ) -> AskResult | None:
        """Writes a request into a file. Returns a judgement where the request is too large for one."""
        request = conversation.request
        usd = self._context.judge.estimate(request).cost_usd
        if not self._files or not self._budget.reserve((usd or 0.0) * self._cost_factor):
            self.unasked += 1
            return None
        call = conversation.next_call()
        body = self._formats[member.name].now.compose(call, member.config.model)
        if await self._files[member.name].add(request.request_hash, row.round if row else 0, body, usd):
            self._standings[request.request_hash] = "sent"
            return None
        failure = ChatFailure("too_long", "the request is larger than a batch file may be", 0, 0.0)
        made = conversation.parse_reply(failure)
        assert made is not None
        return self._result(made, None, 0.0)

    # One reply ----------------------------------------------------------------------------

    async def _read(
        self, member: BatchMember, conversation: JudgeConversation, row: BatchRow, reply: str
    ) -> AskResult | BatchRow:
        """The judgement that a reply gives, or the state of the request, which is to be sent again."""
        key, spent_before = conversation.request.request_hash, conversation.spent_usd
        parsed = BatchResult.from_json(key, reply).interpret()
        made, lost = self._interpret(member, conversation, row, parsed)
        self._replies += isinstance(parsed, ChatReply)
        usd = conversation.spent_usd - spent_before
        if made:
            return self._result(made, row, usd)
        after = BatchRow(None, row.round + 1, lost, None, conversation.state(), None)
        await self._context.store.write(
            self._table.again(key, after.round, lost, conversation.state()),
            self._table.heard(row.batch, usd, row.estimate_usd if usd else 0.0),
        )
        self._standings[key] = "again"
        return after

    def _interpret(
        self,
        member: BatchMember,
        conversation: JudgeConversation,
        row: BatchRow,
        reply: ChatReply | ErrorResponse | LostResult,
    ) -> tuple[Judgement | None, int]:
        """The judgement that a reply gives; without one, how often in a row no usable reply came."""
        max_attempts, lost = member.config.max_attempts, row.lost + 1
        if isinstance(reply, ChatReply):
            share = 1.0 - member.config.batch.discount
            counted = replace(reply, attempts=lost)
            return conversation.parse_reply(counted, price_share=share), 0
        kind: FailureKind = "failed"
        if isinstance(reply, ErrorResponse):
            error_class, kind = reply.error_class, reply.failure_kind
            if error_class is ErrorClass.UNSUPPORTED_FIELD and self._learn(member, conversation, row, reply):
                return None, row.lost
            if error_class is ErrorClass.FATAL:
                self._rejection = member, reply
            elif error_class not in (ErrorClass.RETRY, ErrorClass.RATE_LIMITED):
                lost = max_attempts
        if lost < max_attempts:
            return None, lost
        failure = ChatFailure(kind, reply.detail, row.lost + 1, 0.0)
        return conversation.parse_reply(failure), 0

    def _learn(
        self, member: BatchMember, conversation: JudgeConversation, row: BatchRow, error: ErrorResponse
    ) -> bool:
        """Whether the request will be different when it is sent again."""
        sent = self._sent(member, conversation, row)
        learnt, news = self._formats[member.name].learn(row.batch, error, sent)
        if news:
            url = member.config.base_url
            self._context.progress.say(msg("endpoint.without", url=url, name=news, detail=error.detail))
        return learnt

    def _sent(self, member: BatchMember, conversation: JudgeConversation, row: BatchRow) -> Mapping[str, Any]:
        """The body of the request that a reply belongs to."""
        format = self._formats[member.name].asked_in(row.batch)
        return format.compose(conversation.next_call(), member.config.model)

    def _result(self, made: Judgement, row: BatchRow | None, usd: float) -> AskResult:
        key = made.request_hash
        self.judged += 1
        self._standings.pop(key, None)
        estimated = row.estimate_usd if row and usd else 0.0
        return AskResult(
            made, (self._table.judged(key), self._table.heard(row and row.batch, usd, estimated))
        )


def _rejected(member: BatchMember, error: ErrorResponse) -> EndpointError:
    gone = deprecation(member.config.model) if error.is_missing_model else None
    hint = msg("error.batch.check_model_s_name_what")
    return EndpointError(
        msg("error.batch.all_rejected", detail=error.detail),
        where=member.config.base_url,
        hint=f"{gone}; {hint}" if gone else hint,
    )
