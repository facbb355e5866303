"""The report's one file in real Chromium: for readers of screens, by keyboard, narrow, dark, and hostile."""

from __future__ import annotations

from pathlib import Path

import pytest

from simsa.cli.main import run
from simsa.records import Passage, Question
from simsa.store import Store
from tests.support.browser import PAYLOADS, Browser, is_quiet, needs_browser
from tests.support.keyboard import missed_by_tab, unlit
from tests.support.report_runs import BASE, BETTER, make_run

pytestmark = [needs_browser, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The demo's report in both languages, one of a hostile run, one of a run with nothing in it yet."""
    folder = tmp_path_factory.mktemp("reports")
    assert run(["demo", "--replay", "-q", "--limit", "24", "--out", str(folder / "demo")]) == 0
    demo = folder / "demo" / "simsa.simsa"
    bare = make_run(folder / "bare", {"base": [None] * 3}, measured=False, judge=None)
    made = {}
    for name, path, language in (
        ("demo-ko", demo, "ko"),
        ("demo-en", demo, "en"),
        ("hostile", hostile(folder / "hostile"), "ko"),
        ("bare", bare, "en"),
        ("wide", wide(folder / "wide"), "ko"),
    ):
        made[name] = folder / f"{name}.html"
        assert (
            run(["report", str(path), "--format", "html", "--language", language, "--out", str(made[name])])
            == 0
        )
    return made


def wide(folder: Path) -> Path:
    """Four variants with the names that people give, and a verdict of every kind."""
    names = ("gemma-3-270m-base", "rag-lora-r8-epoch1", "rag-lora-r16-epoch3", "rag-lora-r16-dpo")
    scores = dict(zip(names, (BASE, BETTER, BETTER[::-1], BASE[::-1]), strict=True))
    return make_run(folder, scores, figures={"chrf": 0.5}, language="ko")


def hostile(folder: Path) -> Path:
    asked = [
        Question(
            id=f"q{n} {text[:80]}",
            question=text[:3000],
            contexts=(Passage(text, title=text[:200]),),
            reference=(text[:5000],),
            type=text[:50],
        )
        for n, text in enumerate(PAYLOADS)
    ]
    names = ("<b onclick=alert(1)>base</b>", "lora\"'><script>window.hacked=7</script>", "x" * 80)
    scores = {name: [(1 + (i + k) % 5, 2, 3, 4) for i in range(len(asked))] for k, name in enumerate(names)}
    return make_run(
        folder,
        scores,
        questions=asked,
        predictions={name: list(PAYLOADS) for name in names},
        analysis="\n".join(PAYLOADS[:8]),
        figures={"chrf": 0.5, "abstained": 0.0},
        language="ko",
        judge={"model": PAYLOADS[1], "rubric": PAYLOADS[0][:60], "mode": "joint", "key": "k"},
    )


NAMES = ("demo-ko", "demo-en", "hostile", "bare")


@pytest.mark.parametrize("name", NAMES)
def test_nothing_serious_to_say_for_axe(browser: Browser, reports: dict[str, Path], name: str) -> None:
    browser.open(reports[name].as_uri())
    browser.js("for (const one of document.querySelectorAll('details')) one.open = true")
    looks = [(1280, "light"), (390, "dark")] if name in ("demo-ko", "hostile") else [(800, "light")]
    for width, scheme in looks:
        browser.size(width)
        browser.scheme(scheme)
        assert browser.violations() == [], f"{width} {scheme}"


@pytest.mark.parametrize("name", NAMES)
def test_nothing_sticks_out(browser: Browser, reports: dict[str, Path], name: str) -> None:
    browser.open(reports[name].as_uri())
    browser.js("for (const one of document.querySelectorAll('details')) one.open = true")
    for width in (1280, 800, 390):
        browser.size(width)
        assert browser.overflow() == []
    is_quiet(browser)


@pytest.mark.parametrize("name", ["demo-ko", "hostile"])
def test_everything_in_it_is_reached_by_keyboard(
    browser: Browser, reports: dict[str, Path], name: str
) -> None:
    browser.size(390)  # what scrolls by itself has to be reached too
    browser.open(reports[name].as_uri())
    assert missed_by_tab(browser) == []
    assert unlit(browser) == []


def test_by_keyboard_an_example_opens_and_a_heading_is_gone_to(
    browser: Browser, reports: dict[str, Path]
) -> None:
    browser.open(reports["demo-en"].as_uri())
    browser.keys("\ue004")
    assert browser.js("return document.activeElement.tagName") == "A"
    target = browser.js("return document.activeElement.hash")
    browser.keys("\ue007")
    assert browser.js("return location.hash") == target
    closed = browser.js("return document.querySelectorAll('details:not([open]) > summary').length")
    browser.js("document.querySelector('details:not([open]) > summary').focus()")
    browser.keys(" ")
    assert (
        browser.js("return document.querySelectorAll('details:not([open]) > summary').length") == closed - 1
    )


def test_the_figures_are_those_of_the_run(browser: Browser, reports: dict[str, Path]) -> None:
    """What the eye sees in a bar stands beside it, for whoever sees no bar."""
    browser.open(reports["demo-en"].as_uri())
    for chart in browser.all("svg[role=img]"):
        assert chart.get_attribute("aria-label")
    with Store.read(reports["demo-en"].parent / "demo" / "simsa.simsa") as store:
        names = list(store.variants())
    page = browser.text("body")
    assert all(name in page for name in names)


# Words of the elements that fit, of which some character stands in another line than the first.
BROKEN = r"""
const broken = [], walk = (node, found) => {
  if (node.nodeType === 3) found.push(node); else node.childNodes.forEach((one) => walk(one, found));
  return found;
};
for (const element of document.querySelectorAll(arguments[0]))
  for (const text of walk(element, []))
    for (const word of text.data.matchAll(new RegExp(arguments[1], "g"))) {
      const range = document.createRange();
      range.setStart(text, word.index);
      range.setEnd(text, word.index + word[0].length);
      if (new Set([...range.getClientRects()].map((r) => Math.round(r.top))).size > 1) broken.push(word[0]);
    }
return broken;
"""


@pytest.mark.parametrize("width", [1280, 800, 390])
def test_no_korean_word_and_no_figure_is_broken_over_lines(
    browser: Browser, reports: dict[str, Path], width: int
) -> None:
    browser.size(width)
    browser.open(reports["wide"].as_uri())
    assert browser.js("return document.querySelectorAll(arguments[0]).length", "th, .verdict, .notes li") > 40
    for where in ("th", "h2", "h3", ".verdict", ".notes li", "caption", ".quiet"):
        assert browser.js(BROKEN, where, "[가-힣]+") == [], where
    assert browser.js(BROKEN, ".verdict, .notes li", r"\d[\d.]*\s~\s[\d.]*\d|95\s%|\)\u2060[가-힣]") == []
    assert browser.js(BROKEN, "td .v, td .ci", r"\S+") == [], (
        "a figure and its interval are each in one piece"
    )


@pytest.mark.parametrize("name", ["demo-ko", "demo-en"])
def test_on_paper_everything_is_open_and_no_chart_is_cut(
    browser: Browser, reports: dict[str, Path], name: str
) -> None:
    browser.open(reports[name].as_uri())
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        inside = browser.js(
            "return [...document.querySelectorAll('.chart, .fours > div')].map((e) => getComputedStyle(e).breakInside)"
        )
        assert len(inside) == 2 + 4 + 3 and set(inside) == {"avoid"}
        assert browser.js("return getComputedStyle(document.querySelector('nav')).display") == "none"
        hidden = browser.js(
            "return [...document.querySelectorAll('details')].filter((e) => e.offsetHeight < 60 || "
            "![...e.children].at(-1).checkVisibility({contentVisibilityAuto: true})).length"
        )
        assert hidden == 0, "what is folded on a screen is printed"
        assert browser.js("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert (
            browser.js("return getComputedStyle(document.querySelector('rect.s1')).printColorAdjust")
            == "exact"
        )
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
