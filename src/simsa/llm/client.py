"""The chat client: one request in, one reply or failure out, as fast as the endpoint allows."""

from __future__ import annotations

import asyncio
import copy
import math
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from simsa.errors import EndpointError
from simsa.i18n.messages import msg
from simsa.llm import api_errors
from simsa.llm.api_errors import ApiResponse, ErrorClass, ErrorResponse, TransportFailure, parse_error
from simsa.llm.capabilities import (
    LENGTH_FIELDS,
    Capabilities,
    CapabilityLearner,
    CapabilityReport,
    probe_request,
)
from simsa.llm.chat import (
    ChatFailure,
    ChatReply,
    ChatRequest,
    FailureKind,
    MalformedResponse,
    ModelInfo,
    parse_completion,
    parse_models,
    to_json_value,
)
from simsa.llm.deprecation import deprecation
from simsa.llm.endpoint import Endpoint
from simsa.llm.rate_limit import AdmissionControl, AdmissionStats, Permit

_MAX_BACKOFF_S = 20.0
_RECONNECT_S = 60.0
_MAX_FAILURES_IN_A_ROW = 20
_MIN_REPORTED_WAIT_S = 10.0


class ChatEndpoint(Endpoint):
    """An OpenAI-compatible chat endpoint; an async context manager.

    `max_concurrency` is the upper limit of requests in flight; `timeout_s` limits one call;
    `max_attempts` is the number of calls that one request may lose to faults (waiting for a
    rate limit costs none), and `patience_s` how long a rate limit may delay it. `key_name` is
    the environment variable of the key, for messages. `learner` knows the capabilities of the
    endpoint, if something is known, and learns more. `on_event` is called with messages for the user.

    The key is in no error, message or reply.
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
        learner: CapabilityLearner | None = None,
        on_event: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__(
            base_url,
            key=key,
            key_name=key_name,
            connections=max_concurrency,
            timeout_s=timeout_s,
            max_attempts=max_attempts,
            patience_s=patience_s,
            backoff_s=backoff_s,
            on_event=on_event,
        )
        self.model = model
        self.max_concurrency = max_concurrency
        self._learner = learner or CapabilityLearner(base_url, model)
        self._admission = AdmissionControl(max_concurrency, min_concurrency)
        self._fatal: dict[str | None, EndpointError] = {}
        self._answered_at = -math.inf
        self._failures_in_a_row = 0

    @property
    def capabilities(self) -> Capabilities:
        """What is known so far about the request fields that the endpoint accepts."""
        return self._learner.capabilities

    @property
    def stats(self) -> AdmissionStats:
        """The live statistics of this endpoint."""
        return self._admission.snapshot()

    async def complete(self, request: ChatRequest) -> ChatReply | ChatFailure:
        """The reply to one request, or the reason why this request alone has none.

        Raises EndpointError for what concerns every request: the endpoint is unreachable,
        rejects the key, lacks the model or has no credit left. All later requests get the same error.
        """
        attempts = _RequestAttempts(request, request.model or self.model)
        while True:
            result = await self._attempt(attempts)
            if isinstance(result, ChatReply):
                return result
            if isinstance(result, ChatFailure):
                return self._count_failure(result)
            if result:
                await asyncio.sleep(result)

    async def models(self) -> list[ModelInfo]:
        """The models that the endpoint lists. Raises EndpointError if it lists none."""
        response = await self._open_transport().request("GET", "models")
        if isinstance(response, TransportFailure):
            raise api_errors.unreachable(self.address, response.detail, answered_before=False)
        if response.status != 200:
            raise self._rejected(parse_error(response.status, response.body), response)
        try:
            return parse_models(response.body)
        except MalformedResponse as malformed:
            raise EndpointError(msg("error.llm.answers", malformed=malformed), where=self.base_url) from None

    async def probe(self, extra_body: Mapping[str, Any] | None = None) -> CapabilityReport | None:
        """Sends one small request with every optional field to find out which fields the endpoint accepts.

        `extra_body` is sent with it. Costs a few tokens. None if there was no reply; raises as `complete` does.
        """
        reply = await self.complete(probe_request(extra_body))
        return CapabilityReport.of(self.capabilities, reply) if isinstance(reply, ChatReply) else None

    # One attempt --------------------------------------------------------------------------

    async def _attempt(self, attempts: _RequestAttempts) -> ChatReply | ChatFailure | float:
        """Makes one call: returns a reply, a failure, or the seconds to wait before the next call."""
        if self._fatal:
            self._raise_fatal(attempts.model)
        admission = self._admission
        permit = admission.try_acquire() or await admission.acquire(urgent=attempts.calls > 0)
        try:
            if self._fatal:  # it may have been set while this request was waiting
                self._raise_fatal(attempts.model)
            attempts.calls += 1
            used = self.capabilities
            sent = used.compose(attempts.request, attempts.model)
            response = await self._open_transport().complete(orjson.dumps(sent, default=to_json_value))
            if isinstance(response, TransportFailure):
                return self._handle_transport_failure(attempts, response)
            if response.status != 200:
                return await self._handle_error(attempts, permit, response, sent, used)
            try:
                reply = parse_completion(response.body, time.monotonic() - permit.at, attempts.calls)
            except MalformedResponse as malformed:
                admission.record_failure()
                return self._retry(attempts, str(malformed))
            admission.record_success(permit, response.headers, reply.prompt_tokens + reply.completion_tokens)
            self._count_reply(reply)
            self._learner.record_success(sent, attempts.model)
            return reply
        finally:
            admission.release()

    def _handle_transport_failure(
        self, attempts: _RequestAttempts, failure: TransportFailure
    ) -> ChatFailure | float:
        if failure.kind == "untrusted":
            raise self._set_fatal(api_errors.untrusted(self.address, failure.detail))
        self._admission.record_failure()
        if failure.kind != "unreachable":
            return self._retry(attempts, failure.detail)
        answered_before = self._answered_at > -math.inf
        attempts.connects += 1
        since = attempts.unreachable_since = attempts.unreachable_since or time.monotonic()
        if (
            time.monotonic() - since > _RECONNECT_S
            if answered_before
            else attempts.connects >= self.max_attempts
        ):
            error = api_errors.unreachable(self.address, failure.detail, answered_before=answered_before)
            raise self._set_fatal(error)
        return self._backoff(attempts.connects)

    async def _handle_error(
        self,
        attempts: _RequestAttempts,
        permit: Permit,
        response: ApiResponse,
        sent: Mapping[str, Any],
        used: Capabilities,
    ) -> ChatFailure | float:
        error = parse_error(response.status, response.body)
        match error.error_class:
            case ErrorClass.RETRY:
                self._admission.record_failure()
                return self._retry(attempts, error.detail, self._requested_wait(response, error))
            case ErrorClass.RATE_LIMITED:
                return self._handle_rate_limit(attempts, permit, response, error)
            case ErrorClass.UNSUPPORTED_FIELD if self._learn(error, sent, used):
                return 0.0
            case ErrorClass.FATAL:
                raise await self._fatal_error(attempts.model, response, error)
        self._admission.record_success(permit, response.headers, 0)
        return attempts.failure(error.failure_kind, error.detail)

    def _learn(self, error: ErrorResponse, sent: Mapping[str, Any], used: Capabilities) -> bool:
        """Whether the request will differ when it is sent again. `used` are the capabilities it was composed with."""
        if not self.capabilities.composes_like(used):
            return True  # another request has learned it in the meantime
        name = self._learner.record_error(error, sent)
        if name is None:
            return False
        code = "endpoint.instead" if name in LENGTH_FIELDS else "endpoint.without"
        other = self.capabilities.length_field
        self._notify(msg(code, url=self.base_url, name=name, other=other, detail=error.detail))
        return True

    def _retry(
        self, attempts: _RequestAttempts, detail: str, wait_s: float | None = None
    ) -> ChatFailure | float:
        """Counts a call that was lost to a fault which may be temporary."""
        attempts.lost += 1
        if attempts.lost >= self.max_attempts:
            return attempts.failure("failed", detail)
        self._admission.stats.retried += 1
        return max(wait_s or 0.0, self._backoff(attempts.lost))

    def _handle_rate_limit(
        self, attempts: _RequestAttempts, permit: Permit, response: ApiResponse, error: ErrorResponse
    ) -> ChatFailure | float:
        now = time.monotonic()
        wait = self._requested_wait(response, error)
        limiter = self._admission.limiter
        if wait is not None and wait >= _MIN_REPORTED_WAIT_S and limiter.resume_at < now:
            self._notify(msg("endpoint.wait", url=self.base_url, seconds=wait, detail=error.detail))
        self._admission.record_rate_limit(permit, response.headers, wait)
        attempts.limited += 1
        since = attempts.limited_since = attempts.limited_since or now
        if now - since > self.patience_s:
            if self._answered_at < since:
                raise self._set_fatal(api_errors.wait_too_long(self.address, now - since, error))
            return attempts.failure("failed", error.detail)
        if wait is None:
            wait = self._backoff(attempts.limited)
        return 0.0 if limiter.resume_at >= now + wait else wait

    def _requested_wait(self, response: ApiResponse, error: ErrorResponse) -> float | None:
        try:
            return super()._requested_wait(response, error)
        except EndpointError as too_long:
            raise self._set_fatal(too_long) from None

    def _backoff(self, times: int) -> float:
        """A random wait in a span that doubles with each attempt (full jitter)."""
        return random.uniform(0, min(_MAX_BACKOFF_S, self.backoff_s * 2 ** (times - 1)))

    def _count_reply(self, reply: ChatReply) -> None:
        stats = self._admission.stats
        stats.done += 1
        stats.prompt_tokens += reply.prompt_tokens
        stats.completion_tokens += reply.completion_tokens
        stats.cached_tokens += reply.cached_tokens
        self._answered_at = time.monotonic()
        self._failures_in_a_row = 0

    def _count_failure(self, failure: ChatFailure) -> ChatFailure:
        self._admission.stats.failed += 1
        self._failures_in_a_row = self._failures_in_a_row + 1 if failure.kind == "failed" else 0
        answered_lately = time.monotonic() - self._answered_at < _RECONNECT_S
        if self._failures_in_a_row >= _MAX_FAILURES_IN_A_ROW and not answered_lately:
            error = api_errors.no_answers(self.address, failure.detail, self._failures_in_a_row)
            raise self._set_fatal(error)
        return failure

    # Errors that concern every request ----------------------------------------------------

    async def _fatal_error(self, model: str, response: ApiResponse, error: ErrorResponse) -> EndpointError:
        if not error.is_missing_model:
            return self._set_fatal(self._rejected(error, response))
        try:
            listed = [info.id for info in await self.models()]
        except EndpointError:
            listed = []
        retired = str(deprecation(model) or "")
        return self._set_fatal(api_errors.missing_model(self.address, model, listed, error, retired), model)

    def _set_fatal(self, error: EndpointError, model: str | None = None) -> EndpointError:
        """Keeps the first `error` for all later requests, or for those to `model`. Returns a copy to raise."""
        first = self._fatal.setdefault(model, error)
        if model is None:
            self._admission.close(first)
        return copy.copy(first)

    def _raise_fatal(self, model: str) -> None:
        error = self._fatal.get(None) or self._fatal.get(model)
        if error is not None:
            raise copy.copy(error)


@dataclass(slots=True)
class _RequestAttempts:
    """The calls made for one request so far."""

    request: ChatRequest
    model: str
    begun: float = field(default_factory=time.monotonic)
    calls: int = 0
    lost: int = 0
    limited: int = 0
    limited_since: float | None = None
    connects: int = 0
    unreachable_since: float | None = None

    def failure(self, kind: FailureKind, detail: str) -> ChatFailure:
        return ChatFailure(kind, detail, self.calls, time.monotonic() - self.begun)
