"""A judge that leaves its API is spoken of before, during and after a run."""

from __future__ import annotations

import asyncio
import datetime
import json
from pathlib import Path
from typing import Any

import pytest

from simsa.cli.main import run
from simsa.config import JudgeConfig
from simsa.judges.model_dates import api_models, deprecated_models, fetch_model_info
from simsa.store import Store
from tests.servers.chat import ChatServer
from tests.support.judged_runs import write_config, write_data

TODAY = datetime.datetime.now(datetime.UTC).date()


def in_days(n: int) -> str:
    return str(TODAY + datetime.timedelta(days=n))


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", "sk-test-0123456789")


def judged(folder: Path, url: str, model: str, more: str = "") -> Path:
    write_data(folder, 2)
    config = write_config(folder, url, more=more)
    config.write_text(config.read_text().replace("judge-1", model), encoding="utf-8")
    return config


def reported(config: Path, capsys: pytest.CaptureFixture[str], *flags: str) -> str:
    capsys.readouterr()
    assert run(["report", str(config), *flags]) == 0
    return capsys.readouterr().out


def test_those_that_leave_within_90_days_the_next_first() -> None:
    listed = {"b": in_days(40), "a": in_days(10), "late": in_days(91), "gone": in_days(-3)}
    found = deprecated_models(["late", "b", "unknown", "gone", "a", "b"], listed)
    assert [(end.model, end.days_left) for end in found] == [("gone", -3), ("a", 10), ("b", 40)]
    assert deprecated_models(["unknown"]) == []


def test_only_models_behind_an_api_can_leave_it() -> None:
    assert api_models(JudgeConfig(model="lexical")) == []
    assert api_models(JudgeConfig(model="gpt-4o", adapter="folder")) == []
    panel = {"panel": [{"model": "gpt-4o"}, {"model": "own", "base_url": "http://127.0.0.1:9"}]}
    assert api_models(JudgeConfig.model_validate(panel)) == ["gpt-4o", "own"]


def test_endpoints_are_asked_for_their_own_dates() -> None:
    cards = [{"id": "own", "shutdown_date": "2030-02-03"}, {"id": "other", "shutdown_date": "2030-01-01"}]
    with ChatServer(models=cards) as server, ChatServer(key="another") as closed:
        panel = {
            "panel": [
                {"model": "own", "base_url": server.url},
                {"model": "shut", "base_url": closed.url},
                {"model": "away", "base_url": "http://127.0.0.1:9/v1"},
            ]
        }
        found = asyncio.run(fetch_model_info(JudgeConfig.model_validate(panel)))
        assert {name: str(card.shutdown_date) for name, card in found.items()} == {"own": "2030-02-03"}
        assert (server.count, closed.count) == (0, 0), "no tokens are spent on it"
    assert asyncio.run(fetch_model_info(JudgeConfig(model="lexical"))) == {}


def test_check_run_and_report_say_when_the_judge_leaves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    last = in_days(40)
    with ChatServer(models=[{"id": "own-judge", "shutdown_date": last}]) as server:
        config = judged(tmp_path, server.url, "own-judge")
        assert run(["check", str(config)]) == 0
        assert f"own-judge은(는) 40일 뒤 {last}에 API에서 사라집니다" in capsys.readouterr().out
        assert run(["run", str(config)]) == 0
        assert f"own-judge은(는) 40일 뒤 {last}에 API에서 사라집니다" in capsys.readouterr().err
        assert server.count == 4
    # The endpoint is gone; the run remembers what it said.
    document = json.loads(reported(config, capsys, "--format", "json"))
    assert document["judge"]["shutdown_date"] == last
    assert document["judge"]["retiring"] == [
        {"model": "own-judge", "date": last, "days_left": 40, "successor": None, "as_of": None}
    ]
    (note,) = [note for note in document["notes"] if note["kind"] == "judge_retiring"]
    assert f"{last}에 서비스가 종료됩니다(앞으로 40일)" in note["text"]
    assert f"own-judge is shut down on {last}, in 40 days" in reported(config, capsys, "--language", "en")


def test_a_date_far_away_is_kept_and_not_spoken_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ChatServer(models=[{"id": "own-judge", "shutdown_date": in_days(200)}]) as server:
        config = judged(tmp_path, server.url, "own-judge")
        assert run(["run", str(config)]) == 0
    assert "API에서 사라" not in capsys.readouterr().err
    with Store.read(tmp_path / "simsa.simsa") as store:
        assert store.meta("shutdown_dates") == {"own-judge": in_days(200)}
    assert json.loads(reported(config, capsys, "--format", "json"))["judge"]["shutdown_date"] is None


def test_a_model_of_the_table_is_known_without_its_endpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = judged(tmp_path, "http://127.0.0.1:9/v1", "gpt-4o-2024-05-13", "max_attempts = 1\n")
    assert run(["check", str(config)]) == 5
    assert "gpt-4o-2024-05-13은 얼마 전에 API에서 사라졌습니다" in capsys.readouterr().out


def test_a_panel_names_the_member(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cards: list[Any] = [{"id": "first", "shutdown_date": in_days(5)}, "second"]
    with ChatServer(models=cards) as server:
        config = judged(tmp_path, server.url, "-")
        members = ", ".join(
            f'{{ model = "{name}", base_url = "{server.url}" }}' for name in ("first", "second")
        )
        head = config.read_text().split("[judge]")[0]
        config.write_text(f"{head}[judge]\npanel = [{members}]\n", encoding="utf-8")
        assert run(["run", str(config), "-q"]) == 0
    assert "심사 모델 first" in reported(config, capsys)


def test_a_variant_that_leaves_its_api_is_spoken_of_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(tmp_path, 2, ())
    config = tmp_path / "simsa.toml"
    with ChatServer("답") as server:
        config.write_text(
            f'[data]\npath = "test.jsonl"\n[[variants]]\nname = "hosted"\n'
            f'endpoint = {{ base_url = "{server.url}", model = "gpt-4o-2024-05-13" }}\n',
            encoding="utf-8",
        )
        assert run(["generate", str(config)]) == 0
    assert "gpt-4o-2024-05-13은 얼마 전에 API에서 사라졌습니다" in capsys.readouterr().err
    notes = json.loads(reported(config, capsys, "--format", "json"))["notes"]
    assert [note["kind"] for note in notes].count("variant_retiring") == 1
