"""The page over a run whose rubric has criteria, scales and weights of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from simsa.records import Criteria, Criterion
from simsa.store import Store
from simsa.store.labels import read
from simsa.web.labeling import guide
from simsa.web.views import shades
from tests.support.report_runs import BASE, BETTER, make_run
from tests.support.rubrics import OWN_TOML
from tests.support.view_server import Viewing, until
from tests.support.visitor import Visitor

OWN = Criteria(
    (
        Criterion("accuracy", low=0, high=10, weight=0.5, title="정확도"),
        Criterion("grounded", low=0, high=1, weight=2, title="근거"),
        Criterion("tone", low=-2, high=2, in_total=False),
    )
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run with scores by these criteria; its rubric is no longer there."""
    folder = make_run(
        tmp_path / "run",
        {"base": BASE, "lora": BETTER},
        measured=False,
        criteria=OWN.to_list(),
        language="ko",
    )
    with Store.create(folder) as store:
        store.db.execute("DELETE FROM scores")
        for n in range(len(BASE)):
            for name, scores in (("base", (n % 11, n % 2, n % 5 - 2)), ("lora", (10, 1, -2))):
                rows = [
                    (f"judge {name}/q{n}", one.name, score) for one, score in zip(OWN, scores, strict=True)
                ]
                store.db.executemany("INSERT INTO scores VALUES (?,?,?)", rows)
    return folder


@pytest.fixture
def view(folder: Path) -> Iterator[Viewing]:
    with Viewing(folder) as viewing:
        yield viewing


def ids(page: str) -> list[str]:
    return re.findall(r'class="row"[^>]*href="question\?[^"]*\bid=(q\d+)', page)


def test_lists_filter_and_sort_by_any_criterion(view: Viewing) -> None:
    visitor = Visitor(view.address)
    page = visitor.get("0/questions").text
    assert re.findall(r'<option value="(\w+)"[^>]*>(?:총점|정확도|근거|tone)<', page) == ["total", *OWN.names]
    assert 'min="-2" max="10"' in page
    assert ids(visitor.get("0/questions?criterion=tone&variant=base&high=-2").text) == [
        "q0",
        "q5",
        "q10",
        "q15",
    ]
    assert ids(visitor.get("0/questions?criterion=accuracy&variant=base&low=9.5").text) == ["q10"]
    # A total is half of the accuracy and twice the grounding: at most 7.
    assert ids(visitor.get("0/questions?variant=base&low=6").text) == ["q9"]
    assert ids(visitor.get("0/questions?sort=total&of=base&down=1").text)[:3] == ["q9", "q7", "q10"]
    assert "정확도" in visitor.get("0/questions?criterion=accuracy").text


def test_a_question_shows_its_criteria_and_total(view: Viewing) -> None:
    page = Visitor(view.address).get("0/question?id=q9").text
    assert '<b class="chip l5">6.5</b><span class="quiet">/7</span>' in page
    assert re.findall(r'<li><span>([^<]+)</span> <b class="chip l(\d)">(-?\d+)</b>', page)[:3] == [
        ("정확도", "5", "9"),
        ("근거", "5", "1"),
        ("tone", "5", "2"),
    ]


def test_the_desk_has_a_button_for_each_level(folder: Path, view: Viewing) -> None:
    visitor = Visitor(view.address)
    page = visitor.sit_down("지우", 4)
    assert re.findall(r'name="set" value="accuracy:(\d+)"', page.text) == [str(n) for n in range(11)]
    assert re.findall(r'value="grounded:(\d)"[^>]*><b[^>]*>([^<]+)<', page.text) == [
        ("0", "아니요"),
        ("1", "예"),
    ]
    assert "<legend>정확도</legend>" in page.text
    for criterion, score, status in (
        ("accuracy", 10, 200),
        ("grounded", 0, 200),
        ("tone", -1, 200),
        ("tone", 3, 400),
    ):
        assert visitor.score(page, criterion, score).status == status
    [label] = read(folder)
    assert label.scores == {"accuracy": 10, "grounded": 0, "tone": -1}
    assert json.loads(visitor.score(page, "tone", 0).text)["done"] == 1
    rows = [json.loads(line) for line in visitor.get("0/label/labels.jsonl").text.splitlines()]
    assert [(row["accuracy"], row["grounded"], row["tone"]) for row in rows] == [(10, 0, 0)]
    assert visitor.get("0/calibration").status == 200


def test_the_csv_has_a_column_for_each_criterion(view: Viewing) -> None:
    head = Visitor(view.address).get("0/questions.csv").text.splitlines()[0]
    assert "base: accuracy,base: grounded,base: tone,base: total" in head


def test_the_desk_shows_the_texts_of_the_runs_rubric(tmp_path: Path) -> None:
    from simsa import rubrics

    (tmp_path / "own.toml").write_text(OWN_TOML, encoding="utf-8")
    own = rubrics.load("own.toml", tmp_path)
    folder = make_run(
        tmp_path / "run",
        {"base": BASE},
        measured=False,
        criteria=own.criteria.to_list(),
        config={"judge": {"rubric": "own.toml"}},
    )
    label, criteria = guide(folder, "en")
    assert label == own.label
    assert [one.name for one in criteria] == list(own.criteria.names)
    assert [list(one.levels) for one in criteria] == [list(one.levels) for one in own.criteria]
    assert all(one.ask for one in criteria)


def test_shades_follow_the_scale_of_each_criterion() -> None:
    shade = shades(OWN)
    assert [shade("accuracy", n) for n in (0, 1, 5, 10)] == [1, 2, 3, 5]
    assert [shade("grounded", n) for n in (0, 1)] == [1, 5]
    assert [shade("tone", n) for n in range(-2, 3)] == [1, 2, 3, 4, 5]
    assert [shade("total", n) for n in (0, 3.5, 7)] == [1, 4, 5]
    built_in = shades(Criteria(Criterion(name) for name in "abcd"))
    assert [built_in("total", n) for n in (4, 5, 8, 9, 12, 13, 16, 17, 20)] == [1, 2, 2, 3, 3, 4, 4, 5, 5]


def test_the_overview_has_the_runs_criteria(view: Viewing) -> None:
    visitor = Visitor(view.address)
    until(lambda: 'http-equiv="refresh"' not in visitor.get("0/").text)
    page = visitor.get("0/?a=lora&b=base").text
    assert "정확도" in page
    assert "criterion=accuracy" in page
    assert visitor.get("runs?criterion=accuracy").status == 200
