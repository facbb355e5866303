"""A judge behind an OpenAI-compatible endpoint."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import orjson

from simsa.config import JudgeConfig
from simsa.endpoints import ChatEndpoint, ChatFailure, ChatReply, ChatRequest, Price, cost
from simsa.errors import RubricError
from simsa.judges.base import JOINT, JudgeRequest
from simsa.records import Judgement, Message, Question, Status, content_hash
from simsa.rubrics import Rubric, Scored, Unreadable, read_verdict

# How often a row may be asked until its answer is read, by what the last answer was.
_READINGS: dict[Status, int] = {"unreadable": 3, "empty": 3, "truncated": 2, "refused": 2}
_SCORED: Status = "scored"
_MORE_ROOM = 2
# An unreadable answer is shown to the judge again, but not a whole book of it.
_SHOWN = 4_000


class LLMJudge:
    """Asks a chat model, reads strictly, and asks again where being told why can help.

    Two modes. `joint`: one call for all criteria. `split`: one call for each of the
    rubric's groups, showing only what the group's criteria see; a group that does not see
    the prediction is asked once a question, whatever the number of variants.
    """

    def __init__(
        self,
        config: JudgeConfig,
        rubric: Rubric,
        key: str | None = None,
        *,
        salt: bytes | None = None,
        say: Callable[[str], None] | None = None,
    ) -> None:
        """`key` is the endpoint's API key; `salt` makes boundary codes that nobody can know beforehand."""
        if config.mode == "split" and not rubric.groups:
            raise RubricError(
                "a rubric that is one text cannot be split",
                where=config.rubric,
                field="judge.mode",
                hint='use mode = "joint", or a rubric of criteria (a .toml file)',
            )
        self.label = config.model
        self.rubric = rubric.label
        self.mode: str = config.mode
        self.width = config.max_concurrency
        self.notes = rubric.notes
        self._config = config
        self._rubric = rubric
        self._secret = key
        self._say = say
        self._price = price_of(config)
        self._salt = salt or secrets.token_bytes(32)
        self._endpoint: ChatEndpoint | None = None
        groups = rubric.groups if config.mode == "split" else {JOINT: rubric.criteria}
        # The address, limits and lengths are left out: they decide whether there is a score, not which.
        model = content_hash("llm", config.model, config.temperature, config.seed, config.extra_body)
        self._parts = [
            _Part(name, criteria, content_hash(model, rubric.part_hash(criteria)), rubric.schema(criteria))
            for name, criteria in groups.items()
        ]
        self.key = content_hash([[part.name, part.identity] for part in self._parts])

    async def __aenter__(self) -> Self:
        config = self._config
        self._endpoint = await ChatEndpoint(
            config.base_url,
            config.model,
            key=self._secret,
            key_name=config.key_variable,
            on_event=self._say,
            max_concurrency=config.max_concurrency,
            timeout_s=config.timeout_s,
            max_attempts=config.max_attempts,
        ).__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        endpoint, self._endpoint = self._endpoint, None
        if endpoint:
            await endpoint.__aexit__(kind, error, trace)

    def requests(self, question: Question, prediction: str) -> tuple[JudgeRequest, ...]:
        return tuple(self._request(part, question, prediction) for part in self._parts)

    def _request(self, part: _Part, question: Question, prediction: str) -> JudgeRequest:
        material = self._rubric.material(part.criteria, question, prediction)
        return JudgeRequest(
            request_hash=content_hash(part.identity, material),
            part=part.name,
            criteria=part.criteria,
            question=question,
            prediction=prediction if "prediction" in material else None,
            material=material,
        )

    def prompt_text(self, request: JudgeRequest) -> str:
        return "\n".join(message.content for message in self._asking(request).messages)

    async def judge(self, request: JudgeRequest) -> Judgement:
        asking = self._asking(request)
        outcome: Scored | Unreadable | None = None
        for reading in range(1, max(_READINGS.values()) + 1):
            reply = await self._complete(asking)
            asking.count(reply, self._cost(reply))
            if isinstance(reply, ChatFailure):
                # Failing to be asked again takes nothing from what the first answer was.
                outcome = outcome or Unreadable(reply.kind, reply.detail)
                break
            outcome = read_reply(reply, request.criteria, asking.quoted)
            if isinstance(outcome, Scored) or reading >= _READINGS[outcome.status]:
                break
            asking.again(outcome, reply.text, self._rubric.again(request.criteria, outcome.reason))
        assert outcome is not None
        return self._judgement(request, asking, outcome)

    def _asking(self, request: JudgeRequest) -> _Asking:
        material = request.material
        messages = self._rubric.messages(request.criteria, material, self._code(material))
        part = next(part for part in self._parts if part.name == request.part)
        return _Asking(messages, part, self._config.max_tokens, tuple(material.values()))

    def _code(self, material: Mapping[str, str]) -> str:
        """What marks where the row's texts begin and end.

        Keyed with the salt, so no text can hold it beforehand, and the same for every
        variant of a question, so that a prefix cache reaches up to the prediction.
        """
        shared = f"{material.get('question')}\0{material.get('context')}".encode("utf-8", "replace")
        code = ""
        while not code or any(code in text for text in material.values()):
            code = hashlib.blake2b(shared + code.encode(), key=self._salt, digest_size=8).hexdigest()
        return code

    async def _complete(self, asking: _Asking) -> ChatReply | ChatFailure:
        assert self._endpoint is not None, "a judge judges inside `async with`"
        config = self._config
        return await self._endpoint.complete(
            ChatRequest(
                messages=asking.messages,
                max_tokens=asking.max_tokens,
                temperature=config.temperature,
                seed=config.seed,
                schema=asking.part.schema,
                extra_body=config.extra_body,
            )
        )

    def _cost(self, reply: ChatReply | ChatFailure) -> float | None:
        if isinstance(reply, ChatFailure):
            return 0.0
        if not reply.prompt_tokens:  # the endpoint reports no usage
            return None
        used = reply.prompt_tokens, reply.cached_tokens, reply.completion_tokens
        return cost(self._config.model, *used, override=self._price)

    def _judgement(self, request: JudgeRequest, asking: _Asking, outcome: Scored | Unreadable) -> Judgement:
        if isinstance(outcome, Scored):
            status, scores, analysis, detail = _SCORED, outcome.scores, outcome.analysis, ""
        else:
            status, scores, analysis, detail = outcome.status, {}, "", outcome.reason
        texts = asking.texts
        return Judgement(
            request_hash=request.request_hash,
            judge=self.label,
            rubric=self.rubric,
            status=status,
            scores=scores,
            analysis=analysis,
            raw=texts[0] if len(texts) == 1 else orjson.dumps(texts).decode() if texts else "",
            prompt_tokens=asking.prompt_tokens,
            completion_tokens=asking.completion_tokens,
            cached_tokens=asking.cached_tokens,
            cost_usd=asking.cost_usd,
            latency_s=asking.latency_s,
            attempts=asking.attempts,
            detail=detail,
        )


def read_reply(reply: ChatReply, criteria: Sequence[str], quoted: Sequence[str]) -> Scored | Unreadable:
    """The verdict in an endpoint's answer, or why there is none."""
    if reply.refusal or reply.finish_reason == "content_filter":
        return Unreadable("refused", reply.refusal or "a content filter stopped the answer")
    found = read_verdict(reply.text, criteria, quoted)
    if reply.finish_reason != "length":
        return found
    # Cut off at the limit: only an answer that is a verdict and nothing else is known to be whole.
    alone = reply.text.strip()
    if isinstance(found, Scored) and alone.startswith("{") and alone.endswith("}"):
        return found
    return Unreadable("truncated", "the answer was cut off at the length limit; be brief")


def price_of(config: JudgeConfig) -> Price | None:
    """The price that the config gives; None leaves it to the table."""
    given = config.price
    if given is None:
        return None
    return Price(given.input, given.input if given.cached is None else given.cached, given.output)


@dataclass(frozen=True, slots=True)
class _Part:
    """A group of criteria that is asked for in one call."""

    name: str
    criteria: tuple[str, ...]
    identity: str
    schema: Mapping[str, object]


@dataclass(slots=True)
class _Asking:
    """One request on its way to a verdict: what is said next, and what it has taken so far."""

    messages: tuple[Message, ...]
    part: _Part
    max_tokens: int
    quoted: tuple[str, ...]
    texts: list[str] = field(default_factory=list)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cost_usd: float | None = 0.0
    latency_s: float = 0.0
    attempts: int = 0
    _first: tuple[Message, ...] = ()

    def count(self, reply: ChatReply | ChatFailure, cost: float | None) -> None:
        self.attempts += reply.attempts
        self.latency_s += reply.latency_s
        self.cost_usd = None if cost is None or self.cost_usd is None else self.cost_usd + cost
        if isinstance(reply, ChatReply):
            self.texts.append(reply.text or reply.refusal or "")
            self.prompt_tokens += reply.prompt_tokens
            self.completion_tokens += reply.completion_tokens
            self.cached_tokens += reply.cached_tokens

    def again(self, outcome: Unreadable, text: str, note: str) -> None:
        """Asks the same once more, saying why; what was unreadable is shown, what was cut off gets more room."""
        self._first = self._first or self.messages
        *before, last = self._first
        if outcome.status == "unreadable":
            self.messages = (*before, last, Message("assistant", text[:_SHOWN]), Message("user", note))
        else:
            self.messages = (*before, Message(last.role, f"{last.content}\n\n{note}"))
        if outcome.status == "truncated":
            self.max_tokens *= _MORE_ROOM
