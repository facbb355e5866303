from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from simsa.cli.main import run
from simsa.metrics.registry import METRICS, score_row
from simsa.records import Passage, Question

REFUSAL = "자료 밖의 질문이군요"
ROWS: list[dict[str, Any]] = [
    {
        "id": "q1",
        "question": "온빛대교는 언제 개통되었나요?",
        "contexts": ["온빛대교는 1998년에 개통되었다.", "가람시의 인구는 12만 명이다."],
        "reference": ["1998년", "1998년에 개통되었다."],
        "prediction": "1998년입니다. [[ref1]], [[ref9]]",
        "citations": [1],
    },
    {
        "id": "q2",
        "question": "설계자는?",
        "contexts": ["온빛대교는 1998년에 개통되었다."],
        "reference": REFUSAL,
        "answerable": False,
        "prediction": "김하늘입니다.",
    },
    {
        "id": "q3",
        "question": "인구는?",
        "contexts": ["가람시의 인구는 12만 명이다."],
        "reference": "12만 명",
        "prediction": REFUSAL,
    },
]


def file(tmp_path: Path, rows: list[dict[str, Any]], name: str = "predictions.jsonl") -> str:
    path = tmp_path / name
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def printed(capfd: pytest.CaptureFixture[str], *argv: str) -> dict[str, Any]:
    assert run(["metrics", *argv, "--json"]) == 0
    document: dict[str, Any] = json.loads(capfd.readouterr().out)
    return document


def expected(row: dict[str, Any]) -> dict[str, float | None]:
    reference = row["reference"]
    question = Question(
        row["id"],
        row["question"],
        contexts=tuple(Passage(text) for text in row["contexts"]),
        reference=(reference,) if isinstance(reference, str) else tuple(reference),
        answerable=row.get("answerable", True),
        citations=tuple(row.get("citations", ())),
    )
    return score_row(row["prediction"], question, refusals=[REFUSAL])


def test_rows_are_those_of_the_library_and_means_are_theirs(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "rows.jsonl"
    found = printed(capfd, file(tmp_path, ROWS), "--out", str(out))
    rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert [row.pop("id") for row in rows] == ["q1", "q2", "q3"]
    assert rows == [expected(row) for row in ROWS]
    assert (found["schema"], found["n"], found["n_missing"]) == ("simsa.metrics/1", 3, 0)
    assert tuple(found["means"]) == tuple(METRICS)
    for name in METRICS:
        values = [row[name] for row in rows if row[name] is not None]
        assert found["counts"][name] == len(values)
        assert found["means"][name] == pytest.approx(sum(values) / len(values))


def test_abstentions_are_counted_with_the_data_s_own_refusal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    table = printed(capfd, file(tmp_path, ROWS))["abstention"]
    assert (
        table["answerable_abstained"] == table["answerable_answered"] == 1 == table["unanswerable_answered"]
    )
    assert (table["precision"], table["recall"]) == (0.0, 0.0)


def test_csv_without_ids_passages_or_question(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "answers.csv"
    path.write_text("reference,prediction\n서울,서울\n부산,대구\n", encoding="utf-8")
    out = tmp_path / "rows.jsonl"
    found = printed(capfd, str(path), "--out", str(out))
    assert found["means"]["korquad_em"] == 0.5
    assert found["means"]["context_overlap"] is None
    assert any("context_overlap" in note for note in found["notes"])
    assert [json.loads(line)["id"] for line in out.read_text().splitlines()] == ["row-1", "row-2"]


def test_a_row_without_a_prediction_is_counted_and_takes_no_part(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = [*ROWS, {**ROWS[0], "id": "q4", "prediction": None}, {**ROWS[0], "id": "q5", "prediction": ""}]
    found = printed(capfd, file(tmp_path, rows))
    assert (found["n"], found["n_missing"], found["counts"]["korquad_em"]) == (4, 1, 4)


def test_an_empty_reference_expects_an_empty_answer_and_is_said(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rows: list[dict[str, Any]] = [
        {"id": "q1", "reference": "서울", "prediction": "서울"},
        {"id": "q2", "reference": "", "prediction": ""},
        {"id": "q3", "reference": [""], "prediction": "부산"},
    ]
    out = tmp_path / "rows.jsonl"
    found = printed(capfd, file(tmp_path, rows), "--out", str(out))
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["klue_em"] for line in lines] == [line["korquad_em"] for line in lines] == [1.0, 1.0, 0.0]
    assert [line["korquad_f1"] for line in lines] == [1.0, 0.0, 0.0]
    assert [line["chrf"] for line in lines] == [100.0, None, None]
    assert any("2 rows count as answerable but have no reference" in note for note in found["notes"])


def test_several_variants_have_a_block_each(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    rows = [
        {**row, "variant": v, "prediction": p}
        for v, p in (("a", "1998년"), ("b", "모름"))
        for row in ROWS[:1]
    ]
    out = tmp_path / "rows.jsonl"
    found = printed(capfd, file(tmp_path, rows), "--out", str(out))
    assert {name: block["means"]["korquad_em"] for name, block in found["variants"].items()} == {
        "a": 1.0,
        "b": 0.0,
    }
    assert found["means"]["korquad_em"] == 0.5
    assert [json.loads(line)["variant"] for line in out.read_text().splitlines()] == ["a", "b"]


def test_many_rows_come_in_order(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    rows = [{"id": f"q{i}", "reference": f"{i}년", "prediction": f"{i % 7}년"} for i in range(600)]
    out = tmp_path / "rows.jsonl"
    found = printed(capfd, file(tmp_path, rows), "--out", str(out))
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["id"] for line in lines] == [row["id"] for row in rows]
    assert [line["korquad_em"] for line in lines] == [float(i < 7) for i in range(600)]
    assert found["means"]["korquad_em"] == pytest.approx(7 / 600)


def test_text(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["metrics", file(tmp_path, ROWS)]) == 0
    out = capfd.readouterr().out
    for part in (
        "KorQuAD EM",
        "KLUE ROUGE-W",
        "chrF",
        "ROUGE-L",
        "Abstention",
        "over-refusal rate",
        "all rows",
    ):
        assert part in out


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"id": "q1", "prediction": "서울"}, "no row has a reference"),
        ({"id": "q1", "prediction": "서울", "reference": ""}, "no row has a reference"),
        ({"id": "q1", "reference": "서울"}, "prediction"),
        ({"id": "q1", "reference": "서울", "prediction": 3}, "prediction"),
    ],
)
def test_rows_that_lack_something_are_exit_2(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], row: dict[str, Any], says: str
) -> None:
    out = tmp_path / "rows.jsonl"
    assert run(["metrics", file(tmp_path, [row]), "--out", str(out)]) == 2
    captured = capfd.readouterr()
    assert captured.out == ""
    assert says in captured.err
    assert not out.exists()


def test_help_has_an_example(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["metrics", "--help"]) == 0
    assert "simsa metrics predictions.jsonl" in capfd.readouterr().out


def test_text_is_in_the_language_that_is_asked_for_or_the_locales(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{key: value for key, value in row.items() if key != "citations"} for row in ROWS]
    path = file(tmp_path, rows)
    shown = {}
    for language in ("ko", "en"):
        assert run(["metrics", path, "--language", language]) == 0
        shown[language] = capfd.readouterr().out
    assert "지표 (근거가 된 행 수)" in shown["ko"]
    assert "인용 정밀도: 필요한 것을 갖춘 행이 없습니다" in shown["ko"]
    assert "citation_precision: no row has what it needs" in shown["en"]
    assert run(["metrics", path]) == 0
    assert capfd.readouterr().out == shown["en"]
    monkeypatch.setenv("LANG", "ko_KR.UTF-8")
    assert run(["metrics", path]) == 0
    assert capfd.readouterr().out == shown["ko"]
    assert run(["metrics", path, "--json"]) == 0
    assert "citation_precision: no row has what it needs" in json.loads(capfd.readouterr().out)["notes"]
