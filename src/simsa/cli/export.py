"""`simsa export`: hands a run's results on to other tools."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simsa.cli import console

if TYPE_CHECKING:
    from simsa.store import Store


@click.command()
@console.run_argument
@click.option(
    "--to", required=True, type=click.Choice(["jsonl", "ragas", "inspect"]), help="Who is to read it."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="File to write, stdout by default; for inspect a folder, by default inspect/ in the run's.",
)
def command(run: Path, to: str, out: Path | None) -> None:
    """Hand a run's results on to other tools.

    jsonl has one flat row per question and variant. ragas has the rows of an
    EvaluationDataset, those that have a prediction. inspect writes one eval log per
    variant, for `inspect view`, and prints the files' names.

    \b
    simsa export simsa.simsa --to ragas --out rows.jsonl
    simsa export simsa.toml --to inspect --out logs
    """
    from simsa.report import exporting

    folder = console.find_run(run)
    with console.open_run(folder) as store:
        if to == "inspect":
            _logs(store, out or folder / "inspect")
        else:
            console.put(exporting.jsonl(store) if to == "jsonl" else exporting.ragas(store), out)


def _logs(store: Store, folder: Path) -> None:
    from simsa.report import exporting

    for place, (variant, log) in enumerate(exporting.inspect(store), 1):
        # Numbered: different names may be the same once they are safe for a file system.
        file = folder / f"{place}-{_slug(variant)}.json"
        console.put([log], file)
        click.echo(file)


def _slug(variant: str) -> str:
    return re.sub(r"[^\w.-]+", "-", variant)
