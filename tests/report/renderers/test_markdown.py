from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsa import report
from simsa.records import Passage
from simsa.report.renderers import markdown
from simsa.store import Store
from tests.support.report_runs import make_run, question


def rendered(run: Path) -> str:
    with Store.read(run) as store:
        return markdown.render(report.summary(store, "en"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a | b", "a \\| b"),
        ("**bold** _x_ `code`", "\\*\\*bold\\*\\* \\_x\\_ \\`code\\`"),
        ("<img src=x onerror=alert(1)>", "&lt;img src=x onerror=alert(1)&gt;"),
        ("[click](javascript:alert(1))", "\\[click\\](javascript:alert(1))"),
        ("![](https://x/y.png)", "\\!\\[\\](https&#58;//x/y.png)"),
        ("www.example.com", "ww&#119;.example.com"),
        ("@everyone", "@<!-- -->everyone"),
        ("# head", "\\# head"),
        ("여러\n줄", "여러 줄"),
        ("+12.5 - 3", "+12.5 - 3"),
        ("&lt;", "&amp;lt;"),
    ],
)
def test_text_stays_text(text: str, expected: str) -> None:
    assert markdown.escape(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("- item", "&#45; item"), ("+ item", "&#43; item"), ("12. item", "&#49;2. item"), ("===", "&#61;==")],
)
def test_no_text_begins_a_list_or_heading(text: str, expected: str) -> None:
    assert markdown.escape_line(text) == expected


@given(st.text())
def test_an_escaped_text_is_one_line_that_opens_nothing(text: str) -> None:
    shown = markdown.escape_line(text)
    assert "\n" not in shown
    assert "<" not in shown.replace("<!-- -->", "")
    assert not shown.startswith(("- ", "+ ", "# ", "> "))
    assert "://" not in shown and "www" not in shown


def test_the_report_has_tables_and_folded_examples(tmp_path: Path) -> None:
    hostile = "a|b\n# c <b> @team"
    asked = [question(n, question=hostile, contexts=(Passage(hostile),)) for n in range(16)]
    run = make_run(
        tmp_path / "run",
        {"base": [(2, 2, 2, 2)] * 16, "lo|ra": [(4, 4, 4, 4)] * 15 + ["refused"]},
        questions=asked,
        analysis=hostile,
    )
    shown = rendered(run)
    lines = shown.splitlines()
    assert lines[0] == "# Evaluation report"
    assert lines[2].startswith("**lo\\|ra is better than base: total +8.0")
    tables = [line for line in lines if line.startswith("|")]
    widths = {line.replace("\\|", "").count("|") for line in tables}
    assert widths == {3, 4, 5}  # one column of differences, two variants elsewhere, a third of what they cost
    assert "+8.00 \\[8.00, 8.00\\] ▲" in shown
    assert shown.count("<details>") == shown.count("</details>") == 3
    assert "<b>" not in shown and "@team" not in shown
    assert "lo\\|ra: no score: judge refused 1" in shown
