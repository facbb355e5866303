"""`simsa convert`: canonical JSONL on stdout or in a file that is whole or not there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from simsa.cli.main import run
from simsa.data import read
from tests.support import korean_rows as korean
from tests.support.korean_rows import ROWS, bare, write_csv, write_json, write_jsonl


def test_prints_one_canonical_row_a_line(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    path = write_json(tmp_path / "a.json", korean.plain_rows())
    assert run(["convert", str(path)]) == 0
    printed = capsysbinary.readouterr()
    rows = [orjson.loads(line) for line in printed.out.splitlines()]
    assert list(rows[0]) == [
        "id",
        "question",
        "contexts",
        "reference",
        "answerable",
        "type",
        "cluster",
        "citations",
        "metadata",
    ]
    assert rows == [question.to_dict() for question in read(path)]
    assert "도서관".encode() in printed.out
    assert printed.err == b""


def test_what_it_wrote_converts_to_itself(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    path = write_jsonl(
        tmp_path / "a.jsonl", korean.chat_rows(lambda texts: "검색 결과:\n" + "\n\n".join(texts))
    )
    out = tmp_path / "out.jsonl"
    assert run(["convert", str(path), "--out", str(out)]) == 0
    assert capsysbinary.readouterr().err.decode() == f"3 questions in {out}\n"
    assert run(["convert", str(out)]) == 0
    assert capsysbinary.readouterr().out == out.read_bytes()


def test_options(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    rows = [{"물음": row.question, "글": row.contexts[0], "답": row.reference[0]} for row in ROWS]
    path = write_csv(tmp_path / "a.txt", rows, delimiter="\t")
    named = ["--field", "question=물음", "--field", "contexts=글", "--field", "reference=답"]
    assert run(["convert", str(path), *named, "--format", "tsv", "--limit", "2"]) == 0
    found = [orjson.loads(line)["question"] for line in capsysbinary.readouterr().out.splitlines()]
    assert found == [row.question for row in ROWS[:2]]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--field", "question"], "must have the form FIELD=NAME"),
        (["--field", "=q"], "must have the form FIELD=NAME"),
        (["--field", "frage=q"], "there is no such field"),
        (["--field", "question=frage"], "the file has no such field"),
        (["--limit", "0"], "--limit"),
        (["--format", "yaml"], "--format"),
        (["--split", "test"], "has no splits"),
        (["--out", "."], "is a directory"),
        (["--out", "no/such/folder/a.jsonl"], "cannot be written: No such file"),
    ],
)
def test_wrong_flags(
    options: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", korean.plain_rows())
    assert run(["convert", str(path), *options]) == 2
    printed = capsys.readouterr()
    assert says in printed.err
    assert printed.out == ""


def test_a_bad_row_leaves_no_file_behind(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [*korean.plain_rows(), {"question": 1}])
    out = tmp_path / "out.jsonl"
    out.write_text("as it was")
    assert run(["convert", str(path), "--out", str(out)]) == 2
    assert out.read_text() == "as it was"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.jsonl", "out.jsonl"]
    assert f"{path}:4" in capsysbinary.readouterr().err.decode()
    assert run(["convert", str(path)]) == 2
    assert len(capsysbinary.readouterr().out.splitlines()) == 3


def test_a_file_can_be_converted_onto_itself(tmp_path: Path) -> None:
    path = write_json(tmp_path / "a.json", korean.plain_rows())
    assert run(["convert", str(path), "--out", str(path)]) == 0
    assert [bare(question) for question in read(path)] == list(ROWS)


def test_a_reader_that_leaves_early_is_no_failure(tmp_path: Path) -> None:
    path = write_jsonl(
        tmp_path / "a.jsonl", [row | {"id": n} for n in range(4000) for row in korean.plain_rows()[:1]]
    )
    command = [sys.executable, "-m", "simsa.cli.main", "convert", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout and process.stderr
        assert process.stdout.readline().startswith(b'{"id"')
        process.stdout.close()
        errors = process.stderr.read()
        assert process.wait(30) == 0
    assert errors == b""


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["convert", "--help"]) == 0
    printed = capsys.readouterr().out
    assert "simsa convert KorQuAD_v1.0_dev.json --limit 100 --out test.jsonl" in printed
    for option in ("--format", "--field", "--limit", "--split", "--out"):
        assert option in printed
