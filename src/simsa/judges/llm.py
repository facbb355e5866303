"""How a chat model is asked for an answer's claims: one more call, beside those for scores.

A judge behind an OpenAI-compatible endpoint.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Self

import orjson

from simsa.config import JudgeConfig
from simsa.errors import ConfigError, RubricError
from simsa.i18n.messages import msg
from simsa.judges.base import JOINT, Affords, JudgeRequest
from simsa.judges.expected_score import ALTERNATIVES, expected_scores
from simsa.judges.retry import JudgeConversation, RetryGate, read_reply
from simsa.llm import CapabilityLearner, ChatEndpoint, ChatFailure, ChatReply, ChatRequest, Price, cost
from simsa.llm.pricing import tokens
from simsa.records import CLAIMS, Judgement, Question, Status, content_hash
from simsa.rubrics import ParsedScores, ParseFailure, Rubric
from simsa.rubrics.claims import SCHEMA, ClaimsPrompt, ParsedClaims, claims_prompt, passages, read_claims
from simsa.text import one_line


@dataclass(frozen=True, slots=True)
class ClaimExtraction:
    """The prompt, and what names a call with it whatever row it is about."""

    prompt: ClaimsPrompt
    identity: str

    @classmethod
    def by(cls, model: str, language: str) -> ClaimExtraction:
        """`model` is the hash of who is asked. Neither rubric nor token probabilities change what an answer claims."""
        prompt = claims_prompt(language)
        return cls(prompt, content_hash(CLAIMS, model, prompt.version))

    def request(self, question: Question, prediction: str) -> JudgeRequest:
        material = self.prompt.material(question, prediction)
        return JudgeRequest(
            request_hash=content_hash(self.identity, material),
            part=CLAIMS,
            criteria=(),
            question=question,
            prediction=prediction,
            material=material,
        )

    def asking(self, request: JudgeRequest, code: str, max_tokens: int) -> JudgeConversation:
        """The request as it is asked for the first time; `code` marks where material begins and ends."""
        material = request.material
        first = self.prompt.messages(material, code)
        quoted = tuple(material.values())

        def parse(text: str) -> ParsedClaims | ParseFailure:
            return read_claims(text, passages(request.question), quoted)

        return JudgeConversation(request, first, SCHEMA, max_tokens, parse)


# How often a row may be asked until its answer is read, by what the last answer was.
_READINGS: dict[Status, int] = {"unreadable": 3, "empty": 3, "truncated": 2, "refused": 2}
_SCORED: Status = "scored"
_EXCERPT = 120


class LLMJudge:
    """Asks a chat model, reads strictly, and asks again where being told why can help.

    Two modes. `joint`: one call for all criteria. `split`: one call for each of the
    rubric's groups, showing only what the group's criteria see; a group that does not see
    the prediction is asked once a question, whatever the number of variants. In either, with
    `judge.claims`, one more call lists an answer's claims.
    """

    def __init__(
        self,
        config: JudgeConfig,
        rubric: Rubric,
        key: str | None = None,
        *,
        name: str | None = None,
        weights: str | None = None,
        salt: bytes | None = None,
        say: Callable[[str], None] | None = None,
        capabilities: MutableMapping[str, Any] | None = None,
    ) -> None:
        """`key` is the endpoint's API key; `name` what it is called, where not by its model; `weights` names an adapter's; `salt` makes boundary codes that nobody can know beforehand; `capabilities` is what the run has learned about endpoints."""
        if config.mode == "split" and not rubric.groups:
            raise RubricError(
                "a rubric that is one text cannot be split",
                where=config.rubric,
                field="judge.mode",
                hint='use mode = "joint", or a rubric of criteria (a .toml file)',
            )
        self.label = name or config.model
        self.rubric = rubric.label
        self.criteria = rubric.criteria
        self.mode: str = config.mode
        self.width = config.max_concurrency
        self.notes = (*rubric.notes, *_notes(config))
        self._config = config
        self._rubric = rubric
        self._secret = key
        self._say = say
        self._capabilities = capabilities
        self._price = price_of(config)
        self._salt = salt or secrets.token_bytes(32)
        self._endpoint: ChatEndpoint | None = None
        self._is_ours = False
        self._hopes = {CLAIMS: RetryGate(), "": RetryGate()}
        groups = rubric.groups if config.mode == "split" else {JOINT: rubric.criteria.names}
        self._narrow: dict[tuple[str, ...], _CallPart] = {}
        # The address, limits and lengths are left out: they decide whether there is a score, not which.
        told_apart = [] if self.label == config.model else [self.label]
        if weights:
            told_apart += ["adapter", weights]
        if config.identity:
            told_apart += ["identity", config.identity]
        sampling = (config.model, config.temperature, config.seed, config.extra_body)
        model = content_hash("llm", *sampling, *told_apart)
        # Only a call that was asked for token probabilities has them; the scores are as good as without.
        self._model = content_hash(model, "logprobs") if config.logprobs else model
        self._parts = [self._part(name, criteria) for name, criteria in groups.items()]
        repeats = [config.repeats] if config.repeats > 1 else []
        asked = [[part.name, content_hash(model, rubric.part_hash(part.criteria))] for part in self._parts]
        self.key = content_hash(asked, *repeats)
        self.verdict_task = content_hash([[part.name, part.identity] for part in self._parts], *repeats)
        self.task = self.verdict_task
        self._listing = ClaimExtraction.by(model, rubric.language) if config.claims else None
        if self._listing:
            self.task = content_hash(self.verdict_task, self._listing.identity)

    def served_at(self, base_url: str, key: str) -> None:
        """Says where the judge is, when simsa serves it itself; before it is entered."""
        self._config = self._config.model_copy(update={"base_url": base_url, "adapter": None})
        self._secret = key
        self._is_ours = True

    async def __aenter__(self) -> Self:
        config = self._config
        if config.adapter:  # its address is not known, and must never be taken for OpenAI's
            raise ConfigError(
                "is served by `simsa run`, `judge` and `probe`, and by nothing else yet",
                field="judge.adapter",
                found=config.adapter,
                hint="start it with `simsa serve`, and name its address as judge.base_url instead",
            )
        saved = None if self._is_ours else self._capabilities
        self._endpoint = await ChatEndpoint(
            config.base_url,
            config.model,
            key=self._secret,
            key_name=config.key_variable,
            on_event=self._say,
            max_concurrency=config.max_concurrency,
            timeout_s=config.timeout_s,
            max_attempts=config.max_attempts,
            learner=CapabilityLearner(config.base_url, config.model, config.extra_body, saved),
        ).__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        endpoint, self._endpoint = self._endpoint, None
        if endpoint:
            await endpoint.__aexit__(kind, error, trace)

    def requests(self, question: Question, prediction: str) -> tuple[JudgeRequest, ...]:
        asked = [self._repeated(self._request(part, question, prediction)) for part in self._parts]
        if self._listing and prediction.strip():  # what says nothing claims nothing
            asked.append(self._listing.request(question, prediction))
        return tuple(asked)

    def _repeated(self, request: JudgeRequest) -> JudgeRequest:
        """`request` as often as it is to be asked. The first of several is the only one of one."""
        n = self._config.repeats
        if n == 1:
            return request
        voices = {str(repeat): _again(request, repeat) for repeat in range(n)}
        return replace(
            request, request_hash=content_hash("repeats", n, request.request_hash), voices=voices, keys={}
        )

    def _part(self, name: str, criteria: tuple[str, ...]) -> _CallPart:
        """What a call for `criteria` is; in split mode also what each of them alone would be in it."""
        rubric, together = self._rubric, self._config.mode == "split" and len(criteria) > 1
        frame = content_hash("criterion", self._model, rubric.frame_hash(criteria)) if together else ""
        return _CallPart(
            name,
            criteria,
            identity=content_hash(self._model, rubric.part_hash(criteria)),
            schema=rubric.schema(criteria),
            keys={c: content_hash(frame, rubric.part_hash((c,))) for c in criteria} if together else {},
        )

    def _request(self, part: _CallPart, question: Question, prediction: str | None) -> JudgeRequest:
        material = self._rubric.material(part.criteria, question, prediction)
        return JudgeRequest(
            request_hash=content_hash(part.identity, material),
            part=part.name,
            criteria=part.criteria,
            question=question,
            prediction=prediction if "prediction" in material else None,
            material=material,
            keys={name: content_hash(key, material) for name, key in part.keys.items()},
        )

    def narrowed(self, request: JudgeRequest, criteria: tuple[str, ...]) -> JudgeRequest:
        part = self._narrow.get(criteria)
        if part is None:
            part = self._narrow[criteria] = self._part(request.part, criteria)
        alone = replace(self._request(part, request.question, request.prediction), part=request.part, keys={})
        return replace(_again(alone, request.repeat), member=request.member)

    def prompt_text(self, request: JudgeRequest) -> str:
        return "\n".join(message.content for message in self.asking(request).first)

    async def judge(self, request: JudgeRequest, affords: Affords | None = None) -> Judgement:
        asking, hope = self.asking(request), self._hope(request)
        try:
            while True:
                judgement = self.hear(asking, await self._complete(asking))
                if judgement is not None:
                    return judgement
                assert asking.outcome is not None, "it is asked again for a reason"
                if not await hope.worth(request.request_hash):
                    return self.give_up(asking)
                if affords and not affords(asking.spent_usd):
                    return self._judgement(asking, ParseFailure("budget", asking.outcome.reason))
        finally:
            hope.leave(request.request_hash)

    def was_read(self, *, claims: bool) -> None:
        """Says that verdicts of this judge, or lists of claims, were readable an earlier time."""
        self._hopes[CLAIMS if claims else ""].was_read()

    def may_ask_again(self, asking: JudgeConversation) -> bool | None:
        """Whether what was not readable is worth asking again; None: others that are asked again will show it."""
        return self._hope(asking.request).may(asking.request.request_hash)

    def give_up(self, asking: JudgeConversation) -> Judgement:
        """The judgement on what was never readable, without asking again."""
        assert asking.outcome is not None, "it was not read"
        self.is_over(asking.request)
        return self._judgement(asking, asking.outcome)

    def is_over(self, request: JudgeRequest) -> None:
        """A request has its judgement: whoever waits for what it shows need not any more."""
        self._hope(request).leave(request.request_hash)

    def _hope(self, request: JudgeRequest) -> RetryGate:
        """Verdicts may be readable where lists of claims are not, and the other way round."""
        return self._hopes[CLAIMS if request.part == CLAIMS else ""]

    def voice(self, name: str) -> LLMJudge:
        return self

    def asking(self, request: JudgeRequest) -> JudgeConversation:
        """The request as it is asked for the first time."""
        material = request.material
        if self._listing and request.part == CLAIMS:
            return self._listing.asking(request, self._code(material), self._config.max_tokens)
        messages = self._rubric.messages(request.criteria, material, self._code(material))
        parts = (*self._parts, *self._narrow.values())
        part = next(part for part in parts if part.criteria == request.criteria)
        quoted = tuple(material.values())

        def parse(text: str) -> ParsedScores | ParseFailure:
            return self._rubric.parse_reply(text, request.criteria, quoted)

        return JudgeConversation(request, messages, part.schema, self._config.max_tokens, parse)

    def chat(self, asking: JudgeConversation) -> ChatRequest:
        """The next call."""
        config, is_listing = self._config, asking.request.part == CLAIMS
        why = asking.outcome and self._why(asking.request, asking.outcome.reason)
        return ChatRequest(
            messages=asking.messages(why or ""),
            max_tokens=asking.max_tokens,
            temperature=config.temperature,
            seed=None if config.seed is None else config.seed + asking.request.repeat,
            schema=asking.schema,
            logprobs=ALTERNATIVES if config.logprobs and not is_listing else None,
            extra_body=config.extra_body,
        )

    def _why(self, request: JudgeRequest, reason: str) -> str:
        """What the judge is told that is asked once more."""
        if self._listing and request.part == CLAIMS:
            return self._listing.prompt.retry_message(reason)
        return self._rubric.retry_message(request.criteria, reason)

    def hear(
        self, asking: JudgeConversation, reply: ChatReply | ChatFailure, *, price_share: float = 1.0
    ) -> Judgement | None:
        """The judgement that an answer makes; None where `asking` is to be asked again.

        `price_share` is the part of the usual price that the call has cost.
        """
        cost = self._cost(reply, price_share)
        asking.count(reply, cost, self._estimate(asking, reply, price_share) if cost is None else 0.0)
        if isinstance(reply, ChatFailure):
            # Failing to be asked again takes nothing from what the first answer was.
            return self._judgement(asking, asking.outcome or ParseFailure(reply.kind, reply.detail))
        outcome = read_reply(reply, asking)
        asking.readings += 1
        if not isinstance(outcome, ParseFailure):
            self._hope(asking.request).was_read()
        if not isinstance(outcome, ParseFailure) or not self._can_help(asking, outcome):
            made = self._judgement(asking, outcome)
            wanted = self._config.logprobs and made.scores
            return (
                replace(made, expected=expected_scores(reply.text, reply.logprobs, made.scores))
                if wanted
                else made
            )
        asking.again(outcome)
        return None

    def _can_help(self, asking: JudgeConversation, outcome: ParseFailure) -> bool:
        """Whether asking again can help: up to a limit, and only a judge that was ever understood."""
        hope = self._hope(asking.request)
        if asking.readings < _READINGS[outcome.status]:
            return not hope.is_gone
        if hope.was_in_vain() and self._say:
            said = one_line(asking.texts[-1], _EXCERPT)
            key = "judge.unread_claims" if asking.request.part == CLAIMS else "judge.unread"
            self._say(msg(key, judge=self.label, said=said))
        return False

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

    async def _complete(self, asking: JudgeConversation) -> ChatReply | ChatFailure:
        assert self._endpoint is not None, "a judge judges inside `async with`"
        return await self._endpoint.complete(self.chat(asking))

    def _cost(self, reply: ChatReply | ChatFailure, price_share: float) -> float | None:
        if isinstance(reply, ChatFailure):
            return 0.0
        if not reply.prompt_tokens:  # the endpoint reports no usage
            return None
        used = reply.prompt_tokens, reply.cached_tokens, reply.completion_tokens
        full = cost(self._config.model, *used, override=self._price)
        return None if full is None else full * price_share

    def _estimate(
        self, asking: JudgeConversation, reply: ChatReply | ChatFailure, price_share: float
    ) -> float:
        """What a call has cost whose usage was not reported, from the characters of what was said."""
        said = "\n".join(message.content for message in asking.messages(""))
        answer = reply.text or reply.refusal or "" if isinstance(reply, ChatReply) else ""
        used = round(tokens(said)), 0, round(tokens(answer))
        return (cost(self._config.model, *used, override=self._price) or 0.0) * price_share

    def _judgement(
        self, asking: JudgeConversation, outcome: ParsedScores | ParsedClaims | ParseFailure
    ) -> Judgement:
        status, scores, analysis, detail, claims = _SCORED, {}, "", "", None
        match outcome:
            case ParsedScores():
                scores, analysis = outcome.scores, outcome.analysis
            case ParsedClaims():
                claims = outcome.claims
            case ParseFailure():
                status, detail = outcome.status, outcome.reason
        texts = asking.texts
        asked = self._listing.prompt if self._listing and asking.request.part == CLAIMS else None
        return Judgement(
            request_hash=asking.request.request_hash,
            judge=self.label,
            rubric=asked.label if asked else self.rubric,
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
            claims=claims,
            estimated_usd=asking.spent_usd if asking.cost_usd is None else None,
        )


def _again(request: JudgeRequest, repeat: int) -> JudgeRequest:
    """The repeat number `repeat` of `request`, from 0."""
    if repeat == 0:
        return request
    keys = {name: content_hash(key, "repeat", repeat) for name, key in request.keys.items()}
    again = content_hash(request.request_hash, "repeat", repeat)
    return replace(request, request_hash=again, repeat=repeat, keys=keys)


def _notes(config: JudgeConfig) -> list[str]:
    notes = [config.note] if config.note else []
    if config.repeats > 1 and config.temperature == 0:
        notes.append(msg("judge.repeats"))
    return notes


def price_of(config: JudgeConfig) -> Price | None:
    """The price that the config gives; None leaves it to the table."""
    given = config.price
    if given is None:
        return Price(0.0, 0.0, 0.0) if config.adapter else None
    return Price(given.input, given.input if given.cached is None else given.cached, given.output)


@dataclass(frozen=True, slots=True)
class _CallPart:
    """A group of criteria that is asked for in one call."""

    name: str
    criteria: tuple[str, ...]
    identity: str
    schema: Mapping[str, object]
    keys: Mapping[str, str] = field(default_factory=dict)
