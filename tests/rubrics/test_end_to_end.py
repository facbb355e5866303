"""Runs with rubrics of their own, from the config to the store and the report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from simsa.cli.main import run
from simsa.records import Criterion
from simsa.store import Store, criteria_of, results, statuses
from tests.servers.chat import Body, ChatServer
from tests.support.judged_runs import report, write_config, write_data
from tests.support.rubrics import OWN_TOML, front_matter, own_toml

PLACES = "{question} {context} {prediction} {label}\n"
SIX = own_toml(
    a="scale = [0, 10]",
    b="scale = [1, 4]\nweight = 2",
    c='scale = "yes/no"',
    d="scale = [0, 10]\nin_total = false",
    e="scale = [-2, 2]",
    f="scale = [1, 7]\nweight = 0.5",
)
TEXT = (
    front_matter('analysis = "reason"', is_correct='scale = "yes/no"', quality="scale = [0, 10]\nweight = 3")
    + PLACES
    + 'Reply {"reason": "...", "is_correct": true, "quality": 0-10}'
)


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", "k")


def judge(criteria: Mapping[str, object]) -> Any:
    """A judge that gives these scores, those that a request asks for."""

    def reply(body: Body) -> str:
        asked = body["response_format"]["json_schema"]["schema"]["properties"]
        return json.dumps({name: criteria.get(name, "because") for name in asked})

    return reply


@pytest.mark.parametrize(
    ("name", "rubric", "said", "scores", "total", "highest"),
    [
        ("one.toml", own_toml(quality="scale = [0, 10]"), {"quality": 7}, {"quality": 7}, 7, 10),
        (
            "two.txt",
            TEXT,
            {"is_correct": "예", "quality": 9},
            {"is_correct": 1, "quality": 9},
            28,
            31,
        ),
        (
            "four.toml",
            OWN_TOML,
            {"quality": 10, "fluency": 2, "is_correct": False, "politeness": 5},
            {"quality": 10, "fluency": 2, "is_correct": 0, "politeness": 5},
            22,
            24.5,
        ),
        (
            "six.toml",
            SIX,
            {"a": 0, "b": 4, "c": "no", "d": 10, "e": -2, "f": 7},
            {"a": 0, "b": 4, "c": 0, "d": 10, "e": -2, "f": 7},
            9.5,
            24.5,
        ),
    ],
)
@pytest.mark.parametrize("mode", ["joint", "split"])
def test_a_run_stores_the_scores_of_any_rubric(
    tmp_path: Path,
    mode: str,
    name: str,
    rubric: str,
    said: dict[str, object],
    scores: dict[str, int],
    total: float,
    highest: float,
) -> None:
    if mode == "split" and name.endswith(".txt"):
        return
    write_data(tmp_path, 3)
    (tmp_path / name).write_text(rubric, encoding="utf-8")
    with ChatServer(reply=judge(said)) as server:
        config = write_config(tmp_path, server.url, more=f'rubric = "{name}"\nmode = "{mode}"\n')
        assert run(["run", str(config), "-q"]) == 0
        calls = server.count
        assert run(["run", str(config), "-q"]) == 0
        assert server.count == calls, "a second run asks nothing"
    with Store.read(tmp_path / "simsa.simsa") as store:
        assert criteria_of(store).names == tuple(scores)
        assert criteria_of(store).max_total == highest
        assert statuses(store) == {"scored": 6}
        assert [(one.scores, one.total) for one in results(store)] == [(scores, total)] * 6


def test_weights_change_the_total_without_a_call(tmp_path: Path) -> None:
    write_data(tmp_path, 2)
    with ChatServer(reply=judge({"quality": 7, "style": 2})) as server:
        config = write_config(tmp_path, server.url, more='rubric = "own.toml"\n')
        for weight, total in ((1, 9), (2, 16)):
            text = own_toml(quality=f"scale = [0, 10]\nweight = {weight}", style="scale = [1, 4]")
            (tmp_path / "own.toml").write_text(text, encoding="utf-8")
            assert run(["run", str(config), "-q"]) == 0
            with Store.read(tmp_path / "simsa.simsa") as store:
                assert {one.total for one in results(store)} == {total}
        assert server.count == 4
        (tmp_path / "own.toml").write_text(own_toml(quality="scale = [0, 9]"), encoding="utf-8")
        assert run(["run", str(config), "-q"]) == 0
        assert server.count == 8, "another scale is another question"
    with Store.read(tmp_path / "simsa.simsa") as store:
        assert criteria_of(store) == (Criterion("quality", 0, 9, title="quality"),)


def test_an_undeclared_prompt_is_refused_before_the_first_call(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_data(tmp_path, 2)
    (tmp_path / "own.txt").write_text(PLACES + 'Reply {"score": 7, "reason": "..."}', encoding="utf-8")
    with ChatServer() as server:
        config = write_config(tmp_path, server.url, more='rubric = "own.txt"\n')
        for command in ("check", "run"):
            assert run([command, str(config)]) == 2
            captured = capfd.readouterr()
            said = " ".join((captured.out + captured.err).split())
            assert "선언하지 않은 키를 요구합니다: score, reason" in said
            assert "simsa init --rubric --from" in said
        assert server.count == 0


def test_the_json_report_has_the_declared_criteria(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(tmp_path, 3)
    (tmp_path / "own.toml").write_text(OWN_TOML, encoding="utf-8")
    said = {"quality": 10, "fluency": 2, "is_correct": True, "politeness": 5}
    with ChatServer(reply=judge(said)) as server:
        config = write_config(tmp_path, server.url, more='rubric = "own.toml"\n')
        assert run(["run", str(config), "-q"]) == 0
    capsys.readouterr()
    for variant in report(config, capsys)["variants"]:
        means = {name: found["mean"] for name, found in variant["criteria"].items()}
        assert means == {"quality": 10, "fluency": 2, "is_correct": 1, "politeness": 5}
        assert (variant["total"]["mean"], variant["total"]["max"]) == (22.5, 24.5)
