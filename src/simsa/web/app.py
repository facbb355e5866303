"""The server of the page. No URL names a file."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from simsa.errors import InputError, SimsaError
from simsa.i18n.messages import msg
from simsa.store import Store
from simsa.web.csv_export import to_csv
from simsa.web.labeling import LabelChange, keep_agreement
from simsa.web.labeling_routes import LabelingRoutes, request_context
from simsa.web.run_page import RunPage
from simsa.web.security import HEADERS, LOOPBACK, MAX_BODY, AccessControl
from simsa.web.views import Pages

if TYPE_CHECKING:
    from simsa.i18n.language import Language

_CSV_HEADERS = {"Content-Disposition": 'attachment; filename="questions.csv"'}
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_RUN = r"/{run:\d{1,4}}"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def serve(
    folders: Sequence[Path],
    host: str,
    port: int,
    language: Language | None,
    ready: Callable[[str], None],
) -> None:
    """Shows the runs in `folders` until interrupted. Calls `ready` with the address; port 0 is any free port."""
    with contextlib.ExitStack() as stack:
        for folder in folders:
            # While one reader stays open, SQLite need not read the run's log again for each new one.
            stack.enter_context(Store.read(folder))
        runs = [RunPage(folder, language) for folder in folders]
        asyncio.run(_serve(runs, _listen(host, port), host, ready))
    if any(run.summary.is_computing for run in runs):
        # Nobody waits for the result, and the interpreter must not end under the threads of NumPy.
        os._exit(0)


async def _serve(
    runs: list[RunPage], listening: socket.socket, host: str, ready: Callable[[str], None]
) -> None:
    port = listening.getsockname()[1]
    access = AccessControl(host, port)
    runner = web.AppRunner(application(runs, access), access_log=None)
    await runner.setup()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        await web.SockSite(runner, listening).start()
        name = f"[{host}]" if ":" in host else host
        ready(f"http://{name}:{port}/" + (f"?token={access.token}" if access.token else ""))
        await stop.wait()
    finally:
        await runner.cleanup()


def application(runs: list[RunPage], access: AccessControl) -> web.Application:
    """The routes over `runs`, behind access control."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        began = time.perf_counter()
        response = await access(request, handler)
        response.headers["Server-Timing"] = f"app;dur={1000 * (time.perf_counter() - began):.1f}"
        return response

    app = web.Application(middlewares=[guard, _report_errors], client_max_size=MAX_BODY)
    routes = _Routes(Pages(runs))
    pages = routes.pages
    app.router.add_get("/", routes.home)
    app.router.add_get("/runs", routes.page(pages.over_time))
    app.router.add_get("/static/{name}", routes.static)
    app.router.add_get("/favicon.ico", routes.static)
    app.router.add_get(f"{_RUN}/", routes.page(pages.overview))
    app.router.add_get(f"{_RUN}/progress", routes.progress)
    app.router.add_get(f"{_RUN}/questions", routes.page(pages.questions))
    app.router.add_get(f"{_RUN}/questions.csv", routes.csv)
    app.router.add_get(f"{_RUN}/question", routes.page(pages.question))
    app.router.add_get(f"{_RUN}/text", routes.page(pages.text, "text/plain"))
    app.router.add_get(f"{_RUN}/label", routes.page(pages.label))
    app.router.add_get(f"{_RUN}/calibration", routes.page(pages.calibration))
    app.router.add_post(f"{_RUN}/calibration", routes.keep_agreement)
    LabelingRoutes(routes.run_of, pages).add_to(app, _RUN)
    return app


@web.middleware
async def _report_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Errors become responses: wrong forms, and runs that were moved or damaged while their page was open."""
    try:
        return await handler(request)
    except LabelChange as error:
        return web.Response(status=409, text=str(error))
    except SimsaError as error:
        return web.Response(status=400 if request.method == "POST" else 500, text=str(error))


class _Routes:
    def __init__(self, pages: Pages) -> None:
        self.pages = pages
        self._static = {
            path.name: (path.read_text(encoding="utf-8"), _TYPES[path.suffix])
            for path in (Path(__file__).parent / "static").iterdir()
        }

    def run_of(self, request: web.Request) -> int:
        """The number of the run in the URL; 0 where there is none."""
        number = int(request.match_info.get("run", "0"))
        if number >= len(self.pages.runs):
            raise web.HTTPNotFound(text="no such run")
        return number

    def page(self, render: Callable[..., str | None], content_type: str = "text/html") -> Handler:
        """A handler that renders a page in a thread; None means that it does not exist."""

        async def handler(request: web.Request) -> web.Response:
            number, context = self.run_of(request), request_context(request)
            text = await asyncio.to_thread(render, number, context, request.query)
            if text is None:
                raise web.HTTPNotFound(text="not found")
            return web.Response(text=text, content_type=content_type)

        return handler

    async def home(self, request: web.Request) -> web.Response:
        location = "/0/" if len(self.pages.runs) == 1 else "/runs"
        return web.Response(status=303, headers={"Location": location})

    async def static(self, request: web.Request) -> web.Response:
        found = self._static.get(request.match_info.get("name", "icon.svg"))
        if found is None:
            raise web.HTTPNotFound(text="no such file")
        return web.Response(text=found[0], content_type=found[1])

    async def progress(self, request: web.Request) -> web.Response:
        return web.json_response(await asyncio.to_thread(self.pages.progress, self.run_of(request)))

    async def csv(self, request: web.Request) -> web.StreamResponse:
        rows = await asyncio.to_thread(self.pages.csv, self.run_of(request), request.query)
        response = web.StreamResponse(headers=HEADERS | _CSV_HEADERS)
        response.content_type, response.charset = "text/csv", "utf-8"
        await response.prepare(request)
        pieces = to_csv(rows)
        while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
            await response.write(piece.encode("utf-8", "replace"))
        return response

    async def keep_agreement(self, request: web.Request) -> web.Response:
        number = self.run_of(request)
        run = self.pages.runs[number]
        found = await asyncio.to_thread(run.agreement)
        if found is None:
            raise web.HTTPBadRequest(text="there are no labels yet")
        try:
            await asyncio.to_thread(keep_agreement, run.folder, found)
        except SimsaError as error:
            raise web.HTTPConflict(text=str(error)) from None
        context = request_context(request)
        page = await asyncio.to_thread(self.pages.calibration, number, context, kept=True)
        return web.Response(text=page, content_type="text/html")


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise InputError(
            msg("error.web.cannot_listened", strerror=error.strerror),
            where=f"{host}:{port}",
            hint="give another --port, or 0 for any" + ("" if host in LOOPBACK else ", or another --host"),
        ) from None
