"""The Batch API: upload a file, create a batch, download the results; never submit anything twice.

A submission whose response was lost may have been accepted. Each submission carries a key, in the file's name or in
the batch's metadata. Before it is sent again, the endpoint's list is searched for that key.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import orjson

from simsa.errors import EndpointError
from simsa.i18n.messages import msg
from simsa.llm import api_errors
from simsa.llm.api_errors import ApiResponse, ErrorClass, ErrorResponse, TransportFailure, parse_error
from simsa.llm.base_url import BaseUrl
from simsa.llm.batch_lines import ROUTE
from simsa.llm.endpoint import Endpoint

T = TypeVar("T")
Call = Callable[[], Awaitable[ApiResponse | TransportFailure]]
TERMINAL = frozenset({"completed", "failed", "expired", "cancelled"})
_METADATA_KEY = "simsa"
_MAX_BACKOFF_S = 30.0
_PAGE_SIZE = 100
# The endpoint's clock may differ from ours by this much. A batch that is older than that cannot be ours.
_CLOCK_TOLERANCE_S = 86_400.0


class BatchState(NamedTuple):
    """A batch as the endpoint reports it. Times are seconds since the epoch; counts are requests."""

    id: str
    status: str
    key: str | None
    total: int
    completed: int
    failed: int
    created_at: float | None
    expires_at: float | None
    output_file_id: str | None
    error_file_id: str | None
    errors: tuple[str, ...]

    @property
    def is_over(self) -> bool:
        return self.status in TERMINAL

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> BatchState:
        """Raises EndpointError if the id or the status is missing."""
        metadata, counts = found.get("metadata") or {}, found.get("request_counts") or {}
        errors = (found.get("errors") or {}).get("data") or ()
        return cls(
            id=_required(found, "id"),
            status=_required(found, "status"),
            key=metadata.get(_METADATA_KEY),
            total=counts.get("total") or 0,
            completed=counts.get("completed") or 0,
            failed=counts.get("failed") or 0,
            created_at=found.get("created_at"),
            expires_at=found.get("expires_at"),
            output_file_id=found.get("output_file_id") or None,
            error_file_id=found.get("error_file_id") or None,
            errors=tuple(
                ": ".join(str(error[name]) for name in ("code", "message") if error.get(name))
                for error in errors
            ),
        )


class BatchEndpoint(Endpoint):
    """An endpoint's Batch API; an async context manager.

    Reading calls are repeated up to `max_attempts` times, and for up to `patience_s` once the
    endpoint has answered. Submissions are repeated only after a search shows that they did not
    arrive: `settle_s` is how long a submission without a response is searched for.
    """

    def __init__(
        self,
        base_url: str,
        *,
        key: str | None = None,
        key_name: str | None = None,
        timeout_s: float = 120.0,
        max_attempts: int = 4,
        patience_s: float = 600.0,
        settle_s: float = 15.0,
        backoff_s: float = 0.5,
        on_event: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__(
            base_url,
            key=key,
            key_name=key_name,
            connections=8,
            timeout_s=timeout_s,
            max_attempts=max_attempts,
            patience_s=patience_s,
            backoff_s=backoff_s,
            on_event=on_event,
        )
        self.settle_s = settle_s
        self._has_answered = False

    # Submitting -----------------------------------------------------------------------------

    async def upload(self, file: Path, key: str, *, perhaps_sent: bool = False) -> str:
        """Uploads `file` and returns its id. `perhaps_sent`: an earlier attempt may have arrived."""
        name, size = f"simsa-{key}.jsonl", await asyncio.to_thread(lambda: file.stat().st_size)

        async def send() -> ApiResponse | TransportFailure:
            return await self._open_transport().upload("files", {"purpose": "batch"}, file, name)

        async def search() -> str | None:
            async for page in self._pages("files", {"purpose": "batch"}):
                for item in page:
                    if item.get("filename") == name and item.get("bytes") in (None, size):
                        return _required(item, "id")
            return None

        found = await self._submit("the upload of a file", send, search, perhaps_sent)
        return found if isinstance(found, str) else _required(found, "id")

    async def create(
        self, file_id: str, key: str, window: str, *, since: float, perhaps_sent: bool = False
    ) -> BatchState:
        """Starts the batch named `key` on an uploaded file. `since` is when it was planned, by the local clock."""
        body = {
            "input_file_id": file_id,
            "endpoint": ROUTE,
            "completion_window": window,
            "metadata": {_METADATA_KEY: key},
        }

        async def send() -> ApiResponse | TransportFailure:
            headers = {"Idempotency-Key": f"simsa-{key}"}
            return await self._open_transport().request(
                "POST", "batches", body=orjson.dumps(body), headers=headers
            )

        async def search() -> BatchState | None:
            return await self.find(key, since=since, settle=True)

        found = await self._submit("the start of a batch", send, search, perhaps_sent)
        return found if isinstance(found, BatchState) else BatchState.from_json(found)

    async def _submit(
        self,
        what: str,
        send: Call,
        search: Callable[[], Awaitable[T | None]],
        perhaps_sent: bool,
    ) -> T | Mapping[str, Any]:
        """Sends something exactly once: searches for it before it is sent again after an unclear result."""
        begun, lost, reason = time.monotonic(), 0, ""
        while True:
            if perhaps_sent and (found := await search()) is not None:
                return found
            if lost >= self.max_attempts:
                raise EndpointError(
                    msg("error.llm.failed_times", what=what, lost=lost, reason=reason),
                    where=self.base_url,
                    hint=msg("error.llm.run_again_later_goes_where"),
                )
            response, wait = await send(), None
            if isinstance(response, TransportFailure):
                self._raise_if_permanent(response)
                lost, reason = lost + 1, response.detail
                if response.kind != "unreachable":
                    perhaps_sent = True
                elif lost >= self.max_attempts and not self._has_answered:
                    raise api_errors.unreachable(self.address, reason, answered_before=False)
            elif response.status in (200, 201):
                self._has_answered = True
                return _parse_object(response, self.address)
            else:
                error = parse_error(response.status, response.body)
                wait, reason = self._requested_wait(response, error), error.detail
                if error.error_class is ErrorClass.RATE_LIMITED:
                    waited = time.monotonic() - begun
                    if waited > self.patience_s:
                        raise api_errors.wait_too_long(self.address, waited, error)
                elif error.error_class is ErrorClass.RETRY:
                    lost, perhaps_sent = lost + 1, True
                else:
                    raise self._rejected(error, response)
            await asyncio.sleep(self._backoff(lost, wait))

    # Reading --------------------------------------------------------------------------------

    async def find(self, key: str, *, since: float, settle: bool = False) -> BatchState | None:
        """The batch named `key`, created after `since` (less a day, because clocks differ); None if there is none.

        `settle`: search for `settle_s`, until a batch whose submission was interrupted must be listed.
        """
        until, pause = time.monotonic() + self.settle_s, self.settle_s / 16
        while True:
            found = await self._find(key, since)
            left = until - time.monotonic()
            if found is not None or not settle or left <= 0:
                return found
            await asyncio.sleep(min(pause, left))
            pause *= 2

    async def _find(self, key: str, since: float) -> BatchState | None:
        async for page in self._pages("batches", {}):
            states = [BatchState.from_json(item) for item in page]
            for state in states:
                if state.key == key:
                    return state
            if states and all(s.created_at and s.created_at < since - _CLOCK_TOLERANCE_S for s in states):
                return None
        return None

    async def _pages(self, route: str, query: dict[str, str]) -> AsyncIterator[list[dict[str, Any]]]:
        """The pages of a list. Ends if a page repeats the one before it."""
        after: str | None = None
        while True:
            found = await self._get(
                route, query | {"limit": str(_PAGE_SIZE)} | ({"after": after} if after else {})
            )
            page = [item for item in found.get("data") or () if isinstance(item, dict)]
            yield page
            last = page[-1].get("id") if page else None
            if not found.get("has_more") or not isinstance(last, str) or last == after:
                return
            after = last

    async def state(self, batch_id: str) -> BatchState:
        """The current state of a batch."""
        return BatchState.from_json(await self._get(f"batches/{batch_id}"))

    async def check(self) -> None:
        """Raises EndpointError if there is no Batch API for this key."""
        await self._get("batches", {"limit": "1"})

    async def download(self, file_id: str, to: Path) -> None:
        """Downloads a file to `to`, completely or not at all."""
        await self._repeat(lambda: self._open_transport().download(f"files/{file_id}/content", to))

    async def cancel(self, batch_id: str) -> bool:
        """Cancels a batch; results it already has can still be downloaded. False if there is no such batch."""
        response = await self._repeat(
            lambda: self._open_transport().request("POST", f"batches/{batch_id}/cancel"),
            accepted=(400, 404, 409),
        )
        return response.status != 404

    async def _get(self, route: str, query: Mapping[str, str] | None = None) -> Mapping[str, Any]:
        response = await self._repeat(lambda: self._open_transport().request("GET", route, query=query))
        return _parse_object(response, self.address)

    async def _repeat(self, call: Call, accepted: Collection[int] = ()) -> ApiResponse:
        """Repeats a call until its status is 200 or one of `accepted`."""
        begun, lost = time.monotonic(), 0
        while True:
            response, wait = await call(), None
            lost += 1
            if isinstance(response, TransportFailure):
                self._raise_if_permanent(response)
                failure = api_errors.unreachable(
                    self.address, response.detail, answered_before=self._has_answered
                )
            elif response.status == 200 or response.status in accepted:
                self._has_answered = True
                return response
            else:
                error = parse_error(response.status, response.body)
                wait, failure = self._requested_wait(response, error), self._rejected(error, response)
                if error.error_class is ErrorClass.RATE_LIMITED:
                    lost -= 1
                elif error.error_class is not ErrorClass.RETRY:
                    raise failure
            waited = time.monotonic() - begun
            patience = self.patience_s if self._has_answered or not lost else 0.0
            if (lost >= self.max_attempts or not lost) and waited > patience:
                raise failure
            await asyncio.sleep(self._backoff(lost, wait))

    def _raise_if_permanent(self, failure: TransportFailure) -> None:
        if failure.kind == "untrusted":
            raise api_errors.untrusted(self.address, failure.detail)
        if failure.kind == "too_big":
            raise EndpointError(msg("error.llm.sends", detail=failure.detail), where=self.base_url)

    def _rejected(self, error: ErrorResponse, response: ApiResponse) -> EndpointError:
        if error.status not in (404, 405, 410):
            return super()._rejected(error, response)
        return EndpointError(
            msg("error.llm.does_not_know_batch_or", detail=error.detail),
            where=self.base_url,
            hint=msg("error.llm.check_base_url_key_s"),
        )

    def _backoff(self, times: int, requested_s: float | None) -> float:
        """Half to all of a span that doubles with each attempt, or as long as the endpoint asks."""
        span = min(_MAX_BACKOFF_S, self.backoff_s * 2.0 ** min(times, 16))
        return max(requested_s or 0.0, span * random.uniform(0.5, 1.0))


def _parse_object(response: ApiResponse, address: BaseUrl) -> Mapping[str, Any]:
    try:
        found = orjson.loads(response.body)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise EndpointError(msg("error.llm.answers_something_is_no_json"), where=address.base_url)
    return found


def _required(found: Mapping[str, Any], name: str) -> str:
    value = found.get(name)
    if not isinstance(value, str) or not value:
        raise EndpointError(msg("error.llm.answers_without", name=name))
    return value
