from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats as scipy_stats

from simsa.cli.main import run
from tests.support.criteria import CRITERIA

HEAD = "question_id,variant,criterion,score,cluster\n"


def table(tmp_path: Path, *, variants: dict[str, float], n: int = 40, missing: str = "") -> Path:
    """Scores of several variants on the same questions, each with its head start; `missing` has no score on q0."""
    rows = []
    for name, shift in variants.items():
        random = np.random.default_rng(1)
        base = random.choice([1, 2, 3, 4], (n, 4), p=[0.3, 0.3, 0.2, 0.2])
        moved = np.clip(base + np.random.default_rng(2).normal(shift, 0.6, (n, 4)).round(), 1, 5)
        for i, scores in enumerate(moved if shift else base):
            for criterion, score in zip(CRITERIA, scores, strict=True):
                shown = "" if name == missing and i == 0 else int(score)
                rows.append(f"q{i},{name},{criterion},{shown},d{i // 2}\n")
    path = tmp_path / "scores.csv"
    path.write_text(HEAD + "".join(rows), encoding="utf-8")
    return path


def printed(capfd: pytest.CaptureFixture[str], *argv: str) -> dict[str, Any]:
    assert run(["stats", *argv, "--json"]) == 0
    document: dict[str, Any] = json.loads(capfd.readouterr().out)
    return document


def test_json_has_the_published_shapes(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = printed(capfd, str(table(tmp_path, variants={"base": 0, "lora": 1.0}, missing="lora")))
    assert found["schema"] == "simsa.stats/1"
    base, lora = found["variants"]
    assert (base["name"], base["n"], base["n_scored"], base["unscored"]) == ("base", 40, 40, {})
    assert (lora["n_scored"], lora["unscored"]) == (39, {"missing": 1})
    assert set(lora["criteria"]) == set(CRITERIA)
    assert {"n", "mean", "sd", "median", "ci95", "counts"} <= set(lora["criteria"]["answer_correctness"])
    assert lora["criteria"]["answer_correctness"]["n"] == 39
    assert set(lora["criteria"]["answer_correctness"]["counts"]) == set("12345")
    assert lora["total"]["max"] == 20
    assert "counts" not in lora["total"]
    comparison = next(c for c in found["comparisons"] if c["criterion"] == "total")
    assert (comparison["baseline"], comparison["variant"]) == ("base", "lora")
    assert (comparison["n_pairs"], comparison["n_dropped"], comparison["n_clusters"]) == (39, 1, 20)
    assert comparison["verdict"] == "better"
    assert any("lora" in note and "missing" in note for note in found["notes"])


def test_figures_are_those_of_the_libraries(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "plain.csv"
    a, b = [1.0, 4, 2, 5, 3, 2, 2, 4, 1, 3], [2.0, 4, 4, 5, 2, 3, 4, 5, 2, 4]
    rows = "".join(f"{i},a,x,{s}\n{i},b,x,{t}\n" for i, (s, t) in enumerate(zip(a, b, strict=True)))
    path.write_text("question_id,variant,criterion,score\n" + rows)
    found = printed(capfd, str(path))
    d = np.array(b) - np.array(a)
    comparison = found["comparisons"][0]
    low, high = scipy_stats.t.interval(0.95, 9, loc=d.mean(), scale=scipy_stats.sem(d))
    exact = scipy_stats.permutation_test((d,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert found["variants"][0]["criteria"]["x"]["mean"] == pytest.approx(np.mean(a))
    assert comparison["mean_diff"] == pytest.approx(d.mean())
    assert comparison["ci95"] == pytest.approx([low, high], abs=1e-6)
    assert comparison["p_value"] == pytest.approx(exact.pvalue, abs=1e-9)
    assert comparison["verdict"] == "too few"


def test_the_baseline_is_the_first_variant_or_the_named_one(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = str(table(tmp_path, variants={"base": 0, "lora": 1.0, "early": 0.3}))
    default, named = printed(capfd, path), printed(capfd, path, "--baseline", "lora")
    assert {c["baseline"] for c in default["comparisons"]} == {"base"}
    assert {(c["baseline"], c["variant"]) for c in named["comparisons"]} == {
        ("lora", "base"),
        ("lora", "early"),
    }
    assert default["friedman"]["total"]["k"] == 3


def test_the_seed_decides(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = str(table(tmp_path, variants={"base": 0, "lora": 0.3}))
    assert printed(capfd, path) == printed(capfd, path)
    ps = {
        tuple(c["p_value"] for c in printed(capfd, path, "--seed", str(s))["comparisons"]) for s in (0, 1, 2)
    }
    assert len(ps) > 1


def test_other_scales_are_taken_as_they_are(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "scores.jsonl"
    path.write_text(
        "".join(
            json.dumps({"question_id": i, "variant": v, "criterion": "faithfulness", "score": i / 40}) + "\n"
            for v in ("a", "b")
            for i in range(40)
        )
    )
    found = printed(capfd, str(path))
    figures = found["variants"][0]["criteria"]["faithfulness"]
    assert figures["mean"] == pytest.approx(39 / 80)
    assert "counts" not in figures
    assert found["variants"][0]["total"] is None
    # The margins are those of 1–5 scores: on another scale nothing is called equivalent.
    assert found["comparisons"][0]["verdict"] == "no difference shown"


def test_a_variant_alone_and_one_without_scores(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    alone = printed(capfd, str(table(tmp_path, variants={"base": 0})))
    assert alone["comparisons"] == []
    path = tmp_path / "none.csv"
    path.write_text("question_id,variant,criterion,score\n1,a,x,3\n1,b,x,\n")
    found = printed(capfd, str(path))
    empty = found["variants"][1]["criteria"]["x"]
    assert (empty["n"], empty["mean"], empty["ci95"]) == (0, None, None)
    assert empty["notes"]
    assert found["comparisons"][0]["mean_diff"] is None
    assert found["comparisons"][0]["verdict"] == "too few"
    assert "NaN" not in json.dumps(found)


def test_text_speaks_first_and_shows_every_figure(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = table(tmp_path, variants={"base": 0, "lora": 1.0}, missing="lora")
    assert run(["stats", str(path)]) == 0
    out = capfd.readouterr().out
    assert out.startswith("lora is better than base: total +")
    for part in (
        "95 % intervals",
        "answer_correctness",
        "verdict",
        "better",
        "Wilcoxon",
        "win/tie/loss",
        "smallest detectable",
    ):
        assert part in out
    assert "1 of 40 scores are missing" in out
    assert "\x1b" not in out


def test_names_of_the_file_cannot_move_the_cursor(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "s.jsonl"
    row = {"question_id": "1", "variant": "a\u001b[31m", "criterion": "x", "score": 3}
    path.write_text(json.dumps(row) + "\n")
    assert run(["stats", str(path)]) == 2
    assert "\x1b" not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (HEAD + "q1,a,x,NaN,d\n", "scores.csv:2"),
        (HEAD + "q1,a,x,3,d\nq1,a,x,4,d\n", "scores.csv:3"),
        ("question_id,variant,score\nq1,a,3\n", "no column 'criterion'"),
        ("", "is empty"),
    ],
)
def test_a_wrong_file_is_exit_2_and_names_the_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], text: str, says: str
) -> None:
    path = tmp_path / "scores.csv"
    path.write_text(text)
    assert run(["stats", str(path), "--json"]) == 2
    captured = capfd.readouterr()
    assert captured.out == ""
    assert says in captured.err


def test_an_unknown_baseline_is_exit_2(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["stats", str(table(tmp_path, variants={"base": 0, "lora": 1})), "--baseline", "bse"]) == 2
    assert "base, lora" in capfd.readouterr().err


def test_formats_that_disagree_are_exit_2(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["stats", str(table(tmp_path, variants={"base": 0})), "--json", "--format", "text"]) == 2
    assert "--json" in capfd.readouterr().err


def test_help_has_an_example(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["stats", "--help"]) == 0
    assert "simsa stats scores.csv --baseline base" in capfd.readouterr().out


# Several answers, several judgements -----------------------------------------------------


def repeated(tmp_path: Path, sds: tuple[float, float, float] = (1.0, 0.5, 0.3), gap: bool = False) -> Path:
    random = np.random.default_rng(3)
    rows = ["question_id,variant,criterion,seed,repeat,score"]
    for q in range(60):
        question = random.normal(3, sds[0])
        for variant, ahead in (("base", 0.0), ("lora", 0.4)):
            for seed in range(2):
                answer = question + ahead + random.normal(0, sds[1])
                for repeat in range(3):
                    for criterion in CRITERIA:
                        score = "" if gap and (q, repeat) == (0, 2) else answer + random.normal(0, sds[2])
                        rows.append(f"q{q},{variant},{criterion},{seed},{repeat},{score}")
    path = tmp_path / "repeated.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def test_the_variance_is_split_with_advice(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = printed(capfd, str(repeated(tmp_path)))
    of_total = [v for v in found["variance"] if v["criterion"] == "total" and v["baseline"] == "base"]
    assert len(of_total) == 1
    [split] = of_total
    assert (split["n_questions"], split["n_seeds"], split["n_repeats"]) == (60, 2, 3)
    assert sum(split["shares"].values()) == pytest.approx(1.0)
    assert split["advice"] in ("questions", "seeds", "repeats")
    comparison = next(c for c in found["comparisons"] if c["criterion"] == "total")
    if split["questions"] > 0:
        assert split["se"] == pytest.approx(comparison["sd"] / 60**0.5)
    assert any("Increase next" in note for note in found["notes"])
    assert {(v["variant"], v["baseline"]) for v in found["variance"]} == {
        ("base", None), ("lora", None), ("lora", "base")
    }  # fmt: skip


def test_means_are_those_of_the_questions_means(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = repeated(tmp_path)
    found = printed(capfd, str(path))
    cells = [line.split(",") for line in path.read_text().splitlines()[1:]]
    scores = [float(c[5]) for c in cells if c[1] == "lora" and c[2] == CRITERIA[0]]
    by_question = np.reshape(scores, (60, 6)).mean(axis=1)
    figures = found["variants"][1]["criteria"][CRITERIA[0]]
    assert figures["n"] == 60
    assert figures["mean"] == pytest.approx(by_question.mean())
    assert figures["sd"] == pytest.approx(by_question.std(ddof=1))
    assert figures["ci95"] == pytest.approx(
        scipy_stats.t.interval(0.95, 59, by_question.mean(), scipy_stats.sem(by_question))
    )


def test_gaps_among_repeats_are_said(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = printed(capfd, str(repeated(tmp_path, gap=True)))
    assert any("2 repeated scores are missing" in note for note in found["notes"])
    assert found["variants"][0]["n_scored"] == 60


@pytest.mark.parametrize(
    ("argv", "locale", "korean"),
    [(["--language", "ko"], "C.UTF-8", True), ([], "ko_KR.UTF-8", True), ([], "en_US.UTF-8", False),
     (["--language", "en"], "ko_KR.UTF-8", False)],
)  # fmt: skip
def test_the_language_is_the_asked_one_or_the_locale_s(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    argv: list[str],
    locale: str,
    korean: bool,
) -> None:
    monkeypatch.setenv("LC_ALL", locale)
    path = table(tmp_path, variants={"base": 0, "lora": 1.0, "early": 0.2}, missing="lora")
    assert run(["stats", str(path), *argv]) == 0
    out = capfd.readouterr().out
    words = (
        "낫습니다",
        "평균과 95 % 신뢰구간",
        "답변 정확성",
        "판정",
        "승/무/패",
        "점수 40개 중 1개가 없습니다",
        "Friedman p",
    )
    for word in words:
        assert (word in out) == (korean or word == "Friedman p")
    if korean:
        left = out.replace("base", "").replace("lora", "").replace("early", "").replace("Friedman", "")
        assert "scores" not in left
        assert "better" not in left


def test_korean_notes_speak_of_the_split_too(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = str(repeated(tmp_path, gap=True))
    assert run(["stats", path, "--language", "ko"]) == 0
    out = capfd.readouterr().out
    for word in ("불확실성의 원인", "다음에 늘릴 것", "반복 점수 2개가 없어"):
        assert word in out
    assert any("다음에 늘릴 것" in note for note in printed(capfd, path, "--language", "ko")["notes"])
