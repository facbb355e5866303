"""The labelling desk, asked over HTTP: what it keeps, what it hides, and what it refuses."""

from __future__ import annotations

import csv
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from simsa.cli.main import run
from simsa.judge_eval import sampling
from simsa.judge_eval.calibration import judged_by_run
from simsa.judge_eval.label_files import read_labels
from simsa.records import Prediction
from simsa.store import Planned, Store
from simsa.store.labels import Draw, Labels, read, weights
from simsa.web.labeling import LabelChange, LabelingDesk, guide
from tests.support.criteria import CRITERIA
from tests.support.report_runs import BASE, BETTER, make_run, question
from tests.support.view_server import Viewing
from tests.support.visitor import Visitor, field

FIRST = CRITERIA[0]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_run(tmp_path / "run", {"base": BASE, "better": BETTER}, measured=False)


@pytest.fixture
def view(folder: Path) -> Iterator[Viewing]:
    with Viewing(folder) as viewing:
        yield viewing


def test_the_draw_is_that_of_the_command(folder: Path, view: Viewing) -> None:
    Visitor(view.address).sit_down("지우", 12, seed=7)
    with Store.read(folder) as store:
        drawn = [row.code for row in sampling.draw_sample(store, 12, seed=7)]
        answers = judged_by_run(store).answers
    with Labels(folder) as labels:
        items = sorted(labels.items("지우"))
    assert [answers.code((item.question_id, item.variant)) for item in items] == drawn


def test_a_page_tells_nothing_of_the_variant(folder: Path, view: Viewing) -> None:
    visitor = Visitor(view.address)
    visitor.sit_down("지우", 32)
    with Store.read(folder) as store:
        said = dict(
            store.db.execute("SELECT prediction, variant FROM plan JOIN answers USING (request_hash)")
        )
    for at in range(1, 33):
        page = visitor.get(f"0/label?at={at}").text
        shown = [text for text in said if f">{text}<" in page]
        assert len(shown) == 1
        page = page.replace(shown[0], "")
        assert "better" not in page
        assert "base" not in page


def test_a_score_is_on_disk_when_it_is_answered(folder: Path, view: Viewing) -> None:
    visitor = Visitor(view.address)
    page = visitor.sit_down("지우")
    assert page.address.endswith("/0/label")
    reply = visitor.score(page, FIRST, 4)
    assert json.loads(reply.text) == {"scores": {FIRST: 4}, "comment": "", "done": 0, "n": 10}
    view.kill()
    [label] = read(folder)
    assert (label.annotator, label.scores) == ("지우", {FIRST: 4})
    view.start()
    assert 'value="answer_correctness:4" aria-pressed="true"' in visitor.get("0/label").text


def test_without_script_a_click_leads_back_to_the_answer(view: Viewing) -> None:
    visitor = Visitor(view.address)
    page = visitor.sit_down("지우")
    fields = {name: field(page, name) for name in ("place", "seen", "at")}
    back = visitor.post("0/label/score", fields | {"set": f"{FIRST}:2"})
    assert back.address.endswith("/0/label?at=1")
    assert back.text.count('aria-pressed="true"') == 1
    undone = visitor.post("0/label/undo", {})
    assert undone.address.endswith("/0/label?at=1")
    assert 'aria-pressed="true"' not in undone.text
    assert visitor.post("0/label/undo", {}).status == 200


def test_everybody_has_labels_and_an_order_of_their_own(folder: Path, view: Viewing) -> None:
    people = {name: Visitor(view.address) for name in ("지우", "하늘 Kim", "<b>&\"'")}
    for score, (name, visitor) in enumerate(people.items(), 1):
        page = visitor.sit_down(name)
        visitor.score(page, FIRST, score)
        fields = {n: field(page, n) for n in ("place", "seen", "at")}
        visitor.post("0/label/comment", fields | {"comment": f" {name}의 메모 "})
    found = {label.annotator: label for label in read(folder)}
    assert {name: label.scores for name, label in found.items()} == {
        name: {FIRST: score} for score, name in enumerate(people, 1)
    }
    assert all(label.comment == f"{name}의 메모" for name, label in found.items())
    with Labels(folder) as labels:
        assert len({tuple(item.place for item in labels.items(name)) for name in people}) == 3


def test_another_person_can_sit_down(view: Viewing) -> None:
    visitor = Visitor(view.address)
    visitor.sit_down("지우")
    page = visitor.post("0/label/leave", {})
    assert 'name="name"' in page.text
    assert 'name="n"' not in page.text, "the sample stays"
    assert visitor.post("0/label/undo", {}).status == 403


def test_many_clicks_at_once_are_all_kept(folder: Path, view: Viewing) -> None:
    visitors = []
    for n in range(4):
        visitor = Visitor(view.address)
        page = visitor.sit_down(f"사람 {n}")
        visitors.append((visitor, page))

    def click(visitor: Visitor, page: object) -> None:
        for at in range(1, 9):
            page = visitor.get(f"0/label?at={at}")
            for k, criterion in enumerate(CRITERIA):
                assert visitor.score(page, criterion, 1 + (at + k) % 5).status == 200

    threads = [threading.Thread(target=click, args=one) for one in visitors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    labels = read(folder)
    assert len(labels) == 32
    assert all(label.scores.keys() == set(CRITERIA) for label in labels)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"set": "answer_correctness:6"}, 400),
        ({"set": "answer_correctness:0"}, 400),
        ({"set": "total:3"}, 400),
        ({"set": ""}, 400),
        ({"place": "99"}, 400),
        ({"place": "-1"}, 400),
        ({"place": "１"}, 400),
        ({"seen": "0" * 12}, 409),
    ],
)
def test_what_is_no_label_is_refused(
    folder: Path, view: Viewing, changes: dict[str, str], status: int
) -> None:
    visitor = Visitor(view.address)
    page = visitor.sit_down("지우")
    fields = {name: field(page, name) for name in ("place", "seen", "at")} | {"set": f"{FIRST}:3"}
    assert visitor.post("0/label/score", fields | changes).status == status
    assert read(folder) == []


def test_forms_of_other_sites_are_refused(folder: Path, view: Viewing) -> None:
    visitor = Visitor(view.address)
    page = visitor.sit_down("지우")
    fields = {name: field(page, name) for name in ("place", "seen", "at")} | {"set": f"{FIRST}:3"}
    send = visitor.post
    assert send("0/label/score", fields, origin="http://evil.example").status == 403
    assert send("0/label/score", fields, origin="null").status == 403
    assert send("0/label/score", fields, origin=None).status == 403
    assert send("0/label/score", fields | {"csrf": ""}).status == 403
    assert send("0/label/score", fields | {"csrf": "x" * 32}).status == 403
    assert send("0/label/score", fields, Host="evil.example").status == 421
    stranger = Visitor(view.address)
    assert stranger.post("0/label/begin", {"name": "지우", "n": "5", "seed": "0"}).status == 403
    for path in ("begin", "leave", "draw", "score", "comment", "undo"):
        assert visitor.get(f"0/label/{path}").status in (404, 405), "nothing changes by being looked at"
    assert read(folder) == []
    assert send("0/label/score", fields).status == 200


def test_cookies_are_not_for_scripts_or_other_sites(view: Viewing) -> None:
    visitor = Visitor(view.address)
    page = visitor.get("0/label")
    assert "HttpOnly" in page.headers["Set-Cookie"]
    assert "SameSite=Strict" in page.headers["Set-Cookie"]
    assert visitor.token
    assert Visitor(view.address).get("0/").headers["Set-Cookie"] != page.headers["Set-Cookie"]


def test_no_file_is_made_by_looking(folder: Path, view: Viewing) -> None:
    visitor = Visitor(view.address)
    for path in ("0/label", "0/calibration", "0/label/labels.csv", "0/label?at=3", "0/"):
        assert visitor.get(path).status == 200
    assert not (folder / "labels.sqlite").exists()


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_the_export_is_what_calibrate_reads(
    folder: Path, view: Viewing, tmp_path: Path, kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    visitor = Visitor(view.address)
    visitor.sit_down("=지우()", 32)
    for at in range(1, 33):
        page = visitor.get(f"0/label?at={at}")
        for k, criterion in enumerate(CRITERIA):
            visitor.score(page, criterion, 1 + (at + k) % 5)
    sent = visitor.get(f"0/label/labels.{kind}")
    assert f'filename="labels.{kind}"' in sent.headers["Content-Disposition"]
    file = tmp_path / f"labels.{kind}"
    file.write_text(sent.text, encoding="utf-8")
    if kind == "csv":
        assert next(csv.DictReader(sent.text.splitlines()))["annotator"] == "'=지우()"
    capfd.readouterr()
    assert run(["calibrate", str(folder), "--labels", str(file), "--json"]) == 0
    by_file = json.loads(capfd.readouterr().out)
    assert run(["calibrate", str(folder), "--json"]) == 0
    by_page = json.loads(capfd.readouterr().out)
    assert by_file["criteria"] == by_page["criteria"]
    shown = visitor.get("0/calibration").text
    kappa = by_page["criteria"][FIRST]["quadratic_kappa"]
    assert f">{kappa:.2f}<".replace("-", "−") in shown


def test_names_that_a_spreadsheet_would_run_find_their_way_back(tmp_path: Path) -> None:
    asked = [question(n) for n in range(4)]
    folder = make_run(
        tmp_path / "run", {"=base": BASE[:4], "-lora": BETTER[:4]}, questions=asked, measured=False
    )
    desk = LabelingDesk(folder)
    assert desk.draw(8, 0) == 8
    for at in range(8):
        sheet = desk.sheet("지우", at)
        assert sheet is not None
        desk.score("지우", sheet.place, sheet.seen, FIRST, 3)
    with Viewing(folder) as viewing:
        text = Visitor(viewing.address).get("0/label/labels.csv").text
    file = tmp_path / "labels.csv"
    file.write_text(text, encoding="utf-8")
    with Store.read(folder) as store:
        judged = judged_by_run(store)
    found = read_labels(file, judged.answers, judged.criteria)
    assert {label.answer for label in found.labels} == set(judged.answers)


def test_more_can_be_drawn_and_nothing_moves(folder: Path) -> None:
    desk = LabelingDesk(folder)
    assert not desk.is_set
    assert desk.draw(6, 3) == 6
    assert desk.is_set
    with Labels(folder) as labels:
        before = sorted(labels.items(""))
    assert desk.draw(12, 3) == 12
    with Labels(folder) as labels:
        assert sorted(labels.items(""))[:6] == before
    assert desk.draw(6, 3) == 12


def test_an_answer_that_has_changed_takes_no_label(folder: Path) -> None:
    desk = LabelingDesk(folder)
    desk.draw(4, 0)
    sheet = desk.sheet("지우", 0)
    assert sheet is not None
    key = sheet.label.question_id, sheet.label.variant
    with Store.create(folder) as store:
        planned = [
            Planned(*row) for row in store.db.execute("SELECT question_id, variant, request_hash FROM plan")
        ]
        store.set_plan(p._replace(request_hash="new") if p[:2] == key else p for p in planned)
    with pytest.raises(LabelChange):
        desk.score("지우", sheet.place, sheet.seen, FIRST, 3)
    gone = desk.sheet("지우", 0)
    assert gone is not None
    assert (gone.seen, gone.prediction) == ("", "")
    with Store.create(folder) as store:
        store.add_predictions([Prediction(*key, "다른 답", "new")])
    again = desk.sheet("지우", 0)
    assert again is not None
    assert again.prediction == "다른 답"
    desk.score("지우", again.place, again.seen, FIRST, 3)
    assert [label.answer_hash for label in read(folder)] == ["new"]


def test_the_desk_knows_what_is_left(folder: Path) -> None:
    desk = LabelingDesk(folder)
    desk.draw(4, 0)
    for at in (0, 2, 3):
        sheet = desk.sheet("지우", at)
        assert sheet is not None
        for criterion in CRITERIA:
            desk.score("지우", sheet.place, sheet.seen, criterion, 3)
    sheet = desk.sheet("지우")
    assert sheet is not None
    assert (sheet.at, sheet.n_done, sheet.next_open) == (1, 3, 1)
    assert desk.progress() == {"지우": 3}
    for criterion in CRITERIA:
        desk.score("지우", sheet.place, sheet.seen, criterion, 3)
    last = desk.sheet("지우")
    assert last is not None
    assert (last.at, last.next_open) == (3, None)
    assert desk.undo("지우") == 1
    assert desk.progress() == {"지우": 3}


@pytest.mark.parametrize(
    ("named", "language", "label"),
    [
        ("rag-en", "ko", "rag-en@"),
        ("gone.toml", "ko", "rag-ko@"),
        (None, "en", "rag-en@"),
        ("own.txt", "ko", "rag-ko@"),
    ],
)
def test_people_label_by_the_runs_own_rubric(
    tmp_path: Path, named: str | None, language: str, label: str
) -> None:
    (tmp_path / "own.txt").write_text("{question} {context} {prediction} {label}", encoding="utf-8")
    folder = make_run(
        tmp_path / "run", {"base": BASE}, measured=False, config={"judge": named and {"rubric": named}}
    )
    found, criteria = guide(folder, language)
    assert found.startswith(label)
    assert tuple(criterion.name for criterion in criteria) == CRITERIA
    assert all(len(criterion.levels) == 5 and all(criterion.levels.values()) for criterion in criteria)


SPREAD = [(1, 1, 2, 1), (2, 3, 2, 3), (4, 4, 3, 4), (5, 5, 5, 4)] * 8 + [(5, 5, 5, 5)] * 16
WORSE = [(1, 2, 1, 1), (2, 2, 3, 2), (3, 4, 4, 3), (5, 4, 5, 4)] * 8 + [(5, 5, 5, 4)] * 16


@pytest.fixture
def spread(tmp_path: Path) -> Path:
    return make_run(tmp_path / "spread", {"base": WORSE, "better": SPREAD}, measured=False, language="en")


def test_weights_reach_the_agreement_and_the_exports(
    spread: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with Viewing(spread) as viewing:
        visitor = Visitor(viewing.address)
        visitor.get("0/label")
        visitor.post("0/label/begin", {"name": "지우", "n": "64", "seed": "0", "how": "stratified"})
        for at in range(1, 65):
            visitor.score(visitor.get(f"0/label?at={at}"), FIRST, 1 + at % 5)
        shown = visitor.get("0/calibration").text
        for kind in ("csv", "jsonl"):
            text = visitor.get(f"0/label/labels.{kind}").text
            (tmp_path / f"labels.{kind}").write_text(text, encoding="utf-8")
    assert "stratified sample" in shown
    found = []
    for more in (
        [],
        ["--labels", str(tmp_path / "labels.csv")],
        ["--labels", str(tmp_path / "labels.jsonl")],
    ):
        capfd.readouterr()
        assert run(["calibrate", str(spread), *more, "--json"]) == 0
        found.append(json.loads(capfd.readouterr().out)["criteria"])
    assert found[0] == found[1] == found[2]
    mean = found[0][FIRST]["corrected"]["base"]["mean"]
    assert f"{mean:.2f}" in shown
    with Labels(spread) as labels:
        said, weight = labels.of("지우"), {answer[:2]: w for answer, w in labels.weights().items()}
    of_base = {key: label.scores[FIRST] for key, label in said.items() if key[1] == "base"}
    by_hand = sum(weight[key] * score for key, score in of_base.items()) / sum(weight[key] for key in of_base)
    assert mean == pytest.approx(by_hand)
    assert mean != pytest.approx(sum(of_base.values()) / len(of_base)), "the strata weigh nothing here"


def test_a_stratified_sample_is_drawn_on_as_it_was_begun(spread: Path) -> None:
    desk = LabelingDesk(spread)
    assert desk.draw(20, 4, stratified=True) == 20
    with Labels(spread) as labels:
        first, before = labels.weights(), sorted(labels.items(""))
    assert desk.draw(40, 99) == 40, "by its own seed, whatever the form says"
    with Labels(spread) as labels:
        assert sorted(labels.items(""))[:20] == before
        later = labels.weights()
    # What is drawn stands for every question of its stratum, before and after.
    assert sum(first.values()) == pytest.approx(sum(later.values())) == pytest.approx(2 * len(SPREAD))
    assert all(later[key] <= weight for key, weight in first.items())


def test_a_draw_too_small_for_its_strata_says_so_and_draws_nothing(spread: Path) -> None:
    with Viewing(spread) as viewing:
        visitor = Visitor(viewing.address)
        visitor.get("0/label")
        sent = {"name": "지우", "n": "8", "seed": "0", "how": "stratified"}
        refused = visitor.post("0/label/begin", sent)
        assert refused.status == 400
        assert "Too few answers for a stratified sample" in refused.text
        assert 'value="지우"' in refused.text
        assert not LabelingDesk(spread).is_set
        assert visitor.post("0/label/begin", sent | {"n": "40"}).status == 200
        assert LabelingDesk(spread).is_set


def test_a_stratified_sample_whose_scores_have_changed_is_not_drawn_on(spread: Path) -> None:
    desk = LabelingDesk(spread)
    desk.draw(24, 0, stratified=True)
    before = weights(spread)
    make_run(spread, {"base": SPREAD[::-1], "better": WORSE[::-1]}, measured=False, language="en")
    with Viewing(spread) as viewing:
        visitor = Visitor(viewing.address)
        visitor.sit_down("지우")
        assert "computes the weights again" in visitor.get("0/label").text
        refused = visitor.post("0/label/draw", {"n": "40", "seed": "0"})
    assert refused.status == 400
    assert "scores have changed" in refused.text
    assert weights(spread) == before


def test_another_kind_of_form_draws_uniformly(spread: Path) -> None:
    with Viewing(spread) as viewing:
        visitor = Visitor(viewing.address)
        assert "Stratified by the judge" in visitor.get("0/label").text
        visitor.post("0/label/begin", {"name": "지우", "n": "8", "seed": "2", "how": "<b>"})
        page = visitor.get("0/label").text
    assert 'name="seed" min="0" max="1000000000" value="2"' in page
    with Labels(spread) as labels:
        assert labels.how == Draw(2)
        assert labels.weights() == {}
