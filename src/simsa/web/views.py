"""The pages: what each one reads from a run, and its template."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import orjson

from simsa.i18n.messages import words
from simsa.records import TOTAL, Criteria, Number
from simsa.report import contingency, tables
from simsa.report.charts import HEIGHT, WIDTH, history, level_bars
from simsa.report.claim_tables import claim_lines
from simsa.report.format import labels, short_labels, short_names, shortened
from simsa.store import Store
from simsa.text import count, one_line, visible
from simsa.web.active_filters import active_filters, columns, filter_suggestions
from simsa.web.csv_export import csv_rows
from simsa.web.labeling import LabelingDesk, guide
from simsa.web.query import (
    DIFFERENCES,
    SAID,
    YES_NO,
    QuestionFilter,
    pair_from,
    samples_from,
    whole_number,
)
from simsa.web.question_list import PAGE
from simsa.web.question_view import (
    answers_by_variant,
    cited_passage,
    letter,
    question_details,
    whole_text,
)
from simsa.web.text_diff import LONGEST

if TYPE_CHECKING:
    from jinja2 import Environment

    from simsa.report import Summary
    from simsa.web.run_page import RunPage
    from simsa.web.security import RequestContext

Query = Mapping[str, str]

_EMPTY: Query = MappingProxyType({})
_SNIPPET = 140
_NAME_CELLS = 24
_PATIENCE_S = 3.0
_SAMPLE = 100
_SHADES = 5


class Pages:
    """Renders the pages of `runs`, which a URL names by number.

    Templates escape every text, and show characters that could hide or reorder it.
    """

    def __init__(self, runs: list[RunPage]) -> None:
        self.runs = runs
        self._environment = _environment()
        for name in self._environment.list_templates():
            self._environment.get_template(name)  # compiled at the start, not while someone waits

    def overview(self, number: int, context: RequestContext, query: Query = _EMPTY) -> str:
        """The figures of a run. `query` may name the two variants, `a` and `b`, to compare head to head."""
        from simsa.report.headline import headline, judge_lines

        found = self.runs[number].summary.get(_PATIENCE_S)
        values: dict[str, Any] = {"summary": found, "waiting": found is None}
        if found is not None:
            values |= {
                "headline": headline(found),
                "judged": judge_lines(found),
                "grids": tables.grids(found, intervals=True),
                "bars": level_bars(found),
                **_head_to_head(found, query),
            }
        return self._render("overview", number, context, values | {"progress": self._progress_text(number)})

    def progress(self, number: int) -> dict[str, Any]:
        """How far the run is, for an open page: `text`, and whether the run is still `open`."""
        text = self._progress_text(number)
        return {"text": text or self._progress_text(number, always=True), "open": bool(text)}

    def _progress_text(self, number: int, *, always: bool = False) -> str:
        """How far the run is; empty at its end."""
        run = self.runs[number]
        found = run.progress()
        if not (found.is_open or always):
            return ""
        numbers = {name: count(value) for name, value in found._asdict().items()}
        return words(run.language, "page")("going_on", **numbers)

    def over_time(self, number: int, context: RequestContext, query: Query = _EMPTY) -> str:
        """All runs side by side and over time."""
        found = dict(self._summaries())
        criteria = dict.fromkeys(one for run in self.runs for one in run.facts().criteria)
        names = [TOTAL, *dict.fromkeys(one.name for one in criteria)]
        criterion = query.get("criterion", TOTAL)
        criterion = criterion if criterion in names else TOTAL
        values = {
            "criteria": Criteria(criteria),
            "summaries": found,
            "waiting": len(found) < len(self.runs),
            "criterion": criterion,
            "choices": names,
            "picture": history(found, criterion),
            "width": WIDTH,
            "height": HEIGHT,
        }
        return self._render("runs", number, context, values)

    def _summaries(self) -> Iterator[tuple[int, Summary]]:
        """The summaries that are there in time. They are computed one after another."""
        end = time.monotonic() + _PATIENCE_S
        for number, run in enumerate(self.runs):
            left = end - time.monotonic()
            if left > 0 or not run.summary.is_computing:
                found = run.summary.get(max(0.0, left))
                if found is not None:
                    yield number, found

    def questions(self, number: int, context: RequestContext, query: Query = _EMPTY) -> str:
        """One page of the list that `query` asks for."""
        run = self.runs[number]
        facts, ask = run.facts(), run.filter(query)
        found = run.page(ask)
        with Store.read(run.folder) as store:
            lines = []
            for row in found.rows:
                question = store.question(row.id)
                text = one_line(question.question if question else "", _SNIPPET)
                lines.append((row, text, answers_by_variant(store, row.id, facts.criteria)))
        chips = active_filters(
            ask, facts.variants, words(run.language, "page"), labels(run.language, facts.criteria)
        )
        values = {
            "ask": ask,
            "variants": facts.variants,
            "shown": columns(ask, len(facts.variants), facts.baseline),
            "lines": lines,
            "n_found": found.n,
            "pages": max(1, -(-found.n // PAGE)),
            "options": run.options(),
            "choices": {"diff": DIFFERENCES, "said": SAID, "yes_no": YES_NO},
            "limits": _score_limits(facts.criteria),
            "chips": chips,
            "suggestions": [] if found.n else filter_suggestions(chips, lambda ask: len(run.positions(ask))),
            "score": lambda answers: answers and answers.span.get(ask.criterion),
            "progress": self._progress_text(number),
        }
        return self._render("questions", number, context, values)

    def csv(self, number: int, query: Query) -> Iterator[list[Any]]:
        """The whole list that `query` asks for as rows of a table, the header first."""
        run = self.runs[number]
        return csv_rows(run.folder, run.positions(run.filter(query)))

    def question(self, number: int, context: RequestContext, query: Query = _EMPTY) -> str | None:
        """The question `id`; None when the run has none with this id. `n` is its number in the list of `query`,
        `answers` says which answer of each variant to show."""
        run = self.runs[number]
        facts, ask, question_id = run.facts(), run.filter(query), query.get("id", "")
        with Store.read(run.folder) as store:
            found = question_details(store, question_id, samples_from(query.get("answers", "")))
        if found is None:
            return None
        n = whole_number(query.get("n"), 0, 10**9)
        place = run.place(question_id, ask) if n is None else n
        around = {} if place is None else {row.n: row for row in run.page(ask, max(0, place - 1), 3).rows}
        here = {"id": question_id} | ({} if n is None else {"n": n})

        def to_answer(variant: int, sample: int) -> str:
            shown = [answer.result.sample for answer in found.answers]
            shown[variant] = sample
            return ask.query(facts.variants, **here, answers=".".join(str(one + 1) for one in shown))

        values = {
            "variants": facts.variants,
            "found": found,
            "question": found.question,
            "is_shared": run.options().has_documents,
            "claims": claim_lines,
            "ask": ask,
            "to_answer": to_answer,
            "before": None if place is None else around.get(place - 1),
            "after": None if place is None else around.get(place + 1),
        }
        return self._render("question", number, context, values)

    def text(self, number: int, context: RequestContext, query: Query) -> str | None:
        """A whole text, with hidden characters shown; None when there is none."""
        question_id, part, name = (query.get(key, "") for key in ("id", "part", "name"))
        sample = next(iter(samples_from(query.get("answer", ""))), 0)
        with Store.read(self.runs[number].folder) as store:
            found = whole_text(store, question_id, part, name, sample)
        return None if found is None else visible(found)

    def label(
        self, number: int, context: RequestContext, query: Query = _EMPTY, problem: str | None = None
    ) -> str:
        """The labelling desk: the answer `at`, or the start form. `problem` is the code of a message."""
        run = self.runs[number]
        desk = LabelingDesk(run.folder)
        is_set = desk.is_set
        at = whole_number(query.get("at"), 1, 10**6)
        sheet = (
            desk.sheet(context.annotator, None if at is None else at - 1)
            if context.annotator and is_set
            else None
        )
        if sheet is None:
            values = {"is_set": is_set, "progress": desk.progress(), "sample": _SAMPLE, "problem": problem}
            return self._render("begin", number, context, values)
        rubric, criteria = guide(run.folder, run.language)
        values = {"sheet": sheet, "rubric": rubric, "desk": criteria, "how": desk.how, "problem": problem}
        return self._render("label", number, context, values)

    def calibration(
        self, number: int, context: RequestContext, query: Query = _EMPTY, *, kept: bool = False
    ) -> str:
        """The judge's agreement with the labels."""
        run = self.runs[number]
        values = {"found": run.agreement(), "progress": LabelingDesk(run.folder).progress(), "kept": kept}
        return self._render("calibration", number, context, values)

    def _render(self, name: str, number: int, context: RequestContext, values: dict[str, Any]) -> str:
        run = self.runs[number]
        criteria = values.get("criteria", run.facts().criteria)
        common = {
            "say": words(run.language, "page"),
            "label": labels(run.language, criteria),
            "short_label": short_labels(run.language),
            "shade": shades(criteria),
            "criteria": criteria,
            "language": run.language,
            "runs": self.runs,
            "number": number,
            "here": name,
            "visit": context,
        }
        return self._environment.get_template(f"{name}.html.jinja").render(common | values)


def shades(criteria: Criteria) -> Callable[[str, float], int]:
    """A function from a criterion, or "total", and a score to a shade, from 1 for the lowest score to 5."""
    limits = {one.name: (one.low, one.high) for one in criteria} | {
        TOTAL: (criteria.min_total, criteria.max_total)
    }

    def shade(name: str, score: float) -> int:
        low, high = limits.get(name, (None, None))
        if low is None or high is None:
            return 1
        share = (math.floor(score + 0.5) - low) / (high - low)
        return 1 + min(_SHADES - 1, max(0, math.ceil((_SHADES - 1) * share)))

    return shade


def _score_limits(criteria: Criteria) -> tuple[Number, Number]:
    """The lowest and highest score that any criterion or the total can have."""
    lows = [one.low for one in criteria] + [one for one in (criteria.min_total,) if one is not None]
    highs = [one.high for one in criteria] + [one for one in (criteria.max_total,) if one is not None]
    return min(lows, default=0), max(highs, default=0)


def _head_to_head(summary: Summary, query: Query) -> dict[str, Any]:
    """The grids of the two variants that a URL names, and the lists that their cells link to."""
    variants = [variant.name for variant in summary.variants]
    if len(variants) < 2:
        return {"heads": [], "pair": None}
    a, b = pair_from(query, variants, variants.index(summary.baseline))

    def to_cell(criterion: str, cell: contingency.ContingencyCell) -> str:
        ask = QuestionFilter(a=a, b=b, criterion=criterion)
        bounds = {"alow": cell.a.low, "ahigh": cell.a.high, "blow": cell.b.low, "bhigh": cell.b.high}
        return ask.changed(**bounds).query(variants)

    def to_difference(criterion: str, diff: str) -> str:
        return QuestionFilter(a=a, b=b, criterion=criterion, diff=diff).query(variants)

    return {
        "heads": contingency.pair(summary.heads, variants[a], variants[b]),
        "cells": contingency.cells,
        "pair": (variants[a], variants[b]),
        "to_cell": to_cell,
        "to_difference": to_difference,
    }


def _format_mean(value: float) -> str:
    """A mean of several scores: one decimal, none for an integer."""
    return f"{value:.0f}" if value == int(value) else f"{value:.1f}"


def _snippet(text: str) -> str:
    return one_line(text[: 4 * _SNIPPET], _SNIPPET)


def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup, escape

    from simsa.report.renderers.html import figure

    def shown(value: Any) -> Any:
        return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    def pretty(value: Any) -> str:
        return orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode()

    def breakable(name: str) -> Markup:
        """A name such as mrc_question, which may be broken after its underscores."""
        return escape(visible(name)).replace("_", Markup("_<wbr>"))

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {"pretty": pretty, "breakable": breakable, "figure": figure}
    environment.globals |= {
        "short_names": partial(short_names, cells=_NAME_CELLS),
        "shortened": shortened,
        "snippet": _snippet,
        "letter": letter,
        "cited_passage": cited_passage,
        "count": count,
        "longest": LONGEST,
        "mean": _format_mean,
    }
    return environment
