"""Every figure stands in its own place: in the row of its name and under the head of its variant, in both languages.

Three variants that differ in everything, so that no two cells that could be taken for each other are alike.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from simsa import report
from simsa.i18n.language import Language
from simsa.i18n.messages import words
from simsa.report import example_answers
from simsa.report.format import format_fixed, format_signed, half, interval, p_value
from simsa.report.renderers import html, markdown, terminal
from simsa.report.tables import scores as scores_table
from simsa.store import Store
from simsa.text import usd
from tests.support.criteria import CRITERIA
from tests.support.report_runs import make_run, question

N = 20
REFUSAL = "검색 결과에서 답을 찾을 수 없습니다."
SCORES: dict[str, list[Any]] = {
    "base": [(2, 3, 2, 1 + i % 3) for i in range(N)],
    "up": [(4 + i % 2, 3 + i % 2, 3, 2) for i in range(N)],
    "down": [(1, 1 + i % 2, 4 + i % 2, 1) for i in range(N - 3)] + ["refused", "unreadable", "refused"],
}
# How often each declines: of the ten that can be answered, and of the ten that cannot.
DECLINES = {"base": (1, 7), "up": (3, 9), "down": (6, 2)}


@dataclass
class Shown:
    """A table under the nearest heading before it."""

    heading: str
    rows: list[list[str]] = field(default_factory=list)

    def row(self, label: str) -> list[str]:
        [found] = [row for row in self.rows if row and row[0] == label]
        return found[1:]

    @property
    def head(self) -> list[str]:
        return self.rows[0][1:]


class Page(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tables: list[Shown] = []
        self.heading, self.inside = "", ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside = (
            tag if tag in ("h2", "h3", "caption") else "" if tag in ("title", "svg") else self.inside
        )
        if tag in ("h2", "h3", "caption"):
            self.heading = ""
        elif tag == "table":
            self.tables.append(Shown(self.heading))
        elif tag == "tr":
            self.tables[-1].rows.append([])
        elif tag in ("td", "th"):
            self.tables[-1].rows[-1].append("")
            self.inside = "cell"
        elif tag == "svg":
            self.inside = ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "caption" and self.heading:
            self.tables[-1].heading = self.heading
        if tag in ("h2", "h3", "caption", "td", "th", "svg"):
            self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside == "cell":
            self.tables[-1].rows[-1][-1] += data
        elif self.inside:
            self.heading += data

    def under(self, heading: str, column: str = "") -> Shown:
        [found] = [t for t in self.tables if t.heading == heading and (not column or column in t.head)]
        return found


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    asked = [question(n, type=("hard", "easy", None)[n % 3]) for n in range(N)]
    said = {
        name: [REFUSAL if n // 2 < DECLINES[name][1 - n % 2] else f"{name}: 별빛마을 {n}호" for n in range(N)]
        for name in SCORES
    }
    scores: Any = SCORES
    return make_run(tmp_path_factory.mktemp("place") / "run", scores, questions=asked, predictions=said)


@pytest.fixture(scope="module", params=["en", "ko"])
def made(request: pytest.FixtureRequest, run: Path) -> tuple[report.Summary, dict[str, Any], Any]:
    language: Language = request.param
    with Store.read(run) as store:
        summary = report.summary(store, language, n_examples=2)
    return summary, summary.to_dict(), words(language)


def test_means_stand_under_their_variant(made: Any) -> None:
    summary, document, say = made
    table = Page(html.render(summary)).under(scores_table(summary).title)
    assert table.head == list(SCORES)
    for name in CRITERIA:
        figures = [v["criteria"][name] for v in document["variants"]]
        assert table.row(say(name)) == [f"{format_fixed(f['mean'])} {interval(f['ci95'])}" for f in figures]
    totals = [v["total"] for v in document["variants"]]
    assert table.row(f"{say('total')} /20") == [
        f"{format_fixed(t['mean'], 1)} {interval(t['ci95'], 1)}" for t in totals
    ]
    assert table.row(say("n_scored")) == ["20/20", "20/20", "17/20"]
    assert len({cell for row in table.rows[1:6] for cell in row[1:]}) > 10, (
        "cells that could be mixed up differ"
    )


def test_differences_stand_with_their_variant_and_criterion(made: Any) -> None:
    summary, document, say = made
    page = Page(html.render(summary))
    for variant in ("up", "down"):
        table = page.under(variant, say("verdict"))
        for name in (*CRITERIA, "total"):
            [c] = [c for c in document["comparisons"] if (c["variant"], c["criterion"]) == (variant, name)]
            assert table.row(say(name))[1:] == [
                f"{format_signed(c['mean_diff'])} {interval(c['ci95'])}",
                say(c["verdict"]),
                p_value(c["p_adjusted"]),
                f"{c['wins']}/{c['ties']}/{c['losses']}",
            ]
    assert {c["verdict"] for c in document["comparisons"]} >= {"better", "worse"}


def test_answers_by_level_stand_under_their_level(made: Any) -> None:
    summary, document, say = made
    tables = [table for table in Page(html.render(summary)).tables if table.head[1:6] == list("12345")]
    assert [table.heading for table in tables] == [say(name) for name in CRITERIA]
    for table, name in zip(tables, CRITERIA, strict=True):
        for variant in document["variants"]:
            figures = variant["criteria"][name]
            assert table.row(variant["name"])[1:] == [
                *(str(figures["counts"][level]) for level in "12345"),
                f"{format_fixed(figures['mean'])} · {figures['n']}",
            ]
            assert sum(map(int, table.row(variant["name"])[1:6])) == variant["criteria"][name]["n"]


def test_types_stand_in_their_row(made: Any) -> None:
    summary, document, say = made
    table = Page(html.render(summary)).under(say("head.types"))
    assert table.head == list(SCORES) and [row[0] for row in table.rows[1:]] == [
        say("untyped"),
        "easy",
        "hard",
    ]
    for kind in ("", "easy", "hard"):
        parts = [v["slices"]["type"][kind]["total"] for v in document["variants"]]
        assert table.row(kind or say("untyped")) == [
            f"{format_fixed(p['mean'], 1)} ({p['n']})" for p in parts
        ]


def test_what_was_declined_stands_in_its_corner(made: Any) -> None:
    summary, _, say = made
    page = Page(html.render(summary))
    for variant, (answerable, unanswerable) in DECLINES.items():
        table = page.under(variant, say("declined"))
        assert table.row(say("answerable")) == [str(10 - answerable), str(answerable)]
        assert table.row(say("unanswerable")) == [str(10 - unanswerable), str(unanswerable)]


def test_metrics_and_costs_stand_under_their_variant(made: Any) -> None:
    summary, document, say = made
    page = Page(html.render(summary))
    table = page.under(say("head.metrics"))
    for name in ("korquad_f1", "chrf", "rouge_l", "context_overlap"):
        shown = [format_fixed(v["metrics"][name], 1 if name == "chrf" else 3) for v in document["variants"]]
        assert table.row(say(name)) == shown and len(set(shown)) > 1
    spent = page.under(say("head.usage"))
    by_variant = document["judge"]["usage"]["by_variant"]
    cells = [f"{by_variant[name]['calls']} · {usd(by_variant[name]['cost_usd'])}" for name in SCORES]
    whole = f"{document['judge']['calls']} · {usd(document['judge']['cost_usd'])}"
    assert spent.row(say("usage.whole")) == [*cells, whole]


def test_an_example_has_the_answer_the_scores_and_the_total_of_its_variant(made: Any) -> None:
    summary, _, say = made
    text = html.render(summary)
    blocks = re.findall(
        r"<details open>\n<summary>(q\d+)(.*?)</details>\n(?=<details|<h3|<p)", text, re.DOTALL
    )
    assert blocks
    for asked, block in blocks:
        place = int(asked[1:])
        answers = re.findall(r'<section class="answer">(.*?)</section>', block, re.DOTALL)
        for (name, scores), shown in zip(SCORES.items(), answers, strict=True):
            verdict = scores[place]
            assert f"<h4><span>{name}</span>" in shown
            if isinstance(verdict, str):
                assert say(f"status.{verdict}") in shown and "/20" not in shown
                continue
            assert f"<span>{sum(verdict)}/20</span>" in shown
            assert [int(n) for n in re.findall(r'class="chip k\d">(\d)<', shown)] == list(verdict)
            assert [int(n) for n in re.findall(r'class="chip k(\d)">', shown)] == list(verdict)


def test_markdown_has_the_same_figures_in_the_same_places(made: Any) -> None:
    summary, document, say = made
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown.render(summary))
    tables: list[Shown] = []
    heading = ""
    for before, token in pairwise(tokens):
        if before.type == "heading_open":
            heading = token.content
        elif token.type == "table_open":
            tables.append(Shown(heading))
        elif token.type == "tr_open":
            tables[-1].rows.append([])
        elif before.type in ("td_open", "th_open"):
            tables[-1].rows[-1].append(unescape(re.sub(r"\\(.)|\*\*", r"\1", token.content)))
    for table in tables:
        assert {len(row) for row in table.rows} == {len(table.rows[0])}, "each row has all columns"
    [scores] = [table for table in tables if table.heading == scores_table(summary).title]
    for name in CRITERIA:
        assert scores.row(say(name)) == [
            format_fixed(v["criteria"][name]["mean"]) for v in document["variants"]
        ]
    title = say("head.differences", baseline="base")
    [differences] = [table for table in tables if table.heading == title]
    assert differences.head == ["up", "down"]
    marks = {"better": " ▲", "worse": " ▼"}
    for name in (*CRITERIA, "total"):
        found = [c for c in document["comparisons"] if c["criterion"] == name]
        assert differences.row(say(name)) == [
            f"{format_signed(c['mean_diff'])} {interval(c['ci95'])}{marks.get(c['verdict'], '')}"
            for c in found
        ]
    totals = [c for c in document["comparisons"] if c["criterion"] == "total"]
    assert differences.row(say("p_adjusted")) == [p_value(c["p_adjusted"]) for c in totals]
    assert differences.row(say("win_tie_loss")) == [f"{c['wins']}/{c['ties']}/{c['losses']}" for c in totals]
    assert differences.row(say("verdict")) == [say(c["verdict"]) + marks[c["verdict"]] for c in totals]
    whole = [v["total"] for v in document["variants"]]
    assert scores.row(say("ci95")) == [interval(t["ci95"], 1) for t in whole]
    assert scores.row(f"{say('median')} · {say('sd')}") == [
        f"{half(t['median'])} · {format_fixed(t['sd'])}" for t in whole
    ]
    [types] = [table for table in tables if table.heading == say("head.types")]
    for kind in ("easy", "hard"):
        parts = [v["slices"]["type"][kind]["total"] for v in document["variants"]]
        assert types.row(kind) == [f"{format_fixed(p['mean'], 1)} ({p['n']})" for p in parts]
    [declined] = [table for table in tables if table.heading == say("head.abstention")]
    assert declined.row(say("abstain.right")) == ["7/10", "9/10", "2/10"]
    assert declined.row(say("abstain.wrong")) == ["1/10", "3/10", "6/10"]
    judged = [v["abstention_by_judge"] for v in document["variants"]]
    seen = [(j["unanswerable_abstained"], j["unanswerable_answered"]) if j else None for j in judged]
    assert declined.row(say("abstain.by_judge")) == [f"{a}/{a + b}" for a, b in filter(None, seen)]
    assert declined.row(say("abstain.disputed")) == [str(len(j["disputed"])) for j in judged]
    assert any(j["disputed"] for j in judged)


def test_no_verdict_has_the_ends_of_its_interval_the_wrong_way_round(made: Any) -> None:
    summary, document, _ = made
    said = report_sentences(summary)
    assert len(said) == 2
    for sentence, variant in zip(said, ("up", "down"), strict=True):
        [c] = [c for c in document["comparisons"] if (c["variant"], c["criterion"]) == (variant, "total")]
        shown = re.search(r"([+−][\d.]+) \(95 % \S+ (−?[\d.]+) (?:~|to) (−?[\d.]+)\)", sentence)
        assert shown
        figures = [float(n.replace("−", "-")) for n in shown.groups()]
        assert figures == [pytest.approx(v, abs=0.051) for v in (c["mean_diff"], *c["ci95"])]
        assert variant in sentence and sentence.index(variant) < sentence.index("base")


def report_sentences(summary: report.Summary) -> list[str]:
    found = re.findall(r'<p class="verdict \w+">(.*?)</p>', html.render(summary))
    return [one.replace("\u00a0", " ").replace("\u2060", "") for one in found]


def test_markdown_examples_have_each_answer_with_its_scores(made: Any) -> None:
    summary, _, say = made
    shown = re.sub(r"\\(.)", r"\1", markdown.render(summary))
    found = re.findall(r"<details><summary>(.*?): (q\d+)</summary>\n(.*?)</details>", shown, re.DOTALL)
    assert [(kind, asked) for kind, asked, _ in found] == [
        (say(f"example.{example.kind}"), example.question.id) for example in summary.examples
    ]
    for (_, _, block), example in zip(found, summary.examples, strict=True):
        assert f"- **{say('question')}** {example.question.question}" in block
        assert f"- **{say('reference')}** {example.question.reference[0]}" in block
        lines = block.splitlines()
        for answer in example.answers:
            place = lines.index(f"- **{answer.variant}** {answer.prediction}")
            if isinstance(SCORES[answer.variant][int(example.question.id[1:])], str):
                assert say(f"status.{answer.status}") in lines[place + 1]
                continue
            scores = [int(n) for n in re.findall(r" (\d)(?: ·| =)", lines[place + 1])]
            assert scores == list(answer.scores.values())
            assert lines[place + 1].endswith(f" = {answer.total}/20")
            assert lines[place + 2] == f"  - {answer.analysis}"


def test_an_answer_that_is_missing_is_called_so_in_every_format(tmp_path: Path) -> None:
    said = {"base": ["달빛마을", None, "별빛마을"]}
    run = make_run(tmp_path / "run", {"base": [(3, 3, 3, 3), None, (1, 1, 1, 1)]}, predictions=said)
    with Store.read(run) as store:
        example = example_answers.show(store, "worst", ["q0", "q1"])
        summary = replace(report.summary(store, "en"), examples=tuple(example))
    for shown in (markdown.render(summary), html.render(summary), terminal.render(summary)):
        assert shown.count("(no answer)") + shown.count(r"\(no answer\)") == 1 and "달빛마을" in shown


def test_the_total_alone_is_set_in_bold(made: Any) -> None:
    summary, _, say = made
    lines = markdown.render(summary).splitlines()
    for name in (*CRITERIA, "total"):
        rows = [line for line in lines if line.startswith((f"| {say(name)} ", f"| **{say(name)}"))]
        assert len(rows) >= 2
        for row in rows:
            cells = row.strip("|").split("|")
            assert all(cell.startswith(" **") and cell.endswith("** ") for cell in cells) is (name == "total")
            assert any("**" in cell for cell in cells) is (name == "total")
