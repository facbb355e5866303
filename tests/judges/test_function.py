"""A judge made of a plain function, through the library."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

import simsa
from simsa.judges import FunctionJudge
from simsa.records import Criterion, Question

ROWS = [
    {"id": f"q{n}", "question": "얼마?", "contexts": ["값은 3이다."], "reference": "3", "prediction": str(n)}
    for n in range(4)
]


def judge(version: str = "1", calls: list[str] | None = None) -> FunctionJudge:
    def close(question: Question, prediction: str) -> Mapping[str, int]:
        if calls is not None:
            calls.append(prediction)
        return {
            "exact": int(prediction == question.reference[0]),
            "distance": 10 - 3 * abs(3 - int(prediction)),
        }

    criteria = (Criterion("exact", 0, 1), Criterion("distance", 0, 10, weight=2))
    return FunctionJudge(close, criteria, label="close", version=version)


def test_a_function_scores_rows_on_its_own_scales(tmp_path: Path) -> None:
    run = simsa.judge(ROWS, judge(), out=tmp_path)
    rows = {row["question_id"]: row for row in run.rows()}
    assert [rows[f"q{n}"]["status"] for n in range(4)] == ["scored"] * 4
    assert [rows[f"q{n}"]["exact"] for n in range(4)] == [0, 0, 0, 1]
    assert [rows[f"q{n}"]["distance"] for n in range(4)] == [1, 4, 7, 10]
    assert [rows[f"q{n}"]["total"] for n in range(4)] == [2, 8, 14, 21]


def test_a_judged_row_is_not_judged_again_until_the_version_changes(tmp_path: Path) -> None:
    calls: list[str] = []
    for version, expected in (("1", 4), ("1", 4), ("2", 8)):
        simsa.judge(ROWS, judge(version, calls), out=tmp_path)
        assert len(calls) == expected


@pytest.mark.parametrize(
    ("found", "reason"), [({"exact": 7}, "from 0 to 1"), ({}, "None"), (None, "TypeError")]
)
def test_a_function_that_fails_leaves_rows_failed(
    tmp_path: Path, found: Mapping[str, int] | None, reason: str
) -> None:
    def broken(question: Question, prediction: str) -> Mapping[str, int]:
        if found is None:
            raise TypeError("no")
        return found

    run = simsa.judge(ROWS[:1], FunctionJudge(broken, (Criterion("exact", 0, 1),)), out=tmp_path)
    [row] = run.rows()
    assert row["status"] == "failed"
    assert row["exact"] is None
