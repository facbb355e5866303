"""The charts of the HTML report: each mark stands where its number says, and the number is within reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsa import report
from simsa.i18n.messages import words
from simsa.report import Summary, charts
from simsa.report.renderers import html
from simsa.rubrics import built_in_criteria
from simsa.store import Store
from tests.support.report_runs import BASE, BETTER, JUDGE, Scored, make_run, question

SAY = words("en")
SCORES = st.tuples(*[st.integers(1, 5)] * 4)
FEW = settings(max_examples=8)


def summary_of(folder: Path, **scores: Sequence[Scored]) -> Summary:
    with Store.read(make_run(folder / "run", scores, figures={"chrf": 1.0})) as store:
        return report.summary(store)


@FEW
@given(st.lists(st.tuples(SCORES, SCORES), min_size=1, max_size=12))
def test_a_bar_is_a_hundred_percent_of_its_answers(found: list[tuple[Scored, Scored]]) -> None:
    with TemporaryDirectory() as folder:
        made = summary_of(Path(folder), a=[one for one, _ in found], b=[other for _, other in found])
    for place, criterion in enumerate(made.criteria):
        for bar, which in zip(charts.bars(made, criterion), (0, 1), strict=True):
            given_ = [pair[which][place] for pair in found]  # type: ignore[index]
            assert bar.counts == tuple(given_.count(level) for level in criterion.levels) and bar.n == len(
                found
            )
            assert float(bar.mean) == pytest.approx(sum(given_) / len(given_), abs=0.00501)  # type: ignore[arg-type]
            assert sum(part.width for part in bar.segments) == pytest.approx(100, abs=0.01)
            assert [part.level for part in bar.segments] == sorted(set(given_))
            for one, after in pairwise(bar.segments):
                assert one.start + one.width == pytest.approx(after.start, abs=0.01), "no gap and no overlap"
                assert one.start < one.middle < after.start
            for part in bar.segments:
                n = bar.counts[part.level - 1]
                assert part.title.startswith(f"{part.level}: {n} ("), "the number is in the title"
                assert bool(part.label) is (100 * n / bar.n >= 9), "where there is room it is in the bar too"


def test_what_has_no_score_has_no_bar(tmp_path: Path) -> None:
    made = summary_of(tmp_path, a=[(1, 1, 1, 1)], b=[None])
    assert [bar.variant for bar in charts.bars(made, made.criteria[0])] == ["a"]
    assert charts.forests(made, SAY) == [], "one pair has no interval"


@FEW
@given(st.lists(st.tuples(SCORES, SCORES), min_size=4, max_size=16))
def test_whiskers_stand_on_the_side_of_their_difference(found: list[tuple[Scored, Scored]]) -> None:
    with TemporaryDirectory() as folder:
        made = summary_of(Path(folder), a=[one for one, _ in found], b=[other for _, other in found])
    for forest in charts.forests(made, SAY):
        assert forest.variant == "b"
        for whisker in forest.whiskers:
            assert 3 <= whisker.low <= whisker.point <= whisker.high <= 97, "within the picture"
            shown = float(whisker.difference.replace("−", "-"))
            assert (whisker.point - 50) * shown >= 0
            assert whisker.difference in whisker.title and whisker.ci95 in whisker.title
            assert whisker.tone == {"better": "good", "worse": "bad"}.get(whisker.verdict, "plain")
            if whisker.tone != "plain":
                assert whisker.low > 50 or whisker.high < 50, "what is shown does not touch zero"
            if whisker.band:
                start, width = whisker.band
                assert start + width / 2 == pytest.approx(50, abs=0.02) and width > 0
        ticks = [tick.at for tick in forest.ticks]
        assert ticks == sorted(ticks) and 50 in ticks and 1 <= len(ticks) <= 7
        zero = next(tick for tick in forest.ticks if tick.at == 50)
        assert float(zero.text) == 0
        for left, right in zip(ticks, ticks[::-1], strict=True):
            assert left + right == pytest.approx(100, abs=0.02)


def test_the_total_is_drawn_at_a_quarter_of_its_size(tmp_path: Path) -> None:
    """All four criteria move alike, so their whiskers and the total's stand in one place."""
    base = [(2, 2, 2, 2), (3, 3, 3, 3)] * 9
    better = [(3, 3, 3, 3), (5, 5, 5, 5)] * 9
    (forest,) = charts.forests(summary_of(tmp_path, base=base, lora=better), SAY)
    places = {(w.low, w.point, w.high) for w in forest.whiskers}
    assert len(places) == 1 and len(forest.whiskers) == 5
    assert [w.strong for w in forest.whiskers] == [False] * 4 + [True]
    assert (forest.whiskers[0].difference, forest.whiskers[-1].difference) == ("+1.50", "+6.00")


def test_several_variants_share_one_axis(tmp_path: Path) -> None:
    worse = [(1, 1, 1, 2), (2, 1, 1, 1)] * 8
    first, second = charts.forests(summary_of(tmp_path, base=BASE, up=BETTER, down=worse), SAY)
    assert (first.variant, second.variant) == ("up", "down") and first.ticks == second.ticks
    assert first.whiskers[-1].point > 50 > second.whiskers[-1].point
    assert first.whiskers[-1].record == "16/0/0" and second.whiskers[-1].record.startswith("0/")


@FEW
@given(st.lists(SCORES, min_size=2, max_size=10))
def test_warmth_grows_with_the_mean_and_stays_on_its_scale(found: list[Scored]) -> None:
    with TemporaryDirectory() as folder:
        made = summary_of(Path(folder), a=found, b=[(1, 1, 1, 1)] * len(found), c=[(5, 5, 5, 5)] * len(found))
    cells = [cell for _, row in charts.heat(made, SAY) for cell in row]
    assert {cell.warmth for _, row in charts.heat(made, SAY) for cell in row[1:]} == {0.0, 1.0}
    known = sorted((float(cell.mean), cell.warmth) for cell in cells if cell.warmth is not None)
    assert all(one[1] <= other[1] + 0.004 for one, other in pairwise(known))


def test_of_very_many_types_the_largest_are_shown(tmp_path: Path) -> None:
    asked = [question(n, type=f"t{min(n, 60):02}") for n in range(64)]
    made = make_run(tmp_path / "run", {"a": [(3, 3, 3, 3)] * 64}, questions=asked, figures={"chrf": 1.0})
    with Store.read(made) as store:
        found = report.summary(store)
    rows = charts.heat(found, SAY)
    assert charts.types_left_out(found, SAY).startswith("The 40 largest types are shown; 21 more are in")
    assert charts.types_left_out(found, SAY) in html.render(replace(found, language="en"))
    names = [name for name, _ in rows]
    assert len(names) == 40 and names == sorted(names) and "t60" in names
    assert dict(rows)["t60"][0].n == 4


def test_a_type_without_a_score_is_a_dash_and_one_without_a_name_is_called_so(tmp_path: Path) -> None:
    asked = [question(0, type=None), question(1, type="b")]
    made = make_run(tmp_path / "run", {"a": [(5, 5, 5, 5), None]}, questions=asked)
    with Store.read(made) as store:
        rows = dict(charts.heat(report.summary(store), SAY))
    assert rows["(no type)"][0] == charts.Heat("20.0", 1, 1.0)
    assert rows["b"][0] == charts.Heat("–", 0, None)


def test_the_two_by_two_is_left_out_where_it_says_nothing(tmp_path: Path) -> None:
    asked = [question(n, answerable=True) for n in range(3)]
    plain = {"a": ["별빛마을 1호", "별빛마을 2호", "별빛마을 3호"]}
    scores = {"a": [(3, 3, 3, 3)] * 3}
    for name, said, shown in (
        ("none", plain, 0),
        ("one", {"a": [*plain["a"][:2], "문서에서 답을 찾을 수 없습니다."]}, 1),
    ):
        run = make_run(tmp_path / name, scores, questions=asked, predictions=said)
        with Store.read(run) as store:
            found = charts.answering(report.summary(store))
        assert len(found) == shown
    assert (
        found[0].answerable == (2, 1) and found[0].unanswerable == (0, 0) and found[0].over_refusal == "33 %"
    )


def summed(
    folder: Path, scores: dict[str, Sequence[Scored]], created: str = "2026-01-01", **meta: Any
) -> Summary:
    facts = {"id": folder.name, "created": created, "data_hash": meta.pop("data_hash", "d")}
    with Store.read(make_run(folder, scores, measured=False, run=facts, **meta)) as store:
        return report.summary(store, n_examples=0)


def test_bars_hold_every_score(tmp_path: Path) -> None:
    found = charts.level_bars(
        summed(tmp_path / "a", {"base": [(1, 5, 3, 3), (1, 4, 3, 3), (2, 4, 3, 3), "refused"]})
    )
    assert [name for name, _ in found] == list(built_in_criteria().names)
    [bar] = found[0][1]
    assert (bar.variant, bar.n, bar.mean) == ("base", 3, "1.33")
    assert [(s.level, s.n, s.start, s.width) for s in bar.segments] == [
        (1, 2, 0.0, 66.667),
        (2, 1, 66.667, 33.333),
    ]


def test_nothing_scored_makes_no_picture(tmp_path: Path) -> None:
    empty = summed(tmp_path / "a", {"base": ["refused", None]})
    assert charts.level_bars(empty) == []
    assert charts.history({0: empty}, "total").lines == ()


def test_runs_lie_in_the_order_of_time(tmp_path: Path) -> None:
    late = summed(tmp_path / "late", {"base": BASE}, created="2026-03-01")
    early = summed(tmp_path / "early", {"base": BASE}, created="2026-01-01")
    found = charts.history({0: late, 1: early}, "total")
    assert [tick.text for tick in found.runs] == ["1", "0"]
    [line] = found.lines
    assert [point.run for point in line.points] == [1, 0]
    assert line.points[0].x < line.points[1].x


@pytest.mark.parametrize(
    "other",
    [
        {"judge": JUDGE | {"model": "gpt-4o-mini"}},
        {"judge": JUDGE | {"rubric": "rag-ko@ffffffff"}},
        {"judge": JUDGE | {"mode": "split"}},
        {"data_hash": "another"},
    ],
)
def test_what_may_not_be_compared_is_not_joined(tmp_path: Path, other: dict[str, Any]) -> None:
    first = summed(tmp_path / "a", {"base": BASE, "lora": BETTER})
    second = summed(tmp_path / "b", {"base": BASE, "lora": BETTER}, created="2026-02-01", **other)
    third = summed(tmp_path / "c", {"base": BASE, "lora": BETTER}, created="2026-03-01")
    found = charts.history({0: first, 1: second, 2: third}, "total")
    assert found.joined == 2
    joined = [[point.run for point in line.points] for line in found.lines]
    assert sorted(joined) == [[0, 2], [0, 2], [1], [1]]
    tones = {line.key.variant: line.tone for line in found.lines}
    assert all(line.tone == tones[line.key.variant] for line in found.lines), (
        "a variant looks the same everywhere"
    )


def test_points_and_intervals_lie_in_the_picture(tmp_path: Path) -> None:
    low = summed(tmp_path / "a", {"base": [(1, 1, 1, 1)] * 8 + [(2, 1, 1, 1)], "lora": [(5, 5, 5, 5)] * 9})
    for criterion in ("total", *built_in_criteria().names):
        found = charts.history({0: low}, criterion)
        for line in found.lines:
            for point in line.points:
                assert 0 < point.x < charts.WIDTH
                assert 0 < point.high <= point.y <= point.low < charts.HEIGHT
        heights = [tick.at for tick in found.scale]
        assert heights == sorted(heights, reverse=True)
        assert 2 <= len(heights) <= 20
