"""The conversation about one request: what is sent next, what was replied, and what it has cost so far.

A conversation may outlive a process: `state` is all that has to be stored between two calls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import orjson

from simsa.config import JudgeConfig
from simsa.i18n.messages import msg
from simsa.judges.expected_score import ALTERNATIVES, expected_scores
from simsa.judges.request import JudgeRequest
from simsa.judges.retry import RetryGate
from simsa.llm import ChatFailure, ChatReply, ChatRequest, Price, cost
from simsa.llm.pricing import tokens
from simsa.records import Criteria, Judgement, Message, Status
from simsa.rubrics import ParsedScores, ParseFailure
from simsa.rubrics.claims import ParsedClaims
from simsa.text import one_line

# How often a request may be sent until its reply can be used, by the status of the last reply.
_MAX_PARSE_ATTEMPTS: dict[Status, int] = {"unreadable": 3, "empty": 3, "truncated": 2, "refused": 2}
_LENGTH_FACTOR = 2
_EXCERPT = 120
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


@dataclass(frozen=True, slots=True)
class ChatSettings:
    """How a chat model is asked, and what its replies cost."""

    label: str
    config: JudgeConfig
    price: Price | None
    criteria: Criteria
    say: Callable[[str], None]


@dataclass(slots=True)
class JudgeConversation:
    """`first` are the messages of the first call; `failure` says why the last reply could not be used."""

    request: JudgeRequest
    part: CallPart
    settings: ChatSettings
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

    def next_call(self) -> ChatRequest:
        """The next call."""
        config, request = self.settings.config, self.request
        return ChatRequest(
            messages=self.messages(),
            max_tokens=self.max_tokens,
            temperature=config.temperature,
            seed=None if config.seed is None else config.seed + request.repeat,
            schema=self.part.schema,
            logprobs=ALTERNATIVES if config.logprobs and not request.is_claims else None,
            extra_body=config.extra_body,
        )

    def parse_reply(self, reply: ChatReply | ChatFailure, *, price_share: float = 1.0) -> Judgement | None:
        """The judgement that a reply gives; None where the call is to be repeated.

        `price_share` is the part of the usual price that the call has cost.
        """
        self._add_usage(reply, price_share)
        if isinstance(reply, ChatFailure):
            # A repeated call that fails does not change what the first reply was.
            return self._judgement(self.failure or ParseFailure(reply.kind, reply.detail))
        parsed = self._parse(reply)
        self.parse_attempts += 1
        if isinstance(parsed, ParseFailure):
            if not self._can_help(parsed):
                return self._judgement(parsed)
            self.failure = parsed
            if parsed.status == "truncated":
                self.max_tokens *= _LENGTH_FACTOR
            return None
        self.part.gate.record_parsed()
        made = self._judgement(parsed)
        if self.settings.config.logprobs and made.scores:
            expected = expected_scores(reply.text, reply.logprobs, made.scores, self.settings.criteria)
            return replace(made, expected=expected)
        return made

    def _can_help(self, failure: ParseFailure) -> bool:
        """Whether repeating the call can help: up to a limit, and only a judge that was ever parsed."""
        if self.parse_attempts < _MAX_PARSE_ATTEMPTS[failure.status]:
            return not self.part.gate.is_closed
        if self.part.gate.record_failed():
            code = "judge.unread_claims" if self.request.is_claims else "judge.unread"
            said = one_line(self.texts[-1], _EXCERPT)
            self.settings.say(msg(code, judge=self.settings.label, said=said))
        return False

    def may_retry(self) -> bool | None:
        """Whether to repeat the call; None: not known before other requests have been repeated."""
        return self.part.gate.may_retry(self.request.request_hash)

    def give_up(self, status: Status | None = None) -> Judgement:
        """The judgement without repeating the call: the status of the last reply, or `status`."""
        assert self.failure is not None, "its last reply was parsed"
        self.finish()
        return self._judgement(self.failure._replace(status=status) if status else self.failure)

    def finish(self) -> None:
        """Notes that the request has its judgement."""
        self.part.gate.finish(self.request.request_hash)

    def _add_usage(self, reply: ChatReply | ChatFailure, price_share: float) -> None:
        """Adds what a call took. Without reported usage, its cost is estimated from the texts."""
        self.attempts += reply.attempts
        self.latency_s += reply.latency_s
        if isinstance(reply, ChatFailure):
            return
        text = reply.text or reply.refusal or ""
        model, price = self.settings.config.model, self.settings.price
        if reply.prompt_tokens:
            used = reply.prompt_tokens, reply.cached_tokens, reply.completion_tokens
            full = cost(model, *used, override=price)
            usd = None if full is None else full * price_share
        else:
            usd = None
        if usd is None:
            estimated = round(tokens(self.prompt_text())), 0, round(tokens(text))
            self.spent_usd += (cost(model, *estimated, override=price) or 0.0) * price_share
        else:
            self.spent_usd += usd
        self.cost_usd = None if usd is None or self.cost_usd is None else self.cost_usd + usd
        self.texts.append(text)
        self.prompt_tokens += reply.prompt_tokens
        self.completion_tokens += reply.completion_tokens
        self.cached_tokens += reply.cached_tokens

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

    def _parse(self, reply: ChatReply) -> Parsed:
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

    def _judgement(self, parsed: Parsed) -> Judgement:
        outcome: dict[str, Any]
        match parsed:
            case ParsedScores():
                outcome = {"status": "scored", "scores": parsed.scores, "analysis": parsed.analysis}
            case ParsedClaims():
                outcome = {"status": "scored", "claims": parsed.claims}
            case ParseFailure():
                outcome = {"status": parsed.status, "detail": parsed.reason}
        return Judgement(
            request_hash=self.request.request_hash,
            judge=self.settings.label,
            rubric=self.part.rubric,
            raw=join_replies(self.texts),
            prompt_tokens=self.prompt_tokens,
            completion_tokens=self.completion_tokens,
            cached_tokens=self.cached_tokens,
            cost_usd=self.cost_usd,
            latency_s=self.latency_s,
            attempts=self.attempts,
            estimated_usd=self.spent_usd if self.cost_usd is None else None,
            **outcome,
        )

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

    def record_parsed(self, *, claims: bool) -> None:
        """Notes that verdicts, or lists of claims, of this judge could be parsed before."""
