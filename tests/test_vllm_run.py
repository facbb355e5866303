"""The main job on real vLLM: base and two adapters on one server, through the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from simsa.cli.main import run
from simsa.store import Store, results

pytestmark = pytest.mark.vllm


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    """A demo of a few questions: its folder and its report."""
    out = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "simsa", "demo", "--limit", "4", "--out", str(out), "-q", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    return out, json.loads(done.stdout)


def test_every_variant_answers_and_every_answer_is_scored(demo: tuple[Path, dict[str, object]]) -> None:
    _, report = demo
    variants = report["variants"]
    assert isinstance(variants, list)
    assert [v["name"] for v in variants] == ["base", "rag-early", "rag-final"]
    assert [(v["n_predicted"], v["n_scored"]) for v in variants] == [(4, 4)] * 3


def test_each_variant_is_itself_though_all_share_one_server(demo: tuple[Path, dict[str, object]]) -> None:
    folder, _ = demo
    with Store.read(folder / "simsa.simsa") as store:
        rows = list(results(store))
    said = {
        name: [row.prediction for row in rows if row.variant == name]
        for name in ("base", "rag-early", "rag-final")
    }
    assert len({tuple(answers) for answers in said.values()}) == 3
    final = [row for row in rows if row.variant == "rag-final"]
    assert sum(row.finish_reason == "stop" for row in final) >= 3, "the fine-tune has learnt to end"
    assert all(row.latency_s and row.prompt_tokens and row.completion_tokens for row in rows)
    # On a CPU the base once answered as the last adapter: it has no citations of its own to close with.
    base = [row.prediction or "" for row in rows if row.variant == "base"]
    assert base != [row.prediction for row in final]


def test_a_second_run_starts_nothing(demo: tuple[Path, dict[str, object]]) -> None:
    folder, _ = demo
    log = next((folder / "simsa.simsa" / "logs").glob("vllm-*.log"))
    before = log.stat().st_mtime_ns
    assert run(["demo", "--limit", "4", "--out", str(folder), "-q"]) == 0
    assert log.stat().st_mtime_ns == before


def test_no_server_is_left_behind(demo: tuple[Path, dict[str, object]]) -> None:
    folder, _ = demo
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = process.read_bytes()
        except OSError:
            continue
        assert str(folder).encode() not in command


def test_the_replay_needs_no_vllm_and_says_the_same_of_the_same_answers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["demo", "--replay", "--out", str(tmp_path), "-q", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [v["n_scored"] for v in report["variants"]] == [report["run"]["n_questions"]] * 3
    assert report["run"]["n_questions"] >= 48
    base, early, final = report["variants"]
    assert final["metrics"]["korquad_f1"] > early["metrics"]["korquad_f1"]
    assert final["metrics"]["korquad_f1"] > base["metrics"]["korquad_f1"]
