"""A run as columns says what the rows of every other format say."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsa.records import TOTAL
from simsa.report.score_matrix import ScoreMatrix, load
from simsa.report.score_rows import rows
from simsa.store import Store
from tests.support.criteria import CRITERIA
from tests.support.report_runs import Scored, make_run, question

SCORED = st.one_of(st.tuples(*[st.integers(1, 5)] * 4), st.sampled_from(["refused", "truncated"]), st.none())
RUNS = st.integers(1, 8).flatmap(
    lambda n: st.tuples(
        st.lists(SCORED, min_size=n, max_size=n),
        st.lists(SCORED, min_size=n, max_size=n),
        st.lists(st.booleans(), min_size=n, max_size=n),
        st.lists(st.sampled_from([None, "a", "b"]), min_size=n, max_size=n),
        st.lists(st.sampled_from("xyz"), min_size=n, max_size=n),
    )
)
FEW = settings(max_examples=10)


def same(found: float, wanted: float | None) -> bool:
    return math.isnan(found) if wanted is None else found == wanted


@FEW
@given(RUNS)
def test_every_cell_is_that_of_the_row(
    made: tuple[list[Scored], list[Scored], list[bool], list[str | None], list[str]],
) -> None:
    first, second, answered, types, clusters = made
    n = len(first)
    asked = [question(i, type=types[i], cluster=clusters[i]) for i in range(n)]
    said = {"b": [f"{i}호" if there else None for i, there in enumerate(answered)]}
    with TemporaryDirectory() as folder:
        scores, figures = {"a": first, "b": second}, {"chrf": 3.0}
        run = make_run(Path(folder) / "run", scores, questions=asked, predictions=said, figures=figures)
        with Store.read(run) as store:
            table, listed = load(store), list(rows(store))
    places = {one: place for place, one in enumerate(table.question_ids)}
    for row in listed:
        place, variant = places[row["question_id"]], row["variant"]
        for name in (*CRITERIA, TOTAL, *table.metrics, "prompt_tokens", "latency_s"):
            assert same(table.column(variant, name)[place], row[name]), (name, row)
        length = None if row["prediction"] is None else len(row["prediction"])
        assert same(table.column(variant, "answer_length")[place], length)
        assert (table.types[place], table.answerable[place]) == (row["type"], row["answerable"])
    for variant, found in table.variants.items():
        mine = [row for row in listed if row["variant"] == variant]
        assert found.statuses == Counter(row["status"] for row in mine) and found.n == len(mine) == n
        assert found.n_scored == sum(row["total"] is not None for row in mine)
        assert found.n_predicted == sum(row["prediction"] is not None for row in mine)
    check_parts(table, types, clusters)


def check_parts(table: ScoreMatrix, types: list[str | None], clusters: list[str]) -> None:
    parts = table.parts()
    assert list(parts) == (sorted({kind or "" for kind in types}) if any(types) else [])
    ids = [one for part in parts.values() for one in part.ids]
    assert sorted(ids) == sorted(table.question_ids) or not parts, "each question is in exactly one part"
    for kind, part in parts.items():
        for place, one in zip(part.places, part.ids, strict=True):
            assert table.question_ids[place] == one and (types[int(one[1:])] or "") == kind
            assert table.scores("a", TOTAL, part)[one] == (
                None if math.isnan(value := table.column("a", TOTAL)[place]) else value
            )
        assert len(table.present("a", TOTAL, part)) == sum(
            score is not None for score in table.scores("a", TOTAL, part).values()
        )
    together = table.clusters_if_any()
    assert (together is None) == (len(set(clusters)) == len(clusters))
    assert together is None or together == {f"q{n}": found for n, found in enumerate(clusters)}


def test_a_column_that_nobody_has_is_all_missing_and_never_zero(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", {"a": [(1, 1, 1, 1), None]}, figures={"chrf": 1.0})
    with Store.read(run) as store:
        table = load(store)
    assert all(math.isnan(value) for value in table.column("a", "no_such_thing"))
    assert len(table.present("a", "no_such_thing")) == 0
    with pytest.raises(KeyError):
        table.column("nobody", TOTAL)


def test_a_metric_is_no_criterion_and_no_fact(tmp_path: Path) -> None:
    figures = {"korquad_f1": 0.5, "chrf": 12.0}
    with Store.read(make_run(tmp_path / "run", {"a": [(1, 1, 1, 1)]}, figures=figures)) as store:
        assert load(store).metrics == ("korquad_f1", "chrf")
