from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.cells import cell_len

from simsa.cli.main import run
from simsa.store import Store
from tests.support.criteria import CRITERIA
from tests.support.report_runs import Scored, make_run
from tests.support.simulated_labels import world, write

N = 80


def make(tmp_path: Path, seed: int = 1, **meta: Any) -> tuple[Path, dict[str, list[int]]]:
    """A run whose judge is 0.3 too kind to `lora`, and what people would say of every answer."""
    labels, scores = world(N, seed)
    verdicts: dict[str, list[Scored]] = {v: [(s, 3, s, 3) for s in found] for v, found in scores.items()}
    return make_run(tmp_path / "run", verdicts, **meta), labels


def label(sample: Path, labels: dict[str, list[int]], folder: Path, n: int = 1000) -> None:
    """Fills in a drawn sample as a person would who knows the truth."""
    from simsa.judge_eval.calibration import judged_by_run

    with Store.read(folder) as store:
        answers = judged_by_run(store).answers
    text = sample.read_text(encoding="utf-8-sig")
    rows = list(csv.DictReader(text.splitlines(keepends=True)))
    with sample.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        for row in rows[:n]:
            question, variant, _ = answers.by_code(row["code"]) or ("", "", 0)
            score = labels[variant][int(question[1:])]
            writer.writerow(row | {"answer_correctness": score, "context_faithfulness": score})


def printed(capfd: pytest.CaptureFixture[str], *argv: str) -> dict[str, Any]:
    assert run(["calibrate", *argv, "--json"]) == 0
    document: dict[str, Any] = json.loads(capfd.readouterr().out)
    return document


def notes(capfd: pytest.CaptureFixture[str], folder: Path) -> list[dict[str, str]]:
    capfd.readouterr()
    assert run(["report", str(folder), "--format", "json"]) == 0
    found: list[dict[str, str]] = json.loads(capfd.readouterr().out)["notes"]
    return found


def test_from_the_draw_to_the_report(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder, labels = make(tmp_path)
    sample = tmp_path / "sample.csv"
    assert run(["calibrate", str(folder), "--draw", "100", "--out", str(sample)]) == 0
    out, err = capfd.readouterr()
    assert out == ""
    assert "100" in err
    label(sample, labels, folder)
    found = printed(capfd, str(folder), "--labels", str(sample))
    assert found["schema"] == "simsa.calibration/1"
    assert set(found["criteria"]) == {"answer_correctness", "context_faithfulness"}
    one = found["criteria"]["answer_correctness"]
    assert {
        "n_labels", "quadratic_kappa", "krippendorff_alpha", "spearman", "kendall_tau_b",
        "exact", "within_one", "mae", "bias", "confusion", "corrected",
    } <= set(one)  # fmt: skip
    assert one["n_labels"] == 100
    assert np.sum(one["confusion"]) == 100
    assert {"mean", "ci95", "lambda"} <= set(one["corrected"]["lora"])
    assert one["per_variant"]["lora"]["bias"] > one["per_variant"]["base"]["bias"]
    [difference] = one["corrected_differences"]
    assert difference["mean_diff"] < difference["naive_diff"], "the kindness is taken out"
    assert found["total"] is None
    kept = [note for note in notes(capfd, folder) if note["kind"] == "calibrated"]
    assert len(kept) == 1
    assert f"{one['quadratic_kappa']:.2f}" in kept[0]["text"]


def test_every_report_flags_a_judge_below_the_bar(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder, labels = make(tmp_path)
    random = np.random.default_rng(5)
    rows = [(f"q{n}", v, random.integers(1, 6)) for v in labels for n in range(N)]
    path = write(tmp_path / "labels.csv", "question_id,variant,answer_correctness", rows)
    assert "weak_judge" not in {note["kind"] for note in notes(capfd, folder)}
    assert printed(capfd, str(folder), "--labels", str(path))["bar"]["below"] == ["answer_correctness"]
    assert "weak_judge" in {note["kind"] for note in notes(capfd, folder)}
    for language, word in (("en", "below the bar"), ("ko", "합격선")):
        assert run(["report", str(folder), "--format", "md", "--language", language]) == 0
        assert word in capfd.readouterr().out
    with Store.create(folder) as store:
        store.set_meta(judge=store.meta("judge") | {"model": "another"})
    assert "weak_judge" not in {note["kind"] for note in notes(capfd, folder)}, "it was another judge"


def test_scores_from_a_table_and_labels_of_two_people(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    labels, scores = world(40, 2)
    judge = write(
        tmp_path / "judge.csv",
        "question_id,variant,criterion,score",
        [(f"q{n}", v, "helpfulness", s) for v, found in scores.items() for n, s in enumerate(found)],
    )
    people = write(
        tmp_path / "people.csv",
        "question_id,variant,annotator,criterion,score",
        [
            (f"q{n}", v, who, "helpfulness", s)
            for who in ("a", "b")
            for v, found in labels.items()
            for n, s in enumerate(found)
        ],
    )
    found = printed(capfd, "--scores", str(judge), "--labels", str(people))
    one = found["criteria"]["helpfulness"]
    assert found["annotators"] == ["a", "b"]
    assert one["n_labels"] == 160
    assert one["annotators"]["krippendorff_alpha"] == 1.0
    assert one["annotators"]["pairs"][0]["exact"] == 1.0
    assert run(["calibrate", "--scores", str(judge), "--labels", str(people)]) == 0
    text = capfd.readouterr().out
    assert "helpfulness" in text
    assert "People against each other" in text


def test_the_text_speaks_the_run_s_language(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder, labels = make(tmp_path, language="ko")
    rows = [(f"q{n}", v, *[s] * 4) for v, found in labels.items() for n, s in enumerate(found[:50])]
    head = "question_id,variant," + ",".join(CRITERIA)
    path = write(tmp_path / "labels.csv", head, rows)
    for argv, words in (
        ([], ("평가자의 일치도", "보정한", "정확성", "관련성", "충실성", " 재현율\n")),
        (["--language", "en"], ("The judge against people",)),
    ):
        assert run(["calibrate", str(folder), "--labels", str(path), *argv]) == 0
        out = capfd.readouterr().out
        for word in words:
            assert word in out
        tables = [line for line in out.splitlines() if not line.startswith("·")]
        assert max(map(cell_len, tables)) <= 80, "nothing is cut off"
    assert printed(capfd, str(folder), "--labels", str(path))["total"]["n_labels"] == 100


def test_few_labels_say_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder, labels = make(tmp_path)
    rows = [(f"q{n}", "base", labels["base"][n]) for n in range(12)]
    path = write(tmp_path / "labels.csv", "question_id,variant,answer_correctness", rows)
    one = printed(capfd, str(folder), "--labels", str(path))["criteria"]["answer_correctness"]
    assert one["corrected"]["base"]["mean"] is None
    assert one["corrected"]["base"]["ci95"] is None
    assert one["quadratic_kappa"] is not None
    assert any("too few" in note for note in one["notes"])


def test_a_run_that_is_being_written_is_calibrated_but_not_touched(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder, labels = make(tmp_path)
    rows = [(f"q{n}", "base", labels["base"][n]) for n in range(40)]
    path = write(tmp_path / "labels.csv", "question_id,variant,answer_correctness", rows)
    with Store.create(folder) as store:
        assert run(["calibrate", str(folder), "--labels", str(path), "--json"]) == 0
        out, err = capfd.readouterr()
        assert json.loads(out)["criteria"]
        assert "not kept" in err
        assert store.meta("calibration") is None


@pytest.mark.parametrize(
    ("argv", "word"),
    [
        ([], "--scores"),
        (["RUN", "--scores", "x.csv", "--labels", "y.csv"], "--scores"),
        (["--scores", "SCORES"], "--labels"),
        (["RUN", "--draw", "5", "--labels", "x.csv"], "--draw"),
        (["RUN", "--stratified"], "--draw"),
        (["RUN", "--labels", "missing.csv"], "missing.csv"),
        (["RUN"], "no labels"),
        (["RUN", "--labels", "LABELS", "--baseline", "nobody"], "nobody"),
        (["nowhere", "--labels", "LABELS"], "nowhere"),
    ],
)
def test_what_is_asked_wrongly_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], argv: list[str], word: str
) -> None:
    folder, _ = make(tmp_path)
    scores = write(tmp_path / "s.csv", "question_id,variant,criterion,score", [("q0", "base", "x", 3)])
    labels = write(tmp_path / "l.csv", "question_id,variant,answer_correctness", [("q0", "base", 3)])
    places = {"RUN": str(folder), "SCORES": str(scores), "LABELS": str(labels)}
    assert run(["calibrate", *(places.get(word, word) for word in argv)]) == 2
    assert word in capfd.readouterr().err
