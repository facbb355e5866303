"""A judge that never says anything readable costs a batch little more than one line a row."""

from __future__ import annotations

from pathlib import Path

import pytest

from simsa.cli.main import run
from simsa.judges.retry import MAX_TRIALS
from tests.servers.batch import BatchServer
from tests.servers.chat import Body, verdict
from tests.servers.runner import results, write
from tests.support.batch_runs import KEY, statuses_of, write_run

NONSENSE = "점수는 아주 좋습니다! 10점 만점에 10점"


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", KEY)


def told_why(body: Body) -> str:
    """A judge that obeys once it is told what was wrong."""
    return verdict() if len(body["messages"]) > 2 else NONSENSE


def test_few_rows_find_out_for_all(tmp_path: Path) -> None:
    with BatchServer(NONSENSE) as server:
        config = write_run(tmp_path, server.url, n=20)
        assert run(["judge", str(config), "-q"]) == 4
        assert [len(batch.lines) for batch in server.batches.values()] == [40, MAX_TRIALS, MAX_TRIALS]
        assert statuses_of(config) == {"unreadable": 40}
        assert run(["judge", str(config), "-q"]) == 4
        assert len(server.batches) == 3, "and nothing is asked again"


def test_where_it_helps_all_others_follow(tmp_path: Path) -> None:
    with BatchServer(told_why) as server:
        config = write_run(tmp_path, server.url, n=10)
        assert run(["judge", str(config), "-q"]) == 0
        assert [len(batch.lines) for batch in server.batches.values()] == [20, MAX_TRIALS, 20 - MAX_TRIALS]


def test_another_process_knows_that_the_judge_was_understood(tmp_path: Path) -> None:
    def reply(body: Body) -> str:
        first = "q0" in str(body) or "1900" in str(body)
        return verdict() if first or len(body["messages"]) > 2 else NONSENSE

    with BatchServer(reply) as server:
        config = write_run(tmp_path, server.url, n=10)
        for flag in ("--submit", "--collect"):
            assert run(["judge", str(config), "-q", flag]) == 4
        assert run(["judge", str(config), "-q"]) == 0
        assert [len(batch.lines) for batch in server.batches.values()] == [20, 18]


def test_files_for_elsewhere_hold_all_that_is_to_be_asked_again(tmp_path: Path) -> None:
    with BatchServer() as server:
        config = write_run(tmp_path, server.url, n=10)

    def sitting(name: str, reply: object) -> int:
        assert run(["judge", str(config), "-q", "--write-batch", str(tmp_path / name)]) == 0
        (file,) = (tmp_path / name).iterdir()
        lines = results(file, reply)  # type: ignore[arg-type]
        run(["judge", str(config), "-q", "--read-batch", str(write(tmp_path / f"{name}.jsonl", lines))])
        return len(lines)

    good = iter([verdict()] * 3)
    assert sitting("one", lambda body: next(good, NONSENSE)) == 20
    assert sitting("two", lambda body: verdict()) == 17
    assert statuses_of(config) == {"scored": 20}
