from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsa.errors import DataError
from simsa.records import CRITERIA
from simsa.store.labels import COLUMNS, Draw, Label, LabeledAnswer, Labels, Mixed, read, weights

ANSWERS = [(f"q{n}", name, f"{name}/q{n}") for n in range(30) for name in ("base", "lora")]


def test_a_label_is_on_disk_when_the_call_returns(tmp_path: Path) -> None:
    desk = Labels(tmp_path)  # never closed: as if the server had been killed
    desk.draw(ANSWERS, 5)
    item = desk.items("지우")[0]
    for score, name in enumerate(CRITERIA, 1):
        desk.score("지우", item, name, score)
    desk.comment("지우", item, "=HYPERLINK(1)")
    [label] = read(tmp_path)
    scores = dict(zip(CRITERIA, (1, 2, 3, 4), strict=True))
    assert label == Label(item.question_id, item.variant, "지우", scores, "=HYPERLINK(1)", item.answer_hash)
    assert label.is_whole
    assert tuple(label.to_dict()) == COLUMNS
    assert read(tmp_path / "labels.sqlite") == [label]


def test_the_same_seed_draws_the_same_sample_and_only_once(tmp_path: Path) -> None:
    samples = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / name).mkdir()
        with Labels(tmp_path / name) as desk:
            assert desk.draw(reversed(ANSWERS), 5, seed) == 10
            assert desk.draw(ANSWERS, 20, seed + 1) == 10
            samples.append(desk.items("지우"))
    assert samples[0] == samples[1] != samples[2]
    assert {item.variant for item in samples[0]} == {"base", "lora"}


def test_annotators_have_orders_and_labels_of_their_own(tmp_path: Path) -> None:
    with Labels(tmp_path) as desk:
        desk.draw(ANSWERS, 10)
        assert desk.items("지우") != desk.items("하늘")
        assert sorted(desk.items("지우")) == sorted(desk.items("하늘"))
        desk.score("지우", desk.items("지우")[0], CRITERIA[0], 3)
        assert desk.of("하늘") == {}
        assert desk.undo("하늘") is None


def test_undo_goes_back_step_by_step(tmp_path: Path) -> None:
    with Labels(tmp_path) as desk:
        desk.draw(ANSWERS, 5)
        first, second = desk.items("지우")[:2]
        desk.score("지우", first, CRITERIA[0], 2)
        desk.score("지우", first, CRITERIA[0], 5)
        desk.comment("지우", second, "모호함")
        assert desk.undo("지우") == second.place
        assert desk.undo("지우") == first.place
        assert [label.scores for label in read(tmp_path)] == [{CRITERIA[0]: 2}]
        assert desk.undo("지우") == first.place
        assert read(tmp_path) == []


@pytest.mark.parametrize(
    ("criterion", "score"), [(CRITERIA[0], 0), (CRITERIA[0], 6), (CRITERIA[0], True), ("x", 3)]
)
def test_what_is_no_score_is_refused(tmp_path: Path, criterion: str, score: int) -> None:
    with Labels(tmp_path) as desk:
        desk.draw(ANSWERS, 5)
        with pytest.raises(DataError):
            desk.score("지우", desk.items("지우")[0], criterion, score)
        assert desk.of("지우") == {}


def test_a_folder_without_labels_says_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no labels"):
        read(tmp_path)
    (tmp_path / "labels.sqlite").write_text("not a database, and long enough to be looked at " * 40)
    with pytest.raises(DataError, match="cannot be used"):
        read(tmp_path)


def strata(n: int, weight: float = 2.0) -> dict[tuple[str, str], float]:
    return {answer[:2]: weight + place % 2 for place, answer in enumerate(ANSWERS[:n])}


def by_variant(folder: Path) -> dict[tuple[str, str], float]:
    return {answer[:2]: weight for answer, weight in weights(folder).items()}


def test_weights_of_a_draw_by_strata_are_kept_and_made_anew(tmp_path: Path) -> None:
    with Labels(tmp_path) as desk:
        assert desk.how is None
        assert desk.take(ANSWERS[:6], Draw(7, stratified=True), strata(6)) == 6
        assert desk.how == Draw(7, stratified=True)
        kept = {LabeledAnswer(*answer): weight for answer, weight in strata(6).items()}
        assert desk.weights() == weights(tmp_path) == kept
        assert desk.take(ANSWERS[:10], Draw(7, stratified=True), strata(10, 1.5)) == 10
        assert by_variant(tmp_path) == strata(10, 1.5)
        assert desk.take(ANSWERS[:4], Draw(7, stratified=True), strata(4, 9.0)) == 10, "nothing is new"
        assert by_variant(tmp_path) == strata(10, 1.5), "the sample stands for as many as before"


def test_a_uniform_draw_has_no_weights(tmp_path: Path) -> None:
    with Labels(tmp_path) as desk:
        desk.take(ANSWERS[:6], Draw(3))
        assert desk.how == Draw(3)
    assert weights(tmp_path) == {}


@pytest.mark.parametrize(
    ("first", "second", "drawn"),
    [
        (Draw(0), Draw(0, stratified=True), ANSWERS[:8]),
        (Draw(0, stratified=True), Draw(0), ANSWERS[:8]),
        (Draw(0, stratified=True), Draw(0, stratified=True), ANSWERS[2:12]),
    ],
)
def test_draws_that_make_no_one_sample_are_refused(
    tmp_path: Path, first: Draw, second: Draw, drawn: list[tuple[str, str, str]]
) -> None:
    def of(how: Draw) -> dict[tuple[str, str], float]:
        return strata(20) if how.stratified else {}

    with Labels(tmp_path) as desk:
        desk.take(ANSWERS[:6], first, of(first))
        before = desk.items(""), desk.weights(), desk.how
        with pytest.raises(Mixed):
            desk.take(drawn, second, of(second))
        assert (desk.items(""), desk.weights(), desk.how) == before


def test_a_weight_that_is_none_takes_nothing(tmp_path: Path) -> None:
    with Labels(tmp_path) as desk:
        with pytest.raises(DataError):
            desk.take(ANSWERS[:2], Draw(0, stratified=True), {ANSWERS[0][:2]: 0.0})
        assert desk.items("") == []
        assert desk.how is None


def test_labels_from_before_there_were_weights_are_read(tmp_path: Path) -> None:
    with Labels(tmp_path) as desk:
        desk.take(ANSWERS[:4])
        desk.score("지우", desk.items("지우")[0], CRITERIA[0], 4)
    with sqlite3.connect(tmp_path / "labels.sqlite") as older:
        older.executescript("DROP TABLE weights; DROP TABLE draw")
    older.close()
    assert weights(tmp_path) == {}
    assert [label.scores for label in read(tmp_path)] == [{CRITERIA[0]: 4}]
    with Labels(tmp_path) as desk:
        assert desk.how is None
        assert desk.take(ANSWERS[:8], Draw(1)) == 8


steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("score"), st.integers(0, 5), st.sampled_from(CRITERIA), st.none() | st.integers(1, 5)
        ),
        st.tuples(st.just("comment"), st.integers(0, 5), st.sampled_from(["", "애매함", "'; --"])),
        st.tuples(st.just("undo")),
        st.tuples(st.just("reopen")),
    ),
    max_size=25,
)


@given(steps)
def test_whatever_is_clicked_and_taken_back_the_file_says_the_same_as_a_list(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[object, ...]]
) -> None:
    folder = tmp_path_factory.mktemp("labels")
    desk = Labels(folder)
    desk.take(ANSWERS[:6])
    items = desk.items("지우")
    states: list[dict[tuple[int, str], object]] = [{}]
    for step in steps:
        now = dict(states[-1])
        match step:
            case ("score", int(place), str(criterion), score):
                desk.score("지우", items[place], criterion, score)  # type: ignore[arg-type]
                now[place, criterion] = score
            case ("comment", int(place), str(text)):
                desk.comment("지우", items[place], text)
                now[place, "comment"] = text
            case ("undo",):
                assert (desk.undo("지우") is None) == (len(states) == 1)
                states = states[:-1] or states
                continue
            case _:
                desk.db.close()
                desk = Labels(folder)
                continue
        seen = {key: value for key, value in now.items() if value not in (None, "")}
        if seen != {key: value for key, value in states[-1].items() if value not in (None, "")}:
            states.append(now)
    expected = {key: value for key, value in states[-1].items() if value not in (None, "")}
    found = {
        (place, name): value
        for place, item in enumerate(items)
        if (label := desk.of("지우").get((item.question_id, item.variant)))
        for name, value in (*label.scores.items(), ("comment", label.comment))
        if value != ""
    }
    desk.db.close()
    assert found == expected
