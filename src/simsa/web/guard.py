"""Who may ask for a page: hosts, origins, the token, and what a browser may do with the answer."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiohttp import web

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self';"
        " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_WEEK_S = 7 * 24 * 3600


class Guard:
    """Holds for every request of one server.

    On loopback the Host must be a loopback name, so that no other site's name can be
    pointed here. On any other host a random token is asked for, once in the address and
    then as a cookie.
    """

    def __init__(self, host: str, port: int) -> None:
        self.is_local = host in LOOPBACK
        self.port = port
        self.token = None if self.is_local else secrets.token_urlsafe(24)
        self.cookie = f"simsa-{port}"

    def hosts(self) -> set[str]:
        return {f"{f'[{name}]' if ':' in name else name}:{self.port}" for name in LOOPBACK}

    async def __call__(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        from aiohttp import web

        try:
            response = self._refusal(request) or await handler(request)
        except web.HTTPException as leave:
            leave.headers.update(HEADERS)
            raise
        response.headers.update(HEADERS)
        return response

    def _refusal(self, request: web.Request) -> web.Response | None:
        from aiohttp import web

        host = request.headers.get("Host", "")
        if self.is_local and host not in self.hosts():
            return web.Response(status=421, text="this page answers on loopback only")
        if request.method not in ("GET", "HEAD") and request.headers.get("Origin") != f"http://{host}":
            return web.Response(status=403, text="this comes from another page")
        if self.token is None or self._is_token(request.cookies.get(self.cookie, "")):
            return None
        if self._is_token(request.query.get("token", "")):
            answer = web.Response(status=303, headers={"Location": request.path})
            answer.set_cookie(self.cookie, self.token, max_age=_WEEK_S, httponly=True, samesite="Strict")
            return answer
        return web.Response(status=403, text="open the address that simsa view printed, with its token")

    def _is_token(self, given: str) -> bool:
        return self.token is not None and hmac.compare_digest(given.encode(), self.token.encode())
