"""A calibration at the terminal: each table shows its figures, and none is there without any."""

from __future__ import annotations

import numpy as np
import pytest
from rich.cells import cell_len

from simsa.i18n.messages import words
from simsa.judge_eval.calibration import JudgeScores, calibrate
from simsa.judge_eval.calibration_result import Calibration
from simsa.judge_eval.calibration_tables import confusions, grids
from simsa.judge_eval.label_files import HumanLabels
from simsa.report.format import Grid
from simsa.report.renderers.terminal import render_grids
from simsa.store.labels import Label
from tests.support.simulated_labels import NAME, judged, labelled, world

LEVELS = range(1, 6)


def made(n: int = 60, people: tuple[str, ...] = ("",), n_labels: int | None = None) -> Calibration:
    labels, scores = world(n, 13)
    found: JudgeScores = judged(scores)  # type: ignore[arg-type]
    return calibrate(found, labelled(dict.fromkeys(people, labels), range(n_labels or n)))


def titled(found: Calibration, key: str, **blanks: str) -> Grid | None:
    title = words("en", "calibration")(key, **blanks)
    return next((grid for grid in grids(found, "en") if grid.title.startswith(title)), None)


def cells(grid: Grid, label: str) -> list[str]:
    return [cell.text for row in grid.rows if row.label == label for cell in row.cells]


def test_every_figure_of_the_agreement_has_a_row() -> None:
    found = made()
    one, say = found.criteria[NAME].agreement, words("en", "calibration")
    grid = titled(found, "head.agreement")
    assert grid is not None
    assert cells(grid, say("n_labels")) == ["120"]
    for name in ("quadratic_kappa", "krippendorff_alpha", "spearman", "kendall_tau_b", "mae"):
        assert cells(grid, say(name)) == [f"{getattr(one, name):.2f}"], name
    for name in ("exact", "within_one"):
        assert cells(grid, say(name)) == [f"{100 * getattr(one, name):.0f} %"], name
    assert cells(grid, say("bias"))[0].lstrip("+−") == f"{abs(one.bias or 0):.2f}"
    low, high = one.intervals["quadratic_kappa"]
    assert f"{low:.2f}" in cells(grid, say("ci95"))[0]
    assert f"{high:.2f}" in cells(grid, say("ci95"))[0]
    assert cells(grid, say("standing")) == [say("passed")]


@pytest.mark.parametrize(("agrees", "tone"), [(True, "good"), (False, "bad")])
def test_the_standing_has_its_colour(agrees: bool, tone: str) -> None:
    labels, scores = world(60, 13)
    random = np.random.default_rng(1)
    said = labels if agrees else {v: [int(x) for x in random.integers(1, 6, 60)] for v in labels}
    found = calibrate(judged(scores), labelled({"": said}))  # type: ignore[arg-type]
    grid = titled(found, "head.agreement")
    assert grid is not None
    [standing] = [
        cell for row in grid.rows if row.label == words("en", "calibration")("standing") for cell in row.cells
    ]
    assert standing.tone == tone


def test_corrected_means_stand_over_the_judge_s_own() -> None:
    found = made()
    one = found.criteria[NAME]
    grid = titled(found, "head.corrected")
    assert grid is not None
    assert grid.head == found.variants
    means, naive = (row.cells for row in grid.rows)
    for place, variant in enumerate(found.variants):
        corrected = one.corrected[variant]
        assert means[place].text.startswith(f"{corrected.mean:.2f}")
        assert naive[place].text.startswith(f"{corrected.naive:.2f}")
        assert f"λ {corrected.weight:.2f}" in naive[place].text
    differences = titled(found, "head.differences", baseline="base")
    assert differences is not None
    assert differences.head == ("lora",)
    [difference] = one.differences
    assert (
        differences.rows[0]
        .cells[0]
        .text.lstrip("+−")
        .startswith(f"{abs(difference.corrected.mean or 0):.2f}")
    )


def test_too_few_labels_have_no_corrected_table() -> None:
    found = made(60, n_labels=20)
    assert titled(found, "head.corrected") is None
    assert titled(found, "head.differences", baseline="base") is None
    assert titled(found, "head.agreement") is not None


def test_people_have_a_table_when_there_are_two() -> None:
    assert titled(made(people=("a",)), "head.people") is None
    grid = titled(made(people=("a", "b", "c")), "head.people")
    assert grid is not None
    assert cells(grid, words("en", "calibration")("all")) == ["1.00"]
    labels = [row.label for row in grid.rows]
    assert [label for label in labels if "–" in label] == ["a – b: κ", "a – c: κ", "b – c: κ"]
    assert any("100 % · 100 %" in cell for row in grid.rows for cell in [c.text for c in row.cells])


def test_one_variant_needs_no_table_by_variant() -> None:
    labels, scores = world(60, 13)
    alone = calibrate(judged({"base": scores["base"]}), labelled({"": {"base": labels["base"]}}))  # type: ignore[dict-item]
    assert titled(alone, "head.variants") is None
    assert titled(alone, "head.differences", baseline="base") is None
    grid = titled(made(), "head.variants")
    assert grid is not None
    assert grid.head == ("base", "lora")
    assert all(cell.text.endswith("60") for cell in grid.rows[0].cells)


def test_a_variant_without_labels_has_a_dash() -> None:
    labels, scores = world(60, 13)
    found = calibrate(judged(scores), labelled({"": {"base": labels["base"]}}))  # type: ignore[arg-type]
    grid = titled(found, "head.variants")
    assert grid is not None
    assert grid.rows[0].cells[1].text == "–"


@pytest.mark.parametrize("language", ["ko", "en"])
def test_the_table_of_counts_lines_up_and_adds_up(language: str) -> None:
    found = made()
    lines = confusions(found, language).splitlines()  # type: ignore[arg-type]
    assert lines[1].split() == [str(level) for level in LEVELS]
    assert [line.split()[0] for line in lines[2:7]] == [str(level) for level in LEVELS]
    assert len({cell_len(line) for line in lines[1:7]}) == 1, "columns line up"
    total = sum(int(cell) for line in lines[2:7] for cell in line.split()[1:] if cell != "·")
    assert total == found.criteria[NAME].agreement.n_labels


def test_wide_scales_and_unrounded_scores_have_no_table_of_counts() -> None:
    said = HumanLabels(tuple(Label(f"q{n}", "base", "", {"points": n % 21}) for n in range(60)))
    wide = calibrate(judged({"base": [float(n % 20) for n in range(60)]}, "points"), said)
    assert len(wide.criteria["points"].levels) == 21
    assert confusions(wide, "en") == ""
    halves = calibrate(judged({"base": [2.5] * 40}), labelled({"": {"base": [3] * 40}}))
    assert halves.criteria[NAME].levels == ()
    assert confusions(halves, "en") == ""


@pytest.mark.parametrize("language", ["ko", "en"])
@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_tables_fit_the_terminal(language: str, width: int) -> None:
    text = render_grids(grids(made(people=("지우", "하늘")), language), width)  # type: ignore[arg-type]
    assert max(map(cell_len, text.splitlines())) <= width
