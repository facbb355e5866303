"""Bytes to an endpoint and back: one aiohttp session, and the only place that knows the key.

Imported when an endpoint is opened, because aiohttp takes a while to import.
"""

from __future__ import annotations

from urllib.request import getproxies, proxy_bypass

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from simsa.llm.base_url import BaseUrl
from simsa.llm.responses import ApiResponse, TransportFailure, TroubleKind

MAX_BODY = 32 << 20
_CONNECT_S = 15.0
# Servers built on uvicorn drop idle connections after 5 s; not to meet them half-closed, be first.
_KEEPALIVE_S = 4.0
_SHORTEST_SECRET = 8


# First match wins: aiohttp's tree has several parents for most of its errors.
TROUBLES: tuple[tuple[type[Exception], TroubleKind], ...] = (
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


class Transport:
    """Posts bodies to one endpoint and gives back bytes; never raises for what the network does."""

    def __init__(self, address: BaseUrl, key: str | None, most: int, timeout_s: float) -> None:
        local = address.is_loopback
        headers = CIMultiDict({"Content-Type": "application/json", "Accept": "application/json"})
        headers["User-Agent"] = "simsa"
        headers["Accept-Encoding"] = "identity" if local else "gzip, deflate"
        if key:
            headers["Authorization"] = f"Bearer {key}"
        self._secret = key.encode() if key and len(key) >= _SHORTEST_SECRET else None
        self._timeout_s = timeout_s
        self._address = address
        self._completions = URL(address.route("chat/completions"), encoded=True)
        proxies = {} if local or proxy_bypass(address.host) else getproxies()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=most, keepalive_timeout=_KEEPALIVE_S),
            headers=headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=timeout_s, sock_connect=min(timeout_s, _CONNECT_S)),
            proxy=proxies.get(self._completions.scheme),
        )

    async def close(self) -> None:
        await self._session.close()

    async def post(self, body: bytes) -> ApiResponse | TransportFailure:
        """One chat completion."""
        try:
            async with self._session.post(self._completions, data=body, allow_redirects=False) as response:
                return await self._read(response)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            return self._trouble(error)

    async def get(self, route: str) -> ApiResponse | TransportFailure:
        """What a route such as `models` answers."""
        try:
            url = URL(self._address.route(route), encoded=True)
            async with self._session.get(url, allow_redirects=False) as response:
                return await self._read(response)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            return self._trouble(error)

    async def _read(self, response: aiohttp.ClientResponse) -> ApiResponse | TransportFailure:
        headers = response.headers
        length = response.content_length
        if length is not None and length <= MAX_BODY and "Content-Encoding" not in headers:
            body = await response.read()
        else:
            # Neither an endless body nor one that was packed small may fill the memory.
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

    def _trouble(self, error: Exception) -> TransportFailure:
        kind = next(kind for family, kind in TROUBLES if isinstance(error, family))
        return TransportFailure(kind, self._words(error, kind))

    def _words(self, error: Exception, kind: str) -> str:
        """What happened, without request headers or anything else that may hold the key."""
        match error:
            case aiohttp.ClientConnectorDNSError():
                return f"the name {self._address.host!r} is not known"
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
                return "the connection was closed before the answer was whole"
        if kind == "timeout":
            return f"no answer within {self._timeout_s:g} s"
        return {"unreachable": "no connection", "untrusted": "no TLS"}.get(kind, f"{type(error).__name__}")
