from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsa.data.score_files import read_scores
from simsa.errors import DataError
from simsa.records import Criteria, Criterion
from simsa.rubrics import load

CRITERIA = load("rag-ko").criteria
HEAD = "question_id,variant,criterion,score\n"


def table(tmp_path: Path, text: str, name: str = "scores.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_csv_and_jsonl_give_the_same_scores(tmp_path: Path) -> None:
    csv = table(
        tmp_path, "question_id,variant,criterion,score,cluster\n1,base,정확성,4,문서 1\n2,base,정확성,3.5,\n"
    )
    jsonl = table(
        tmp_path,
        '{"question_id": 1, "variant": "base", "criterion": "정확성", "score": 4, "cluster": "문서 1"}\n'
        '{"question_id": "2", "variant": "base", "criterion": "정확성", "score": 3.5}\n',
        "scores.jsonl",
    )
    assert read_scores(csv) == read_scores(jsonl)
    assert read_scores(csv).scores == {"base": {"정확성": {"1": 4.0, "2": 3.5}}}
    assert read_scores(csv).clusters == {"1": "문서 1"}


def test_empty_scores_and_absent_rows_are_missing(tmp_path: Path) -> None:
    path = table(tmp_path, HEAD + "1,a,x,4\n2,a,x,\n1,b,x,5\n3,b,x,1\n1,b,y,2\n")
    assert read_scores(path).scores == {
        "a": {"x": {"1": 4.0, "2": None, "3": None}, "y": {"1": None}},
        "b": {"x": {"1": 5.0, "2": None, "3": 1.0}, "y": {"1": 2.0}},
    }


def test_null_score_is_missing(tmp_path: Path) -> None:
    path = table(
        tmp_path, '{"question_id": "1", "variant": "a", "criterion": "x", "score": null}\n', "s.jsonl"
    )
    assert read_scores(path).scores == {"a": {"x": {"1": None}}}


def four(question: str, variant: str, scores: list[str]) -> str:
    return "".join(f"{question},{variant},{c},{s}\n" for c, s in zip(CRITERIA.names, scores, strict=True))


def test_total_is_the_sum_of_all_criteria(tmp_path: Path) -> None:
    path = table(tmp_path, HEAD + four("1", "a", list("5432")) + four("2", "a", ["1", "", "1", "1"]))
    assert read_scores(path, CRITERIA).scores["a"]["total"] == {"1": 14.0, "2": None}


def test_given_total_is_kept(tmp_path: Path) -> None:
    path = table(
        tmp_path, HEAD + four("1", "a", list("5432")) + "1,a,total,13\n" + four("2", "a", list("1111"))
    )
    assert read_scores(path, CRITERIA).scores["a"]["total"] == {"1": 13.0, "2": 4.0}


def test_no_total_without_every_criterion(tmp_path: Path) -> None:
    path = table(tmp_path, HEAD + "".join(f"1,a,{c},3\n" for c in CRITERIA.names[:3]))
    assert "total" not in read_scores(path, CRITERIA).scores["a"]


def test_total_follows_the_weights_of_any_rubric(tmp_path: Path) -> None:
    criteria = Criteria(
        (
            Criterion("정확성", 0, 10, weight=2),
            Criterion("인용", 0, 1),
            Criterion("tone", 1, 4, in_total=False),
        )
    )
    rows = "1,a,정확성,8\n1,a,인용,1\n2,a,정확성,3\n2,a,인용,\n1,a,tone,4\n"
    found = read_scores(table(tmp_path, HEAD + rows), criteria)
    assert found.scores["a"]["total"] == {"1": 17.0, "2": None}
    assert found.scores["a"]["tone"] == {"1": 4.0}
    assert "total" not in read_scores(table(tmp_path, HEAD + rows)).scores["a"]


@pytest.mark.parametrize(
    ("rows", "line", "says"),
    [
        ("1,a,x,vier\n", 2, "is not a number"),
        ("1,a,x,nan\n", 2, "is not a number"),
        ("1,a,x,inf\n", 2, "is not a number"),
        ("1,a,x,1_000\n", 2, "is not a number"),
        ("1,a,x,'3'\n", 2, "is not a number"),
        ("1,a,x,4\n1,a,x,4\n", 3, "the same question_id, variant and criterion as"),
        ("1,a,x,4\n,a,x,4\n", 3, "is empty"),
        ("1,a,x,4\n2,,x,4\n", 3, "is empty"),
        ("1,a,x,4\n2,a,,4\n", 3, "is empty"),
        ("1,a,x,4\n2,a,x\n", 3, "3 cells"),
    ],
)
def test_malformed_row_is_named_by_its_line(tmp_path: Path, rows: str, line: int, says: str) -> None:
    path = table(tmp_path, HEAD + rows)
    with pytest.raises(DataError, match=says) as caught:
        read_scores(path)
    assert caught.value.where == f"{path}:{line}"


@pytest.mark.parametrize("value", ["true", '"high"', "[4]", "{}"])
def test_json_score_that_is_no_number_is_an_error(tmp_path: Path, value: str) -> None:
    row = f'{{"question_id": "1", "variant": "a", "criterion": "x", "score": {value}}}\n'
    with pytest.raises(DataError, match="is not a number"):
        read_scores(table(tmp_path, row, "s.jsonl"))


def test_missing_column_error_names_the_nearest(tmp_path: Path) -> None:
    path = table(tmp_path, "question_id,variant,criterion,scores\n1,a,x,4\n")
    with pytest.raises(DataError, match="no column 'score'") as caught:
        read_scores(path)
    assert "rename 'scores'" in (caught.value.hint or "")


def test_question_in_two_clusters_is_an_error(tmp_path: Path) -> None:
    text = "question_id,variant,criterion,score,cluster\n1,a,x,4,d1\n1,b,x,4,d2\n"
    with pytest.raises(DataError, match="in cluster 'd1'"):
        read_scores(table(tmp_path, text))


def test_header_alone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no scores"):
        read_scores(table(tmp_path, HEAD))


def test_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_scores(tmp_path / "nothing.csv")


NUMBERS = st.one_of(st.none(), st.integers(-5, 20), st.floats(-1e6, 1e6))


@given(st.dictionaries(st.tuples(st.sampled_from("abc"), st.integers(0, 9)), NUMBERS, min_size=1))
def test_scores_round_trip(
    tmp_path_factory: pytest.TempPathFactory, cells: dict[tuple[str, int], float | None]
) -> None:
    rows = "".join(f"{q},{v},x,{'' if s is None else repr(s)}\n" for (v, q), s in cells.items())
    found = read_scores(table(tmp_path_factory.mktemp("scores"), HEAD + rows)).scores
    for (variant, question), score in cells.items():
        assert found[variant]["x"][str(question)] == score
    assert len({len(by["x"]) for by in found.values()}) == 1


REPEATED = "question_id,variant,criterion,seed,repeat,score\n"


def test_score_is_the_mean_over_seeds_and_repeats(tmp_path: Path) -> None:
    rows = "1,a,x,0,0,4\n1,a,x,0,1,2\n1,a,x,1,0,5\n2,a,x,0,0,1\n2,a,x,0,1,2\n"
    found = read_scores(table(tmp_path, REPEATED + rows))
    # The seeds of question 1 have the means 3 and 5.
    assert found.scores == {"a": {"x": {"1": 4.0, "2": 1.5}}}
    assert [tuple(sample) for sample in found.samples["a", "x"]] == [
        ("1", "0", "0", 4.0), ("1", "0", "1", 2.0), ("1", "1", "0", 5.0), ("2", "0", "0", 1.0), ("2", "0", "1", 2.0),
    ]  # fmt: skip
    assert found.n_gaps == {}


@pytest.mark.parametrize("column", ["seed", "repeat"])
def test_seed_or_repeat_alone_is_enough(tmp_path: Path, column: str) -> None:
    text = f"question_id,variant,criterion,{column},score\n1,a,x,1,4\n1,a,x,2,5\n2,a,x,1,3\n"
    found = read_scores(table(tmp_path, text))
    assert found.scores == {"a": {"x": {"1": 4.5, "2": 3.0}}}
    assert len(found.samples["a", "x"]) == 3


def test_repeat_without_score_is_a_gap(tmp_path: Path) -> None:
    rows = "1,a,x,0,0,4\n1,a,x,0,1,\n2,a,x,0,0,\n2,a,x,0,1,\n"
    found = read_scores(table(tmp_path, REPEATED + rows))
    assert found.scores == {"a": {"x": {"1": 4.0, "2": None}}}
    assert found.n_gaps == {("a", "x"): 1}, "a question without any score is missing as a whole"
    assert len(found.samples["a", "x"]) == 1


def test_total_of_repeats_is_the_sum_of_means(tmp_path: Path) -> None:
    rows = "".join(
        f"1,a,{c},0,{r},{s + r}\n" for c, s in zip(CRITERIA.names, (1, 2, 3, 4), strict=True) for r in (0, 1)
    )
    found = read_scores(table(tmp_path, REPEATED + rows), CRITERIA)
    assert found.scores["a"]["total"] == {"1": 12.0}
    assert [sample.score for sample in found.samples["a", "total"]] == [10.0, 14.0]
    lacking = read_scores(
        table(tmp_path, REPEATED + rows.replace("1,a,context_recall,0,1,5\n", "1,a,context_recall,0,1,\n")),
        CRITERIA,
    )
    assert lacking.scores["a"]["total"] == {"1": 1.5 + 2.5 + 3.5 + 4}
    assert [sample.score for sample in lacking.samples["a", "total"]] == [10.0], "half a sum is none"


def test_given_total_of_repeats_is_kept(tmp_path: Path) -> None:
    rows = (
        "".join(f"1,a,{c},0,{r},3\n" for c in CRITERIA.names for r in (0, 1))
        + "1,a,total,0,0,11\n1,a,total,0,1,13\n"
    )
    found = read_scores(table(tmp_path, REPEATED + rows), CRITERIA)
    assert found.scores["a"]["total"] == {"1": 12.0}
    assert [sample.score for sample in found.samples["a", "total"]] == [11.0, 13.0]


def test_repeated_row_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the same question_id") as caught:
        read_scores(table(tmp_path, REPEATED + "1,a,x,0,0,4\n1,a,x,0,0,4\n"))
    assert "repeat" in (caught.value.hint or "")


def test_no_samples_without_seed_and_repeat(tmp_path: Path) -> None:
    found = read_scores(table(tmp_path, HEAD + "1,a,x,4\n"))
    assert (found.samples, found.n_gaps) == ({}, {})


@given(
    st.dictionaries(
        st.tuples(st.sampled_from("ab"), st.integers(0, 4), st.integers(0, 2), st.integers(0, 2)),
        st.one_of(st.none(), st.integers(1, 5)),
        min_size=1,
    )
)
def test_mean_of_means_equals_a_plain_computation(
    tmp_path_factory: pytest.TempPathFactory, cells: dict[tuple[str, int, int, int], int | None]
) -> None:
    rows = "".join(f"{q},{v},x,s{s},r{r},{'' if x is None else x}\n" for (v, q, s, r), x in cells.items())
    found = read_scores(table(tmp_path_factory.mktemp("repeats"), REPEATED + rows))
    for variant in {key[0] for key in cells}:
        for question in {key[1] for key in cells}:
            by_seed = [
                [
                    x
                    for (v, q, s, _), x in cells.items()
                    if (v, q, s) == (variant, question, seed) and x is not None
                ]
                for seed in range(3)
            ]
            known = [sum(values) / len(values) for values in by_seed if values]
            score = found.scores[variant]["x"][str(question)]
            assert score == (pytest.approx(sum(known) / len(known)) if known else None)
