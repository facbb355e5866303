"""Counts and lengths of a test set."""

from __future__ import annotations

import orjson

from simsa.data import LengthSpread, describe, from_rows
from simsa.records import Passage, Question
from tests.support import korean_rows as korean


def test_counts_lengths_and_examples() -> None:
    summary = describe(from_rows(korean.plain_rows()))
    assert (summary.n, summary.answerable, summary.unanswerable, summary.n_clusters) == (3, 2, 1, 3)
    assert summary.types == {"mrc_question": 1, "no_answer": 1, "synthetic_question": 1}
    assert summary.passages == LengthSpread(1, 2, 3)
    lengths = sorted(len(row.question) for row in korean.ROWS)
    assert summary.question_length == LengthSpread(*lengths)
    assert [question.id for question in summary.examples] == ["달내-01", "달내-03"]
    row = orjson.loads(orjson.dumps(summary.to_dict()))
    assert row["contexts_length"]["max"] == sum(map(len, korean.ROWS[1].contexts))
    assert row["examples"][1] == {
        "id": "달내-03",
        "question": "달내시의 인구는 얼마인가요?",
        "reference": "검색 결과에서 답을 찾을 수 없습니다.",
        "answerable": False,
        "type": "no_answer",
        "n_passages": 1,
    }


def test_types_are_sorted_by_frequency() -> None:
    asked = [Question(str(n), "q", type=label) for n, label in enumerate(["b", "a", "c", "c", None])]
    assert list(describe(asked).types.items()) == [("c", 2), ("a", 1), ("b", 1)]


def test_two_examples_when_all_are_of_one_kind() -> None:
    for answerable in (True, False):
        asked = [Question(str(n), "q", (Passage("p"),), answerable=answerable) for n in range(4)]
        summary = describe(asked)
        assert [question.id for question in summary.examples] == ["0", "1"]
        assert (summary.n_clusters, summary.reference_length) == (1, None)
        assert summary.to_dict()["examples"][0]["reference"] is None


def test_empty_test_set() -> None:
    summary = describe([])
    assert (summary.n, summary.question_length, summary.examples) == (0, None, ())
    assert summary.to_dict()["passages"] is None
