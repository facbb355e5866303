"""What a calibration says of itself: where a judge stands, its JSON, its remarks in both languages."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsa.i18n.messages import catalogue
from simsa.judge_eval.calibration import JudgeScores, calibrate
from simsa.judge_eval.calibration_result import (
    BAR_KAPPA,
    BAR_LOWER,
    Calibration,
    CalibrationNote,
    CriterionResult,
)
from simsa.judge_eval.label_files import HumanLabels
from simsa.stats import Agreement
from simsa.store.labels import Label
from tests.support.simulated_labels import NAME, judged, labelled, world


def criterion(n: int, kappa: float | None, interval: tuple[float, float] | None = None) -> CriterionResult:
    intervals = {} if interval is None else {"quadratic_kappa": interval}
    return CriterionResult(
        NAME, Agreement(n, quadratic_kappa=kappa, intervals=intervals), {}, None, {}, (), (1, 2, 3, 4, 5)
    )


@pytest.mark.parametrize(
    ("n", "kappa", "interval", "standing"),
    [
        (100, 0.6, (0.45, 0.7), "passed"),
        (100, BAR_KAPPA, (BAR_LOWER, 0.6), "passed"),
        (100, BAR_KAPPA - 0.01, (0.3, 0.5), "weak"),
        (100, 0.6, (BAR_LOWER - 0.01, 0.8), "weak"),
        (100, 0.6, None, "passed"),
        (100, None, None, "unknown"),
        (30, 0.6, (0.3, 0.8), "passed"),
        (29, 0.6, (0.3, 0.8), "too few"),
        (29, 0.1, (-0.2, 0.5), "too few"),
        (29, 0.1, (-0.2, BAR_KAPPA - 0.01), "weak"),
        (5, None, None, "too few"),
    ],
)
def test_where_a_judge_stands(
    n: int, kappa: float | None, interval: tuple[float, float] | None, standing: str
) -> None:
    found = criterion(n, kappa, interval)
    assert found.standing == standing
    document = found.to_dict()
    assert document["standing"] == standing
    made = Calibration({NAME: found}, None, "base", ("base",), (), n, None)
    assert (made.weak == (NAME,)) == (standing == "weak")
    assert made.to_dict()["bar"]["below"] == list(made.weak)


def test_the_bar_and_the_judge_are_in_the_document() -> None:
    labels, scores = world(60, 1)
    made = calibrate(judged(scores), labelled({"": labels}), judge={"model": "gpt-4o", "key": "k"})  # type: ignore[arg-type]
    document = json.loads(json.dumps(made.to_dict()))
    assert document["schema"] == "simsa.calibration/1"
    assert document["judge"] == {"model": "gpt-4o", "key": "k"}
    assert document["bar"] == {"quadratic_kappa": BAR_KAPPA, "lower_bound": BAR_LOWER, "below": []}
    assert (document["baseline"], document["annotators"], document["n_answers"]) == ("base", [""], 120)


def test_what_the_run_keeps_is_what_its_reports_read() -> None:
    labels, scores = world(60, 1)
    made = calibrate(judged(scores), labelled({"a": labels, "b": labels}), judge={"model": "m"})  # type: ignore[arg-type]
    kept = json.loads(json.dumps(made.to_meta()))
    one = made.criteria[NAME]
    assert kept["judge"] == {"model": "m"}
    assert kept["annotators"] == 2
    assert kept["criteria"][NAME] == {
        "n_labels": one.agreement.n_labels,
        "quadratic_kappa": one.agreement.quadratic_kappa,
        "ci95": list(one.agreement.intervals["quadratic_kappa"]),
        "standing": one.standing,
    }


def test_what_has_no_interval_is_kept_without_one() -> None:
    made = calibrate(judged({"base": [3.0]}), labelled({"": {"base": [3]}}))
    assert made.to_meta()["criteria"][NAME]["ci95"] is None
    assert made.to_meta()["criteria"][NAME]["standing"] == "too few"
    assert made.to_meta()["judge"] is None


@pytest.mark.parametrize(
    "key", sorted(key for key, text in catalogue("en")["calibration"].items() if "{" in text)
)
def test_a_remark_fills_its_blanks_in_both_languages(key: str) -> None:
    import string

    for language in ("ko", "en"):
        blanks = {
            name
            for _, name, _, _ in string.Formatter().parse(catalogue(language)["calibration"][key])
            if name
        }
        said = CalibrationNote(key, tuple((name, f"<{name}>") for name in sorted(blanks))).text(language)
        assert all(f"<{name}>" in said for name in blanks)
        assert "{" not in said


def test_names_in_a_remark_are_said_in_the_reader_s_language() -> None:
    remark = CalibrationNote("below_bar", (("bar", 0.4), ("lower", 0.2), ("list", (NAME, "context_recall"))))
    assert "answer_correctness" not in remark.text("ko")
    assert "정확성" in remark.text("ko")
    assert "," in remark.text("en")


# Whatever people say -----------------------------------------------------------------------------

SCORE = st.none() | st.integers(1, 5)
ROWS = st.lists(st.tuples(SCORE, SCORE, SCORE, SCORE, SCORE, SCORE), min_size=1, max_size=30)


def parts(rows: list[tuple[int | None, ...]]) -> tuple[JudgeScores, HumanLabels]:
    """A judge's scores of two variants, and what two people said of them; a gap is not scored, or not labelled."""
    found = judged({"base": [row[0] for row in rows], "lora": [row[1] for row in rows]})
    said = [
        Label(f"q{n}", variant, who, {NAME: score})
        for n, row in enumerate(rows)
        for k, (variant, who) in enumerate((("base", "a"), ("base", "b"), ("lora", "a"), ("lora", "b")))
        if (score := row[2 + k]) is not None
    ]
    return found, HumanLabels(tuple(said))


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for one in value.values():
            yield from leaves(one)
    elif isinstance(value, list):
        for one in value:
            yield from leaves(one)
    else:
        yield value


@given(ROWS, st.sampled_from(["ko", "en"]))
@settings(max_examples=30, deadline=None)
def test_any_labels_make_a_document_without_a_number_that_is_none(
    rows: list[tuple[int | None, ...]], language: str
) -> None:
    found, said = parts(rows)
    made = calibrate(found, said)
    document = json.loads(json.dumps(made.to_dict(language), allow_nan=False))  # type: ignore[arg-type]
    assert all(math.isfinite(leaf) for leaf in leaves(document) if isinstance(leaf, float))
    if not said.labels:
        assert document["criteria"] == {}
        return
    one = document["criteria"][NAME]
    assert one["n_labels"] + one["n_unscored"] == len(said.labels)
    assert sum(map(sum, one["confusion"])) == one["n_labels"]
    assert one["n_labels"] == sum(per["n_labels"] for per in one["per_variant"].values())
    if one["quadratic_kappa"] is None:
        assert one["notes"], "a figure that is missing has its reason"
    for corrected in one["corrected"].values():
        assert (corrected["mean"] is None) == (corrected["n_labels"] < 30)
    assert bool(one["annotators"]) == any(
        sum(row[k] is not None for k in of) == 2 for row in rows for of in ((2, 3), (4, 5))
    )


@given(ROWS)
@settings(max_examples=20, deadline=None)
def test_everybody_s_labels_are_held_against_the_judge_one_by_one(rows: list[tuple[int | None, ...]]) -> None:
    found, said = parts(rows)
    made = calibrate(found, said)
    if NAME not in made.criteria:
        return
    pairs = [
        (score, row[place])
        for row in rows
        for k, place in ((2, 0), (3, 0), (4, 1), (5, 1))
        if (score := row[k]) is not None and row[place] is not None
    ]
    agreement = made.criteria[NAME].agreement
    assert agreement.n_labels == len(pairs)
    if pairs:
        d = np.array([(judge or 0) - label for label, judge in pairs])
        assert agreement.bias == pytest.approx(d.mean())
        assert agreement.mae == pytest.approx(np.abs(d).mean())
        assert agreement.exact == pytest.approx((d == 0).mean())
