"""Labels where questions were answered several times: of which answer each is, and what it is held against."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections import Counter
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest

from simsa.cli.main import run
from simsa.errors import DataError
from simsa.judge_eval.calibration import calibrate, judged_by_run
from simsa.judge_eval.label_files import read_labels
from simsa.judge_eval.sampling import choose, draw_sample, to_csv
from simsa.stats import corrected_mean
from simsa.store import Store, results
from simsa.store.labels import LabeledAnswer, Labels, read, weights
from simsa.web.labeling import LabelingDesk
from tests.support.criteria import CRITERIA
from tests.support.report_runs import Scored, answer_again, make_run

NAME = CRITERIA[0]


def level(*digits: int) -> Scored:
    return (1 + sum(digits) % 5, 3, 3, 3)


def three_answers(folder: Path, n: int = 40, variants: tuple[str, ...] = ("base", "lora")) -> Path:
    """Scores of correctness that differ from answer to answer."""
    first = {name: [level(q, k) for q in range(n)] for k, name in enumerate(variants)}
    make_run(folder, first, measured=False)
    again = {
        name: [[level(q, k, 2 * s + q % 3) for q in range(n)] for s in (1, 2)]
        for k, name in enumerate(variants)
    }
    return answer_again(folder, again)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return three_answers(tmp_path / "run")


def given(folder: Path) -> dict[LabeledAnswer, int]:
    """What the judge gave each answer, read row by row."""
    with Store.read(folder) as store:
        rows = list(results(store, sample=None))
    return {LabeledAnswer(r.question_id, r.variant, r.sample): r.scores[NAME] for r in rows}


def test_one_answer_of_each_variant_to_a_question_is_drawn_and_each_is_as_likely(folder: Path) -> None:
    counts: Counter[int] = Counter()
    with Store.read(folder) as store:
        for seed in range(30):
            chosen = choose(store, 80, seed=seed)
            assert len({c.answer[:2] for c in chosen}) == len(chosen) == 80
            assert chosen == choose(store, 80, seed=seed)
            counts.update(c.sample for c in chosen)
    assert sorted(counts) == [0, 1, 2]
    assert all(710 < n < 890 for n in counts.values()), "800 expected, standard deviation 23"


def test_variants_are_drawn_apart(folder: Path) -> None:
    with Store.read(folder) as store:
        chosen = {c.answer[:2]: c.sample for c in choose(store, 80)}
    assert any(chosen[f"q{n}", "base"] != chosen[f"q{n}", "lora"] for n in range(40))


def test_a_drawn_file_leads_back_to_the_very_answer(folder: Path, tmp_path: Path) -> None:
    with Store.read(folder) as store:
        drawn = draw_sample(store, 80, seed=3)
        judged = judged_by_run(store)
    texts = {d.code: d.prediction for d in drawn}
    assert any("또 다른 답" in text for text in texts.values())
    rows = list(csv.DictReader(io.StringIO(to_csv(drawn, CRITERIA).lstrip("\ufeff"))))
    for row in rows:
        row[NAME] = "4"
    file = tmp_path / "labels.csv"
    with file.open("w", newline="") as out:
        writer = csv.DictWriter(out, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    labelled = read_labels(file, judged.answers, judged.criteria)
    with Store.read(folder) as store:
        said = {
            LabeledAnswer(r.question_id, r.variant, r.sample): r.prediction
            for r in results(store, sample=None)
        }
    assert sorted(said[label.answer] or "" for label in labelled.labels) == sorted(texts.values())


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_label_is_held_against_the_judge_s_score_of_the_same_answer(folder: Path, tmp_path: Path) -> None:
    """By hand: of four labels one is exact, the others are off by what the judge gave these very answers."""
    scores = given(folder)
    wanted = [
        LabeledAnswer("q0", "base", 0),
        LabeledAnswer("q1", "base", 2),
        LabeledAnswer("q2", "lora", 1),
        LabeledAnswer("q2", "lora", 2),
    ]
    labels = [scores[wanted[0]], *(1 + scores[answer] % 5 for answer in wanted[1:])]
    rows = [a._asdict() | {NAME: label} for a, label in zip(wanted, labels, strict=True)]
    with Store.read(folder) as store:
        judged = judged_by_run(store)
    made = calibrate(judged, read_labels(write(tmp_path / "l.jsonl", rows), judged.answers, judged.criteria))
    one = made.criteria[NAME].agreement
    off = [scores[answer] - label for answer, label in zip(wanted, labels, strict=True)]
    assert made.n_answers == one.n_labels == 4
    assert one.exact == 0.25
    assert one.bias == pytest.approx(fmean(off))
    assert one.mae == pytest.approx(fmean(map(abs, off)))


def test_rows_without_a_number_are_of_the_first_answer(folder: Path, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"question_id": "q5", "variant": "lora", NAME: 2}]
    rows += [{"question_id": "q5", "variant": "base", NAME: 3, "sample": None}]
    with Store.read(folder) as store:
        judged = judged_by_run(store)
    found = read_labels(write(tmp_path / "old.jsonl", rows), judged.answers, judged.criteria).labels
    assert [label.answer for label in found] == [
        LabeledAnswer("q5", "lora", 0),
        LabeledAnswer("q5", "base", 0),
    ]


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        (3, "no such answer"),
        (-1, "number of an answer"),
        (0.5, "number of an answer"),
        ("A", "the number of an"),
    ],
)
def test_answers_that_there_are_none_of_are_refused(
    folder: Path, tmp_path: Path, sample: Any, message: str
) -> None:
    file = write(tmp_path / "l.jsonl", [{"question_id": "q5", "variant": "lora", NAME: 2, "sample": sample}])
    with Store.read(folder) as store:
        judged = judged_by_run(store)
    with pytest.raises(DataError, match=message) as error:
        read_labels(file, judged.answers, judged.criteria)
    assert error.value.field == "sample"


def test_a_column_of_that_name_says_nothing_where_there_is_one_answer(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", {"base": [(3, 3, 3, 3)]}, measured=False)
    file = write(tmp_path / "l.jsonl", [{"question_id": "q0", "variant": "base", NAME: 2, "sample": "pilot"}])
    with Store.read(folder) as store:
        judged = judged_by_run(store)
    [label] = read_labels(file, judged.answers, judged.criteria).labels
    assert label.answer == LabeledAnswer("q0", "base", 0)


def test_corrected_means_pair_labels_with_their_answers_and_rest_on_the_questions_means(
    tmp_path: Path,
) -> None:
    folder = three_answers(tmp_path / "run", n=90)
    scores = given(folder)
    with Store.read(folder) as store:
        judged = judged_by_run(store)
        chosen = [c.answer for c in choose(store, 80) if c.variant == "base"]
    rows = [a._asdict() | {NAME: max(1, scores[a] - (n % 3 == 0))} for n, a in enumerate(chosen)]
    made = calibrate(judged, read_labels(write(tmp_path / "l.jsonl", rows), judged.answers, judged.criteria))
    found = made.criteria[NAME].corrected["base"]
    means = {f"q{n}": fmean(scores[f"q{n}", "base", s] for s in range(3)) for n in range(90)}  # type: ignore[index]
    order = sorted(chosen)
    label = {row["question_id"]: float(row[NAME]) for row in rows}
    expected = corrected_mean(
        [label[a.question_id] for a in order],
        [float(scores[a]) for a in order],
        [means[q] for q in sorted(means) if q not in label],
    )
    assert (found.mean, found.ci95, found.weight) == (expected.mean, expected.ci95, expected.weight)
    assert found.naive == pytest.approx(fmean(means.values())), "the judge's own mean is the report's"


def test_the_correction_covers_the_truth_of_all_answers() -> None:
    """Labels of one random answer a question; the truth is the mean over all answers that people would have given."""
    covered, rounds = 0, 300
    for seed in range(rounds):
        random = np.random.default_rng(seed)
        question = random.normal(3, 0.8, (300, 1))
        truth = question + random.normal(0, 0.7, (300, 3))
        judge = truth + 0.3 + random.normal(0, 0.5, (300, 3))
        place = random.integers(0, 3, 60), range(60)
        found = corrected_mean(
            truth[place[1], place[0]].tolist(),
            judge[place[1], place[0]].tolist(),
            judge[60:].mean(axis=1).tolist(),
        )
        low, high = found.ci95 or (0, 0)
        covered += low <= 3 <= high
    assert covered / rounds >= 0.92


def test_the_desk_shows_and_keeps_the_drawn_answer(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    desk = LabelingDesk(folder)
    assert desk.draw(80, 1) == 80
    with Store.read(folder) as store:
        said = {
            LabeledAnswer(r.question_id, r.variant, r.sample): r.prediction
            for r in results(store, sample=None)
        }
    scores = given(folder)
    with Labels(folder) as labels:
        items = labels.items("지우")
    assert {item.sample for item in items} == {0, 1, 2}
    for at, item in enumerate(items[:40]):
        sheet = desk.sheet("지우", at)
        assert sheet is not None
        assert sheet.prediction == said[item.answer]
        desk.score("지우", sheet.place, sheet.seen, NAME, scores[item.answer])
    assert {label.answer for label in read(folder)} == {item.answer for item in items[:40]}
    capsys.readouterr()
    assert run(["calibrate", str(folder), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["criteria"][NAME]
    assert (found["n_labels"], found["exact"]) == (40, 1.0), "each label meets its own answer's score"


def test_drawing_on_by_another_seed_brings_no_second_answer_to_a_question(folder: Path) -> None:
    desk = LabelingDesk(folder)
    desk.draw(20, 1)
    with Labels(folder) as labels:
        before = labels.items("")
    assert desk.draw(80, 2) == 80
    with Labels(folder) as labels:
        after = labels.items("")
    assert set(before) <= set(after)
    assert len({item.answer[:2] for item in after}) == 80


def test_a_stratified_draw_weighs_the_answers_it_drew(folder: Path) -> None:
    desk = LabelingDesk(folder)
    assert desk.draw(40, 5, stratified=True) == 40
    with Labels(folder) as labels:
        items = labels.items("")
    weighed = weights(folder)
    assert set(weighed) == {item.answer for item in items}
    assert sum(w for answer, w in weighed.items() if answer.variant == "base") == pytest.approx(40)


OLD = f"""
CREATE TABLE sample (place INTEGER PRIMARY KEY, question_id TEXT NOT NULL, variant TEXT NOT NULL,
    answer_hash TEXT NOT NULL, UNIQUE (question_id, variant));
CREATE TABLE labels (question_id TEXT NOT NULL, variant TEXT NOT NULL, annotator TEXT NOT NULL,
    answer_hash TEXT NOT NULL, {", ".join(f"{name} INTEGER" for name in CRITERIA)},
    comment TEXT NOT NULL DEFAULT '', PRIMARY KEY (question_id, variant, annotator)) WITHOUT ROWID;
CREATE TABLE steps (serial INTEGER PRIMARY KEY AUTOINCREMENT, annotator TEXT NOT NULL, place INTEGER NOT NULL,
    field TEXT NOT NULL, before TEXT NOT NULL);
CREATE TABLE draw (seed INTEGER NOT NULL, stratified INTEGER NOT NULL);
CREATE TABLE weights (question_id TEXT NOT NULL, variant TEXT NOT NULL, weight REAL NOT NULL,
    PRIMARY KEY (question_id, variant)) WITHOUT ROWID;
INSERT INTO sample VALUES (0, 'q1', 'base', 'base/q1'), (1, 'q2', 'lora', 'lora/q2');
INSERT INTO labels VALUES ('q1', 'base', '지우', 'base/q1', 2, 3, 4, 5, '');
INSERT INTO weights VALUES ('q1', 'base', 2.5), ('q2', 'lora', 2.5);
"""


def test_labels_from_before_are_of_first_answers_and_the_desk_goes_on(folder: Path) -> None:
    db = sqlite3.connect(folder / "labels.sqlite")
    db.executescript(OLD)
    db.close()
    [label] = read(folder)
    assert (label.answer, label.scores[NAME]) == (LabeledAnswer("q1", "base", 0), 2)
    assert weights(folder) == {LabeledAnswer("q1", "base"): 2.5, LabeledAnswer("q2", "lora"): 2.5}
    for _ in range(2):
        with Labels(folder) as labels:
            [_, second] = sorted(labels.items("지우"))
            assert second.answer == LabeledAnswer("q2", "lora", 0)
            labels.score("지우", second, NAME, 5)
    with Store.read(folder) as store:
        judged = judged_by_run(store)
    found = read_labels(folder, judged.answers, judged.criteria)
    assert [one.answer for one in found.labels] == [
        LabeledAnswer("q1", "base", 0),
        LabeledAnswer("q2", "lora", 0),
    ]
    assert found.n_outdated == 0
