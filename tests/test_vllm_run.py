"""The main job on real vLLM: base and two adapters on one server, through the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from simsa import config as configuration
from simsa.cli.main import run
from simsa.demo import demo_files
from simsa.engines import plan_judge
from simsa.errors import SimsaError
from simsa.store import Store, expected, results
from tests.support.running_vllm import Running

pytestmark = pytest.mark.vllm


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A demo of a few questions: its folder and its report."""
    out = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "simsa", "demo", "--limit", "4", "--out", str(out), "-q", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    return out, json.loads(done.stdout)


def test_every_variant_answers_and_every_answer_is_scored(demo: tuple[Path, dict[str, Any]]) -> None:
    _, report = demo
    variants = report["variants"]
    assert isinstance(variants, list)
    assert [v["name"] for v in variants] == ["base", "rag-early", "rag-final"]
    assert [(v["n_predicted"], v["n_scored"]) for v in variants] == [(4, 4)] * 3


def test_the_demos_own_judge_was_served_beside_them_and_read_what_they_said(
    demo: tuple[Path, dict[str, Any]],
) -> None:
    folder, report = demo
    judge = report["judge"]
    assert isinstance(judge, dict)
    assert judge["model"] == "demo-judge" and judge["rubric"].startswith("demo-ko@")
    assert judge["cost_usd"] == 0 and judge["calls"] >= 8
    with Store.read(folder / "simsa.simsa") as store:
        scores = [tuple(sorted(row.scores.items())) for row in results(store)]
        analyses = [text for (text,) in store.db.execute("SELECT analysis FROM judgements")]
    assert all(text.startswith("예측은 정답과 ") for text in analyses), "as it was trained to"
    assert len(set(scores)) > 1
    assert any("데모의 심사 모델" in str(note) for note in report["notes"])


def test_the_judge_on_the_same_server_can_be_examined(
    demo: tuple[Path, dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = demo
    assert run(["probe", str(folder / "simsa.toml"), "-n", "1", "--retest", "2", "-q", "--json"]) in (0, 4)
    found = json.loads(capsys.readouterr().out)
    assert found["judge"]["model"] == "demo-judge"
    assert found["probes"]["overall"]["n"] >= 8
    assert found["probes"]["overall"]["unscored"] == 0


def test_each_variant_is_itself_though_all_share_one_server(demo: tuple[Path, dict[str, Any]]) -> None:
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
    # With every LoRA slot filled, vLLM on a CPU has the base answer as the last adapter, and end like it.
    base = [row for row in rows if row.variant == "base"]
    assert sum(row.finish_reason == "length" for row in base) >= 3


def test_a_second_run_starts_nothing(demo: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = demo
    log = next((folder / "simsa.simsa" / "logs").glob("vllm-*.log"))
    before = log.stat().st_mtime_ns
    assert run(["demo", "--limit", "4", "--out", str(folder), "-q"]) == 0
    assert log.stat().st_mtime_ns == before


def test_no_server_is_left_behind(demo: tuple[Path, dict[str, Any]]) -> None:
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


def config_for(folder: Path, model: Path, n: int, length: int = 2048) -> Path:
    """Base and the final adapter on the first `n` questions, without a judge."""
    files = demo_files()
    config = folder / "real.toml"
    config.write_text(
        f'[data]\npath = "{files.test}"\nlimit = {n}\n'
        f'[serving]\nmodel = "{model}"\ndtype = "bfloat16"\nmax_model_len = {length}\n'
        f'[[variants]]\nname = "base"\n[[variants]]\nname = "rag-final"\nadapter = "{files.adapters["rag-final"]}"\n'
        "[generation]\nmax_tokens = 24\n",
        encoding="utf-8",
    )
    return config


def answers(folder: Path) -> dict[str, tuple[str, float]]:
    """Request hash → answer and latency of everything that is on disk; nothing while there is no run."""
    try:
        with Store.read(folder) as store:
            rows = store.db.execute("SELECT request_hash, prediction, latency_s FROM answers").fetchall()
    except SimsaError:
        return {}
    return {request: (prediction, latency) for request, prediction, latency in rows}


def processes_of(mark: str) -> list[int]:
    """Processes whose command line or environment names `mark`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (process / "cmdline").read_bytes() + (process / "environ").read_bytes():
                found.append(int(process.name))
        except OSError:
            continue
    return [pid for pid in found if pid != os.getpid()]


def test_killed_while_generating_it_leaves_no_server_and_keeps_what_was_answered(
    tmp_path: Path, demo_model: Path
) -> None:
    config = config_for(tmp_path, demo_model, 6)
    command = [sys.executable, "-m", "simsa", "generate", str(config), "-q"]
    marked = os.environ | {"SIMSA_TEST_MARK": str(tmp_path)}
    child = subprocess.Popen(command, env=marked)
    deadline = time.monotonic() + 400
    while len(answers(tmp_path / "real.simsa")) < 2:
        assert child.poll() is None, "it ended by itself"
        assert time.monotonic() < deadline
        time.sleep(0.1)
    child.kill()
    child.wait()
    kept = answers(tmp_path / "real.simsa")
    assert 2 <= len(kept) < 12
    deadline = time.monotonic() + 30
    while processes_of(str(tmp_path)) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert processes_of(str(tmp_path)) == [], "vLLM outlives a killed simsa"

    assert subprocess.run(command, check=False).returncode == 0
    finished = answers(tmp_path / "real.simsa")
    assert len(finished) == 12
    assert {request: finished[request] for request in kept} == kept, "what was answered is not asked again"


def test_a_model_that_simsa_serves_can_judge(
    tmp_path: Path, demo_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    key = "a-key-of-this-test"
    monkeypatch.setenv("SERVED_KEY", key)
    config = config_for(tmp_path, demo_model, 3, length=6144)
    server = subprocess.Popen(
        [sys.executable, "-m", "simsa", "serve", str(config), "--key-env", "SERVED_KEY", "--json", "-q"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        served = json.loads(server.stdout.readline())
        assert served["variants"] == {"base": "base", "rag-final": "rag-final"}
        judged = tmp_path / "judged.toml"
        files = demo_files()
        judged.write_text(
            f'[data]\npath = "{files.test}"\nlimit = 3\n'
            f'[[variants]]\nname = "rag-final"\npredictions = "{files.recorded}"\n'
            f'[judge]\nmodel = "base"\nbase_url = "{served["base_url"]}"\napi_key_env = "SERVED_KEY"\n'
            "max_tokens = 96\n",
            encoding="utf-8",
        )
        assert run(["judge", str(judged), "-q", "--json"]) in (0, 4)
        rows = json.loads(capsys.readouterr().out)["rows"]
        assert sum(rows.values()) == 3
        assert set(rows) <= {"scored", "truncated", "unreadable"}, (
            "a small model judges badly, but by the protocol"
        )
        with Store.read(tmp_path / "judged.simsa") as store:
            raws = [raw for (raw,) in store.db.execute("SELECT raw FROM judgements")]
            tokens = store.db.execute("SELECT min(prompt_tokens) FROM judgements").fetchone()[0]
        assert all('{"analysis":' in raw.replace("\\", "") for raw in raws), "vLLM holds it to the schema"
        assert tokens > 300
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=60)
    assert server.returncode == 0


def test_several_answers_a_question_and_scores_from_token_probabilities(
    tmp_path: Path, vllm_server: Running, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SERVED_KEY", vllm_server.key)
    files = demo_files()
    address = f'base_url = "{vllm_server.base_url}", model = "base", api_key_env = "SERVED_KEY"'
    config = tmp_path / "several.toml"
    config.write_text(
        f'[data]\npath = "{files.test}"\nlimit = 2\n'
        f'[[variants]]\nname = "base"\nendpoint = {{ {address} }}\n'
        "[generation]\nmax_tokens = 16\ntemperature = 0.8\nsamples = 3\n"
        f'[judge]\nmodel = "base"\nbase_url = "{vllm_server.base_url}"\napi_key_env = "SERVED_KEY"\n'
        f'rubric = "{files.rubric}"\nmax_tokens = 96\nlogprobs = true\n',
        encoding="utf-8",
    )
    assert run(["run", str(config), "-q", "--json"]) in (0, 4)
    assert json.loads(capsys.readouterr().out)["run"]["n_questions"] == 2
    with Store.read(tmp_path / "several.simsa") as store:
        rows = list(results(store, sample=None))
        probable = [means for _, _, means in expected(store)]
    assert sorted((row.question_id, row.sample) for row in rows) == [
        (f"demo-00{n}", k) for n in (1, 2) for k in range(3)
    ]
    for n in (1, 2):
        said = {row.prediction for row in rows if row.question_id == f"demo-00{n}"}
        assert len(said) > 1, "each with a seed of its own"
    scored = [row for row in rows if row.scores]
    assert len(probable) >= len(scored) > 0
    means = [one.score for of_row in probable for one in of_row.values()]
    assert all(mean is not None and 1 <= mean <= 5 for mean in means), probable
    assert any(mean != round(mean) for mean in means if mean), "weighted by what else it might have said"


def test_files_of_requests_are_run_by_vllm_without_a_server(tmp_path: Path, demo_model: Path) -> None:
    files = demo_files()
    config = tmp_path / "files.toml"
    config.write_text(
        f'[data]\npath = "{files.test}"\nlimit = 2\n'
        f'[[variants]]\nname = "rag-final"\npredictions = "{files.recorded}"\n'
        f'[serving]\nmodel = "{demo_model}"\nmax_model_len = 2048\n'
        f'[judge]\nmodel = "demo-judge"\nadapter = "{files.judge}"\nrubric = "{files.rubric}"\n',
        encoding="utf-8",
    )
    assert run(["judge", str(config), "-q", "--write-batch", str(tmp_path / "requests")]) == 0
    plan = plan_judge(configuration.load(config))
    assert plan is not None
    (requests,) = (tmp_path / "requests").iterdir()
    found = tmp_path / "results.jsonl"
    kept = ("--model=", "--dtype=", "--max-model-len=", "--max-lora", "--kv-cache", "--enable-lora")
    # The `vllm` command of the community's CPU build does not start; this is what it would.
    command = [
        sys.executable,
        "-m",
        "vllm.entrypoints.openai.run_batch",
        "-i",
        str(requests),
        "-o",
        str(found),
    ]
    command += [word for word in plan.argv if word.startswith(kept)]
    command += ["--lora-modules", f"demo-judge={files.judge}"]
    done = subprocess.run(command, env=plan.env, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stderr[-3000:]
    assert run(["judge", str(config), "-q", "--read-batch", str(found)]) == 0
    with Store.read(tmp_path / "files.simsa") as store:
        rows = list(results(store))
    assert [len(row.scores) for row in rows] == [4, 4]
