"""`simsa report`: prints or writes the report of a run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simsa.cli import console
from simsa.errors import InputError
from simsa.i18n.messages import msg
from simsa.report.renderers import RENDERERS, RenderOptions, renderer_for

if TYPE_CHECKING:
    from simsa.i18n.language import Language


@click.command(help="report")
@console.run_argument
@console.format_options(tuple(RENDERERS))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="report.out")
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
    by_suffix = renderer_for(out) if out else None
    chosen = RENDERERS[console.chosen(format, as_json, by_suffix.name if by_suffix else "text")]
    if excel and chosen.name != "csv":
        raise InputError(msg("error.cli.is_format_csv"), field="--excel", found=f"--format {chosen.name}")
    if chosen.is_binary and out is None and sys.stdout.isatty():
        hint = msg("error.cli.add_out_report", value=chosen.suffixes[0])
        raise InputError(msg("error.cli.is_no_text_terminal"), field=f"--format {chosen.name}", hint=hint)
    is_for_terminal = chosen.name == "text" and out is None
    if is_for_terminal:
        language = console.reader(language)
    width, colour = console.for_text(out)
    with console.open_run(run) as store:
        made = chosen.render(store, RenderOptions(language, width, colour, byte_order_mark=excel))
        if is_for_terminal and isinstance(made, str):
            console.page(made, pager=pager)
        else:
            console.put(made, out)
