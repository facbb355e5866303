"""The server of the page: routes, and nothing from an address ever names a file."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from simsa.errors import InputError, RunError, SimsaError
from simsa.records import CRITERIA
from simsa.store import Store
from simsa.web import agreement, labeling_routes
from simsa.web.csv_export import to_csv
from simsa.web.labeling_routes import visit
from simsa.web.query import TOTAL, chosen_from
from simsa.web.runs import RunPage
from simsa.web.security import HEADERS, LARGEST_BODY, LOOPBACK, AccessControl
from simsa.web.views import Pages

if TYPE_CHECKING:
    from aiohttp import web

    from simsa.i18n.language import Language

_ATTACHED = {"Content-Disposition": 'attachment; filename="questions.csv"'}
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def serve(
    folders: Sequence[Path],
    host: str,
    port: int,
    language: Language | None,
    ready: Callable[[str], None],
) -> None:
    """Shows the runs in `folders` until interrupted. `ready` gets the address once it answers; port 0 is any."""
    with (
        tempfile.TemporaryDirectory(prefix="simsa-view-", ignore_cleanup_errors=True) as scratch,
        contextlib.ExitStack() as held,
    ):
        for folder in folders:
            # While one reader stays, SQLite need not read a run's whole log again for each that comes.
            held.enter_context(Store.read(folder))
        runs = [RunPage(folder, Path(scratch), language) for folder in folders]
        asyncio.run(_serve(runs, _listen(host, port), host, ready))
    if any(run.is_working for run in runs):
        # Nobody waits any more for what is being worked out, and its libraries' own threads
        # would abort an interpreter that ends under them.
        os._exit(0)


async def _serve(
    runs: list[RunPage], listening: socket.socket, host: str, ready: Callable[[str], None]
) -> None:
    from aiohttp import web

    port = listening.getsockname()[1]
    guard = AccessControl(host, port)
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


def application(runs: list[RunPage], guard: AccessControl) -> web.Application:
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
        return web.Response(status=303, headers={"Location": "/0/" if len(runs) == 1 else "/runs"})

    async def over_time(request: web.Request) -> web.Response:
        criterion = request.query.get("criterion", TOTAL)
        chosen = criterion if criterion in CRITERIA else TOTAL
        return _html(await asyncio.to_thread(pages.over_time, chosen, visit(request)))

    async def overview(request: web.Request) -> web.Response:
        return _html(
            await asyncio.to_thread(pages.overview, numbered(request), visit(request), request.query)
        )

    async def progress(request: web.Request) -> web.Response:
        return web.json_response(await asyncio.to_thread(pages.progress, numbered(request)))

    async def questions(request: web.Request) -> web.Response:
        number = numbered(request)
        ask = await asyncio.to_thread(runs[number].read, request.query)
        return _html(await asyncio.to_thread(pages.questions, number, ask, visit(request)))

    async def listed(request: web.Request) -> web.StreamResponse:
        number = numbered(request)
        ask = await asyncio.to_thread(runs[number].read, request.query)
        rows = await asyncio.to_thread(pages.listed, number, ask)
        if rows is None:
            raise web.HTTPServiceUnavailable(text="the list is still being made: try again in a moment")
        answer = web.StreamResponse(headers=HEADERS | _ATTACHED)
        answer.content_type, answer.charset = "text/csv", "utf-8"
        await answer.prepare(request)
        pieces = to_csv(rows)
        while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
            await answer.write(piece.encode("utf-8", "replace"))
        return answer

    async def question(request: web.Request) -> web.Response:
        number, query = numbered(request), request.query
        ask = await asyncio.to_thread(runs[number].read, query)
        n = query.get("n", "")
        place = int(n) if n.isascii() and n.isdigit() and len(n) < 10 else None
        chosen = chosen_from(query.get("answers", ""))
        found = await asyncio.to_thread(
            pages.question, number, query.get("id", ""), ask, place, visit(request), chosen
        )
        if found is None:
            raise web.HTTPNotFound(text="no such question")
        return _html(found)

    async def text(request: web.Request) -> web.Response:
        query = request.query
        wanted = (query.get("id", ""), query.get("part", ""), query.get("name", ""))
        sample = next(iter(chosen_from(query.get("answer", ""))), 0)
        found = await asyncio.to_thread(pages.text, numbered(request), *wanted, sample)
        if found is None:
            raise web.HTTPNotFound(text="no such text")
        return web.Response(text=found)

    async def calibration(request: web.Request) -> web.Response:
        return _html(await asyncio.to_thread(pages.calibration, numbered(request), visit(request)))

    async def keep(request: web.Request) -> web.Response:
        number = numbered(request)
        found = await asyncio.to_thread(runs[number].agreement)
        if found is None:
            raise web.HTTPBadRequest(text="there are no labels yet")
        try:
            await asyncio.to_thread(agreement.keep, runs[number].folder, found)
        except RunError as error:
            raise web.HTTPConflict(text=str(error)) from None
        return _html(await asyncio.to_thread(pages.calibration, number, visit(request), kept=True))

    async def file(request: web.Request) -> web.Response:
        found = static.get(request.match_info["name"])
        if found is None:
            raise web.HTTPNotFound(text="no such file")
        return web.Response(text=found[0], content_type=found[1])

    async def icon(request: web.Request) -> web.Response:
        text, kind = static["icon.svg"]
        return web.Response(text=text, content_type=kind)

    @web.middleware
    async def guarded(request: web.Request, handler: Callable[..., object]) -> web.StreamResponse:
        began = time.perf_counter()
        response = await guard(request, handler)  # type: ignore[arg-type]
        response.headers["Server-Timing"] = f"app;dur={1000 * (time.perf_counter() - began):.1f}"
        return response

    @web.middleware
    async def told(
        request: web.Request, handler: Callable[..., Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            return await handler(request)
        except SimsaError as error:  # a run that was moved or damaged while its page was open
            return web.Response(status=500, text=str(error))

    app = web.Application(middlewares=[guarded, told], client_max_size=LARGEST_BODY)
    app.router.add_get("/", home)
    app.router.add_get("/runs", over_time)
    app.router.add_get("/static/{name}", file)
    app.router.add_get("/favicon.ico", icon)
    base = r"/{run:\d{1,4}}"
    app.router.add_get(f"{base}/", overview)
    app.router.add_get(f"{base}/progress", progress)
    app.router.add_get(f"{base}/questions", questions)
    app.router.add_get(f"{base}/questions.csv", listed)
    app.router.add_get(f"{base}/question", question)
    app.router.add_get(f"{base}/text", text)
    app.router.add_get(f"{base}/calibration", calibration)
    app.router.add_post(f"{base}/calibration", keep)
    labeling_routes.add_routes(app, numbered, pages)
    return app


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
