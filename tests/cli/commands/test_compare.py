from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from simsa.cli.main import run
from tests.support.report_runs import BASE, BETTER, JUDGE, make_run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_run(tmp_path / "new.simsa", {"base": BASE, "lora": BETTER})


@pytest.mark.parametrize(
    ("gates", "code"),
    [
        ([], 0),
        (["total > baseline"], 0),
        (["total > baseline", "coverage >= 0.98"], 0),
        (["total > baseline + 4"], 3),
        (["total > baseline", "total < 1"], 3),
        (["totl > 1"], 2),
        (["total > "], 2),
        (["nobody: total > 1"], 2),
    ],
)
def test_gates_decide_the_exit_code(
    folder: Path, gates: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["compare", str(folder), *(part for gate in gates for part in ("--gate", gate))]) == code
    assert bool(capsys.readouterr().out) is (code != 2), "a failed gate still shows what was found"


def test_json_is_one_document_also_when_a_gate_fails(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["compare", str(folder), "--json", "--gate", "total > 19"]) == 3
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "simsa.compare/1"
    assert found["passed"] is False
    (gate,) = found["gates"]
    assert (gate["gate"], gate["variant"], gate["passed"]) == ("total > 19", "lora", False)
    total = next(c for c in found["comparisons"] if c["criterion"] == "total")
    assert (total["baseline"], total["variant"], total["n_pairs"]) == ("base", "lora", 16)
    assert total["mean_diff"] == pytest.approx(3.75)


def test_another_baseline_flips_the_sign(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", str(folder), "--baseline", "lora", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert next(c for c in found["comparisons"] if c["criterion"] == "total")["mean_diff"] == pytest.approx(
        -3.75
    )
    assert run(["compare", str(folder), "--baseline", "nobody"]) == 2


def test_two_runs_are_compared_question_by_question(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = make_run(tmp_path / "old.simsa", {"base": BASE})
    assert run(["compare", str(folder), str(old), "--baseline", "base@old.simsa", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["variants"] == ["base", "lora", "base@old.simsa"]
    totals = {c["variant"]: c["mean_diff"] for c in found["comparisons"] if c["criterion"] == "total"}
    assert totals == {"base": 0, "lora": pytest.approx(3.75)}


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"run": {"id": "x", "data_hash": "0ther"}}, "0ther"),
        ({"judge": JUDGE | {"model": "gpt-5"}}, "gpt-5"),
        ({"judge": JUDGE | {"rubric": "rag-en@ffff"}}, "rag-en@ffff"),
        ({"judge": None}, "none"),
    ],
)
def test_runs_of_other_data_judge_or_rubric_are_refused(
    folder: Path,
    tmp_path: Path,
    other: dict[str, Any],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    old = make_run(tmp_path / "old.simsa", {"base": BASE}, **other)
    assert run(["compare", str(folder), str(old)]) == 2
    refused = capsys.readouterr()
    assert said in refused.err
    assert "→" in refused.err
    assert not refused.out


def test_gates_as_junit(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "gates.xml"
    gates = ["--gate", "total > baseline", "--gate", "total > 19"]
    assert run(["compare", str(folder), *gates, "--format", "junit", "--out", str(out)]) == 3
    suite = ElementTree.parse(out).getroot()[0]
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    assert [case.get("name") for case in suite if case.find("failure") is not None] == ["total > 19"]
