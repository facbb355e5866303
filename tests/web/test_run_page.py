"""Values of a run that are kept until its file changes."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from simsa.errors import RunError
from simsa.store.labels import Labels
from simsa.web import run_page
from simsa.web.labeling import LabelingDesk
from simsa.web.query import QuestionFilter
from simsa.web.run_page import RunPage
from tests.support.criteria import CRITERIA
from tests.support.report_runs import BASE, BETTER, make_run
from tests.support.view_server import until


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_run(tmp_path / "run", {"base": BASE, "better": BETTER}, measured=False)


def test_reading_a_run_computes_nothing_again(folder: Path) -> None:
    run = RunPage(folder, None)
    first, listed = run.progress(), run.positions(QuestionFilter(sort="total"))
    run._last_stamp = (0.0, None)
    assert run.filter({}) == QuestionFilter(a=1)
    assert run.progress() is first
    assert run.positions(QuestionFilter(sort="total", page=3)) is listed, (
        "pages of a list share its positions"
    )


def test_a_change_of_the_run_is_seen(folder: Path) -> None:
    run = RunPage(folder, None)
    assert run.progress().planned == 32
    make_run(folder, {"base": BASE[:4], "better": BETTER[:4]}, measured=False)
    until(lambda: run.progress().planned == 8)
    assert run.filter({"variant": "better"}).variant == 1


def test_the_summary_is_computed_once_for_many_readers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    gate = threading.Event()

    def summary(*_: object, **__: object) -> object:
        calls.append(1)
        assert gate.wait(10)
        return object()

    monkeypatch.setattr("simsa.report.summary", summary)
    run = RunPage(folder, None)
    assert run.summary.get(0) is None
    assert run.summary.is_computing
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(run.summary.get())) for _ in range(8)]
    for thread in threads:
        thread.start()
    gate.set()
    for thread in threads:
        thread.join()
    assert (len(calls), len({id(one) for one in found}), len(found)) == (1, 1, 8)
    assert not run.summary.is_computing


def test_a_reader_gets_the_last_summary_while_the_next_is_computed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_page, "_REST_FACTOR", 0.0)
    run = RunPage(folder, None)
    first = run.summary.get()
    assert first is not None
    make_run(folder, {"base": BASE[:4]}, measured=False)
    run._last_stamp = (0.0, None)
    assert run.summary.get() is first
    until(lambda: (found := run.summary.get()) is not None and len(found.variants) == 1)


def test_a_failure_is_raised_and_the_next_reader_tries_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunPage(folder, None)
    with monkeypatch.context() as patch:
        patch.setattr("simsa.report.summary", lambda *_, **__: (_ for _ in ()).throw(RunError("gone")))
        with pytest.raises(RunError, match="gone"):
            run.summary.get()
    assert run.summary.get() is not None


def test_new_labels_are_seen_at_once(folder: Path) -> None:
    run = RunPage(folder, "en")
    assert run.agreement() is None
    LabelingDesk(folder).draw(8, 0)
    assert run.agreement() is None, "drawn, but nothing labelled yet"
    for n in (1, 2):
        with Labels(folder) as labels:
            labels.score("지우", labels.items("지우")[n], CRITERIA[0], 3)
        found = run.agreement()
        assert found is not None
        assert found.n_answers == n
        assert len(run.positions(QuestionFilter(labelled="yes"))) in (1, n)
    assert run.agreement() is found, "nothing has changed"


def test_the_place_of_a_question_is_that_in_its_list(folder: Path) -> None:
    run = RunPage(folder, None)
    ask = QuestionFilter(ids="q3,q5,q9", down=True)
    assert [run.place(name, ask) for name in ("q9", "q5", "q3", "q4", "none")] == [0, 1, 2, None, None]
    assert [row.id for row in run.page(ask, 1, 2).rows] == ["q5", "q3"]
