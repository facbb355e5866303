"""The server of the page: routes, and nothing from an address ever names a file."""

from __future__ import annotations

import asyncio
import signal
import socket
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from simsa.errors import InputError
from simsa.web.asking import ask_from
from simsa.web.guard import LOOPBACK, Guard
from simsa.web.pages import Pages
from simsa.web.runs import Run

if TYPE_CHECKING:
    from aiohttp import web

    from simsa.report.words import Language

_TYPES = {".css": "text/css", ".js": "text/javascript"}


def serve(
    folders: Sequence[Path],
    host: str,
    port: int,
    language: Language | None,
    ready: Callable[[str], None],
) -> None:
    """Shows the runs in `folders` until interrupted. `ready` gets the address once it answers; port 0 is any."""
    with tempfile.TemporaryDirectory(prefix="simsa-view-") as scratch:
        runs = [Run(folder, Path(scratch), language) for folder in folders]
        asyncio.run(_serve(runs, _listen(host, port), host, ready))


async def _serve(runs: list[Run], listening: socket.socket, host: str, ready: Callable[[str], None]) -> None:
    from aiohttp import web

    port = listening.getsockname()[1]
    guard = Guard(host, port)
    runner = web.AppRunner(application(runs, guard), access_log=None)
    await runner.setup()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        await web.SockSite(runner, listening).start()
        name = f"[{host}]" if ":" in host else host
        ready(f"http://{name}:{port}/" + (f"?token={guard.token}" if guard.token else ""))
        await stop.wait()
    finally:
        await runner.cleanup()


def application(runs: list[Run], guard: Guard) -> web.Application:
    """The routes over `runs`, guarded."""
    from aiohttp import web

    static = {
        path.name: (path.read_text(encoding="utf-8"), _TYPES[path.suffix])
        for path in (Path(__file__).parent / "static").iterdir()
    }
    pages = Pages(runs)

    def numbered(request: web.Request) -> int:
        number = int(request.match_info["run"])
        if number >= len(runs):
            raise web.HTTPNotFound(text="no such run")
        return number

    async def home(request: web.Request) -> web.Response:
        return web.Response(status=303, headers={"Location": "/0/"})

    async def overview(request: web.Request) -> web.Response:
        return _html(await asyncio.to_thread(pages.overview, numbered(request)))

    async def questions(request: web.Request) -> web.Response:
        number = numbered(request)
        ask = ask_from(request.query, await asyncio.to_thread(_variants, runs[number]))
        return _html(await asyncio.to_thread(pages.questions, number, ask))

    async def question(request: web.Request) -> web.Response:
        number, query = numbered(request), request.query
        ask = ask_from(query, await asyncio.to_thread(_variants, runs[number]))
        n = query.get("n", "")
        place = int(n) if n.isascii() and n.isdigit() and len(n) < 10 else None
        found = await asyncio.to_thread(pages.question, number, query.get("id", ""), ask, place)
        if found is None:
            raise web.HTTPNotFound(text="no such question")
        return _html(found)

    async def file(request: web.Request) -> web.Response:
        found = static.get(request.match_info["name"])
        if found is None:
            raise web.HTTPNotFound(text="no such file")
        return web.Response(text=found[0], content_type=found[1])

    @web.middleware
    async def guarded(request: web.Request, handler: Callable[..., object]) -> web.StreamResponse:
        return await guard(request, handler)  # type: ignore[arg-type]

    app = web.Application(middlewares=[guarded])
    app.router.add_get("/", home)
    app.router.add_get("/static/{name}", file)
    app.router.add_get(r"/{run:\d{1,4}}/", overview)
    app.router.add_get(r"/{run:\d{1,4}}/questions", questions)
    app.router.add_get(r"/{run:\d{1,4}}/question", question)
    return app


def _variants(run: Run) -> tuple[str, ...]:
    index = run.index.get()
    assert index is not None  # waited for
    return index.variants


def _html(text: str) -> web.Response:
    from aiohttp import web

    return web.Response(text=text, content_type="text/html")


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise InputError(
            f"cannot be listened on: {error.strerror}",
            where=f"{host}:{port}",
            hint="give another --port, or 0 for any" + ("" if host in LOOPBACK else ", or another --host"),
        ) from None
