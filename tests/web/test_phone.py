"""The labelling desk in a hand, and several answers by keyboard: in real Chromium."""

from __future__ import annotations

from pathlib import Path

import pytest

from simsa.records import Passage
from simsa.store.labels import read
from tests.support.browser import Browser, needs_browser
from tests.support.criteria import CRITERIA
from tests.support.report_runs import BASE, BETTER, answer_again, make_run, question
from tests.support.view_server import Viewing, until

pytestmark = [needs_browser, pytest.mark.timeout(120)]

LONG = "도서관은 언덕 위에 있고 아침 아홉 시에 엽니다. " * 40
IN_SIGHT = """
const [selector, whole] = arguments, height = innerHeight;
return [...document.querySelectorAll(selector)].map((e) => {
  const { top, bottom, left, right } = e.getBoundingClientRect();
  const there = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
  return top >= 0 && bottom <= height && left >= 0 && right <= innerWidth && e.contains(there);
});
"""


@pytest.fixture
def desk(tmp_path: Path, browser: Browser) -> object:
    asked = [
        question(
            n, contexts=tuple(Passage(f"{k}번째. {LONG}", title=f"문서 {k}" if k else "") for k in range(6))
        )
        for n in range(4)
    ]
    folder = make_run(tmp_path / "run.simsa", {"base": BASE[:4]}, questions=asked, language="ko")
    with Viewing(folder) as viewing:
        browser.open(f"{viewing.address}0/label")
        browser.fill("input[name=name]", "하늘")
        browser.size(390, 844)
        browser.click("form.begin button")
        until(lambda: browser.all("#desk"))
        yield folder


def in_sight(browser: Browser, selector: str) -> list[bool]:
    found: list[bool] = browser.js(IN_SIGHT, selector)
    return found


def test_scores_stay_in_reach_on_a_phone(browser: Browser, desk: Path) -> None:
    buttons = ".criterion button[name=set]"
    assert in_sight(browser, buttons) == [True] * 20
    assert in_sight(browser, ".said-here") == [True], "with the answer that is to be scored"
    assert not browser.all("details.passage[open]")
    assert browser.texts(".passage summary")[1] == "2문서 1"
    assert browser.texts(".passage summary")[0].startswith("10번째. 도서관은")
    for passage in browser.all("details.passage"):
        browser.js("arguments[0].open = true", passage)
    for place in (0, 400, 3000):
        browser.js("scrollTo(0, arguments[0])", place)
        assert in_sight(browser, buttons) == [True] * 20, place
    assert browser.overflow() == []
    heights = browser.js("return document.querySelector('.scoring').offsetHeight")
    assert heights < 844 / 3, "most of the screen is left for reading"
    for button in browser.all(buttons):
        assert min(button.size["width"], button.size["height"]) >= 24, "a finger can meet it"


def test_a_phone_scores_reads_a_level_and_goes_on(browser: Browser, desk: Path) -> None:
    for n, criterion in enumerate(CRITERIA):
        browser.click(f'button[value="{criterion}:{n + 1}"]')
    until(lambda: [label.scores for label in read(desk)] == [{c: n + 1 for n, c in enumerate(CRITERIA)}])
    assert not browser.one(".meaning").is_displayed()
    browser.click(f"[data-criterion={CRITERIA[3]}] .ask summary")
    meanings = browser.all(f"[data-criterion={CRITERIA[3]}] .meaning")
    assert [one.is_displayed() for one in meanings] == [True] * 5
    assert browser.violations() == []
    meanings[4].click()
    until(lambda: read(desk)[0].scores[CRITERIA[3]] == 5)
    browser.click(".onward a:last-child")
    until(lambda: "at=2" in browser.address)
    assert browser.text(".onward span") == "2 / 4"
    assert browser.violations() == []


def test_wide_windows_have_the_passages_open_and_the_scores_beside_them(browser: Browser, desk: Path) -> None:
    browser.size(1280)
    browser.open(browser.address)
    assert len(browser.all("details.passage[open]")) == 6
    assert not browser.one(".onward").is_displayed()
    form, text = browser.one(".judging").rect, browser.one(".material").rect
    assert form["x"] >= text["x"] + text["width"]


def test_several_answers_by_keyboard(browser: Browser, tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run.simsa", {"base": BASE[:3], "lora": BETTER[:3]}, language="ko")
    again = [[(1, 1, 1, 1)] * 3, [(5, 5, 5, 5)] * 3]
    answer_again(folder, {"base": again, "lora": again})
    with Viewing(folder) as viewing:
        browser.open(f"{viewing.address}0/question?id=q1")
        browser.sees("#A .text", "base 1번 답")
        browser.keys("]")
        browser.sees("#A .text", "base 1번 또 다른 답 1")
        browser.keys("]")
        browser.sees("#A .text", "base 1번 또 다른 답 2")
        browser.keys("]", "2", "]")
        browser.sees("#B .text", "lora 1번 또 다른 답 1")
        browser.sees("#A .text", "base 1번 또 다른 답 2")
        browser.keys("[")
        browser.sees("#B .text", "lora 1번 답")
        assert browser.texts("#A .turns [aria-current]") == ["3 · 20"]
        browser.keys("?")
        assert "이전·다음 답변" in browser.text("dialog")
        browser.keys("\ue00c")
        for width in (1280, 390):
            browser.size(width)
            assert browser.overflow() == []
            assert browser.violations() == []
        browser.keys("j")
        browser.sees("h1", "2번 마을의 이름은")
