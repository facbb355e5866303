"""One request on its way to a verdict: what is said next, and what it has taken so far.

It may outlive a process: `so_far` is all that has to be kept between two askings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from simsa.endpoints import ChatFailure, ChatReply, ChatRequest
from simsa.judges.base import JudgeRequest
from simsa.records import Judgement, Message
from simsa.rubrics import Unreadable

_MORE_ROOM = 2
# An unreadable answer is shown to the judge again, but not a whole book of it.
_SHOWN = 4_000


@dataclass(slots=True)
class Asking:
    """`first` is what is said at first, `schema` the answer's, `quoted` the texts that are judged.

    `outcome` is why the last answer was not good enough, once one was not.
    """

    request: JudgeRequest
    first: tuple[Message, ...]
    schema: Mapping[str, object]
    max_tokens: int
    quoted: tuple[str, ...]
    outcome: Unreadable | None = None
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

    def again(self, outcome: Unreadable) -> None:
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
        self.outcome = None if outcome is None else Unreadable(*outcome)


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


class Correspondent(Protocol):
    """A judge whose calls somebody else can carry: a batch job, or files run elsewhere."""

    @property
    def label(self) -> str:
        """Who judges."""

    def asking(self, request: JudgeRequest) -> Asking:
        """The request as it is asked for the first time."""

    def chat(self, asking: Asking) -> ChatRequest:
        """The next call."""

    def hear(
        self, asking: Asking, reply: ChatReply | ChatFailure, *, price_share: float = 1.0
    ) -> Judgement | None:
        """The judgement that an answer makes; None where `asking` is to be asked again."""

    def was_read(self, *, claims: bool) -> None:
        """To be told where verdicts, or lists of claims, were readable an earlier time."""

    def may_ask_again(self, asking: Asking) -> bool | None:
        """Whether that is worth it, of a judge that may never be readable; None: others will show it."""

    def give_up(self, asking: Asking) -> Judgement:
        """The judgement on what was never readable, without asking again."""

    def is_over(self, request: JudgeRequest) -> None:
        """To be told of each request that has its judgement."""
