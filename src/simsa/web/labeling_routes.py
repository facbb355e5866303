"""The routes that change labels. A reply is sent when the change is on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from aiohttp import web

from simsa.store.labels import Mixed
from simsa.text import one_line
from simsa.web.labeling import LabelingDesk, export_labels
from simsa.web.query import whole_number
from simsa.web.security import NONCE, TOKEN, RequestContext

if TYPE_CHECKING:
    from simsa.web.run_page import RunPage
    from simsa.web.views import Pages

COOKIE = "simsa-annotator"
_YEAR_S = 365 * 24 * 3600
_MAX_NAME = 40
_MAX_COMMENT = 4_000
_MAX_ANSWERS = 10_000
_MAX_SCORE = 10**6
_TYPES = {"csv": "text/csv", "jsonl": "application/x-ndjson"}


def request_context(request: web.Request) -> RequestContext:
    """Who asks, from the request's cookies."""
    name = one_line(unquote(request.cookies.get(COOKIE, "")), _MAX_NAME)
    return RequestContext(request[NONCE], request[TOKEN], name or None)


class LabelingRoutes:
    """The desk of the run that a request is about; `run_of` finds that run's number."""

    def __init__(self, run_of: Callable[[web.Request], int], pages: Pages) -> None:
        self._run_of = run_of
        self._pages = pages

    def add_to(self, app: web.Application, base: str) -> None:
        app.router.add_get(rf"{base}/label/labels.{{format:csv|jsonl}}", self.export)
        for name in ("begin", "leave", "draw", "score", "comment", "undo"):
            app.router.add_post(f"{base}/label/{name}", getattr(self, name))

    async def begin(self, request: web.Request) -> web.Response:
        """Takes the annotator's name, and draws a sample when there is none."""
        name = one_line(str((await request.post()).get("name", "")), _MAX_NAME)
        if not name:
            return _to_answer()
        is_set = await asyncio.to_thread(lambda: LabelingDesk(self._run(request).folder).is_set)
        problem = None if is_set else await self._draw(request)
        if problem is not None:
            return await self._show_problem(
                request, problem, request_context(request)._replace(annotator=name)
            )
        response = _to_answer()
        response.set_cookie(COOKIE, quote(name), max_age=_YEAR_S, httponly=True, samesite="Strict")
        return response

    async def leave(self, request: web.Request) -> web.Response:
        """Forgets the annotator's name, for the next person."""
        response = _to_answer()
        response.del_cookie(COOKIE)
        return response

    async def draw(self, request: web.Request) -> web.Response:
        """Draws more answers."""
        problem = await self._draw(request)
        if problem is not None:
            return await self._show_problem(request, problem, request_context(request))
        return _to_answer()

    async def score(self, request: web.Request) -> web.Response:
        """Sets one score: `set` is `criterion:score`; an empty score removes it."""
        criterion, _, score = str((await request.post()).get("set", "")).partition(":")
        value = whole_number(score, -_MAX_SCORE, _MAX_SCORE)
        return await self._change(request, LabelingDesk.score, criterion, value)

    async def comment(self, request: web.Request) -> web.Response:
        text = str((await request.post()).get("comment", "")).strip()[:_MAX_COMMENT]
        return await self._change(request, LabelingDesk.comment, text)

    async def undo(self, request: web.Request) -> web.Response:
        desk, name = self._desk(request)
        at = await asyncio.to_thread(desk.undo, name)
        if _wants_json(request):
            return web.json_response({"at": None if at is None else at + 1})
        return _to_answer(at)

    async def export(self, request: web.Request) -> web.Response:
        kind = request.match_info["format"]
        text = await asyncio.to_thread(export_labels, self._run(request).folder, kind)
        headers = {"Content-Disposition": f'attachment; filename="labels.{kind}"'}
        return web.Response(text=text, content_type=_TYPES[kind], headers=headers)

    async def _draw(self, request: web.Request) -> str | None:
        """Draws what the form asks for. Returns the code of the message that says why that is impossible, or None."""
        from simsa.judge_eval.sampling import SampleTooSmall

        form = await request.post()
        n = whole_number(form.get("n"), 1, _MAX_ANSWERS)
        seed = whole_number(form.get("seed"), 0, 10**9) or 0
        if n is None:
            return None
        desk, stratified = LabelingDesk(self._run(request).folder), form.get("how") == "stratified"
        try:
            await asyncio.to_thread(desk.draw, n, seed, stratified=stratified)
        except Mixed:
            return "desk.moved"
        except SampleTooSmall:
            return "desk.too_few"
        return None

    async def _show_problem(
        self, request: web.Request, problem: str, context: RequestContext
    ) -> web.Response:
        """The page that the form came from, with the problem."""
        page = await asyncio.to_thread(self._pages.label, self._run_of(request), context, {}, problem)
        return web.Response(text=page, content_type="text/html", status=400)

    async def _change(
        self, request: web.Request, change: Callable[..., None], *values: object
    ) -> web.Response:
        form = await request.post()
        desk, name = self._desk(request)
        place = whole_number(form.get("place"), 0, _MAX_ANSWERS)
        seen = str(form.get("seen", ""))
        await asyncio.to_thread(change, desk, name, -1 if place is None else place, seen, *values)
        at = whole_number(form.get("at"), 1, _MAX_ANSWERS)
        if not _wants_json(request):
            return _to_answer(None if at is None else at - 1)
        sheet = await asyncio.to_thread(desk.sheet, name, None if at is None else at - 1)
        assert sheet is not None  # it was just written to
        label = {"scores": dict(sheet.label.scores), "comment": sheet.label.comment}
        return web.json_response({**label, "done": sheet.n_done, "n": sheet.n})

    def _run(self, request: web.Request) -> RunPage:
        return self._pages.runs[self._run_of(request)]

    def _desk(self, request: web.Request) -> tuple[LabelingDesk, str]:
        name = request_context(request).annotator
        if name is None:
            raise web.HTTPForbidden(text="enter your name first")
        return LabelingDesk(self._run(request).folder), name


def _wants_json(request: web.Request) -> bool:
    return request.headers.get("Accept") == "application/json"


def _to_answer(at: int | None = None) -> web.Response:
    """Leads back to the desk, by default to the first open answer."""
    location = "../label" if at is None else f"../label?at={at + 1}"
    return web.Response(status=303, headers={"Location": location})
