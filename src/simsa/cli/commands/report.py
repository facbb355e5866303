"""`simsa report`: prints or writes the report of a run."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simsa.cli import console
from simsa.errors import InputError

if TYPE_CHECKING:
    from simsa.i18n.language import Language
    from simsa.store import Store

_HTML_EXAMPLES = 5
FORMATS = ("text", "md", "html", "json", "csv", "parquet", "junit")


@click.command(help="report")
@console.run_argument
@console.format_options(FORMATS)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="option.write")
@click.option("--language", type=click.Choice(["ko", "en"]), help="option.language_run")
@click.option("--excel", is_flag=True, help="report.excel")
@console.pager_option
def command(
    run: Path,
    format: str | None,
    as_json: bool,
    out: Path | None,
    language: Language | None,
    excel: bool,
    pager: bool,
) -> None:
    """Runs `simsa report`. Its help is in the message catalogue."""
    chosen = console.chosen(format, as_json)
    if excel and chosen != "csv":
        raise InputError("is for --format csv", field="--excel", found=f"--format {chosen}")
    if chosen == "parquet" and out is None and sys.stdout.isatty():
        raise InputError("is no text for a terminal", field="--format parquet", hint="add --out rows.parquet")
    with console.open_run(run) as store:
        made = _rendered(store, chosen, language, out, excel)
        if chosen == "text" and out is None and isinstance(made, str):
            console.page(made, pager=pager)
        else:
            console.put(made, out)


def _rendered(
    store: Store, format: str, language: Language | None, out: Path | None, excel: bool
) -> str | Iterable[bytes]:
    from simsa.report import summary
    from simsa.report.renderers import csv_rows, html, junit, markdown, parquet_rows, terminal

    match format:
        case "csv":
            return csv_rows.render(store, marked=excel)
        case "parquet":
            return parquet_rows.render(store)
        case "junit":
            return junit.render(store)
        case "json":
            return console.to_json(summary(store, language).to_dict())
        case "md":
            return markdown.render(summary(store, language))
        case "html":
            return html.render(summary(store, language, n_examples=_HTML_EXAMPLES))
    reader = language if out else console.reader(language)
    return terminal.render(summary(store, reader), *console.for_text(out))
