"""The list on the page as a file: the same questions in the same order, and no formulas."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from simsa.web.csv_export import csv_rows, to_csv
from tests.support.criteria import CRITERIA
from tests.support.report_runs import make_run, question
from tests.support.view_server import Viewing
from tests.support.visitor import Visitor

N = 130
BASE = [(1 + i % 5, 2, 3, 4) if i % 9 else "refused" for i in range(N)]
LORA = [(5, 1 + i % 3, 3, 4) if i % 7 else None for i in range(N)]
FORMULA = '=HYPERLINK("http://evil.invalid","눌러")'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    asked = [question(i) for i in range(N)]
    asked[3] = question(3, question=FORMULA, reference=("+1", "@둘"))
    said: dict[str, list[str | None]] = {
        "=base": ["-답\n둘째 줄, 쉼표"] * N,
        "lora": [None if i == 5 else f"하늘빛 {i}" for i in range(N)],
    }
    return make_run(
        tmp_path_factory.mktemp("run"),
        {"=base": BASE, "lora": LORA},
        questions=asked,
        predictions=said,
        measured=False,
    )


@pytest.fixture(scope="module")
def view(folder: Path) -> Iterator[Viewing]:
    with Viewing(folder) as viewing:
        yield viewing


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.mark.parametrize(
    "query",
    [
        "",
        "type=no_answer",
        "status=refused",
        "diff=lower&a=lora&b=%3Dbase&sort=diff&down=1",
        f"search={quote('하늘빛 1')}&sort=total&of=lora",
        "variant=lora&criterion=context_relevance&low=3&high=3&sort=place&down=1",
        "search=nothing-of-the-kind",
    ],
)
def test_the_file_holds_what_the_pages_show(view: Viewing, query: str) -> None:
    visitor = Visitor(view.address)
    sent = visitor.get(f"0/questions.csv?{query}")
    assert sent.status == 200
    assert sent.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert 'filename="questions.csv"' in sent.headers["Content-Disposition"]
    assert sent.headers["X-Content-Type-Options"] == "nosniff"
    shown: list[str] = []
    for page in (1, 2, 3):
        text = visitor.get(f"0/questions?{query}&page={page}").text
        shown += re.findall(r'class="row"[^>]*href="question\?[^"]*\bid=(q\d+)', text)
    assert [row["id"] for row in rows_of(sent.text)] == shown


def test_a_page_leads_to_its_file(view: Viewing) -> None:
    text = Visitor(view.address).get("0/questions?type=no_answer&sort=diff").text
    [link] = re.findall(r'href="(questions\.csv[^"]*)"', text)
    found = rows_of(Visitor(view.address).get("0/" + link.replace("&amp;", "&")).text)
    assert {row["type"] for row in found} == {"no_answer"}
    assert "questions.csv" not in Visitor(view.address).get("0/questions?search=no-such-thing").text


def test_every_cell_is_what_was_said(view: Viewing, folder: Path) -> None:
    rows = rows_of(Visitor(view.address).get("0/questions.csv").text)
    assert len(rows) == N
    assert rows[2] == {
        "id": "q2",
        "type": "no_answer",
        "question": "2번 마을의 이름은 무엇인가요?",
        "reference": "별빛마을 2호",
        "'=base: prediction": "'-답\n둘째 줄, 쉼표",
        "'=base: status": "scored",
        **{f"'=base: {name}": str(score) for name, score in zip(CRITERIA, (3, 2, 3, 4), strict=True)},
        "'=base: total": "12",
        "lora: prediction": "하늘빛 2",
        "lora: status": "scored",
        **{f"lora: {name}": str(score) for name, score in zip(CRITERIA, (5, 3, 3, 4), strict=True)},
        "lora: total": "15",
    }
    assert rows[5]["lora: prediction"] == ""
    assert rows[5]["lora: status"] == "no_prediction"
    assert rows[0]["'=base: status"] == "refused"
    assert rows[0]["'=base: total"] == "", "a score that is missing is no number"


def test_no_cell_is_a_formula(view: Viewing) -> None:
    text = Visitor(view.address).get("0/questions.csv").text
    cells = [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert f"'{FORMULA}" in cells


def test_the_file_is_sent_in_pieces(folder: Path) -> None:
    pieces = list(to_csv(csv_rows(folder, range(N))))
    assert len(pieces) > 2
    assert len(rows_of("".join(pieces).removeprefix("\ufeff"))) == N


def test_closing_the_rows_ends_them(folder: Path) -> None:
    rows = csv_rows(folder, range(N))
    next(rows)
    next(rows)
    rows.close()  # type: ignore[attr-defined]
    with pytest.raises(StopIteration):
        next(rows)


@pytest.mark.parametrize("target", ["9/questions.csv", "0/questions.csv/..", "0/questions.csvx"])
def test_what_is_not_there_is_not_found(view: Viewing, target: str) -> None:
    assert Visitor(view.address).get(target).status == 404
