"""From the draw to the flag in the report: labels given in the page's desk, over HTTP as a browser would."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simsa.cli.main import run
from simsa.judge_eval.calibration import calibrate, judged_by_run
from simsa.judge_eval.label_files import read_labels
from simsa.judge_eval.sampling import choose
from simsa.stats import agree, stratified_mean
from simsa.store import Store, results
from simsa.store.labels import Labels, read, weights
from simsa.web.labeling import LabelingDesk
from tests.support.criteria import CRITERIA
from tests.support.report_runs import Scored, make_run
from tests.support.view_server import Viewing
from tests.support.visitor import Reply, Visitor, field

N = 80
FIRST, _, THIRD, _ = CRITERIA


def scores(seed: int, kind: float) -> list[Scored]:
    """A judge's verdicts: mostly low, so that high totals are rare."""
    random = np.random.default_rng(seed)
    drawn = random.choice([1, 2, 3, 4, 5], (N, 4), p=[0.4, 0.3, 0.15, 0.1, 0.05])
    return [tuple(int(min(5, score + (random.random() < kind))) for score in row) for row in drawn]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_run(tmp_path / "run", {"base": scores(1, 0), "lora": scores(2, 0.4)}, measured=False)


def person(judged: int, place: int) -> int:
    """What somebody says who is a little stricter than the judge, and sometimes another way."""
    return min(5, max(1, judged - (place % 3 == 0) + (place % 7 == 0)))


def label_all(visitor: Visitor, folder: Path, opinion: Any) -> int:
    """Goes through the sample answer by answer, as the page leads: a click a criterion. Returns how many there were."""
    with Store.read(folder) as store:
        given = {(r.question_id, r.variant): r.scores for r in results(store)}
    with Labels(folder) as labels:
        key_of = {item.place: (item.question_id, item.variant) for item in labels.items("")}
    page: Reply = visitor.get("0/label")
    for step in range(1, len(key_of) + 1):
        place = int(field(page, "place"))
        for criterion in CRITERIA:
            said = visitor.score(page, criterion, opinion(given[key_of[place]][criterion], place))
            assert json.loads(said.text)["n"] == len(key_of)
        page = visitor.get("0/label")  # leads on to the first that is open
        assert json.loads(said.text)["done"] == step
    return len(key_of)


def label_at_once(folder: Path, opinion: Any, criteria: tuple[str, ...]) -> None:
    """The same without the clicks."""
    with Store.read(folder) as store:
        given = {(r.question_id, r.variant): r.scores for r in results(store)}
    with Labels(folder) as labels:
        for item in labels.items("지우"):
            for criterion in criteria:
                judged = given[item.question_id, item.variant][criterion]
                labels.score("지우", item, criterion, opinion(judged, item.place))


def reported(folder: Path, capfd: pytest.CaptureFixture[str]) -> dict[str, str]:
    capfd.readouterr()
    assert run(["report", str(folder), "--format", "json"]) == 0
    return {note["kind"]: note["text"] for note in json.loads(capfd.readouterr().out)["notes"]}


def calibrated(folder: Path, capfd: pytest.CaptureFixture[str], *argv: str) -> dict[str, Any]:
    capfd.readouterr()
    assert run(["calibrate", str(folder), *argv, "--json"]) == 0
    document: dict[str, Any] = json.loads(capfd.readouterr().out)
    return document


@pytest.mark.parametrize("agrees", [True, False])
def test_from_the_draw_to_the_flag(folder: Path, capfd: pytest.CaptureFixture[str], agrees: bool) -> None:
    """The command needs no file: it finds what the page has kept, and every report says what it showed."""
    assert not {"calibrated", "weak_judge"} & reported(folder, capfd).keys()
    dice = np.random.default_rng(1)
    with Viewing(folder) as view:
        visitor = Visitor(view.address)
        visitor.sit_down("지우", 32)
        said = person if agrees else (lambda judged, place: int(dice.integers(1, 6)))
        if agrees:
            label_at_once(folder, said, CRITERIA)
        else:
            assert label_all(visitor, folder, said) == 32
        document = calibrated(folder, capfd)
        shown = visitor.get("0/calibration").text
    found = document["criteria"][FIRST]
    assert (found["n_labels"], document["annotators"]) == (32, ["지우"])
    assert found["standing"] == ("passed" if agrees else "weak")
    assert f">{found['quadratic_kappa']:.2f}<".replace("-", "−") in shown
    notes = reported(folder, capfd)
    assert ("calibrated" in notes, "weak_judge" in notes) == (agrees, not agrees)
    assert (
        f"{found['quadratic_kappa']:.2f}".replace("-", "−") in notes["calibrated" if agrees else "weak_judge"]
    )


def test_a_draw_by_strata_is_labelled_at_the_desk_and_its_weights_count(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with Store.read(folder) as store:
        drawn = {(c.question_id, c.variant): c.weight for c in choose(store, 64, stratified=True, seed=5)}
        judged = judged_by_run(store)
    assert len(set(drawn.values())) > 1
    with Viewing(folder) as view:
        visitor = Visitor(view.address)
        visitor.get("0/label")
        visitor.post("0/label/begin", {"name": "지우", "n": "64", "seed": "5", "how": "stratified"})
        assert {answer[:2]: weight for answer, weight in weights(folder).items()} == drawn
        label_at_once(folder, person, (FIRST, THIRD))
        texts = {kind: visitor.get(f"0/label/labels.{kind}").text for kind in ("csv", "jsonl")}
    document = calibrated(folder, capfd)
    said = {(label.question_id, label.variant): label.scores for label in read(folder)}
    for criterion in (FIRST, THIRD):
        found = document["criteria"][criterion]
        keys = sorted(said)
        labels, scored = (
            [said[k][criterion] for k in keys],
            [judged.scores[k[1]][criterion][k[0]] for k in keys],
        )
        expected = agree(
            labels, [int(s or 0) for s in scored], range(1, 6), weights=[drawn[k] or 0 for k in keys]
        )
        assert found["quadratic_kappa"] == pytest.approx(expected.quadratic_kappa)
        assert found["bias"] == pytest.approx(expected.bias)
        assert found["bias"] != pytest.approx(np.mean(np.subtract(np.array(scored, float), labels)), abs=1e-3)
        for variant in ("base", "lora"):
            own = {q: float(of[criterion]) for (q, v), of in said.items() if v == variant}
            all_scores = [s for s in judged.scores[variant][criterion].values() if s is not None]
            mean = stratified_mean(own, {q: drawn[q, variant] or 0 for q in own}, all_scores)
            assert found["corrected"][variant]["mean"] == pytest.approx(mean.mean)
            assert found["corrected"][variant]["ci95"] == pytest.approx(mean.ci95)
    assert any("stratified" in note for note in document["notes"])
    for kind, text in texts.items():
        file = tmp_path / f"labels.{kind}"
        file.write_text(text, encoding="utf-8")
        assert calibrated(folder, capfd, "--labels", str(file))["criteria"] == document["criteria"]
    rows = list(csv.DictReader(texts["csv"].splitlines()))
    assert {float(row["weight"]) for row in rows} == set(drawn.values())


def test_weighted_labels_show_what_all_labels_would(folder: Path) -> None:
    """Agreement and means of the weighted sample are those of labelling everything, within their intervals."""
    with Store.read(folder) as store:
        judged = judged_by_run(store)
    desk = LabelingDesk(folder)
    assert desk.draw(100, 2, stratified=True) == 100
    with Labels(folder) as labels:
        for item in labels.items("지우"):
            given = judged.scores[item.variant][FIRST][item.question_id]
            labels.score("지우", item, FIRST, person(int(given or 0), int(item.question_id[1:])))
    found = calibrate(judged, read_labels(folder, judged.answers, judged.criteria)).criteria[FIRST]
    everything = {
        v: {q: person(int(s or 0), int(q[1:])) for q, s in judged.scores[v][FIRST].items()}
        for v in ("base", "lora")
    }
    pairs = [
        (label, int(judged.scores[v][FIRST][q] or 0))
        for v, of in everything.items()
        for q, label in of.items()
    ]
    whole = agree([a for a, _ in pairs], [b for _, b in pairs], range(1, 6))
    for name in ("quadratic_kappa", "exact", "mae", "bias", "spearman"):
        low, high = found.agreement.intervals[name]
        assert low <= getattr(whole, name) <= high, name
    for variant, of in everything.items():
        low, high = found.corrected[variant].ci95 or (9, 9)
        assert low <= np.mean(list(of.values())) <= high
