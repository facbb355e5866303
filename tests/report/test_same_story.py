"""Seven formats, one run: each tells the same figures, also while the run is still going on."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, median, stdev
from tempfile import TemporaryDirectory
from typing import Any
from xml.etree import ElementTree

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsa import report
from simsa.cli.main import run as simsa
from simsa.report.format import format_fixed, format_signed, interval
from simsa.report.renderers import csv_rows as csv_report
from simsa.report.renderers import html, junit, markdown, parquet_rows, terminal
from simsa.store import Store
from tests.servers.chat import Body, ChatServer, verdict
from tests.support.criteria import CRITERIA
from tests.support.judged_runs import write_config, write_data
from tests.support.report_page import Page
from tests.support.report_runs import Scored, make_run, question

STATUSES = ("refused", "truncated", "unreadable")
ROW = st.one_of(st.tuples(*[st.integers(1, 5)] * 4), st.sampled_from(STATUSES), st.none())
RUNS = st.integers(3, 20).flatmap(lambda n: st.tuples(*[st.lists(ROW, min_size=n, max_size=n)] * 2))


class Told:
    """A run in every format."""

    def __init__(self, run: Path) -> None:
        with Store.read(run) as store:
            self.summary = report.summary(store, "en")
            self.csv = b"".join(csv_report.render(store)).decode()
            self.parquet = b"".join(parquet_rows.render(store))
            self.junit = b"".join(junit.render(store))
        self.json: dict[str, Any] = self.summary.to_dict()
        self.text = " ".join(terminal.render(self.summary, 400).split())
        self.markdown = re.sub(r"\\(.)|\*\*", r"\1", markdown.render(self.summary))
        self.html = " ".join(Page(html.render(self.summary)).text.split())


@settings(max_examples=8)
@given(RUNS)
def test_every_format_tells_the_same_figures(made: tuple[list[Scored], list[Scored]]) -> None:
    first, second = made
    asked = [question(n, cluster=f"c{n // 2}") for n in range(len(first))]
    with TemporaryDirectory() as folder:
        scores = {"base": first, "lora": second}
        told = Told(make_run(Path(folder) / "run", scores, questions=asked, figures={"chrf": 1.5}))
    rows = list(csv.DictReader(io.StringIO(told.csv, newline="")))
    columns = pq.read_table(io.BytesIO(told.parquet)).to_pylist()
    suite = ElementTree.fromstring(told.junit)[0]
    assert len(rows) == len(columns) == len(suite) == 2 * len(first)
    for variant in told.json["variants"]:
        mine = [row for row in columns if row["variant"] == variant["name"]]
        check_variant(told, variant, mine, [row for row in rows if row["variant"] == variant["name"]])
        cases = [case for case in suite if case.get("classname") == variant["name"]]
        good = [case for case in cases if case.find("error") is None and case.find("skipped") is None]
        assert len(good) == variant["n_scored"]
    for comparison in told.json["comparisons"]:
        check_comparison(told, comparison, columns)


def check_variant(
    told: Told, variant: dict[str, Any], columns: list[dict[str, Any]], rows: list[dict[str, str]]
) -> None:
    """The means of the JSON are those of the rows, and the texts show them."""
    statuses = Counter(row["status"] for row in columns)
    assert Counter(variant["unscored"]) + Counter(scored=variant["n_scored"]) == statuses
    for name in (*CRITERIA, "total"):
        values = [row[name] for row in columns if row[name] is not None]
        assert [row[name] for row in rows if row[name]] == list(map(str, values)), (
            "a spreadsheet has the same"
        )
        found = variant["total"] if name == "total" else variant["criteria"][name]
        if not values:
            assert found is None, "no scores is no figure"
            continue
        assert (found["n"], found["mean"]) == (len(values), pytest.approx(fmean(values)))
        assert found["median"] == median(values)
        if len(values) > 1:
            assert found["sd"] == pytest.approx(stdev(values))
        if name != "total":
            assert {int(k): n for k, n in found["counts"].items() if n} == Counter(values)
        shown = format_fixed(found["mean"], 1 if name == "total" else 2)
        for where in (told.text, told.markdown, told.html):
            assert shown in where, (name, shown)
    scored = f"{variant['n_scored']}/{variant['n']}"
    assert all(scored in where for where in (told.text, told.markdown, told.html))


def check_comparison(told: Told, found: dict[str, Any], columns: list[dict[str, Any]]) -> None:
    name = found["criterion"]
    by_variant = {
        v: {row["question_id"]: row[name] for row in columns if row["variant"] == v and row[name] is not None}
        for v in (found["baseline"], found["variant"])
    }
    base, other = by_variant[found["baseline"]], by_variant[found["variant"]]
    apart = [other[q] - base[q] for q in base.keys() & other.keys()]
    assert found["n_pairs"] == len(apart)
    record = (sum(d > 0 for d in apart), sum(d == 0 for d in apart), sum(d < 0 for d in apart))
    assert (found["wins"], found["ties"], found["losses"]) == record
    if not apart:
        assert found["mean_diff"] is None
        return
    assert found["mean_diff"] == pytest.approx(fmean(apart))
    shown = f"{format_signed(found['mean_diff'])} {interval(found['ci95'])}"
    assert shown in told.text and shown in told.markdown
    if found["ci95"]:
        assert shown in told.html and found["ci95"][0] <= found["mean_diff"] + 1e-9
        assert found["mean_diff"] <= found["ci95"][1] + 1e-9


class Held:
    """A judge that answers so many calls and then waits until it is let go."""

    def __init__(self, most: int) -> None:
        self.most, self.n, self.reached, self.go = most, 0, threading.Event(), threading.Event()
        self.lock = threading.Lock()

    def latency(self, body: Body) -> float:
        with self.lock:
            self.n += 1
            if self.n <= self.most:
                return 0.0
        self.reached.set()
        return 0.0 if self.go.is_set() else 600.0


def test_a_run_that_is_going_on_is_reported_in_every_format(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.setenv("JUDGE_KEY", "k")
    write_data(tmp_path, n=10)
    held = Held(12)
    with ChatServer(verdict(), latency_s=held.latency) as server:
        config = write_config(tmp_path, server.url)
        child = subprocess.Popen([sys.executable, "-m", "simsa", "run", str(config), "-q"])
        try:
            assert held.reached.wait(60), "the judge was asked"
            counted = until(lambda: shown(config, capfdbinary), lambda found: sum(found) == 12)
            assert len(counted) == 2 and child.poll() is None, "it is still going on"
            for format in ("text", "md", "html", "csv", "parquet", "junit"):
                assert simsa(["report", str(config), "--format", format]) == 0
                assert capfdbinary.readouterr().out
            assert simsa(["examples", str(config)]) == 0
            assert simsa(["compare", str(config), "--gate", "coverage >= 1"]) == 3
            assert simsa(["export", str(config), "--to", "jsonl"]) == 0
            exported = capfdbinary.readouterr().out.splitlines()
            statuses = Counter(json.loads(line)["status"] for line in exported if line.startswith(b"{"))
            assert statuses == {"scored": 12, "pending": 8}
        finally:
            child.kill()
            child.wait()
    with ChatServer(verdict()) as server:
        config = write_config(tmp_path, server.url)
        assert simsa(["run", str(config), "-q"]) == 0
        assert server.count == 8, "what was scored is not asked again"
    assert shown(config, capfdbinary) == [10, 10]


def shown(config: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> list[int]:
    capfdbinary.readouterr()
    assert simsa(["report", str(config), "--json"]) == 0
    return [variant["n_scored"] for variant in json.loads(capfdbinary.readouterr().out)["variants"]]


def until(look: Callable[[], list[int]], done: Callable[[list[int]], bool]) -> list[int]:
    """Looks again until it is done: a verdict counts once it is on disk."""
    for _ in range(100):
        found = look()
        if done(found):
            break
        threading.Event().wait(0.05)
    return found
