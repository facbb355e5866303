"""A judge behind an OpenAI-compatible endpoint."""

from __future__ import annotations

import functools
import hashlib
import secrets
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from simsa.config import JudgeConfig
from simsa.errors import ConfigError, RubricError
from simsa.i18n.messages import msg
from simsa.judges.base import CanContinue, Judge
from simsa.judges.conversation import CallPart, JudgeConversation, Parsed
from simsa.judges.cost import VERDICT_TOKENS, CostEstimate, claims_tokens, estimate_call, price_of
from simsa.judges.expected_score import ALTERNATIVES, expected_scores
from simsa.judges.request import JOINT, JudgeRequest
from simsa.judges.retry import RetryGate
from simsa.llm import CapabilityLearner, ChatEndpoint, ChatFailure, ChatReply, ChatRequest, cost
from simsa.llm.pricing import tokens
from simsa.records import CLAIMS, Judgement, Question, Status, content_hash
from simsa.rubrics import ParsedScores, ParseFailure, Rubric
from simsa.rubrics.claims import SCHEMA, ParsedClaims, claims_prompt, passages, read_claims
from simsa.text import one_line

# How often a request may be sent until its reply can be used, by the status of the last reply.
_MAX_PARSE_ATTEMPTS: dict[Status, int] = {"unreadable": 3, "empty": 3, "truncated": 2, "refused": 2}
_EXCERPT = 120


class LLMJudge(Judge):
    """Asks a chat model, parses its replies strictly, and repeats a call where telling the model why can help.

    Two modes. `joint`: one call for all criteria. `split`: one call for each group of the rubric, which shows
    only what the criteria of the group need; a group that does not need the prediction is asked once for a
    question, whatever the number of variants. In either mode, `judge.claims` adds a call that lists the claims
    of the answer.
    """

    is_local = False

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
        """`key` is the endpoint's API key; `name` the judge's name where it differs from the model's; `weights`
        the hash of an adapter; `salt` makes the codes around the material unpredictable; `capabilities` is what the
        run has learned about endpoints."""
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
        repeats_alike = config.repeats > 1 and config.temperature == 0
        self.notes = (
            *rubric.notes,
            *([config.note] if config.note else []),
            *([msg("judge.repeats")] if repeats_alike else []),
        )
        self._config = config
        self._rubric = rubric
        self._secret = key
        self._say = say or (lambda text: None)
        self._capabilities = capabilities
        self._price = price_of(config)
        self._salt = salt or secrets.token_bytes(32)
        self._endpoint: ChatEndpoint | None = None
        self._is_ours = False
        self._gate, self._claims_gate = RetryGate(), RetryGate()
        # Address, limits and lengths are left out: they decide whether there is a score, not which.
        identity: list[str] = [] if self.label == config.model else [self.label]
        if weights:
            identity += ["adapter", weights]
        if config.identity:
            identity += ["identity", config.identity]
        model = content_hash(
            "llm", config.model, config.temperature, config.seed, config.extra_body, *identity
        )
        # Token probabilities do not change scores, but only a call that asked for them has them.
        self._model = content_hash(model, "logprobs") if config.logprobs else model
        groups = rubric.groups if config.mode == "split" else {JOINT: rubric.criteria.names}
        self._parts = {criteria: self._score_part(group, criteria) for group, criteria in groups.items()}
        self._scoring = tuple(self._parts.values())
        repeats = [config.repeats] if config.repeats > 1 else []
        asked = [[part.name, content_hash(model, rubric.part_hash(part.criteria))] for part in self._scoring]
        self.key = content_hash(asked, *repeats)
        self.verdict_task = content_hash([[part.name, part.identity] for part in self._scoring], *repeats)
        self.task = self.verdict_task
        self._claims_prompt = claims_prompt(rubric.language)
        self._claims: CallPart | None = None
        if config.claims:
            self._claims = self._parts[()] = self._claims_part(model)
            self.task = content_hash(self.verdict_task, self._claims.identity)

    def _score_part(self, name: str, criteria: tuple[str, ...]) -> CallPart:
        """A call for `criteria`; in split mode with the hash of what is asked for each of them."""
        rubric, several = self._rubric, self._config.mode == "split" and len(criteria) > 1
        frame = content_hash("criterion", self._model, rubric.frame_hash(criteria)) if several else ""
        return CallPart(
            name,
            criteria,
            identity=content_hash(self._model, rubric.part_hash(criteria)),
            rubric=self.rubric,
            schema=rubric.schema(criteria),
            gate=self._gate,
            messages=functools.partial(rubric.messages, criteria),
            retry_note=functools.partial(rubric.retry_message, criteria),
            parse=lambda text, request, quoted: rubric.parse_reply(text, criteria, quoted),
            criterion_hashes={c: content_hash(frame, rubric.part_hash((c,))) for c in criteria}
            if several
            else {},
        )

    def _claims_part(self, model: str) -> CallPart:
        """The call for claims. Neither the rubric nor token probabilities change what an answer claims."""
        prompt = self._claims_prompt
        return CallPart(
            CLAIMS,
            (),
            identity=content_hash(CLAIMS, model, prompt.version),
            rubric=prompt.label,
            schema=SCHEMA,
            gate=self._claims_gate,
            messages=prompt.messages,
            retry_note=prompt.retry_message,
            parse=lambda text, request, quoted: read_claims(text, passages(request.question), quoted),
        )

    # Requests -----------------------------------------------------------------------------

    def requests(self, question: Question, prediction: str) -> tuple[JudgeRequest, ...]:
        requests = [self._repeated(self._request(part, question, prediction)) for part in self._scoring]
        if self._claims and prediction.strip():  # an empty answer has no claims
            material = self._claims_prompt.material(question, prediction)
            request_hash = content_hash(self._claims.identity, material)
            requests.append(JudgeRequest(request_hash, CLAIMS, (), question, prediction, material))
        return tuple(requests)

    def _request(self, part: CallPart, question: Question, prediction: str | None) -> JudgeRequest:
        material = self._rubric.material(part.criteria, question, prediction)
        return JudgeRequest(
            content_hash(part.identity, material),
            part.name,
            part.criteria,
            question,
            prediction if "prediction" in material else None,
            material,
            {name: content_hash(key, material) for name, key in part.criterion_hashes.items()},
        )

    def _repeated(self, request: JudgeRequest) -> JudgeRequest:
        """`request` with its repeats. The first of several repeats is the same call as a single one."""
        n = self._config.repeats
        if n == 1:
            return request
        return replace(
            request,
            request_hash=content_hash("repeats", n, request.request_hash),
            sub_requests={str(repeat): _repeat(request, repeat) for repeat in range(n)},
            criterion_hashes={},
        )

    def restrict_to(self, request: JudgeRequest, criteria: tuple[str, ...]) -> JudgeRequest:
        part = self._parts.get(criteria)
        if part is None:
            part = self._parts[criteria] = self._score_part(request.part, criteria)
        alone = replace(
            self._request(part, request.question, request.prediction), part=request.part, criterion_hashes={}
        )
        return replace(_repeat(alone, request.repeat), member=request.member)

    def estimate(self, request: JudgeRequest) -> CostEstimate:
        reply_tokens = claims_tokens(request.prediction or "") if request.is_claims else VERDICT_TOKENS
        return estimate_call(self._config, self.conversation(request).prompt_text(), reply_tokens)

    # Asking -------------------------------------------------------------------------------

    def set_base_url(self, base_url: str, key: str) -> None:
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

    async def judge(self, request: JudgeRequest, can_continue: CanContinue | None = None) -> Judgement:
        assert self._endpoint is not None, "a judge judges inside `async with`"
        conversation = self.conversation(request)
        gate = conversation.part.gate
        try:
            while True:
                reply = await self._endpoint.complete(self.next_call(conversation))
                judgement = self.parse_reply(conversation, reply)
                if judgement is not None:
                    return judgement
                assert conversation.failure is not None, "a call is repeated for a reason"
                if not await gate.wait_may_retry(request.request_hash):
                    return self.give_up(conversation)
                if can_continue and not can_continue(conversation.spent_usd):
                    return self._judgement(conversation, ParseFailure("budget", conversation.failure.reason))
        finally:
            gate.finish(request.request_hash)

    def chat_models(self) -> Mapping[str, LLMJudge]:
        return {"": self}

    def conversation(self, request: JudgeRequest) -> JudgeConversation:
        """A conversation about `request` before its first call."""
        part = self._parts[request.criteria]
        messages = part.messages(request.material, self._code(request.material))
        return JudgeConversation(request, part, messages, self._config.max_tokens)

    def next_call(self, conversation: JudgeConversation) -> ChatRequest:
        """The next call of a conversation."""
        config, request = self._config, conversation.request
        return ChatRequest(
            messages=conversation.messages(),
            max_tokens=conversation.max_tokens,
            temperature=config.temperature,
            seed=None if config.seed is None else config.seed + request.repeat,
            schema=conversation.part.schema,
            logprobs=ALTERNATIVES if config.logprobs and not request.is_claims else None,
            extra_body=config.extra_body,
        )

    def parse_reply(
        self, conversation: JudgeConversation, reply: ChatReply | ChatFailure, *, price_share: float = 1.0
    ) -> Judgement | None:
        """The judgement that a reply gives; None where the call is to be repeated.

        `price_share` is the part of the usual price that the call has cost.
        """
        usd = self._cost(reply, price_share)
        estimate = self._estimated_cost(conversation, reply, price_share) if usd is None else 0.0
        conversation.add_usage(reply, usd, estimate)
        if isinstance(reply, ChatFailure):
            # A repeated call that fails does not change what the first reply was.
            return self._judgement(
                conversation, conversation.failure or ParseFailure(reply.kind, reply.detail)
            )
        parsed = conversation.parse(reply)
        conversation.parse_attempts += 1
        if isinstance(parsed, ParseFailure):
            if self._can_help(conversation, parsed):
                conversation.fail(parsed)
                return None
            return self._judgement(conversation, parsed)
        conversation.part.gate.record_parsed()
        made = self._judgement(conversation, parsed)
        if self._config.logprobs and made.scores:
            expected = expected_scores(reply.text, reply.logprobs, made.scores, self.criteria)
            return replace(made, expected=expected)
        return made

    def _can_help(self, conversation: JudgeConversation, failure: ParseFailure) -> bool:
        """Whether repeating the call can help: up to a limit, and only a judge that was ever parsed."""
        gate = conversation.part.gate
        if conversation.parse_attempts < _MAX_PARSE_ATTEMPTS[failure.status]:
            return not gate.is_closed
        if gate.record_failed():
            code = "judge.unread_claims" if conversation.request.is_claims else "judge.unread"
            self._say(msg(code, judge=self.label, said=one_line(conversation.texts[-1], _EXCERPT)))
        return False

    def record_parsed(self, *, claims: bool) -> None:
        """Notes that verdicts of this judge, or lists of claims, could be parsed before."""
        (self._claims_gate if claims else self._gate).record_parsed()

    def may_retry(self, conversation: JudgeConversation) -> bool | None:
        """Whether to repeat the call; None: not known before other requests have been repeated."""
        return conversation.part.gate.may_retry(conversation.request.request_hash)

    def give_up(self, conversation: JudgeConversation) -> Judgement:
        """The judgement on a request whose last reply could not be parsed."""
        assert conversation.failure is not None, "its last reply was parsed"
        self.finish(conversation.request)
        return self._judgement(conversation, conversation.failure)

    def finish(self, request: JudgeRequest) -> None:
        """Notes that the request has its judgement."""
        self._parts[request.criteria].gate.finish(request.request_hash)

    def _code(self, material: Mapping[str, str]) -> str:
        """The code that marks where the texts of a row begin and end.

        It is keyed with the salt, so that no text can contain it. It is the same for every variant of a
        question, so that a prefix cache reaches up to the prediction.
        """
        shared = f"{material.get('question')}\0{material.get('context')}".encode("utf-8", "replace")
        code = ""
        while not code or any(code in text for text in material.values()):
            code = hashlib.blake2b(shared + code.encode(), key=self._salt, digest_size=8).hexdigest()
        return code

    def _cost(self, reply: ChatReply | ChatFailure, price_share: float) -> float | None:
        if isinstance(reply, ChatFailure):
            return 0.0
        if not reply.prompt_tokens:  # the endpoint reports no usage
            return None
        used = reply.prompt_tokens, reply.cached_tokens, reply.completion_tokens
        full = cost(self._config.model, *used, override=self._price)
        return None if full is None else full * price_share

    def _estimated_cost(
        self, conversation: JudgeConversation, reply: ChatReply | ChatFailure, price_share: float
    ) -> float:
        """The cost of a call without reported usage, from the characters of its texts."""
        text = reply.text or reply.refusal or "" if isinstance(reply, ChatReply) else ""
        used = round(tokens(conversation.prompt_text())), 0, round(tokens(text))
        return (cost(self._config.model, *used, override=self._price) or 0.0) * price_share

    def _judgement(self, conversation: JudgeConversation, parsed: Parsed) -> Judgement:
        outcome: dict[str, Any]
        match parsed:
            case ParsedScores():
                outcome = {"status": "scored", "scores": parsed.scores, "analysis": parsed.analysis}
            case ParsedClaims():
                outcome = {"status": "scored", "claims": parsed.claims}
            case ParseFailure():
                outcome = {"status": parsed.status, "detail": parsed.reason}
        return Judgement(
            request_hash=conversation.request.request_hash,
            judge=self.label,
            rubric=conversation.part.rubric,
            raw=conversation.raw,
            prompt_tokens=conversation.prompt_tokens,
            completion_tokens=conversation.completion_tokens,
            cached_tokens=conversation.cached_tokens,
            cost_usd=conversation.cost_usd,
            latency_s=conversation.latency_s,
            attempts=conversation.attempts,
            estimated_usd=conversation.spent_usd if conversation.cost_usd is None else None,
            **outcome,
        )


def _repeat(request: JudgeRequest, repeat: int) -> JudgeRequest:
    """The repeat number `repeat` of `request`, from 0."""
    if repeat == 0:
        return request
    return replace(
        request,
        request_hash=content_hash(request.request_hash, "repeat", repeat),
        repeat=repeat,
        criterion_hashes={
            name: content_hash(key, "repeat", repeat) for name, key in request.criterion_hashes.items()
        },
    )
