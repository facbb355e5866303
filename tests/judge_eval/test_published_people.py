"""The human labels published with RAGChecker (Ru et al. 2024): 280 pairs of answers, two annotators, through the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from simsa.cli.main import run
from tests.support.published_people import PEOPLE
from tests.support.simulated_labels import write

PAIRS = [(a - 2, b - 2) for a in range(5) for b in range(5) for _ in range(PEOPLE[a][b])]
HEAD = "question_id,variant,annotator,criterion,score"


def people(folder: Path, *names: str) -> Path:
    """The labels of the first, or of both annotators."""
    rows = [
        (f"q{n}", "system", name, "preference", pair[k])
        for k, name in enumerate(names)
        for n, pair in enumerate(PAIRS)
    ]
    return write(folder / "people.csv", HEAD, rows)


def judge(folder: Path, scores: list[int]) -> Path:
    rows = [(f"q{n}", "system", "preference", score) for n, score in enumerate(scores)]
    return write(folder / "judge.csv", "question_id,variant,criterion,score", rows)


def calibrated(capfd: pytest.CaptureFixture[str], scores: Path, labels: Path) -> dict[str, Any]:
    capfd.readouterr()
    assert run(["calibrate", "--scores", str(scores), "--labels", str(labels), "--json"]) == 0
    found: dict[str, Any] = json.loads(capfd.readouterr().out)["criteria"]["preference"]
    return found


def assert_published(found: dict[str, Any]) -> None:
    """As published: quadratic κ .698, ordinal α .684, the same 55 %, at most one apart 90 %."""
    assert found["n_labels"] == 280
    assert found["quadratic_kappa"] == pytest.approx(0.698, abs=5e-4)
    assert found["krippendorff_alpha"] == pytest.approx(0.684, abs=5e-4)
    assert found["exact"] == pytest.approx(0.55, abs=5e-3)
    assert found["within_one"] == pytest.approx(0.90, abs=5e-3)


def test_annotators_among_themselves(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = calibrated(capfd, judge(tmp_path, [0] * 280), people(tmp_path, "one", "two"))["annotators"]
    assert (found["n_items"], len(found["pairs"])) == (280, 1)
    assert found["krippendorff_alpha"] == pytest.approx(0.684, abs=5e-4)
    assert_published(found["pairs"][0])
    assert found["pairs"][0]["confusion"] == PEOPLE


def test_one_annotator_as_the_judge_of_the_other(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = calibrated(capfd, judge(tmp_path, [b for _, b in PAIRS]), people(tmp_path, "one"))
    assert_published(found)
    assert found["levels"] == [-2, -1, 0, 1, 2]
    assert found["confusion"] == PEOPLE
    assert found["standing"] == "passed"
    assert found["bias"] == pytest.approx(sum(b - a for a, b in PAIRS) / 280)
    for name, (low, high) in found["ci95"].items():
        assert low <= found[name] <= high, name


def test_a_judge_that_says_one_thing_only_has_no_correlation_and_is_below_the_bar(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    found = calibrated(capfd, judge(tmp_path, [0] * 280), people(tmp_path, "one", "two"))
    assert (found["n_labels"], found["spearman"], found["kendall_tau_b"]) == (560, None, None)
    assert any("vary" in note for note in found["notes"])
    assert found["standing"] == "weak"
