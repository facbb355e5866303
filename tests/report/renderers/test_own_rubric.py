"""Every format shows a rubric with criteria, scales and weights of a user's own."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from simsa import report
from simsa.exporters import inspect_log, ragas_rows, tracker_run
from simsa.records import Criteria, Criterion
from simsa.report import charts, tables
from simsa.report.format import labels, short_labels
from simsa.report.renderers import RENDERERS, RenderOptions
from simsa.store import Store
from tests.support.report_runs import Scored, make_run

OWN = Criteria(
    (
        Criterion("quality", 0, 10, weight=2, title="How good"),
        Criterion("fluency", 1, 4),
        Criterion("is_correct", 0, 1, weight=0.5, title="Correct"),
        Criterion("politeness", 1, 3, in_total=False, sees_prediction=True),
    )
)


def verdicts(shift: int) -> list[Scored]:
    return [
        {"quality": n % 5 + shift, "fluency": 1 + n % 3, "is_correct": n % 2, "politeness": 1 + n % 3}
        for n in range(20)
    ]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    scores = {"base": verdicts(0), "lora": verdicts(4)}
    return make_run(tmp_path_factory.mktemp("own") / "run", scores, criteria=OWN.to_list())


def rendered(run: Path, name: str) -> str:
    with Store.read(run) as store:
        made = RENDERERS[name].render(store, RenderOptions("en", width=120))
        return made if isinstance(made, str) else b"".join(made).decode()


@pytest.mark.parametrize("name", ["text", "md", "html"])
def test_reports_name_the_criteria_their_scales_and_the_highest_total(run: Path, name: str) -> None:
    shown = " ".join(rendered(run, name).replace("<wbr>", "").replace("\\", "").split())
    for text in ("How good (0–10)", "fluency (1–4)", "Correct (0–1)", "politeness (1–3)"):
        assert text in shown, text
    assert "lora is better than base" in shown
    assert "total of 24.5" in shown


def test_rows_have_a_column_for_each_criterion(run: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(rendered(run, "csv"), newline="")))
    assert [rows[0][name] for name in (*OWN.names, "total")] == ["0", "1", "0", "1", "1.0"]
    assert "answer_correctness" not in rows[0]
    with Store.read(run) as store:
        content = b"".join(RENDERERS["parquet"].render(store, RenderOptions()))  # type: ignore[arg-type]
    table = pq.read_table(io.BytesIO(content))
    kinds = {name: str(table.schema.field(name).type) for name in (*OWN.names, "total")}
    assert kinds == dict.fromkeys(OWN.names, "int32") | {"total": "double"}
    assert "quality=0 fluency=1 is_correct=0 politeness=1 total=1.0" in rendered(run, "junit")


def test_exports_have_the_declared_scores(run: Path) -> None:
    import orjson

    with Store.read(run) as store:
        sample = orjson.loads(next(ragas_rows.ragas(store)))
        log = orjson.loads(next(iter(inspect_log.inspect(store)))[1])
        figures = tracker_run.variants(report.summary(store))[0].figures
    assert {name: sample[name] for name in OWN.names} == verdicts(0)[0]
    assert [score["name"] for score in log["results"]["scores"]] == ["total", *OWN.names]
    assert figures["quality"] == 2 and figures["total"] == pytest.approx(2 * 2 + 1.95 + 0.25)


def test_charts_cover_every_scale(run: Path) -> None:
    with Store.read(run) as store:
        found = report.summary(store, "en")
    by_name = dict(charts.level_bars(found))
    assert list(by_name) == list(OWN.names)
    for criterion in OWN:
        bands = charts.bands(criterion)
        assert [(band.low, band.high) for band in bands] == [(n, n) for n in criterion.levels]
        for bar in by_name[criterion.name]:
            assert sum(bar.counts) == 20 and len(bar.counts) == len(bands)
    (forest,) = charts.forests(found, lambda code, **_: code)
    by_label = {whisker.label: whisker for whisker in forest.whiskers}
    assert by_label["How good"].point > by_label["total"].point > 50, "each is a share of its own scale"
    assert all(tick.text.endswith(" %") for tick in forest.ticks)
    assert charts.history({0: found}, "quality").lines


def test_a_long_scale_is_drawn_in_bands() -> None:
    bands = charts.bands(Criterion("points", 0, 100))
    assert len(bands) <= 11 and bands[0].low == 0 and bands[-1].high == 100
    assert [band.high + 1 for band in bands[:-1]] == [band.low for band in bands[1:]]
    assert charts.band_of(Criterion("points", 0, 100), 57).text == "50–59"
    with pytest.raises(ValueError, match="no level 101"):
        charts.band_of(Criterion("points", 0, 100), 101)


def test_a_criterion_is_called_by_the_catalogue_then_by_its_title_then_by_its_name() -> None:
    title = labels("ko", [Criterion("context_recall", title="ignored"), *OWN])
    assert [title(name) for name in ("context_recall", "quality", "fluency", "chrf")] == [
        "문맥 재현율",
        "How good",
        "fluency",
        "chrF",
    ]
    assert [short_labels("en")(name) for name in ("context_recall", "quality")] == ["recall", "quality"]
    # Codes of other texts are no titles.
    assert labels("en")("title") == "title"


def test_a_rubric_without_a_total_shows_none(tmp_path: Path) -> None:
    alone: list[dict[str, Any]] = Criteria([Criterion("quality", 0, 10, in_total=False)]).to_list()
    scores: dict[str, list[Scored]] = {"a": [{"quality": n} for n in range(11)]}
    with Store.read(make_run(tmp_path / "run", scores, criteria=alone)) as store:
        found = report.summary(store, "en", n_examples=1)
    grid = tables.scores(found)
    assert grid.title == "Scores: 0–10 a criterion"
    assert [row.label for row in grid.rows] == ["quality", "scored"]
    for name in ("text", "md", "html"):
        assert "quality" in rendered(tmp_path / "run", name)
