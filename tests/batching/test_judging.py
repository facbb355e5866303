"""Judging through a Batch API, from config to verdicts."""

from __future__ import annotations

from pathlib import Path

import pytest

from simsa.cli.main import run
from tests.batching.making import KEY, statuses_of, write_run
from tests.servers.batch import BatchServer


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", KEY)


def test_every_row_is_judged_by_one_line_of_one_batch(tmp_path: Path) -> None:
    with BatchServer(key=KEY) as server:
        config = write_run(tmp_path, server.url)
        assert run(["run", str(config)]) == 0
        assert statuses_of(config) == {"scored": 12}
        assert len(server.batches) == len(server.uploads()) == 1
        assert set(server.times_submitted().values()) == {1}
