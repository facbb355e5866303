"""Variants as experiment trackers know them: names that no tracker misreads, figures that are numbers."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsa import report
from simsa.exporters import tracker_run
from simsa.store import Store
from tests.support.report_runs import BASE, BETTER, JUDGE, make_run, question


def variants(run: Path) -> list[tracker_run.TrackedVariant]:
    with Store.read(run) as store:
        return tracker_run.variants(report.summary(store))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> list[tracker_run.TrackedVariant]:
    config = {
        "generation": {"temperature": 0.0, "stop": [], "seed": None},
        "judge": {"mode": "joint"},
        "variants": [{"name": "base"}],
    }
    folder = tmp_path_factory.mktemp("tracked") / "run"
    return variants(
        make_run(folder, {"base": [*BASE, "refused"], "lora": [*BETTER, (5, 5, 5, 5)]}, config=config)
    )


def test_means_go_by_their_own_name_with_interval_and_n_beside_them(
    pair: list[tracker_run.TrackedVariant],
) -> None:
    base = pair[0].figures
    assert base["total"] == 12 and base["answer_correctness"] == 3
    assert base["total.ci95_low"] < 12 < base["total.ci95_high"]
    assert (base["total.n"], base["n"], base["n_scored"], base["unscored.refused"]) == (16, 17, 16, 1)
    assert base["coverage"] == pytest.approx(16 / 17)
    assert "korquad_f1" in base and base["abstention.answerable_answered"] == 8
    assert base["type.mrc_question.total"] == pytest.approx(12, abs=3)


def test_differences_belong_to_the_variant_that_is_compared(pair: list[tracker_run.TrackedVariant]) -> None:
    base, lora = pair
    assert not [name for name in base.figures if name.startswith("difference")]
    assert lora.figures["difference.total"] == 3.75
    assert lora.figures["difference.total.ci95_low"] <= 3.75 <= lora.figures["difference.total.ci95_high"]
    assert lora.figures["difference.total.n_pairs"] == 16
    assert lora.tags["simsa.verdict"] == "better" and "simsa.verdict" not in base.tags


def test_tags_say_what_has_to_be_the_same(pair: list[tracker_run.TrackedVariant]) -> None:
    for one in pair:
        assert one.tags["simsa.variant"] == one.name
        assert one.tags["simsa.data_hash"] == "da7a" and one.tags["simsa.config_hash"] == "c0ffee"
        assert one.tags["simsa.judge"] == JUDGE["model"] and one.tags["simsa.rubric"] == JUDGE["rubric"]


def test_settings_are_dotted_and_what_is_not_set_is_not_there(pair: list[tracker_run.TrackedVariant]) -> None:
    params = pair[0].params
    assert params["generation.temperature"] == "0.0" and params["judge.mode"] == "joint"
    assert params["variant.base"] == "tiny" and params["baseline"] == "base"
    assert not {"generation.stop", "generation.seed"} & set(params)
    assert not [name for name in params if name.startswith("variants")], "each variant has its own"


def test_a_missing_score_is_no_figure(tmp_path: Path) -> None:
    found = variants(make_run(tmp_path / "run", {"base": ["refused"] * 2, "lora": [None, None]}, judge=None))
    for one in found:
        assert one.figures["coverage"] == 0
        assert not {"total", "answer_correctness", "difference.total"} & set(one.figures)
        assert "simsa.judge" not in one.tags


def test_a_run_without_questions_has_no_coverage(tmp_path: Path) -> None:
    found = variants(make_run(tmp_path / "run", {"base": []}))
    assert "coverage" not in found[0].figures


def test_types_that_only_differ_in_forbidden_characters_are_both_kept(tmp_path: Path) -> None:
    asked = [question(n, type=kind) for n, kind in enumerate(["a/b", "a\\b", "a?b"])]
    run = make_run(tmp_path / "run", {"base": [(1, 1, 1, 1), (2, 2, 2, 2), (3, 3, 3, 3)]}, questions=asked)
    figures = variants(run)[0].figures
    totals = [figures[name] for name in ("type.a_b.total", "type.a_b.total_2", "type.a_b.total_3")]
    assert sorted(totals) == [4, 8, 12]


@given(st.dictionaries(st.text(), st.one_of(st.text(), st.integers(), st.none(), st.lists(st.text()))))
def test_any_setting_becomes_a_text_under_a_safe_name(settings: dict[str, Any]) -> None:
    for name, value in tracker_run._texts("x", settings):
        assert re.fullmatch(r"[\w .:-]{1,200}", name) and not name.startswith((".", " "))
        assert isinstance(value, str) and len(value) <= 2000 and "\n" not in value


_LEAF = st.one_of(
    st.none(), st.booleans(), st.integers(-9, 9), st.floats(allow_nan=False), st.text(max_size=3)
)
_TREE = st.recursive(
    _LEAF, lambda inner: st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=8
)


@given(_TREE)
def test_only_numbers_are_figures(tree: Any) -> None:
    for name, value in tracker_run._unique(tracker_run._numbers("x", tree)):
        assert isinstance(value, float) and not math.isnan(value) and "/" not in name
