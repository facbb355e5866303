"""The real MLflow over its SQLite and folder stores, which live on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from simsa.cli.main import run as simsa
from simsa.errors import EndpointError, InputError, MissingExtra
from simsa.exporters import mlflow_export
from simsa.report.score_rows import columns
from simsa.rubrics import built_in_criteria
from simsa.store import Store
from tests.support.report_runs import BASE, BETTER, make_run

COLUMNS = columns(built_in_criteria())

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's own
pytest.importorskip("mlflow")


@pytest.fixture(scope="module", autouse=True)
def _settings_stay_here() -> Iterator[None]:
    """The export sets what nobody has set; other tests are not to see it."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in mlflow_export._SETTINGS.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    scores = {"base": [*BASE, "refused"], "튜닝/lora": [*BETTER, None]}
    return make_run(
        tmp_path_factory.mktemp("mlflow") / "r.simsa", scores, config={"judge": {"mode": "joint"}}
    )


@pytest.fixture(scope="module")
def exported(made: Path, tmp_path_factory: pytest.TempPathFactory) -> mlflow_export.Exported:
    with Store.read(made) as store:
        return mlflow_export.export(store, tmp_path_factory.mktemp("out") / "results")


def client(uri: str) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri)


def runs_in(uri: str, experiment: str = "simsa") -> list[Any]:
    found = client(uri)
    return list(found.search_runs([found.get_experiment_by_name(experiment).experiment_id]))


def test_there_is_a_run_for_each_variant_inside_one(exported: mlflow_export.Exported) -> None:
    found = {run.info.run_id: run for run in runs_in(exported.uri)}
    assert set(found) == {exported.run_id, *exported.runs.values()} and len(found) == 3
    assert all(run.info.status == "FINISHED" for run in found.values())
    for name, run_id in exported.runs.items():
        assert found[run_id].info.run_name == name
        assert found[run_id].data.tags["mlflow.parentRunId"] == exported.run_id


def test_figures_are_those_of_the_report(exported: mlflow_export.Exported) -> None:
    found = client(exported.uri)
    base = found.get_run(exported.runs["base"]).data
    lora = found.get_run(exported.runs["튜닝/lora"]).data
    assert base.metrics["total"] == 12 and base.metrics["coverage"] == pytest.approx(16 / 17)
    assert lora.metrics["difference.total"] == 3.75
    assert lora.metrics["difference.total.ci95_low"] > 0
    assert base.params["judge.mode"] == "joint"
    assert lora.tags["simsa.data_hash"] == "da7a" and lora.tags["simsa.verdict"] == "better"


def test_report_and_rows_are_artifacts(exported: mlflow_export.Exported, tmp_path: Path) -> None:
    found = client(exported.uri)
    names = {item.path for item in found.list_artifacts(exported.run_id)}
    assert names == {"report.html", "report.md", "report.json", "rows.csv"}
    page = Path(found.download_artifacts(exported.run_id, "report.html", str(tmp_path)))
    assert "튜닝/lora" in page.read_text(encoding="utf-8")
    table = Path(found.download_artifacts(exported.runs["base"], "rows.json", str(tmp_path)))
    read = orjson.loads(table.read_bytes())
    assert tuple(read["columns"]) == COLUMNS and len(read["data"]) == 17
    rows = [dict(zip(read["columns"], row, strict=True)) for row in read["data"]]
    assert {row["variant"] for row in rows} == {"base"}
    assert [row["status"] for row in rows][-1] == "refused" and rows[-1]["total"] is None


def test_mlflow_reads_the_table_as_its_own(
    exported: mlflow_export.Exported, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pandas")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", exported.uri)  # it asks the default store for the run's tags
    found = client(exported.uri)
    place = found.get_run(exported.run_id).info.experiment_id
    frame = found.load_table(place, "rows.json", run_ids=[exported.runs["base"]])
    assert list(frame.columns) == list(COLUMNS) and frame["total"].count() == 16


def test_the_same_results_are_not_written_twice(made: Path, exported: mlflow_export.Exported) -> None:
    folder = Path(exported.uri.removeprefix("sqlite:///")).parent
    with Store.read(made) as store:
        again = mlflow_export.export(store, folder)
    assert again == exported._replace(new=False)
    assert len(runs_in(exported.uri)) == 3


def test_other_results_of_the_run_stand_beside_the_old_ones(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for n in (4, 5):
        run = make_run(tmp_path / f"r{n}.simsa", {"base": BASE[:n]})
        with Store.read(run) as store:
            found = mlflow_export.export(store, out, experiment="나의 실험")
        assert found.new
    assert len(runs_in(found.uri, "나의 실험")) == 4


def test_a_broken_export_is_not_taken_for_a_whole_one(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (tmp_path / "out").mkdir()
    (out / "artifacts").write_text("a file where a folder belongs")
    with Store.read(made) as store:
        with pytest.raises(InputError):
            mlflow_export.export(store, out)
        assert all(run.info.status == "FAILED" for run in runs_in(f"sqlite:///{out}/mlflow.db"))
        (out / "artifacts").unlink()
        assert mlflow_export.export(store, out).new


def test_a_folder_can_be_the_store_when_it_is_named(made: Path, tmp_path: Path) -> None:
    uri = (tmp_path / "mlruns").as_uri()
    with Store.read(made) as store:
        found = mlflow_export.export(store, tmp_path / "unused", uri)
    assert found.uri == uri and (tmp_path / "mlruns").is_dir() and not (tmp_path / "unused").exists()
    assert client(uri).get_run(found.runs["base"]).data.metrics["total"] == 12


def test_the_environment_cannot_send_it_to_a_server(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with Store.read(made) as store:
        assert mlflow_export.export(store, tmp_path / "out").uri.startswith("sqlite:///")


def test_nothing_is_reported_home() -> None:
    from mlflow.telemetry.utils import is_telemetry_disabled

    assert is_telemetry_disabled() and os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_a_server_that_is_not_there_is_an_endpoint_that_cannot_be_used(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with Store.read(made) as store, pytest.raises(EndpointError) as caught:
        mlflow_export.export(store, tmp_path, "http://kim:geheim@127.0.0.1:9")
    assert "127.0.0.1:9" in str(caught.value) and "geheim" not in (caught.value.where or "")


def test_an_address_that_is_none_is_the_users_mistake(made: Path, tmp_path: Path) -> None:
    with Store.read(made) as store, pytest.raises(InputError, match="--tracking-uri"):
        mlflow_export.export(store, tmp_path, "nonsense://x")


def test_a_folder_that_cannot_be_made_is_said(made: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with Store.read(made) as store, pytest.raises(InputError, match="cannot be written"):
        mlflow_export.export(store, tmp_path / "file" / "out")


def test_without_mlflow_the_error_says_what_to_install(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "mlflow", None)
    with Store.read(made) as store, pytest.raises(MissingExtra, match=r"simsa\[mlflow\]"):
        mlflow_export.export(store, tmp_path / "out")


def test_the_command_prints_the_run_and_how_to_look_at_it(
    made: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert simsa(["export", str(made), "--to", "mlflow", "--out", str(out), "--project", "p"]) == 0
    first = capfd.readouterr()
    assert len(first.out.split()) == 1 and "mlflow ui --backend-store-uri sqlite:///" in first.err
    assert "INFO" not in first.err and "Warning" not in first.err
    assert simsa(["export", str(made), "--to", "mlflow", "--out", str(out), "--project", "p"]) == 0
    second = capfd.readouterr()
    assert second.out == first.out and "already" in second.err


def test_only_mlflow_has_a_tracking_address(made: Path) -> None:
    assert simsa(["export", str(made), "--to", "jsonl", "--tracking-uri", "sqlite:///x"]) == 2
