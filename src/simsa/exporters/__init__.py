"""Exports of a run to other tools. Each is one file in this package with a function `export_run`.

To add an export, write such a file and add one line to the table below, or call `register` from elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from simsa.i18n.language import LocalizedText
    from simsa.store import Store


class ExportOptions(NamedTuple):
    """What a caller may ask of an export; each ignores what it has no use for.

    `run` is the run's folder, `out` the file or folder to write into, None by default. `project` names
    the experiment or project in a tracker, `tracking_uri` the address of MLflow's store.
    """

    run: Path
    out: Path | None = None
    project: str = "simsa"
    tracking_uri: str | None = None


class Export(NamedTuple):
    """The result of an export. Iterables are consumed once, while the store is open.

    `content` is one stream of bytes for `out` or stdout, `files` are files to write, `lines` name what was
    written already. `notes` and `command` are for people: a command that shows the result.
    """

    content: Iterable[bytes] | None = None
    files: Iterable[tuple[Path, bytes]] = ()
    lines: Iterable[str] = ()
    notes: tuple[LocalizedText, ...] = ()
    command: str = ""


class Exporter(NamedTuple):
    """An export: the name that `simsa export --to` takes, and its function."""

    name: str
    export: Callable[[Store, ExportOptions], Export]


EXPORTERS: Final[dict[str, Exporter]] = {}
"""Every registered export by name, in the order of `simsa export --help`."""


def register(exporter: Exporter) -> None:
    """Adds an export, or replaces the one of the same name."""
    EXPORTERS[exporter.name] = exporter


def _in_module(name: str) -> Callable[[Store, ExportOptions], Export]:
    """`export_run` of a module of this package, imported when it is first used."""

    def export(store: Store, options: ExportOptions) -> Export:
        found: Export = import_module(f"{__name__}.{name}").export_run(store, options)
        return found

    return export


for _exporter in (
    Exporter("jsonl", _in_module("jsonl_rows")),
    Exporter("ragas", _in_module("ragas_rows")),
    Exporter("inspect", _in_module("inspect_log")),
    Exporter("mlflow", _in_module("mlflow_export")),
    Exporter("wandb", _in_module("wandb_export")),
):
    register(_exporter)
