from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from simsa.cli.main import run
from simsa.report.score_rows import columns
from simsa.rubrics import built_in_criteria
from tests.support.criteria import CRITERIA
from tests.support.report_runs import make_run

COLUMNS = columns(built_in_criteria())


@pytest.fixture
def made(tmp_path: Path) -> Path:
    return make_run(
        tmp_path / "r.simsa",
        {"base": [[1, 2, 3, 4], "refused", None], "a/b": [[5, 5, 4, 4], [4, 4, 4, 4], [2, 2, 2, 2]]},
        predictions={"base": ["=1+1", "답 </script>", None]},
        analysis="분석",
    )


def lines(text: str) -> list[dict]:  # type: ignore[type-arg]
    return [json.loads(line) for line in text.splitlines()]


def test_jsonl_has_every_planned_row_and_null_for_what_is_missing(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["export", str(made), "--to", "jsonl"]) == 0
    rows = lines(capsys.readouterr().out)
    assert [(row["question_id"], row["variant"]) for row in rows] == [
        (f"q{n}", name) for n in range(3) for name in ("base", "a/b")
    ]
    assert all(tuple(row) == COLUMNS for row in rows)
    assert [row["total"] for row in rows] == [10, 18, None, 16, None, 8]
    assert [row["status"] for row in rows][::2] == ["scored", "refused", "no_prediction"]
    assert rows[0]["prediction"] == "=1+1", "JSON has no formulas: the text stays as it is"


def test_ragas_rows_have_its_four_fields_and_no_invented_answer(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    assert run(["export", str(made), "--to", "ragas", "--out", str(out)]) == 0
    rows = lines(out.read_text(encoding="utf-8"))
    assert [(row["question_id"], row["variant"]) for row in rows] == [
        ("q0", "base"),
        ("q0", "a/b"),
        ("q1", "base"),
        ("q1", "a/b"),
        ("q2", "a/b"),
    ]
    first = rows[0]
    assert first["user_input"] == "0번 마을의 이름은 무엇인가요?"
    assert first["retrieved_contexts"] == ["0번 마을의 이름은 별빛마을 0호입니다."]
    assert (first["response"], first["reference"]) == ("=1+1", "별빛마을 0호")
    assert [first[name] for name in CRITERIA] == [1, 2, 3, 4]
    assert rows[2]["answer_correctness"] is None


def test_ragas_rows_are_read_back_by_simsa(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "rows.jsonl"
    run(["export", str(made), "--to", "ragas", "--out", str(out)])
    assert run(["metrics", str(out), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)


def test_inspect_gets_a_log_for_each_variant(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["export", str(made), "--to", "inspect", "--out", str(tmp_path / "logs")]) == 0
    files = [Path(line) for line in capsys.readouterr().out.splitlines()]
    form = r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d_(base|a-b)_[0-9a-f]{32}\.json"
    assert [re.fullmatch(form, file.name)[1] for file in files] == ["base", "a-b"]  # type: ignore[index]
    base, other = (json.loads(file.read_text(encoding="utf-8")) for file in files)
    assert (base["status"], other["status"]) == ("error", "success")
    assert other["eval"]["model"] == "simsa/a/b"
    assert other["eval"]["dataset"]["sample_ids"] == ["q0", "q1", "q2"]
    scores = {score["name"]: score for score in base["results"]["scores"]}
    assert scores["total"]["metrics"]["mean"]["value"] == 10
    assert (scores["total"]["scored_samples"], scores["total"]["unscored_samples"]) == (1, 2)
    scored, refused, missing = base["samples"]
    assert scored["scores"]["total"] == {"value": 10, "answer": "=1+1", "explanation": "분석"}
    assert refused["scores"] == {}, "a missing score is never a number"
    assert refused["metadata"]["status"] == "refused"
    assert "output" not in missing
    assert [m["role"] for m in scored["messages"]] == ["user", "assistant"]
    assert (
        scored["messages"][0]["content"].startswith("0번 마을의 이름은 무엇인가요?\n\n")
        and len(missing["messages"]) == 1
    )
    each = [sample["model_usage"]["base"]["total_tokens"] for sample in (scored, refused)]
    assert base["stats"]["model_usage"]["base"]["total_tokens"] == sum(each) > 0
    assert "model_usage" not in missing


def test_inspect_logs_lie_in_the_run_by_default(made: Path) -> None:
    assert run(["export", str(made), "--to", "inspect"]) == 0
    assert len(list((made / "inspect").glob("*_base_*.json"))) == 1


def test_inspect_itself_reads_the_logs(made: Path, tmp_path: Path) -> None:
    log = pytest.importorskip("inspect_ai.log")
    run(["export", str(made), "--to", "inspect", "--out", str(tmp_path)])
    listed = log.list_eval_logs(str(tmp_path))
    assert len(listed) == 2, "inspect view shows those that it finds by their names"
    read = next(found for found in map(log.read_eval_log, listed) if found.eval.model == "simsa/base")
    assert read.results.scores[0].name == "total", "shown first"
    assert read.samples[0].scores["total"].value == 10
    assert read.samples[0].output.completion == "=1+1"


def test_an_unknown_tool_and_a_missing_run_are_the_users_to_correct(made: Path, tmp_path: Path) -> None:
    assert run(["export", str(made), "--to", "excel"]) == 2
    assert run(["export", str(tmp_path / "none"), "--to", "jsonl"]) == 2


def test_a_run_without_answers_says_that_there_is_nothing_to_hand_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = make_run(tmp_path / "run", {"base": [None]}, predictions={"base": [None]}, language="ko")
    assert run(["export", str(made), "--to", "ragas"]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "아직 답변이 없어서" in said.err
