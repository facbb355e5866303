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
from simsa.judges.conversation import CallPart, ChatSettings, JudgeConversation
from simsa.judges.cost import VERDICT_TOKENS, CostEstimate, claims_tokens, estimate_call, price_of
from simsa.judges.request import JOINT, JudgeRequest
from simsa.judges.retry import RetryGate
from simsa.llm import CapabilityLearner, ChatEndpoint
from simsa.records import CLAIMS, Judgement, Question, content_hash
from simsa.rubrics import Rubric
from simsa.rubrics.claims import SCHEMA, claims_prompt, passages, read_claims


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
                msg("error.judging.cannot_split"),
                where=config.rubric,
                field="judge.mode",
                hint=msg("error.judging.use_joint"),
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
        self._capabilities = capabilities
        self._settings = ChatSettings(
            self.label, config, price_of(config), rubric.criteria, say or (lambda text: None)
        )
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
                msg("error.judging.not_served"),
                field="judge.adapter",
                found=config.adapter,
                hint=msg("error.judging.serve_it"),
            )
        saved = None if self._is_ours else self._capabilities
        self._endpoint = await ChatEndpoint(
            config.base_url,
            config.model,
            key=self._secret,
            key_name=config.key_variable,
            on_event=self._settings.say,
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
        try:
            while True:
                reply = await self._endpoint.complete(conversation.next_call())
                judgement = conversation.parse_reply(reply)
                if judgement is not None:
                    return judgement
                if not await conversation.part.gate.wait_may_retry(request.request_hash):
                    return conversation.give_up()
                if can_continue and not can_continue(conversation.spent_usd):
                    return conversation.give_up("budget")
        finally:
            conversation.finish()

    def chat_models(self) -> Mapping[str, LLMJudge]:
        return {"": self}

    def conversation(self, request: JudgeRequest) -> JudgeConversation:
        """A conversation about `request` before its first call."""
        part = self._parts[request.criteria]
        messages = part.messages(request.material, self._code(request.material))
        return JudgeConversation(request, part, self._settings, messages, self._config.max_tokens)

    def record_parsed(self, *, claims: bool) -> None:
        """Notes that verdicts of this judge, or lists of claims, could be parsed before."""
        (self._claims_gate if claims else self._gate).record_parsed()

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
