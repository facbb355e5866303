"""The routes of the labelling desk. An answer is sent when what was asked is on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote, unquote

from simsa.errors import SimsaError
from simsa.store.labels import Mixed
from simsa.text import one_line
from simsa.web.labeling import LabelChange, LabelingDesk
from simsa.web.security import NONCE, TOKEN, RequestContext

if TYPE_CHECKING:
    from aiohttp import web

    from simsa.store.labels import Label, LabeledAnswer
    from simsa.web.runs import RunPage
    from simsa.web.views import Pages

T = TypeVar("T")

COOKIE = "simsa-annotator"
_YEAR_S = 365 * 24 * 3600
_LONGEST_NAME = 40
_LONGEST_COMMENT = 4_000
_MOST = 10_000


def visit(request: web.Request) -> RequestContext:
    """Who asks, from the request's cookies."""
    name = one_line(unquote(request.cookies.get(COOKIE, "")), _LONGEST_NAME)
    return RequestContext(request[NONCE], request[TOKEN], name or None)


def number(text: object, low: int, high: int) -> int | None:
    """A whole number from a form or an address; None where there is none within the limits."""
    if not (isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 10):
        return None
    return int(text) if low <= int(text) <= high else None


def add_routes(app: web.Application, run_of: Callable[[web.Request], int], pages: Pages) -> None:
    """Adds the desk to `app`; `run_of` says which run a request is about."""
    desk = _Handlers(run_of, pages)
    base = r"/{run:\d{1,4}}/label"
    app.router.add_get(base, desk.show)
    app.router.add_get(rf"{base}/labels.{{format:csv|jsonl}}", desk.export)
    for name in ("begin", "leave", "draw", "score", "comment", "undo"):
        app.router.add_post(f"{base}/{name}", getattr(desk, name))


class _Handlers:
    def __init__(self, run_of: Callable[[web.Request], int], pages: Pages) -> None:
        self._run_of = run_of
        self._pages = pages

    async def show(self, request: web.Request) -> web.Response:
        at = number(request.query.get("at"), 1, _MOST)
        found = await self._do(
            self._pages.label, self._run_of(request), visit(request), None if at is None else at - 1
        )
        return _html(found)

    async def begin(self, request: web.Request) -> web.Response:
        """Takes the name, and draws the sample where there is none."""
        form = await request.post()
        name = one_line(str(form.get("name", "")), _LONGEST_NAME)
        if not name:
            return _back()
        problem = await self._draw(request, always=False)
        if problem is not None:
            return await self._again(request, problem, visit(request)._replace(annotator=name))
        answer = _back()
        answer.set_cookie(COOKIE, quote(name), max_age=_YEAR_S, httponly=True, samesite="Strict")
        return answer

    async def leave(self, request: web.Request) -> web.Response:
        """Somebody else sits down."""
        answer = _back()
        answer.del_cookie(COOKIE)
        return answer

    async def draw(self, request: web.Request) -> web.Response:
        problem = await self._draw(request, always=True)
        return _back() if problem is None else await self._again(request, problem, visit(request))

    async def score(self, request: web.Request) -> web.Response:
        """One criterion: `set` is `criterion:score`, the score empty to take it away."""
        form = await request.post()
        criterion, _, score = str(form.get("set", "")).partition(":")
        value = number(score, 0, 99)
        return await self._change(
            request, lambda desk, name, place, seen: desk.score(name, place, seen, criterion, value)
        )

    async def comment(self, request: web.Request) -> web.Response:
        form = await request.post()
        text = str(form.get("comment", "")).strip()[:_LONGEST_COMMENT]
        return await self._change(
            request, lambda desk, name, place, seen: desk.comment(name, place, seen, text)
        )

    async def undo(self, request: web.Request) -> web.Response:
        desk, name = self._desk(request)
        at = await self._do(desk.undo, name)
        if _wants_json(request):
            return _json({"at": None if at is None else at + 1})
        return _back(at)

    async def export(self, request: web.Request) -> web.Response:
        from aiohttp import web

        kind = request.match_info["format"]
        text = await self._do(exported, self._run(request), kind)
        named = {"Content-Disposition": f'attachment; filename="labels.{kind}"'}
        types = {"csv": "text/csv", "jsonl": "application/x-ndjson"}
        return web.Response(text=text, content_type=types[kind], headers=named)

    async def _draw(self, request: web.Request, *, always: bool) -> str | None:
        """Draws what the form asks for. Returns which words say why that can't be, or None."""
        form = await request.post()
        desk = LabelingDesk(self._run(request).folder)
        n, seed = number(form.get("n"), 1, _MOST), number(form.get("seed"), 0, 10**9)
        if n is None or not (always or not await self._do(lambda: desk.is_set)):
            return None
        draw = partial(_drawn, desk, n, seed or 0, stratified=form.get("how") == "stratified")
        return await self._do(draw)

    async def _again(self, request: web.Request, problem: str, visit: RequestContext) -> web.Response:
        """The page that the form came from, with what is wrong."""
        page = await self._do(self._pages.label, self._run_of(request), visit, None, problem)
        return _html(page, status=400)

    async def _change(
        self, request: web.Request, change: Callable[[LabelingDesk, str, int, str], None]
    ) -> web.Response:
        form = await request.post()
        desk, name = self._desk(request)
        place = number(form.get("place"), 0, _MOST)
        await self._do(change, desk, name, -1 if place is None else place, str(form.get("seen", "")))
        at = number(form.get("at"), 1, _MOST)
        if not _wants_json(request):
            return _back(None if at is None else at - 1)
        sheet = await self._do(desk.sheet, name, None if at is None else at - 1)
        assert sheet is not None  # it was written to just now
        said = {"scores": dict(sheet.label.scores), "comment": sheet.label.comment}
        return _json({**said, "done": sheet.n_done, "n": sheet.n})

    def _run(self, request: web.Request) -> RunPage:
        return self._pages.runs[self._run_of(request)]

    def _desk(self, request: web.Request) -> tuple[LabelingDesk, str]:
        from aiohttp import web

        name = visit(request).annotator
        if name is None:
            raise web.HTTPForbidden(text="say your name first")
        return LabelingDesk(self._run(request).folder), name

    async def _do(self, what: Callable[..., T], *args: object) -> T:
        """Runs `what` beside the loop; what is wrong with a label is the request's fault."""
        from aiohttp import web

        try:
            return await asyncio.to_thread(what, *args)
        except LabelChange as error:
            raise web.HTTPConflict(text=str(error)) from None
        except SimsaError as error:
            raise web.HTTPBadRequest(text=str(error)) from None


def _drawn(desk: LabelingDesk, n: int, seed: int, *, stratified: bool) -> str | None:
    from simsa.judge_eval.sampling import SampleTooSmall

    try:
        desk.draw(n, seed, stratified=stratified)
    except Mixed:
        return "desk.moved"
    except SampleTooSmall:
        return "desk.too_few"
    return None


def exported(run: RunPage, kind: str) -> str:
    """Every label of a run, as `simsa calibrate --labels` reads it."""
    import csv
    import io

    import orjson

    from simsa.judge_eval.sampling import AnswerCodes
    from simsa.report.renderers.csv_rows import safe
    from simsa.store.labels import DATABASE, columns, read, scored_criteria, weights

    there = (run.folder / DATABASE).is_file()
    found, weighed = (read(run.folder), weights(run.folder)) if there else ([], {})
    scored = scored_criteria(run.folder)
    rows = [(label, label.to_dict(scored) | _weight(weighed, label)) for label in found]
    if kind == "jsonl":
        return "".join(orjson.dumps(row).decode() + "\n" for _, row in rows)
    text = io.StringIO()
    text.write("\ufeff")  # without the mark a spreadsheet takes Korean for another encoding
    writer = csv.DictWriter(text, ("code", *columns(scored), *(["weight"] if weighed else [])))
    writer.writeheader()
    for label, facts in rows:
        row = {name: safe(value) if isinstance(value, str) else value for name, value in facts.items()}
        key = label.answer
        # A name that a spreadsheet would run is written as text, so that the row needs another way back.
        is_same = (row["question_id"], row["variant"]) == key[:2]
        writer.writerow(row | {"code": "" if is_same else AnswerCodes({key: label.answer_hash}).code(key)})
    return text.getvalue()


def _weight(weighed: Mapping[LabeledAnswer, float], label: Label) -> dict[str, float]:
    """The column of a stratified draw."""
    weight = weighed.get(label.answer)
    return {} if weight is None else {"weight": weight}


def _wants_json(request: web.Request) -> bool:
    return request.headers.get("Accept") == "application/json"


def _back(at: int | None = None) -> web.Response:
    from aiohttp import web

    place = "../label" if at is None else f"../label?at={at + 1}"
    return web.Response(status=303, headers={"Location": place})


def _html(text: str, status: int = 200) -> web.Response:
    from aiohttp import web

    return web.Response(text=text, content_type="text/html", status=status)


def _json(value: object) -> web.Response:
    from aiohttp import web

    return web.json_response(value)
