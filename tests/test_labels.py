from __future__ import annotations

from pathlib import Path

import pytest

from simsa.errors import DataError
from simsa.labels import COLUMNS, Label, Labels, read
from simsa.records import CRITERIA

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
    with pytest.raises(DataError, match=r"labels\.sqlite"):
        read(tmp_path)
    (tmp_path / "labels.sqlite").write_text("not a database, and long enough to be looked at " * 40)
    with pytest.raises(DataError, match="cannot be used"):
        read(tmp_path)
