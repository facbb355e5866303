from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsa.errors import DataError
from simsa.judge_eval.label_files import read_labels
from simsa.judge_eval.sampling import AnswerCodes
from simsa.records import Criterion
from simsa.store.labels import LabeledAnswer, Labels
from tests.support.criteria import CRITERIA
from tests.support.simulated_labels import write

ANSWERS = AnswerCodes({(f"q{n}", name): f"{name}/q{n}" for n in range(9) for name in ("base", "lora")})
SCALES = {name: Criterion(name) for name in CRITERIA}
HEAD = "question_id,variant,annotator,answer_correctness,context_faithfulness,comment"


def read(path: Path) -> dict[tuple[str, str, str], dict[str, int]]:
    found = read_labels(path, ANSWERS, SCALES)
    return {(label.question_id, label.variant, label.annotator): dict(label.scores) for label in found.labels}


def refused(path: Path, *words: str) -> None:
    with pytest.raises(DataError) as error:
        read_labels(path, ANSWERS, SCALES)
    for word in words:
        assert word in str(error.value)


def test_a_table_with_a_column_a_criterion_and_empty_cells(tmp_path: Path) -> None:
    rows = [
        ("q0", "base", "가", 3, "", "좋음"),
        ("q0", "base", "나", "4.0", 5, ""),
        ("q1", "lora", "", "", "", ""),
    ]
    path = write(tmp_path / "labels.csv", HEAD, rows)
    assert read(path) == {
        ("q0", "base", "가"): {"answer_correctness": 3},
        ("q0", "base", "나"): {"answer_correctness": 4, "context_faithfulness": 5},
    }
    [first, _] = read_labels(path, ANSWERS, SCALES).labels
    assert (first.comment, first.answer_hash) == ("좋음", "base/q0")


def test_one_row_a_criterion(tmp_path: Path) -> None:
    rows = [("q0", "base", "answer_correctness", 3), ("q0", "base", "context_recall", 1)]
    path = write(tmp_path / "labels.csv", "question_id,variant,criterion,score", rows)
    assert read(path) == {("q0", "base", ""): {"answer_correctness": 3, "context_recall": 1}}


def test_json_lines_with_codes(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    rows = [
        {
            "code": ANSWERS.code(("q2", "lora")),
            "question_id": "q2",
            "context_recall": 2,
            "answer_correctness": None,
        },
        {"question_id": "q3", "variant": "base", "context_recall": 5},
    ]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert read(path) == {
        ("q2", "lora", ""): {"context_recall": 2},
        ("q3", "base", ""): {"context_recall": 5},
    }


def test_a_code_leads_to_its_answer_only_as_long_as_the_answer_is_the_same() -> None:
    code = ANSWERS.code(("q1", "base"))
    assert ANSWERS.by_code(code) == LabeledAnswer("q1", "base")
    assert len({ANSWERS.code(answer) for answer in ANSWERS}) == len(ANSWERS)
    assert AnswerCodes({**ANSWERS, LabeledAnswer("q1", "base"): "another"}).by_code(code) is None


def test_what_a_runs_page_has_kept(tmp_path: Path) -> None:
    with Labels(tmp_path) as desk:
        desk.take([(*answer[:2], h) for answer, h in ANSWERS.items()])
        for item in desk.items("지우"):
            desk.score("지우", item, CRITERIA[0], 1 + int(item.question_id[1:]) % 5)
    for path in (tmp_path, tmp_path / "labels.sqlite"):
        found = read_labels(path, ANSWERS, SCALES)
        assert len(found.labels) == 18
        assert found.n_outdated == 0
    changed = AnswerCodes({**ANSWERS, LabeledAnswer("q1", "base"): "another"})
    found = read_labels(tmp_path, changed, SCALES)
    assert (len(found.labels), found.n_outdated) == (17, 1)


def test_weights_of_a_stratified_draw_are_kept(tmp_path: Path) -> None:
    path = write(
        tmp_path / "l.csv",
        HEAD + ",weight",
        [("q0", "base", "", 3, "", "", 2.5), ("q1", "base", "", "", "", "", 9)],
    )
    assert read_labels(path, ANSWERS, SCALES).weights == {LabeledAnswer("q0", "base"): 2.5}
    path = write(
        tmp_path / "m.csv",
        HEAD + ",weight",
        [("q0", "base", "", 3, "", "", 2.5), ("q1", "base", "", 2, "", "", "")],
    )
    refused(path, "weight")


@pytest.mark.parametrize("score", ["6", "0", "3.5", "좋음", "nan", "1_0", "-1"])
def test_what_is_no_score_is_refused_with_its_line(tmp_path: Path, score: str) -> None:
    rows = [("q0", "base", "", 3, "", ""), ("q1", "base", "", score, "", "")]
    refused(write(tmp_path / "labels.csv", HEAD, rows), "labels.csv:3", "answer_correctness", score)


def test_true_is_no_score(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_text('{"question_id": "q0", "variant": "base", "context_recall": true}')
    refused(path, "labels.jsonl:1", "context_recall")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (("q99", "base", "", 3, "", ""), ("labels.csv:2", "question_id", "q99")),
        (("q0", "nobody", "", 3, "", ""), ("labels.csv:2", "variant", "nobody", "base, lora")),
        (("", "base", "", 3, "", ""), ("labels.csv:2", "question_id")),
    ],
)
def test_a_label_of_no_answer_is_refused(
    tmp_path: Path, row: tuple[object, ...], words: tuple[str, ...]
) -> None:
    refused(write(tmp_path / "labels.csv", HEAD, [row]), *words)


def test_a_misspelt_criterion_is_not_skipped(tmp_path: Path) -> None:
    head = "question_id,variant,answer_corectness,context_recall"
    refused(
        write(tmp_path / "l.csv", head, [("q0", "base", 3, 4)]), "answer_corectness", "answer_correctness"
    )
    long = "question_id,variant,criterion,score"
    refused(write(tmp_path / "m.csv", long, [("q0", "base", "recall", 3)]), "m.csv:2", "recall")


def test_the_same_answer_twice_needs_two_people(tmp_path: Path) -> None:
    path = write(tmp_path / "l.csv", HEAD, [("q0", "base", "", 3, "", ""), ("q0", "base", "", 4, "", "")])
    refused(path, "l.csv:3", "l.csv:2", "annotator")


def test_unknown_codes_and_missing_columns_are_refused(tmp_path: Path) -> None:
    refused(
        write(tmp_path / "a.csv", "code,question_id,context_recall", [("abc", "q0", 3)]), "a.csv:2", "abc"
    )
    refused(write(tmp_path / "b.csv", "question_id,context_recall", [("q0", 3)]), "b.csv:2", "variant")
    refused(
        write(tmp_path / "c.csv", "question_id,variant,note", [("q0", "base", 3)]), "c.csv:2", "criterion"
    )
    refused(write(tmp_path / "d.csv", HEAD, [("q0", "base", "", "", "", "")]), "holds no labels")
    refused(tmp_path / "none.csv", "no such file")


@given(st.dictionaries(st.sampled_from(sorted(ANSWERS)), st.integers(1, 5), min_size=1))
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, scores: dict[tuple[str, str], int]
) -> None:
    path = tmp_path_factory.mktemp("labels") / "l.csv"
    rows = [(ANSWERS.code(answer), answer[0], score) for answer, score in scores.items()]
    write(path, "code,question_id,context_recall", rows)
    assert read(path) == {(*answer[:2], ""): {"context_recall": score} for answer, score in scores.items()}


@pytest.mark.parametrize("weight", ["0", "-2", "viel", "inf"])
def test_what_is_no_weight_is_refused(tmp_path: Path, weight: str) -> None:
    rows = [("q0", "base", "", 3, "", "", weight)]
    refused(write(tmp_path / "l.csv", HEAD + ",weight", rows), "l.csv:2", "weight", weight)


def test_a_spreadsheet_s_mark_and_a_json_list_are_read_too(tmp_path: Path) -> None:
    marked = tmp_path / "marked.csv"
    marked.write_text("\ufeffquestion_id,variant,context_recall\nq0,base,2\n", encoding="utf-8")
    listed = tmp_path / "labels.json"
    listed.write_text(json.dumps([{"question_id": "q0", "variant": "base", "context_recall": 2}]))
    assert read(marked) == read(listed) == {("q0", "base", ""): {"context_recall": 2}}


def test_a_total_in_the_file_is_not_a_label_of_its_own(tmp_path: Path) -> None:
    """It is the sum of the four where somebody gave all four, whatever a column says."""
    rows = [("q0", "base", "total", 17), ("q0", "base", "context_recall", 2)]
    path = write(tmp_path / "labels.csv", "question_id,variant,criterion,score", rows)
    assert read(path) == {("q0", "base", ""): {"context_recall": 2}}


def test_criteria_of_one_s_own_take_any_whole_numbers(tmp_path: Path) -> None:
    path = write(tmp_path / "l.csv", "question_id,variant,fluency", [("q0", "base", -3), ("q1", "base", 40)])
    found = read_labels(path, ANSWERS, {"fluency": None})
    assert [dict(label.scores) for label in found.labels] == [{"fluency": -3}, {"fluency": 40}]
    halves = write(tmp_path / "m.csv", "question_id,variant,fluency", [("q0", "base", 2.5)])
    with pytest.raises(DataError, match="whole number"):
        read_labels(halves, ANSWERS, {"fluency": None})


def test_labels_of_answers_by_strata_come_with_their_weights_from_the_desk(tmp_path: Path) -> None:
    drawn = {("q1", "base"): 2.0, ("q2", "lora"): 5.0, ("q3", "base"): 5.0}
    with Labels(tmp_path) as desk:
        desk.take(((q, v, ANSWERS[q, v]) for q, v in drawn), weights=drawn)
        for item in desk.items("지우"):
            if item.question_id != "q3":
                desk.score("지우", item, CRITERIA[0], 3)
    found = read_labels(tmp_path, ANSWERS, SCALES)
    assert len(found.labels) == 2
    assert found.weights == {LabeledAnswer("q1", "base"): 2.0, LabeledAnswer("q2", "lora"): 5.0}


def test_scores_are_checked_against_the_criterion_s_own_scale(tmp_path: Path) -> None:
    scales = {"cited": Criterion("cited", 0, 1), "depth": Criterion("depth", 0, 10)}
    head = "question_id,variant,cited,depth"
    path = write(tmp_path / "l.csv", head, [("q0", "base", 0, 10), ("q1", "base", 1, 0)])
    found = read_labels(path, ANSWERS, scales)
    assert [dict(label.scores) for label in found.labels] == [
        {"cited": 0, "depth": 10},
        {"cited": 1, "depth": 0},
    ]
    wrong = write(tmp_path / "m.csv", head, [("q0", "base", 2, 10)])
    with pytest.raises(DataError, match="from 0 to 1"):
        read_labels(wrong, ANSWERS, scales)
