"""What is made of a run again and again: never twice at once, never for nothing, never under a reader's feet."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from simsa.errors import RunError
from simsa.web.background import RefreshingValue, run_in_subprocess
from simsa.web.runs import RunPage
from tests.report.runs import BASE, BETTER, make_run
from tests.web.serving import until


class Work:
    """Something to make: the number of times it was made. `gate` holds it up while it is closed."""

    def __init__(self) -> None:
        self.stamp = 0
        self.made = 0
        self.at_once = self.most_at_once = 0
        self.gate = threading.Event()
        self.gate.set()
        self.error: Exception | None = None
        self.dropped: list[int] = []
        self._lock = threading.Lock()

    def make(self) -> int:
        with self._lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        self.gate.wait(10)
        with self._lock:
            self.at_once -= 1
            self.made += 1
        if self.error is not None:
            raise self.error
        return self.made

    def fresh(self, rest_s: float = 0.0) -> RefreshingValue[int]:
        return RefreshingValue(self.make, lambda: self.stamp, self.dropped.append, rest_s=rest_s)


@pytest.fixture
def work() -> Work:
    return Work()


def test_the_first_value_is_waited_for(work: Work) -> None:
    value = work.fresh()
    assert value.get() == 1
    assert value.get() == 1
    assert work.made == 1, "nothing had changed"


def test_who_cannot_wait_gets_none_and_later_the_value(work: Work) -> None:
    work.gate.clear()
    value = work.fresh()
    assert value.get(wait=0) is None
    assert value.is_working
    assert value.get(wait=0.01) is None
    work.gate.set()
    assert value.get() == 1
    assert not value.is_working


def test_a_reader_has_the_last_value_while_the_next_is_made(work: Work) -> None:
    value = work.fresh()
    value.get()
    work.gate.clear()
    work.stamp = 1
    assert value.get() == 1
    assert value.is_working
    work.gate.set()
    until(lambda: value.get() == 2)
    assert work.dropped == []


def test_a_value_is_dropped_when_nobody_can_still_read_it(work: Work) -> None:
    value = work.fresh()
    value.get()
    for n in range(1, 5):
        work.stamp = n
        until(lambda n=n: value.get() == n + 1)  # type: ignore[misc]
        until(lambda: not value.is_working)
    assert work.dropped == [1, 2, 3], "the one before the last may still be read"


def test_it_rests_between_two(work: Work) -> None:
    value = work.fresh(rest_s=60)
    value.get()
    work.stamp = 1
    assert value.get() == 1
    assert not value.is_working


def test_many_readers_have_it_made_once(work: Work) -> None:
    value = work.fresh()
    start = threading.Barrier(12)
    found: list[int | None] = []

    def read() -> None:
        start.wait()
        found.append(value.get())

    threads = [threading.Thread(target=read) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [1] * 12
    assert (work.made, work.most_at_once) == (1, 1)


def test_whoever_asks_first_hears_of_a_failure_and_the_next_tries_again(work: Work) -> None:
    value = work.fresh()
    work.error = RunError("gone")
    with pytest.raises(RunError, match="gone"):
        value.get()
    work.error = None
    assert value.get() == 2


def test_a_failure_later_on_leaves_the_last_value(work: Work) -> None:
    value = work.fresh()
    value.get()
    work.stamp, work.error = 1, RunError("gone")
    assert value.get() == 1
    until(lambda: work.made >= 2 and not value.is_working)
    assert value.get() == 1
    work.error = None
    until(lambda: (value.get() or 0) > 2)


def test_what_changes_while_it_is_made_is_made_again(work: Work) -> None:
    work.gate.clear()
    value = work.fresh()
    value.get(wait=0)
    until(lambda: work.at_once == 1)
    work.stamp = 1  # the work had begun before that
    work.gate.set()
    assert value.get() == 1
    until(lambda: value.get() == 2)


def test_apart_is_another_process_and_brings_back_values_and_errors(tmp_path: Path) -> None:
    here = run_in_subprocess(in_process, "x", large=False)
    there = run_in_subprocess(in_process, "x", large=True)
    assert here[0] == there[0] == "x"
    assert here[1] != there[1]
    assert there[2] >= here[2] + 5 or there[2] == 19, "it steps back for whoever waits for a page"
    with pytest.raises(RunError, match="is not the folder of a run"):
        run_in_subprocess(opened, tmp_path, large=True)


def in_process(value: str) -> tuple[str, int, int]:
    import os

    return value, os.getpid(), os.getpriority(os.PRIO_PROCESS, 0)


def opened(folder: Path) -> None:
    from simsa.store import Store

    Store.read(folder)


def test_to_look_at_a_run_changes_nothing_that_is_made_of_it(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", {"base": BASE[:4]}, measured=False)
    run = RunPage(folder, tmp_path, None)
    first = run.progress.get()
    for _ in range(3):
        time.sleep(0.11)  # longer than it rests
        assert run.read({}).is_plain
        assert not run.is_large
        assert run.progress.get() is first
    make_run(folder, {"base": BASE, "better": BETTER}, measured=False)
    until(lambda: (found := run.progress.get()) is not None and found.planned == 32)
    assert run.read({"variant": "better"}).variant == 1


def test_labels_are_looked_at_anew_when_there_are_more(tmp_path: Path) -> None:
    from simsa.records import CRITERIA
    from simsa.store.labels import Labels
    from simsa.web.labeling import LabelingDesk

    folder = make_run(tmp_path / "run", {"base": BASE, "better": BETTER}, measured=False)
    run = RunPage(folder, tmp_path, "en")
    assert run.agreement() is None
    LabelingDesk(folder).draw(8, 0)
    assert run.agreement() is None, "drawn, and nothing said yet"
    for n in (1, 2):
        with Labels(folder) as labels:
            labels.score("지우", labels.items("지우")[n], CRITERIA[0], 3)
        found = run.agreement()
        assert found is not None
        assert found.n_answers == n
        time.sleep(0.01)  # a file's time has its own grain
    assert run.agreement() is found, "nothing had changed"
