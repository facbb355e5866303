"""`simsa stats`: the statistics of the reports on anybody's scores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from simsa.cli import console

if TYPE_CHECKING:
    from simsa.i18n.language import Language


@click.command(help="stats")
@click.argument("scores", type=click.Path(path_type=Path))
@click.option("--baseline", metavar="NAME", help="option.baseline")
@click.option("--seed", type=int, default=0, show_default=True, help="option.seed")
@click.option("--language", type=click.Choice(["ko", "en"]), help="option.language_locale")
@console.format_options(("text", "json"))
@console.pager_option
def command(
    scores: Path,
    baseline: str | None,
    seed: int,
    language: Language | None,
    format: str | None,
    as_json: bool,
    pager: bool,
) -> None:
    """Runs `simsa stats`. Its help is in the message catalogue."""
    from simsa.config import locale_language
    from simsa.data.score_files import read_scores
    from simsa.report import score_tables
    from simsa.report.renderers.terminal import render_grids
    from simsa.rubrics import built_in_criteria

    chosen = console.chosen(format, as_json)
    table = read_scores(scores, built_in_criteria())
    found = score_tables.statistics_of(table, baseline, seed, where=str(scores))
    if chosen == "json":
        console.print_json(found.to_dict(language or "en"))
        return
    language = language or locale_language()
    sentences = score_tables.conclusions(found, language)
    text = console.as_prose([*sentences, ""]) if sentences else ""
    text += render_grids(score_tables.grids(found, language), *console.terminal())
    text += console.as_prose(score_tables.notes(found, language), bullet="· ")
    console.page(text, pager=pager)
