"""What every format makes of the same runs: whole, unfinished, and hostile."""

from __future__ import annotations

import csv as csv_reader
import io
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyarrow.parquet as pq
import pytest
from rich.cells import cell_len

from simsa.report import summary
from simsa.report.renderers import csv_rows, html, junit, markdown, parquet_rows, terminal
from simsa.report.score_rows import columns
from simsa.rubrics import built_in_criteria
from simsa.store import Store
from tests.support import hostile_texts as hostile
from tests.support.report_runs import make_run
from tests.support.spreadsheets import is_formula

COLUMNS = columns(built_in_criteria())

LONG = "한국어로-미세조정한-아주-긴-이름의-어댑터"
CASES: dict[str, Any] = {
    "whole": {"base": [[1, 2, 3, 4]] * 8, LONG: [[5, 4, 4, 3], [4, 4, 4, 4]] * 4},
    "many": {f"변형-{n}": [[n % 5 + 1, 2, 3, 4], [3, 3, 3, 3]] * 4 for n in range(9)},
    "one variant": {"base": [[1, 2, 3, 4], [2, 2, 2, 2]]},
    "no verdicts": {"base": [None, None], "lora": [None, None]},
    "partly": {
        "base": [[1, 1, 1, 1], "refused", None, "unreadable"],
        "lora": [[4, 4, 4, 4], [3, 3, 3, 3], None, "budget"],
    },
    "one question": {"base": [[3, 3, 3, 3]], "lora": [[4, 4, 4, 4]]},
    "nothing": {"base": [], "lora": []},
}


def made(tmp_path: Path, case: str) -> Store:
    if case == "hostile":
        name = "<b>x</b>"
        folder = make_run(
            tmp_path / "r",
            {"base": [[1, 2, 3, 4]] * 3, name: [[5, 5, 5, 5]] * 3},
            questions=hostile.questions(3),
            predictions={"base": [hostile.TEXT] * 3, name: [hostile.FORMULA] * 3},
            analysis=hostile.TEXT,
            notes=[{"kind": "data", "text": hostile.TEXT}],
        )
    else:
        folder = make_run(tmp_path / "r", CASES[case])
    return Store.read(folder)


ALL = [*CASES, "hostile"]


@pytest.mark.parametrize("language", ["ko", "en"])
@pytest.mark.parametrize("width", [80, 160])
@pytest.mark.parametrize("case", ALL)
def test_no_line_of_text_is_wider_than_the_terminal(
    tmp_path: Path, case: str, width: int, language: str
) -> None:
    with made(tmp_path, case) as store:
        shown = terminal.render(summary(store, language), width)  # type: ignore[arg-type]
    assert shown.strip()
    assert "\x1b" not in shown, "no colour unless asked for"
    assert "\x07" not in shown
    assert "\u202e" not in shown
    assert {line: cell_len(line) for line in shown.splitlines() if cell_len(line) > width} == {}


def test_colour_where_it_is_asked_for(tmp_path: Path) -> None:
    with made(tmp_path, "whole") as store:
        plain, colour = (terminal.render(summary(store, "en"), 80, wanted) for wanted in (False, True))
    assert "\x1b[" in colour
    assert re.sub(r"\x1b\[[0-9;]*m", "", colour).split() == plain.split()


def test_markup_of_the_terminal_library_is_text(tmp_path: Path) -> None:
    with made(tmp_path, "hostile") as store:
        shown = " ".join(terminal.render(summary(store, "en"), 160).split())
    assert "[bold]x[/bold] :smile:" in shown


class Page(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("language", ["ko", "en"])
@pytest.mark.parametrize("case", ALL)
def test_the_page_runs_and_fetches_nothing(tmp_path: Path, case: str, language: str) -> None:
    with made(tmp_path, case) as store:
        page = Page(shown := html.render(summary(store, language, n_examples=5)))  # type: ignore[arg-type]
    assert not {"script", "img", "iframe", "link", "object", "form"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert not [v for n, v in page.attributes if n in ("href", "src") and not v.startswith("#")]
    assert "@import" not in shown
    assert "url(" not in shown
    assert ("lang", language) in page.attributes
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_hostile_text_is_on_the_page_as_text(tmp_path: Path) -> None:
    with made(tmp_path, "hostile") as store:
        page = Page(html.render(summary(store, "en", n_examples=1)))
    assert "<script>alert(1)</script>" in page.text
    assert "{{7*7}}" in page.text


def test_the_verdict_comes_first(tmp_path: Path) -> None:
    from simsa.report.headline import headline

    with made(tmp_path, "whole") as store:
        found = summary(store, "ko", n_examples=1)
    first = headline(found)[0]
    for shown in (
        Page(html.render(found)).text,
        terminal.render(found, 160),
        html_free(markdown.render(found)),
    ):
        flat = " ".join(shown.split())
        begins = flat.index(first)
        for later in ("gpt-4o", "점수: 기준마다 1–5", "참고 사항", "별빛마을"):
            assert begins < flat.index(later), later


def html_free(page: str) -> str:
    import html as entities

    return entities.unescape(page).replace("\\", "")


@pytest.mark.parametrize("case", ALL)
def test_markdown_has_whole_tables_and_no_live_text(tmp_path: Path, case: str) -> None:
    with made(tmp_path, case) as store:
        shown = markdown.render(summary(store, "en"))
    pipes = re.compile(r"(?<!\\)\|")
    for table in re.findall(r"(?:^\|.*\n)+", shown, re.MULTILINE):
        assert len({len(pipes.findall(line)) for line in table.splitlines()}) == 1, table
    assert "<script" not in shown
    assert "<img" not in shown
    assert "https://evil" not in shown
    assert "@everyone" not in shown
    assert not re.search(r"(?<!\\)\]\(", shown)
    assert shown.count("<details>") == shown.count("</details>")


@pytest.mark.parametrize("case", ALL)
def test_csv_parquet_and_junit_have_every_planned_row(tmp_path: Path, case: str) -> None:
    with made(tmp_path, case) as store:
        planned = store.count("plan")
        sheet = list(csv_reader.reader(io.StringIO(b"".join(csv_rows.render(store)).decode("utf-8"))))
        table = pq.read_table(io.BytesIO(b"".join(parquet_rows.render(store))))
        suite = ElementTree.fromstring(b"".join(junit.render(store)))[0]
    assert sheet[0] == list(COLUMNS)
    assert len(sheet) - 1 == table.num_rows == len(suite) == int(suite.attrib["tests"]) == planned
    assert table.column_names == list(COLUMNS)
    assert len(suite.findall("testcase/error")) == int(suite.attrib["errors"])
    assert len(suite.findall("testcase/skipped")) == int(suite.attrib["skipped"])
    total = COLUMNS.index("total")
    assert [row[total] for row in sheet[1:]] == [
        "" if t is None else str(t) for t in table["total"].to_pylist()
    ]


@pytest.mark.parametrize("opening", ["=", "+", "-", "@", "\t=", "\r=", "＝", "\n=", "\u200b=", " =", "\x00="])
def test_what_begins_like_a_formula_is_quoted(opening: str) -> None:
    assert not is_formula(csv_rows.safe(f"{opening}1+1"))


def test_ordinary_text_is_left_alone_in_a_cell() -> None:
    assert csv_rows.safe("3호 마을 = 별빛") == "3호 마을 = 별빛"


def test_junit_says_why_a_row_has_no_score(tmp_path: Path) -> None:
    with made(tmp_path, "partly") as store:
        suite = ElementTree.fromstring(b"".join(junit.render(store)))[0]
    errors = [
        (case.get("classname"), case[0].get("type")) for case in suite if case.find("error") is not None
    ]
    assert sorted(errors) == [("base", "refused"), ("base", "unreadable")]
