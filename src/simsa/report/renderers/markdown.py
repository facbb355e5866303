"""The report as GitHub-flavoured Markdown, for pull requests. Text of models and data stays text."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from simsa.i18n.language import Language
from simsa.i18n.messages import words
from simsa.report.claim_tables import claim_lines
from simsa.report.format import Grid, TableCell, TableRow
from simsa.report.headline import headline, judge_lines, unscored_reasons
from simsa.report.renderers import RenderOptions
from simsa.report.summary import summary as summary_of
from simsa.report.tables import grids, other_answers_line, scores_line
from simsa.store import Store
from simsa.text import one_line

if TYPE_CHECKING:
    from simsa.report.summary_model import Example, Summary

_SPECIAL = re.compile(r"[\\`*_{}\[\]#!|~^$]")
# At the beginning of a line these would make a list, a heading or a rule.
_LINE_START = re.compile(r"^(?:[+\-=]|\d+(?=[.)]))")
_ISSUE = re.compile(r"\b(GH)-(?=\d)", re.IGNORECASE)
_LONGEST = 600


def render_run(store: Store, options: RenderOptions) -> str:
    return render(summary_of(store, options.language))


def render(summary: Summary) -> str:
    """The verdict first, then tables, notes, and examples in collapsed sections."""
    return "\n".join(_lines(summary)) + "\n"


def escape(text: str, limit: int | None = None) -> str:
    """`text` within a line, without any Markdown, HTML, link or @mention coming out of it."""
    marked = _SPECIAL.sub(r"\\\g<0>", html.escape(one_line(text, limit), quote=False))
    # GitHub links bare addresses and notifies names behind an @, unless these are cut apart.
    cut = marked.replace("://", "&#58;//").replace("www", "ww&#119;").replace("@", "@<!-- -->")
    # GitHub links GH-1 to the issue of that number.
    return _ISSUE.sub(r"\1&#45;", cut)


def escape_line(text: str, limit: int | None = None) -> str:
    """`text` at the beginning of a line or list item, where more characters are special."""
    return _LINE_START.sub(lambda found: f"&#{ord(found[0][0])};{found[0][1:]}", escape(text, limit))


def table(grid: Grid) -> str:
    """The table without its title."""
    return "\n".join(_rows(grid))


def _lines(summary: Summary) -> Iterator[str]:
    say = words(summary.language)
    yield f"# {say('title')}"
    for sentence in headline(summary):
        yield f"\n**{escape(sentence)}**"
    yield ""
    yield "  \n".join(escape_line(line) for line in judge_lines(summary))
    for variant in summary.variants:
        if variant.unscored:
            reasons = unscored_reasons(variant, summary.language)
            yield f"\n{escape_line(variant.name)}: {escape(say('not_scored', why=reasons))}"
    for grid in grids(summary):
        yield f"\n## {escape(grid.title)}\n"
        yield from _rows(grid)
    if summary.notes:
        yield f"\n## {say('head.notes')}\n"
        yield from (f"- {escape_line(note.text)}" for note in summary.notes)
    if summary.examples:
        yield f"\n## {say('head.examples')}"
        for example in summary.examples:
            yield from _example(example, summary.language)


def _rows(grid: Grid) -> Iterator[str]:
    yield "| |" + "".join(f" {escape(name)} |" for name in grid.head)
    yield "|:--|" + "--:|" * len(grid.head)
    yield from (_row(row) for row in grid.rows)


def _row(row: TableRow) -> str:
    texts = (escape(row.label), *(_cell(cell) for cell in row.cells))
    bold = "**" if row.weight == "strong" else ""
    return "|" + "".join(f" {bold}{text}{bold} |" for text in texts)


def _cell(cell: TableCell) -> str:
    return escape(cell.text) + {"good": " ▲", "bad": " ▼"}.get(cell.tone, "")


def _example(example: Example, language: Language) -> Iterator[str]:
    say, question = words(language), example.question
    yield f"\n<details><summary>{say(f'example.{example.kind}')}: {escape(question.id, 80)}</summary>\n"
    yield f"- **{say('question')}** {escape(question.question, _LONGEST)}"
    for n, passage in enumerate(question.contexts, 1):
        yield f"- {say('passages')} {n}: {escape(passage.text, _LONGEST)}"
    yield f"- **{say('reference')}** {escape(' / '.join(question.reference) or say('none'), _LONGEST)}"
    for answer in example.answers:
        prediction = say("no_prediction") if answer.prediction is None else answer.prediction
        yield f"- **{escape(answer.variant)}** {escape(prediction, _LONGEST)}"
        if others := other_answers_line(answer, say, example.criteria):
            yield f"  - {escape(others)}"
        if answer.scores:
            yield f"  - {escape(scores_line(answer, language, example.criteria))}"
        if answer.status not in ("scored", "no_prediction"):
            yield f"  - {escape(say('not_scored', why=say(f'status.{answer.status}')))}"
        if answer.analysis:
            yield f"  - {escape_line(answer.analysis, _LONGEST)}"
        yield from (f"  - {escape_line(line.text, _LONGEST)}" for line in claim_lines(answer.claimed, say))
    yield "\n</details>"
