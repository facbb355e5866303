"""A comparison as a comment on a pull request: short, collapsed, and within GitHub's limit."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from simsa.errors import ConfigError
from simsa.i18n.messages import Words, msg, words
from simsa.report.format import Grid, TableRow
from simsa.report.headline import comparison_headline
from simsa.report.renderers.markdown import escape, escape_line, table
from simsa.report.tables import difference_grids, metric_grids

if TYPE_CHECKING:
    from simsa.report.comparisons import ComparisonReport

# GitHub takes 65,536 characters; counting bytes instead is the stricter limit.
LIMIT = 65_000
MARK = "<!-- simsa -->"
_LONGEST_SENTENCE = 1_000
_ADDRESS = re.compile(r"https?://[^\s<>()\[\]\"'`\\]+")


def render(found: ComparisonReport, link: str | None = None) -> str:
    """Gates first, then a sentence a variant, the differences, notes, and the metrics in a collapsed section.

    Blocks that exceed the limit of a comment are left out whole, and the comment says so. `link` is the
    address of the full report; raises ConfigError when it is not an http(s) address. The last line is
    `MARK`, by which a script finds its earlier comment; GitHub does not show it.
    """
    if link is not None and not _ADDRESS.fullmatch(link):
        hint = msg("error.renderers.give_address_begins_http_or")
        raise ConfigError(msg("error.renderers.is_not_address"), field="--link", found=link, hint=hint)
    say = words(found.language)
    kept: list[str] = []
    cut = say("pr.cut")
    left = LIMIT - len(cut.encode()) - len(MARK) - 4
    for block in _blocks(found, link, say):
        left -= len(block.encode("utf-8", "replace")) + 2
        if left < 0:
            kept.append(cut)
            break
        kept.append(block)
    return "\n\n".join((*kept, MARK)) + "\n"


def _blocks(found: ComparisonReport, link: str | None, say: Words) -> Iterator[str]:
    """Complete pieces of Markdown: none leaves a table or a collapsed section open for the next."""
    yield f"### simsa: {_title(found, say)}"
    if link:
        yield f'<a href="{html.escape(link)}">{say("pr.link")}</a>'
    for sentence in comparison_headline(found):
        text = sentence.text
        is_strong = sentence.strong
        yield f"**{escape(text, _LONGEST_SENTENCE)}**" if is_strong else escape_line(text, _LONGEST_SENTENCE)
    if found.outcomes:
        yield table(_gates(found, say))
    for grid in difference_grids(found):
        yield f"**{escape(grid.title)}**\n\n{table(grid)}"
    if found.notes:
        notes = "\n".join(f"- {escape_line(note.text, _LONGEST_SENTENCE)}" for note in found.notes)
        yield f"**{say('head.notes')}**\n\n{notes}"
    for grid in metric_grids(found):
        yield f"<details><summary>{escape(grid.title)}</summary>\n\n{table(grid)}\n\n</details>"
    judge = (found.judge or {}).get("model") or say("none")
    yield escape_line(say("pr.made", runs=", ".join(found.runs), judge=judge))


def _title(found: ComparisonReport, say: Words) -> str:
    failed = sum(not outcome.passed for outcome in found.outcomes)
    if failed:
        return "❌ " + say("pr.failed", n=len(found.outcomes), failed=failed)
    return "✅ " + say("pr.passed", n=len(found.outcomes)) if found.outcomes else say("title")


def _gates(found: ComparisonReport, say: Words) -> Grid:
    rows = [
        TableRow.of(
            f"{'✅' if outcome.passed else '❌'} {outcome.gate.condition}",
            (outcome.variant, outcome.sentence(found.language)),
        )
        for outcome in found.outcomes
    ]
    return Grid.of(say("head.gates"), (say("variant"), say("figure")), rows)
