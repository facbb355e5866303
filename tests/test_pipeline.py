"""The main job through its public face: files and endpoints in, one verdict a row out, nothing twice."""

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

from simsa.cli.main import run
from simsa.config import OPENAI
from simsa.store import Store, results
from tests.servers.chat import Body, ChatServer, text_of, verdict
from tests.support.judged_runs import CRITERIA, KEY, by_variant, report, write_config, write_data, write_rows
from tests.support.rubrics import PLACES


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", KEY)


def test_one_call_a_row_and_the_means_are_what_the_judge_gave(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(tmp_path)
    low = {"answer_correctness": 2, "context_relevance": 3, "context_faithfulness": 1, "context_recall": 4}
    high = {"answer_correctness": 5, "context_relevance": 3, "context_faithfulness": 4, "context_recall": 4}
    with ChatServer(by_variant(base=low, lora=high), key=KEY) as server:
        config = write_config(tmp_path, server.url)
        assert run(["run", str(config), "-q"]) == 0
        assert server.count == 24
        found = report(config, capsys)
        base, lora = found["variants"]
        assert {name: base["criteria"][name]["mean"] for name in CRITERIA} == low
        assert {name: lora["criteria"][name]["mean"] for name in CRITERIA} == high
        assert (base["total"]["mean"], lora["total"]["mean"], base["total"]["max"]) == (10, 16, 20)
        assert (base["n"], base["n_predicted"], base["n_scored"], base["unscored"]) == (12, 12, 12, {})
        assert found["judge"]["calls"] == 24

        assert run(["run", str(config), "-q"]) == 0
        assert server.count == 24, "a second run asks nothing"


def test_a_longer_test_set_and_an_edited_rubric_ask_only_for_what_is_new(tmp_path: Path) -> None:
    write_data(tmp_path, 6)
    (tmp_path / "rubric.txt").write_text(f"{PLACES} JSON으로 답하라. {{}}")
    with ChatServer() as server:
        config = write_config(tmp_path, server.url, more='rubric = "rubric.txt"\n')
        assert run(["run", str(config), "-q"]) == 0
        assert server.count == 12
        write_data(tmp_path, 10)
        assert run(["run", str(config), "-q"]) == 0
        assert server.count == 20
        (tmp_path / "rubric.txt").write_text(f"{PLACES} JSON만.")
        assert run(["run", str(config), "-q"]) == 0
        assert server.count == 40
        (tmp_path / "rubric.txt").write_text(f"{PLACES} JSON으로 답하라. {{}}")
        assert run(["run", str(config), "-q"]) == 0
        assert server.count == 40, "what was judged by this text before is found again"


def test_equal_answers_of_several_variants_are_judged_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(tmp_path, 10, ("base",))
    (tmp_path / "lora.jsonl").write_bytes((tmp_path / "base.jsonl").read_bytes())
    with ChatServer(latency_s=0.01) as server:
        config = write_config(tmp_path, server.url)
        assert run(["run", str(config), "-q"]) == 0
        assert server.count == 10
        found = report(config, capsys)
        assert (found["judge"]["calls"], found["judge"]["reused"]) == (10, 10)
        assert [variant["n_scored"] for variant in found["variants"]] == [10, 10]


@pytest.mark.parametrize(("at", "width"), [(100, 16), (250, 64)])
def test_killed_in_the_middle_it_repeats_no_more_than_its_window(tmp_path: Path, at: int, width: int) -> None:
    n = 500
    write_data(tmp_path, n, ("base",))
    with ChatServer(latency_s=0.005) as server:
        config = write_config(tmp_path, server.url, variants=("base",))
        config.write_text(config.read_text().replace("max_concurrency = 8", f"max_concurrency = {width}"))
        command = [sys.executable, "-m", "simsa", "judge", str(config), "-q"]
        child = subprocess.Popen(command, stderr=subprocess.PIPE)
        while server.count < at and child.poll() is None:
            time.sleep(0.001)
        os.kill(child.pid, signal.SIGKILL)
        child.communicate()
        with Store.read(config.with_name("simsa.simsa")) as store:
            kept = store.count("judgements")
        assert 0 < kept < n
        before = server.count
        assert before - kept <= width
        assert subprocess.run(command, check=False).returncode == 0
        assert server.count - before == n - kept
        assert server.count <= n + width


def test_interrupted_by_the_user_it_is_resumable(tmp_path: Path) -> None:
    write_data(tmp_path, 300, ("base",))
    with ChatServer(latency_s=0.05) as server:
        config = write_config(tmp_path, server.url, variants=("base",))
        child = subprocess.Popen(
            [sys.executable, "-m", "simsa", "run", str(config)], stderr=subprocess.PIPE, text=True
        )
        while server.count < 30:
            time.sleep(0.01)
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=30)
        assert child.returncode == 130
        assert "이어서 하려면:\n  simsa run " in said
        assert "Traceback" not in said
        assert run(["run", str(config), "-q"]) == 0
        assert server.count <= 300 + 8


def test_rows_without_a_score_are_counted_and_never_a_number(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(tmp_path, 10, ("base",))

    def reply(body: Body) -> Any:
        text = text_of(body)
        if "1903년" in text:
            return {"content": None, "refusal": "I can't help with that."}
        return "점수를 줄 수 없다" if "1904년" in text else verdict()

    with ChatServer(reply) as server:
        config = write_config(tmp_path, server.url, variants=("base",))
        assert run(["run", str(config), "-q"]) == 4
        found = report(config, capsys)["variants"][0]
        assert found["unscored"] == {"refused": 1, "unreadable": 1}
        assert (found["n"], found["n_scored"], found["total"]["n"], found["total"]["mean"]) == (10, 8, 8, 16)
        calls = server.count
        assert run(["run", str(config), "-q"]) == 4
        assert server.count == calls, "what was refused is not asked again by itself"
        server.reply = verdict()
        assert run(["run", str(config), "-q", "--retry", "refused", "--retry", "unreadable"]) == 0
        assert server.count == calls + 2


def test_missing_predictions_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_data(tmp_path, 5, ("base",))
    lines = (tmp_path / "base.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "base.jsonl").write_text("".join(lines[:3]), encoding="utf-8")
    with ChatServer() as server:
        config = write_config(tmp_path, server.url, variants=("base",))
        assert run(["run", str(config), "-q"]) == 4
        assert server.count == 3
        found = report(config, capsys)["variants"][0]
        assert (found["n"], found["n_predicted"], found["unscored"]) == (5, 3, {"no_prediction": 2})


def test_a_file_for_another_test_set_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_data(tmp_path, 5, ("base",))
    write_rows(tmp_path / "base.jsonl", [{"question_id": "elsewhere", "prediction": "답"}])
    config = write_config(tmp_path, "http://127.0.0.1:9/v1", variants=("base",))
    assert run(["run", str(config), "-q"]) == 2
    assert "예측 답변이 하나도 없습니다" in capsys.readouterr().err


def test_money_is_not_spent_beyond_the_cap(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_data(tmp_path, 60, ("base",))
    with ChatServer(latency_s=0.002) as server:
        config = write_config(tmp_path, server.url, variants=("base",), more="max_cost_usd = 0.02\n")
        config.write_text(config.read_text().replace("judge-1", "gpt-4o"))
        assert run(["run", str(config), "-q"]) == 4
        found = report(config, capsys)
        spent = found["judge"]["cost_usd"]
        each = spent / server.count
        assert 0 < server.count < 60
        assert spent <= 0.02 + 8 * each
        assert found["variants"][0]["unscored"] == {"budget": 60 - server.count}
        config.write_text(config.read_text().replace("0.02", "5.0"))
        assert run(["run", str(config), "-q"]) == 0
        assert server.count == 60


def test_a_key_that_is_refused_ends_the_run_and_is_never_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(tmp_path)
    with ChatServer(key="another") as server:
        config = write_config(tmp_path, server.url)
        assert run(["run", str(config)]) == 5
        said = capsys.readouterr()
        assert "JUDGE_KEY" in said.err or "key" in said.err
        assert server.count <= 8, "it ends at once"
    assert_nowhere(KEY, tmp_path, said.out + said.err)


def test_the_key_is_in_no_file_log_or_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_data(tmp_path)
    with ChatServer(key=KEY, faults={"server_error": 0.2}) as server:
        config = write_config(tmp_path, server.url)
        assert run(["run", str(config)]) == 0
        for format in ("json", "html", "md", "csv", "junit"):
            assert run(["report", str(config), "--format", format]) == 0
    said = capsys.readouterr()
    assert_nowhere(KEY, tmp_path, said.out + said.err)


def assert_nowhere(key: str, folder: Path, said: str) -> None:
    assert key not in said
    for file in folder.rglob("*"):
        if file.is_file():
            assert key.encode() not in file.read_bytes(), file


def test_an_endpoint_that_is_not_there_is_exit_5(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_data(tmp_path, 2)
    config = write_config(tmp_path, "http://127.0.0.1:9/v1")
    assert run(["run", str(config), "-q"]) == 5
    assert "127.0.0.1:9" in capsys.readouterr().err


def test_variants_behind_an_endpoint_are_asked_and_judged_side_by_side(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(tmp_path, 30, ())
    finished: list[float] = []

    def answer(body: Body) -> str:
        finished.append(time.monotonic())
        return f"{body['model']}: 1900년"

    with ChatServer(answer, latency_s=0.02) as models, ChatServer() as judge:
        config = tmp_path / "simsa.toml"
        config.write_text(
            '[data]\npath = "test.jsonl"\n'
            + "".join(
                f'[[variants]]\nname = "{name}"\n'
                f'endpoint = {{ base_url = "{models.url}", model = "{name}", max_concurrency = 2 }}\n'
                for name in ("one", "two")
            )
            + f'[generation]\nmax_tokens = 7\n[judge]\nmodel = "j"\nbase_url = "{judge.url}"\n'
        )
        assert run(["run", str(config), "-q"]) == 0
        assert models.count == 60
        assert {body["model"] for body in models.requests} == {"one", "two"}
        assert all(body["temperature"] == 0 for body in models.requests)
        # Every answer of a variant reads alike, so only 30 questions x 2 variants differ.
        assert judge.count == 60
        assert judge.calls[0].at < max(finished), "judging does not wait for the last answer"
        found = report(config, capsys)
        assert [variant["n_predicted"] for variant in found["variants"]] == [30, 30]
        with Store.read(tmp_path / "simsa.simsa") as store:
            row = next(results(store))
            assert row.finish_reason == "stop"
            assert row.latency_s is not None
            assert row.latency_s >= 0.02


def test_one_stage_at_a_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_data(tmp_path, 4)
    with ChatServer() as server:
        config = write_config(tmp_path, server.url)
        assert run(["generate", str(config), "-q", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["rows"] == {"predicted": 8}
        assert server.count == 0
        assert run(["judge", str(config), "-q", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["rows"] == {"scored": 8}
        assert server.count == 8


def test_flags_suffice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_data(tmp_path, 4)
    out = tmp_path / "out"
    flags = ["--data", str(tmp_path / "test.jsonl"), "--judge", "lexical", "--out", str(out), "--limit", "3"]
    for name in ("base", "lora"):
        flags += ["--predictions", f"{name}={tmp_path / name}.jsonl"]
    assert run(["run", *flags, "-q", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["run"]["n_questions"] == 3
    assert [variant["name"] for variant in found["variants"]] == ["base", "lora"]
    assert found["judge"]["model"] == "lexical"


def test_two_at_once_in_one_folder_are_kept_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_data(tmp_path, 4)
    config = write_config(tmp_path, "http://127.0.0.1:9/v1")
    with Store.create(tmp_path / "simsa.simsa"):
        assert run(["run", str(config), "-q"]) == 2
    assert "다른 simsa가 이 실행을 쓰고 있습니다" in capsys.readouterr().err


def test_exported_rows_hold_the_whole_verdict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_data(tmp_path, 3, ("base",))
    with ChatServer() as server:
        config = write_config(tmp_path, server.url, variants=("base",))
        config.write_text(config.read_text().replace("judge-1", "gpt-4o"))
        assert run(["run", str(config), "-q"]) == 0
    capsys.readouterr()
    assert run(["export", str(config), "--to", "jsonl"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len({row["request_hash"] for row in rows}) == 3
    for row in rows:
        assert json.loads(row["raw"])["answer_correctness"] == row["answer_correctness"] == 4
        assert row["judge_prompt_tokens"] > 100
        assert 0 < row["cost_usd"] < 0.1


def test_a_limit_makes_nothing_of_the_answers_behind_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(tmp_path, n=6)
    file = tmp_path / "lora.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join([*lines[1:], '{"question_id": "who", "prediction": "?"}\n']), encoding="utf-8")
    config = write_config(tmp_path, "http://127.0.0.1:9/v1")

    def notes(*more: str) -> list[str]:
        assert run(["run", str(config), "--judge", "lexical", "--judge-url", OPENAI, "-q", *more]) == 4
        return [note["text"] for note in report(config, capsys)["notes"] if note["kind"] == "predictions"]

    left_out, missing = (
        "1행은 테스트 세트에 없는 질문의 답변이라 뺐습니다",
        "질문 1개에는 답변이 없습니다",
    )
    assert notes("--limit", "3") == [f"lora.jsonl: {missing}"], "of the file, as the config calls it"
    assert notes() == [f"lora.jsonl: {left_out}", f"lora.jsonl: {missing}"]
