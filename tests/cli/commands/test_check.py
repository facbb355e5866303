"""`simsa check`: everything is looked at, nothing is spent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from simsa.cli.main import run
from tests.servers.chat import ChatServer
from tests.support.judged_runs import write_config, write_data


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", "sk-test-0123456789")


def checked(config: Path, capsys: pytest.CaptureFixture[str], *flags: str) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = run(["check", str(config), "--json", *flags])
    return code, json.loads(capsys.readouterr().out)


def texts(found: dict[str, Any], level: str) -> str:
    return "\n".join(f["text"] for f in found["findings"] if f["level"] == level)


def test_it_counts_what_a_run_would_ask_and_asks_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(tmp_path, 20)
    with ChatServer(key="sk-test-0123456789", models=["judge-1"]) as server:
        config = write_config(tmp_path, server.url)
        code, found = checked(config, capsys)
        assert code == 0
        assert found["ok"] is True
        assert found["estimate"]["calls"] == 40
        assert found["estimate"]["cost_usd"] is None
        assert found["data"]["n"] == 20
        assert server.count == 0
        assert run(["run", str(config), "-q"]) == 0
        assert server.count == 40
        asked = sum(len(str(body["messages"])) for body in server.requests) / 40
        assert asked * 0.1 < found["estimate"]["prompt_tokens"] / 40 < asked
        _, after = checked(config, capsys)
        assert after["estimate"]["calls"] == 0, "what is done costs nothing more"
        write_data(tmp_path, 25)
        _, more = checked(config, capsys)
        assert more["estimate"]["calls"] == 10


def test_a_known_price_becomes_a_cost_and_a_retiring_judge_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(tmp_path, 10)
    models = [{"id": "gpt-4o", "shutdown_date": "2020-01-31"}]
    with ChatServer(models=models) as server:
        config = write_config(tmp_path, server.url)
        config.write_text(config.read_text().replace("judge-1", "gpt-4o"))
        code, found = checked(config, capsys)
        assert code == 0
        tokens = found["estimate"]
        expected = (tokens["prompt_tokens"] * 2.5 + tokens["completion_tokens"] * 10) / 1e6
        assert tokens["cost_usd"] == pytest.approx(expected)
        assert "2020-01-31" in texts(found, "warning")


def test_ones_own_price_wins(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_data(tmp_path, 10)
    with ChatServer() as server:
        config = write_config(tmp_path, server.url, more="price = { input = 1.0, output = 0.0 }\n")
        _, found = checked(config, capsys)
        assert found["estimate"]["cost_usd"] == pytest.approx(found["estimate"]["prompt_tokens"] / 1e6)


def test_several_things_are_wrong_at_once_and_all_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_config(tmp_path, "http://127.0.0.1:9/v1", more='rubric = "none.txt"\n')
    config.write_text(config.read_text() + '[generation]\nprompt = "none.jinja"\n')
    code, found = checked(config, capsys)
    assert code == 2
    said = texts(found, "error")
    assert "test.jsonl" in said
    assert "none.jinja" in said
    assert "none.txt" in said


@pytest.mark.parametrize("case", ["unreachable", "wrong key", "no key"])
def test_a_judge_that_cannot_be_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    write_data(tmp_path, 3)
    with ChatServer(key="another-key-altogether") as server:
        config = write_config(tmp_path, "http://127.0.0.1:9/v1" if case == "unreachable" else server.url)
        if case == "no key":
            monkeypatch.delenv("JUDGE_KEY")
        code, found = checked(config, capsys)
        assert code == (2 if case == "no key" else 5)
        assert "sk-test-0123456789" not in json.dumps(found)
        assert texts(found, "error")


def test_people_read_marks_and_machines_one_document(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(tmp_path, 3)
    config = write_config(tmp_path, "unused")
    assert run(["check", str(config), "--judge", "lexical", "--language", "en"]) == 0
    said = capsys.readouterr().out
    assert "✓ data: 3 questions" in said
    assert "judging: 0 calls" in said
    assert run(["check", str(config), "--judge", "lexical"]) == 0
    said = capsys.readouterr().out
    assert "✓ 데이터: test.jsonl: 질문 3개" in said
    assert "심사: 호출 0회" in said
    assert run(["check", str(config), "--judge", "lexical", "--json"]) == 0
    abouts = [finding["about"] for finding in json.loads(capsys.readouterr().out)["findings"]]
    assert "data" in abouts, "JSON is English, whatever the run speaks"


def test_endpoints_are_probed_only_with_ask(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_data(tmp_path, 3)
    with ChatServer(refuses=("temperature", "logprobs"), reply='{"ok": true}') as server:
        config = write_config(tmp_path, server.url)
        _, before = checked(config, capsys)
        assert set(before["abilities"].values()) == {None}
        assert server.count == 0
        assert run(["check", str(config)]) == 0
        assert "simsa check --ask" in capsys.readouterr().out
        code, asked = checked(config, capsys, "--ask")
        assert code == 0
        assert server.count > 0
        judge = asked["abilities"]["judge"]
        assert judge["temperature"] is False
        assert judge["reasoning"] is True
        assert judge["response_format"] is judge["schema_kept"] is True
        assert judge["logprobs"] is False
        assert judge["length_field"] == "max_tokens"
        assert judge["tokens"] < 100
        assert run(["check", str(config), "--language", "en", "--ask"]) == 0
        shown = capsys.readouterr().out
    assert "a reasoning model?" in shown
    assert "JSON schema" in shown
    assert "max_tokens" in shown
    assert f"{judge['found']} check --ask, {judge['tokens']} tokens" in shown


def test_an_endpoint_that_is_not_there_is_named_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIMSA_CACHE", str(tmp_path / "cache"))
    write_data(tmp_path, 3)
    config = write_config(tmp_path, "http://127.0.0.1:9/v1")
    code, found = checked(config, capsys, "--ask")
    assert code == 5
    about = [f["about"] for f in found["findings"] if f["level"] == "error"]
    assert len(about) == len(set(about))
