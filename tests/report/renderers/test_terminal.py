from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from simsa import report
from simsa.i18n.language import Language
from simsa.records import Criteria, Passage
from simsa.report.format import Grid, TableCell, TableRow
from simsa.report.renderers import terminal
from simsa.report.summary_model import Note, RunInfo, Summary
from simsa.rubrics import built_in_criteria
from simsa.store import Store
from simsa.text import one_line
from tests.support.report_runs import JUDGE, make_run, question

HOSTILE = '\x1b[31m빨강\x1b]0;t\x07 \u202eright\u2066 <script>alert(1)</script> =HYPERLINK("x") [bold]b[/] :smile:\r\n끝'
ANSI = re.compile("\x1b\\[[0-9;]*m")


def rendered(run: Path, language: Language = "en", width: int = 80, colour: bool = False) -> str:
    with Store.read(run) as store:
        return terminal.render(report.summary(store, language), width, colour)


def pattern(n: int, shift: int) -> list[Any]:
    return [tuple(1 + (i * k + shift) % 5 for k in (1, 2, 3, 4)) for i in range(n)]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = [(2, 2, 3, 3), (1, 2, 2, 3), (3, 3, 3, 3)] * 8
    early = [(3, 2, 3, 3), (1, 3, 3, 3), (1, 2, 2, 3)] * 8
    lora = [(4, 4, 4, 4), (5, 4, 4, 4), (4, 3, 4, 5)] * 7 + ["refused", "unreadable", None]
    return make_run(
        tmp_path_factory.mktemp("text") / "run", {"base": base, "rag-early": early, "rag-lora": lora}
    )


@pytest.mark.parametrize("language", ["ko", "en"])
@pytest.mark.parametrize("width", [40, 80, 160])
def test_every_line_fits(run: Path, width: int, language: Language) -> None:
    for line in rendered(run, language, width).splitlines():
        assert cell_len(line) <= width, line
        assert line == line.rstrip()


def test_the_verdict_comes_first_and_says_what_was_not_shown(run: Path) -> None:
    lines = rendered(run, "en", 200).splitlines()
    assert lines[0].startswith(
        "No difference between rag-early and base was shown: total −0.3 (95 % interval −1.5 to 0.8)"
    )
    assert "does not make them equal: this sample detects only ±" in lines[0]
    assert re.fullmatch(
        r"rag-lora is better than base: total \+6\.\d \(95 % interval \d\.\d to \d\.\d\), 21 pairs\.",
        lines[1],
    )
    assert rendered(run, "ko", 200).splitlines()[1].startswith("rag-lora가 base보다 낫습니다: 총점 +6.")


def test_the_summary_has_what_a_reader_looks_for(run: Path) -> None:
    shown = " ".join(rendered(run).split())
    for part in (
        "Judge: gpt-4o · rubric rag-ko@1a2b3c4d · 4 criteria in one call",
        "71 calls · 0 verdicts reused",
        "rag-lora · no score: not judged yet 1, judge refused 1, judge's reply unreadable 1",
        "answer correctness",
        "total /20",
        "median · sd",
        "24/24",
        "21/24",
        "Difference to base",
        "win/tie/loss",
        "KorQuAD F1",
        "mrc_question",
        "Highest scores · q",
        "Lowest scores · q",
        "Largest difference · q",
        "rag-lora: 3 of 24 questions (12.5 %) have no total",
    ):
        assert part in shown, part


def test_no_colour_unless_asked_for(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = rendered(run)
    assert "\x1b" not in plain
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert rendered(run) == plain
    monkeypatch.setenv("NO_COLOR", "1")
    coloured = rendered(run, colour=True)
    assert "\x1b[32m" in coloured and "\x1b[1m" in coloured
    stripped = "\n".join(line.rstrip() for line in ANSI.sub("", coloured).split("\n"))
    assert stripped == plain


def test_text_of_models_reaches_the_terminal_disarmed(tmp_path: Path) -> None:
    asked = [
        question(
            1,
            question=HOSTILE,
            contexts=(Passage(HOSTILE, title=HOSTILE),),
            reference=(HOSTILE,),
            type=HOSTILE,
        )
    ]
    run = make_run(
        tmp_path / "run",
        {"base": [(3, 3, 3, 3)]},
        questions=asked,
        predictions={"base": [HOSTILE]},
        analysis=HOSTILE,
        notes=[{"kind": "x", "text": HOSTILE}],
        judge=JUDGE | {"model": HOSTILE},
    )
    for width in (80, 160):
        shown = rendered(run, width=width)
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown)
        assert "[bold]" in shown and ":smile:" in shown
        assert set(ANSI.findall(rendered(run, width=width, colour=True))) <= {
            f"\x1b[{code}m" for code in ("0", "1", "2", "32", "33", "36", "31", "1;2")
        }


def test_many_variants_and_long_names_are_split_over_several_tables(tmp_path: Path) -> None:
    names = [f"변형-{'가' * 30}-{n}" for n in range(4)] + [f"v{n}" for n in range(9)]
    run = make_run(tmp_path / "run", {name: pattern(3, n) for n, name in enumerate(names)})
    for language in ("ko", "en"):
        shown = rendered(run, language)
        assert all(cell_len(line) <= 80 for line in shown.splitlines())
        flat = re.sub(r"\s", "", shown)
        assert all(name in flat for name in names)


def test_wide_terminals_get_an_interval_beside_every_mean(run: Path) -> None:
    def correctness(width: int) -> str:
        found = rendered(run, width=width).splitlines()
        return next(line for line in found if line.strip().startswith("answer correctness"))

    assert len(re.findall(r"\[", correctness(160))) == 3
    assert "[" not in correctness(60)


@pytest.mark.parametrize(
    ("scores", "judge", "start"),
    [
        ({}, JUDGE, "There are no questions."),
        ({"base": []}, JUDGE, "There are no questions."),
        ({"base": [None, None]}, None, "No answer has been scored yet: 2 answers, 2 questions."),
        (
            {"base": [(3, 3, 3, 3), (3, 4, 3, 4)]},
            JUDGE,
            "base is the only variant, so nothing is compared: mean total 13.0",
        ),
        (
            {"base": [(3, 3, 3, 3)]},
            JUDGE,
            "base is the only variant, so nothing is compared: mean total 12.0",
        ),
        (
            {"base": [(3, 3, 3, 3)] * 2, "b": [None] * 2},
            JUDGE,
            "Too few pairs to compare b with base: 0 have",
        ),
        (
            {"base": [None] * 2, "b": [(3, 3, 3, 3)] * 2},
            JUDGE,
            "Too few pairs to compare b with base: 0 have",
        ),
        (
            {"base": [(3, 3, 3, 3)] * 20, "b": [(3, 3, 3, 3)] * 20},
            JUDGE,
            "b is equivalent to base: total 0.0",
        ),
        ({"base": [(3, 3, 3, 3)] * 20, "b": [(3, 2, 3, 3)] * 20}, JUDGE, "b is worse than base: total −1.0"),
    ],
)
def test_every_state_of_a_run_has_its_sentence(tmp_path: Path, scores: Any, judge: Any, start: str) -> None:
    run = make_run(tmp_path / "run", scores, judge=judge)
    assert rendered(run, width=200).startswith(start)
    assert rendered(run, "ko")


def test_what_speaks_against_the_total_is_said(tmp_path: Path) -> None:
    base, better = [(2, 2, 4, 2)] * 20, [(5, 5, 2, 5)] * 20
    first = rendered(make_run(tmp_path / "a", {"base": base, "new": better}), width=200)
    assert "new is better than base" in first and "But it is lower in: context faithfulness −2.00." in first
    second = rendered(make_run(tmp_path / "b", {"base": better, "new": base}), width=200)
    assert "new is worse than base" in second and "But it is higher in: context faithfulness +2.00." in second


def test_an_equivalent_total_may_hide_opposite_criteria(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", {"base": [(2, 2, 4, 2)] * 20, "new": [(3, 2, 3, 2)] * 20})
    said = "By criterion it is lower in context faithfulness −1.00, and higher in answer correctness +1.00."
    assert said in rendered(run, width=300)


def test_a_lexical_verdict_is_not_a_claim_about_quality(tmp_path: Path) -> None:
    scores = {"base": [(2, 2, 2, 2)] * 20, "lora": [(3, 3, 3, 3)] * 20}
    run = make_run(tmp_path / "run", scores, judge=JUDGE | {"model": "lexical"})
    assert rendered(run, width=200).startswith("By word overlap alone: lora is better than base")
    assert rendered(run, "ko", 200).startswith("단어 중복만 보면 lora가 base보다 낫습니다")
    assert "calls" not in rendered(run).split("Scores:")[0]


@settings(max_examples=15, deadline=None)
@given(st.text(max_size=120), st.integers(40, 120))
def test_any_text_fits_any_width(said: str, width: int) -> None:
    from simsa.report.summary_model import Example, ExampleAnswer

    asked = question(1, question=said, contexts=(Passage(said),), reference=(said,))
    answer = ExampleAnswer(said or "v", said, "refused", {"context_recall": 3}, said)
    shown = terminal.render_examples([Example("worst", asked, (answer,), built_in_criteria())], "ko", width)
    assert "\x1b" not in shown
    assert all(cell_len(line) <= width for line in shown.split("\n"))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.text("가나다라마 abc12.,()", min_size=1, max_size=9), min_size=1, max_size=40),
    st.integers(40, 120),
)
def test_no_letter_of_a_note_is_lost(words: list[str], width: int) -> None:
    shown = terminal.render(noted(" ".join(words)), width, False).split("참고 사항", 1)[1]
    assert re.sub(r"\s|·", "", shown) == re.sub(r"\s", "", "".join(words))
    assert "…" not in shown


def noted(note: str) -> Summary:
    """A summary that says nothing but `note`."""
    return Summary(
        RunInfo("run", "2026-01-01", "c", "d", "1", 0),
        judge=None,
        language="ko",
        baseline="base",
        criteria=Criteria(),
        data={},
        variants=(),
        comparisons=(),
        notes=(Note("any", note),),
        examples=(),
    )


def grid(columns: int, cell: str, label: str = "행") -> Grid:
    names = tuple(f"v{n}" for n in range(columns))
    return Grid(
        "표",
        names,
        (
            TableRow(label, tuple(TableCell(cell) for _ in names)),
            TableRow("하", tuple(TableCell("1") for _ in names)),
        ),
    )


def heads(shown: str) -> list[str]:
    return [line for line in shown.splitlines() if re.fullmatch(r"\s+v\d.*", line)]


def test_columns_have_room_then_move_closer_and_only_then_is_a_table_broken() -> None:
    roomy, closer, broken = (terminal.render_grids([grid(4, "12.34 (5)")], width) for width in (80, 60, 40))
    (first,), (second,) = heads(roomy), heads(closer)
    assert cell_len(first) > cell_len(second)
    assert re.split(r"\s+", second.strip()) == ["v0", "v1", "v2", "v3"]
    assert len(heads(broken)) == 2


@given(
    columns=st.integers(1, 9),
    cell=st.text("가나1.2 ", min_size=1, max_size=24),
    label=st.text("가나다 abc", max_size=60),
    width=st.integers(40, 160),
)
def test_any_table_fits_and_keeps_every_column(columns: int, cell: str, label: str, width: int) -> None:
    shown = terminal.render_grids([grid(columns, cell, label)], width)
    assert all(cell_len(line) <= width for line in shown.splitlines())
    found = [name for line in heads(shown) for name in line.split()]
    assert found == [f"v{n}" for n in range(columns)]


def test_a_table_without_rows_leaves_no_gap() -> None:
    nothing = Grid("없음", (), ())
    with_it = terminal.render_grids([grid(2, "1"), nothing, grid(2, "2")], 80)
    assert with_it == terminal.render_grids([grid(2, "1"), grid(2, "2")], 80)
    assert "없음" not in with_it


def test_passages_are_quoted_at_greater_length_where_lines_are_longer(tmp_path: Path) -> None:
    long = "".join(f"{n}번째 글자들 " for n in range(200))
    run = make_run(
        tmp_path / "run", {"base": [(1, 1, 1, 1)]}, questions=[question(1, contexts=(Passage(long),))]
    )

    def quoted(width: int) -> int:
        shown = rendered(run, width=width)
        return max(int(n) for n in re.findall(r"(\d+)번째", shown))

    assert quoted(40) == quoted(80)
    assert 1.8 < quoted(160) / quoted(80) < 2.3


@pytest.mark.parametrize("width", [40, 60, 80, 160])
@pytest.mark.parametrize(
    "label", ["가나다라마바사아자차" * 8, "a_very_long_type_of_question_" * 4, "긴 이름 " * 20]
)
def test_a_long_label_is_folded_and_never_takes_the_room_of_the_figures(label: str, width: int) -> None:
    shown = terminal.render_grids([grid(3, "12.34 (5)", label)], width)
    assert all(cell_len(line) <= width for line in shown.splitlines())
    assert shown.count("12.34 (5)") == 3
    told = "".join(line.split("12.34")[0] for line in shown.splitlines() if not re.search(r"v\d|표|하", line))
    assert one_line(label, 120).replace(" ", "")[:60] in re.sub(r"\s", "", told)
