"""A run in MLflow: one MLflow run, with one nested run for each variant."""

from __future__ import annotations

import contextlib
import logging
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from simsa import config
from simsa.errors import EndpointError, InputError, MissingExtra
from simsa.exporters import Export, ExportOptions
from simsa.exporters.tracker_run import REPORT_EXAMPLES, TrackedVariant, output_folder, tags, variants
from simsa.i18n.messages import msg
from simsa.records import content_hash
from simsa.report.renderers import csv_rows, html, markdown
from simsa.report.score_rows import columns, rows
from simsa.report.summary import summary
from simsa.store import Store, criteria_of
from simsa.text import one_line

if TYPE_CHECKING:
    from simsa.report.summary_model import Summary

# MLflow takes these only from the environment. By default it sends telemetry, retries for minutes, and refuses
# folders as a store, even when the user names one.
_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ALLOW_FILE_STORE": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
}
_BATCH = 500
_RESULTS = "simsa.results"


class Exported(NamedTuple):
    """Where the run is. `runs` maps every variant to its MLflow run; `new` is False when it was there before."""

    uri: str
    run_id: str
    runs: Mapping[str, str]
    new: bool


def export_run(store: Store, options: ExportOptions) -> Export:
    uri = options.tracking_uri
    found = export(store, options.out or options.run / "mlflow", uri, options.project)
    code = "export.tracked" if found.new else "export.tracked_before"
    return Export(
        lines=[found.run_id],
        notes=(msg(code, n=len(found.runs), place=_without_password(found.uri)),),
        command=f"mlflow ui --backend-store-uri {found.uri}" if uri is None else "",
    )


def export(store: Store, folder: Path, uri: str | None = None, experiment: str = "simsa") -> Exported:
    """Writes the run into the tracking store at `uri`, by default a SQLite file in `folder`.

    No other address is used, not even that of MLFLOW_TRACKING_URI. The parent run has the report as HTML,
    Markdown and JSON and the rows as CSV; each variant's has parameters, figures, tags, and its rows as a
    table. A run with the same results that is there already is left as it is.

    Raises MissingExtra without MLflow, EndpointError when a server cannot be used, InputError when another
    store cannot.
    """
    for name, value in _SETTINGS.items():
        config.default_environment(name, value)
    with _quiet():
        try:
            from mlflow import MlflowClient
            from mlflow.exceptions import MlflowException
        except ImportError:
            raise MissingExtra("the export to MLflow", "mlflow") from None
        address = uri or f"sqlite:///{output_folder(folder).resolve() / 'mlflow.db'}"
        artifacts = (folder.resolve() / "artifacts").as_uri() if uri is None else None
        try:
            client = MlflowClient(tracking_uri=address, registry_uri=address)
            return _export(client, store, address, experiment, artifacts)
        except MlflowException as error:
            raise _translated(error, address) from None
        except OSError as error:
            raise InputError(
                msg("error.exporters.cannot_written", value=error.strerror or error), where=str(folder)
            ) from None


def _export(client: Any, store: Store, address: str, experiment: str, artifacts: str | None) -> Exported:
    found = summary(store, n_examples=REPORT_EXAMPLES)
    results = content_hash(orjson.dumps(found.to_dict()).decode())
    known = client.get_experiment_by_name(experiment)
    if known is not None and (old := _find(client, known.experiment_id, results)):
        return Exported(address, old[0], old[1], new=False)
    place = (
        known.experiment_id if known else client.create_experiment(experiment, artifact_location=artifacts)
    )
    parent = client.create_run(place, run_name=found.run.id or "simsa", tags=tags(found)).info.run_id
    with _finished(client, parent):
        nested = {one.name: _variant(client, place, parent, one, store) for one in variants(found)}
        _log_files(client, parent, store, found)
        # Set last: only a complete export is found again.
        client.set_tag(parent, _RESULTS, results)
    return Exported(address, parent, nested, new=True)


def _find(client: Any, place: str, results: str) -> tuple[str, dict[str, str]] | None:
    """The finished run with the same results, and those of its variants."""
    parents = client.search_runs([place], f"tags.`{_RESULTS}` = '{results}'", max_results=1)
    if not parents:
        return None
    parent = parents[0].info.run_id
    nested = client.search_runs([place], f"tags.`mlflow.parentRunId` = '{parent}'")
    return parent, {run.data.tags["simsa.variant"]: run.info.run_id for run in reversed(nested)}


def _variant(client: Any, place: str, parent: str, one: TrackedVariant, store: Store) -> str:
    from mlflow.entities import Metric, Param, RunTag

    own_tags = one.tags | {"mlflow.parentRunId": parent}
    run: str = client.create_run(place, run_name=one_line(one.name, 200), tags=own_tags).info.run_id
    with _finished(client, run):
        now = int(time.time() * 1000)
        entries = [Metric(name, value, now, 0) for name, value in one.figures.items()]
        for start in range(0, len(entries), _BATCH):
            client.log_batch(run, metrics=entries[start : start + _BATCH])
        client.log_batch(run, params=[Param(name, value) for name, value in one.params.items()][:_BATCH])
        _log_file(client, run, "rows.json", lambda file: _write_table(file, store, one.name))
        # By this tag MLflow knows that the file is a table; it searches for it with these spaces.
        listed = '[{"path": "rows.json", "type": "table"}]'
        client.log_batch(run, tags=[RunTag("mlflow.loggedArtifacts", listed)])
    return run


def _write_table(file: Path, store: Store, variant: str) -> None:
    """Writes what `mlflow.load_table` reads: the names of the columns, and a list of cells a row."""
    names = columns(criteria_of(store))
    with file.open("wb") as out:
        out.write(b'{"columns":' + orjson.dumps(names) + b',"data":[')
        mine = (row for row in rows(store) if row["variant"] == variant)
        for place, row in enumerate(mine):
            out.write((b",\n" if place else b"\n") + orjson.dumps([row[name] for name in names]))
        out.write(b"\n]}\n")


def _log_files(client: Any, run: str, store: Store, found: Summary) -> None:
    document = orjson.dumps(found.to_dict(), option=orjson.OPT_INDENT_2).decode()
    texts = {"report.html": html.render(found), "report.md": markdown.render(found), "report.json": document}
    for name, text in texts.items():
        client.log_text(run, text.encode("utf-8", "replace").decode(), name)

    def write_rows(file: Path) -> None:
        with file.open("wb") as out:
            out.writelines(csv_rows.render(store))

    _log_file(client, run, "rows.csv", write_rows)


def _log_file(client: Any, run: str, name: str, write: Callable[[Path], object]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / name
        write(file)
        client.log_artifact(run, str(file))


@contextlib.contextmanager
def _finished(client: Any, run: str) -> Iterator[None]:
    """Ends the MLflow run also when an error is raised inside."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(Exception):
            client.set_terminated(run, "FAILED")
        raise
    client.set_terminated(run)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hides MLflow's news about its versions and its log of every step of creating a database."""
    before = logging.root.manager.disable
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            logging.disable(logging.WARNING)
            yield
        finally:
            logging.disable(before)


def _without_password(address: str) -> str:
    return address.rpartition("@")[2]


def _translated(error: Exception, address: str) -> Exception:
    shown = _without_password(address)
    text = one_line(str(error).partition("\n")[0], 200)
    if address.startswith(("http://", "https://")):
        return EndpointError(msg("error.exporters.mlflow_s_server_cannot_used", text=text), where=shown)
    hint = msg("error.exporters.give_sqlite_file_sqlite_path")
    return InputError(
        msg("error.exporters.mlflow_cannot_use_store", text=text),
        field="--tracking-uri",
        found=shown,
        hint=hint,
    )
