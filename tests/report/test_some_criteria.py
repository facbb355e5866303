"""A rubric need not ask for all built-in criteria: what it asks for is scored, compared and makes the total."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import simsa
from simsa.cli.main import run
from tests.servers.chat import Body, ChatServer, text_of
from tests.support.criteria import CRITERIA
from tests.support.judged_runs import report, write_rows

RUBRIC = Path(simsa.__file__).parent / "rubrics" / "rag-en.toml"
N = 16


def rubric_of(*kept: str) -> str:
    """The built-in rubric without the other criteria."""
    text = RUBRIC.read_text(encoding="utf-8")
    text = re.sub(r"\[split\]\n(.+\n)+", "", text)
    for name in set(CRITERIA) - set(kept):
        text = re.sub(rf"\[criteria\.{name}\]\n.*?(?=\n\[(?!criteria\.{name}))", "", text, flags=re.DOTALL)
    return text


def write(
    folder: Path, url: str, kept: tuple[str, ...], variants: tuple[str, ...] = ("base", "lora")
) -> Path:
    (folder / "own.toml").write_text(rubric_of(*kept), encoding="utf-8")
    rows = [
        {"id": f"q{i}", "question": f"{i}?", "contexts": [f"c{i}"], "reference": f"r{i}"} for i in range(N)
    ]
    write_rows(folder / "test.jsonl", rows)
    for name in variants:
        write_rows(folder / f"{name}.jsonl", [{"id": f"q{i}", "prediction": f"{name} {i}"} for i in range(N)])
    named = "".join(f'[[variants]]\nname = "{v}"\npredictions = "{v}.jsonl"\n' for v in variants)
    file = folder / "simsa.toml"
    judge = f'[judge]\nmodel = "j"\nbase_url = "{url}"\nrubric = "own.toml"\n'
    file.write_text(
        f'[data]\npath = "test.jsonl"\n{named}{judge}[report]\nlanguage = "en"\n', encoding="utf-8"
    )
    return file


def scoring(*names: str) -> Any:
    """A judge that gives `base` two and `lora` three or four on every criterion it is asked for."""

    def reply(body: Body) -> str:
        text = text_of(body)
        number = int(re.findall(r"(?:base|lora) (\d+)", text)[0])
        score = 2 if "base " in text else 3 + number % 2
        return json.dumps({"analysis": "."} | dict.fromkeys(names, score))

    return reply


@pytest.fixture
def one(tmp_path: Path) -> Path:
    with ChatServer(scoring(CRITERIA[0])) as server:
        file = write(tmp_path, server.url, CRITERIA[:1])
        assert run(["run", str(file), "-q"]) == 0, "every row is scored by all that was asked"
        assert run(["run", str(file), "-q"]) == 0
        assert server.count == 2 * N
    return file


def test_every_row_counts_as_scored_and_the_criterion_is_compared(
    one: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = report(one, capsys)
    for variant in found["variants"]:
        assert (variant["n_scored"], variant["unscored"]) == (N, {})
        assert list(variant["criteria"]) == [CRITERIA[0]] and variant["criteria"][CRITERIA[0]]["n"] == N
        assert (variant["total"]["n"], variant["total"]["max"]) == (N, 5)
    assert [compared["criterion"] for compared in found["comparisons"]] == [CRITERIA[0], "total"]
    for compared in found["comparisons"]:
        assert compared["verdict"] == "better"
        assert compared["mean_diff"] == 1.5 and compared["wins"] == N
    assert found["judge"]["criteria"] == [CRITERIA[0]]
    assert [example["kind"] for example in found["examples"]] == ["best", "worst", "differs"]
    assert found["examples"][0]["answers"][1][CRITERIA[0]] == 4


def test_the_first_sentence_says_what_was_shown(one: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for language, words in (
        ("en", "lora is better than base: total +1.5 (95 % interval 1."),
        ("ko", "lora가 base보다 낫습니다: 총점 +1.5 (95 % 신뢰구간 1."),
    ):
        capsys.readouterr()
        assert run(["report", str(one), "--language", language]) == 0
        shown = " ".join(capsys.readouterr().out.split())
        assert shown.startswith(words)
        assert "16/16" in shown
    assert "기준 1개를 한 번에 호출" in shown
    assert run(["report", str(one), "--format", "html", "--out", str(one.with_name("r.html"))]) == 0
    assert '<p class="verdict good">lora is better' in one.with_name("r.html").read_text()


def test_gates_decide_on_it(one: Path, capsys: pytest.CaptureFixture[str]) -> None:
    held = ["coverage >= 1", f"{CRITERIA[0]} > baseline + 1"]
    assert run(["compare", str(one), *(word for gate in held for word in ("--gate", gate))]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("lora is better than base: total +1.5")
    assert run(["compare", str(one), "--gate", f"{CRITERIA[0]} > baseline + 2"]) == 3


def test_two_criteria_have_a_total_of_these_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = (CRITERIA[0], CRITERIA[2])
    with ChatServer(scoring(*kept)) as server:
        file = write(tmp_path, server.url, kept)
        assert run(["run", str(file), "-q"]) == 0
    first = " ".join(capsys.readouterr().out.split())
    assert first.startswith("lora is better than base: total +3.0 (95 % interval 2.4 to 3.6), 16 pairs.")
    with ChatServer(scoring(*kept)) as server:
        (tmp_path / "alone").mkdir()
        file = write(tmp_path / "alone", server.url, kept, ("lora",))
        assert run(["run", str(file), "-q"]) == 0
    alone = " ".join(capsys.readouterr().out.split())
    assert alone.startswith(
        "lora is the only variant, so nothing is compared: mean total 7.0 (95 % interval 6.4 to 7.6)"
    )
    assert report(tmp_path / "alone" / "simsa.toml", capsys)["variants"][0]["total"]["max"] == 10


def test_what_was_asked_and_not_answered_is_still_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = (CRITERIA[0], CRITERIA[2])
    with ChatServer(scoring(CRITERIA[0])) as server:
        file = write(tmp_path, server.url, kept)
        assert run(["run", str(file), "-q"]) == 4
    assert capsys.readouterr().out.startswith("No answer has been scored yet")


def test_rows_that_only_have_half_of_their_scores_are_not_called_unscored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = scoring("answer_correctness", "context_faithfulness")
    with ChatServer(lambda body: asked(body) if "lora " in text_of(body) else "I cannot say.") as server:
        file = write(tmp_path, server.url, CRITERIA, ("lora",))
        file.write_text(file.read_text().replace('"own.toml"', '"rag-en"\nmode = "split"\nmax_attempts = 1'))
        assert run(["run", str(file), "-q"]) == 4
    shown = capsys.readouterr().out
    assert shown.startswith("No answer has been scored by all criteria yet: 16 answers")
    assert "3.50" in shown and "0/16" in shown
