from __future__ import annotations

import csv
import io
import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsa.errors import InputError
from simsa.judge_eval.calibration import calibrate, judged_by_run
from simsa.judge_eval.label_files import read_labels
from simsa.judge_eval.sampling import SampledAnswer, draw_sample, to_csv, to_jsonl
from simsa.records import Passage
from simsa.store import Store
from tests.support.criteria import CRITERIA
from tests.support.report_runs import Scored, make_run, question

N = 60


def folder(tmp_path: Path, n: int = N, variants: tuple[str, ...] = ("base", "lora")) -> Path:
    """Most answers are scored high, one in six low."""
    scores: dict[str, list[Scored]] = {
        name: [(1, 2, 1, 1) if i % 6 == 0 else (4, 5, 5, 4 + i % 2) for i in range(n)] for name in variants
    }
    return make_run(tmp_path / "run", scores)


def drawn(path: Path, n: int, **how: object) -> list[SampledAnswer]:
    with Store.read(path) as store:
        return draw_sample(store, n, **how)  # type: ignore[arg-type]


def test_a_draw_is_the_seed_s(tmp_path: Path) -> None:
    path = folder(tmp_path)
    first = drawn(path, 20)
    assert first == drawn(path, 20)
    assert {d.code for d in first} != {d.code for d in drawn(path, 20, seed=1)}


@pytest.mark.parametrize(("n", "variants"), [(20, 2), (20, 3), (1, 2), (500, 2)])
def test_it_draws_whole_questions_and_just_as_many_answers(tmp_path: Path, n: int, variants: int) -> None:
    path = folder(tmp_path, variants=("base", "lora", "third")[:variants])
    found = drawn(path, n)
    assert len(found) == min(n, N * variants)
    counts = Counter(d.question.id for d in found)
    assert sorted(counts.values())[1:] == [variants] * (len(counts) - 1), "all but one are whole"


def test_every_question_is_as_likely(tmp_path: Path) -> None:
    path = folder(tmp_path)
    counts = Counter(d.question.id for seed in range(200) for d in drawn(path, 30, seed=seed))
    assert len(counts) == N
    assert all(60 < count < 145 for count in counts.values())  # 100 expected, standard deviation 12


def test_nothing_in_it_names_the_variant_or_the_scores(tmp_path: Path) -> None:
    said = {name: [f"{i}번 답입니다" for i in range(N)] for name in ("base", "lora")}
    scores: dict[str, list[Scored]] = {name: [(4, 5, 5, 4)] * N for name in said}
    path = make_run(tmp_path / "run", scores, predictions=said)
    for text in (to_csv(drawn(path, 20), CRITERIA), to_jsonl(drawn(path, 20), CRITERIA)):
        assert "base" not in text
        assert "lora" not in text
        assert "analysis" not in text
    for row in map(json.loads, to_jsonl(drawn(path, 20), CRITERIA).splitlines()):
        assert [row[name] for name in CRITERIA] == [None] * 4
        assert row["question"]
        assert row["contexts"]
        assert row["prediction"]


def test_a_spreadsheet_runs_nothing_of_it_and_reads_korean(tmp_path: Path) -> None:
    evil = "=HYPERLINK(1)"
    asked = [question(0, question=evil, contexts=(Passage("+1+1"),), reference=("-2",))]
    path = make_run(
        tmp_path / "run", {"base": [(1, 1, 1, 1)]}, questions=asked, predictions={"base": ["@SUM(A1)"]}
    )
    text = to_csv(drawn(path, 1), CRITERIA)
    assert text.startswith("\ufeff")
    [row] = csv.DictReader(io.StringIO(text[1:]))
    assert (row["question"], row["reference"], row["prediction"]) == (f"'{evil}", "'-2", "'@SUM(A1)")
    assert row["contexts"].startswith("[1] ")


def test_answers_that_are_not_there_are_not_drawn(tmp_path: Path) -> None:
    path = make_run(tmp_path / "run", {"base": [(1, 1, 1, 1), None]}, predictions={"base": ["답", None]})
    assert [d.prediction for d in drawn(path, 10)] == ["답"]
    empty = make_run(tmp_path / "empty", {"base": [None]}, predictions={"base": [None]})
    assert drawn(empty, 10) == []


def test_a_stratified_draw_has_the_rare_scores_and_weights_that_add_up(tmp_path: Path) -> None:
    path = folder(tmp_path)
    found = drawn(path, 32, stratified=True)
    weights = {d.question.id: d.weight or 0 for d in found}
    low = [q for q in weights if int(q[1:]) % 6 == 0]
    assert len(weights) == 16
    assert len(low) == 8, "as many as of the common ones"
    assert sum(weights.values()) == pytest.approx(N)
    assert {weights[q] for q in low} == {10 / 8}
    with pytest.raises(InputError, match="too few"):
        drawn(path, 6, stratified=True)


def test_what_was_drawn_and_labelled_comes_back_corrected(tmp_path: Path) -> None:
    """Whichever way it was drawn, the labels' own mean over all answers is found."""
    path = folder(tmp_path)
    for name, stratified in (("plain.jsonl", False), ("strata.jsonl", True)):
        rows = [
            json.loads(line)
            for line in to_jsonl(drawn(path, 80, stratified=stratified), CRITERIA).splitlines()
        ]
        for row in rows:  # a person who finds the low ones a point better than the judge does
            row["answer_correctness"] = 2 if int(row["question_id"][1:]) % 6 == 0 else 4
        labels = tmp_path / name
        labels.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        with Store.read(path) as store:
            judged = judged_by_run(store)
        made = calibrate(judged, read_labels(labels, judged.answers, judged.criteria))
        corrected = made.criteria["answer_correctness"].corrected["base"]
        low, high = corrected.ci95 or (0, 0)
        truth = (2 + 5 * 4) / 6
        assert low - 1e-9 <= truth <= high + 1e-9
        assert corrected.mean == pytest.approx(truth, abs=0.1)
        assert any("stratified" in note for note in made.to_dict()["notes"]) == stratified


# Whatever the scores --------------------------------------------------------------------------


def of_totals(tmp_path: Path, totals: list[int | None]) -> Path:
    """A run of one variant with these totals; None is an answer without a score."""
    scores: list[Scored] = [
        "refused" if total is None else [total // 4 + (k < total % 4) for k in range(4)] for total in totals
    ]
    return make_run(tmp_path / "run", {"base": scores}, measured=False)


@given(
    st.lists(st.none() | st.integers(4, 20), min_size=8, max_size=40), st.integers(8, 40), st.integers(0, 5)
)
@settings(max_examples=15, deadline=None)
def test_weights_stand_for_every_scored_question_of_their_range(
    tmp_path_factory: pytest.TempPathFactory, totals: list[int | None], n: int, seed: int
) -> None:
    path = of_totals(tmp_path_factory.mktemp("run"), totals)
    ranges = Counter(sum(total > edge for edge in (8, 12, 16)) for total in totals if total is not None)
    found = drawn(path, n, stratified=True, seed=seed)
    assert len({d.question.id for d in found}) == len(found) <= n
    taken: dict[int, list[float]] = {}
    for d in found:
        total = totals[int(d.question.id[1:])]
        assert total is not None, "what was not scored has no range"
        taken.setdefault(sum(total > edge for edge in (8, 12, 16)), []).append(d.weight or 0)
    assert set(taken) == set(ranges)
    for place, weights in taken.items():
        assert len(set(weights)) == 1
        assert sum(weights) == pytest.approx(ranges[place])
        assert len(weights) == ranges[place] or len(weights) >= n // len(ranges) - len(ranges)
    assert found == drawn(path, n, stratified=True, seed=seed)


def test_where_all_are_drawn_each_stands_for_itself(tmp_path: Path) -> None:
    path = of_totals(tmp_path, [4, 8, 9, 12, 13, 16, 17, 20] * 3)
    found = drawn(path, 24, stratified=True)
    assert {d.weight for d in found} == {1.0}
    assert len(found) == 24


@pytest.mark.parametrize("stratified", [False, True])
def test_more_of_the_same_seed_holds_what_fewer_held(tmp_path: Path, stratified: bool) -> None:
    path = folder(tmp_path)
    few, more = (drawn(path, n, stratified=stratified, seed=3) for n in (24, 60))
    assert {d.code for d in few} < {d.code for d in more}
