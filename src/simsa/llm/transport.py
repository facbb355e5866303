"""HTTP calls to one endpoint through an aiohttp session. No other module holds the key.

Imported when an endpoint is opened, because importing aiohttp is slow.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.request import getproxies, proxy_bypass

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from simsa.llm.api_errors import ApiResponse, TransportFailure, TransportFailureKind
from simsa.llm.base_url import BaseUrl

MAX_BODY = 32 << 20
MAX_FILE = 4 << 30
_CHUNK = 1 << 20
_CONNECT_S = 15.0
# Servers based on uvicorn close idle connections after 5 s. Close them earlier, so that no request meets a
# connection that is being closed.
_KEEPALIVE_S = 4.0
_MIN_SECRET_LENGTH = 8

# The first match wins: most of aiohttp's errors have several base classes.
FAILURE_KINDS: tuple[tuple[type[Exception], TransportFailureKind], ...] = (
    (aiohttp.ConnectionTimeoutError, "unreachable"),
    (aiohttp.ClientProxyConnectionError, "unreachable"),
    (aiohttp.ClientConnectorCertificateError, "untrusted"),
    (aiohttp.ClientSSLError, "untrusted"),
    (aiohttp.ClientConnectorError, "unreachable"),
    (aiohttp.ClientHttpProxyError, "unreachable"),
    (TimeoutError, "timeout"),
    (aiohttp.ClientError, "broken"),
    (OSError, "broken"),
    (ValueError, "broken"),
)
_ERRORS = (aiohttp.ClientError, TimeoutError, OSError, ValueError)


class Transport:
    """Sends requests to one endpoint. Network errors are returned as TransportFailure, never raised."""

    def __init__(self, address: BaseUrl, key: str | None, connections: int, timeout_s: float) -> None:
        local = address.is_loopback
        headers = CIMultiDict({"Content-Type": "application/json", "Accept": "application/json"})
        headers["User-Agent"] = "simsa"
        headers["Accept-Encoding"] = "identity" if local else "gzip, deflate"
        if key:
            headers["Authorization"] = f"Bearer {key}"
        self._secret = key.encode() if key and len(key) >= _MIN_SECRET_LENGTH else None
        self._timeout_s = timeout_s
        self._address = address
        self._completions = self._url("chat/completions")
        # A large file may take any time as long as bytes are moving.
        self._file_timeout = aiohttp.ClientTimeout(total=None, sock_connect=timeout_s, sock_read=timeout_s)
        proxies = {} if local or proxy_bypass(address.host) else getproxies()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections, keepalive_timeout=_KEEPALIVE_S),
            headers=headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=timeout_s, sock_connect=min(timeout_s, _CONNECT_S)),
            proxy=proxies.get(self._completions.scheme),
        )

    async def close(self) -> None:
        await self._session.close()

    async def complete(self, body: bytes) -> ApiResponse | TransportFailure:
        """Posts one chat completion."""
        return await self._call("POST", self._completions, data=body)

    async def request(
        self,
        method: str,
        route: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> ApiResponse | TransportFailure:
        """Calls a route such as `models` with a small body or none."""
        return await self._call(method, self._url(route, query), data=body, headers=headers)

    async def upload(
        self, route: str, fields: Mapping[str, str], file: Path, name: str
    ) -> ApiResponse | TransportFailure:
        """Posts a form with `fields` and `file`, streamed from disk as `name`. Raises OSError if it cannot be read."""
        with file.open("rb") as stream, aiohttp.MultipartWriter("form-data") as form:
            for field, value in fields.items():
                form.append(value).set_content_disposition("form-data", name=field)
            part = form.append(stream, {"Content-Type": "application/jsonl"})
            part.set_content_disposition("form-data", name="file", filename=name)
            headers = {"Content-Type": form.headers["Content-Type"]}
            return await self._call(
                "POST", self._url(route), data=form, headers=headers, timeout=self._file_timeout
            )

    async def download(self, route: str, to: Path) -> ApiResponse | TransportFailure:
        """Streams a file to disk. `to` exists, complete, only after a 200, whose body is then empty."""
        unfinished = to.with_name(f"{to.name}.part")
        try:
            async with self._session.get(
                self._url(route), timeout=self._file_timeout, allow_redirects=False
            ) as response:
                if response.status != 200:
                    return await self._read(response)
                size = 0
                with unfinished.open("wb") as stream:
                    async for chunk in response.content.iter_chunked(_CHUNK):
                        size += len(chunk)
                        if size > MAX_FILE:
                            response.close()
                            return TransportFailure("too_big", f"a file of more than {MAX_FILE >> 30} GB")
                        await asyncio.to_thread(stream.write, chunk)
                    stream.flush()
                    await asyncio.to_thread(os.fsync, stream.fileno())
                unfinished.replace(to)
                return ApiResponse(200, response.headers, b"")
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return self._failure(error)
        finally:
            unfinished.unlink(missing_ok=True)

    async def _call(self, method: str, url: URL, **options: Any) -> ApiResponse | TransportFailure:
        try:
            async with self._session.request(method, url, allow_redirects=False, **options) as response:
                return await self._read(response)
        except _ERRORS as error:
            return self._failure(error)

    def _url(self, route: str, query: Mapping[str, str] | None = None) -> URL:
        url = URL(self._address.route(route), encoded=True)
        return url.update_query(query) if query else url

    async def _read(self, response: aiohttp.ClientResponse) -> ApiResponse | TransportFailure:
        headers = response.headers
        length = response.content_length
        if length is not None and length <= MAX_BODY and "Content-Encoding" not in headers:
            body = await response.read()
        else:
            # The size of an endless or compressed body is only known while reading it.
            parts, size = [], 0
            async for part in response.content.iter_any():
                size += len(part)
                if size > MAX_BODY:
                    response.close()
                    return TransportFailure("too_big", f"an answer of more than {MAX_BODY >> 20} MB")
                parts.append(part)
            body = b"".join(parts)
        if self._secret and self._secret in body:
            body = body.replace(self._secret, b"***")
        return ApiResponse(response.status, headers, body)

    def _failure(self, error: Exception) -> TransportFailure:
        kind = next(kind for base, kind in FAILURE_KINDS if isinstance(error, base))
        return TransportFailure(kind, self._describe(error, kind))

    def _describe(self, error: Exception, kind: str) -> str:
        """A description without request headers or anything else that may contain the key."""
        match error:
            case aiohttp.ClientConnectorDNSError():
                return f"the host name {self._address.host!r} is unknown"
            case aiohttp.ClientConnectorCertificateError():
                return f"its certificate is not trusted: {error.certificate_error}"
            case aiohttp.ClientConnectorError() if isinstance(error.os_error, ConnectionRefusedError):
                return "nothing listens there (connection refused)"
            case aiohttp.ClientConnectorError() if error.os_error.strerror:
                return str(error.os_error.strerror)
            case aiohttp.ConnectionTimeoutError():
                return f"no connection within {min(self._timeout_s, _CONNECT_S):g} s"
            case aiohttp.ClientHttpProxyError():
                return f"the proxy answered {error.status}"
            case aiohttp.ServerDisconnectedError() | aiohttp.ClientPayloadError() | ConnectionError():
                return "the connection was closed before the answer was complete"
        if kind == "timeout":
            return f"no answer within {self._timeout_s:g} s"
        return {"unreachable": "no connection", "untrusted": "no TLS"}.get(kind, type(error).__name__)
