"""simsa from Python."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import simsa
from simsa.errors import DataError, EndpointError
from tests.servers.chat import Body, ChatServer, text_of, verdict

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
