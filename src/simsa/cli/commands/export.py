"""`simsa export`: hands a run's results on to other tools."""

from __future__ import annotations

from pathlib import Path

import click

from simsa.cli import console
from simsa.errors import InputError
from simsa.exporters import EXPORTERS, ExportOptions
from simsa.i18n.messages import msg


@click.command(help="export")
@console.run_argument
@click.option(
    "--to",
    required=True,
    type=click.Choice(tuple(EXPORTERS)),
    help="export.to",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="export.out",
)
@click.option(
    "--tracking-uri",
    metavar="URI",
    help="export.tracking_uri",
)
@click.option(
    "--project",
    metavar="NAME",
    default="simsa",
    show_default=True,
    help="export.project",
)
def command(run: Path, to: str, out: Path | None, tracking_uri: str | None, project: str) -> None:
    """Runs `simsa export`. Its help is in the message catalogue."""
    if tracking_uri is not None and to != "mlflow":
        raise InputError(msg("error.cli.only_mlflow_has_one"), field="--tracking-uri", found=tracking_uri)
    folder = console.find_run(run)
    with console.open_run(folder) as store:
        found = EXPORTERS[to].export(store, ExportOptions(folder, out, project, tracking_uri))
        for note in found.notes:
            console.tell(note, store.meta("language", "ko"))
        if found.content is not None:
            console.put(found.content, out)
        for file, content in found.files:
            console.put([content], file)
            click.echo(file)
        for line in found.lines:
            click.echo(line)
        if found.command:
            click.echo(found.command, err=True)
