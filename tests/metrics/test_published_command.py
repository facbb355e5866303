"""`simsa metrics` on hostile rows: to the last digit what the definitions say, written down another way.

Between a file and a figure nothing may tidy a text: not its spaces, its Unicode form, an
empty reference among others, or an answer that is nothing at all.
"""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simsa.cli.main import run
from tests.support.transcribed_metrics import (
    ASCII_PUNCTUATION,
    BLANKED,
    NASTY,
    klue_form,
    klue_rouge_w,
    korquad_f1,
    korquad_form,
)

Row = tuple[str, list[str]]

PUNCTUATION = [*ASCII_PUNCTUATION, *BLANKED, *"“”「」『』·…―–—～！？。，、；：（）［］｛｝【】〔〕＂＇￦％"]
KOREAN = [
    "서울특별시", "서울 특별시", "서울특별시입니다.", "1987년", "1987 년", "약 1,987년", "대한민국의 수도는 서울이다",
    "수도는 서울", "한글", "도서관이 문을 연 해는 1987년이다", "아니요", "예", "가람", "가람강", "너울강은 남쪽으로 흐른다",
]  # fmt: skip


def held_out() -> list[Row]:
    """Over 400 rows: every punctuation mark in every place, both Unicode forms, lengths around 200, several references."""
    rows: list[Row] = []
    for mark in PUNCTUATION:
        rows += [(f"{mark}서울{mark}", ["서울"]), (f"서울{mark}특별시", ["서울 특별시", f"서울{mark}특별시"])]
        rows += [(f"({mark}) 수도", [f"수도{mark}"]), (mark, ["", mark])]
    for a, b in zip(KOREAN, [*KOREAN[1:], KOREAN[0]], strict=True):
        apart = unicodedata.normalize("NFD", a)
        rows += [(apart, [a]), (a, [apart]), (a, [b, apart, a]), (f" {a}\n", [b, f"\t{a} "]), (a, ["", b])]
        rows += [("", [a]), (a, [""]), (a, [])]
    for n in (198, 199, 200, 201, 250):
        text = ("가나다라마바사아자차" * 30)[:n]
        rows += [(text[7:60], [text]), (text, [text[: n // 2], text]), ("나가" * 50, [("가나" * 150)[:n]])]
    return rows + [(said, [expected]) for said in NASTY for expected in NASTY[::5]]


def by_definition(said: str, expected: list[str]) -> dict[str, float]:
    references = expected or [""]
    return {
        "korquad_em": max(float(korquad_form(said) == korquad_form(r)) for r in references),
        "korquad_f1": max(korquad_f1(said, r) for r in references),
        "klue_em": max(float(klue_form(said) == klue_form(r)) for r in references),
        "klue_rouge_w": max(klue_rouge_w(said, r) for r in references),
    }


def test_an_empty_reference_among_others_is_met_by_saying_nothing_and_by_nothing_else(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The published scorers count it as an answer. What asks whether an answer holds the reference must not."""
    rows: list[Row] = [("", ["서울", ""]), ("부산", ["서울", ""]), ("서울", ["", "서울"]), ("부산", ["서울"])]
    nothing, other, right, alone = measured(tmp_path, rows, capfd)
    assert (nothing["korquad_em"], nothing["klue_em"], nothing["klue_rouge_w"]) == (1.0, 1.0, 1.0)
    assert (other["korquad_em"], other["contains_reference"], other["lenient_em"]) == (0.0, 0.0, 0.0)
    assert (right["korquad_em"], right["contains_reference"], right["rouge_l"]) == (1.0, 1.0, 1.0)
    assert {**other, "id": ""} == {**alone, "id": ""}
    assert other["abstained"] == 0.0


def measured(folder: Path, rows: list[Row], capfd: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """What the command writes for each row of a JSONL file; the means it prints are of those."""
    file, out = folder / "rows.jsonl", folder / "out.jsonl"
    file.write_bytes(
        b"".join(
            json.dumps({"id": f"r{n}", "question": "?", "prediction": said, "reference": expected}).encode()
            + b"\n"
            for n, (said, expected) in enumerate(rows)
        )
    )
    capfd.readouterr()
    assert run(["metrics", str(file), "--format", "json", "--out", str(out)]) == 0
    document = json.loads(capfd.readouterr().out)
    found = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [row["id"] for row in found] == [f"r{n}" for n in range(len(rows))]
    assert document["n"] == len(rows)
    for name in ("korquad_em", "klue_rouge_w"):
        assert document["means"][name] == pytest.approx(sum(row[name] for row in found) / len(found))
    return found


def test_over_four_hundred_rows_are_the_definitions_to_the_last_digit(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = held_out()
    assert len(rows) > 400
    for (said, expected), row in zip(rows, measured(tmp_path, rows, capfd), strict=True):
        theirs = by_definition(said, expected)
        assert {name: row[name] for name in theirs} == theirs, (said, expected)


TEXT = st.text(alphabet="가나다 Ab1.'\"()《》‘’「」·\t\n\u200b\ufeff\u1100\u1161\u11a8\x00😀", max_size=24)


@given(st.lists(st.tuples(TEXT, st.lists(TEXT, max_size=3)), min_size=1, max_size=6))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_rows(tmp_path: Path, capfd: pytest.CaptureFixture[str], rows: list[Row]) -> None:
    rows = [*rows, ("서울", ["서울"])]  # a file without any reference is refused as a mistake
    for (said, expected), row in zip(rows, measured(tmp_path, rows, capfd), strict=True):
        theirs = by_definition(said, expected)
        assert {name: row[name] for name in theirs} == theirs, (said, expected)


def test_a_table_is_read_as_it_stands_too(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    rows = [
        (said, expected)
        for said, expected in held_out()
        if len(expected) == 1 and "\x00" not in said + expected[0]
    ]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["id", "question", "prediction", "reference"])
    writer.writerows((f"r{n}", "?", said, expected[0]) for n, (said, expected) in enumerate(rows))
    file, out = tmp_path / "rows.csv", tmp_path / "out.jsonl"
    file.write_text(text.getvalue(), encoding="utf-8", newline="")
    capfd.readouterr()
    assert run(["metrics", str(file), "--out", str(out), "--format", "json"]) == 0
    found = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    for (said, expected), row in zip(rows, found, strict=True):
        theirs = by_definition(said, expected)
        assert {name: row[name] for name in theirs} == theirs, (said, expected)
