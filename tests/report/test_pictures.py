from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from simsa.records import CRITERIA
from simsa.report import Summary, summary
from simsa.report.charts import HEIGHT, WIDTH, history, level_bars
from simsa.store import Store
from tests.report.runs import BASE, BETTER, JUDGE, Scored, make_run


def summed(
    folder: Path, scores: dict[str, Sequence[Scored]], created: str = "2026-01-01", **meta: Any
) -> Summary:
    facts = {"id": folder.name, "created": created, "data_hash": meta.pop("data_hash", "d")}
    with Store.read(make_run(folder, scores, measured=False, run=facts, **meta)) as store:
        return summary(store, n_examples=0)


def test_bars_hold_every_score(tmp_path: Path) -> None:
    found = level_bars(
        summed(tmp_path / "a", {"base": [(1, 5, 3, 3), (1, 4, 3, 3), (2, 4, 3, 3), "refused"]})
    )
    assert [name for name, _ in found] == list(CRITERIA)
    [bar] = found[0][1]
    assert (bar.variant, bar.n, bar.mean) == ("base", 3, "1.33")
    assert [(s.level, s.n, s.start, s.width) for s in bar.segments] == [
        (1, 2, 0.0, 66.667),
        (2, 1, 66.667, 33.333),
    ]


def test_nothing_scored_makes_no_picture(tmp_path: Path) -> None:
    empty = summed(tmp_path / "a", {"base": ["refused", None]})
    assert level_bars(empty) == []
    assert history({0: empty}, "total").lines == ()


def test_runs_lie_in_the_order_of_time(tmp_path: Path) -> None:
    late = summed(tmp_path / "late", {"base": BASE}, created="2026-03-01")
    early = summed(tmp_path / "early", {"base": BASE}, created="2026-01-01")
    found = history({0: late, 1: early}, "total")
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
    found = history({0: first, 1: second, 2: third}, "total")
    assert found.joined == 2
    joined = [[point.run for point in line.points] for line in found.lines]
    assert sorted(joined) == [[0, 2], [0, 2], [1], [1]]
    tones = {line.key.variant: line.tone for line in found.lines}
    assert all(line.tone == tones[line.key.variant] for line in found.lines), (
        "a variant looks the same everywhere"
    )


def test_points_and_intervals_lie_in_the_picture(tmp_path: Path) -> None:
    low = summed(tmp_path / "a", {"base": [(1, 1, 1, 1)] * 8 + [(2, 1, 1, 1)], "lora": [(5, 5, 5, 5)] * 9})
    for criterion in ("total", *CRITERIA):
        found = history({0: low}, criterion)
        for line in found.lines:
            for point in line.points:
                assert 0 < point.x < WIDTH
                assert 0 < point.high <= point.y <= point.low < HEIGHT
        heights = [tick.at for tick in found.scale]
        assert heights == sorted(heights, reverse=True)
        assert 2 <= len(heights) <= 20
