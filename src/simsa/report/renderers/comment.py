"""A comparison as a comment on a pull request: short, folded, and within what GitHub takes."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from simsa.errors import ConfigError
from simsa.i18n.messages import Words, words
from simsa.report.format import Grid, TableCell, TableRow
from simsa.report.headline import of_comparing
from simsa.report.renderers.markdown import escape, opening, table
from simsa.report.tables import difference_grids, metric_grids

if TYPE_CHECKING:
    from simsa.report.comparisons import ComparisonReport

# GitHub takes 65,536 characters; counted as bytes it is the more careful limit.
LIMIT = 65_000
MARK = "<!-- simsa -->"
_LONGEST_SENTENCE = 1_000
_LINK = re.compile(r"https?://[^\s<>()\[\]\"'`\\]+")


def render(found: ComparisonReport, link: str | None = None) -> str:
    """Gates first, then a sentence a variant, the differences, what is worth knowing, and the metrics behind a fold.

    Whatever does not fit in a comment is left out as a whole, and that is said. `link` is
    the address of the full report. Raises ConfigError when it is none. The last line is
    `MARK`, by which a script finds its earlier comment; GitHub does not show it.
    """
    if link is not None and not _LINK.fullmatch(link):
        hint = "give an address that begins with http:// or https://"
        raise ConfigError("is no address", field="--link", found=link, hint=hint)
    say = words(found.language)
    kept: list[str] = []
    cut = say("pr.cut")
    left = LIMIT - len(cut.encode()) - len(MARK) - 4
    for block in _blocks(found, link, say):
        size = len(block.encode("utf-8", "replace")) + 2
        if size > left:
            kept.append(cut)
            break
        kept.append(block)
        left -= size
    return "\n\n".join((*kept, MARK)) + "\n"


def _blocks(found: ComparisonReport, link: str | None, say: Words) -> Iterator[str]:
    """Pieces that stand by themselves: none leaves a table or a fold open for the next."""
    yield f"### simsa: {_title(found, say)}"
    if link:
        yield f'<a href="{html.escape(link)}">{say("pr.link")}</a>'
    for said in of_comparing(found):
        text = said.text
        yield f"**{escape(text, _LONGEST_SENTENCE)}**" if said.strong else opening(text, _LONGEST_SENTENCE)
    if found.outcomes:
        yield table(_gates(found, say))
    for grid in difference_grids(found, say):
        yield f"**{escape(grid.title)}**\n\n{table(grid)}"
    if found.notes:
        notes = "\n".join(f"- {opening(note.text, _LONGEST_SENTENCE)}" for note in found.notes)
        yield f"**{say('head.notes')}**\n\n{notes}"
    for grid in metric_grids(found, say):
        yield f"<details><summary>{escape(grid.title)}</summary>\n\n{table(grid)}\n\n</details>"
    judge = (found.judge or {}).get("model") or say("none")
    yield opening(say("pr.made", runs=", ".join(found.runs), judge=judge))


def _title(found: ComparisonReport, say: Words) -> str:
    failed = sum(not outcome.passed for outcome in found.outcomes)
    if failed:
        return "❌ " + say("pr.failed", n=len(found.outcomes), failed=failed)
    return "✅ " + say("pr.passed", n=len(found.outcomes)) if found.outcomes else say("title")


def _gates(found: ComparisonReport, say: Words) -> Grid:
    rows = [
        TableRow(
            f"{'✅' if outcome.passed else '❌'} {outcome.gate.condition}",
            (TableCell(outcome.variant), TableCell(outcome.sentence(found.language))),
        )
        for outcome in found.outcomes
    ]
    return Grid(say("head.gates"), (say("variant"), say("figure")), tuple(rows))
