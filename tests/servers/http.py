"""A small, quick HTTP/1.1 server: enough of the protocol for JSON APIs, and every way to break it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from functools import cached_property
from http import HTTPStatus
from typing import Literal, NamedTuple

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
_EXPECT = re.compile(rb"\r\nexpect:[ \t]*100-continue", re.IGNORECASE)
_PHRASE = {status.value: status.phrase for status in HTTPStatus}


class Request:
    """One request as it came."""

    def __init__(self, head: bytes, body: bytes) -> None:
        self._head = head
        self.body = body
        self.method, self.target, _ = head[: head.find(b"\r\n")].decode("latin-1").split(" ", 2)

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @cached_property
    def headers(self) -> dict[str, str]:
        """Names in lower case."""
        lines = (line.partition(b":") for line in self._head.split(b"\r\n")[1:])
        return {
            name.strip().lower().decode("latin-1"): value.strip().decode("latin-1")
            for name, _, value in lines
        }


class Response(NamedTuple):
    """What to answer, and how truthfully to deliver it.

    `whole` is as it should be; `hang` never answers; `drop` closes without a word; `cut`
    promises the whole body and closes half-way; `drip` sends ten bytes at a time, `pause_s` apart.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = {}
    content_type: str = "application/json"
    delivery: Literal["whole", "hang", "drop", "cut", "drip"] = "whole"
    pause_s: float = 0.05

    def encode(self) -> bytes:
        extra = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        head = (
            f"HTTP/1.1 {self.status} {_PHRASE.get(self.status, '')}\r\n"
            f"content-type: {self.content_type}\r\ncontent-length: {len(self.body)}\r\n{extra}\r\n"
        )
        return head.encode("latin-1") + self.body


class Connection(asyncio.Protocol):
    """One keep-alive connection; requests on it are answered one after another."""

    def __init__(self, handle: Callable[[Request, Connection], None], open_: set[Connection]) -> None:
        self._handle = handle
        self._open = open_
        self._buffer = bytearray()
        self._busy = False
        self._told_to_continue = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._open.discard(self)
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._next()

    def send(self, response: Response) -> None:
        """Delivers the answer to the request under way, in the way it asks for."""
        if self._transport is None:
            return
        match response.delivery:
            case "whole":
                self._transport.write(response.encode())
                self._done()
            case "hang":
                pass
            case "drop":
                self._transport.close()
            case "cut":
                whole = response.encode()
                self._transport.write(whole[: len(whole) - len(response.body) // 2 - 1])
                self._transport.close()
            case "drip":
                self._drip(response.encode(), response.pause_s)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _drip(self, rest: bytes, pause_s: float) -> None:
        if self._transport is None:
            return
        self._transport.write(rest[:10])
        if len(rest) > 10:
            asyncio.get_running_loop().call_later(pause_s, self._drip, rest[10:], pause_s)
        else:
            self._done()

    def _done(self) -> None:
        # Called from within `_next` when the answer is instant: its loop then goes on.
        self._busy = False
        if self._buffer:
            asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        if not self._busy and self._transport is not None and (request := self._parse()):
            self._busy = True
            self._handle(request, self)

    def _parse(self) -> Request | None:
        if self._buffer and not self._buffer[:1].isalpha():
            self._hang_up()
            return None
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = bytes(self._buffer[:end])
        if _CHUNKED.search(head):
            self._busy = True
            self._buffer.clear()
            self.send(Response(411, b'{"error": "send a content-length"}'))
            return None
        found = _LENGTH.search(head)
        total = end + 4 + (int(found[1]) if found else 0)
        if len(self._buffer) < total:
            if not self._told_to_continue and _EXPECT.search(head):
                self._told_to_continue = True
                assert self._transport is not None
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return None
        self._told_to_continue = False
        body = bytes(self._buffer[end + 4 : total])
        del self._buffer[:total]
        return Request(head, body)

    def _hang_up(self) -> None:
        """Says that this is no HTTP, as to a client that speaks TLS."""
        assert self._transport is not None
        self._buffer.clear()
        self._transport.write(Response(400).encode())
        self._transport.close()
