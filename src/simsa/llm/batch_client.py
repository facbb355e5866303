"""The Batch API: files up, a job, files down; and nothing submitted twice, whatever gets lost on the way.

A submission whose answer never came may have been accepted all the same. It carries a
key, in the file's name and in the job's metadata, and is looked for there by its key
before it is sent again.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar

import orjson

from simsa.errors import EndpointError
from simsa.llm import api_errors, batch_lines
from simsa.llm.api_errors import ErrorClass, ErrorResponse
from simsa.llm.base_url import BaseUrl, check_key
from simsa.llm.rate_limit import retry_after
from simsa.llm.responses import ApiResponse, TransportFailure

if TYPE_CHECKING:
    from simsa.llm.batch_transport import BatchTransport

T = TypeVar("T")
TERMINAL = frozenset({"completed", "failed", "expired", "cancelled"})
_KEY = "simsa"
_LONGEST_BACKOFF_S = 30.0
_PAGE = 100
# A clock may differ by so much from the endpoint's: what is older than a job is not the job.
_CLOCKS_S = 86_400.0


class BatchState(NamedTuple):
    """A job as the endpoint sees it. Times are seconds since the epoch; counts are requests."""

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


class BatchEndpoint:
    """An endpoint's Batch API; an async context manager.

    Calls that only look are repeated, up to `max_attempts` times before the endpoint has
    ever answered and for `patience_s` afterwards; so are submissions, but see the module:
    `settle_s` is how long a job whose submission got no answer is looked for.
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
        check_key(key, key_name)
        self.address = BaseUrl.parse(base_url)
        self.max_attempts = max_attempts
        self.patience_s = patience_s
        self.settle_s = settle_s
        self.backoff_s = backoff_s
        self.key_name = key_name
        self._key = key
        self._timeout_s = timeout_s
        self._say = on_event or (lambda text: None)
        self._has_answered = False
        self._transport: BatchTransport | None = None

    async def __aenter__(self) -> Self:
        from simsa.llm.batch_transport import BatchTransport

        self._transport = BatchTransport(self.address, self._key, 8, self._timeout_s)
        if warning := self.address.warning(self._key):
            self._say(warning)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.close()

    # Submitting -----------------------------------------------------------------------------

    async def upload(self, file: Path, key: str, *, perhaps_sent: bool = False) -> str:
        """The id of `file` at the endpoint. `perhaps_sent`: an earlier try may have come through."""
        name, size = f"simsa-{key}.jsonl", await asyncio.to_thread(lambda: file.stat().st_size)

        async def send() -> ApiResponse | TransportFailure:
            return await self._opened().upload("files", {"purpose": "batch"}, file, name)

        async def look() -> str | None:
            return await self._find_file(name, size)

        found = await self._submit("the upload of a file", send, look, perhaps_sent, settle_s=0.0)
        return found if isinstance(found, str) else _text(found, "id")

    async def create(
        self, file_id: str, key: str, window: str, *, since: float, perhaps_sent: bool = False
    ) -> BatchState:
        """Starts the job named `key` on an uploaded file. `since`: when it was planned, by our clock."""
        body = {
            "input_file_id": file_id,
            "endpoint": batch_lines.ROUTE,
            "completion_window": window,
            "metadata": {_KEY: key},
        }

        async def send() -> ApiResponse | TransportFailure:
            once = {"Idempotency-Key": f"simsa-{key}"}
            return await self._opened().ask("POST", "batches", body=orjson.dumps(body), headers=once)

        async def look() -> BatchState | None:
            return await self.find(key, since=since)

        found = await self._submit("the start of a batch", send, look, perhaps_sent, settle_s=self.settle_s)
        return found if isinstance(found, BatchState) else _state(found)

    async def _submit(
        self,
        what: str,
        send: Callable[[], Awaitable[ApiResponse | TransportFailure]],
        look: Callable[[], Awaitable[T | None]],
        perhaps_sent: bool,
        settle_s: float,
    ) -> T | Mapping[str, Any]:
        """Sends once what may have been sent: looked for first, and again after every unclear answer."""
        begun, lost, why = time.monotonic(), 0, ""
        while True:
            if perhaps_sent and (found := await self._settled(look, settle_s)) is not None:
                return found
            if lost >= self.max_attempts:
                raise EndpointError(
                    f"{what} failed {lost} times: {why}",
                    where=self.address.base_url,
                    hint="run again later: it goes on where it stopped, and submits nothing twice",
                )
            answer = await send()
            if isinstance(answer, ApiResponse) and answer.status in (200, 201):
                self._has_answered = True
                return _parsed(answer, self.address)
            if isinstance(answer, TransportFailure):
                self._unless_hopeless(answer)
                lost, why, wait = lost + 1, answer.detail, None
                if answer.kind != "unreachable":
                    perhaps_sent = True
                elif lost >= self.max_attempts and not self._has_answered:
                    raise api_errors.unreachable(self.address, why, before=False)
            else:
                refusal, wait = self._refusal(answer)
                why = refusal.detail
                if refusal.meaning is ErrorClass.SLOWER:
                    self._still_patient(begun, refusal)
                elif refusal.meaning is ErrorClass.AGAIN:
                    lost, perhaps_sent = lost + 1, True
                else:
                    raise self._turned_away(refusal, answer)
            await asyncio.sleep(self._pause(lost, wait))

    async def _settled(self, look: Callable[[], Awaitable[T | None]], settle_s: float) -> T | None:
        """What `look` finds; looked again until what may be on its way must have come."""
        until, pause = time.monotonic() + settle_s, settle_s / 16
        while True:
            found = await look()
            left = until - time.monotonic()
            if found is not None or left <= 0:
                return found
            await asyncio.sleep(min(pause, left))
            pause *= 2

    # Looking --------------------------------------------------------------------------------

    async def find_surely(self, key: str, *, since: float) -> BatchState | None:
        """As `find`; None only when a job whose submission was interrupted must have shown by now."""

        async def look() -> BatchState | None:
            return await self.find(key, since=since)

        return await self._settled(look, self.settle_s)

    async def find(self, key: str, *, since: float) -> BatchState | None:
        """The job named `key`, among those younger than `since` (and a day, for clocks)."""
        async for page in self._pages("batches", {}):
            states = [_state(item) for item in page]
            for state in states:
                if state.key == key:
                    return state
            if states and all(s.created_at and s.created_at < since - _CLOCKS_S for s in states):
                return None
        return None

    async def _find_file(self, name: str, size: int) -> str | None:
        async for page in self._pages("files", {"purpose": "batch"}):
            for item in page:
                if item.get("filename") == name and item.get("bytes") in (None, size):
                    return _text(item, "id")
        return None

    async def _pages(self, route: str, query: dict[str, str]) -> AsyncIterator[list[dict[str, Any]]]:
        """A list page by page, as long as pages bring something new."""
        after: str | None = None
        while True:
            here = query | {"limit": str(_PAGE)} | ({"after": after} if after else {})
            found = await self._look(route, here)
            page = [item for item in found.get("data") or () if isinstance(item, dict)]
            yield page
            last = page[-1].get("id") if page else None
            if not found.get("has_more") or not isinstance(last, str) or last == after:
                return
            after = last

    async def state(self, batch_id: str) -> BatchState:
        """How a job stands."""
        return _state(await self._look(f"batches/{batch_id}"))

    async def check(self) -> None:
        """Raises EndpointError where there is no Batch API for this key."""
        await self._look("batches", {"limit": "1"})

    async def download(self, file_id: str, to: Path) -> None:
        """Fetches a file to `to`, whole or not at all."""
        await self._patiently(lambda: self._opened().download(f"files/{file_id}/content", to))

    async def cancel(self, batch_id: str) -> bool:
        """Asks for the end of a job; what it has answered by then stays fetchable. False: there is no such job."""
        answer = await self._patiently(
            lambda: self._opened().ask("POST", f"batches/{batch_id}/cancel"), fine=(400, 404, 409)
        )
        return answer.status != 404

    async def _look(self, route: str, query: Mapping[str, str] | None = None) -> Mapping[str, Any]:
        answer = await self._patiently(lambda: self._opened().ask("GET", route, query=query))
        return _parsed(answer, self.address)

    async def _patiently(
        self, call: Callable[[], Awaitable[ApiResponse | TransportFailure]], fine: Collection[int] = ()
    ) -> ApiResponse:
        """The 200, or what else is `fine`, of a call that may be repeated."""
        begun, lost = time.monotonic(), 0
        while True:
            answer = await call()
            if isinstance(answer, ApiResponse) and (answer.status == 200 or answer.status in fine):
                self._has_answered = True
                return answer
            lost += 1
            if isinstance(answer, TransportFailure):
                self._unless_hopeless(answer)
                ending, wait = (
                    api_errors.unreachable(self.address, answer.detail, before=self._has_answered),
                    None,
                )
            else:
                refusal, wait = self._refusal(answer)
                ending = self._turned_away(refusal, answer)
                if refusal.meaning is ErrorClass.SLOWER:
                    lost -= 1
                elif refusal.meaning is not ErrorClass.AGAIN:
                    raise ending
            patience = self.patience_s if self._has_answered else 0.0
            if lost >= self.max_attempts and time.monotonic() - begun > patience:
                raise ending
            if not lost and time.monotonic() - begun > self.patience_s:
                raise ending
            await asyncio.sleep(self._pause(lost, wait))

    # Around ---------------------------------------------------------------------------------

    def _unless_hopeless(self, trouble: TransportFailure) -> None:
        if trouble.kind == "untrusted":
            raise api_errors.untrusted(self.address, trouble.detail)
        if trouble.kind == "too_big":
            raise EndpointError(f"sends {trouble.detail}", where=self.address.base_url)

    def _refusal(self, answer: ApiResponse) -> tuple[ErrorResponse, float | None]:
        """What an answer other than 200 says, and how long it asks to wait."""
        refusal = api_errors.read_error(answer.status, answer.body)
        wait = retry_after(answer.headers, time.time())
        if wait is not None and wait > self.patience_s:
            raise api_errors.asks_to_wait(self.address, wait, refusal)
        return refusal, wait

    def _still_patient(self, begun: float, refusal: ErrorResponse) -> None:
        waited = time.monotonic() - begun
        if waited > self.patience_s:
            raise api_errors.asks_to_wait(self.address, waited, refusal)

    def _turned_away(self, refusal: ErrorResponse, answer: ApiResponse) -> EndpointError:
        if refusal.status in (404, 405, 410):
            return EndpointError(
                f"does not know this batch, or has no Batch API: {refusal.detail}",
                where=self.address.base_url,
                hint="check base_url and the key's project; `simsa judge CONFIG --cancel` gives up a batch that is gone;"
                ' where there is no Batch API: judge.via = "direct", or `simsa judge CONFIG --write-batch DIR`',
            )
        return api_errors.refused(
            self.address,
            refusal,
            has_key=self._key is not None,
            key_name=self.key_name,
            location=answer.headers.get("location", ""),
        )

    def _pause(self, times: int, asked: float | None) -> float:
        """Half to all of a doubling span, or as long as the endpoint asks."""
        span = min(_LONGEST_BACKOFF_S, self.backoff_s * 2.0 ** min(times, 16))
        return max(asked or 0.0, span * random.uniform(0.5, 1.0))

    def _opened(self) -> BatchTransport:
        if self._transport is None:
            raise RuntimeError("a BatchEndpoint is used inside `async with`")
        return self._transport


def _parsed(answer: ApiResponse, address: BaseUrl) -> Mapping[str, Any]:
    try:
        found = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise EndpointError("answers with something that is no JSON object", where=address.base_url)
    return found


def _text(found: Mapping[str, Any], name: str) -> str:
    value = found.get(name)
    if not isinstance(value, str) or not value:
        raise EndpointError(f"answers without {name!r}")
    return value


def _state(found: Mapping[str, Any]) -> BatchState:
    metadata, counts = found.get("metadata") or {}, found.get("request_counts") or {}
    errors = (found.get("errors") or {}).get("data") or ()
    return BatchState(
        id=_text(found, "id"),
        status=_text(found, "status"),
        key=metadata.get(_KEY),
        total=counts.get("total") or 0,
        completed=counts.get("completed") or 0,
        failed=counts.get("failed") or 0,
        created_at=found.get("created_at"),
        expires_at=found.get("expires_at"),
        output_file_id=found.get("output_file_id") or None,
        error_file_id=found.get("error_file_id") or None,
        errors=tuple(
            ": ".join(str(error[name]) for name in ("code", "message") if error.get(name)) for error in errors
        ),
    )
