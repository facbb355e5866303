"""The pages: what is read from a run for each, and the rendering."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from simsa.i18n.messages import words
from simsa.records import CRITERIA, STATUSES
from simsa.report import contingency, tables
from simsa.report.charts import HEIGHT, WIDTH, history, level_bars
from simsa.report.claim_tables import claim_lines
from simsa.report.format import label
from simsa.store import Store, results
from simsa.text import count, one_line, visible
from simsa.web.active_filters import (
    ActiveFilter,
    FilterSuggestion,
    active_filters,
    columns,
    filter_suggestions,
)
from simsa.web.csv_export import spread
from simsa.web.labeling import LabelingDesk, guide
from simsa.web.query import DIFFERENCES, SAID, TOTAL, YES_NO, QuestionFilter, pair_from
from simsa.web.question_list import PAGE, ListPage, QuestionList
from simsa.web.question_view import cites, facts, letter, several, whole_text
from simsa.web.runs import baseline_of
from simsa.web.security import RequestContext
from simsa.web.text_diff import LONGEST

if TYPE_CHECKING:
    from jinja2 import Environment

    from simsa.report import Summary
    from simsa.web.runs import RunPage, RunProgress

_SNIPPET = 140
_NAME = 24
_PATIENCE_S = 3.0
_MOMENT_S = 0.05
_LIVE = ("overview", "questions")
SAMPLE = 100


class Pages:
    """Renders. Every text that goes into a page is escaped, and what could hide or reorder it is shown."""

    def __init__(self, runs: list[RunPage]) -> None:
        self.runs = runs
        self._environment = _environment()
        for name in self._environment.list_templates():
            self._environment.get_template(name)  # compiled now, not while somebody waits for a page

    def overview(
        self, number: int, visit: RequestContext, query: Mapping[str, str] = MappingProxyType({})
    ) -> str:
        """The figures of a run. `query` may name the two variants, `a` and `b`, that stand head to head."""
        from simsa.report.headline import headline, judged

        run = self.runs[number]
        found = run.summary.get(wait=_PATIENCE_S)
        shown: dict[str, Any] = {"summary": found, "waiting": found is None}
        if found is not None:
            shown |= {
                "headline": headline(found),
                "judged": judged(found),
                "grids": tables.grids(found, intervals=True),
                "bars": level_bars(found),
                **_head_to_head(found, query),
            }
        return self._render("overview", number, visit, **shown)

    def progress(self, number: int) -> dict[str, Any]:
        """How far the run is, for a page that is open: the words, and whether anything is still to come."""
        run = self.runs[number]
        found = run.progress.get(wait=_PATIENCE_S)
        if found is None:
            return {"text": "", "open": True}
        return {"text": self._so_far(run, found), "open": found.is_open}

    def _so_far(self, run: RunPage, found: RunProgress) -> str:
        return words(run.language, "page")(
            "going_on", **{name: count(value) for name, value in found._asdict().items()}
        )

    def over_time(self, criterion: str, visit: RequestContext) -> str:
        """All runs, side by side and over time."""
        there = dict(self._made_in(_PATIENCE_S))
        return self._render(
            "runs",
            0,
            visit,
            summaries=there,
            waiting=len(there) < len(self.runs),
            criterion=criterion,
            criteria=(TOTAL, *CRITERIA),
            picture=history(there, criterion),
            width=WIDTH,
            height=HEIGHT,
        )

    def _made_in(self, patience_s: float) -> Iterator[tuple[int, Summary]]:
        """The figures of all runs as far as they are there in time: one after another, not all at once."""
        end = time.monotonic() + patience_s
        for n, run in enumerate(self.runs):
            left = end - time.monotonic()
            found = run.summary.get(wait=max(0.0, left)) if left > 0 or run.summary.is_made else None
            if found is not None:
                yield n, found

    def questions(self, number: int, ask: QuestionFilter, visit: RequestContext) -> str:
        run = self.runs[number]
        listing = run.listing(ask)
        index = run.index.get(wait=0)
        found = listing.find(ask) if listing else ListPage([], 0)
        with Store.read(run.folder) as store:
            variants = tuple(store.variants())
            lines = [(row, self._line(store, row.id)) for row in found.rows]
            baseline = baseline_of(store, variants)
        say = words(run.language, "page")
        on = active_filters(ask, variants, say)
        return self._render(
            "questions",
            number,
            visit,
            ask=ask,
            variants=variants,
            shown=columns(ask, len(variants), baseline),
            lines=lines,
            n_found=found.n_fitting,
            pages=max(1, -(-found.n_fitting // PAGE)),
            waiting=listing is None,
            facts=index.facts if index else None,
            statuses=[s for s in STATUSES if index and s in index.facts.statuses],
            differences=DIFFERENCES,
            alike=SAID,
            yes_no=YES_NO,
            criteria=(TOTAL, *CRITERIA),
            chips=on,
            loosened=self._loosened(listing, on) if not found.n_fitting else [],
            score=lambda of: of and of.span.get(ask.criterion),
        )

    def _loosened(self, listing: QuestionList | None, on: list[ActiveFilter]) -> list[FilterSuggestion]:
        if listing is None:
            return []
        return filter_suggestions(on, lambda ask: listing.find(ask, first=0, limit=0).n_fitting)

    def listed(self, number: int, ask: QuestionFilter) -> Iterator[list[Any]] | None:
        """The whole list that `ask` names as rows of a table, the head first; None while it can't be made yet."""
        run = self.runs[number]
        listing = run.listing(ask)
        return None if listing is None else spread(run.folder, listing, ask)

    def question(
        self,
        number: int,
        question_id: str,
        ask: QuestionFilter,
        n: int | None,
        visit: RequestContext,
        chosen: Sequence[int] = (),
    ) -> str | None:
        """One question; None when the run has none of this id. `n` is its number in the list of `ask`, `chosen`
        which of several answers is shown of each variant."""
        run = self.runs[number]
        with Store.read(run.folder) as store:
            found = facts(store, question_id, chosen)
            variants = tuple(store.variants())
        if found is None:
            return None
        before, after = self._neighbours(run, question_id, ask, n)
        index = run.index.get(wait=0)
        here = {"id": question_id} | ({} if n is None else {"n": n})

        def to_answer(place: int, sample: int) -> str:
            shown = [answer.result.sample for answer in found.answers]
            shown[place] = sample
            return ask.query(variants, **here, answers=".".join(str(one + 1) for one in shown))

        return self._render(
            "question",
            number,
            visit,
            variants=variants,
            question=found.question,
            is_shared=bool(index and index.facts.clusters),
            answers=found.answers,
            passages=found.passages,
            cited=found.cited,
            claims=claim_lines,
            ask=ask,
            to_answer=to_answer,
            before=before,
            after=after,
        )

    def text(self, number: int, question_id: str, part: str, name: str, sample: int = 0) -> str | None:
        """A whole text as it is, but that what could hide or reorder it is shown; None when there is none."""
        with Store.read(self.runs[number].folder) as store:
            found = whole_text(store, question_id, part, name, sample)
        return None if found is None else visible(found)

    def label(self, number: int, visit: RequestContext, at: int | None, problem: str | None = None) -> str:
        """The labelling desk: who is there and what is to do, or one answer. `problem` is a key of the words."""
        run = self.runs[number]
        desk = LabelingDesk(run.folder)
        is_set = desk.is_set
        sheet = desk.sheet(visit.annotator, at) if visit.annotator and is_set else None
        if sheet is None:
            return self._render(
                "begin",
                number,
                visit,
                is_set=is_set,
                progress=desk.progress(),
                sample=SAMPLE,
                problem=problem,
            )
        rubric, criteria = guide(run.folder, run.language)
        return self._render(
            "label",
            number,
            visit,
            sheet=sheet,
            rubric=rubric,
            criteria=criteria,
            how=desk.how,
            problem=problem,
        )

    def calibration(self, number: int, visit: RequestContext, *, kept: bool = False) -> str:
        """The judge against the labels."""
        run = self.runs[number]
        found = run.agreement()
        progress = LabelingDesk(run.folder).progress()
        return self._render("calibration", number, visit, found=found, progress=progress, kept=kept)

    def _neighbours(
        self, run: RunPage, question_id: str, ask: QuestionFilter, n: int | None
    ) -> tuple[Any, Any]:
        listing = run.listing(ask)
        if listing is None:
            return None, None
        if n is None:
            n = listing.place(question_id) or 0
        rows = {row.n: row for row in listing.find(ask, first=max(0, n - 1), limit=3).rows}
        return rows.get(n - 1), rows.get(n + 1)

    def _line(self, store: Store, question_id: str) -> dict[str, Any]:
        question = store.question(question_id)
        given = groupby(results(store, question_id=question_id, sample=None), key=lambda r: r.variant)
        found = {variant: several(list(answers)) for variant, answers in given}
        return {"question": one_line(question.question if question else "", _SNIPPET), "results": found}

    def _going(self, run: RunPage, page: str) -> RunProgress | None:
        """How far the run is where a page shows that, and it is not at its end."""
        if page not in _LIVE:
            return None
        found = run.progress.get(wait=0 if run.is_large else _MOMENT_S)
        return found if found and found.is_open else None

    def _render(self, name: str, number: int, visit: RequestContext, **facts: Any) -> str:
        run = self.runs[number]
        page = self._environment.get_template(f"{name}.html.jinja")
        say = words(run.language, "page")
        going = self._going(run, name)
        return page.render(
            say=say,
            label=lambda name: label(say, name),
            language=run.language,
            runs=self.runs,
            number=number,
            here=name,
            visit=visit,
            names=CRITERIA,
            going=None if going is None else self._so_far(run, going),
            snippet=lambda text: one_line(text[: 4 * _SNIPPET], _SNIPPET),
            letter=letter,
            cites=cites,
            count=count,
            longest=LONGEST,
            mean=_mean,
            **facts,
        )


def _head_to_head(summary: Summary, query: Mapping[str, str]) -> dict[str, Any]:
    """The grids of the two variants that an address names, and where each cell leads."""
    variants = [variant.name for variant in summary.variants]
    if len(variants) < 2:
        return {"heads": [], "pair": None}
    a, b = pair_from(query, variants, variants.index(summary.baseline))

    def met(criterion: str, cell: contingency.ContingencyCell) -> str:
        ours, theirs = cell.a, cell.b
        asked = QuestionFilter(
            a=a,
            b=b,
            criterion=criterion,
            alow=ours.low,
            ahigh=ours.high,
            blow=theirs.low,
            bhigh=theirs.high,
        )
        return asked.query(variants)

    def differ(criterion: str, diff: str) -> str:
        return QuestionFilter(a=a, b=b, criterion=criterion, diff=diff).query(variants)

    return {
        "heads": contingency.pair(summary.heads, variants[a], variants[b]),
        "cells": contingency.cells,
        "pair": (variants[a], variants[b]),
        "met": met,
        "differ": differ,
    }


def _mean(value: float) -> str:
    """A mean of several scores: one digit behind the point, none where it is whole."""
    return f"{value:.0f}" if value == int(value) else f"{value:.1f}"


def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup, escape

    from simsa.report.format import short_names, shortened
    from simsa.report.renderers.html import figure

    def shown(value: Any) -> Any:
        return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    def pretty(value: Any) -> str:
        import orjson

        return orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode()

    def breakable(name: str) -> Markup:
        """A name such as mrc_question, which may be broken behind its underscores."""
        return escape(visible(name)).replace("_", Markup("_<wbr>"))

    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters["pretty"] = pretty
    made.filters["breakable"] = breakable
    made.filters["figure"] = figure
    made.globals["short_names"] = partial(short_names, cells=_NAME)
    made.globals["shortened"] = shortened
    return made
