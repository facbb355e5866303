"""kill -9 at every stage of a batch, with a real process: nothing is submitted twice, nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from simsa.cli.main import run
from simsa.store import Store
from tests.servers.batch import BatchServer, Step
from tests.support.batch_runs import KEY, statuses_of, write_run

STAGES: tuple[Step, ...] = ("upload", "uploaded", "create", "created", "status", "content")


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", KEY)


def kill_when(config: Path, ready: Callable[[], bool]) -> None:
    """Judges in a process of its own, and kills it as soon as `ready`."""
    child = subprocess.Popen([sys.executable, "-m", "simsa", "judge", str(config)], stderr=subprocess.PIPE)
    try:
        while not ready():
            assert child.poll() is None, child.communicate()[1].decode()
            time.sleep(0.002)
    finally:
        if child.poll() is None:
            os.kill(child.pid, signal.SIGKILL)
        child.communicate()


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("per_batch", [50, 5])
def test_killed_at_a_stage_of_the_protocol(tmp_path: Path, stage: Step, per_batch: int) -> None:
    with BatchServer(hold=stage) as server:
        config = write_run(tmp_path, server.url, batch=f"max_requests = {per_batch}")
        kill_when(config, lambda: server.held == stage)
        server.hold = None
        assert run(["judge", str(config), "-q"]) == 0
        assert statuses_of(config) == {"scored": 12}
        times = server.times_submitted()
        assert len(times) == 12, "nothing is lost"
        assert set(times.values()) == {1}, "nothing is submitted twice"
        assert len(server.uploads()) == len(server.batches) == -(-12 // per_batch), "no file was sent twice"
        assert not [
            file for file in (tmp_path / "simsa.simsa" / "batches").iterdir() if file.suffix == ".part"
        ]


def test_killed_at_every_stage_one_after_another(tmp_path: Path) -> None:
    with BatchServer() as server:
        config = write_run(tmp_path, server.url, batch="max_requests = 7")
        for stage in STAGES:
            server.hold, server.held = stage, None
            kill_when(config, lambda stage=stage: server.held == stage)  # type: ignore[misc]
        server.hold = None
        assert run(["judge", str(config), "-q"]) == 0
        assert statuses_of(config) == {"scored": 12}
        assert sorted(server.times_submitted().values()) == [1] * 12
        assert len(server.uploads()) == 2


@pytest.mark.parametrize("stage", ["created", "status", "content"])
def test_what_was_submitted_is_collected_by_another_process(tmp_path: Path, stage: Step) -> None:
    with BatchServer(hold=stage) as server:
        config = write_run(tmp_path, server.url)
        kill_when(config, lambda: server.held == stage)
        server.hold = None
        posted = server.asked["upload"], server.asked["create"]
        assert run(["judge", str(config), "--collect", "-q"]) == 0
        assert statuses_of(config) == {"scored": 12}
        assert (server.asked["upload"], server.asked["create"]) == posted, "collecting submits nothing"


@pytest.mark.parametrize("stage", ["upload", "uploaded", "create"])
def test_collecting_submits_nothing_and_says_what_is_open(
    tmp_path: Path, stage: Step, capsys: pytest.CaptureFixture[str]
) -> None:
    with BatchServer(hold=stage) as server:
        config = write_run(tmp_path, server.url)
        kill_when(config, lambda: server.held == stage)
        server.hold = None
        assert run(["judge", str(config), "--collect", "-q"]) == 4
        assert "요청 12개" in capsys.readouterr().err
        assert not server.batches
        assert run(["judge", str(config), "-q"]) == 0
        assert set(server.times_submitted().values()) == {1}


@pytest.mark.parametrize("kept", [1, 700, 1400])
def test_killed_while_results_are_read(tmp_path: Path, kept: int) -> None:
    """Half of the answers are verdicts already, the others are not."""

    def judged() -> bool:
        if not (tmp_path / "simsa.simsa" / "run.sqlite").exists() or not server.asked["content"]:
            return False
        with Store.read(tmp_path / "simsa.simsa") as store:
            return store.count("judgements") >= kept

    with BatchServer() as server:
        config = write_run(tmp_path, server.url, n=1500, variants=("base",))
        kill_when(config, judged)
        with Store.read(tmp_path / "simsa.simsa") as store:
            assert kept <= store.count("judgements") <= 1500
        assert run(["judge", str(config), "-q"]) == 0
        assert statuses_of(config) == {"scored": 1500}
        assert server.asked["create"] == 1


def test_what_was_half_made_before_anything_was_sent_is_swept_away(tmp_path: Path) -> None:
    """Killed while a request file was written, or before its job was written down."""
    folder = tmp_path / "simsa.simsa" / "batches"
    folder.mkdir(parents=True)
    (folder / "0123456789abcdef.jsonl.part").write_text('{"custom_id": "hal')
    (folder / "fedcba9876543210.jsonl").write_text('{"custom_id": "whole"}\n')
    with BatchServer() as server:
        config = write_run(tmp_path, server.url)
        assert run(["judge", str(config), "-q"]) == 0
        assert len(server.times_submitted()) == 12
    assert {file.name.partition(".")[2] for file in folder.iterdir()} == {"output.jsonl"}


def test_a_job_that_the_endpoint_lists_late_is_not_submitted_again(tmp_path: Path) -> None:
    with BatchServer(hold="created") as server:
        config = write_run(tmp_path, server.url, batch="settle_s = 5")
        config.write_text(config.read_text().replace("settle_s = 0.2\n", ""))
        kill_when(config, lambda: server.held == "created")
        server.hold = None
        server.lists_after = server.asked["list"] + 3
        assert run(["judge", str(config), "-q"]) == 0
        assert server.asked["list"] > server.lists_after, "it was looked for until it was there"
        assert len(server.batches) == 1


@pytest.mark.parametrize("flag", ["--cancel", "--rubric"])
def test_a_job_that_is_listed_late_is_not_given_up(tmp_path: Path, flag: str) -> None:
    """Neither by the user's wish nor because another rubric is judged by now."""
    with BatchServer(hold="created", looks=99, cancels=lambda line, n: "answered") as server:
        config = write_run(tmp_path, server.url, batch="settle_s = 5")
        config.write_text(config.read_text().replace("settle_s = 0.2\n", ""))
        kill_when(config, lambda: server.held == "created")
        server.hold = None
        server.lists_after = server.asked["list"] + 2
        if flag == "--cancel":
            assert run(["judge", str(config), "--cancel", "-q"]) == 4
            assert server.asked["cancel"] == 1
        else:
            assert run(["judge", str(config), "--rubric", "rag-en", "--submit", "-q"]) == 4
        server.looks = 1
        assert run(["judge", str(config), "-q"]) == 0
        assert set(server.times_submitted().values()) == {1}


def test_a_job_beyond_the_first_page_of_the_list_is_found(tmp_path: Path) -> None:
    with BatchServer(hold="created", page=3) as server:
        config = write_run(tmp_path, server.url)
        kill_when(config, lambda: server.held == "created")
        ours = next(iter(server.batches.values()))
        for n in range(1, 10):
            other = type(ours)(
                f"batch_{n}", n, ours.body | {"metadata": {"simsa": "other"}}, [], ours.created_at
            )
            server.batches[other.id] = other
        server.hold = None
        assert run(["judge", str(config), "-q"]) == 0
        assert server.asked["create"] == 1


def test_interrupted_by_the_user_it_goes_on(tmp_path: Path) -> None:
    with BatchServer(looks=10_000) as server:
        config = write_run(tmp_path, server.url)
        child = subprocess.Popen(
            [sys.executable, "-m", "simsa", "judge", str(config)], stderr=subprocess.PIPE, text=True
        )
        while server.asked["status"] < 3:
            time.sleep(0.01)
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=30)
        assert child.returncode == 130
        assert "이어서 하려면:\n  simsa judge " in said
        assert "Traceback" not in said
        server.looks = 1
        assert run(["judge", str(config), "-q"]) == 0
        assert server.asked["create"] == 1
