"""The page over a run whose questions were answered several times: means on the overview, the first answers below."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from simsa.labels import Labels
from simsa.records import Judgement, Prediction
from simsa.report import summary
from simsa.store import Planned, Store, results
from tests.report.runs import BASE, BETTER, make_run
from tests.web.serving import Viewing, until
from tests.web.visiting import Visitor

N = 16


async def answer_again(store: Store, scores: dict[str, int], samples: int) -> None:
    """Gives every question more answers, all with the same `scores`."""
    rows = list(results(store))
    planned = [Planned(r.question_id, r.variant, r.answer_hash) for r in rows]
    more = [
        p._replace(request_hash=f"{p.request_hash}/{n}", sample=n) for p in planned for n in range(1, samples)
    ]
    store.set_plan([*planned, *more])
    store.add_predictions(
        Prediction(p.question_id, p.variant, f"또 다른 답 {p.sample}", p.request_hash) for p in more
    )
    async with store.writing():
        for one in store.unjudged("k", 0, 1_000, ()):
            made = f"judge {one.answer_hash}"
            await store.add_judgement(Judgement(made, "gpt-4o", "rag-ko@1a2b3c4d", "scored", scores, "분석"))
            await store.add_verdict(one, "k", [("joint", made)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = make_run(tmp_path / "run", {"base": BASE, "better": BETTER}, measured=False)
    with Store.create(path) as store:
        scores = dict.fromkeys(
            ("answer_correctness", "context_relevance", "context_faithfulness", "context_recall"), 1
        )
        asyncio.run(answer_again(store, scores, 3))
    return path


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


def test_a_question_shows_its_first_answers(folder: Path) -> None:
    with Viewing(folder) as view:
        visitor = Visitor(view.address)
        page = visitor.get("0/question?id=q3").text
        listed = visitor.get("0/questions").text
    assert "base 3번 답" in page
    assert "better 3번 답" in page
    assert "또 다른 답" not in page
    assert "또 다른 답" not in listed


def test_people_label_first_answers(folder: Path) -> None:
    with Viewing(folder) as view:
        visitor = Visitor(view.address)
        first = visitor.sit_down("지우", 2 * N)
        assert "또 다른 답" not in first.text
        with Labels(folder) as labels:
            hashes = {item.answer_hash for item in labels.items("")}
    with Store.read(folder) as store:
        assert hashes == {row.answer_hash for row in results(store)}
