"""`simsa metrics`: deterministic metrics of a file of predictions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import tee
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from simsa.cli import console
from simsa.errors import DataError
from simsa.i18n.language import Language, LocalizedText, localize
from simsa.i18n.messages import label, msg
from simsa.text import count

if TYPE_CHECKING:
    from simsa.data import PredictionRow
    from simsa.records import Question
    from simsa.report.format import Grid

SCHEMA = "simsa.metrics/1"


@dataclass(slots=True)
class Tally:
    """Sums over the rows of one variant.

    `n_missing` rows have no prediction and take no part; `n_unreferenced` count as answerable
    but have no reference, or an empty one.
    """

    n: int = 0
    n_missing: int = 0
    n_unreferenced: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    abstentions: list[tuple[bool, bool]] = field(default_factory=list)

    def add(self, figures: dict[str, float | None], row: PredictionRow) -> None:
        self.n += 1
        self.n_unreferenced += row.answerable and not row.reference
        self.abstentions.append((row.answerable, figures["abstained"] == 1))
        for name, value in figures.items():
            self.counts.setdefault(name, 0)
            if value is not None:
                self.sums[name] = self.sums.get(name, 0.0) + value
                self.counts[name] += 1

    def to_dict(self) -> dict[str, Any]:
        """Means with the rows that each rests on; None where no row has the metric, with the reason."""
        from simsa.metrics.abstention import AbstentionTable
        from simsa.metrics.registry import METRICS

        means = {
            name: self.sums[name] / self.counts[name] if self.counts.get(name) else None for name in METRICS
        }
        return {
            "n": self.n,
            "n_missing": self.n_missing,
            "means": means,
            "counts": {name: self.counts.get(name, 0) for name in METRICS},
            "abstention": AbstentionTable.of(self.abstentions).to_dict(),
            "notes": self._notes(means),
        }

    def _notes(self, means: dict[str, float | None]) -> list[str]:
        notes: list[str] = [
            msg("metrics.nothing", name=LocalizedText(name, label(name, "ko")))
            for name, mean in means.items()
            if mean is None
        ]
        if self.n_unreferenced:
            notes.append(msg("metrics.unreferenced", n=self.n_unreferenced))
        return notes


@click.command(help="metrics")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="metrics.out")
@click.option("--language", type=click.Choice(["ko", "en"]), help="option.language_locale")
@console.format_options(("text", "json"))
@console.pager_option
def command(
    file: Path,
    out: Path | None,
    language: Language | None,
    format: str | None,
    as_json: bool,
    pager: bool,
) -> None:
    """Runs `simsa metrics`. Its help is in the message catalogue."""
    chosen = console.chosen(format, as_json)
    tallies: dict[str | None, Tally] = {}
    lines = _measured(file, tallies)
    if out is None:
        for _ in lines:
            pass
    else:
        console.put(lines, out)
    if chosen == "json":
        console.print_json(to_dict(tallies))
        return
    from simsa.config import locale_language
    from simsa.report.renderers.terminal import render_grids

    reader = language or locale_language()
    said = render_grids(_grids(tallies, reader), *console.terminal())
    notes = _together(tallies).to_dict()["notes"]
    said += console.as_prose((localize(note, reader) for note in notes), bullet="· ")
    console.page(said, pager=pager)


def to_dict(tallies: dict[str | None, Tally]) -> dict[str, Any]:
    """The JSON document: schema `simsa.metrics/1`, and one block a variant where the file names any."""
    variants = {name: tally.to_dict() for name, tally in tallies.items() if name is not None}
    document = {"schema": SCHEMA, **_together(tallies).to_dict()}
    return document | ({"variants": variants} if variants else {})


def _measured(file: Path, tallies: dict[str | None, Tally]) -> Iterator[bytes]:
    """One JSON line a row with a prediction, in the file's order; `tallies` grows on the way."""
    from simsa.metrics.registry import score_rows

    refusals = _refusals(file)
    answered, to_score = tee(_answered(file, tallies))
    scored = score_rows(((row.prediction or "", _question(row)) for row in to_score), refusals)
    for row, figures in zip(answered, scored, strict=True):
        tallies[row.variant].add(figures, row)
        named = {} if row.variant is None else {"variant": row.variant}
        which = {} if row.sample is None else {"sample": row.sample}
        yield orjson.dumps({"id": row.question_id, **named, **figures, **which}) + b"\n"


def _refusals(file: Path) -> tuple[str, ...]:
    """A first look at the file: how the data itself declines. Raises DataError when no row has a reference."""
    from simsa.metrics.abstention import refusals_of

    found: dict[str, None] = {}
    referenced = False
    for row in _rows(file):
        referenced = referenced or bool(row.reference) or not row.answerable
        found.update(dict.fromkeys(refusals_of([_question(row)])))
    if not referenced:
        raise DataError(
            msg("error.cli.no_row_has_reference"),
            where=str(file),
            hint=msg("error.cli.write_expected_answer_reference_or"),
        )
    return tuple(found)


def _answered(file: Path, tallies: dict[str | None, Tally]) -> Iterator[PredictionRow]:
    for row in _rows(file):
        tally = tallies.setdefault(row.variant, Tally())
        if row.prediction is None:
            tally.n_missing += 1
        else:
            yield row


def _rows(file: Path) -> Iterator[PredictionRow]:
    from simsa.data import read_predictions

    return read_predictions(file, numbered=True)


def _question(row: PredictionRow) -> Question:
    from simsa.records import Question

    return Question(
        id=row.question_id,
        question="",
        contexts=row.contexts,
        reference=row.reference,
        answerable=row.answerable,
        citations=row.citations,
    )


def _together(tallies: dict[str | None, Tally]) -> Tally:
    whole = Tally()
    for tally in tallies.values():
        whole.n += tally.n
        whole.n_missing += tally.n_missing
        whole.n_unreferenced += tally.n_unreferenced
        whole.abstentions += tally.abstentions
        for name, n in tally.counts.items():
            whole.counts[name] = whole.counts.get(name, 0) + n
            whole.sums[name] = whole.sums.get(name, 0.0) + tally.sums.get(name, 0.0)
    return whole


def _grids(tallies: dict[str | None, Tally], language: Language) -> Iterable[Grid]:
    from simsa.i18n.messages import words
    from simsa.metrics.registry import METRICS
    from simsa.report.format import Grid, TableCell, TableRow, format_fixed, label

    say = words(language)

    def title(key: str) -> str:
        return localize(msg(f"metrics.{key}"), language)

    head = tuple(title("all") if name is None else name for name in tallies)
    of_each = [tally.to_dict() for tally in tallies.values()]
    rows = [
        TableRow(
            label(say, name),
            tuple(
                TableCell(
                    f"{format_fixed(d['means'][name], METRICS[name].decimals)} ({count(d['counts'][name])})"
                )
                for d in of_each
            ),
        )
        for name in METRICS
        if any(d["counts"][name] for d in of_each)
    ]
    rows.append(
        TableRow(
            title("rows"),
            tuple(TableCell(f"{count(d['n'])} · {count(d['n_missing'])}") for d in of_each),
            "sub",
        )
    )
    yield Grid(title("title"), head, tuple(rows))
    if any(not answerable for tally in tallies.values() for answerable, _ in tally.abstentions):
        tables = [d["abstention"] for d in of_each]
        names = ("precision", "recall", "f1", "over_refusal_rate")
        yield Grid(
            title("abstention"),
            head,
            tuple(
                TableRow(title(name), tuple(TableCell(format_fixed(t[name], 3)) for t in tables))
                for name in names
            ),
        )
