"""What the chat client and the batch client share: settings, the open session, and waiting."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from simsa.errors import EndpointError
from simsa.llm import api_errors
from simsa.llm.api_errors import ApiResponse, ErrorResponse
from simsa.llm.base_url import BaseUrl, check_key
from simsa.llm.rate_limit_headers import retry_after

if TYPE_CHECKING:
    from simsa.llm.transport import Transport


class Endpoint:
    """One endpoint with its key; an async context manager.

    `key_name` is the environment variable of the key, for messages. `max_attempts` is the
    number of calls that one request may lose to faults, `patience_s` how long a rate limit may
    delay it. `on_event` is called with messages for the user. The key is in no error, message
    or response.
    """

    def __init__(
        self,
        base_url: str,
        *,
        key: str | None,
        key_name: str | None,
        connections: int,
        timeout_s: float,
        max_attempts: int,
        patience_s: float,
        backoff_s: float,
        on_event: Callable[[str], None] | None,
    ) -> None:
        check_key(key, key_name)
        self.address = BaseUrl.parse(base_url)
        self.timeout_s = timeout_s
        self.max_attempts = max_attempts
        self.patience_s = patience_s
        self.backoff_s = backoff_s
        self._key = key
        self._key_name = key_name
        self._connections = connections
        self._notify = on_event or (lambda text: None)
        self._transport: Transport | None = None

    async def __aenter__(self) -> Self:
        from simsa.llm.transport import Transport

        self._transport = Transport(self.address, self._key, self._connections, self.timeout_s)
        if warning := self.address.key_warning(self._key):
            self._notify(warning)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.close()

    @property
    def base_url(self) -> str:
        """The address in canonical form."""
        return self.address.base_url

    def _open_transport(self) -> Transport:
        if self._transport is None:
            raise RuntimeError(f"{type(self).__name__} is used inside `async with`")
        return self._transport

    def _requested_wait(self, response: ApiResponse, error: ErrorResponse) -> float | None:
        """The seconds that a response asks to wait. Raises EndpointError if they exceed `patience_s`."""
        wait = retry_after(response.headers, time.time())
        if wait is not None and wait > self.patience_s:
            raise api_errors.wait_too_long(self.address, wait, error)
        return wait

    def _rejected(self, error: ErrorResponse, response: ApiResponse) -> EndpointError:
        return api_errors.rejected(
            self.address,
            error,
            has_key=self._key is not None,
            key_name=self._key_name,
            location=response.headers.get("location", ""),
        )
