"""The pages: what is read from a run for each, and the rendering."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from simsa.metrics.citations import parse_citations
from simsa.records import CRITERIA, STATUSES
from simsa.store import Store, analyses, results
from simsa.text import one_line, visible
from simsa.web.asking import DIFFERENCES, TOTAL, Ask
from simsa.web.index import PAGE
from simsa.web.words import page_words

if TYPE_CHECKING:
    from jinja2 import Environment

    from simsa.web.runs import Run

_SNIPPET = 140
_LONGEST = 20_000


class Pages:
    """Renders. Every text that goes into a page is escaped, and what could hide or reorder it is shown."""

    def __init__(self, runs: list[Run]) -> None:
        self.runs = runs
        self._environment = _environment()

    def overview(self, number: int) -> str:
        from simsa.report.grids import grids
        from simsa.report.sentences import headline, judged

        found = self.runs[number].summary.get(wait=3)
        facts: dict[str, Any] = {"summary": found, "waiting": found is None}
        if found is not None:
            facts |= {
                "headline": headline(found),
                "judged": judged(found),
                "grids": grids(found, intervals=True),
            }
        return self._render("overview", number, **facts)

    def questions(self, number: int, ask: Ask) -> str:
        run = self.runs[number]
        index = run.index.get()
        assert index is not None  # waited for
        found = index.find(ask)
        with Store.read(run.folder) as store:
            lines = [(row, self._line(store, row.id)) for row in found.rows]
        pages = max(1, -(-found.n_fitting // PAGE))
        chosen: dict[str, Any] = {
            "types": index.types,
            "statuses": [s for s in STATUSES if s in index.statuses],
        }
        chosen |= {"differences": DIFFERENCES, "criteria": (TOTAL, *CRITERIA)}
        return self._render(
            "questions", number, ask=ask, lines=lines, count=found.n_fitting, pages=pages, **chosen
        )

    def question(self, number: int, question_id: str, ask: Ask, n: int | None) -> str | None:
        """One question; None when the run has none of this id. `n` is its number in the list of `ask`."""
        run = self.runs[number]
        with Store.read(run.folder) as store:
            question = store.question(question_id)
            if question is None:
                return None
            answers = [
                (result, analyses(store, question_id, result.variant))
                for result in results(store, question_id=question_id)
            ]
        cited: dict[int, list[str]] = {}
        for result, _ in answers:
            for passage in parse_citations((result.prediction or "")[:_LONGEST]):
                cited.setdefault(passage, []).append(result.variant)
        before, after = self._neighbours(run, question_id, ask, n)
        return self._render(
            "question",
            number,
            question=question,
            answers=answers,
            cited=cited,
            ask=ask,
            before=before,
            after=after,
        )

    def _neighbours(self, run: Run, question_id: str, ask: Ask, n: int | None) -> tuple[Any, Any]:
        index = run.index.get()
        assert index is not None  # waited for
        if n is None:
            n = index.place(question_id) or 0
        rows = {row.n: row for row in index.find(ask, first=max(0, n - 1), limit=3).rows}
        return rows.get(n - 1), rows.get(n + 1)

    def _line(self, store: Store, question_id: str) -> dict[str, Any]:
        question = store.question(question_id)
        found = {result.variant: result for result in results(store, question_id=question_id)}
        return {"question": one_line(question.question if question else "", _SNIPPET), "results": found}

    def _render(self, name: str, number: int, **facts: Any) -> str:
        run = self.runs[number]
        index = run.index.get()
        page = self._environment.get_template(f"{name}.html.jinja")
        return page.render(
            say=page_words(run.language),
            language=run.language,
            runs=self.runs,
            number=number,
            here=name,
            variants=index.variants if index else (),
            names=CRITERIA,
            snippet=lambda text: one_line(text[: 4 * _SNIPPET], _SNIPPET),
            longest=_LONGEST,
            **facts,
        )


def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    def shown(value: Any) -> Any:
        return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
