"""What `simsa check` says a run will take is what it takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from simsa.cli.main import run
from tests.servers.chat import ChatServer
from tests.support.judged_runs import (
    GROUPS,
    config_of,
    edited,
    flat,
    giving,
    split_config,
    write_config,
    write_data,
    write_rows,
)

PRICED = {"price": {"input": 1.0, "output": 2.0}}


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", "sk-test")


def estimate(config: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    assert run(["check", str(config), "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)["estimate"]
    return found


def takes(config: Path, server: ChatServer) -> int:
    before = server.count
    assert run(["judge", str(config), "-q"]) == 0
    return server.count - before


@pytest.mark.parametrize(
    ("more", "calls"),
    [
        ("", 2 * 6),
        ("repeats = 3\ntemperature = 0.5\n", 2 * 6 * 3),
        ('mode = "split"\n', 6 * (1 + 2)),
        ('mode = "split"\nrepeats = 2\ntemperature = 0.5\n', 6 * (1 + 2) * 2),
    ],
)
def test_the_calls_that_are_foretold_are_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: str, calls: int
) -> None:
    write_data(tmp_path, 6)
    with ChatServer(giving(3)) as server:
        config = write_config(tmp_path, server.url, more=more)
        found = estimate(config, capsys)
        assert found["calls"] == calls
        assert takes(config, server) == calls
        assert estimate(config, capsys)["calls"] == 0


def test_an_edit_is_foretold_by_what_it_asks_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(tmp_path, 6)
    edited(tmp_path)
    with ChatServer(giving(3)) as server:
        config = split_config(tmp_path, server.url)
        whole = estimate(config, capsys)
        assert {name: share["calls"] for name, share in whole["parts"].items()} == {
            "context": 6,
            "answer": 12,
        }
        takes(config, server)
        edited(tmp_path, answer_correctness="바뀜.")
        part = estimate(config, capsys)
        assert {name: share["calls"] for name, share in part["parts"].items()} == {"answer": 12}
        assert part["parts"]["answer"]["prompt_tokens"] < whole["parts"]["answer"]["prompt_tokens"]
        assert takes(config, server) == 12
        edited(tmp_path)
        assert estimate(config, capsys)["calls"] == 0


def test_equal_answers_are_foretold_once_when_they_are_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(tmp_path, 6, ("base",))
    (tmp_path / "lora.jsonl").write_bytes((tmp_path / "base.jsonl").read_bytes())
    with ChatServer(giving(3)) as server:
        config = write_config(tmp_path, server.url)
        assert estimate(config, capsys)["calls"] == 12, "before a run an answer can only be guessed"
        assert run(["generate", str(config), "-q"]) == 0
        assert estimate(config, capsys)["calls"] == 6
        assert takes(config, server) == 6


def test_every_member_of_a_panel_has_its_share(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_data(tmp_path, 5)
    with ChatServer(flat(3)) as a, ChatServer(flat(4)) as b:
        config = config_of(
            tmp_path,
            {"model": "gpt-4o", "base_url": a.url},
            {"model": "unknown", "base_url": b.url},
        )
        found = estimate(config, capsys)
        assert found["calls"] == 20
        assert {name: share["calls"] for name, share in found["judges"].items()} == {
            "gpt-4o": 10,
            "unknown": 10,
        }
        priced = found["judges"]["gpt-4o"]
        expected = (priced["prompt_tokens"] * 2.5 + priced["completion_tokens"] * 10) / 1e6
        assert priced["cost_usd"] == pytest.approx(expected)
        assert (found["judges"]["unknown"]["cost_usd"], found["cost_usd"]) == (None, None)

        config.write_text(config.read_text() + '\n[report]\nlanguage = "en"\n')
        assert run(["check", str(config)]) == 0
        said = capsys.readouterr().out
        assert "judging: 20 calls" in said
        assert "gpt-4o: 10 calls" in said
        assert "unknown: 10 calls" in said
        assert f"judge unknown: {b.url} answers" in said
        assert "lower of the two middle scores" in said
        assert (a.count, b.count) == (0, 0)


def test_of_many_questions_a_sample_is_enough(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"id": f"q{n}", "question": f"{n}?", "contexts": ["본문"], "reference": "답"} for n in range(1003)
    ]
    write_rows(tmp_path / "test.jsonl", rows)
    write_rows(tmp_path / "base.jsonl", [{"question_id": f"q{n}", "prediction": str(n)} for n in range(1003)])
    with ChatServer() as server:
        found = estimate(write_config(tmp_path, server.url, variants=("base",)), capsys)
        assert found["calls"] == 1003
        assert server.count == 0


def test_a_call_for_several_criteria_is_divided_evenly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(tmp_path, 6)
    edited(tmp_path)
    with ChatServer(giving(3)) as server:
        config = split_config(tmp_path, server.url)
        config.write_text(config.read_text().replace("judge-1", "gpt-4o"))
        config.write_text(config.read_text() + '\n[report]\nlanguage = "en"\n')
        found = estimate(config, capsys)
        capsys.readouterr()
        assert run(["check", str(config)]) == 0
    shown = capsys.readouterr().out
    assert found["prices_as_of"] is not None
    assert f"at prices of {found['prices_as_of']}" in shown
    assert "divided evenly" in shown
    by_criterion, parts = found["criteria_usd"], found["parts"]
    assert sum(by_criterion.values()) == pytest.approx(found["cost_usd"])
    for name, criteria in GROUPS.items():
        for criterion in criteria:
            assert by_criterion[criterion] == pytest.approx(parts[name]["cost_usd"] / len(criteria))


def test_without_a_price_no_criterion_has_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_data(tmp_path, 2)
    with ChatServer(giving(3)) as server:
        found = estimate(write_config(tmp_path, server.url), capsys)
    assert set(found["criteria_usd"].values()) == {None}
    assert found["prices_as_of"] is None
