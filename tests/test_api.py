"""simsa from Python."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import simsa
from simsa.errors import DataError, EndpointError
from tests.servers.chat import Body, ChatServer, text_of, verdict

ROOT = Path(__file__).parents[1]
ROWS: list[dict[str, Any]] = [
    {
        "question": f"{i}번 도서관은 언제 열었나요?",
        "contexts": [f"{i}번 도서관은 {1900 + i}년에 열었다."],
        "ground_truth": f"{1900 + i}년",
        "answer": f"{1900 + i}년입니다.",
    }
    for i in range(6)
]


def test_rows_are_judged_and_the_report_says_what_the_judge_said(tmp_path: Path) -> None:
    with ChatServer(verdict(answer_correctness=2)) as server:
        run = simsa.judge(ROWS, simsa.Judge("j", base_url=server.url), out=tmp_path / "run")
        found = run.report().to_dict()
        assert server.count == 6
        assert found["variants"][0]["criteria"]["answer_correctness"]["mean"] == 2
        again = simsa.judge(ROWS, simsa.Judge("j", base_url=server.url), out=tmp_path / "run")
        assert server.count == 6, "paid verdicts are found again"
    rows = list(again.rows())
    assert [row["prediction"] for row in rows] == [row["answer"] for row in ROWS]
    assert {row["total"] for row in rows} == {14}


def test_claims_are_listed_on_request(tmp_path: Path) -> None:
    rows = [row | {"answer": f"{row['contexts'][0]} 큰 곳이다."} for row in ROWS]
    with ChatServer() as server:
        run = simsa.judge(rows, simsa.Judge("j", base_url=server.url, claims=True), out=tmp_path / "run")
        assert server.count == 12
    found = run.report().to_dict()["variants"][0]["claims"]
    assert (found["mean"], found["claims"], found["supported"]) == (0.5, 12, 6)
    assert [(row["claims_supported"], row["claims_total"]) for row in run.rows()] == [(1, 2)] * 6


def test_variants_may_be_mixed(tmp_path: Path) -> None:
    rows = [
        {**row, "response": f"{name} {row['answer']}", "variant": name, "reference": row["ground_truth"]}
        for row in ROWS
        for name in ("base", "lora")
    ]
    for row in rows:
        del row["answer"], row["ground_truth"]

    def reply(body: Body) -> str:
        return verdict(answer_correctness=5 if "lora " in text_of(body) else 1)

    with ChatServer(reply) as server:
        run = simsa.judge(rows, simsa.Judge("j", base_url=server.url), out=tmp_path)
    base, lora = run.report().to_dict()["variants"]
    assert (base["name"], lora["name"]) == ("base", "lora")
    assert (base["total"]["mean"], lora["total"]["mean"]) == (13, 17)


def test_inside_a_running_loop_it_works_too(tmp_path: Path) -> None:
    async def notebook() -> simsa.Run:
        return simsa.judge(ROWS, simsa.Judge("lexical"), out=tmp_path / "a")

    async def asynchronous() -> simsa.Run:
        return await simsa.ajudge(ROWS, simsa.Judge("lexical"), out=tmp_path / "b")

    first = asyncio.run(notebook()).report().to_dict()["variants"]
    assert first == asyncio.run(asynchronous()).report().to_dict()["variants"]


def test_a_config_is_evaluated(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"id": "1", "question": "q", "contexts": ["c"], "reference": "r"}\n')
    (tmp_path / "p.jsonl").write_text('{"id": "1", "prediction": "r"}\n')
    config = tmp_path / "c.toml"
    config.write_text(
        '[data]\npath = "t.jsonl"\n[[variants]]\nname = "v"\npredictions = "p.jsonl"\n[judge]\nmodel = "lexical"\n'
    )
    run = simsa.evaluate(config)
    assert run.folder == tmp_path / "c.simsa"
    assert run.report().to_dict()["variants"][0]["n_scored"] == 1


def test_failures_are_errors_of_ours(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        simsa.judge([], simsa.Judge("lexical"), out=tmp_path)
    with pytest.raises(DataError, match="one id"):
        simsa.judge(
            [{**ROWS[0], "id": "1"}, {**ROWS[1], "id": "1"}], simsa.Judge("lexical"), out=tmp_path / "x"
        )
    with pytest.raises(EndpointError) as error:
        simsa.judge(ROWS, simsa.Judge("j", base_url="http://127.0.0.1:9/v1"), out=tmp_path / "y")
    assert isinstance(error.value, simsa.SimsaError)
    assert error.value.exit_code == 5


def test_a_model_name_is_a_judge_and_a_wrong_setting_is_refused_at_once(tmp_path: Path) -> None:
    run = simsa.judge(ROWS, "lexical", out=tmp_path)
    assert run.report().to_dict()["judge"]["model"].startswith("lexical")
    with pytest.raises(simsa.ConfigError, match=r"judge\.max_tokens"):
        simsa.Judge("gpt-4o", max_tokens=0)
    with pytest.raises(TypeError, match="modle"):
        simsa.Judge("gpt-4o", modle="joint")  # type: ignore[call-arg]
    assert repr(simsa.Judge("j", mode="split")) == "Judge(model='j', mode='split')"


def test_a_function_is_a_judge(tmp_path: Path) -> None:
    def score(question: simsa.Question, prediction: str) -> dict[str, int]:
        return {"exact": int(prediction in question.reference)}

    judge = simsa.FunctionJudge(score, [simsa.Criterion("exact", low=0, high=1)])
    run = simsa.judge(ROWS, judge, out=tmp_path)
    found = run.report().to_dict()
    assert found["judge"]["model"] == "score"
    assert found["variants"][0]["criteria"]["exact"]["mean"] == 0
    assert found["variants"][0]["total"]["max"] == 1


def test_frames_have_a_row_per_question(tmp_path: Path) -> None:
    run = simsa.judge(ROWS, "lexical", out=tmp_path)
    assert run.to_polars()["question_id"].to_list() == run.to_pandas()["question_id"].to_list()
    assert len(run.to_pandas()) == len(ROWS)


def test_variants_are_compared_and_gated(tmp_path: Path) -> None:
    rows = [
        {**row, "answer": row["answer"] if name == "lora" else "모릅니다.", "variant": name}
        for row in ROWS * 4
        for name in ("base", "lora")
    ]
    for n, row in enumerate(rows):
        row["id"] = f"q{n // 2}"
    found = simsa.compare(simsa.judge(rows, "lexical", out=tmp_path), baseline="base")
    assert found.gate("lora: total > baseline").passed
    with pytest.raises(simsa.GateFailed, match="1 of 1 gates failed"):
        found.gate("lora: total < baseline")
    assert found.to_dict()["schema"] == "simsa.compare/1"


def test_every_export_exists_and_every_extra_named_by_an_error_too() -> None:
    assert all(getattr(simsa, name) is not None for name in simsa.__all__)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for file in (ROOT / "src").rglob("*.py"):
        for extra in re.findall(r'MissingExtra\("[^"]*", "(\w+)"\)', file.read_text(encoding="utf-8")):
            assert extra in project["optional-dependencies"], file


def test_importing_is_light() -> None:
    code = (
        "import sys, simsa, simsa.cli.main; heavy = {'numpy', 'scipy', 'pydantic', 'aiohttp', 'kiwipiepy', 'rich',"
        "'torch', 'vllm', 'jinja2', 'sqlite3', 'asyncio'} & set(sys.modules); print(*sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing_here"):
        _ = simsa.nothing_here
