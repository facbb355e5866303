from __future__ import annotations

from pathlib import Path

import pytest

from simsa.report import example_answers
from simsa.report.score_matrix import load
from simsa.report.summary_model import Kind
from simsa.store import Store
from tests.support.report_runs import Scored, make_run

#         q0            q1            q2            q3            q4
A = [(3, 3, 3, 3), (1, 1, 1, 1), (5, 5, 5, 5), (2, 2, 2, 2), (1, 1, 1, 1)]
B: list[Scored] = [(3, 3, 3, 4), (5, 5, 5, 5), (5, 5, 5, 5), (1, 1, 1, 1), "refused"]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path / "run", {"a": A, "b": B})


@pytest.mark.parametrize(
    ("kind", "variants", "expected"),
    [
        ("best", (), ["q2", "q0", "q1", "q3"]),
        ("worst", (), ["q3", "q1", "q0", "q2"]),
        ("differs", (), ["q1", "q3", "q0", "q2"]),
        ("best", ("a",), ["q2", "q0", "q3", "q1", "q4"]),
        ("worst", ("a",), ["q1", "q4", "q3", "q0", "q2"]),
        ("worst", ("b",), ["q3", "q0", "q1", "q2"]),
        ("differs", ("b", "a"), ["q1", "q3", "q0", "q2"]),
    ],
)
def test_the_most_striking_come_first(
    run: Path, kind: Kind, variants: tuple[str, ...], expected: list[str]
) -> None:
    with Store.read(run) as store:
        table = load(store)
    assert example_answers.pick(table, kind, 10, variants) == expected
    assert example_answers.pick(table, kind, 2, variants) == expected[:2]


def test_by_type(run: Path) -> None:
    with Store.read(run) as store:
        table = load(store)
    assert example_answers.pick(table, "best", 10, type="mrc_question") == ["q1", "q3"]
    assert example_answers.pick(table, "best", 10, type="unknown") == []


def test_all_that_stands_there_is_shown(run: Path) -> None:
    with Store.read(run) as store:
        (found,) = example_answers.show(store, "worst", ["q4"])
        assert example_answers.show(store, "worst", ["gone"]) == []
    shown = found.to_dict()
    assert shown["contexts"] == [{"title": "마을", "text": "4번 마을의 이름은 별빛마을 4호입니다."}]
    assert shown["reference"] == ["별빛마을 4호"] and shown["kind"] == "worst"
    scored, refused = shown["answers"]
    assert (scored["total"], scored["status"], scored["analysis"]) == (
        4,
        "scored",
        "문맥에 있는 내용과 같습니다.",
    )
    assert (refused["total"], refused["status"], refused["answer_correctness"]) == (None, "refused", None)
    assert refused["prediction"] == "b 4번 답"
