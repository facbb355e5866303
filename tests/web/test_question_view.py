"""The page of one question: who said what, what was cited, and a way back to each part of it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from simsa.records import Judgement, Passage
from simsa.store import Store, SubJudgement
from simsa.web.question_view import PanelScore, cited_passage, letter, question_details, whole_text
from tests.support.criteria import CRITERIA
from tests.support.report_runs import make_run, question
from tests.support.view_server import Viewing
from tests.support.visitor import Visitor

ALL = dict(zip(CRITERIA, (5, 4, 3, 2), strict=True))


def said(key: str, scores: dict[str, int] | None = None, status: str = "scored") -> Judgement:
    return Judgement(key, key, "rag-ko@1", status, ALL if scores is None else scores, "말", f'["{key}"]')  # type: ignore[arg-type]


def judge(folder: Path, parts: list[tuple[str, str]], *made: tuple[Judgement, list[SubJudgement]]) -> None:
    """Gives the first variant's answer to q0 a verdict made of `parts`."""

    async def work() -> None:
        async with store.writing():
            for one, voices in made:
                await store.add_judgement(one, voices)
            answered = next(row for row in store.unjudged("another", 0, 99, ()) if row.question.id == "q0")
            await store.add_verdict(answered, "k", parts)

    with Store.create(folder) as store:
        asyncio.run(work())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    asked = [
        question(0, contexts=(Passage("하나"), Passage("둘", title="둘째")), citations=(2,)),
        question(1),
    ]
    answers: dict[str, list[str | None]] = {
        "base": ["별빛 [[ref1]] 그리고 [[ref2, ref3]] [[ref9]]", "답"],
        "lora": ["다른 답", None],
    }
    return make_run(
        tmp_path / "run",
        {"base": [(1, 1, 1, 1)] * 2, "lora": [None] * 2},
        questions=asked,
        predictions=answers,
    )


def heard(folder: Path, variant: str = "base") -> list[PanelScore]:
    with Store.read(folder) as store:
        found = question_details(store, "q0")
    assert found is not None
    return next(answer.panel for answer in found.answers if answer.result.variant == variant)


def panel(folder: Path) -> None:
    refused = said("c", {}, "refused")
    voices = [SubJudgement("member", name, name) for name in "abc"]
    lower = {**ALL, CRITERIA[0]: 1}
    judge(
        folder,
        [("joint", "whole")],
        (said("a"), []),
        (said("b", lower), []),
        (refused, []),
        (said("whole"), voices),
    )


def test_each_of_a_panel_is_heard(folder: Path) -> None:
    assert heard(folder) == []
    panel(folder)
    assert [(one.member, one.repeat, one.status, one.total) for one in heard(folder)] == [
        ("a", None, "scored", 14),
        ("b", None, "scored", 10),
        ("c", None, "refused", None),
    ]
    assert heard(folder, "lora") == []


def test_parts_of_a_verdict_are_put_together(folder: Path) -> None:
    first, second = dict(list(ALL.items())[:2]), dict(list(ALL.items())[2:])
    made: list[tuple[Judgement, list[SubJudgement]]] = []
    for part, scores in (("one", first), ("two", second)):
        made += [(said(f"{part}{n}", scores), []) for n in range(2)]
        made.append((said(part, scores), [SubJudgement("repeat", str(n), f"{part}{n}") for n in range(2)]))
    judge(folder, [("one", "one"), ("two", "two")], *made)
    assert heard(folder) == [PanelScore("", 1, "scored", ALL, 14), PanelScore("", 2, "scored", ALL, 14)]


def test_one_part_that_failed_says_why(folder: Path) -> None:
    first = dict(list(ALL.items())[:2])
    judge(
        folder,
        [("one", "one"), ("two", "two")],
        (said("one0", first), []),
        (said("two0", {}, "truncated"), []),
        (said("one", first), [SubJudgement("repeat", "0", "one0")]),
        (said("two", {}, "truncated"), [SubJudgement("repeat", "0", "two0")]),
    )
    [only] = heard(folder)
    assert (only.status, only.total) == ("truncated", None)


@pytest.fixture
def view(folder: Path) -> Iterator[Viewing]:
    panel(folder)
    with Viewing(folder) as viewing:
        yield viewing


def test_the_page_shows_a_row_for_each_judge(view: Viewing) -> None:
    page = Visitor(view.address).get("0/question?id=q0").text
    assert page.count("Scores by judge (3)</summary>") == 1
    rows = re.findall(r'<tr><th scope="row">([abc])</th>(.*?)</tr>', page)
    assert [(name, re.findall(r"<td[^>]*>([^<]*)</td>", cells)) for name, cells in rows] == [
        ("a", ["5", "4", "3", "2", "14"]),
        ("b", ["1", "4", "3", "2", "10"]),
        ("c", ["judge refused"]),
    ]


def test_every_answer_and_passage_has_an_address(view: Viewing) -> None:
    page = Visitor(view.address).get("0/question?id=q0").text
    assert re.findall(r'<section id="(\w)"', page) == ["A", "B"]
    assert re.findall(r'<article id="(p\d)"', page) == ["p1", "p2"]
    names = re.findall(r'\bid="([^"]+)"', page)
    assert len(names) == len(set(names)), "an address leads to one place"
    targets = re.findall(r'href="#([^"]+)"', page)
    assert set(targets) <= set(names)
    # Passages 3 and 9 are not there: the marker that names 2 too leads to that.
    assert re.findall(r'class="cite" href="#(p\d)">([^<]+)<', page) == [
        ("p1", "[[ref1]]"),
        ("p2", "[[ref2, ref3]]"),
    ]
    assert '<span class="cite">[[ref9]]</span>' in page


@pytest.mark.parametrize(
    ("text", "n", "expected"),
    [
        ("[[ref1]]", 3, 1),
        ("[[ref3]]", 2, None),
        ("[[ref0]]", 2, None),
        ("[[ref5, ref2]]", 3, 2),
        ("none", 3, None),
    ],
)
def test_a_marker_leads_to_a_passage_that_is_there(text: str, n: int, expected: int | None) -> None:
    assert cited_passage(text, n) == expected


def test_letters_do_not_run_out() -> None:
    names = [letter(n) for n in range(80)]
    assert names[:3] == ["A", "B", "C"]
    assert names[26:28] == ["A2", "B2"]
    assert len(set(names)) == 80


@pytest.mark.parametrize(
    ("part", "name", "expected"),
    [
        ("answer", "lora", "다른 답"),
        ("passage", "1", "둘"),
        ("passage", "2", None),
        ("passage", "-1", None),
        ("reference", "0", "별빛마을 0호"),
        ("reference", "x", None),
        ("raw", "base", "{}"),
        ("raw", "nobody", None),
        ("answer", "nobody", None),
        ("config", "", None),
    ],
)
def test_a_whole_text_is_one_of_the_question(
    folder: Path, part: str, name: str, expected: str | None
) -> None:
    with Store.read(folder) as store:
        assert whole_text(store, "q0", part, name) == expected
        assert whole_text(store, "nowhere", part, name) is None
        assert question_details(store, "nowhere") is None
