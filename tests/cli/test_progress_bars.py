"""The lines of a live run: they fit, line up, and say the most telling things."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from simsa.cli.progress_bars import bar, describe, lines, live, money, rows, shown
from simsa.i18n.language import Language
from simsa.run.progress import Progress, Stage

LANGUAGES: tuple[Language, ...] = ("ko", "en")


def under_way(**figures: float | None) -> Progress:
    progress = Progress(spent_usd=1.2345, before_usd=0.0, limit_usd=20.0)
    began = time.monotonic() - 100
    progress.generate = Stage(total=12_000, done=3_456, failed=7, reused=12, started=began)
    progress.judge = Stage(total=12_000, done=1_000, failed=3, reused=1, started=began)
    for name, value in figures.items():
        setattr(progress, name, value)
    return progress


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("width", [20, 30, 40, 50, 60, 79, 100, 160])
def test_no_line_is_wider_than_the_terminal(language: Language, width: int) -> None:
    for line in live(under_way(), width, language):
        assert cell_len(line) <= width


@given(
    width=st.integers(10, 200),
    total=st.one_of(st.none(), st.integers(1, 10**7)),
    done=st.integers(0, 10**7),
    failed=st.integers(0, 10**6),
    spent=st.floats(0, 10**5),
    limit=st.one_of(st.none(), st.floats(0, 10**5)),
)
def test_whatever_the_counters_are_the_lines_fit(
    width: int, total: int | None, done: int, failed: int, spent: float, limit: float | None
) -> None:
    progress = under_way(spent_usd=spent, limit_usd=limit)
    progress.generate.total, progress.generate.done, progress.judge.failed = total, done, failed
    for language in LANGUAGES:
        for ascii_only in (True, False):
            found = live(progress, width, language, ascii_only=ascii_only)
            assert all(cell_len(line) <= width for line in found)
            assert len(found) == 2 + (spent > 0)


@pytest.mark.parametrize("language", LANGUAGES)
def test_bars_and_counts_stand_in_columns(language: Language) -> None:
    first, second, _ = live(under_way(), 100, language)
    for mark in ("━", "/12,000"):
        assert cell_len(first[: first.index(mark)]) == cell_len(second[: second.index(mark)])


def test_the_words_are_those_of_the_language() -> None:
    korean, english = ("\n".join(live(under_way(), 100, language)) for language in LANGUAGES)
    for part in (
        "답변 생성",
        "심사",
        "남음",
        "실패 7",
        "초당",
        "재사용 12",
        "비용",
        "$1.23 사용",
        "한도 $20.00",
    ):
        assert part in korean
    for part in (
        "generate",
        "judge",
        "left",
        "7 failed",
        "/s",
        "12 reused",
        "cost",
        "$1.23 spent",
        "limit $20.00",
    ):
        assert part in english


def test_what_tells_least_goes_first_when_there_is_no_room() -> None:
    def says(width: int) -> str:
        return "\n".join(live(under_way(), width, "en"))

    assert "reused" in says(100)
    assert "reused" not in says(68)
    assert "/s" in says(68)
    assert "/s" not in says(60)
    assert "failed" in says(60)
    assert "failed" not in says(46)
    assert "left" in says(46)
    assert "3,456/12,000" in says(30)
    assert "━" not in says(30)


def test_money_says_less_in_less_room_but_always_what_was_spent() -> None:
    progress = under_way(limit_usd=5.0)
    wide, narrow, least = (live(progress, width, "en")[-1] for width in (120, 76, 24))
    assert wide.endswith(
        "$1.23 spent · about $13.58 to go · limit $5.00, $3.77 left · the limit comes before the end"
    )
    assert "the limit comes before the end" in narrow
    assert "to go" not in narrow
    assert least.endswith("$1.23 spent")


def test_a_limit_that_will_hold_is_not_warned_of() -> None:
    assert "before the end" not in money(under_way(limit_usd=500.0))
    assert "before the end" in money(under_way(limit_usd=2.0))
    assert "$0.00 left" in money(under_way(limit_usd=1.0)), "never less than nothing"


def test_where_no_limit_is_set_none_is_spoken_of() -> None:
    assert "limit" not in money(under_way(limit_usd=None))
    assert money(under_way(spent_usd=0.0)) == ""
    assert len(live(under_way(spent_usd=0.0), 80, "en")) == 2


def test_a_terminal_without_these_characters_gets_plain_ones() -> None:
    for line in live(under_way(), 79, "en", ascii_only=True):
        assert line.isascii()
    assert "##---" in live(under_way(), 79, "en", ascii_only=True)[0]


def test_a_stage_that_has_not_begun_or_has_nothing_to_do_is_not_shown() -> None:
    progress = Progress()
    assert live(progress, 80, "ko") == lines(progress, "ko") == []
    progress.generate.begin(total=0)
    progress.judge.begin(total=4)
    assert [one.name for one in shown(progress, "en")] == ["judge"]


def test_a_stage_that_waits_says_how_long_and_one_that_ended_how_long_it_took() -> None:
    waiting = Stage(total=5, started=0.0, finished=75.0)
    assert describe(waiting) == "0/5 · waiting 01:15"
    ended = Stage(total=5, done=5, started=0.0, finished=75.0)
    assert describe(ended, "ko") == "5/5 · 01:15 걸림 · 초당 0.07건"
    assert describe(Stage(done=3, started=0.0, finished=2.0)) == "3 · in 00:02 · 1.5/s"


def test_large_numbers_have_separators_and_no_exponent() -> None:
    stage = Stage(total=12_345_678, done=2_345_678, failed=1_234, started=0.0, finished=1.0)
    assert describe(stage) == "2,345,678/12,345,678 · in 00:01 · 1,234 failed · 2,345,678/s"


def test_logs_get_everything_with_the_money_behind_the_judge() -> None:
    first, second = lines(under_way(), "en")
    assert first.startswith("generate: 3,456/12,000 · ")
    assert "spent" not in first
    assert second.startswith("judge: 1,000/12,000 · ")
    assert "$1.23 spent" in second


@pytest.mark.parametrize("width", [1, 8, 24])
def test_a_bar_is_as_long_as_it_says(width: int) -> None:
    for done in range(11):
        assert len(bar(Stage(total=10, done=done), width)) == width
    assert bar(Stage(total=10, done=10), width) == "━" * width
    assert bar(Stage(), width) == "╌" * width


@pytest.mark.parametrize(
    ("drawn", "width", "taken"),
    [
        ([], 60, 0),
        (["", "ab"], 2, 2),
        (["abc", "ab"], 2, 3),
        (["가나다"], 3, 3),
        (["가나다라"], 4, 2),
        (["a가나"], 4, 2),
    ],
)
def test_rows_of_lines_that_a_terminal_breaks(drawn: list[str], width: int, taken: int) -> None:
    """A wide letter that has no room in a row goes whole into the next one."""
    assert rows(drawn, width) == taken
