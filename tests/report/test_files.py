"""CSV, JUnit and Parquet: one row per question and variant."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path
from xml.etree import ElementTree

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsa.cli.main import run as simsa
from simsa.errors import MissingExtra
from simsa.records import Passage
from simsa.report.renderers import csv_rows as csv_report
from simsa.report.renderers import junit, parquet_rows
from simsa.report.score_rows import columns
from simsa.rubrics import built_in_criteria
from simsa.store import Store
from simsa.text import visible
from tests.support.report_runs import make_run, question
from tests.support.spreadsheets import is_formula, unguarded

COLUMNS = columns(built_in_criteria())

FORMULAS = ['=HYPERLINK("http://x")', "+1+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "－1"]
HOSTILE = ["\x00=1", "\u202e=1", 'a,"b"\nc;d', "<script>", "]]>&amp;<!--", "\ufffe\uffff", "😀 한글"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    said = FORMULAS + HOSTILE
    asked = [
        question(n, question=text, reference=(text,), contexts=(Passage(text), Passage("둘")), type=text)
        for n, text in enumerate(said)
    ]
    scores = [(1, 2, 3, 4)] * (len(said) - 3) + ["refused", "budget", None]
    return make_run(
        tmp_path_factory.mktemp("files") / "run",
        {"base": scores, "=lora": scores},
        questions=asked,
        predictions={"base": said, "=lora": [None, *said[1:]]},
        analysis="=1+1",
    )


def table(run: Path) -> list[dict[str, str]]:
    with Store.read(run) as store:
        content = b"".join(csv_report.render(store)).decode()
    return list(csv.DictReader(io.StringIO(content, newline="")))


def test_csv_has_a_row_for_every_question_and_variant(run: Path) -> None:
    rows = table(run)
    assert len(rows) == 2 * len(FORMULAS + HOSTILE)
    assert tuple(rows[0]) == COLUMNS
    first = rows[0]
    assert (first["question_id"], first["variant"], first["answerable"], first["status"]) == (
        "q0",
        "base",
        "false",
        "scored",
    )
    assert [first[name] for name in ("answer_correctness", "context_recall", "total")] == ["1", "4", "10"]
    assert first["analysis"] == "'=1+1" and float(first["latency_s"]) == 0.5
    missing = rows[1]
    assert (missing["status"], missing["prediction"], missing["total"]) == ("no_prediction", "", "")


def test_no_cell_is_a_formula(run: Path) -> None:
    cells = [cell for row in table(run) for cell in row.values()]
    assert not [cell for cell in cells if is_formula(cell)]
    assert '\'=HYPERLINK("http://x")' in cells and "'=lora" in cells
    assert not any("\x00" in cell or "\u202e" in cell for cell in cells)


# Made of what matters: separators, quotes, spaces, beginnings of formulas.
hostile = st.text(st.sampled_from(list(";\t,\n\r\"' =+-@＝－a1\u3000|()\x00\u202e")), max_size=12) | st.text()


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@given(st.lists(st.tuples(hostile, hostile, hostile), min_size=1, max_size=3))
def test_no_text_begins_a_formula_whatever_separator_the_file_is_opened_with(
    separator: str, texts: list[tuple[str, str, str]]
) -> None:
    file = io.StringIO()
    csv.writer(file).writerows([*map(csv_report.safe, row), 4] for row in texts)
    cells = [
        cell
        for row in csv.reader(io.StringIO(file.getvalue(), newline=""), delimiter=separator)
        for cell in row
    ]
    assert not [cell for cell in cells if is_formula(cell)]


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1", "'=1"),
        ("a;=1;b", "a;'=1;b"),
        ('a; "=1', "a; \"'=1"),
        ("둘\n- 하나\n- 둘", "둘\n'- 하나\n'- 둘"),
        ("a\t@SUM(A1)", "a\t'@SUM(A1)"),
        ("a;;;+1", "a;;;'+1"),
        (" －1", " '－1"),
        ("'=1", "''=1"),
        ("a;'=1", "a;''=1"),
        ("a = b; c - d, =1 -1", "a = b; c - d, =1 -1"),
        ("'그는' 말했다; '아니요'", "'그는' 말했다; '아니요'"),
    ],
)
def test_an_apostrophe_goes_before_what_a_cell_may_begin_with_and_nowhere_else(text: str, cell: str) -> None:
    assert csv_report.safe(text) == cell


@given(hostile)
def test_the_text_can_be_had_back_from_its_cell(text: str) -> None:
    assert unguarded(csv_report.safe(text)) == visible(text)


def test_a_cell_of_a_megabyte_of_beginnings_is_looked_at_once() -> None:
    for text in ("\n" * 2**20, '\n"' * 2**19 + "=", ";'" * 2**19):
        assert len(csv_report.safe(text)) >= 2**20


def test_several_references_and_contexts_are_json_in_a_cell(tmp_path: Path) -> None:
    asked = [question(1, reference=("하나", "둘"), contexts=())]
    row = table(make_run(tmp_path / "run", {"base": [(3, 3, 3, 3)]}, questions=asked))[0]
    assert row["reference"] == '["하나","둘"]' and row["contexts"] == ""


def test_junit_passes_what_is_scored(run: Path) -> None:
    with Store.read(run) as store:
        root = ElementTree.fromstring(b"".join(junit.render(store)))
    suite = root[0]
    cases, n = list(suite), 2 * len(FORMULAS + HOSTILE)
    counts = {
        "tests": n,
        "failures": 0,
        "errors": 2 + 1,
        "skipped": 2 * 2,
    }  # refused, no answer; budget, pending
    assert {name: int(suite.attrib[name]) for name in counts} == counts
    assert len(cases) == n
    assert sum(case.find("error") is not None for case in cases) == 3
    assert sum(case.find("skipped") is not None for case in cases) == 4
    missing = next(case for case in cases if case.get("name") == "q0" and case.get("classname") == "=lora")
    error = missing.find("error")
    assert error is not None and error.get("type") == "no_prediction"
    first = cases[0].find("system-out")
    assert first is not None and first.text is not None and "total=10" in first.text


def test_parquet_keeps_types_and_text_as_it_was(run: Path, tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    with Store.read(run) as store:
        file.write_bytes(b"".join(parquet_rows.render(store)))
    found = pq.read_table(file)
    assert tuple(found.column_names) == COLUMNS
    rows = found.to_pylist()
    assert rows[0]["prediction"] == FORMULAS[0] and rows[0]["contexts"] == [FORMULAS[0], "둘"]
    assert rows[0]["total"] == 10 and rows[0]["answerable"] is False
    assert rows[1]["prediction"] is None and rows[1]["total"] is None and rows[1]["korquad_f1"] is None


def test_parquet_of_an_empty_run_has_columns(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", {})
    file = tmp_path / "rows.parquet"
    with Store.read(run) as store:
        file.write_bytes(b"".join(parquet_rows.render(store)))
    assert pq.read_table(file).num_rows == 0 and tuple(pq.read_table(file).column_names) == COLUMNS


def test_parquet_without_its_library_says_what_to_install(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with Store.read(run) as store, pytest.raises(MissingExtra, match=r"simsa\[data\]"):
        list(parquet_rows.render(store))


def test_excel_is_told_that_it_is_utf_8(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, marked = tmp_path / "plain.csv", tmp_path / "marked.csv"
    argv = ["report", str(run), "--format", "csv", "--out"]
    assert simsa([*argv, str(plain)]) == 0 and simsa([*argv, str(marked), "--excel"]) == 0
    assert marked.read_bytes() == b"\xef\xbb\xbf" + plain.read_bytes()
    rows = list(csv.DictReader(io.StringIO(marked.read_text(encoding="utf-8-sig"), newline="")))
    assert next(iter(rows[0])) == "question_id"
    for others in (["--format", "html"], ["--json"], []):
        assert simsa(["report", str(run), "--excel", *others]) == 2
        assert "--excel" in capsys.readouterr().err
