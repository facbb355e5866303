"""One request on its way to a verdict: what is said next, and what it has taken so far.

It may outlive a process: `so_far` is all that has to be kept between two askings.

Whether it is worth asking a judge the same again: while nothing it said was ever readable, few find out for all.

What an endpoint's answer says: a verdict, a list of claims, or why neither.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from simsa.judges.base import JudgeRequest
from simsa.llm import ChatFailure, ChatReply, ChatRequest
from simsa.records import Judgement, Message
from simsa.rubrics import ParsedScores, ParseFailure
from simsa.rubrics.claims import ParsedClaims

_MORE_ROOM = 2
# An unreadable answer is shown to the judge again, but not a whole book of it.
_SHOWN = 4_000


@dataclass(slots=True)
class JudgeConversation:
    """`first` are the first messages, `schema` is the reply's JSON schema, `parse` parses its text.

    `outcome` is why the last answer was not good enough, once one was not.
    """

    request: JudgeRequest
    first: tuple[Message, ...]
    schema: Mapping[str, object]
    max_tokens: int
    parse: Callable[[str], ParsedScores | ParsedClaims | ParseFailure]
    outcome: ParseFailure | None = None
    readings: int = 0
    texts: list[str] = field(default_factory=list)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cost_usd: float | None = 0.0
    spent_usd: float = 0.0
    """`cost_usd`, with an estimate for what the endpoint reports no usage of."""
    latency_s: float = 0.0
    attempts: int = 0

    def count(self, reply: ChatReply | ChatFailure, cost: float | None, estimate: float = 0.0) -> None:
        """Adds what a call has taken; `estimate` is what it costs where `cost` is not known."""
        self.attempts += reply.attempts
        self.latency_s += reply.latency_s
        self.cost_usd = None if cost is None or self.cost_usd is None else self.cost_usd + cost
        self.spent_usd += estimate if cost is None else cost
        if isinstance(reply, ChatReply):
            self.texts.append(reply.text or reply.refusal or "")
            self.prompt_tokens += reply.prompt_tokens
            self.completion_tokens += reply.completion_tokens
            self.cached_tokens += reply.cached_tokens

    def again(self, outcome: ParseFailure) -> None:
        """The same is to be asked once more; what was cut off gets more room."""
        self.outcome = outcome
        if outcome.status == "truncated":
            self.max_tokens *= _MORE_ROOM

    def messages(self, note: str) -> tuple[Message, ...]:
        """What is said next. `note` says why it is asked again; what was unreadable is shown."""
        if self.outcome is None:
            return self.first
        *before, last = self.first
        if self.outcome.status == "unreadable":
            shown = Message("assistant", self.texts[-1][:_SHOWN])
            return (*before, last, shown, Message("user", note))
        return (*before, Message(last.role, f"{last.content}\n\n{note}"))

    def so_far(self) -> dict[str, Any]:
        """What `resume` needs, as JSON keeps it."""
        return {name: getattr(self, name) for name in _KEPT} | {
            "outcome": None if self.outcome is None else list(self.outcome),
            "spent_usd": self.spent_usd,
        }

    def resume(self, so_far: Mapping[str, Any]) -> None:
        """Goes on from what an earlier asking of the same request has come to."""
        for name in _KEPT:
            setattr(self, name, so_far[name])
        self.spent_usd = so_far.get("spent_usd") or self.cost_usd or 0.0
        outcome = so_far["outcome"]
        self.outcome = None if outcome is None else ParseFailure(*outcome)


_KEPT = (
    "max_tokens",
    "readings",
    "texts",
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "cost_usd",
    "latency_s",
    "attempts",
)


class BatchableJudge(Protocol):
    """A judge whose calls somebody else can carry: a batch job, or files run elsewhere."""

    @property
    def label(self) -> str:
        """Who judges."""

    def asking(self, request: JudgeRequest) -> JudgeConversation:
        """The request as it is asked for the first time."""

    def chat(self, asking: JudgeConversation) -> ChatRequest:
        """The next call."""

    def hear(
        self, asking: JudgeConversation, reply: ChatReply | ChatFailure, *, price_share: float = 1.0
    ) -> Judgement | None:
        """The judgement that an answer makes; None where `asking` is to be asked again."""

    def was_read(self, *, claims: bool) -> None:
        """To be told where verdicts, or lists of claims, were readable an earlier time."""

    def may_ask_again(self, asking: JudgeConversation) -> bool | None:
        """Whether that is worth it, of a judge that may never be readable; None: others will show it."""

    def give_up(self, asking: JudgeConversation) -> Judgement:
        """The judgement on what was never readable, without asking again."""

    def is_over(self, request: JudgeRequest) -> None:
        """To be told of each request that has its judgement."""


SCOUTS = 5
"""So many rows at most are asked again before one answer was readable; when all of them were in vain, no row
is any more."""


class RetryGate:
    """One judge's, for one kind of answer. Rows wait while others find out, however many are under way.

    Without it, all rows that are under way at first would be asked again before the first of them
    shows that it was in vain.
    """

    def __init__(self) -> None:
        self._read = False
        self._scouting: set[str] = set()
        self._in_vain = 0
        self._changed = asyncio.Event()

    @property
    def is_gone(self) -> bool:
        """Nothing was ever readable, and asking again has not helped so often that it will not."""
        return not self._read and self._in_vain >= SCOUTS

    def was_read(self) -> None:
        """An answer was readable: whoever was not may be so the next time."""
        if not self._read:
            self._read = True
            self._tell()

    def was_in_vain(self) -> bool:
        """A row has been asked as often as it may be, and was never readable. Whether that was one too many."""
        self._in_vain += not self._read
        self._tell()
        return not self._read and self._in_vain == SCOUTS

    def may(self, row: str) -> bool | None:
        """Whether `row` is to be asked again; None: others find that out now. Whoever may has to `leave`."""
        if self._read or row in self._scouting:
            return True
        if self.is_gone:
            return False
        if len(self._scouting) + self._in_vain >= SCOUTS:
            return None
        self._scouting.add(row)
        return True

    async def worth(self, row: str) -> bool:
        """The same, as soon as it is known."""
        while (found := self.may(row)) is None:
            await self._changed.wait()
        return found

    def leave(self, row: str) -> None:
        """The row is over, whatever became of it."""
        if row in self._scouting:
            self._scouting.discard(row)
            self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def read_reply(reply: ChatReply, asking: JudgeConversation) -> ParsedScores | ParsedClaims | ParseFailure:
    """What was asked for, or why it is not there. Never raises."""
    if reply.refusal or reply.finish_reason == "content_filter":
        return ParseFailure("refused", reply.refusal or "a content filter stopped the answer")
    found = asking.parse(reply.text)
    if reply.finish_reason != "length":
        return found
    # Cut off at the limit: only an answer that is one object and nothing else is known to be whole.
    alone = reply.text.strip()
    if not isinstance(found, ParseFailure) and alone.startswith("{") and alone.endswith("}"):
        return found
    return ParseFailure("truncated", "the answer was cut off at the length limit; be brief")
