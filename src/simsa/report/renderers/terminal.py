"""The report at a terminal: tables that fit 80 columns and breathe at 160."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from simsa.i18n.language import Language
from simsa.i18n.messages import Words, words
from simsa.report.claim_tables import claim_lines
from simsa.report.format import Grid, TableRow, short_names, shortened
from simsa.report.headline import headline, judged, of_comparing, unscored
from simsa.report.tables import difference_grids, grids, metric_grids, scores_line, which_line
from simsa.text import one_line, visible

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from simsa.records import Question
    from simsa.report.comparisons import ComparisonReport
    from simsa.report.summary_model import Example, ExampleAnswer, Note, Summary

_STYLES = {"good": "green", "bad": "red", "plain": ""}
_WEIGHTS = {"strong": "bold", "sub": "dim", "normal": ""}
_GAP = 2
_MIN_COLUMN = 14
_LABEL = 14
_NAME = 24
_LABELS, _LABELS_IF_WIDE, _WIDE = 44, 64, 120
_LONGEST_LABEL = 120
_PASSAGE = 160
_LONGEST = 600


class _Field(NamedTuple):
    label: str
    text: str
    style: str = ""


def render(summary: Summary, width: int = 80, colour: bool = False) -> str:
    """The whole report: the verdict first, then tables, what is worth knowing, and examples."""
    say = words(summary.language)
    return _printed(_report(summary, say, width), width, colour)


def render_examples(
    examples: Iterable[Example], language: Language, width: int = 80, colour: bool = False
) -> str:
    """Questions with their answers, scores and the judge's words, a blank line after each."""
    return _printed(_examples(list(examples), words(language), width), width, colour)


def render_grids(tables: Iterable[Grid], width: int = 80, colour: bool = False) -> str:
    return _printed(_side_by_side(tables, width), width, colour)


def _side_by_side(tables: Iterable[Grid], width: int) -> Iterator[RenderableType]:
    """The tables that have rows, and then the names that were too long for their heads."""
    shown = [grid for grid in tables if grid.rows]
    names = _names(shown, width)
    for grid in shown:
        yield from _grid(_under(names, grid), width)
        yield ""
    if legend := list(_legend(names)):
        yield from legend
        yield ""


def render_comparing(found: ComparisonReport, width: int = 80, colour: bool = False) -> str:
    """Verdicts, differences, and the gates with the figures that decided."""
    return _printed(_comparing(found, words(found.language), width), width, colour)


def _comparing(found: ComparisonReport, say: Words, width: int) -> Iterator[RenderableType]:
    from rich.padding import Padding
    from rich.text import Text

    for said in of_comparing(found):
        yield Text(visible(said.text), style="bold" if said.strong else "")
    shown = [*difference_grids(found, say), *metric_grids(found, say)]
    names = _names(shown, width)
    for grid in shown:
        yield ""
        yield from _grid(_under(names, grid), width)
    yield from _after_tables(names)
    yield from _notes(found.notes, say)
    if found.outcomes:
        yield ""
        yield Text(say("head.gates"), style="bold")
    for outcome in found.outcomes:
        word, style = ("passed", "green") if outcome.passed else ("failed", "red")
        line = f"{say(word)}  {outcome.variant}: {outcome.gate.condition}"
        yield Padding(Text(one_line(line), style=style), (0, 0, 0, _GAP))
        yield Padding(Text(visible(outcome.sentence(found.language))), (0, 0, 0, 8))


def _report(summary: Summary, say: Words, width: int) -> Iterator[RenderableType]:
    from rich.text import Text

    for sentence in headline(summary):
        yield Text(visible(sentence), style="bold")
    yield ""
    for line in judged(summary):
        yield Text(visible(line), style="dim")
    for variant in summary.variants:
        if variant.unscored:
            reasons = unscored(variant, summary.language)
            yield Text(visible(f"{variant.name} · {say('not_scored', why=reasons)}"), style="yellow")
    detailed = grids(summary, intervals=True)
    names = _names(detailed, width)
    fits = all(len(list(_portions(_under(names, grid), width))) == 1 for grid in detailed[:1])
    for grid in detailed if fits else grids(summary):
        yield ""
        yield from _grid(_under(names, grid), width)
    yield from _after_tables(names)
    yield from _notes(summary.notes, say)
    for example in summary.examples:
        yield ""
        yield from _example(example, say, width, names)


def _examples(examples: Sequence[Example], say: Words, width: int) -> Iterator[RenderableType]:
    names = short_names((a.variant for e in examples for a in e.answers), _NAME)
    for example in examples:
        yield from _example(example, say, width, names)
        yield ""
    if legend := list(_legend(names)):
        yield from legend
        yield ""


def _names(tables: Iterable[Grid], width: int) -> dict[str, str]:
    """What stands over the columns: names of variants, whole where they leave room for others."""
    heads = dict.fromkeys(name for grid in tables for name in grid.head)
    return short_names(heads, max(_NAME, width // 4))


def _under(names: Mapping[str, str], grid: Grid) -> Grid:
    return grid._replace(head=tuple(names[name] for name in grid.head))


def _after_tables(names: Mapping[str, str]) -> Iterator[RenderableType]:
    if legend := list(_legend(names)):
        yield ""
        yield from legend


def _legend(names: Mapping[str, str]) -> Iterator[RenderableType]:
    """The whole of each name that was shortened."""
    from rich.padding import Padding
    from rich.text import Text

    for short, name in shortened(names).items():
        yield Padding(Text(f"{short} = {name}", style="dim", overflow="fold"), (0, 0, 0, _GAP))


def _notes(notes: Sequence[Note], say: Words) -> Iterator[RenderableType]:
    from rich.table import Table
    from rich.text import Text

    if not notes:
        return
    yield ""
    yield Text(say("head.notes"), style="bold")
    listed = Table.grid(padding=(0, 1, 0, 0))
    listed.add_column()
    listed.add_column(overflow="fold")  # else Rich cuts off a word where wide ones fill a line to its end
    for note in notes:
        listed.add_row("·", Text(one_line(note.text)))
    yield listed


def _grid(grid: Grid, width: int) -> Iterator[RenderableType]:
    from rich.text import Text

    if not grid.rows:
        return
    yield Text(visible(grid.title), style="bold")
    for first, last in _portions(grid, width):
        yield _table(grid, first, last, width)


def _portions(grid: Grid, width: int) -> Iterator[tuple[int, int]]:
    """Runs of columns that fit side by side; a column that fits nowhere stands alone, folded."""
    left = width - _labels(grid, width)
    widths = [_GAP + max(_MIN_COLUMN, width) for width in _columns(grid)]
    if sum(widths) > left >= sum(_columns(grid)) + _GAP * len(grid.head):
        yield 0, len(grid.head)  # all of them side by side, if closer than is usual
        return
    first, used = 0, 0
    for place, need in enumerate(widths):
        if used and used + need > left:
            yield first, place
            first, used = place, 0
        used += need
    if grid.head:
        yield first, len(grid.head)


def _columns(grid: Grid) -> list[int]:
    """How wide the widest text of each column is, in cells."""
    from rich.cells import cell_len

    return [
        max(cell_len(one_line(text)) for text in (name, *(row.cells[place].text for row in grid.rows)))
        for place, name in enumerate(grid.head)
    ]


def _labels(grid: Grid, width: int) -> int:
    """How wide the column of labels is, in cells: as its widest, but figures keep their room. Longer ones are folded."""
    from rich.cells import cell_len

    room = min(_LABELS_IF_WIDE if width >= _WIDE else _LABELS, width - _GAP - _MIN_COLUMN)
    return min(room, max(_indent(row) + cell_len(_label(row)) for row in grid.rows))


def _table(grid: Grid, first: int, last: int, width: int) -> Table:
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 0, 0, _GAP), pad_edge=False, header_style="dim")
    labels = _labels(grid, width)
    table.add_column("", width=labels, overflow="fold")
    roomy = labels + sum(_GAP + max(_MIN_COLUMN, n) for n in _columns(grid)[first:last]) <= width
    least = _MIN_COLUMN if roomy else None
    for name in grid.head[first:last]:
        table.add_column(Text(one_line(name)), justify="right", overflow="fold", min_width=least)
    for row in grid.rows:
        cells = (Text(one_line(c.text), style=_STYLES[c.tone]) for c in row.cells[first:last])
        table.add_row(Padding(Text(_label(row)), (0, 0, 0, _indent(row))), *cells, style=_WEIGHTS[row.weight])
    return table


def _label(row: TableRow) -> str:
    return one_line(row.label, _LONGEST_LABEL)


def _indent(row: TableRow) -> int:
    return 4 if row.weight == "sub" else 2


def _example(example: Example, say: Words, width: int, names: Mapping[str, str]) -> Iterator[RenderableType]:
    from rich.table import Table
    from rich.text import Text

    question = example.question
    kind = f" · {question.type}" if question.type else ""
    yield Text(one_line(f"{say(f'example.{example.kind}')} · {question.id}{kind}"), style="bold")
    table = Table.grid(padding=(0, _GAP, 0, 0), pad_edge=False)
    table.add_column(max_width=_LABEL, overflow="fold", style="bold")
    table.add_column(overflow="fold")
    for label, text, style in (*_question(question, say, width), *_answers(example.answers, say, names)):
        table.add_row(Text(one_line(label)), Text(text, style=style))
    yield table


def _question(question: Question, say: Words, width: int) -> Iterator[_Field]:
    excerpt = max(_PASSAGE, _PASSAGE * width // 80)  # the same few lines, however long a line is
    yield _Field(say("question"), one_line(question.question, _LONGEST))
    for n, passage in enumerate(question.contexts, 1):
        text = f"{passage.title}: {passage.text}" if passage.title else passage.text
        yield _Field(f"[{n}]", one_line(text, excerpt), "dim")
    references = " / ".join(question.reference)
    yield _Field(say("reference"), one_line(references or say("none"), _LONGEST))


def _answers(answers: Iterable[ExampleAnswer], say: Words, names: Mapping[str, str]) -> Iterator[_Field]:
    """Each prediction beside its variant's name, then its scores, then what the judge said of it."""
    for answer in answers:
        said = say("no_prediction") if answer.prediction is None else answer.prediction
        yield _Field(names.get(answer.variant, answer.variant), one_line(said, _LONGEST))
        if which := which_line(answer, say):
            yield _Field("", which, "dim")
        if answer.scores:
            yield _Field("", scores_line(answer, say), "cyan")
        if answer.status not in ("scored", "no_prediction"):
            yield _Field("", say("not_scored", why=say(f"status.{answer.status}")), "yellow")
        if answer.analysis:
            yield _Field("", one_line(answer.analysis, _LONGEST), "dim")
        for line in claim_lines(answer.claimed, say):
            yield _Field("", one_line(line.text, _LONGEST), _STYLES[line.tone])


def _printed(parts: Iterable[RenderableType], width: int, colour: bool) -> str:
    from rich.console import Console

    console = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=colour,
        color_system="standard" if colour else None,
        no_color=not colour,
        legacy_windows=False,
        markup=False,
        emoji=False,
        highlight=False,
    )
    for part in parts:
        console.print(part)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    return text if colour else "\n".join(line.rstrip() for line in text.split("\n"))
