from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsa.errors import ConfigError
from simsa.report import gates
from simsa.report.table import load
from simsa.store import Store
from tests.report.runs import make_run, question

METRICS = ["total", "coverage", "answer_correctness", "over_refusal"]


@given(
    st.sampled_from(METRICS),
    st.sampled_from([">", ">=", "<", "<="]),
    st.integers(0, 2000).map(lambda n: n / 100),
    st.booleans(),
    st.sampled_from("+-−"),
    st.sampled_from(["", "lora: ", "a:b: "]),
)
def test_what_is_written_is_read(
    metric: str, op: str, limit: float, relative: bool, sign: str, variant: str
) -> None:
    right = f"baseline {sign} {limit}" if relative else f"{sign if sign != '+' else ''}{limit}"
    found = gates.parse(f" {variant}{metric} {op} {right} ")
    assert (found.metric, found.op, found.relative) == (metric, op, relative)
    assert found.limit == (limit if sign == "+" else -limit)
    assert found.variant == (variant.rstrip(": ") or None)
    assert gates.parse(found.condition).limit == pytest.approx(found.limit, rel=1e-5)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "total",
        "total == 3",
        "total >",
        "total > x",
        "> 3",
        "total > baseline 3",
        "total > nan",
        "total > 1e3 4",
    ],
)
def test_what_is_not_a_gate_is_refused_with_the_grammar(text: str) -> None:
    with pytest.raises(ConfigError, match="METRIC"):
        gates.parse(text)


def outcome(folder: Path, text: str, scores: dict, **more: object) -> gates.Outcome:  # type: ignore[type-arg]
    with Store.read(make_run(folder / "r", scores, **more)) as store:  # type: ignore[arg-type]
        (found,) = gates.evaluate([gates.parse(text)], load(store), "base")
    return found


BASE = [[3, 3, 3, 3], [2, 2, 2, 2], [4, 4, 4, 4], [3, 3, 3, 3]] * 4
BETTER = [[4, 4, 4, 4], [3, 3, 3, 3], [5, 5, 5, 4], [4, 4, 4, 4]] * 4


@pytest.mark.parametrize(
    ("text", "passed"),
    [
        ("total > baseline", True),
        ("total >= baseline + 3", True),
        ("total > baseline + 3.99", False),
        ("total < baseline", False),
        ("base: total > baseline", False),
        ("base: total >= baseline", True),
        ("total >= 1", True),
        ("total >= 16", False),
        ("total <= 20", True),
        ("coverage >= 1", True),
        ("coverage > 1", False),
        ("coverage >= baseline", True),
    ],
)
def test_the_bound_decides(tmp_path: Path, text: str, passed: bool) -> None:
    assert outcome(tmp_path, text, {"base": BASE, "lora": BETTER}).passed is passed


def test_an_estimate_above_the_limit_is_not_enough(tmp_path: Path) -> None:
    found = outcome(
        tmp_path,
        "total >= 3",
        {"base": BASE[:4], "lora": [[1, 1, 1, 1], [1, 1, 1, 1], [5, 5, 5, 5], [1, 1, 1, 1]]},
    )
    assert found.figure == 8
    assert found.bound is not None
    assert found.bound < 3
    assert not found.passed


def test_missing_scores_lower_the_coverage(tmp_path: Path) -> None:
    found = outcome(tmp_path, "coverage >= 0.76", {"base": BASE[:4], "lora": [*BETTER[:3], "refused"]})
    assert (found.figure, found.bound, found.n, found.passed) == (0.75, 0.75, 4, False)


@pytest.mark.parametrize(
    "text",
    ["total > 0", "total >= baseline - 20", "over_refusal < 1", "abstention_precision >= 0", "total < 99"],
)
@pytest.mark.parametrize("lora", [[None] * 4, []])
def test_what_cannot_be_computed_fails_with_a_reason(tmp_path: Path, text: str, lora: list[None]) -> None:
    found = outcome(
        tmp_path,
        text,
        {"base": [None] * 4, "lora": lora},
        questions=[question(n, answerable=False) for n in range(4)],
    )
    assert not found.passed
    assert found.to_dict()["reason"]
    assert found.sentence("ko")


def test_one_row_has_no_bound_and_passes_nothing(tmp_path: Path) -> None:
    found = outcome(tmp_path, "total > 1", {"base": BASE[:1], "lora": BETTER[:1]})
    assert not found.passed
    assert found.bound is None


def test_abstentions_are_gated_as_rates(tmp_path: Path) -> None:
    said = ["문서에서 찾을 수 없습니다.", "별빛마을"] * 10
    found = outcome(
        tmp_path,
        "abstention_recall >= 0.5",
        {"base": BASE, "lora": [*BETTER, *BETTER[:4]]},
        questions=[question(n) for n in range(20)],
        predictions={"base": ["별"] * 20, "lora": said},
    )
    assert found.figure == 1
    assert found.bound is not None
    assert found.bound == pytest.approx(0.7225, abs=1e-3), "Wilson of 10 in 10, not 1"
    assert found.n == 10
    assert found.passed
