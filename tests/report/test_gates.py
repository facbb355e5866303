from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsa.errors import ConfigError
from simsa.records import Passage
from simsa.report import gates
from simsa.report.gates import GateResult, parse
from simsa.report.score_matrix import load
from simsa.stats import estimate, wilson
from simsa.store import Store
from tests.support.report_runs import BASE, BETTER, make_run, question

REFUSAL = "문맥에 답이 없습니다."


def outcomes(run: Path, *conditions: str, baseline: str = "base") -> list[GateResult]:
    with Store.read(run) as store:
        return gates.evaluate([parse(text) for text in conditions], load(store), baseline)


def scored(*totals: int) -> list[Any]:
    """Verdicts with these totals, spread evenly over the criteria."""
    return [tuple(total // 4 + (n < total % 4) for n in range(4)) for total in totals]


OLD = scored(10, 12, 8, 11, 13, 9, 12, 10, 11, 10, 9, 12)
NEW = scored(11, 12, 9, 11, 14, 10, 12, 11, 11, 10, 10, 13)


@pytest.mark.parametrize(
    ("text", "variant", "metric", "op", "relative", "limit"),
    [
        ("total > baseline", None, "total", ">", True, 0),
        ("total>=baseline-0.5", None, "total", ">=", True, -0.5),
        ("total >= baseline − .5", None, "total", ">=", True, -0.5),
        ("answer_correctness >= baseline + 1", None, "answer_correctness", ">=", True, 1),
        ("context_faithfulness >= 4.0", None, "context_faithfulness", ">=", False, 4),
        ("  coverage   >=   0.98  ", None, "coverage", ">=", False, 0.98),
        ("over_refusal < 5.", None, "over_refusal", "<", False, 5),
        ("Total <= -1", None, "total", "<=", False, -1),
        ("rag-lora: total > 3", "rag-lora", "total", ">", False, 3),
        ("new@run.simsa:total > baseline", "new@run.simsa", "total", ">", True, 0),
        ("한국어:chrf > 30", "한국어", "chrf", ">", False, 30),
        ("a:b: total > 1", "a:b", "total", ">", False, 1),
    ],
)
def test_gates_are_read(
    text: str, variant: str | None, metric: str, op: str, relative: bool, limit: float
) -> None:
    found = parse(text)
    assert (found.variant, found.metric, found.op, found.relative, found.limit) == (
        variant,
        metric,
        op,
        relative,
        limit,
    )
    again = parse(found.condition)
    assert (again.metric, again.op, again.relative, again.limit) == (metric, op, relative, limit)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "total",
        "total >",
        "total = 3",
        "total == baseline",
        "total > other",
        "3 < total",
        "total > baseline * 2",
        "total > baseline + baseline",
        "total > baseline -",
        "total > 1 2",
        "total > nan",
        "total > 1e400",
        "total > 3 and coverage > 1",
        "a b: total > 1",
        "__import__('os') > 1",
    ],
)
def test_anything_else_is_refused_with_the_grammar(text: str) -> None:
    with pytest.raises(ConfigError, match="METRIC") as refused:
        parse(text)
    assert refused.value.exit_code == 2


@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        parse(text)
    except ConfigError as error:
        assert "METRIC" in str(error)


def test_a_difference_is_decided_on_its_lower_bound(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", {"base": OLD, "new": NEW})
    differences = [sum(b) - sum(a) for a, b in zip(OLD, NEW, strict=True)]
    low, high = estimate(differences).ci95 or (0, 0)
    assert 0 < low < 0.58 < high  # the mean is 7/12
    passed, too_much, best, worst = outcomes(
        run, "total > baseline", "total > baseline + 0.5", "total < baseline + 1", "total < baseline + 0.6"
    )
    assert passed.passed and passed.bound == pytest.approx(low)
    assert passed.figure == pytest.approx(7 / 12) and passed.n == 12
    assert not too_much.passed, "the estimate is above, the bound is not"
    assert best.passed and best.bound == pytest.approx(high)
    assert not worst.passed


def test_a_mean_is_decided_on_its_bound(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", {"base": OLD, "new": NEW})
    low, high = estimate([sum(scores) for scores in NEW]).ci95 or (0, 0)
    below, above = outcomes(run, f"total >= {low - 0.001}", f"total >= {low + 0.001}")
    assert below.passed and not above.passed
    assert outcomes(run, f"total <= {high + 0.001}")[0].passed


def test_clusters_widen_what_decides(tmp_path: Path) -> None:
    asked = [question(n, contexts=(Passage(f"문서 {n // 4}"),)) for n in range(12)]
    base, new = scored(*[10] * 12), scored(*[12] * 8, *[9] * 4)
    alone = make_run(tmp_path / "alone", {"base": base, "new": new})
    clustered = make_run(tmp_path / "clustered", {"base": base, "new": new}, questions=asked)
    (free,), (bound,) = outcomes(alone, "total > baseline"), outcomes(clustered, "total > baseline")
    assert free.bound is not None and bound.bound is not None
    assert free.passed and not bound.passed and bound.bound < free.bound


def test_a_variant_against_itself_is_not_worse_and_not_better(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", {"base": OLD, "same": OLD})
    found = outcomes(run, "total >= baseline", "total > baseline", "total >= baseline - 0.1")
    assert [outcome.passed for outcome in found] == [True, False, True]


def test_every_variant_but_the_baseline_is_meant_unless_one_is_named(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", {"base": OLD, "a": NEW, "b": NEW})
    assert [outcome.variant for outcome in outcomes(run, "total > 5")] == ["a", "b"]
    assert [outcome.variant for outcome in outcomes(run, "total > 5", baseline="a")] == ["base", "b"]
    assert [outcome.variant for outcome in outcomes(run, "base: total > 5")] == ["base"]


def test_coverage_is_a_share_of_what_was_planned(tmp_path: Path) -> None:
    new = [*NEW[:9], "refused", "unreadable", None]
    run = make_run(tmp_path / "run", {"base": OLD, "new": new})
    exactly, more, relative = outcomes(
        run, "coverage >= 0.75", "coverage > 0.75", "coverage >= baseline - 0.25"
    )
    assert exactly.passed and exactly.figure == 0.75 and exactly.n == 12
    assert not more.passed and relative.passed


def test_a_metric_is_gated_like_a_score(tmp_path: Path) -> None:
    said = {"base": ["틀림"] * 12, "new": [f"별빛마을 {n}호" for n in range(12)]}
    run = make_run(tmp_path / "run", {"base": OLD, "new": NEW}, predictions=said)
    better, absolute = outcomes(run, "korquad_f1 > baseline + 0.5", "chrf >= 99")
    assert better.passed and absolute.passed


def test_a_rate_of_one_is_not_certain(tmp_path: Path) -> None:
    said = {"base": ["틀림"] * 12, "new": [f"별빛마을 {n}호" for n in range(12)]}
    run = make_run(tmp_path / "run", {"base": OLD, "new": NEW}, predictions=said)
    (found,) = outcomes(run, "korquad_em >= 0.9")
    assert found.figure == 1 and found.bound == pytest.approx((wilson(12, 12) or (0,))[0])
    assert not found.passed


def test_abstention_counts_as_a_ratio(tmp_path: Path) -> None:
    # Even questions are unanswerable. base declines nothing; new declines 5 of 6, and 1 of 6 wrongly.
    said = {
        "base": ["별빛마을"] * 12,
        "new": [REFUSAL if (n % 2 == 0 and n != 0) or n == 1 else "별빛마을" for n in range(12)],
    }
    run = make_run(tmp_path / "run", {"base": OLD, "new": NEW}, predictions=said)
    f1, recall, precision, over, relative = outcomes(
        run,
        "abstention_f1 > 0.2",
        "abstention_recall > 0.2",
        "abstention_precision > 0.2",
        "over_refusal <= 0.6",
        "abstention_recall > baseline",
    )
    assert f1.figure == pytest.approx(2 * 5 / (2 * 5 + 1 + 1)) and f1.passed
    assert recall.figure == pytest.approx(5 / 6) and recall.n == 6 and recall.passed
    assert precision.figure == pytest.approx(5 / 6) and precision.passed
    assert over.figure == pytest.approx(1 / 6) and over.n == 6 and over.passed
    assert over.bound == pytest.approx((wilson(1, 6) or (0, 0))[1], abs=0.05)
    assert relative.figure == pytest.approx(5 / 6) and relative.passed


def test_the_ratio_has_the_variance_of_a_mean_where_it_is_one(tmp_path: Path) -> None:
    """All questions unanswerable: recall is a plain mean, and so is its interval."""
    asked = [question(n, answerable=False, type="no_answer") for n in range(20)]
    said = {"base": ["답"] * 20, "new": [REFUSAL] * 12 + ["별빛마을"] * 8}
    run = make_run(
        tmp_path / "run", {"base": OLD[:1] * 20, "new": NEW[:1] * 20}, questions=asked, predictions=said
    )
    (found,) = outcomes(run, "abstention_recall > baseline")
    assert found.bound == pytest.approx((estimate([1.0] * 12 + [0.0] * 8).ci95 or (0,))[0])


@pytest.mark.parametrize(
    ("new", "condition", "why"),
    [
        ([None] * 12, "total > baseline", "no question has a value on both sides"),
        ([None] * 12, "total > 3", "there are no values"),
        ([*NEW[:1], *[None] * 11], "total > baseline", "one value has no interval"),
        (NEW, "abstention_precision > 0", "nothing to divide by"),
        (NEW, "citation_recall > 0", "there are no values"),
    ],
)
def test_what_cannot_be_computed_fails_and_says_why(
    tmp_path: Path, new: list[Any], condition: str, why: str
) -> None:
    (found,) = outcomes(make_run(tmp_path / "run", {"base": OLD, "new": new}), condition)
    assert not found.passed and found.bound is None
    assert why in found.to_dict()["reason"] and why in found.sentence("en") and found.sentence("ko")


def test_unknown_names_are_the_users_mistake(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", {"base": OLD, "new": NEW})
    with pytest.raises(ConfigError, match=r"no such metric.*totl(.|\n)*answer_correctness"):
        outcomes(run, "totl > 3")
    with pytest.raises(ConfigError, match=r"no such variant.*old(.|\n)*base, new"):
        outcomes(run, "old: total > 3")
    alone = make_run(tmp_path / "alone", {"base": OLD})
    with pytest.raises(ConfigError, match="there is none"):
        outcomes(alone, "total > 3")
    assert outcomes(alone, "base: total > 3")[0].passed


@given(
    st.sampled_from(["total", "coverage", "answer_correctness", "over_refusal"]),
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
    found = parse(f" {variant}{metric} {op} {right} ")
    assert (found.metric, found.op, found.relative) == (metric, op, relative)
    assert found.limit == (limit if sign == "+" else -limit)
    assert found.variant == (variant.rstrip(": ") or None)
    assert parse(found.condition).limit == pytest.approx(found.limit, rel=1e-5)


def outcome(folder: Path, text: str, scores: dict, **more: object) -> gates.GateResult:  # type: ignore[type-arg]
    with Store.read(make_run(folder / "r", scores, **more)) as store:  # type: ignore[arg-type]
        (found,) = gates.evaluate([gates.parse(text)], load(store), "base")
    return found


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


@pytest.mark.parametrize("condition", ["coverage >= 0.5", "coverage >= baseline", "total >= 0"])
def test_of_no_questions_nothing_holds(tmp_path: Path, condition: str) -> None:
    (found,) = outcomes(make_run(tmp_path / "run", {"base": [], "new": []}), condition)
    assert (found.passed, found.figure, found.bound, found.n) == (False, None, None, 0)
    assert "there are no values" in found.sentence("en")


def test_a_sentence_names_the_end_that_decided(tmp_path: Path) -> None:
    scores = {"base": scored(8, 10, 12, 9), "new": scored(9, 10, 14, 12)}
    above, below = outcomes(make_run(tmp_path / "run", scores), "total > 1", "total < 20")
    assert above.bound is not None and below.bound is not None and above.bound < below.bound
    assert f"lower bound +{above.bound:.3f}".replace("+", "") in above.sentence("en")
    assert f"upper bound {below.bound:.3f}" in below.sentence("en")
    assert "하한" in above.sentence("ko") and "상한" in below.sentence("ko")
