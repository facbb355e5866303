"""Any text at all, in every place of a run, through every format and back through somebody else's parser."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from xml.etree import ElementTree

import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it.token import Token

from simsa import report
from simsa.records import Passage, Question
from simsa.report import comparisons
from simsa.report.gates import parse
from simsa.report.renderers import comment, html, junit, markdown, parquet_rows, terminal
from simsa.report.renderers import csv_rows as csv_report
from simsa.report.renderers.junit import JunitCase
from simsa.report.score_rows import columns
from simsa.rubrics import built_in_criteria
from simsa.store import Store
from simsa.text import one_line, visible
from tests.support.criteria import CRITERIA
from tests.support.report_page import GITHUB, OURS, Page, check_markdown, inline
from tests.support.report_runs import make_run
from tests.support.spreadsheets import is_formula, unguarded

COLUMNS = columns(built_in_criteria())

ODD = [
    *(
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "＝1",
        "＋1",
        "－1",
        "＠a",
        "'=1",
        "\u200b=1",
        "\ufeff=1",
    ),
    *(
        "<script>alert(1)</script>",
        "</td></table></style>",
        '" onload="x',
        "]]>",
        "<!-- x -->",
        "&lt;",
        "{{ 7*7 }}",
    ),
    *(
        "| a | b |",
        "`code",
        "```\nx",
        "**b**",
        "[l](javascript:x)",
        "![i](http://x.y)",
        "@team",
        "#1",
        "GH-1",
        "~~x~~",
    ),
    *(
        "www.x.y",
        "https://x.y",
        "1. x",
        "- x",
        "---",
        "===",
        "> x",
        "\\",
        "a\\|b",
        "$x$",
        "<details>",
        "a@b.c",
    ),
    *(
        "한글",
        "한글",
        "두\n줄",
        "여러\r\n\r\n줄",
        "\x00",
        "\x1b[31m",
        "\u202eflip",
        "\u2028",
        "￾",
        "😀👨‍👩‍👧",
    ),
    *("", " ", "null", "nan", "0", "true", ",", ";", '"', "'", "a,b;c\t", "가" * 3_000),
]
# What a test set can hold: half of a surrogate pair cannot be stored.
ANY = st.one_of(st.sampled_from(ODD), st.text(st.characters(exclude_categories=["Cs"])))
# As a name it needs a letter, and no two may be alike.
NAMES = st.lists(ANY.map(lambda t: f"n{t[:40]}"), min_size=2, max_size=3, unique=True)
FEW = settings(max_examples=6)


def run_of(folder: Path, texts: Sequence[str], names: Sequence[str]) -> Path:
    """A run in which the texts stand everywhere, the one after the other in each place."""
    asked = [
        Question(
            id=f"q{n}",
            question=one,
            contexts=(Passage(one, title=one), Passage("둘")),
            reference=(one,) if n % 3 else (one, "다른 답"),
            answerable=bool(n % 2),
            type=texts[n - 1],
            metadata={one: one},
        )
        for n, one in enumerate(texts)
    ]
    n = len(texts)
    verdicts: list[Any] = [
        (1 + i % 5, 3, 5 - i % 4, 4) if i % 5 < 3 else ("refused", None)[i % 2] for i in range(n)
    ]
    said = {
        name: [texts[(i + k) % n] if i % 7 != 6 else None for i in range(n)] for k, name in enumerate(names)
    }
    return make_run(
        folder,
        dict.fromkeys(names, verdicts),
        questions=asked,
        predictions=said,
        analysis=texts[0],
        figures={"korquad_f1": 0.5},
        judge={"model": texts[-1] or "j", "rubric": texts[0], "mode": "joint", "key": "k"},
        notes=[{"kind": "x", "text": texts[0]}],
        config={"data": {"path": texts[0]}, "variants": [{"name": name} for name in names]},
        made={"prompt": {"label": texts[0], "text": texts[-1]}},
    )


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_of(tmp_path_factory.mktemp("odd") / "run", ODD, ["base", "<b>|`@lora"])


# Spreadsheets ------------------------------------------------------------------------


def cells(run: Path) -> list[dict[str, str]]:
    with Store.read(run) as store:
        content = b"".join(csv_report.render(store)).decode()
    return list(csv.DictReader(io.StringIO(content, newline="")))


def parquet_rows_of(run: Path, folder: Path) -> list[dict[str, Any]]:
    file = folder / "rows.parquet"
    with Store.read(run) as store:
        file.write_bytes(b"".join(parquet_rows.render(store)))
    found: list[dict[str, Any]] = pq.read_table(file).to_pylist()
    return found


def check_spreadsheet(run: Path, texts: Sequence[str]) -> None:
    rows = cells(run)
    assert {tuple(row) for row in rows} == {COLUMNS}
    assert not [cell for row in rows for cell in row.values() if is_formula(cell)]
    for row in rows:
        asked = texts[int(row["question_id"][1:])]
        # An apostrophe before what might be a formula is all that is added.
        assert unguarded(row["question"]) == visible(asked)
        assert row["total"] == "" or int(row["total"]) == sum(int(row[name]) for name in CRITERIA)


def test_a_spreadsheet_of_odd_texts_has_no_formula_and_every_text(odd: Path) -> None:
    check_spreadsheet(odd, ODD)
    shown = {row["question"] for row in cells(odd)}
    assert {"한글", "두\n줄", "'＝1", "''=1", "'=1+1", "\n'=1", "�=1"} <= shown


@FEW
@given(st.lists(ANY, min_size=1, max_size=12), NAMES)
def test_any_texts_make_a_spreadsheet_and_parquet_that_read_back(texts: list[str], names: list[str]) -> None:
    with TemporaryDirectory() as folder:
        run = run_of(Path(folder) / "run", texts, names)
        check_spreadsheet(run, texts)
        rows = parquet_rows_of(run, Path(folder))
        assert [(r["question_id"], r["variant"]) for r in rows] == [
            (f"q{n}", name) for n in range(len(texts)) for name in names
        ]
        for row in rows:
            n = int(row["question_id"][1:])
            assert row["question"] == texts[n] and row["contexts"] == [texts[n], "둘"], (
                "as it was, to the letter"
            )
            assert row["type"] == texts[n - 1] and row["answerable"] is bool(n % 2)
            k = names.index(row["variant"])
            assert row["prediction"] == (None if n % 7 == 6 else texts[(n + k) % len(texts)])
            scores = [row[name] for name in CRITERIA]
            assert all(score is None for score in scores) or all(type(score) is int for score in scores)
            assert row["total"] == (None if None in scores else sum(scores))
            assert row["korquad_f1"] == (None if row["prediction"] is None else 0.5)


def test_columns_of_parquet_have_their_types_also_where_all_is_missing(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", {"base": [None, None]}, predictions={"base": [None, None]}, judge=None)
    with Store.read(run) as store:
        found = pq.read_schema(io.BytesIO(b"".join(parquet_rows.render(store))))
    kinds = {name: str(found.field(name).type) for name in COLUMNS}
    assert {kinds[name] for name in (*CRITERIA, "total", "prompt_tokens", "judge_completion_tokens")} == {
        "int32"
    }
    assert {kinds[name] for name in ("korquad_f1", "chrf", "latency_s", "cost_usd")} == {"double"}
    assert (
        kinds["answerable"] == "bool" and kinds["contexts"].startswith("list<") and kinds["raw"] == "string"
    )
    assert all(
        value is None
        for row in parquet_rows_of(run, tmp_path)
        for value in [row["total"], row["judge"], row["raw"]]
    )


# JUnit -------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.text(), st.text(), st.text(), st.text()), max_size=5))
@example([("\x00\x1b", "\ud800", "]]>", "\ufffe\uffff"), ("&lt;", "<a b='c'>\"", "\r\n\t", "\x85\u2028")])
def test_any_text_is_well_formed_xml_and_comes_back(found: list[tuple[str, str, str, str]]) -> None:
    made = [JunitCase(a, b, ("failure", "gate", c), d, 0.5) for a, b, c, d in found]
    root = ElementTree.fromstring(b"".join(junit.document(made, len(made), len(made))))
    for case, (suite, name, message, output) in zip(root[0], found, strict=True):
        failure = case.find("failure")
        assert failure is not None
        got = (case.get("classname"), case.get("name"), failure.get("message"))
        assert got == tuple(map(allowed, (suite, name, message)))
        assert (case.findtext("system-out") or "") == allowed(output)


def allowed(said: str) -> str:
    return re.sub("[\ufffe\uffff]", "�", visible(said))


def test_junit_of_odd_texts_counts_what_it_has(odd: Path) -> None:
    with Store.read(odd) as store:
        suite = ElementTree.fromstring(b"".join(junit.render(store)))[0]
    counted = {kind: sum(case.find(kind) is not None for case in suite) for kind in ("error", "skipped")}
    assert counted == {"error": int(suite.get("errors", 0)), "skipped": int(suite.get("skipped", 0))}
    assert len(suite) == int(suite.get("tests", 0)) == 2 * len(ODD) and min(counted.values()) > 0


# Markdown ----------------------------------------------------------------------------

PLAIN = {"text", "text_special", "softbreak", "html_inline"}


def spoken(leaves: Sequence[Token]) -> str:
    return "".join("" if leaf.type == "html_inline" else leaf.content for leaf in leaves)


@given(ANY)
@example("*a*_b_`c`~~d~~[e](f)<g>&h;\\i|j")
def test_a_github_parser_sees_only_the_text_wherever_it_stands(said: str) -> None:
    shown, line = markdown.escape(said), one_line(said)
    bold = [f"**{shown}**"] if line else []
    for made in (markdown.escape_line(said), f"- {markdown.escape_line(said)}", f"## {shown}", *bold):
        tokens = GITHUB.parse(made)
        leaves = [leaf for leaf in inline(tokens) if leaf.type not in ("strong_open", "strong_close")]
        assert {leaf.type for leaf in leaves} <= PLAIN, made
        assert {leaf.content for leaf in leaves if leaf.type == "html_inline"} <= {"<!-- -->"}
        assert spoken(leaves).strip("*") == line.strip("*")
        kinds = {token.type.removesuffix("_open") for token in tokens if token.nesting >= 0}
        assert kinds <= {"paragraph", "inline", "bullet_list", "list_item", "heading"}, made


@given(st.lists(ANY, min_size=4, max_size=4))
def test_a_table_has_its_cells_whatever_stands_in_them(said: list[str]) -> None:
    from simsa.report.format import Grid, TableCell, TableRow

    grid = Grid(
        "t",
        (said[0],),
        (TableRow(said[1], (TableCell(said[2]),)), TableRow("x", (TableCell(said[3]),), "strong")),
    )
    tokens = GITHUB.parse(markdown.table(grid))
    assert sum(token.type == "tr_open" for token in tokens) == 3
    assert [t.type for t in tokens if t.type in ("th_open", "td_open")] == ["th_open"] * 2 + ["td_open"] * 4
    shown = [spoken(token.children or ()) for token in tokens if token.type == "inline"]
    wanted = ["", *map(one_line, said[:3]), "x", one_line(said[3])]
    assert [one.strip("* ") for one in shown] == [one.strip("* ") for one in wanted]


@FEW
@given(st.lists(ANY, min_size=16, max_size=20), NAMES)
def test_the_comment_and_the_report_are_only_what_they_should_be(texts: list[str], names: list[str]) -> None:
    with TemporaryDirectory() as folder:
        run = run_of(Path(folder) / "run", texts, names)
        with Store.read(run) as store:
            found = comparisons.comparison_report([store], None, [parse("total >= baseline - 9")], "en")
            whole = markdown.render(report.summary(store, "ko"))
        said = comment.render(found, "https://x.y/z")
        check_markdown(whole, names)
        linked = said.replace('<a href="https://x.y/z">Full report</a>', "")
        assert linked != said
        check_markdown(linked, names)
        assert said.endswith("\n\n<!-- simsa -->\n") and said.count("<!-- simsa") == 1
        assert len(said.encode()) <= comment.LIMIT


def test_no_text_can_pretend_to_be_the_mark_of_the_comment(tmp_path: Path) -> None:
    name = comment.MARK
    run = make_run(tmp_path / "run", {"base": [(3, 3, 3, 3)] * 16, name: [(4, 4, 4, 4)] * 16})
    with Store.read(run) as store:
        said = comment.render(comparisons.comparison_report([store], None, [], "en"))
    assert said.count(comment.MARK) == 1 and "&lt;\\!-- simsa --&gt;" in said


# HTML and the terminal ---------------------------------------------------------------


def check_page(run: Path, texts: Sequence[str], names: Sequence[str]) -> Page:
    with Store.read(run) as store:
        found = report.summary(store, "ko", n_examples=5)
        page = Page(html.render(found))
    assert page.elements <= OURS
    assert not [
        name for name, _ in page.attributes if name.startswith("on") or name in ("src", "action", "srcdoc")
    ]
    assert all((value or "").startswith("#") for name, value in page.attributes if name == "href")
    styles = {value for name, value in page.attributes if name == "style"}
    assert all(re.fullmatch(r"background: rgb\(1 133 113 / [\d.]+\)", value or "") for value in styles)
    for name in names:
        assert visible(name) in page.text
    for one in found.examples:
        asked = visible(texts[int(one.question.id[1:])])
        assert (asked if len(asked) <= 2_000 else asked[:2_000] + "…") in page.text
    return page


def test_a_page_of_odd_texts_shows_them_and_is_nothing_but_ours(odd: Path) -> None:
    check_page(odd, ODD, ["base", "<b>|`@lora"])


@FEW
@given(st.lists(ANY, min_size=16, max_size=20), NAMES)
def test_a_page_of_any_texts_shows_them_and_is_nothing_but_ours(texts: list[str], names: list[str]) -> None:
    with TemporaryDirectory() as folder:
        check_page(run_of(Path(folder) / "run", texts, names), texts, names)


@FEW
@given(st.lists(ANY, min_size=2, max_size=8), NAMES, st.sampled_from([40, 80, 160]))
def test_a_terminal_gets_lines_that_fit_and_no_order(texts: list[str], names: list[str], width: int) -> None:
    from rich.cells import cell_len

    with TemporaryDirectory() as folder, Store.read(run_of(Path(folder) / "run", texts, names)) as store:
        shown = terminal.render(report.summary(store, "en"), width)
    assert visible(shown) == shown and "\x1b" not in shown
    assert max(map(cell_len, shown.splitlines())) <= width
