"""What a person does with the page, in real Chromium."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote

import pytest

from simsa.cli.main import run
from simsa.records import Passage, Question
from simsa.store import Store
from simsa.store.labels import Labels, read
from tests.support.browser import PAYLOADS, REFUSED, Browser, is_quiet, needs_browser
from tests.support.criteria import CRITERIA
from tests.support.keyboard import missed_by_tab, unlit
from tests.support.report_runs import make_run, question
from tests.support.view_server import Viewing, until

pytestmark = [needs_browser, pytest.mark.timeout(120)]

N = 60
BASE = [(1 + i % 5, 2, 3, 4) if i % 9 else "refused" for i in range(N)]
LORA = [(5, 1 + i % 3, 3, 4) if i % 7 else "unreadable" for i in range(N)]
SAID = {
    "base": [f"별빛마을 {i}호라고 하고 다른 말도 합니다 [[ref1]]" for i in range(N)],
    "lora": [f"하늘 언덕 {i}" for i in range(N)],
}


def make(folder: Path, **more: object) -> Path:
    facts: dict[str, object] = {"predictions": SAID, "language": "ko"}
    return make_run(folder, {"base": BASE, "lora": LORA}, **(facts | more))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    path = tmp_path_factory.mktemp("runs")
    later = {"id": "later", "created": "2026-12-01T00:00:00+00:00", "data_hash": "da7a"}
    return make(path / "first.simsa"), make(path / "second.simsa", run=later)


@pytest.fixture(scope="module")
def view(folders: tuple[Path, Path]) -> Iterator[Viewing]:
    with Viewing(*folders) as viewing:
        yield viewing


def test_open_sort_filter_search_and_compare(browser: Browser, view: Viewing) -> None:
    browser.open(view.address)
    assert browser.address.endswith("/runs")
    until(lambda: browser.all("tbody a.row"))
    browser.click("tbody a.row")
    browser.sees(".verdict", "lora가 base보다")
    browser.click(".tabs a[href$=questions]")
    browser.sees("[role=status]", "60문항")

    browser.click("thead th:last-child a")  # largest difference first
    until(lambda: "sort=diff" in browser.address)
    shown = [int(text.replace("−", "-")) for text in browser.texts("td.number > :not(.who)") if text]
    assert shown == sorted(shown, reverse=True)
    assert browser.one("th[aria-sort=descending]").text.startswith("lora − base")

    browser.click("select[name=diff] option[value=lower]")
    browser.click(".filter button")
    until(lambda: "diff=lower" in browser.address)
    lower = [int(text.replace("−", "-")) for text in browser.texts("td.number > :not(.who)") if text]
    assert lower
    assert max(lower) < 0

    browser.open(f"{view.address}0/questions")
    browser.keys("/", '"하늘 언덕 1"', "\ue007")
    until(lambda: "search=" in browser.address)
    assert browser.value("input[type=search]") == '"하늘 언덕 1"'
    browser.sees("[role=status]", "11문항")  # 1 and 10 to 19
    browser.keys("j", "j", "k", "\ue007")
    browser.sees("h1", "1번 마을의 이름은")

    assert browser.texts(".answer:first-child mark.same") == ["별빛마을 1호"]
    assert "하늘 언덕" in browser.text(".answer:last-child ins")
    assert browser.texts(".passage mark.used") == ["별빛마을 1호A"]
    assert browser.all(".passage.cited")
    browser.keys("2")
    assert browser.focused().startswith("Blora")
    assert browser.one(".answer del").is_displayed()
    underlined = "return getComputedStyle(document.querySelector('.answer ins')).textDecorationLine"
    assert browser.js(underlined) == "underline"
    browser.keys("d")
    assert browser.js(underlined) == "none"
    assert not browser.one(".answer del").is_displayed()
    browser.keys("j")
    browser.sees("h1", "10번 마을의 이름은")  # the next one of the list that was asked for


def test_raw_requests_and_metrics_are_there_when_asked_for(browser: Browser, view: Viewing) -> None:
    browser.open(f"{view.address}0/question?id=q1")
    section = browser.one(".answer")
    assert "KorQuAD EM" not in section.text
    section.find_element("css selector", "summary").click()
    assert "KorQuAD EM" in section.text
    assert "심사 응답 원문" in section.text


def test_a_bar_leads_to_its_questions(browser: Browser, view: Viewing) -> None:
    browser.open(f"{view.address}0/")
    until(lambda: browser.all(".levels a"))
    link = browser.one('.levels a[href*="variant=base"][href*="answer_correctness"]')
    n = link.text.partition("×")[2]
    link.click()
    browser.sees("[role=status]", f"{n}문항")


def test_a_cell_leads_to_its_questions_and_a_chip_back(browser: Browser, view: Viewing) -> None:
    browser.open(f"{view.address}0/")
    until(lambda: browser.all(".meet td a"))
    cell = browser.one(".meet .better.w5 a")
    n = cell.text
    assert f": {n}문항" in cell.get_attribute("aria-label")
    cell.click()
    browser.sees("[role=status]", f"{n}문항")
    assert set(browser.texts("td.number .good")) >= {"+1"} or browser.all("td.number .good")
    assert [text.split()[:2] for text in browser.texts(".on a")] == [["lora", "점수"], ["base", "점수"]]
    browser.click(".on a")
    until(lambda: len(browser.all(".on a")) == 1)
    browser.click(".further summary")
    browser.click("select[name=said] option[value=same]")
    browser.click(".further button")
    browser.sees("main", "조건에 맞는 문항이 없습니다")
    assert any("답변이 같음" in text for text in browser.texts(".on a"))


def test_runs_over_time_join_what_may_be_compared(browser: Browser, view: Viewing) -> None:
    browser.open(f"{view.address}runs")
    until(lambda: browser.all(".history polyline"))
    assert len(browser.all(".history polyline")) == 2
    assert [len(points.get_attribute("points").split()) for points in browser.all(".history polyline")] == [
        2,
        2,
    ]
    assert browser.texts(".legend li") == ["base", "lora"]
    browser.click(".choices a[href$=answer_correctness]")
    assert browser.texts(".choices a[aria-current]") == ["답변 정확성"]


def test_many_runs_fit_into_the_head_and_the_picture(browser: Browser, folders: tuple[Path, Path]) -> None:
    with Viewing(*folders * 4) as viewing:
        browser.open(f"{viewing.address}runs")
        until(lambda: not browser.all("meta[http-equiv=refresh]"), s=60)
        assert len(browser.all("tbody tr")) == 8
        labels = browser.js(
            "return [...document.querySelectorAll('.history text[text-anchor=middle]')]"
            ".map((e) => e.getBoundingClientRect()).map((e) => [e.left, e.right])"
        )
        assert len(labels) == 4
        assert all(one[1] < other[0] for one, other in pairwise(labels)), "names of runs hide each other"
        for width in (1280, 800, 390):
            browser.size(width)
            browser.open(f"{viewing.address}7/questions")
            assert browser.js("return document.querySelector('header').offsetHeight") < 160
            assert browser.overflow() == []
            seen = browser.js(
                "const one = document.querySelector('.runs [aria-current]').getBoundingClientRect(),"
                "all = document.querySelector('.runs').getBoundingClientRect();"
                "return one.left >= all.left - 1 && one.right <= all.right + 1"
            )
            assert seen, "the run that is shown is out of sight"


def at_desk(browser: Browser, at: int) -> None:
    """Waits until answer `at` lies on the desk and its script has run."""
    until(lambda: browser.value("input[name=at]") == str(at) and browser.all(".criterion.current"))


def sit_down(browser: Browser, viewing: Viewing, name: str, n: int | None = None) -> None:
    browser.open(f"{viewing.address}0/label")
    if n is not None:
        browser.fill("input[name=n]", str(n))
    browser.fill("input[name=name]", name + "\ue007")
    at_desk(browser, 1)


def pressed(browser: Browser) -> int:
    return len(browser.all("button[aria-pressed=true]"))


def score_by_keyboard(browser: Browser, n: int) -> list[str]:
    """Labels answers one after another, the scores told by their number. Returns what was seen."""
    seen = []
    for i in range(n):
        seen.append(browser.text(".said-here .text"))
        for k in range(4):
            browser.keys(str(1 + (i + k) % 5))
        until(lambda: pressed(browser) == 4)
        if i + 1 < n:
            at = int(browser.value("input[name=at]"))
            browser.keys("j")
            at_desk(browser, at + 1)
    return seen


def test_label_twenty_by_keyboard_while_the_server_is_killed(browser: Browser, tmp_path: Path) -> None:
    folder = make(tmp_path / "run.simsa")
    with Viewing(folder) as viewing:
        sit_down(browser, viewing, "지우", 20)
        source = browser.driver.page_source
        assert "lora" not in source
        assert ">base<" not in source
        first = score_by_keyboard(browser, 10)
        assert len(read(folder)) == 10

        browser.keys("j")
        at_desk(browser, 11)
        viewing.kill()
        browser.keys("3")
        browser.sees("#state", "아직 저장되지 않았으며")
        assert not pressed(browser), "shown as given before it was on disk"
        assert len(read(folder)) == 10
        viewing.start()
        until(lambda: pressed(browser))
        assert [label.scores for label in read(folder) if len(label.scores) < len(CRITERIA)] == [
            {CRITERIA[0]: 3}
        ]

        viewing.kill()
        viewing.start()
        browser.open(f"{viewing.address}0/label")
        at_desk(browser, 11)
        assert browser.text("#done") == "20개 중 10개 완료"
        assert pressed(browser) == 1
        browser.keys("\ue013", "0")
        until(lambda: not pressed(browser))
        second = score_by_keyboard(browser, 10)
        assert "모두 완료했습니다" not in browser.text("#state")
        assert [message for message in browser.console() if REFUSED not in message] == []
        assert len(set(first + second)) == 20
        labels = read(folder)
        assert len(labels) == 20
        assert all(len(label.scores) == len(CRITERIA) and label.annotator == "지우" for label in labels)

        browser.click(".tabs a[href$=calibration]")
        browser.sees("main", "답변 20개 · 지우")
        assert browser.all(".confusion")
    assert run(["calibrate", str(folder), "--json"]) == 0


def test_undo_comment_and_help(browser: Browser, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = make(tmp_path / "run.simsa")
    with Viewing(folder) as viewing:
        sit_down(browser, viewing, "하늘")
        browser.keys("4")
        until(lambda: pressed(browser) == 1)
        assert browser.one(".criterion.current").get_attribute("data-criterion") == CRITERIA[1]
        browser.keys("\ue013", "5")  # up again
        until(lambda: browser.all(f'button[value="{CRITERIA[0]}:5"][aria-pressed=true]'))
        browser.keys("u")
        until(lambda: browser.all(f'button[value="{CRITERIA[0]}:4"][aria-pressed=true]'))
        browser.keys("c", "애매함 1 2 u j", "\ue00c")
        until(lambda: [label.comment for label in read(folder)] == ["애매함 1 2 u j"])
        assert [label.scores for label in read(folder)] == [{CRITERIA[0]: 4}]
        browser.keys("?")
        assert "실행 취소" in browser.text("dialog")
        browser.keys("5")
        browser.keys("\ue00c")
        assert not browser.one("dialog").is_displayed()
        assert [label.scores for label in read(folder)] == [{CRITERIA[0]: 4}], "a key in the dialog scored"


def test_the_desk_works_without_script(browser: Browser, tmp_path: Path) -> None:
    folder = make(tmp_path / "run.simsa")
    browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        with Viewing(folder) as viewing:
            browser.open(f"{viewing.address}0/label")
            browser.fill("input[name=name]", "하늘")
            browser.click("form.begin button")
            until(lambda: browser.all("#desk"))
            browser.click(f'button[value="{CRITERIA[2]}:2"]')
            until(lambda: pressed(browser) == 1)
            browser.click("#undo")
            until(lambda: not pressed(browser))
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


@pytest.fixture(scope="module")
def labelled(folders: tuple[Path, Path]) -> Path:
    folder = folders[0]
    with Store.read(folder) as store:
        answers = list(store.db.execute("SELECT question_id, variant, request_hash FROM plan"))
    with Labels(folder) as labels:
        labels.take(answers[:40])
        for name in ("지우", "하늘"):
            for n, item in enumerate(labels.items(name)[:36]):
                for k, criterion in enumerate(CRITERIA):
                    labels.score(name, item, criterion, 1 + (n + k) % 5)
    return folder


PAGES = (
    "runs",
    "0/",
    "0/questions?low=5&search=마을",
    "0/questions?said=same&ids=q1&status=refused",
    "0/question?id=q1",
    "0/label",
    "0/calibration",
    "1/label",
)


@pytest.mark.parametrize("path", PAGES)
def test_nothing_serious_to_say_for_axe(browser: Browser, view: Viewing, labelled: Path, path: str) -> None:
    browser.open(view.address + path)
    if path == "0/label":
        browser.driver.add_cookie({"name": "simsa-annotator", "value": quote("지우")})
        browser.open(view.address + path)
        browser.keys("3")
        until(lambda: pressed(browser))
    until(lambda: not browser.all("meta[http-equiv=refresh]"))
    for details in browser.all("details:not([open])"):
        browser.js("arguments[0].open = true", details)
    for scheme in ("light", "dark"):
        browser.scheme(scheme)
        assert browser.violations() == []
    browser.size(390)
    assert browser.violations() == []
    assert browser.overflow() == []
    browser.keys("?")
    assert browser.violations() == []


@pytest.mark.parametrize("path", [*PAGES, "0/question?id=q2&n=2", "1/questions"])
def test_everything_can_be_reached_by_keyboard(
    browser: Browser, view: Viewing, labelled: Path, path: str
) -> None:
    browser.open(view.address + path)
    if path == "0/label":
        browser.driver.add_cookie({"name": "simsa-annotator", "value": quote("지우")})
        browser.open(view.address + path)
    until(lambda: not browser.all("meta[http-equiv=refresh]"))
    browser.js("for (const one of document.querySelectorAll('details')) one.open = true")
    assert missed_by_tab(browser) == []
    assert unlit(browser) == []


def test_what_a_page_keeps_from_the_keyboard_is_found(browser: Browser) -> None:
    browser.open(
        "data:text/html,<title>t</title><a href=x>a</a><button style=outline:none>b</button>"
        "<button tabindex=-1>c</button><details><summary>d</summary><button>e</button></details>"
    )
    assert missed_by_tab(browser) == ['<button tabindex="-1">c</button>']
    assert unlit(browser) == ['<button style="outline:none">b</button>']


def test_the_first_tab_leads_past_the_head(browser: Browser, view: Viewing) -> None:
    browser.open(f"{view.address}0/questions")
    browser.keys("\ue004")
    assert browser.focused() == "본문으로"
    browser.keys("\ue007")
    assert browser.js("return document.activeElement.id") == "content"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewing]:
    asked = [
        Question(
            id=f"q{n}",
            question=text[:3000],
            contexts=(Passage(text, title=text[:200]), Passage(text)),
            reference=(text,),
            type=text[:50],
            citations=(1,),
        )
        for n, text in enumerate(PAYLOADS)
    ]
    names = ("<b onclick=alert(1)>base</b>", "lora\"'><script>window.hacked=7</script>")
    verdicts = {name: [(1 + (i + k) % 5, 2, 3, 4) for i in range(len(asked))] for k, name in enumerate(names)}
    path = tmp_path_factory.mktemp("hostile") / "<script>hacked=8<"
    folder = make_run(
        path,
        verdicts,
        questions=asked,
        predictions={name: list(PAYLOADS) for name in names},
        analysis="\n".join(PAYLOADS[:8]),
        figures={"chrf": 0.5},
        language="ko",
        judge={"model": "<img src=x onerror=hacked=9>", "rubric": PAYLOADS[0], "mode": "joint", "key": "k"},
    )
    with Viewing(folder) as viewing:
        yield viewing


def test_hostile_rows_do_nothing(browser: Browser, hostile: Viewing) -> None:
    for path in ("0/", "0/questions", "0/questions?search=" + quote(PAYLOADS[2]), "runs", "0/calibration"):
        browser.open(hostile.address + path)
        until(lambda: not browser.all("meta[http-equiv=refresh]"), s=60)
        is_quiet(browser)
    browser.size(390)
    browser.open(f"{hostile.address}0/questions")
    names = "[...document.querySelectorAll('.list tbody .who')]"
    assert browser.js(f"return {names}.every((e) => e.scrollWidth <= e.clientWidth + 1)")
    for width, some in ((1280, range(len(PAYLOADS))), (390, range(4, 10))):
        browser.size(width)
        for n in some:
            browser.open(f"{hostile.address}0/question?id=q{n}")
            browser.js("for (const one of document.querySelectorAll('details')) one.open = true")
            is_quiet(browser)
            assert browser.overflow() == []
            assert browser.all(".answers > section")


def test_hostile_rows_can_be_labelled(browser: Browser, hostile: Viewing) -> None:
    sit_down(browser, hostile, "<script>hacked=10</script>")
    at, n = 1, 2 * len(PAYLOADS)
    for at in range(1, n, 4):
        browser.open(f"{hostile.address}0/label?at={at}")
        is_quiet(browser)
        browser.keys("5")
        until(lambda: pressed(browser))
    browser.keys("c", PAYLOADS[4], "\ue00c")
    browser.sees("#state", "저장됨")
    browser.open(f"{hostile.address}0/label?at={at}")
    assert browser.value("textarea") == PAYLOADS[4]
    is_quiet(browser)
    browser.open(f"{hostile.address}0/calibration")
    is_quiet(browser)


def test_a_cut_text_can_be_read_as_a_whole(browser: Browser, hostile: Viewing) -> None:
    n = PAYLOADS.index("길" * 1_000_000)
    browser.open(f"{hostile.address}0/question?id=q{n}")
    browser.one(".answer a[href^=text]").click()
    assert browser.js("return document.contentType") == "text/plain"
    assert browser.js("return document.body.textContent.length") == 1_000_000


def test_a_run_that_grows_is_shown_as_it_is(browser: Browser, tmp_path: Path) -> None:
    folder = make_run(
        tmp_path / "run",
        {"base": BASE[:5], "lora": LORA[:5]},
        questions=[question(i) for i in range(N)],
        language="ko",
    )
    with Viewing(folder) as viewing:
        browser.open(f"{viewing.address}0/questions?status=scored")
        before = browser.text("[role=status]")
        browser.open(f"{viewing.address}0/")
        browser.sees(".going", "진행")
        make(folder)

        def has_grown() -> bool:
            browser.open(f"{viewing.address}0/questions?status=scored")
            return browser.text("[role=status]") != before

        until(has_grown)


def test_an_open_page_counts_along_with_its_run(browser: Browser, tmp_path: Path) -> None:
    asked = [question(i) for i in range(N)]
    folder = make_run(
        tmp_path / "run",
        {"base": BASE[:5], "lora": LORA[:5]},
        questions=asked,
        predictions=SAID,
        language="ko",
    )
    with Viewing(folder) as viewing:
        browser.open(f"{viewing.address}0/questions")
        browser.sees(".going", "심사 10 / 120")
        assert not browser.one(".going a").is_displayed()
        make(folder)
        browser.sees(".going", "심사 120 / 120")
        browser.click(".going a")
        until(lambda: not browser.all(".going"))
        assert len(browser.all("td.answer .chip")) > 40


def test_agreement_is_kept_for_the_reports(
    browser: Browser, view: Viewing, labelled: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    browser.open(f"{view.address}0/calibration")
    browser.one("form[action=calibration] button").click()
    browser.sees("main", "보고서에 표시됩니다")
    assert run(["report", str(labelled), "--format", "json"]) == 0
    notes = json.loads(capfd.readouterr().out)["notes"]
    assert any("κ" in note["text"] for note in notes)
