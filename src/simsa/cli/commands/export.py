"""`simsa export`: hands a run's results on to other tools."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from simsa.cli import console
from simsa.errors import InputError
from simsa.i18n.language import Language
from simsa.i18n.messages import msg

if TYPE_CHECKING:
    from simsa.store import Store


@click.command(help="export")
@console.run_argument
@click.option(
    "--to",
    required=True,
    type=click.Choice(["jsonl", "ragas", "inspect", "mlflow", "wandb"]),
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
        raise InputError("only --to mlflow has one", field="--tracking-uri", found=tracking_uri)
    folder = console.find_run(run)
    with console.open_run(folder) as store:
        match to:
            case "inspect":
                _logs(store, out or folder / "inspect")
            case "mlflow":
                _mlflow(store, out or folder / "mlflow", tracking_uri, project)
            case "wandb":
                _wandb(store, out or folder, project)
            case _:
                from simsa.exporters import row_formats

                if to == "ragas" and not store.count("answers"):
                    console.tell(msg("export.none", run=str(folder)), store.meta("language", "ko"))
                console.put(row_formats.jsonl(store) if to == "jsonl" else row_formats.ragas(store), out)


def _mlflow(store: Store, folder: Path, uri: str | None, project: str) -> None:
    from simsa.exporters import mlflow_export

    found = mlflow_export.export(store, folder, uri, project)
    click.echo(found.run_id)
    key = "export.tracked" if found.new else "export.tracked_before"
    language: Language = store.meta("language", "ko")
    console.tell(msg(key, n=len(found.runs), place=found.uri.rpartition("@")[2]), language)
    if uri is None:
        click.echo(f"mlflow ui --backend-store-uri {found.uri}", err=True)


def _wandb(store: Store, folder: Path, project: str) -> None:
    from simsa.exporters import wandb_export

    for made in wandb_export.export(store, folder, project):
        click.echo(made)


def _logs(store: Store, folder: Path) -> None:
    from simsa.exporters import row_formats

    for name, log in row_formats.inspect(store):
        file = folder / name
        console.put([log], file)
        click.echo(file)
