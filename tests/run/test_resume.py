"""Runs that an earlier version stored are resumed without a single call."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from simsa.cli.main import run
from simsa.store import Store, claimed, results
from tests.servers.chat import ChatServer
from tests.support.judged_runs import write_config, write_data


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", "sk-test")


@pytest.mark.parametrize(
    ("stored", "judge"),
    [("stored_joint_run.sql", ""), ("stored_split_run.sql", 'mode = "split"\nclaims = true\n')],
)
def test_a_run_of_schema_6_is_resumed_without_a_call(tmp_path: Path, stored: str, judge: str) -> None:
    folder = tmp_path / "simsa.simsa"
    folder.mkdir()
    database = sqlite3.connect(folder / "run.sqlite")
    database.executescript(Path(__file__).with_name(stored).read_text(encoding="utf-8"))
    database.close()
    write_data(tmp_path, 2, ("base",))  # as they were when the run was stored
    with ChatServer() as server:
        config = write_config(tmp_path, server.url, variants=("base",), more=judge)
        assert run(["run", str(config), "-q"]) == 0
        assert server.count == 0
    with Store.read(folder) as store:
        assert [row.total for row in results(store)] == [12, 12]
        assert len(list(claimed(store))) == (2 if judge else 0)
