from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from simsa import report
from simsa.records import Passage
from simsa.report import html
from simsa.report.words import Language
from simsa.store import Store
from tests.report.runs import JUDGE, make_run, question

HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(1)> \"'> {{ 7*7 }} {% raw %} javascript:x "
    "\u202e \x1b[31m </details></style><style>*{display:none}</style>"
)
VOID = {"meta", "br"}


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
        return " ".join(" ".join(self.words).split())


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
    assert not [name for name in attributes if name.startswith("on") or name in ("src", "href")]
    assert "http" not in re.sub(r'http-equiv="Content-Security-Policy"', "", text)
    assert ("html", {"lang": language}) in page.tags
    assert any("default-src 'none'" in (attrs.get("content") or "") for _, attrs in page.tags)


def test_the_verdict_comes_before_everything(run: Path) -> None:
    text = Page(rendered(run)).text
    verdict = text.index("lora is better than base: total +")
    assert verdict < text.index("Scores: 1–5") < text.index("Distribution") < text.index("How this was made")
    for part in ("<b>note</b>", "gpt-4o", "da7a", "c0ffee", "mrc_question", "KorQuAD F1", "2026-11-24"):
        assert part in text, part


def test_bars_add_up_and_say_their_numbers(run: Path) -> None:
    page = Page(rendered(run))
    widths = [float(attrs["width"] or 0) for tag, attrs in page.tags if tag == "rect" and attrs.get("y")]
    assert sum(widths) == pytest.approx(100 * 4 * 2, abs=0.1)  # criteria × variants
    assert "2: 12 (67 %)" in page.text  # context relevance of the base


def test_whiskers_hold_the_point_between_the_ends_and_inside_the_picture(run: Path) -> None:
    page = Page(rendered(run))
    lines = [attrs for tag, attrs in page.tags if tag == "line"]
    ranges = [(float(a["x1"] or 0), float(a["x2"] or 0)) for a in lines if a["class"] == "range"]
    points = [float(a["x1"] or 0) for a in lines if a["class"] == "point"]
    assert len(ranges) == len(points) == 5
    for (low, high), point in zip(ranges, points, strict=True):
        assert 0 <= low <= point <= high <= 100 and low > 50


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
        config={"x": HOSTILE, HOSTILE: "y"},
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


@pytest.mark.parametrize("scores", [{}, {"base": []}, {"base": [None] * 2}, {"base": [(1, 1, 1, 1)]}])
def test_every_state_of_a_run_makes_a_page(tmp_path: Path, scores: dict[str, list[None]]) -> None:
    run = make_run(tmp_path / "run", scores, judge=None)
    for language in ("ko", "en"):
        Page(rendered(run, language))
