"""`simsa check --train` reports leaks and doubtful rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from simsa.cli.main import run

ROWS: list[dict[str, Any]] = [
    {
        "id": f"q{n}",
        "question": f"{name}의 이름은 무엇에서 왔나요?",
        "contexts": [f"{name}의 이름은 {n}에서 왔다."],
        "answer": f"{n}",
    }
    for n, name in enumerate(("한빛시", "너울읍", "두멧골", "하늬포", "달그늘", "쪽빛섬"))
]


def project(folder: Path, rows: list[dict[str, Any]]) -> Path:
    def write(name: str, found: list[dict[str, Any]]) -> None:
        (folder / name).write_text("\n".join(json.dumps(row) for row in found), encoding="utf-8")

    write("test.jsonl", rows)
    write("said.jsonl", [{"id": row["id"], "prediction": "모름"} for row in rows])
    config = folder / "simsa.toml"
    config.write_text(
        '[data]\npath = "test.jsonl"\n[[variants]]\nname = "a"\npredictions = "said.jsonl"\n'
        '[judge]\nmodel = "lexical"\n'
    )
    return config


def checked(capfd: pytest.CaptureFixture[str], *argv: str, code: int = 0) -> dict[str, Any]:
    assert run(["check", *argv, "--json"]) == code
    found: dict[str, Any] = json.loads(capfd.readouterr().out)
    return found


def test_leak_is_a_warning_with_count_and_three_examples(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config, train = project(tmp_path, ROWS), tmp_path / "train.jsonl"
    train.write_text(
        "\n".join(json.dumps(row | {"id": f"t{row['id']}"}) for row in ROWS[:5]), encoding="utf-8"
    )
    found = checked(capfd, str(config), "--train", str(train))
    assert found["ok"]
    assert found["hygiene"]["counts"]["leaked_question"] == 5
    [warning] = [f for f in found["findings"] if "the question is in the training file" in f["text"]]
    assert (warning["level"], warning["about"]) == ("warning", "training data")
    assert "5 of 6 rows" in warning["text"]
    assert warning["text"].count("exact to") == 3
    assert run(["check", str(config), "--train", str(train)]) == 0
    assert "! 학습 데이터: 6행 중 5행" in capfd.readouterr().out
    config.write_text(config.read_text() + '[report]\nlanguage = "en"\n')
    assert run(["check", str(config), "--train", str(train)]) == 0
    assert "! training data: 5 of 6 rows" in capfd.readouterr().out


def test_training_data_without_leak_is_reported(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    config, train = project(tmp_path, ROWS), tmp_path / "train.jsonl"
    train.write_text(
        '{"question": "아주 다른 질문입니다?", "contexts": ["다른 글"], "answer": "1"}', encoding="utf-8"
    )
    texts = [f["text"] for f in checked(capfd, str(config), "--train", str(train))["findings"]]
    assert any("nothing of the test set is in" in text for text in texts)


def test_doubtful_rows_are_reported_without_training_data(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    refused = ROWS[1] | {"answer": "검색 결과에서 답을 찾을 수 없습니다."}
    config = project(tmp_path, [ROWS[0], refused, ROWS[0] | {"id": "again"}])
    found = checked(capfd, str(config))
    assert found["hygiene"]["counts"] == {"duplicate_question": 1, "refusal_as_reference": 1}
    assert [f["question_id"] for f in found["hygiene"]["findings"]] == ["again", "q1"]


def test_missing_training_file_is_an_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = checked(capfd, str(project(tmp_path, ROWS)), "--train", "nowhere.jsonl", code=2)
    assert any(f["level"] == "error" and "nowhere.jsonl" in f["text"] for f in found["findings"])
