"""The conversation about one request: what is sent next, what was replied, and what it has cost so far.

A conversation may outlive a process: `state` is all that has to be stored between two calls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from simsa.judges.request import JudgeRequest
from simsa.judges.retry import RetryGate
from simsa.llm import ChatFailure, ChatReply, ChatRequest
from simsa.records import Judgement, Message
from simsa.rubrics import ParsedScores, ParseFailure
from simsa.rubrics.claims import ParsedClaims

_LENGTH_FACTOR = 2
# A reply that could not be parsed is shown to the judge again, up to this many characters.
_SHOWN = 4_000

Parsed = ParsedScores | ParsedClaims | ParseFailure


@dataclass(frozen=True, slots=True)
class CallPart:
    """What the calls for one group of criteria, or for claims, have in common.

    `identity` names what is asked, whatever the row. `messages` takes the material and the code that marks
    where it begins and ends; `retry_note` takes the reason why a reply could not be parsed; `parse` takes a
    reply's text, its request, and the texts that are judged.
    """

    name: str
    criteria: tuple[str, ...]
    identity: str
    rubric: str
    schema: Mapping[str, object]
    gate: RetryGate
    messages: Callable[[Mapping[str, str], str], tuple[Message, ...]]
    retry_note: Callable[[str], str]
    parse: Callable[[str, JudgeRequest, tuple[str, ...]], Parsed]
    criterion_hashes: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class JudgeConversation:
    """`first` are the messages of the first call; `failure` says why the last reply could not be used."""

    request: JudgeRequest
    part: CallPart
    first: tuple[Message, ...]
    max_tokens: int
    failure: ParseFailure | None = None
    parse_attempts: int = 0
    texts: list[str] = field(default_factory=list)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cost_usd: float | None = 0.0
    """None once a reply came without usage."""
    spent_usd: float = 0.0
    """`cost_usd`, with an estimate for replies without usage."""
    latency_s: float = 0.0
    attempts: int = 0

    def add_usage(self, reply: ChatReply | ChatFailure, cost: float | None, estimate: float = 0.0) -> None:
        """Adds what a call took; `estimate` is its cost where `cost` is not known."""
        self.attempts += reply.attempts
        self.latency_s += reply.latency_s
        self.cost_usd = None if cost is None or self.cost_usd is None else self.cost_usd + cost
        self.spent_usd += estimate if cost is None else cost
        if isinstance(reply, ChatReply):
            self.texts.append(reply.text or reply.refusal or "")
            self.prompt_tokens += reply.prompt_tokens
            self.completion_tokens += reply.completion_tokens
            self.cached_tokens += reply.cached_tokens

    def fail(self, failure: ParseFailure) -> None:
        """Notes why the last reply could not be used; after one that was cut off, the limit is raised."""
        self.failure = failure
        if failure.status == "truncated":
            self.max_tokens *= _LENGTH_FACTOR

    def messages(self) -> tuple[Message, ...]:
        """The messages of the next call."""
        return self._retry_messages(self.part.retry_note(self.failure.reason)) if self.failure else self.first

    def prompt_text(self) -> str:
        """The text of the last call, without the note on a repeated one, to estimate its tokens."""
        messages = self._retry_messages("") if self.failure else self.first
        return "\n".join(message.content for message in messages)

    def _retry_messages(self, note: str) -> tuple[Message, ...]:
        """The first messages with `note`, and with the reply where it could not be parsed."""
        assert self.failure is not None
        *before, last = self.first
        if self.failure.status == "unreadable":
            shown = Message("assistant", self.texts[-1][:_SHOWN])
            return (*before, last, shown, Message("user", note))
        return (*before, Message(last.role, f"{last.content}\n\n{note}"))

    def parse(self, reply: ChatReply) -> Parsed:
        """What was asked for, or why it is not there. Never raises."""
        if reply.refusal or reply.finish_reason == "content_filter":
            return ParseFailure("refused", reply.refusal or "a content filter stopped the answer")
        parsed = self.part.parse(reply.text, self.request, tuple(self.request.material.values()))
        if reply.finish_reason != "length":
            return parsed
        # At the length limit, only a reply that is one object and nothing else is known to be whole.
        text = reply.text.strip()
        if not isinstance(parsed, ParseFailure) and text.startswith("{") and text.endswith("}"):
            return parsed
        return ParseFailure("truncated", "the answer was cut off at the length limit; be brief")

    @property
    def raw(self) -> str:
        """The replies as a judgement stores them: one as it is, several as a JSON list."""
        return join_replies(self.texts)

    def state(self) -> dict[str, Any]:
        """What `restore` needs, as JSON. The names are those of the stored format."""
        return {name: getattr(self, name) for name in _STORED} | {
            "readings": self.parse_attempts,
            "outcome": None if self.failure is None else list(self.failure),
            "spent_usd": self.spent_usd,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes on from the `state` of an earlier conversation about the same request."""
        for name in _STORED:
            setattr(self, name, state[name])
        self.parse_attempts = state["readings"]
        self.spent_usd = state.get("spent_usd") or self.cost_usd or 0.0
        failure = state["outcome"]
        self.failure = None if failure is None else ParseFailure(*failure)


_STORED = (
    "max_tokens",
    "texts",
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "cost_usd",
    "latency_s",
    "attempts",
)


def join_replies(texts: list[str]) -> str:
    """Replies in one text: a single one as it is, several as a JSON list."""
    return texts[0] if len(texts) == 1 else orjson.dumps(texts).decode() if texts else ""


class ChatJudge(Protocol):
    """A judge whose calls something else can carry: a batch job, or files that are run elsewhere."""

    @property
    def label(self) -> str:
        """Name of the judge."""

    def conversation(self, request: JudgeRequest) -> JudgeConversation:
        """A conversation before its first call."""

    def next_call(self, conversation: JudgeConversation) -> ChatRequest:
        """The next call."""

    def parse_reply(
        self, conversation: JudgeConversation, reply: ChatReply | ChatFailure, *, price_share: float = 1.0
    ) -> Judgement | None:
        """The judgement that a reply gives; None where the call is to be repeated."""

    def record_parsed(self, *, claims: bool) -> None:
        """Notes that verdicts, or lists of claims, of this judge could be parsed before."""

    def may_retry(self, conversation: JudgeConversation) -> bool | None:
        """Whether to repeat the call; None: not known before other requests have been repeated."""

    def give_up(self, conversation: JudgeConversation) -> Judgement:
        """The judgement on a request whose last reply could not be parsed."""

    def finish(self, request: JudgeRequest) -> None:
        """Notes that the request has its judgement."""
