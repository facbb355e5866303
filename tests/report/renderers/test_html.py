from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from simsa import report
from simsa.i18n.language import Language
from simsa.records import Passage
from simsa.report.renderers import html
from simsa.store import Store
from tests.support.report_runs import JUDGE, make_run, question

HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(1)> \"'> {{ 7*7 }} {% raw %} javascript:x "
    "\u202e \x1b[31m </details></style><style>*{display:none}</style>"
)
VOID = {"meta", "br", "wbr"}


class Page(HTMLParser):
    """Checks that tags nest, and keeps what was found."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "wbr":
            self.words.append("\0")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).replace(" \0 ", "").split())


def rendered(run: Path, language: Language = "en", n_examples: int = 5) -> str:
    with Store.read(run) as store:
        return html.render(report.summary(store, language, n_examples))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    base = [(2, 2, 2, 2), (1, 3, 2, 4), (3, 2, 1, 2)] * 6
    lora = [(4, 4, 4, 4), (5, 3, 4, 5), (4, 4, 5, 4)] * 6
    return make_run(
        tmp_path / "run",
        {"base": base, "lora": lora},
        config={"judge": {"model": "gpt-4o"}},
        notes=[{"kind": "x", "text": "<b>note</b>"}],
    )


@pytest.mark.parametrize("language", ["ko", "en"])
def test_the_page_is_whole_and_asks_for_nothing(run: Path, language: Language) -> None:
    text = rendered(run, language)
    page = Page(text)
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "link", "img", "iframe", "object", "base", "form"}
    attributes = [name for _, attrs in page.tags for name in attrs]
    assert not [name for name in attributes if name.startswith("on") or name == "src"]
    assert all((attrs.get("href") or "#").startswith("#") for _, attrs in page.tags), (
        "only places on the page"
    )
    assert "http" not in re.sub(r'http-equiv="Content-Security-Policy"', "", text)
    assert ("html", {"lang": language}) in page.tags
    assert any("default-src 'none'" in (attrs.get("content") or "") for _, attrs in page.tags)


def test_the_verdict_comes_before_everything(run: Path) -> None:
    text = Page(rendered(run)).text
    verdict = text.index("lora is better than base: total +")
    assert (
        verdict
        < text.index("Scores: 1–5")
        < text.index("Distribution")
        < text.index("How this report was made")
    )
    for part in ("<b>note</b>", "gpt-4o", "da7a", "c0ffee", "mrc_question", "KorQuAD F1", "2026-11-24"):
        assert part in text, part


def test_every_place_in_the_contents_exists(run: Path) -> None:
    page = Page(rendered(run))
    places = [attrs["href"] for tag, attrs in page.tags if tag == "a"]
    known = {f"#{attrs['id']}" for _, attrs in page.tags if "id" in attrs}
    assert len(places) >= 8 and set(places) == known


def test_bars_add_up_and_say_their_numbers(run: Path) -> None:
    page = Page(rendered(run))
    parts = [attrs for tag, attrs in page.tags if tag == "rect" and "part" in (attrs["class"] or "")]
    assert sum(percent(attrs["width"]) for attrs in parts) == pytest.approx(100 * 4 * 2, abs=0.1)
    assert "2: 12 (67 %)" in page.text  # context relevance of the base


def test_whiskers_hold_the_point_between_the_ends_and_inside_the_picture(run: Path) -> None:
    page = Page(rendered(run))
    ranges = [
        (percent(a["x1"]), percent(a["x2"]))
        for tag, a in page.tags
        if tag == "line" and a["class"] == "range"
    ]
    points = [percent(attrs["cx"]) for tag, attrs in page.tags if tag == "circle"]
    assert len(ranges) == len(points) == 5
    for (low, high), point in zip(ranges, points, strict=True):
        assert 0 <= low <= point <= high <= 100 and low > 50


def percent(text: str | None) -> float:
    assert text is not None and text.endswith("%")
    return float(text[:-1])


def test_no_line_of_a_verdict_ends_within_a_figure(run: Path) -> None:
    for language, between in (("ko", "~"), ("en", "to")):
        said = next(line for line in rendered(run, language).splitlines() if 'class="verdict' in line)  # type: ignore[arg-type]
        assert re.search(rf"95\u00a0% .*\d\u00a0{between}\u00a0\d", said), said
        assert not re.search(rf"\d {between} \d|95 %", said)
        assert said.count(" ") > 8, "elsewhere it may"


def test_no_line_begins_with_a_particle(tmp_path: Path) -> None:
    same = [(3, 3, 3, 3), (2, 2, 2, 2)] * 20
    text = rendered(make_run(tmp_path / "run", {"base": same, "lora": same}), "ko")
    said = next(line for line in text.splitlines() if 'class="verdict' in line)
    assert ")\u2060로 동등성" in said
    assert not re.search(r"\)[가-힣]", said)


class Tables(HTMLParser):
    """The cells of every table of figures, row by row."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[list[list[str]]] = []
        self.is_grid = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.is_grid = ("class", "grid") in attrs
            if self.is_grid:
                self.found.append([])
        elif tag == "tr" and self.is_grid:
            self.found[-1].append([])
        elif tag in ("td", "th") and self.is_grid:
            self.found[-1][-1].append("")

    def handle_data(self, data: str) -> None:
        if self.is_grid and self.found[-1] and self.found[-1][-1]:
            self.found[-1][-1][-1] += data


@pytest.mark.parametrize("n", [1, 6, 7, 13])
def test_no_table_is_wider_than_a_sheet_of_paper_and_none_loses_a_column(tmp_path: Path, n: int) -> None:
    names = [f"v{i}" for i in range(n)]
    made = {name: [(1 + i % 5, 3, 3, 3)] * 3 for i, name in enumerate(names)}
    tables = Tables(rendered(make_run(tmp_path / "run", made, figures={"chrf": 1.5}))).found
    for label, figure in (("answer correctness", "1.00"), ("mrc_question", "10.0"), ("chrF", "1.5")):
        mine = [table for table in tables if any(row[0] == label for row in table)]
        heads = [head.strip() for table in mine for head in table[0][1:]]
        assert [head for head in heads if head in names] == names, "each variant once, in its order"
        assert {len(table[0]) for table in mine} <= {2, 4, 5, 6, 7}, "six columns and the labels"
        assert max(len(table[0]) for table in mine) - min(len(table[0]) for table in mine) <= 1
        for table in mine:
            assert {len(row) for row in table} == {len(table[0])}
        assert mine[0][[row[0] for row in mine[0]].index(label)][1].startswith(figure)


def test_long_names_may_go_on_in_the_next_line(tmp_path: Path) -> None:
    asked = [question(0, type="a_b/c.d:e<f_ g"), question(1, type="mrc_question")]
    text = rendered(make_run(tmp_path / "run", {"base_1": [(3, 3, 3, 3)] * 2}, questions=asked))
    assert '<th scope="row">a_<wbr>b/<wbr>c.<wbr>d:<wbr>e&lt;f_ g</th>' in text
    assert '<th scope="col">base_<wbr>1</th>' in text


def test_a_verdict_has_the_colour_of_what_it_says(tmp_path: Path) -> None:
    base, better = [(3, 3, 3, 3), (2, 2, 2, 2)] * 9, [(4, 4, 4, 4), (4, 3, 3, 3)] * 9
    scores = {"base": base, "up": better, "down": [(1, 1, 1, 1)] * 18, "same": base}
    page = Page(rendered(make_run(tmp_path / "run", scores)))
    tones = [
        (attrs["class"] or "").split()[1]
        for tag, attrs in page.tags
        if (attrs.get("class") or "").startswith("verdict")
    ]
    assert tones == ["good", "bad", "plain"]


def test_the_two_by_two_counts_every_answer(tmp_path: Path) -> None:
    refusal = "검색 결과에서 답을 찾을 수 없습니다."
    said = {
        "base": [refusal, refusal, "달빛마을입니다.", "별빛마을 3호"]
    }  # q0, q2 have no answer; q1, q3 have
    text = Page(rendered(make_run(tmp_path / "run", {"base": [(3, 3, 3, 3)] * 4}, predictions=said))).text
    assert "answered declined answerable 1 1 unanswerable 1 1" in text
    assert "answerable declined 50 %" in text


def test_types_are_shown_with_how_many_they_rest_on(run: Path) -> None:
    text = Page(rendered(run)).text
    assert "mrc_question 8.7 (9) 16.7 (9) no_answer 8.7 (9) 16.7 (9)" in text


def test_the_judge_is_examined_as_far_as_that_was_done(run: Path) -> None:
    text = Page(rendered(run)).text
    section = text[text.index("Checks of the judge", text.index("Notes")) :]
    assert "Not yet compared with human labels" in section
    assert "context relevance 66.7 %" in section, (
        "their scores differ between the variants on 2 of 3 questions"
    )


def test_a_calibration_is_shown_with_where_it_stands_to_the_bar(tmp_path: Path) -> None:
    agreement = {"n_labels": 40, "quadratic_kappa": 0.31, "ci95": [0.1, 0.5], "standing": "weak"}
    kept = {"judge": JUDGE, "annotators": 2, "criteria": {"answer_correctness": agreement}}
    made = make_run(tmp_path / "run", {"base": [(3, 3, 3, 3)] * 3}, calibration=kept)
    page = Page(rendered(made))
    assert "answer correctness 0.31 [0.10, 0.50] 40 below" in page.text
    other = make_run(
        tmp_path / "other", {"base": [(3, 3, 3, 3)] * 3}, calibration=kept | {"judge": {"model": "x"}}
    )
    assert "0.31" not in Page(rendered(other)).text, "of another judge it says nothing"


def test_how_it_was_made_is_enough_to_make_it_again(tmp_path: Path) -> None:
    made = {
        "versions": {"python": "3.12.1", "vllm": "0.32.0"},
        "weights": {"lora": {"model": "aa11", "adapter": "bb22"}},
        "prompt": {"label": "rag-ko@12345678", "text": "### system\n검색 결과만 <근거>로"},
        "rubric": {"label": "own@87654321", "text": "levels = 5"},
    }
    config = {"data": {"path": "test.jsonl"}, "judge": {"temperature": 0.0, "seed": 7}}
    run = make_run(
        tmp_path / "run", {"base": [(3, 3, 3, 3)], "lora": [(3, 3, 3, 3)]}, made=made, config=config
    )
    text = Page(rendered(run)).text
    text = text[text.rindex("How this report was made") :]
    for part in (
        "abc123",
        "2026-11-24",
        "test.jsonl",
        "da7a",
        "c0ffee",
        "simsa 0.1.0",
        "python 3.12.1",
        "vllm 0.32.0",
    ):
        assert part in text, part
    for part in (
        "gpt-4o · rag-ko@1a2b3c4d · joint",
        "temperature 0.0",
        "seed 7",
        "model hash aa11",
        "adapter hash bb22",
    ):
        assert part in text, part
    assert "검색 결과만 <근거>로" in text and "levels = 5" in text and 'path = "test.jsonl"' in text


def test_seconds_and_rates_of_the_stages_are_told(tmp_path: Path) -> None:
    timing = {"generate": {"rows": 1200, "seconds": 60.0}, "judge": {"rows": 10, "seconds": 0}}
    text = Page(rendered(make_run(tmp_path / "run", {"base": [(3, 3, 3, 3)]}, timing=timing))).text
    assert "generating: 1,200 rows in 60.0 s (20.0 a second)" in text and "judging:" not in text


def test_a_thousand_questions_of_four_variants_stay_under_two_megabytes(tmp_path: Path) -> None:
    long = "가나다라마바사 " * 400
    # Those that will be shown are long in every part; the rest only has to be many.
    shown = {n for n in range(1000) if n < 12 or n % 97 == 0}
    passages = tuple(Passage(long, title=long) for _ in range(12))
    asked = [
        question(n, contexts=passages, reference=(long,), cluster=str(n)) if n in shown else question(n)
        for n in range(1000)
    ]
    scores = {
        f"variant-{i}": [
            (1, 1, 1, 1)
            if n < 6
            else (5, 5, 5, 5)
            if n < 12
            else (1 + 4 * (i % 2),) * 4
            if n in shown
            else (3, 3, 4, 4)
            for n in range(1000)
        ]
        for i in range(4)
    }
    said = {name: [long if n in shown else "답" for n in range(1000)] for name in scores}
    run = make_run(
        tmp_path / "run",
        scores,
        questions=asked,
        predictions=said,
        analysis=long,
        figures={"korquad_f1": 0.5},
        made={"prompt": {"label": "x", "text": long * 100}},
    )
    text = rendered(run)
    assert len(text.encode()) < 2_000_000
    assert text.count('<section class="answer">') == 15 * 4
    assert text.count("… 6 more passages") == 15, "all that is shown is of the long ones"


def test_hostile_text_is_shown_and_does_nothing(tmp_path: Path) -> None:
    asked = [
        question(
            n,
            question=HOSTILE,
            contexts=(Passage(HOSTILE, title=HOSTILE),),
            reference=(HOSTILE,),
            type=HOSTILE,
        )
        for n in range(3)
    ]
    run = make_run(
        tmp_path / "run",
        {"base": [(3, 3, 3, 3)] * 3, "<svg/onload=x>": [(3, 3, 3, 3)] * 3},
        questions=asked,
        predictions={"base": [HOSTILE] * 3, "<svg/onload=x>": [HOSTILE] * 3},
        analysis=HOSTILE,
        judge=JUDGE | {"model": HOSTILE, "rubric": HOSTILE},
        notes=[{"kind": "x", "text": HOSTILE}],
        config={"data": {"path": HOSTILE, HOSTILE: "y"}, HOSTILE: [{"name": HOSTILE}]},
    )
    text = rendered(run)
    page = Page(text)
    assert not {tag for tag, _ in page.tags} & {"script", "img"}
    assert sum(tag == "style" for tag, _ in page.tags) == 1
    assert "\x1b" not in text and "\u202e" not in text
    assert "<script>alert(1)</script>" in page.text and "{{ 7*7 }}" in page.text


def test_a_megabyte_of_answer_does_not_make_a_megabyte_of_page(tmp_path: Path) -> None:
    said = {"base": ["가" * 1_000_000] * 3}
    figures = {"korquad_f1": 0.0}  # analysing them would take its time
    run = make_run(tmp_path / "run", {"base": [(3, 3, 3, 3)] * 3}, predictions=said, figures=figures)
    assert len(rendered(run)) < 100_000


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_a_browser_runs_nothing_of_it_and_prints_it(tmp_path: Path) -> None:
    trap = "<script>document.title='ran'</script><img src=x onerror=\"document.title='ran'\">" + HOSTILE
    asked = [
        question(n, question=trap, contexts=(Passage(trap, title=trap),), reference=(trap,), type=trap)
        for n in range(16)
    ]
    scores = {"base": [(3, 3, 3, 3)] * 16, trap: [(4, 4, 4, 4)] * 16}
    run = make_run(
        tmp_path / "run",
        scores,
        questions=asked,
        predictions={"base": [trap] * 16, trap: [trap] * 16},
        analysis=trap,
    )
    file = tmp_path / "report.html"
    file.write_text(rendered(run), encoding="utf-8")
    pdf = tmp_path / "report.pdf"

    def browser(*flags: str) -> subprocess.CompletedProcess[str]:
        profile = f"--user-data-dir={tmp_path / 'profile'}"
        command = [
            str(CHROMIUM),
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            profile,
            "--enable-logging=stderr",
        ]
        return subprocess.run([*command, *flags, file.as_uri()], capture_output=True, text=True, timeout=120)

    seen = browser("--dump-dom")
    assert "<title>Evaluation report · abc123</title>" in seen.stdout
    assert "CONSOLE" not in seen.stderr, "the console is clean"
    browser(f"--print-to-pdf={pdf}")
    assert pdf.read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("scores", [{}, {"base": []}, {"base": [None] * 2}, {"base": [(1, 1, 1, 1)]}])
def test_every_state_of_a_run_makes_a_page(tmp_path: Path, scores: dict[str, list[None]]) -> None:
    run = make_run(tmp_path / "run", scores, judge=None)
    for language in ("ko", "en"):
        Page(rendered(run, language))
