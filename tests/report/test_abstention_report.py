from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from simsa.cli.main import run
from tests.report.runs import JUDGE, Scored, make_run, question

DECLINES, ANSWERS = "주어진 문맥에서는 답을 찾을 수 없습니다.", "별빛마을입니다."


def make(
    folder: Path, rows: list[tuple[bool, str, int | None]], judge: dict[str, Any] | None = JUDGE, **more: Any
) -> Path:
    """A run of one variant: for each question whether it has an answer, what was said, and its correctness."""
    questions = [
        question(n, answerable=can, reference=("별빛마을",) if can else ())
        for n, (can, _, _) in enumerate(rows)
    ]
    verdicts: list[Scored] = [None if c is None else (c, 3, 5, 3) for _, _, c in rows]
    said = [text for _, text, _ in rows]
    return make_run(
        folder, {"base": verdicts}, questions=questions, predictions={"base": said}, judge=judge, **more
    )


def reported(capsys: pytest.CaptureFixture[str], folder: Path) -> dict[str, Any]:
    capsys.readouterr()
    assert run(["report", str(folder), "--format", "json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_where_there_is_no_answer_the_judge_has_decided(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows: list[tuple[bool, str, int | None]] = [
        (False, DECLINES, 5), (False, DECLINES, 5), (False, ANSWERS, 1), (False, ANSWERS, 3),
        (False, ANSWERS, None), (True, ANSWERS, 5), (True, ANSWERS, 1), (True, DECLINES, 1),
    ]  # fmt: skip
    found = reported(capsys, make(tmp_path / "run", rows))
    judged = found["variants"][0]["abstention_by_judge"]
    assert judged == {
        "unanswerable_abstained": 2, "unanswerable_answered": 1, "undecided": 1, "unscored": 1,
        "disputed": [], "recall": pytest.approx(2 / 3),
    }  # fmt: skip
    assert found["variants"][0]["abstention"]["unanswerable_abstained"] == 2
    assert not [note for note in found["notes"] if note["kind"] == "abstention_disputed"]


@pytest.mark.parametrize(
    ("can", "said", "correctness", "disputed"),
    [
        (False, DECLINES, 1, True),  # the judge saw an answer in it
        (False, DECLINES, 3, False),
        (False, ANSWERS, 5, True),  # a refusal that the rule doesn't know
        (False, ANSWERS, 4, False),
        (True, DECLINES, 4, True),  # no refusal can be a right answer
        (True, DECLINES, 2, False),
        (True, ANSWERS, 1, False),  # wrong or declined: correctness cannot tell
        (True, ANSWERS, 5, False),
    ],
)
def test_contradictions_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], can: bool, said: str, correctness: int, disputed: bool
) -> None:
    folder = make(tmp_path / "run", [(can, said, correctness), (False, DECLINES, 5)])
    found = reported(capsys, folder)
    assert found["variants"][0]["abstention_by_judge"]["disputed"] == (["q0"] if disputed else [])
    notes = [note["text"] for note in found["notes"] if note["kind"] == "abstention_disputed"]
    assert len(notes) == disputed
    assert not disputed or "q0" in notes[0]


def test_the_lexical_judge_goes_by_the_rule_and_adds_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows: list[tuple[bool, str, int | None]] = [(False, DECLINES, 1), (True, ANSWERS, 5)]
    lexical = JUDGE | {"model": "lexical", "rubric": "lexical@1"}
    for judge in (lexical, None):
        found = reported(capsys, make(tmp_path / str(judge and "lexical"), rows, judge))
        assert found["variants"][0]["abstention_by_judge"] is None


def test_nothing_unanswerable_and_nothing_declined_has_no_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = reported(capsys, make(tmp_path / "run", [(True, ANSWERS, 5), (True, ANSWERS, 1)]))
    assert found["variants"][0]["abstention_by_judge"] is None


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("declined, unanswerable, by the judge", "rule and judge disagree", "Read these answers.")),
        ("ko", ("심사 모델 기준", "규칙과 심사 모델이 불일치", "직접 확인하십시오.")),
    ],
)
def test_the_tables_say_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], language: str, words: tuple[str, ...]
) -> None:
    rows: list[tuple[bool, str, int | None]] = [(False, ANSWERS, 5)] * 7 + [(False, DECLINES, 5)]
    folder = make(tmp_path / "run", rows)
    for format in ("text", "md", "html"):
        capsys.readouterr()
        assert run(["report", str(folder), "--format", format, "--language", language]) == 0
        out = capsys.readouterr().out
        for word in words if format != "html" else words[2:]:
            assert word in " ".join(out.split()), (format, word)
    capsys.readouterr()
    run(["report", str(folder), "--language", language])
    out = capsys.readouterr().out
    assert "8/8" in out
    assert "1/8" in out
    assert "q4 …" in out
    assert "q5 …" not in out
