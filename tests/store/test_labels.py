from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsa.errors import DataError
from simsa.records import Criteria, Criterion
from simsa.rubrics import built_in_criteria
from simsa.store.labels import Draw, Item, Label, LabeledAnswer, Labels, Mixed, columns, read, weights

FOUR = built_in_criteria()
CRITERIA = FOUR.names
ANSWERS = [(f"q{n}", name, f"{name}/q{n}") for n in range(30) for name in ("base", "lora")]


def test_a_label_is_on_disk_when_the_call_returns(tmp_path: Path) -> None:
    desk = Labels(tmp_path, FOUR)  # never closed: as if the server had been killed
    desk.take(ANSWERS[:10])
    item = desk.items("지우")[0]
    for score, name in enumerate(CRITERIA, 1):
        desk.score("지우", item, name, score)
    desk.comment("지우", item, "=HYPERLINK(1)")
    [label] = read(tmp_path)
    scores = dict(zip(CRITERIA, (1, 2, 3, 4), strict=True))
    assert label == Label(item.question_id, item.variant, "지우", scores, "=HYPERLINK(1)", item.answer_hash)
    assert label.is_complete(FOUR)
    assert tuple(label.to_dict(FOUR)) == columns(FOUR)
    assert read(tmp_path / "labels.sqlite") == [label]


def test_annotators_have_orders_and_labels_of_their_own(tmp_path: Path) -> None:
    with Labels(tmp_path, FOUR) as desk:
        desk.take(ANSWERS[:20])
        assert desk.items("지우") != desk.items("하늘")
        assert sorted(desk.items("지우")) == sorted(desk.items("하늘"))
        desk.score("지우", desk.items("지우")[0], CRITERIA[0], 3)
        assert desk.of("하늘") == {}
        assert desk.undo("하늘") is None


def test_undo_goes_back_step_by_step(tmp_path: Path) -> None:
    with Labels(tmp_path, FOUR) as desk:
        desk.take(ANSWERS[:10])
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
    with Labels(tmp_path, FOUR) as desk:
        desk.take(ANSWERS[:10])
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
    with Labels(tmp_path, FOUR) as desk:
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
    with Labels(tmp_path, FOUR) as desk:
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

    with Labels(tmp_path, FOUR) as desk:
        desk.take(ANSWERS[:6], first, of(first))
        before = desk.items(""), desk.weights(), desk.how
        with pytest.raises(Mixed):
            desk.take(drawn, second, of(second))
        assert (desk.items(""), desk.weights(), desk.how) == before


def test_a_weight_that_is_none_takes_nothing(tmp_path: Path) -> None:
    with Labels(tmp_path, FOUR) as desk:
        with pytest.raises(DataError):
            desk.take(ANSWERS[:2], Draw(0, stratified=True), {ANSWERS[0][:2]: 0.0})
        assert desk.items("") == []
        assert desk.how is None


OLD = """
CREATE TABLE sample (place INTEGER PRIMARY KEY, question_id TEXT NOT NULL, variant TEXT NOT NULL,
    answer_hash TEXT NOT NULL, UNIQUE (question_id, variant));
CREATE TABLE labels (question_id TEXT NOT NULL, variant TEXT NOT NULL, annotator TEXT NOT NULL,
    answer_hash TEXT NOT NULL,
    answer_correctness INTEGER CHECK (answer_correctness BETWEEN 1 AND 5),
    context_relevance INTEGER CHECK (context_relevance BETWEEN 1 AND 5),
    context_faithfulness INTEGER CHECK (context_faithfulness BETWEEN 1 AND 5),
    context_recall INTEGER CHECK (context_recall BETWEEN 1 AND 5),
    comment TEXT NOT NULL DEFAULT '', PRIMARY KEY (question_id, variant, annotator)) WITHOUT ROWID;
CREATE TABLE steps (serial INTEGER PRIMARY KEY AUTOINCREMENT, annotator TEXT NOT NULL, place INTEGER NOT NULL,
    field TEXT NOT NULL, before TEXT NOT NULL);
INSERT INTO sample VALUES (0, 'q1', 'base', 'h1'), (1, 'q1', 'lora', 'h2'), (2, 'q2', 'base', 'h3');
INSERT INTO labels VALUES ('q1', 'base', '지우', 'h1', 4, 3, 5, 2, '좋음'), ('q1', 'lora', '지우', 'h2', 1, NULL, NULL, NULL, ''),
    ('q2', 'base', '하늘', 'h3', NULL, NULL, NULL, NULL, '');
INSERT INTO steps (annotator, place, field, before) VALUES ('지우', 0, 'answer_correctness', '3'),
    ('지우', 0, 'comment', '""'), ('지우', 1, 'answer_correctness', 'null');
"""
KEPT = [
    Label("q1", "base", "지우", dict(zip(CRITERIA, (4, 3, 5, 2), strict=True)), "좋음", "h1"),
    Label("q1", "lora", "지우", {CRITERIA[0]: 1}, "", "h2"),
]


@pytest.mark.parametrize("numbered", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_file_with_a_column_for_each_criterion_keeps_every_label(
    tmp_path: Path, numbered: bool, weighted: bool
) -> None:
    more = ""
    if numbered:
        more += "".join(
            f"ALTER TABLE {t} ADD COLUMN sample INTEGER NOT NULL DEFAULT 0;" for t in ("sample", "labels")
        )
    if weighted:
        more += """CREATE TABLE draw (seed INTEGER NOT NULL, stratified INTEGER NOT NULL);
            CREATE TABLE weights (question_id TEXT NOT NULL, variant TEXT NOT NULL, weight REAL NOT NULL,
            PRIMARY KEY (question_id, variant)) WITHOUT ROWID;
            INSERT INTO draw VALUES (7, 1); INSERT INTO weights VALUES ('q1', 'base', 2.5);"""
    file = tmp_path / "labels.sqlite"
    with contextlib.closing(sqlite3.connect(file)) as older:
        older.executescript(OLD + more)
    before = file.read_bytes()
    expected = {LabeledAnswer("q1", "base"): 2.5} if weighted else {}
    assert (read(tmp_path), weights(tmp_path)) == (KEPT, expected)
    assert file.read_bytes() == before, "reading changes no file"
    with Labels(tmp_path, FOUR) as desk:
        assert (read(tmp_path), desk.weights()) == (KEPT, expected)
        assert desk.how == (Draw(7, stratified=True) if weighted else None)
        assert desk.progress() == {"지우": 1, "하늘": 0}
        assert [desk.undo("지우"), desk.undo("지우"), desk.undo("지우"), desk.undo("지우")] == [1, 0, 0, None]
        scores = dict(zip(CRITERIA, (3, 3, 5, 2), strict=True))
        assert read(tmp_path) == [Label("q1", "base", "지우", scores, "", "h1")]
    with Labels(tmp_path, FOUR) as desk:
        assert len(desk.items("")) == 3


def test_any_criteria_are_scored_on_their_own_scales(tmp_path: Path) -> None:
    criteria = Criteria((Criterion("quality", 0, 10), Criterion("is_correct", 0, 1)))
    with Labels(tmp_path, criteria) as desk:
        desk.take(ANSWERS[:2])
        item: Item = desk.items("지우")[0]
        desk.score("지우", item, "quality", 0)
        assert desk.progress() == {"지우": 0}
        desk.score("지우", item, "is_correct", 1)
        assert desk.progress() == {"지우": 1}
        for name, score in (("quality", 11), ("is_correct", 2), ("is_correct", True), (CRITERIA[0], 3)):
            with pytest.raises(DataError):
                desk.score("지우", item, name, score)
        [label] = desk.of("지우").values()
        assert label.scores == {"quality": 0, "is_correct": 1}
        assert label.to_dict(criteria)["is_correct"] == 1


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
    desk = Labels(folder, FOUR)
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
                desk = Labels(folder, FOUR)
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
