"""Every filter of the list, through its address: what fits, what is said of it, and what to loosen when nothing does."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlencode

import pytest

from simsa.i18n.messages import words
from simsa.report import summary
from simsa.report.contingency import cells, pair
from simsa.report.format import labels
from simsa.store import Store
from simsa.web.active_filters import MAX_COLUMNS, ActiveFilter, active_filters, columns, filter_suggestions
from simsa.web.query import QuestionFilter
from tests.support.criteria import CRITERIA
from tests.support.report_runs import answer_again, make_run, question
from tests.support.view_server import Viewing, until
from tests.support.visitor import Visitor

N = 12
HOSTILE = "<script>alert(1)</script>\u202e{{7*7}}"
BASE = [(1 + n % 5, 2, 3, 4) if n != 7 else "refused" for n in range(N)]
LORA = [(1 + n % 3, 3, 3, 5) for n in range(N)]
SAID: dict[str, Sequence[str | None]] = {
    "base": ["같은 답"] * 6 + ["다른 답", None] + ["제공된 문서에서 답을 찾을 수 없습니다."] * 4,
    "lora": ["같은 답"] * 6 + ["또 다른 답", "답"] + ["별빛마을입니다."] * 4,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    asked = [question(n, cluster=f"문서 {n // 4}") for n in range(N)]
    folder = make_run(
        tmp_path_factory.mktemp("run") / "run",
        {"base": BASE, "lora": LORA, "early": LORA},
        questions=asked,
        predictions={**SAID, "early": [HOSTILE] * N},
    )
    with Store.create(folder) as store:
        store.db.execute(
            "UPDATE answers SET finish_reason = 'length' WHERE request_hash IN ('lora/q3', 'base/q4')"
        )
        store.db.execute("UPDATE answers SET finish_reason = ? WHERE request_hash = 'early/q5'", (HOSTILE,))
    return folder


@pytest.fixture(scope="module")
def view(folder: Path) -> Iterator[Viewing]:
    with Viewing(folder) as viewing:
        yield viewing


def ids(page: str) -> list[str]:
    return re.findall(r'class="row"[^>]*href="question\?[^"]*\bid=(q\d+)', page)


def texts(page: str, selector: str) -> list[str]:
    """What the links of the list of this class say, and where they lead."""
    found = re.search(rf'<ul class="{selector}"[^>]*>(.*?)</ul>', page, re.S)
    return re.findall(r">([^<>]+?) <span aria-hidden", found[1]) if found else []


@pytest.mark.parametrize(
    ("query", "expected", "said"),
    [
        ("said=same", [0, 1, 2, 3, 4, 5], ["same answers: lora, base"]),
        ("said=differs", [6, 8, 9, 10, 11], ["different answers: lora, base"]),
        ("said=same&a=early&b=lora", [], ["same answers: early, lora"]),
        ("finish=length", [3, 4], ["finish reason: length"]),
        ("finish=length&variant=base", [4], ["finish reason: length", "variant: base"]),
        ("finish=unheard-of", [], ["finish reason: unheard-of"]),
        ("refused=yes", [8, 9, 10, 11], ["abstention: abstained"]),
        ("refused=yes&variant=lora", [], ["variant: lora", "abstention: abstained"]),
        ("refused=no&variant=base", [0, 1, 2, 3, 4, 5, 6], ["variant: base", "abstention: answered"]),
        ("labelled=no", [*range(N)], ["label: no"]),
        ("cluster=문서 1", [4, 5, 6, 7], ["document: 문서 1"]),
        ("cluster=문서", [], ["document: 문서"]),
        ("ids=q3", [3], ["question id: q3"]),
        ("ids=q3, q11 q1,none", [1, 3, 11], ["question id: q3, q11 q1,none"]),
        ("ids=q1*", [1, 10, 11], ["question id: q1*"]),
        ("ids=%", [], ["question id: %"]),
        ("ids=*", [*range(N)], ["question id: *"]),
        ("metric=contains_reference&mlow=1&variant=base", [], ["variant: base", "contains reference ≥ 1"]),
        (
            "metric=contains_reference&mhigh=0&variant=lora",
            [*range(N)],
            ["variant: lora", "contains reference ≤ 0"],
        ),
        ("metric=none_such&mlow=0", [], ["none_such ≥ 0"]),
        ("metric=chrf", [*range(N)], []),
        (
            "criterion=answer_correctness&alow=2&ahigh=2&blow=2&bhigh=2&a=lora&b=base",
            [1],
            ["lora score = 2", "base score = 2", "criterion: answer correctness"],
        ),
        ("alow=13&bhigh=10", [5, 10], ["lora score ≥ 13", "base score ≤ 10"]),
        (
            "a=lora&b=base&diff=higher&type=no_answer",
            [0, 2, 6, 8, 10],
            ["type: no_answer", "lora − base: higher"],
        ),
        ("search=같은 -문서", [0, 1, 2, 3, 4, 5], ["Search: 같은 -문서"]),
        ("search=-답", [], ["Search: -답"]),
    ],
)
def test_a_filter_finds_its_questions_and_says_what_it_is(
    view: Viewing, query: str, expected: list[int], said: Sequence[str]
) -> None:
    given = dict(part.split("=", 1) for part in query.split("&"))
    page = Visitor(view.address).get(f"0/questions?{urlencode(given)}").text
    assert ids(page) == [f"q{n}" for n in expected]
    assert sorted(map(html.unescape, texts(page, "on"))) == sorted(said)


def test_a_question_leads_to_those_on_its_document(view: Viewing) -> None:
    visitor = Visitor(view.address)
    assert len(ids(visitor.get("0/questions").text)) == N
    page = visitor.get("0/question?id=q6").text
    [link] = re.findall(r'href="(questions\?cluster=[^"]*)">questions on the same document<', page)
    assert ids(visitor.get(f"0/{link}").text) == ["q4", "q5", "q6", "q7"]


def test_each_chip_takes_its_own_filter_away(view: Viewing) -> None:
    visitor = Visitor(view.address)
    query = (
        "type=no_answer&said=same&finish=length&variant=base&low=5&metric=chrf&mlow=0&ids=q*&sort=diff&down=1"
    )
    page = visitor.get(f"0/questions?{query}").text
    links = re.findall(r'<li><a href="\?([^"]*)">', page[page.index('<ul class="on"') :])
    assert len(texts(page, "on")) == 7 == len(links)
    for link in links:
        less = visitor.get(f"0/questions?{html.unescape(link)}").text
        assert set(texts(less, "on")) < set(texts(page, "on"))
        assert len(texts(less, "on")) == 6
        assert "sort=diff" in link, "the order stays"


def test_nothing_found_says_what_to_loosen(view: Viewing) -> None:
    asked = urlencode({"cluster": "문서 1", "ids": "q5,q0", "status": "no_prediction"})
    page = Visitor(view.address).get(f"0/questions?{asked}").text
    assert ids(page) == []
    tail = page[page.index("No questions match.") :]
    assert re.findall(r">([^<]* \(\d+ questions?\))<", tail) == [
        "question id: q5,q0 (1 questions)",
        "status: no answer (1 questions)",
    ]
    assert "document" not in tail, "without the document there is still nothing"
    alone = Visitor(view.address).get("0/questions?ids=none").text
    assert "question id: none (12 questions)" in alone


def test_what_cannot_be_counted_in_time_is_named_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simsa.web.active_filters._PATIENCE_S", -1)
    found = filter_suggestions(
        [ActiveFilter("x", QuestionFilter()), ActiveFilter("y", QuestionFilter())], lambda ask: 0
    )
    assert [(one.chip.text, one.n) for one in found] == [("x", None), ("y", None)]


def test_the_form_holds_what_is_asked_and_loses_nothing(view: Viewing) -> None:
    asked = {
        "search": "답", "type": "no_answer", "status": "scored", "variant": "base", "criterion": "context_recall",
        "low": "1", "high": "5", "a": "early", "b": "base", "diff": "higher", "alow": "1", "ahigh": "5", "blow": "2",
        "bhigh": "4", "said": "differs", "metric": "chrf", "mlow": "0.5", "mhigh": "100.0", "finish": "stop",
        "refused": "no", "labelled": "no", "cluster": "문서 1", "ids": "q*", "sort": "diff", "down": "1", "of": "lora",
    }  # fmt: skip
    page = Visitor(view.address).get("0/questions?" + urlencode(asked)).text
    form = page[page.index("<form") : page.index("</form>")]
    sent = dict(re.findall(r'<input[^>]*name="(\w+)"[^>]*value="([^"]*)"', form))
    for name, options in re.findall(r'<select name="(\w+)">(.*?)</select>', form, re.S):
        sent[name] = re.findall(r'value="([^"]*)" selected', options)[0]
    assert {name: sent[name] for name in asked} == asked


def test_hostile_reasons_and_filters_stay_text(view: Viewing) -> None:
    visitor = Visitor(view.address)
    for name in ("finish", "cluster", "ids", "metric", "search"):
        page = visitor.get(f"0/questions?{urlencode({name: HOSTILE, 'mlow': 0})}").text
        assert "<script>alert" not in page
        assert "\u202e" not in page
        assert "{{7*7}}" in page
    assert ids(visitor.get(f"0/questions?{urlencode({'finish': HOSTILE})}").text) == ["q5"]
    for query in (
        "show=none&show=%00",
        "mlow=nan&metric=chrf",
        "alow=-1&bhigh=x",
        "said=x",
        "ids=" + "*" * 300,
    ):
        assert visitor.get(f"0/questions?{query}").status == 200


def test_labels_are_found_as_soon_as_they_are_there(folder: Path, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", {"base": BASE, "lora": LORA}, measured=False)
    with Viewing(run) as viewing:
        visitor = Visitor(viewing.address)
        assert ids(visitor.get("0/questions?labelled=yes").text) == []
        page = visitor.sit_down("하늘", n=24)
        visitor.score(page, "context_recall", 4)
        [labelled] = ids(visitor.get("0/questions?labelled=yes").text)
        found = {
            name: ids(visitor.get(f"0/questions?labelled=yes&variant={name}").text)
            for name in ("base", "lora")
        }
        others = ids(visitor.get("0/questions?labelled=no").text)
    assert sorted(found.values()) == [[], [labelled]], "of one variant's answer"
    assert len(others) == N - 1
    assert labelled not in others


def test_several_answers_count_each(tmp_path: Path) -> None:
    run = make_run(
        tmp_path / "run",
        {"base": BASE[:3], "lora": LORA[:3]},
        predictions={"base": ["가", "나", "다"], "lora": ["가", "나", "다"]},
        measured=False,
    )
    answer_again(
        run,
        {"base": [[(1, 1, 1, 1)] * 3], "lora": [[(1, 1, 1, 1)] * 3]},
        {"base": [["라", "마", "바"]], "lora": [["라", "ㅁ", "바"]]},
    )
    with Store.create(run) as store:
        store.db.execute("UPDATE answers SET finish_reason = 'length' WHERE request_hash = 'base/q2/1'")
    with Viewing(run) as viewing:
        visitor = Visitor(viewing.address)
        assert ids(visitor.get("0/questions?said=same").text) == ["q0", "q2"], "all answers are the same"
        assert ids(visitor.get("0/questions?finish=length").text) == ["q2"], "one answer was cut off"
        assert "abstention" not in visitor.get("0/questions").text, "nothing was measured"


def test_cells_lead_to_just_their_questions(view: Viewing, folder: Path) -> None:
    visitor = Visitor(view.address)
    until(lambda: 'class="meet"' in visitor.get("0/").text)
    page = visitor.get("0/?a=lora&b=base").text
    with Store.read(folder) as store:
        found = pair(summary(store, n_examples=0).heads, "lora", "base")
    drawn = re.findall(r'<a href="questions\?([^"]*)" aria-label="([^"]*)">([\d,]+)</a>', page)
    counted = [n for head in found for _, row in cells(head) for cell in row if (n := cell.n)]
    assert [int(n) for _, _, n in drawn] == counted
    for link, name, n in drawn:
        fitting = ids(visitor.get(f"0/questions?{html.unescape(link)}").text)
        assert len(fitting) == int(n), name
        assert re.fullmatch(rf"lora [\d–]+, base [\d–]+: {n} questions", name)
    for head, sums in zip(found, re.findall(r"<figcaption.*?</figcaption>", page, re.S), strict=True):
        for link, n in re.findall(r'href="questions\?([^"]*)">(\d+) ', sums):
            assert len(ids(visitor.get(f"0/questions?{html.unescape(link)}").text)) == int(n)
        assert f"{head.wins} better" in sums
        assert "Without a score and in no cell: lora 0, base 1, both 0" in sums


def test_any_two_variants_can_stand_head_to_head(view: Viewing) -> None:
    visitor = Visitor(view.address)
    until(lambda: 'class="meet"' in visitor.get("0/").text)
    usual, other = visitor.get("0/").text, visitor.get("0/?a=early&b=lora").text
    assert re.findall(r'<option value="(\w+)" selected', usual) == ["lora", "base"]
    assert re.findall(r'<option value="(\w+)" selected', other) == ["early", "lora"]
    assert 'aria-label="early 9–12, lora 9–12: ' in other
    same = visitor.get("0/?a=lora&b=lora").text
    assert "No question is scored for both variants" in same


def test_a_run_of_one_variant_meets_nobody(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", {"base": BASE}, measured=False)
    with Viewing(run) as viewing:
        visitor = Visitor(viewing.address)
        until(lambda: "bars" in visitor.get("0/").text)
        assert "Head to head" not in visitor.get("0/").text
        assert ids(visitor.get("0/questions?alow=13&blow=13&said=same&diff=same").text) == [
            "q3",
            "q4",
            "q8",
            "q9",
        ]


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewing]:
    run = make_run(
        tmp_path_factory.mktemp("wide") / "run",
        {f"v{n}": BASE for n in range(12)},
        measured=False,
        baseline="v7",
    )
    with Viewing(run) as viewing:
        yield viewing


def heads_of(page: str) -> list[str]:
    head = re.search(r"<thead.*?</thead>", page, re.S)
    assert head is not None
    return re.findall(r">(v\d+)<", head[0])


def test_of_many_variants_four_are_shown_and_others_can_be_chosen(wide: Viewing) -> None:
    visitor = Visitor(wide.address)
    page = visitor.get("0/questions").text
    assert heads_of(page) == ["v0", "v1", "v2", "v7"], "the baseline, the pair, the next"
    assert "4 of 12 variants are shown" in page
    chosen = visitor.get("0/questions?show=v11&show=v3&show=nobody").text
    assert heads_of(chosen) == ["v3", "v11"]
    assert re.findall(r'name="show" value="(v\d+)" checked', chosen) == ["v3", "v11"]
    assert "show=v3&amp;show=v11" in re.findall(r'href="(questions\.csv[^"]*)"', chosen)[0]
    assert "v9: total" in visitor.get("0/questions.csv?show=v11").text, "the file has all"
    assert (
        "variants are shown"
        not in visitor.get("0/questions?" + "&".join(f"show=v{n}" for n in range(12))).text
    )


def test_columns_are_the_baseline_the_pair_and_the_next() -> None:
    assert columns(QuestionFilter(a=5, b=9), 12, baseline=3) == [0, 3, 5, 9]
    assert columns(QuestionFilter(a=1, b=0), 3, baseline=0) == [0, 1, 2]
    assert columns(QuestionFilter(show=(4,)), 12, baseline=0) == [4]
    assert columns(QuestionFilter(), 0, baseline=0) == []
    assert len(columns(QuestionFilter(a=1), 100, baseline=0)) == MAX_COLUMNS


@pytest.mark.parametrize("language", ["ko", "en"])
def test_every_filter_has_words_in_both_languages(language: str) -> None:
    ask = QuestionFilter(
        search="x", type="t", status="refused", variant=0, criterion=CRITERIA[0], low=1, high=2, a=1, diff="same",
        alow=1, bhigh=3, said="differs", metric="chrf", mlow=0.25, mhigh=0.25, finish="length", refused="no",
        labelled="yes", cluster="c", ids="q",
    )  # fmt: skip
    found = active_filters(ask, ("base", "모델"), words(language, "page"), labels(language))  # type: ignore[arg-type]
    assert len(found) == 16
    assert len({chip.text for chip in found}) == 16
    assert "chrF = 0.25" in [chip.text for chip in found]
    if language == "ko":
        assert "모델과 base의 답변이 다름" in [chip.text for chip in found]
