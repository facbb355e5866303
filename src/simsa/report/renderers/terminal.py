"""The report at a terminal: tables that fit 80 columns and use the room that wider terminals have."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len

from simsa.i18n.language import Language
from simsa.i18n.messages import Words, words
from simsa.report.claim_tables import claim_lines
from simsa.report.format import Grid, TableRow, short_names, shortened
from simsa.report.headline import comparison_headline, headline, judge_lines, unscored_reasons
from simsa.report.renderers import RenderOptions
from simsa.report.summary import summary as summary_of
from simsa.report.tables import difference_grids, grids, metric_grids, other_answers_line, scores_line
from simsa.store import Store
from simsa.text import one_line, visible

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.padding import Padding
    from rich.table import Table

    from simsa.records import Criteria, Question
    from simsa.report.comparisons import ComparisonReport
    from simsa.report.summary_model import Example, ExampleAnswer, Note, Summary

_STYLES = {"good": "green", "bad": "red", "plain": ""}
_WEIGHTS = {"strong": "bold", "sub": "dim", "normal": ""}
# All in cells of the terminal.
_GAP = 2
_MIN_COLUMN = 14
_FIELD_LABEL = 14
_NAME = 24
_LABELS, _LABELS_IF_WIDE, _WIDE = 44, 64, 120
_LONGEST_LABEL = 120
_PASSAGE = 160
_LONGEST = 600


def render_run(store: Store, options: RenderOptions) -> str:
    return render(summary_of(store, options.language), options.width, options.colour)


def render(summary: Summary, width: int = 80, colour: bool = False) -> str:
    """The whole report: the verdict first, then tables, notes, and examples."""
    return _printed(_report(summary, width), width, colour)


def render_examples(
    examples: Iterable[Example], language: Language, width: int = 80, colour: bool = False
) -> str:
    """Questions with their answers, scores and the judge's analysis, a blank line after each."""
    return _printed(_examples(list(examples), language, width), width, colour)


def render_grids(tables: Iterable[Grid], width: int = 80, colour: bool = False) -> str:
    """The tables that have rows, and the names that were too long for their heads."""
    return _printed(_tables(tables, width), width, colour)


def render_comparison(found: ComparisonReport, width: int = 80, colour: bool = False) -> str:
    """Verdicts, differences, and the gates with the figures that decided them."""
    return _printed(_comparison(found, words(found.language), width), width, colour)


def _report(summary: Summary, width: int) -> Iterator[RenderableType]:
    from rich.text import Text

    say = words(summary.language)
    for sentence in headline(summary):
        yield Text(visible(sentence), style="bold")
    yield ""
    for line in judge_lines(summary):
        yield Text(visible(line), style="dim")
    for variant in summary.variants:
        if variant.unscored:
            reasons = unscored_reasons(variant, summary.language)
            yield Text(visible(f"{variant.name} · {say('not_scored', why=reasons)}"), style="yellow")
    detailed = grids(summary, intervals=True)
    names = _shown_names(detailed, width)
    fits = all(len(list(_portions(_with_names(grid, names), width))) == 1 for grid in detailed[:1])
    for grid in detailed if fits else grids(summary):
        yield ""
        yield from _grid(_with_names(grid, names), width)
    yield from _legend(names, before=True)
    yield from _notes(summary.notes, say)
    for example in summary.examples:
        yield ""
        yield from _example(example, summary.language, width, names)


def _comparison(found: ComparisonReport, say: Words, width: int) -> Iterator[RenderableType]:
    from rich.text import Text

    for sentence in comparison_headline(found):
        yield Text(visible(sentence.text), style="bold" if sentence.strong else "")
    shown = [*difference_grids(found), *metric_grids(found)]
    names = _shown_names(shown, width)
    for grid in shown:
        yield ""
        yield from _grid(_with_names(grid, names), width)
    yield from _legend(names, before=True)
    yield from _notes(found.notes, say)
    if found.outcomes:
        yield ""
        yield Text(say("head.gates"), style="bold")
    for outcome in found.outcomes:
        code, style = ("passed", "green") if outcome.passed else ("failed", "red")
        line = f"{say(code)}  {outcome.variant}: {outcome.gate.condition}"
        yield _indented(Text(one_line(line), style=style), _GAP)
        yield _indented(Text(visible(outcome.sentence(found.language))), 8)


def _tables(tables: Iterable[Grid], width: int) -> Iterator[RenderableType]:
    shown = [grid for grid in tables if grid.rows]
    names = _shown_names(shown, width)
    for grid in shown:
        yield from _grid(_with_names(grid, names), width)
        yield ""
    yield from _legend(names, after=True)


def _examples(examples: Sequence[Example], language: Language, width: int) -> Iterator[RenderableType]:
    names = short_names((a.variant for e in examples for a in e.answers), _NAME)
    for example in examples:
        yield from _example(example, language, width, names)
        yield ""
    yield from _legend(names, after=True)


def _shown_names(tables: Iterable[Grid], width: int) -> dict[str, str]:
    """Names of columns as they are shown, whole where they leave room for others."""
    heads = dict.fromkeys(name for grid in tables for name in grid.head)
    return short_names(heads, max(_NAME, width // 4))


def _with_names(grid: Grid, names: Mapping[str, str]) -> Grid:
    return grid._replace(head=tuple(names[name] for name in grid.head))


def _legend(
    names: Mapping[str, str], *, before: bool = False, after: bool = False
) -> Iterator[RenderableType]:
    """The whole of each name that was shortened, with a blank line before or after; nothing where none was."""
    from rich.text import Text

    lines = [f"{short} = {name}" for short, name in shortened(names).items()]
    if lines and before:
        yield ""
    for line in lines:
        yield _indented(Text(line, style="dim", overflow="fold"), _GAP)
    if lines and after:
        yield ""


def _indented(text: RenderableType, cells: int) -> Padding:
    from rich.padding import Padding

    return Padding(text, (0, 0, 0, cells))


def _notes(notes: Sequence[Note], say: Words) -> Iterator[RenderableType]:
    from rich.table import Table
    from rich.text import Text

    if not notes:
        return
    yield ""
    yield Text(say("head.notes"), style="bold")
    listed = Table.grid(padding=(0, 1, 0, 0))
    listed.add_column()
    listed.add_column(overflow="fold")  # else Rich cuts off a word where wide characters fill a line
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
    """Ranges of columns that fit side by side. A column wider than the terminal is folded and stands alone."""
    left = width - _label_width(grid, width)
    needed = _column_widths(grid)
    roomy = [_GAP + max(_MIN_COLUMN, n) for n in needed]
    if sum(roomy) > left >= sum(needed) + _GAP * len(grid.head):
        yield 0, len(grid.head)  # all fit when they are closer together than usual
        return
    first, used = 0, 0
    for place, need in enumerate(roomy):
        if used and used + need > left:
            yield first, place
            first, used = place, 0
        used += need
    if grid.head:
        yield first, len(grid.head)


def _column_widths(grid: Grid) -> list[int]:
    """The width of the widest text of each column."""
    return [
        max(cell_len(one_line(text)) for text in (name, *(row.cells[place].text for row in grid.rows)))
        for place, name in enumerate(grid.head)
    ]


def _label_width(grid: Grid, width: int) -> int:
    """The width of the labels' column: of its widest label, as long as figures keep their room."""
    room = min(_LABELS_IF_WIDE if width >= _WIDE else _LABELS, width - _GAP - _MIN_COLUMN)
    return min(room, max(_indent(row) + cell_len(_label(row)) for row in grid.rows))


def _table(grid: Grid, first: int, last: int, width: int) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 0, 0, _GAP), pad_edge=False, header_style="dim")
    labels = _label_width(grid, width)
    table.add_column("", width=labels, overflow="fold")
    roomy = labels + sum(_GAP + max(_MIN_COLUMN, n) for n in _column_widths(grid)[first:last]) <= width
    least = _MIN_COLUMN if roomy else None
    for name in grid.head[first:last]:
        table.add_column(Text(one_line(name)), justify="right", overflow="fold", min_width=least)
    for row in grid.rows:
        cells = (Text(one_line(c.text), style=_STYLES[c.tone]) for c in row.cells[first:last])
        table.add_row(_indented(Text(_label(row)), _indent(row)), *cells, style=_WEIGHTS[row.weight])
    return table


def _label(row: TableRow) -> str:
    return one_line(row.label, _LONGEST_LABEL)


def _indent(row: TableRow) -> int:
    return 4 if row.weight == "sub" else 2


class _Field(NamedTuple):
    label: str
    text: str
    style: str = ""


def _example(
    example: Example, language: Language, width: int, names: Mapping[str, str]
) -> Iterator[RenderableType]:
    from rich.table import Table
    from rich.text import Text

    say, question = words(language), example.question
    kind = f" · {question.type}" if question.type else ""
    yield Text(one_line(f"{say(f'example.{example.kind}')} · {question.id}{kind}"), style="bold")
    table = Table.grid(padding=(0, _GAP, 0, 0), pad_edge=False)
    table.add_column(max_width=_FIELD_LABEL, overflow="fold", style="bold")
    table.add_column(overflow="fold")
    fields = list(_question_fields(question, say, width))
    for answer in example.answers:
        fields.append(_Field(names.get(answer.variant, answer.variant), _prediction(answer, say)))
        fields += [
            _Field("", text, style) for text, style in _about_answer(answer, language, example.criteria)
        ]
    for label, text, style in fields:
        table.add_row(Text(one_line(label)), Text(text, style=style))
    yield table


def _question_fields(question: Question, say: Words, width: int) -> Iterator[_Field]:
    excerpt = max(_PASSAGE, _PASSAGE * width // 80)  # as many lines at any width
    yield _Field(say("question"), one_line(question.question, _LONGEST))
    for n, passage in enumerate(question.contexts, 1):
        text = f"{passage.title}: {passage.text}" if passage.title else passage.text
        yield _Field(f"[{n}]", one_line(text, excerpt), "dim")
    references = " / ".join(question.reference)
    yield _Field(say("reference"), one_line(references or say("none"), _LONGEST))


def _prediction(answer: ExampleAnswer, say: Words) -> str:
    text = say("no_prediction") if answer.prediction is None else answer.prediction
    return one_line(text, _LONGEST)


def _about_answer(answer: ExampleAnswer, language: Language, criteria: Criteria) -> Iterator[tuple[str, str]]:
    """What is known of an answer, line by line, each with its style."""
    say = words(language)
    if others := other_answers_line(answer, say, criteria):
        yield others, "dim"
    if answer.scores:
        yield scores_line(answer, language, criteria), "cyan"
    if answer.status not in ("scored", "no_prediction"):
        yield say("not_scored", why=say(f"status.{answer.status}")), "yellow"
    if answer.analysis:
        yield one_line(answer.analysis, _LONGEST), "dim"
    for line in claim_lines(answer.claimed, say):
        yield one_line(line.text, _LONGEST), _STYLES[line.tone]


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
    with console.capture() as captured:
        for part in parts:
            console.print(part)
    text = captured.get()
    return text if colour else "\n".join(line.rstrip() for line in text.split("\n"))
