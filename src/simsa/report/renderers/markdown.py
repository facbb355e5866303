"""The report as GitHub-flavoured Markdown, for pull requests. Text of models and data stays text."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from simsa.i18n.messages import Words, words
from simsa.report.claim_tables import claim_lines
from simsa.report.format import Grid, TableCell, TableRow
from simsa.report.headline import headline, judged, unscored
from simsa.report.tables import grids, scores_line, which_line
from simsa.text import one_line

if TYPE_CHECKING:
    from simsa.report.summary_model import Example, Summary

_MARKS = re.compile(r"[\\`*_{}\[\]#!|~^$]")
# At the beginning of a line these would make a list, a heading or a rule.
_OPENING = re.compile(r"^(?:[+\-=]|\d+(?=[.)]))")
_ISSUE = re.compile(r"\b(GH)-(?=\d)", re.IGNORECASE)
_LONGEST = 600


def render(summary: Summary) -> str:
    """The verdict first, then tables, what is worth knowing, and examples behind a fold."""
    return "\n".join(_lines(summary)) + "\n"


def escape(text: str, limit: int | None = None) -> str:
    """`text` within a line, such that no Markdown, HTML, link or @mention comes out of it."""
    plain = html.escape(one_line(text, limit), quote=False)
    marked = _MARKS.sub(r"\\\g<0>", plain)
    # Bare addresses become links, and names behind an @ are called, unless they are cut apart.
    cut = marked.replace("://", "&#58;//").replace("www", "ww&#119;").replace("@", "@<!-- -->")
    # GH-1 is the issue of that number.
    return _ISSUE.sub(r"\1&#45;", cut)


def opening(text: str, limit: int | None = None) -> str:
    """`text` at the beginning of a line or list item, where more characters mean something."""
    return _OPENING.sub(_entity, escape(text, limit))


def _entity(found: re.Match[str]) -> str:
    return f"&#{ord(found[0][0])};{found[0][1:]}"


def _lines(summary: Summary) -> Iterator[str]:
    say = words(summary.language)
    yield f"# {say('title')}"
    for sentence in headline(summary):
        yield f"\n**{escape(sentence)}**"
    yield ""
    yield "  \n".join(opening(line) for line in judged(summary))
    for variant in summary.variants:
        if variant.unscored:
            reasons = unscored(variant, summary.language)
            yield f"\n{opening(variant.name)}: {escape(say('not_scored', why=reasons))}"
    for grid in grids(summary):
        yield from _table(grid)
    if summary.notes:
        yield f"\n## {say('head.notes')}\n"
        yield from (f"- {opening(note.text)}" for note in summary.notes)
    if summary.examples:
        yield f"\n## {say('head.examples')}"
        for example in summary.examples:
            yield from _example(example, say)


def table(grid: Grid) -> str:
    """The table alone, without its title."""
    return "\n".join(_rows(grid))


def _table(grid: Grid) -> Iterator[str]:
    yield f"\n## {escape(grid.title)}\n"
    yield from _rows(grid)


def _rows(grid: Grid) -> Iterator[str]:
    yield "| |" + "".join(f" {escape(name)} |" for name in grid.head)
    yield "|:--|" + "--:|" * len(grid.head)
    yield from (_row(row) for row in grid.rows)


def _row(row: TableRow) -> str:
    def cell(text: str) -> str:
        return f" **{text}** |" if row.weight == "strong" else f" {text} |"

    return "|" + cell(escape(row.label)) + "".join(cell(_toned(found)) for found in row.cells)


def _toned(cell: TableCell) -> str:
    mark = {"good": " ▲", "bad": " ▼"}.get(cell.tone, "")
    return escape(cell.text) + mark


def _example(example: Example, say: Words) -> Iterator[str]:
    question = example.question
    yield f"\n<details><summary>{say(f'example.{example.kind}')}: {escape(question.id, 80)}</summary>\n"
    yield f"- **{say('question')}** {escape(question.question, _LONGEST)}"
    for n, passage in enumerate(question.contexts, 1):
        yield f"- {say('passages')} {n}: {escape(passage.text, _LONGEST)}"
    yield f"- **{say('reference')}** {escape(' / '.join(question.reference) or say('none'), _LONGEST)}"
    for answer in example.answers:
        said = say("no_prediction") if answer.prediction is None else answer.prediction
        yield f"- **{escape(answer.variant)}** {escape(said, _LONGEST)}"
        if which := which_line(answer, say):
            yield f"  - {escape(which)}"
        if answer.scores:
            yield f"  - {escape(scores_line(answer, say))}"
        if answer.status not in ("scored", "no_prediction"):
            yield f"  - {escape(say('not_scored', why=say(f'status.{answer.status}')))}"
        if answer.analysis:
            yield f"  - {opening(answer.analysis, _LONGEST)}"
        yield from (f"  - {opening(line.text, _LONGEST)}" for line in claim_lines(answer.claimed, say))
    yield "\n</details>"
