"""A run handed to MLflow: one MLflow run, and inside it one for each variant."""

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
from simsa.exporters import tracker_run
from simsa.records import content_hash
from simsa.report.renderers import csv_rows, html, markdown
from simsa.report.score_rows import COLUMNS, rows
from simsa.report.summary import summary
from simsa.store import Store
from simsa.text import one_line

if TYPE_CHECKING:
    from simsa.report.summary_model import Summary

# MLflow takes them from nowhere but the environment. It reports home and retries for minutes by
# default, and refuses folders as a store, which whoever names one has chosen.
_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ALLOW_FILE_STORE": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
}
_N_EXAMPLES = 5
_BATCH = 500
_RESULTS = "simsa.results"


class Exported(NamedTuple):
    """Where it went. `runs` maps every variant to its MLflow run; `new` is False when all of it was there."""

    uri: str
    run_id: str
    runs: Mapping[str, str]
    new: bool


def export(store: Store, folder: Path, uri: str | None = None, experiment: str = "simsa") -> Exported:
    """Writes the run into the tracking store at `uri`, by default a SQLite file in `folder`.

    No other address is used, whatever MLFLOW_TRACKING_URI says. The parent run has the
    differences' figures, the report as HTML, Markdown and JSON, and the rows as CSV; each variant's
    has parameters, figures, tags, and its rows as a table. What is there already with
    the same results is left as it is.

    Raises MissingExtra without MLflow, EndpointError when a server cannot be used,
    InputError for any other store that cannot.
    """
    for name, value in _SETTINGS.items():
        config.default_environment(name, value)
    with _quiet():
        try:
            from mlflow import MlflowClient
            from mlflow.exceptions import MlflowException
        except ImportError:
            raise MissingExtra("the export to MLflow", "mlflow") from None
        local = uri is None
        address = uri or _database(folder)
        try:
            client = MlflowClient(tracking_uri=address, registry_uri=address)
            artifacts = (folder.resolve() / "artifacts").as_uri() if local else None
            return _export(client, store, address, experiment, artifacts)
        except MlflowException as error:
            raise _translated(error, address) from None
        except OSError as error:
            raise InputError(f"cannot be written: {error.strerror or error}", where=str(folder)) from None


def _database(folder: Path) -> str:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", where=str(folder)) from None
    return f"sqlite:///{folder.resolve() / 'mlflow.db'}"


def _export(client: Any, store: Store, address: str, experiment: str, artifacts: str | None) -> Exported:
    found = summary(store, n_examples=_N_EXAMPLES)
    document = found.to_dict()
    results = content_hash(orjson.dumps(document).decode())
    known = client.get_experiment_by_name(experiment)
    place = (
        known.experiment_id if known else client.create_experiment(experiment, artifact_location=artifacts)
    )
    if known is not None and (old := _find(client, place, results)):
        return Exported(address, old[0], old[1], new=False)
    about = tracker_run.tags(found)
    parent = client.create_run(place, run_name=found.run.id or "simsa", tags=about).info.run_id
    with _finished(client, parent):
        inside = {
            one.name: _variant(client, place, parent, one, store) for one in tracker_run.variants(found)
        }
        _files(client, parent, store, found)
        # Last of all: only what is whole is found again.
        client.set_tag(parent, _RESULTS, results)
    return Exported(address, parent, inside, new=True)


def _find(client: Any, place: str, results: str) -> tuple[str, dict[str, str]] | None:
    """The finished run with the same results, and its variants'."""
    parents = client.search_runs([place], f"tags.`{_RESULTS}` = '{results}'", max_results=1)
    if not parents:
        return None
    parent = parents[0].info.run_id
    inside = client.search_runs([place], f"tags.`mlflow.parentRunId` = '{parent}'")
    return parent, {run.data.tags["simsa.variant"]: run.info.run_id for run in reversed(inside)}


def _variant(client: Any, place: str, parent: str, one: tracker_run.Tracked, store: Store) -> str:
    from mlflow.entities import Metric, Param, RunTag

    tags = one.tags | {"mlflow.parentRunId": parent}
    run: str = client.create_run(place, run_name=one_line(one.name, 200), tags=tags).info.run_id
    with _finished(client, run):
        now = int(time.time() * 1000)
        entries = [Metric(name, value, now, 0) for name, value in one.figures.items()]
        for start in range(0, len(entries), _BATCH):
            client.log_batch(run, metrics=entries[start : start + _BATCH])
        client.log_batch(run, params=[Param(name, value) for name, value in one.params.items()][:_BATCH])
        _put(client, run, "rows.json", lambda file: _table(file, store, one.name))
        # By this tag MLflow knows that the file is a table; it looks for it with these spaces.
        listed = '[{"path": "rows.json", "type": "table"}]'
        client.log_batch(run, tags=[RunTag("mlflow.loggedArtifacts", listed)])
    return run


def _table(file: Path, store: Store, variant: str) -> None:
    """The form that `mlflow.load_table` reads: the names of the columns, and a list of cells a row."""
    with file.open("wb") as out:
        out.write(b'{"columns":' + orjson.dumps(COLUMNS) + b',"data":[')
        mine = (row for row in rows(store) if row["variant"] == variant)
        for place, row in enumerate(mine):
            out.write((b",\n" if place else b"\n") + orjson.dumps([row[name] for name in COLUMNS]))
        out.write(b"\n]}\n")


def _files(client: Any, run: str, store: Store, found: Summary) -> None:
    texts: dict[str, Callable[[], str | bytes]] = {
        "report.html": lambda: html.render(found),
        "report.md": lambda: markdown.render(found),
        "report.json": lambda: orjson.dumps(found.to_dict(), option=orjson.OPT_INDENT_2),
    }
    for name, made in texts.items():
        text = made()
        content = text.encode("utf-8", "replace") if isinstance(text, str) else text
        _put(client, run, name, lambda file, content=content: file.write_bytes(content))  # type: ignore[misc]
    _put(client, run, "rows.csv", lambda file: _csv(file, store))


def _csv(file: Path, store: Store) -> None:
    with file.open("wb") as out:
        out.writelines(csv_rows.render(store))


def _put(client: Any, run: str, name: str, write: Callable[[Path], object]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / name
        write(file)
        client.log_artifact(run, str(file))


@contextlib.contextmanager
def _finished(client: Any, run: str) -> Iterator[None]:
    """Whatever happens inside, the MLflow run does not stay open."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(Exception):
            client.set_terminated(run, "FAILED")
        raise
    client.set_terminated(run)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """MLflow tells its own versions' news and every step of making a database, which nobody asked for."""
    before = logging.root.manager.disable
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            logging.disable(logging.WARNING)
            yield
        finally:
            logging.disable(before)


def _translated(error: Exception, address: str) -> Exception:
    shown = address.rpartition("@")[2]  # an address may hold a password
    text = one_line(str(error).partition("\n")[0], 200)
    if address.startswith(("http://", "https://")):
        return EndpointError(f"MLflow's server cannot be used: {text}", where=shown)
    hint = "give a SQLite file, sqlite:///path/mlflow.db, a folder, or the address of a server"
    return InputError(f"MLflow cannot use this store: {text}", field="--tracking-uri", found=shown, hint=hint)
