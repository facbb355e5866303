from __future__ import annotations

import json
from pathlib import Path

import pytest

from simsa.cli.main import run
from tests.support.report_runs import BASE, BETTER, make_run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_run(tmp_path / "r.simsa", {"base": BASE, "lora": BETTER})


@pytest.mark.parametrize("format", ["text", "md", "html", "json", "csv", "parquet", "junit"])
def test_a_file_has_what_stdout_would(
    folder: Path, tmp_path: Path, format: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    out = tmp_path / "made" / "report"
    assert run(["report", str(folder), "--format", format, "--out", str(out)]) == 0
    assert capfdbinary.readouterr().out == b""
    assert run(["report", str(folder), "--format", format]) == 0
    shown = capfdbinary.readouterr().out
    assert format == "parquet" or b"\x1b" not in shown, "no colour in a pipe"
    if format != "text":  # whose width is the terminal's
        assert out.read_bytes() == shown
    assert [file.name for file in out.parent.iterdir()] == ["report"], "nothing half-written is left"


def test_json_counts_what_it_rests_on(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", str(folder), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    base, lora = found["variants"]
    assert (base["name"], lora["name"]) == ("base", "lora")
    assert (base["n"], base["n_scored"]) == (16, 16)
    assert base["total"]["mean"] == 12


@pytest.mark.parametrize("arguments", [["--format", "pdf"], ["--json", "--format", "md"], ["--out", "/"]])
def test_a_users_mistake_is_exit_two(folder: Path, arguments: list[str]) -> None:
    assert run(["report", str(folder), *arguments]) == 2


def test_what_is_no_run_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", str(tmp_path / "none")]) == 2
    assert run(["report", str(tmp_path)]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_examples_are_the_ones_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = make_run(
        tmp_path / "r",
        {
            "base": [[1, 1, 1, 1], [5, 5, 5, 5], [3, 3, 3, 3], "refused"],
            "lora": [[2, 1, 1, 1], [5, 5, 5, 4], [5, 5, 5, 5], [1, 1, 1, 1]],
        },
    )

    def ids(*flags: str) -> list[str]:
        assert run(["examples", str(made), "--json", *flags]) == 0
        return [e["question_id"] for e in json.loads(capsys.readouterr().out)["examples"]]

    assert ids("-n", "1") == ids("--worst", "-n", "1") == ["q0"]
    assert ids("--best", "-n", "2") == ["q1", "q2"]
    assert ids("--differs", "base", "lora", "-n", "1") == ["q2"]
    assert ids("--worst", "--variant", "lora", "-n", "1") == ["q3"]
    assert ids("--worst", "--type", "mrc_question") == ["q1"], "q3 has no score of base"


@pytest.mark.parametrize(
    "flags",
    [
        ["--worst", "--differs", "base", "lora"],
        ["--worst", "--best"],
        ["--disputed", "--unsteady"],
        ["--variant", "nobody"],
        ["--differs", "base", "nobody"],
        ["-n", "0"],
        ["--differs", "base", "lora", "--variant", "base"],
    ],
)
def test_examples_that_cannot_be_are_exit_two(folder: Path, flags: list[str]) -> None:
    assert run(["examples", str(folder), *flags]) == 2
