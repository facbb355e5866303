"""Files to an endpoint and back: streamed from disk and to disk, never held in memory.

Imported when an endpoint is opened, because aiohttp takes a while to import.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

import aiohttp
from yarl import URL

from simsa.llm.responses import ApiResponse, TransportFailure
from simsa.llm.transport import Transport

_PIECE = 1 << 20
MAX_FILE = 4 << 30


class BatchTransport(Transport):
    """What the Batch API needs beyond a chat completion."""

    async def ask(
        self,
        method: str,
        route: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> ApiResponse | TransportFailure:
        """A call with a small body or none."""
        try:
            async with self._session.request(
                method, self._url(route, query), data=body, headers=headers, allow_redirects=False
            ) as response:
                return await self._read(response)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            return self._trouble(error)

    async def upload(
        self, route: str, fields: Mapping[str, str], file: Path, name: str
    ) -> ApiResponse | TransportFailure:
        """A form with `fields` and `file` under the name `name`. Raises OSError when it can't be read."""
        with file.open("rb") as stream, aiohttp.MultipartWriter("form-data") as form:
            for field, value in fields.items():
                form.append(value).set_content_disposition("form-data", name=field)
            part = form.append(stream, {"Content-Type": "application/jsonl"})
            part.set_content_disposition("form-data", name="file", filename=name)
            try:
                async with self._session.post(
                    self._url(route),
                    data=form,
                    headers={"Content-Type": form.headers["Content-Type"]},
                    timeout=self._patient(),
                    allow_redirects=False,
                ) as response:
                    return await self._read(response)
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
                return self._trouble(error)

    async def download(self, route: str, to: Path) -> ApiResponse | TransportFailure:
        """Fetches a file. `to` is there, whole, only after an answer of 200, whose body is then empty."""
        unfinished = to.with_name(f"{to.name}.part")
        try:
            async with self._session.get(
                self._url(route), timeout=self._patient(), allow_redirects=False
            ) as response:
                if response.status != 200:
                    return await self._read(response)
                size = 0
                with unfinished.open("wb") as stream:
                    async for piece in response.content.iter_chunked(_PIECE):
                        size += len(piece)
                        if size > MAX_FILE:
                            response.close()
                            return TransportFailure("too_big", f"a file of more than {MAX_FILE >> 30} GB")
                        await asyncio.to_thread(stream.write, piece)
                    stream.flush()
                    await asyncio.to_thread(os.fsync, stream.fileno())
                unfinished.replace(to)
                return ApiResponse(200, response.headers, b"")
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return self._trouble(error)
        finally:
            unfinished.unlink(missing_ok=True)

    def _url(self, route: str, query: Mapping[str, str] | None = None) -> URL:
        url = URL(self._address.route(route), encoded=True)
        return url.update_query(query) if query else url

    def _patient(self) -> aiohttp.ClientTimeout:
        """A large file takes as long as it takes, so long as something moves."""
        return aiohttp.ClientTimeout(total=None, sock_connect=self._timeout_s, sock_read=self._timeout_s)
