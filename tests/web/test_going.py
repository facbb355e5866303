"""The page over a run that is still going: it says how far that is, and the run doesn't notice."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from simsa.records import Judgement, Prediction
from simsa.store import Store, results, snapshot
from tests.servers.chat import ChatServer
from tests.support.criteria import CRITERIA
from tests.support.judged_runs import write_config, write_data
from tests.support.report_runs import BASE, BETTER, make_run, question
from tests.support.view_server import Viewing, until
from tests.support.visitor import Visitor

N = 12


def half(folder: Path) -> Path:
    """Half of the questions of one variant are judged, the other half answered, the other variant is still to come."""
    return make_run(
        folder,
        {"base": [*BASE[: N // 2], *[None] * (N // 2)], "better": [None] * N},
        questions=[question(n) for n in range(N)],
        predictions={"better": [None] * N},
        measured=False,
    )


async def answer(store: Store, n: int) -> None:
    async with store.writing():
        await store.add_prediction(Prediction(f"q{n}", "better", f"새 답 {n}", f"better/q{n}"))


def progress(visitor: Visitor) -> dict[str, object]:
    found: dict[str, object] = json.loads(visitor.get("0/progress").text)
    return found


def test_it_says_how_far_the_run_is_as_it_goes_on(tmp_path: Path) -> None:
    folder = half(tmp_path / "run")
    with Viewing(folder) as viewing:
        visitor = Visitor(viewing.address)
        assert progress(visitor) == {"text": "Progress: 12 / 24 answered · 6 / 24 judged", "open": True}
        for path in ("0/", "0/questions"):
            assert "Progress: 12 / 24 answered" in visitor.get(path).text
        with Store.create(folder) as store:
            asyncio.run(answer(store, 3))
            until(lambda: "13 / 24 answered" in str(progress(visitor)["text"]))
        until(lambda: "새 답 3" in visitor.get("0/questions").text)
        assert "data-going" not in visitor.get("0/question?id=q1").text


def test_a_run_that_is_through_says_nothing_of_it(tmp_path: Path) -> None:
    with Viewing(make_run(tmp_path / "run", {"base": BASE, "better": BETTER}, measured=False)) as viewing:
        visitor = Visitor(viewing.address)
        assert progress(visitor)["open"] is False
        for path in ("0/", "0/questions"):
            assert "data-going" not in visitor.get(path).text


def test_what_cannot_be_judged_counts_as_done(tmp_path: Path) -> None:
    with Viewing(make_run(tmp_path / "run", {"base": ["refused", "failed", (1, 1, 1, 1)]})) as viewing:
        assert progress(Visitor(viewing.address)) == {
            "text": "Progress: 3 / 3 answered · 3 / 3 judged",
            "open": False,
        }


def test_the_writer_never_waits_for_whoever_looks(tmp_path: Path) -> None:
    """A reader in the middle of its rows, and pages that are asked for all the time."""
    folder = half(tmp_path / "run")
    with Viewing(folder) as viewing:
        stop = threading.Event()
        seen: list[int] = []

        def look() -> None:
            visitor = Visitor(viewing.address)
            while not stop.is_set():
                paths = ("0/questions", "0/", "0/question?id=q3", "0/progress")
                seen.extend(visitor.get(path).status for path in paths)

        threads = [threading.Thread(target=look) for _ in range(2)]
        for thread in threads:
            thread.start()
        with Store.read(folder) as reader, snapshot(reader), Store.create(folder) as store:
            rows = results(reader)
            first = next(rows)
            store.db.execute("PRAGMA busy_timeout = 0")  # a writer that had to wait would fail
            for n in range(N):
                store.add_predictions([Prediction(f"q{n}", "better", f"새 답 {n}", f"better/q{n}")])
            still = [first, *rows]
            assert [row.prediction for row in still if row.variant == "better"] == [None] * N
        stop.set()
        for thread in threads:
            thread.join()
        assert set(seen) == {200}
        with Store.read(folder) as reader:
            assert all(row.prediction for row in results(reader))


def test_a_run_at_work_is_looked_at_from_its_first_row_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUDGE_KEY", "sk-test")
    write_data(tmp_path, 16)
    with ChatServer(latency_s=0.5) as judge:
        config = write_config(tmp_path, judge.url)
        command = [sys.executable, "-m", "simsa", "judge", str(config), "-q"]
        with subprocess.Popen(command, env=os.environ | {"JUDGE_KEY": "sk-test"}) as at_work:
            folder = config.with_suffix(".simsa")
            until(lambda: (folder / "run.sqlite").exists() and planned(folder))
            judged = []
            with Viewing(folder) as viewing:
                visitor = Visitor(viewing.address)
                while at_work.poll() is None:
                    assert visitor.get("0/questions").status == 200
                    found = re.search(r"(\d+) / 32", str(progress(visitor)["text"]).partition("·")[2])
                    judged += [int(found[1])] if found else []
                    time.sleep(0.05)
                until(lambda: progress(visitor)["open"] is False)
                until(lambda: visitor.get("0/questions?status=scored").text.count('class="row"') == 16)
        assert at_work.returncode == 0
        assert judge.count == 32, "nothing was asked twice because somebody looked"
    assert judged == sorted(judged)
    assert len(set(judged)) > 2, "it was only seen before or after"


def planned(folder: Path) -> int:
    with Store.read(folder) as store:
        return store.count("plan")


def test_a_verdict_on_an_older_answer_is_still_to_come(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", {"base": BASE}, measured=False)
    with Store.create(folder) as store:
        store.db.execute("UPDATE plan SET request_hash = 'new' WHERE question_id = 'q0'")
        store.add_predictions([Prediction("q0", "base", "다시", "new")])

        async def judge_again() -> None:
            async with store.writing():
                scores = dict.fromkeys(CRITERIA, 5)
                await store.add_judgement(Judgement("of new", "gpt-4o", "r", "scored", scores))
                await store.add_verdict(store.unjudged("k", 0, 9, ())[0], "k", [("joint", "of new")])

        with Viewing(folder) as viewing:
            visitor = Visitor(viewing.address)
            assert progress(visitor)["text"] == "Progress: 16 / 16 answered · 15 / 16 judged"
            asyncio.run(judge_again())
            until(lambda: progress(visitor)["open"] is False)
