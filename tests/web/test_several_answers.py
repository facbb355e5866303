"""The page over a run whose questions were answered several times: means everywhere, every answer within reach."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest

from simsa.report import summary
from simsa.report.charts import level_bars
from simsa.store import Store
from tests.support.criteria import CRITERIA
from tests.support.report_runs import BASE, BETTER, Scored, answer_again, make_run
from tests.support.view_server import Viewing, until
from tests.support.visitor import Visitor

N = 16
LOWEST: list[Scored] = [(1, 1, 1, 1)] * N


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = make_run(tmp_path / "run", {"base": BASE, "better": BETTER}, measured=False)
    return answer_again(path, {name: [LOWEST, LOWEST] for name in ("base", "better")}, analysis="박한 분석")


def test_the_overview_has_the_questions_means(folder: Path) -> None:
    with Store.read(folder) as store:
        found = summary(store, "en")
    base, better = found.variants
    assert base.total is not None
    assert better.total is not None
    assert (base.n_samples, base.total.n) == (3, N)
    assert base.total.mean == pytest.approx((12 + 4 + 4) / 3)
    assert better.total.mean == pytest.approx((15.75 + 4 + 4) / 3)
    with Viewing(folder) as view:
        visitor = Visitor(view.address)
        until(lambda: "base 3, better 3" in visitor.get("0/").text)
        page = visitor.get("0/").text
    assert f"{base.total.mean:.1f}" in page
    assert f"{better.total.mean:.1f}" in page
    assert "base 3, better 3" in page


def chips(page: str, variant: str) -> str:
    """What the head of a variant's section says, and the switch below."""
    section = page[page.index(f'aria-label="{variant}" tabindex') :]
    return " ".join(re.sub(r"<[^>]+>", " ", section[: section.index("</nav>")]).split())


def test_a_question_shows_the_first_answer_and_the_way_to_the_others(folder: Path) -> None:
    with Viewing(folder) as view:
        page = Visitor(view.address).get("0/question?id=q3").text
    assert "base 3번 답" in page
    assert "또 다른 답" not in page
    assert "base 6.7 4–12 /20 1 · 12 2 · 4 3 · 4" in chips(page, "base")
    assert "better 8 4–16 /20 1 · 16 2 · 4 3 · 4" in chips(page, "better")
    assert "Totals of 3 answers: mean 6.7, range 4–12, sd 4.6" in page
    assert page.count('aria-current="true" aria-label="answer 1 of 3') == 2
    assert 'href="?id=q3&amp;answers=2.1#A"' in page
    assert 'href="?id=q3&amp;answers=1.3#B"' in page


def test_any_answer_has_an_address(folder: Path) -> None:
    with Viewing(folder) as view:
        page = Visitor(view.address).get("0/question?id=q3&n=3&answers=3.1").text
    assert "base 3번 또 다른 답 2" in page
    assert "better 3번 답" in page
    assert "박한 분석" in page
    assert "base 3번 답" not in page
    assert 'href="?id=q3&amp;n=3&amp;answers=3.2#B"' in page, "the other variant's stays"
    assert re.search(r'aria-current="true" aria-label="answer 3 of 3, total 4"', page)


@pytest.mark.parametrize("answers", ["", "0.9", "x", "1.1.1.1.1", "-1.2.", "99999999999999999999", "²"])
def test_an_address_that_makes_no_sense_shows_the_first(folder: Path, answers: str) -> None:
    from urllib.parse import quote

    with Viewing(folder) as view:
        reply = Visitor(view.address).get(f"0/question?id=q3&answers={quote(answers)}")
    assert reply.status == 200
    assert "base 3번 답" in reply.text


def test_the_list_has_means_and_ranges_and_goes_by_them(folder: Path) -> None:
    with Viewing(folder) as view:
        visitor = Visitor(view.address)

        def ids(query: str) -> list[str]:
            return re.findall(
                r'class="row"[^>]*href="question\?[^"]*id=(q\d+)', visitor.get(f"0/questions?{query}").text
            )

        page = visitor.get("0/questions").text
        assert '<b class="chip l2">6.7</b> <span class="quiet range">4–12</span>' in page
        assert '<span class="good">+1.3</span>' in page
        # base: 12, 8, 16, 12 for the first answers, so 20/3, 16/3, 8, 20/3.
        assert ids("variant=base&low=8") == ["q2", "q6", "q10", "q14"]
        assert ids("variant=base&high=6&variant=base") == ["q1", "q5", "q9", "q13"]
        assert ids("sort=total&of=base&down=1")[:4] == ["q2", "q6", "q10", "q14"]
        assert ids("sort=total&of=base")[:4] == ["q1", "q5", "q9", "q13"]
        assert len(ids("diff=lower&a=base&b=better")) == N
        assert ids("search=" + "%EB%98%90")[:2] == ["q0", "q1"], "what other answers say is found too"
        assert ids("criterion=context_recall&variant=better&low=2&high=3&sort=place")[:2] == ["q0", "q2"]


def test_a_status_is_found_on_any_answer(tmp_path: Path) -> None:
    path = make_run(tmp_path / "run", {"base": BASE[:3]}, measured=False)
    answer_again(
        path, {"base": [[(1, 1, 1, 1), "unreadable", (1, 1, 1, 1)], ["refused", "refused", (1, 1, 1, 1)]]}
    )
    with Viewing(path) as view:
        visitor = Visitor(view.address)
        until(lambda: "unreadable" in visitor.get("0/questions").text)
        found = {
            status: re.findall(r"id=(q\d)", visitor.get(f"0/questions?status={status}").text)
            for status in ("unreadable", "refused", "scored")
        }
        page = visitor.get("0/question?id=q1&answers=3").text
    assert found == {"unreadable": ["q1"], "refused": ["q0", "q1"], "scored": ["q0", "q1", "q2"]}
    assert "Totals of" not in page, "one total has no spread"
    assert re.search('aria-current="true" aria-label="answer 3 of 3, (?!total)', page)


def test_the_list_as_a_table_has_a_row_an_answer(folder: Path) -> None:
    with Viewing(folder) as view:
        visitor = Visitor(view.address)
        until(lambda: visitor.get("0/questions.csv?search=q3").status == 200)
        rows = list(csv.DictReader(io.StringIO(visitor.get("0/questions.csv?variant=base&high=6").text)))
    assert [(row["id"], row["sample"]) for row in rows][:4] == [
        ("q1", "0"),
        ("q1", "1"),
        ("q1", "2"),
        ("q5", "0"),
    ]
    assert [(row["base: total"], row["base: prediction"]) for row in rows[:2]] == [
        ("8", "base 1번 답"),
        ("4", "base 1번 또 다른 답 1"),
    ]


def test_a_long_answer_is_had_whole(tmp_path: Path) -> None:
    path = make_run(tmp_path / "run", {"base": BASE[:1]}, measured=False)
    answer_again(path, {"base": [[(1, 1, 1, 1)]]}, {"base": [["길" * 30_000]]})
    with Viewing(path) as view:
        visitor = Visitor(view.address)
        page = visitor.get("0/question?id=q0&answers=2").text
        link = re.search(r'href="(text\?[^"]*part=answer[^"]*)"', page)
        assert link is not None
        assert visitor.get("0/" + link[1].replace("&amp;", "&")).text == "길" * 30_000
        assert visitor.get("0/text?id=q0&part=answer&name=base").text == "base 0번 답"
        assert visitor.get("0/text?id=q0&part=answer&name=base&answer=7").status == 404


def test_bars_count_every_answer_and_lead_to_no_list_by_another_count(folder: Path) -> None:
    """A mean of 6.7 is no level, but each of the three answers has one."""
    with Store.read(folder) as store:
        found = level_bars(summary(store, "en"))
    assert [name for name, _ in found] == list(CRITERIA)
    for _, (base, better) in found:
        assert (base.n, better.n) == (3 * N, 3 * N)
        assert base.several and better.several
        assert sum(segment.n for segment in base.segments) == 3 * N
        assert (base.segments[0].level, base.segments[0].n) == (1, 2 * N)
    with Viewing(folder) as view:
        visitor = Visitor(view.address)
        until(lambda: "×32" in visitor.get("0/").text)
        page = visitor.get("0/").text
    assert page.count('<i class="key l1"></i>1<span>×32</span>') == 8
    assert "low=1&amp;high=1" not in page
