"""The client: one request in, one answer or one reason why not, as fast as the endpoint allows."""

from __future__ import annotations

import asyncio
import copy
import math
import random
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import orjson

from simsa.errors import EndpointError
from simsa.i18n.messages import msg
from simsa.llm import api_errors, responses
from simsa.llm.api_errors import ErrorClass, ErrorResponse
from simsa.llm.base_url import BaseUrl, check_key
from simsa.llm.capabilities import LENGTH_FIELDS, Capabilities, is_lasting, probe_request, wanted_capabilities
from simsa.llm.capability_learner import CapabilityLearner
from simsa.llm.chat import ChatFailure, ChatReply, ChatRequest, FailureKind, ModelInfo, plain
from simsa.llm.deprecation import deprecation
from simsa.llm.rate_limit import AdmissionControl, AdmissionStats, Permit, retry_after
from simsa.llm.responses import ApiResponse, TransportFailure

if TYPE_CHECKING:
    from simsa.llm.transport import Transport

_LONGEST_BACKOFF_S = 20.0
_RECONNECT_S = 60.0
_GIVEN_UP_IN_A_ROW = 20
_WORTH_SAYING_S = 10.0


class ChatEndpoint:
    """An OpenAI-compatible chat endpoint; an async context manager.

    `max_concurrency` is the widest the window of requests under way may become;
    `timeout_s` bounds one call; `max_attempts` the calls that one request may lose to
    faults (waiting for a rate limit costs none), and `patience_s` how long a rate limit
    may hold it up. `key_name` is the environment variable that the key came from, for
    messages. `abilities`, where they are known, spare finding them out; so do `lessons`, which
    are what is remembered of the model there, and are added to. `on_event` is told in a
    sentence what people should know.

    The key is in no error, event or answer.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        key: str | None = None,
        key_name: str | None = None,
        max_concurrency: int = 64,
        min_concurrency: int = 4,
        timeout_s: float = 120.0,
        max_attempts: int = 4,
        patience_s: float = 600.0,
        backoff_s: float = 0.5,
        abilities: Capabilities | None = None,
        lessons: CapabilityLearner | None = None,
        on_event: Callable[[str], None] | None = None,
    ) -> None:
        check_key(key, key_name)
        self.address = BaseUrl.parse(base_url)
        self.model = model
        self.max_concurrency = max_concurrency
        self.timeout_s = timeout_s
        self.max_attempts = max_attempts
        self.patience_s = patience_s
        self.backoff_s = backoff_s
        self.key_name = key_name
        self.abilities = abilities or (lessons.abilities if lessons else Capabilities.of(self.address))
        self._lessons = lessons
        self._hearsay = self.abilities.refused if lessons else frozenset()
        self._missed = set(self._hearsay.difference(LENGTH_FIELDS))
        self._key = key
        self._say = on_event or (lambda text: None)
        self._flow = AdmissionControl(max_concurrency, min_concurrency)
        self._ends: dict[str | None, EndpointError] = {}
        self._answered_at = -math.inf
        self._given_up_in_a_row = 0
        self._transport: Transport | None = None

    async def __aenter__(self) -> Self:
        from simsa.llm.transport import Transport

        self._transport = Transport(self.address, self._key, self.max_concurrency, self.timeout_s)
        if warning := self.address.warning(self._key):
            self._say(warning)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.close()

    @property
    def base_url(self) -> str:
        """The address in its canonical form."""
        return self.address.base_url

    @property
    def stats(self) -> AdmissionStats:
        """What is going on; live."""
        return self._flow.show()

    async def complete(self, request: ChatRequest) -> ChatReply | ChatFailure:
        """The answer to one request, or why this one alone has none.

        Raises EndpointError for what concerns every request: the endpoint is gone, refuses
        the key, has no such model, wants money. All who ask afterwards get the same.
        """
        trial = _RequestAttempts(request, request.model or self.model)
        while True:
            result = await self._attempt(trial)
            if isinstance(result, ChatReply):
                return result
            if isinstance(result, ChatFailure):
                return self._give_up(result)
            if result:
                await asyncio.sleep(result)

    async def models(self) -> list[ModelInfo]:
        """The models that the endpoint lists. Raises EndpointError when it lists none."""
        found = await self._opened().get("models")
        if isinstance(found, TransportFailure):
            raise api_errors.unreachable(self.address, found.detail, before=False)
        if found.status != 200:
            raise self._turned_away(api_errors.read_error(found.status, found.body), found.headers)
        try:
            return responses.models(found.body)
        except responses.MalformedResponse as malformed:
            raise EndpointError(f"answers with {malformed}", where=self.base_url) from None

    async def probe(self) -> Capabilities:
        """Finds out what the endpoint takes by one small request, which costs a few tokens."""
        await self.complete(probe_request())
        return self.abilities

    # One attempt --------------------------------------------------------------------------

    async def _attempt(self, trial: _RequestAttempts) -> ChatReply | ChatFailure | float:
        """One call: an answer, a reason to give up, or the seconds until the next call."""
        if self._ends:
            self._check(trial.model)
        flow = self._flow
        ticket = flow.enter() or await flow.wait(urgent=trial.calls > 0)
        try:
            if self._ends:  # since it has waited
                self._check(trial.model)
            trial.calls += 1
            abilities = self.abilities
            if self._missed:
                self._say_missed(trial.request)
            sent = abilities.compose(trial.request, trial.model)
            found = await self._opened().post(orjson.dumps(sent, default=plain))
            if isinstance(found, TransportFailure):
                return self._troubled(trial, found)
            if found.status != 200:
                return await self._refused(trial, ticket, found, sent, abilities)
            try:
                reply = responses.completion(found.body, time.monotonic() - ticket.at, trial.calls)
            except responses.MalformedResponse as malformed:
                flow.bad()
                return self._again(trial, str(malformed))
            flow.good(ticket, found.headers, reply.prompt_tokens + reply.completion_tokens)
            self._count(reply)
            if not sent.keys() <= abilities.accepted:
                self.abilities = self.abilities.confirmed(sent)
            if self._lessons and trial.model == self.model:
                self._lessons.answered(sent, reply)
            return reply
        finally:
            flow.leave()

    def _say_missed(self, request: ChatRequest) -> None:
        """Says once what is left out of `request` because it is remembered as refused."""
        missed = self._missed & wanted_capabilities(request)
        if missed and self._lessons and self._lessons.known:
            self._missed -= missed
            what = {"url": self.base_url, "date": str(self._lessons.known.found)}
            self._say(msg("endpoint.remembered", list=", ".join(sorted(missed)), **what))

    def _count(self, reply: ChatReply) -> None:
        stats = self._flow.stats
        stats.done += 1
        stats.prompt_tokens += reply.prompt_tokens
        stats.completion_tokens += reply.completion_tokens
        stats.cached_tokens += reply.cached_tokens
        self._answered_at = time.monotonic()
        self._given_up_in_a_row = 0

    def _troubled(self, trial: _RequestAttempts, trouble: TransportFailure) -> ChatFailure | float:
        """There was no answer."""
        if trouble.kind == "untrusted":
            raise self._end(api_errors.untrusted(self.address, trouble.detail))
        self._flow.bad()
        if trouble.kind != "unreachable":
            return self._again(trial, trouble.detail)
        before = self._answered_at > -math.inf
        trial.tries_to_reach += 1
        since = trial.unreachable_since = trial.unreachable_since or time.monotonic()
        if time.monotonic() - since > _RECONNECT_S if before else trial.tries_to_reach >= self.max_attempts:
            raise self._end(api_errors.unreachable(self.address, trouble.detail, before=before))
        return self._backoff(trial.tries_to_reach)

    async def _refused(
        self,
        trial: _RequestAttempts,
        ticket: Permit,
        found: ApiResponse,
        sent: Mapping[str, Any],
        abilities: Capabilities,
    ) -> ChatFailure | float:
        """The answer is an error."""
        refusal = api_errors.read_error(found.status, found.body)
        match refusal.meaning:
            case ErrorClass.AGAIN:
                self._flow.bad()
                return self._again(trial, refusal.detail, self._asked_to_wait(found, refusal))
            case ErrorClass.SLOWER:
                return self._slower(trial, ticket, found, refusal)
            case ErrorClass.CHANGE if self._learn(refusal, sent, abilities):
                return 0.0
            case ErrorClass.END:
                raise await self._farewell(trial, found, refusal)
        self._flow.good(ticket, found.headers, 0)
        kinds: dict[ErrorClass, FailureKind] = {
            ErrorClass.TOO_LONG: "too_long",
            ErrorClass.FILTERED: "refused",
        }
        return trial.failure(kinds.get(refusal.meaning, "failed"), refusal.detail)

    def _learn(self, refusal: ErrorResponse, sent: Mapping[str, Any], abilities: Capabilities) -> bool:
        """Whether the same request will look different when it is sent again."""
        if not self.abilities.same_form(abilities):
            return True  # another request has learnt it meanwhile
        learnt = self.abilities.without(refusal, sent, self._hearsay)
        if learnt is None:
            return False
        name = next(iter(learnt.refused - self.abilities.refused))
        self._hearsay &= learnt.refused
        if self._lessons and is_lasting(refusal):
            self._lessons.refused(name)
        key = "endpoint.instead" if name in LENGTH_FIELDS else "endpoint.without"
        what = {"url": self.base_url, "name": name, "other": learnt.length_field, "detail": refusal.detail}
        self._say(msg(key, **what))
        self.abilities = learnt
        return True

    def _again(
        self, trial: _RequestAttempts, detail: str, wait_s: float | None = None
    ) -> ChatFailure | float:
        """A call was lost to a fault that may pass."""
        trial.lost += 1
        if trial.lost >= self.max_attempts:
            return trial.failure("failed", detail)
        self._flow.stats.retried += 1
        return max(wait_s or 0.0, self._backoff(trial.lost))

    def _slower(
        self, trial: _RequestAttempts, ticket: Permit, found: ApiResponse, refusal: ErrorResponse
    ) -> ChatFailure | float:
        """A rate limit was met."""
        now = time.monotonic()
        wait = self._asked_to_wait(found, refusal)
        if wait is not None and wait >= _WORTH_SAYING_S and self._flow.pacer.resume_at < now:
            self._say(msg("endpoint.wait", url=self.base_url, seconds=wait, detail=refusal.detail))
        self._flow.refused(ticket, found.headers, wait)
        trial.limited += 1
        since = trial.limited_since = trial.limited_since or now
        if now - since > self.patience_s:
            if self._answered_at < since:
                raise self._end(api_errors.asks_to_wait(self.address, now - since, refusal))
            return trial.failure("failed", refusal.detail)
        if wait is None:
            wait = self._backoff(trial.limited)
        return 0.0 if self._flow.pacer.resume_at >= now + wait else wait

    def _asked_to_wait(self, found: ApiResponse, refusal: ErrorResponse) -> float | None:
        """Seconds that an answer asks to wait, if it says so; more than patience has is an ending."""
        wait = retry_after(found.headers, time.time())
        if wait is not None and wait > self.patience_s:
            raise self._end(api_errors.asks_to_wait(self.address, wait, refusal))
        return wait

    def _backoff(self, times: int) -> float:
        """Full jitter over a doubling span."""
        return random.uniform(0, min(_LONGEST_BACKOFF_S, self.backoff_s * 2 ** (times - 1)))

    def _give_up(self, failure: ChatFailure) -> ChatFailure:
        self._flow.stats.failed += 1
        self._given_up_in_a_row = self._given_up_in_a_row + 1 if failure.kind == "failed" else 0
        lately = time.monotonic() - self._answered_at < _RECONNECT_S
        if self._given_up_in_a_row >= _GIVEN_UP_IN_A_ROW and not lately:
            raise self._end(api_errors.never_answers(self.address, failure.detail, self._given_up_in_a_row))
        return failure

    # Endings ------------------------------------------------------------------------------

    async def _farewell(
        self, trial: _RequestAttempts, found: ApiResponse, refusal: ErrorResponse
    ) -> EndpointError:
        """The error for a refusal that every request would meet."""
        if not refusal.is_missing_model:
            return self._end(self._turned_away(refusal, found.headers))
        try:
            listed = [model.id for model in await self.models()]
        except EndpointError:
            listed = []
        gone = deprecation(trial.model)
        error = api_errors.missing_model(self.address, trial.model, listed, refusal, str(gone or ""))
        return self._end(error, trial.model)

    def _turned_away(self, refusal: ErrorResponse, headers: Mapping[str, str]) -> EndpointError:
        return api_errors.refused(
            self.address,
            refusal,
            has_key=self._key is not None,
            key_name=self.key_name,
            location=headers.get("location", ""),
        )

    def _end(self, error: EndpointError, model: str | None = None) -> EndpointError:
        """Remembers the first `error` for all requests, or for all that ask for `model`."""
        first = self._ends.setdefault(model, error)
        if model is None:
            self._flow.end(first)
        return copy.copy(first)

    def _check(self, model: str) -> None:
        error = self._ends.get(None) or self._ends.get(model)
        if error is not None:
            raise copy.copy(error)

    def _opened(self) -> Transport:
        if self._transport is None:
            raise RuntimeError("a ChatEndpoint is used inside `async with`")
        return self._transport


class _RequestAttempts:
    """One request while it is tried."""

    __slots__ = (
        "begun",
        "calls",
        "limited",
        "limited_since",
        "lost",
        "model",
        "request",
        "tries_to_reach",
        "unreachable_since",
    )

    def __init__(self, request: ChatRequest, model: str) -> None:
        self.request = request
        self.model = model
        self.begun = time.monotonic()
        self.calls = 0
        self.lost = 0
        self.limited = 0
        self.limited_since: float | None = None
        self.tries_to_reach = 0
        self.unreachable_since: float | None = None

    def failure(self, kind: FailureKind, detail: str) -> ChatFailure:
        return ChatFailure(kind, detail, self.calls, time.monotonic() - self.begun)
