"""The display of progress: live bars at any width, plain lines in logs, cost."""

from __future__ import annotations

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from simsa.cli.progress_display import _rich_progress, clock, cost_line, describe
from simsa.i18n.language import Language
from simsa.run.progress import Progress, Stage


def halfway() -> Progress:
    progress = Progress(spent_usd=1.5, limit_usd=2.0)
    progress.generate = Stage(total=83, done=83, started=0.0, finished=41.0)
    progress.judge = Stage(total=12_345, done=6_000, failed=3, reused=40, started=0.0, finished=60.0)
    return progress


def drawn(progress: Progress, width: int, language: Language, encoding: str = "utf-8") -> list[str]:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    screen = Console(file=stream, width=width, force_terminal=True, color_system=None, markup=False)
    bars = _rich_progress(progress, language, screen)
    screen.print(bars.get_renderable())
    stream.flush()
    stream.seek(0)
    return stream.read().splitlines()


@pytest.mark.parametrize("width", [20, 40, 60, 80, 160])
@pytest.mark.parametrize("language", ["ko", "en"])
def test_bars_fit_any_terminal(width: int, language: Language) -> None:
    lines = drawn(halfway(), width, language)
    assert len(lines) == 3
    assert all(cell_len(line.rstrip()) <= width for line in lines)


def test_bars_show_counts_details_and_cost() -> None:
    generate, judge, cost = drawn(halfway(), 160, "en")
    assert generate.startswith("generate") and "83/83" in generate and "in 00:41" in generate
    assert (
        judge.startswith("judge") and "6,000/12,345" in judge and "3 failed" in judge and "40 reused" in judge
    )
    assert (
        cost.rstrip()
        == "cost $1.50 spent · about $1.59 to go · limit $2.00, $0.50 left · the limit comes before the end"
    )


def test_a_stage_without_work_has_no_bar() -> None:
    progress = Progress(generate=Stage(total=0, started=0.0), judge=Stage(total=5, started=0.0))
    assert [line.split()[0] for line in drawn(progress, 80, "en")] == ["judge"]


def test_a_terminal_without_unicode_gets_ascii_bars() -> None:
    "\n".join(drawn(halfway(), 80, "en", encoding="ascii")).replace("·", "").encode("ascii")


def test_a_stage_is_described_on_one_line() -> None:
    stage = Stage(total=10, done=4, failed=1, reused=2, started=0.0, finished=2.0)
    assert describe(stage) == "4/10 · in 00:02 · 1 failed · 2.0/s · 2 reused"
    assert describe(stage, "ko").startswith("4/10 · ")


def test_cost_is_empty_without_spending_and_has_no_limit_unless_one_is_set() -> None:
    assert cost_line(Progress(limit_usd=2.0)) == ""
    assert cost_line(Progress(spent_usd=0.5)) == "$0.50 spent"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "00:00"), (345, "05:45"), (12_345, "3:25:45"), (359_999, "99:59:59")]
)
def test_durations(seconds: float, text: str) -> None:
    assert clock(seconds) == text
