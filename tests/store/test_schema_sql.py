"""Opening a run's file: a new one, one of the previous schema, and one that cannot be read."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from pathlib import Path

import pytest

from simsa.errors import RunError
from simsa.store import Store, criteria_of, judge_usage, measures, results
from simsa.store.schema_sql import VERSION

# Two questions and three variants, written by simsa with schema 6.
_SCHEMA_6 = Path(__file__).with_name("run_of_schema_6.sql")
_NAMES = ("answer_correctness", "context_relevance", "context_faithfulness", "context_recall")


def write_schema_6(folder: Path) -> Path:
    with contextlib.closing(sqlite3.connect(folder / "run.sqlite")) as db:
        db.executescript(_SCHEMA_6.read_text(encoding="utf-8"))
    return folder


def schema_of(folder: Path) -> set[tuple[str, str, tuple[str, ...]]]:
    """Every table, index and view with its columns."""
    with contextlib.closing(sqlite3.connect(folder / "run.sqlite")) as db:
        objects = db.execute("SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").fetchall()
        return {
            (kind, name, tuple(row[1] for row in db.execute(f"PRAGMA table_info({name})")))
            for kind, name in objects
        }


def test_a_run_of_the_previous_schema_keeps_its_scores_and_has_the_schema_of_a_new_one(
    tmp_path: Path,
) -> None:
    (tmp_path / "old").mkdir()
    with Store.read(write_schema_6(tmp_path / "old")) as store:
        found = list(results(store))
        assert len(found) == 6
        assert all(result.status == "scored" and set(result.scores) == set(_NAMES) for result in found)
        assert [result.total for result in found] == [sum(result.scores.values()) for result in found]
        assert criteria_of(store).names == _NAMES
        assert all(figures for figures in measures(store))
        assert judge_usage(store).calls == 6
    with Store.create(tmp_path / "new"):
        pass
    assert schema_of(tmp_path / "old") == schema_of(tmp_path / "new")


def test_readers_that_open_an_old_file_at_once_upgrade_it_once(tmp_path: Path) -> None:
    write_schema_6(tmp_path)
    totals: list[list[float | int | None]] = []

    def read() -> None:
        with Store.read(tmp_path) as store:
            totals.append([result.total for result in results(store)])

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(totals) == 8 and all(found == totals[0] for found in totals)


def test_an_upgrade_that_fails_changes_nothing(tmp_path: Path) -> None:
    write_schema_6(tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / "run.sqlite")) as db:
        db.execute("CREATE TABLE scores (mine TEXT)")
    before = schema_of(tmp_path)
    with pytest.raises(RunError, match="cannot be used as a run's database"):
        Store.read(tmp_path)
    assert schema_of(tmp_path) == before


@pytest.mark.parametrize(
    ("version", "problem"), [(VERSION + 1, "newer simsa"), (3, "old development version")]
)
def test_a_file_of_an_unknown_schema_is_refused(tmp_path: Path, version: int, problem: str) -> None:
    with Store.create(tmp_path):
        pass
    with contextlib.closing(sqlite3.connect(tmp_path / "run.sqlite")) as db:
        db.execute(f"PRAGMA user_version = {version}")
    with pytest.raises(RunError, match=problem):
        Store.read(tmp_path)
