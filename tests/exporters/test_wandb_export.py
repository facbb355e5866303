"""The real wandb, offline: what it wrote is read back from its own file."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simsa.cli.main import run as simsa
from simsa.errors import InputError, MissingExtra
from simsa.exporters import wandb_export
from simsa.report.score_rows import columns
from simsa.rubrics import built_in_criteria
from simsa.store import Store
from tests.support.report_runs import BASE, BETTER, make_run

COLUMNS = columns(built_in_criteria())

pytestmark = pytest.mark.filterwarnings("ignore")  # wandb's own
pytest.importorskip("wandb")

_BLOCK, _WHOLE, _LAST = 32 * 1024, 1, 4


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    scores = {"base": [*BASE, "refused"], "튜닝/lora": [*BETTER, None]}
    return make_run(tmp_path_factory.mktemp("wandb") / "r.simsa", scores, config={"judge": {"mode": "joint"}})


@pytest.fixture(scope="module")
def folders(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Path]]:
    with pytest.MonkeyPatch.context() as patch:
        # Whoever has these set would send everything away were offline not asked for.
        patch.setenv("WANDB_MODE", "online")
        patch.setenv("WANDB_ERROR_REPORTING", "false")
        with Store.read(made) as store:
            yield wandb_export.export(store, tmp_path_factory.mktemp("out") / "results", project="p")


def records(folder: Path) -> list[Any]:
    """Everything in the folder's record file: a log in LevelDB's form, of protocol buffers."""
    from wandb.proto import wandb_internal_pb2

    found, part = [], b""
    content = next(folder.glob("*.wandb")).read_bytes()
    place = 7
    assert content.startswith(b":W&B")
    while place < len(content):
        left = _BLOCK - place % _BLOCK
        if left < 7:
            place += left
            continue
        _, length, kind = struct.unpack_from("<IHB", content, place)
        part += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (_WHOLE, _LAST):
            record = wandb_internal_pb2.Record()  # type: ignore[attr-defined]
            record.ParseFromString(part)
            found.append(record)
            part = b""
    return found


def test_each_variant_has_an_offline_folder_of_its_own(folders: list[Path]) -> None:
    assert len(folders) == 2 and len(set(folders)) == 2
    assert all(folder.name.startswith("offline-run-") and folder.is_dir() for folder in folders)
    runs = [
        next(r.run for r in records(folder) if r.WhichOneof("record_type") == "run") for folder in folders
    ]
    assert [run.display_name for run in runs] == ["base", "튜닝/lora"]
    assert {(run.project, run.run_group) for run in runs} == {("p", "abc123")}


def test_figures_and_settings_are_in_the_record(folders: list[Path]) -> None:
    def said(folder: Path, kind: str) -> dict[str, Any]:
        updates = [getattr(r, kind) for r in records(folder) if r.WhichOneof("record_type") == kind]
        pairs = [(u.key or ".".join(u.nested_key), u.value_json) for one in updates for u in one.update]
        if kind == "summary":
            return {key: json.loads(value) for key, value in pairs}
        run = next(r.run for r in records(folder) if r.WhichOneof("record_type") == "run")
        return {key: json.loads(value) for key, value in pairs} | {
            u.key: json.loads(u.value_json) for u in run.config.update
        }

    base, lora = (said(folder, "summary") for folder in folders)
    assert base["total"] == 12 and lora["difference.total"] == 3.75
    assert base["coverage"] == pytest.approx(16 / 17)
    config = said(folders[1], "config")
    assert config["judge.mode"] == "joint" and config["simsa.verdict"] == "better"


def test_rows_are_a_table_and_the_report_lies_beside_it(folders: list[Path]) -> None:
    files = folders[0] / "files"
    table = json.loads(next((files / "media" / "table").glob("rows*.json")).read_text())
    assert tuple(table["columns"]) == COLUMNS and len(table["data"]) == 17
    assert table["data"][-1][COLUMNS.index("total")] is None
    assert "튜닝/lora" in (files / "report.html").read_text(encoding="utf-8")


def test_a_folder_that_cannot_be_made_is_said(made: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with Store.read(made) as store, pytest.raises(InputError, match="cannot be written"):
        wandb_export.export(store, tmp_path / "file" / "out")


def test_without_wandb_the_error_says_what_to_install(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "wandb", None)
    with Store.read(made) as store, pytest.raises(MissingExtra, match=r"simsa\[wandb\]"):
        wandb_export.export(store, tmp_path / "out")


def test_the_command_prints_the_folders(
    made: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert simsa(["export", str(made), "--to", "wandb", "--out", str(out)]) == 0
    shown = capfd.readouterr()
    printed = [Path(line) for line in shown.out.splitlines()]
    assert len(printed) == 2 and all(folder.parent.parent == out for folder in printed)
