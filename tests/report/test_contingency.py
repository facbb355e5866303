"""Head to head: every question with both scores is in one cell, and the others are counted beside."""

from __future__ import annotations

import re
from collections import Counter
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsa.records import TOTAL, Criteria, Criterion
from simsa.report import Summary, summary
from simsa.report.contingency import MOST_VARIANTS, ScoreContingency, cells, pair, ranges_of
from simsa.report.renderers.html import render
from simsa.rubrics import built_in_criteria
from simsa.store import Store
from tests.support.criteria import CRITERIA
from tests.support.report_runs import BASE, BETTER, Scored, answer_again, make_run

OURS: list[Scored] = [(5, 1, 3, 3), (4, 2, 3, 3), "refused", (1, 1, 1, 1), (5, 5, 5, 5), (3, 3, 3, 3), None]
THEIRS: list[Scored] = [(3, 1, 3, 4), (4, 4, 3, 3), (5, 5, 5, 5), "refused", (1, 1, 1, 1), (3, 3, 3, 4), None]


def summed(folder: Path) -> Summary:
    with Store.read(folder) as store:
        return summary(store, n_examples=0)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    return make_run(folder, {"base": THEIRS, "lora": OURS, "early": THEIRS}, measured=False)


@pytest.mark.parametrize("criterion", [TOTAL, *CRITERIA])
def test_each_question_with_both_scores_is_in_the_cell_of_its_scores(run: Path, criterion: str) -> None:
    [head] = [one for one in pair(summed(run).heads, "lora", "base") if one.criterion == criterion]

    def score(found: Scored) -> int | None:
        if not isinstance(found, tuple):
            return None
        return sum(found) if criterion == TOTAL else found[CRITERIA.index(criterion)]

    both = [(score(a), score(b)) for a, b in zip(OURS, THEIRS, strict=True)]
    there = [(a, b) for a, b in both if a is not None and b is not None]
    for (i, ours), (j, theirs) in product(enumerate(head.ranges), repeat=2):
        met = [(a, b) for a, b in there if ours.low <= a <= ours.high and theirs.low <= b <= theirs.high]
        assert head.counts[i][j] == len(met)
    assert head.n == len(there) == sum(map(sum, head.counts))
    assert head.wins == sum(a > b for a, b in there)
    assert head.ties == sum(a == b for a, b in there)
    assert head.lacking == (1, 1, 1)


def test_ranges_have_every_score_once() -> None:
    ranges = ranges_of(built_in_criteria())
    assert [one.text for one in ranges[TOTAL]] == ["4", "5–8", "9–12", "13–16", "17–20"]
    for name in built_in_criteria().names:
        assert [one.text for one in ranges[name]] == ["1", "2", "3", "4", "5"]


def test_a_wide_scale_has_five_ranges_and_a_narrow_one_a_range_for_each_level() -> None:
    ranges = ranges_of(Criteria([Criterion("style", 0, 10), Criterion("cites", 0, 1, in_total=False)]))
    assert [one.text for one in ranges["style"]] == ["0", "1–3", "4–5", "6–8", "9–10"]
    assert [one.text for one in ranges["cites"]] == ["0", "1"]
    assert ranges[TOTAL] == ranges["style"]


def test_a_pair_can_be_looked_at_from_both_sides(run: Path) -> None:
    found = summed(run).heads
    one, other = pair(found, "lora", "base")[0], pair(found, "base", "lora")[0]
    assert (one.wins, one.losses) == (other.losses, other.wins)
    assert one.counts[4][0] == other.counts[0][4] == 1
    assert other.turned() == one
    assert pair(found, "lora", "early")[0].counts == one.counts
    assert pair(found, "lora", "none") == []


def test_a_score_that_is_missing_is_in_no_cell(tmp_path: Path) -> None:
    found = summed(
        make_run(tmp_path, {"base": ["refused", None], "lora": [(1, 1, 1, 1)] * 2}, measured=False)
    )
    assert found.heads == (), "nothing meets"


def test_a_mean_of_several_answers_is_in_the_nearest_cell(tmp_path: Path) -> None:
    folder = make_run(tmp_path, {"base": [(3, 3, 3, 3)] * 2, "lora": [(3, 3, 3, 3)] * 2}, measured=False)
    answer_again(folder, {"lora": [[(4, 3, 3, 3), (2, 3, 3, 3)]]})
    [head] = [
        one for one in pair(summed(folder).heads, "lora", "base") if one.criterion == "answer_correctness"
    ]
    assert (head.counts[3][2], head.counts[2][2]) == (1, 1), "3.5 is a 4, 2.5 a 3"
    assert (head.wins, head.ties, head.losses) == (1, 0, 1), "better and worse go by the means themselves"


def test_of_very_many_variants_only_pairs_with_the_baseline_are_counted(tmp_path: Path) -> None:
    scores = {f"v{n}": BASE[:2] for n in range(MOST_VARIANTS + 1)}
    found = summed(make_run(tmp_path, scores, measured=False)).heads
    assert Counter(one.b for one in found if one.criterion == TOTAL) == {"v0": MOST_VARIANTS}


counts = st.tuples(*[st.tuples(*[st.integers(0, 10**6)] * 5)] * 5).filter(lambda rows: any(map(any, rows)))


@given(counts)
def test_a_grid_rises_to_the_right_and_upwards_and_darkens_with_its_counts(
    counts: tuple[tuple[int, ...], ...],
) -> None:
    drawn = cells(
        ScoreContingency(
            "a",
            "b",
            "context_recall",
            counts,
            1,
            0,
            0,
            (0, 0, 0),
            ranges_of(built_in_criteria())["context_recall"],
        )
    )
    assert [side.low for side, _ in drawn] == [5, 4, 3, 2, 1]
    found = [cell for side, row in drawn for cell in row if cell.a == side]
    assert len(found) == 25
    for cell in found:
        assert cell.n == counts[cell.a.low - 1][cell.b.low - 1]
        assert (cell.step == 0) == (cell.n == 0)
        better = cell.a.low - cell.b.low
        assert cell.tone == ("better" if better > 0 else "worse" if better else "equal")
    by_count = sorted(found, key=lambda cell: cell.n)
    assert [cell.step for cell in by_count] == sorted(cell.step for cell in found)
    assert max(cell.step for cell in found) == 5


def test_the_report_draws_them_with_their_sums(run: Path) -> None:
    page = render(summed(run))
    grids = re.findall(r'<figure class="meet">.*?</figure>', page, re.S)
    assert len(grids) == 2 * 5, "both others against the baseline, the total and four criteria"
    total = grids[0]
    assert re.findall(r'<th scope="row">([^<]*)<', total) == ["17–20", "13–16", "9–12", "5–8", "4"]
    assert len(re.findall(r'<td class="equal w\d">', total)) == 5
    assert "lora: 2 better · 0 equal · 2 worse" in total
    assert "Without a score and in no cell: lora 1, base 1, both 1" in total
    assert '<a href="#heads">Head to head</a>' in page
    assert "href" not in total


def test_of_many_variants_the_report_has_one_grid_each(tmp_path: Path) -> None:
    scores = {"base": BASE[:4]} | {f"v{n}": BETTER[:4] for n in range(4)}
    page = render(summed(make_run(tmp_path, scores, measured=False)))
    assert page.count('<figure class="meet">') == 4
    alone = render(summed(make_run(tmp_path / "one", {"base": BASE[:4]}, measured=False)))
    assert "Head to head" not in alone
