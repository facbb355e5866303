"""Access control: hosts, origins, tokens, and the headers that limit what a browser may do with a page."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

NONCE = "nonce"
TOKEN = "token"
FIELD = "csrf"

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_WEEK_S = 7 * 24 * 3600
_MIN_TOKEN = 20
_PATIENCE_S = 30.0
MAX_BODY = 256 * 1024
"""Bytes of a form. A URL-encoded Hangul letter takes nine."""


class AccessControl:
    """Checks every request of one server.

    On loopback the Host must be a loopback name, so that no other site's name can point here (DNS rebinding). On any
    other host a random token is required, first in the URL and then as a cookie. A request that changes something
    must have this server's Origin, and repeat the value of a cookie that other sites cannot read (CSRF).
    """

    def __init__(self, host: str, port: int, *, patience_s: float = _PATIENCE_S) -> None:
        self.is_local = host in LOOPBACK
        self.port = port
        self._patience_s = patience_s  # for the body of a form
        self.token = None if self.is_local else secrets.token_urlsafe(24)
        self.cookie = f"simsa-{port}"
        # Independent of the port: an open page keeps working when the server is started again.
        self.form_cookie = "simsa-form"

    def hosts(self) -> set[str]:
        return {f"{f'[{name}]' if ':' in name else name}:{self.port}" for name in LOOPBACK}

    async def __call__(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        request[NONCE] = secrets.token_urlsafe(16)
        kept = request.cookies.get(self.form_cookie, "")
        request[TOKEN] = kept if _is_token(kept) else secrets.token_urlsafe(24)
        headers = HEADERS | {"Content-Security-Policy": policy(request[NONCE])}
        try:
            response = await self._refusal(request) or await handler(request)
        except web.HTTPException as leave:
            leave.headers.update(headers)
            raise
        response.headers.update(headers)
        if request[TOKEN] != kept and response.content_type == "text/html":
            response.set_cookie(self.form_cookie, request[TOKEN], httponly=True, samesite="Strict")
        return response

    async def _refusal(self, request: web.Request) -> web.Response | None:
        host = request.headers.get("Host", "")
        if self.is_local and host not in self.hosts():
            return web.Response(status=421, text="this page answers on loopback only")
        changes = request.method not in ("GET", "HEAD")
        if changes and request.headers.get("Origin") != f"http://{host}":
            return web.Response(status=403, text="this comes from another page")
        refusal = self._token_refusal(request)
        if refusal is not None or not changes:
            return refusal
        if (request.content_length or 0) > MAX_BODY:
            return web.Response(status=413, text="this form is too large")
        try:
            async with asyncio.timeout(self._patience_s):
                is_ours = await self._is_own_form(request)
        except TimeoutError:
            return web.Response(status=408, text="the form did not arrive")
        except ConnectionError:  # the client has gone
            is_ours = False
        return (
            None
            if is_ours
            else web.Response(status=403, text="this form is out of date: load its page again")
        )

    def _token_refusal(self, request: web.Request) -> web.Response | None:
        if self.token is None or _same(self.token, request.cookies.get(self.cookie, "")):
            return None
        if _same(self.token, request.query.get("token", "")):
            answer = web.Response(status=303, headers={"Location": request.path})
            answer.set_cookie(self.cookie, self.token, max_age=_WEEK_S, httponly=True, samesite="Strict")
            return answer
        return web.Response(status=403, text="open the address that simsa view printed, with its token")

    async def _is_own_form(self, request: web.Request) -> bool:
        given = (await request.post()).get(FIELD, "")
        return isinstance(given, str) and _same(request.cookies.get(self.form_cookie, ""), given)


def policy(nonce: str) -> str:
    """The content security policy: only the page's own style, and only scripts with `nonce`."""
    return (
        f"default-src 'none'; style-src 'self'; script-src 'nonce-{nonce}'; connect-src 'self';"
        " img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


def _is_token(text: str) -> bool:
    return len(text) >= _MIN_TOKEN and text.isascii() and text.replace("-", "").replace("_", "").isalnum()


def _same(expected: str, given: str) -> bool:
    return bool(expected) and hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())


class RequestContext(NamedTuple):
    """`nonce` allows the page's scripts, `token` its forms; `annotator` is the name given at the labelling desk."""

    nonce: str
    token: str
    annotator: str | None = None
