"""How much above a display is wiped away when its terminal got narrower: as much as was broken, and no more."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from simsa.cli.progress_bars import TerminalRepair

UP_AND_WIPED = "\x1b[1A\x1b[2K"


def wiped(monkeypatch: pytest.MonkeyPatch, width: int, lines: list[str], **variables: str) -> str:
    for name in ("XTERM_VERSION", "STY", "TMUX"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    screen = Console(file=io.StringIO(), width=width, force_terminal=True, legacy_windows=False)
    drawn = TerminalRepair(screen)
    drawn.lines = lines
    screen.push_render_hook(drawn)
    screen.print("", end="")
    assert drawn.lines == [], "once"
    return screen.file.getvalue()  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize(
    ("width", "lines", "rows"),
    [
        (60, [], 0),
        (60, ["a" * 59], 0),
        (60, ["a" * 79, "b" * 79], 2),
        (20, ["가" * 25, "b"], 2),
        (60, ["a" * 60], 0),
    ],
)
def test_a_row_for_each_that_a_line_was_broken_into_beyond_its_first(
    width: int, lines: list[str], rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert wiped(monkeypatch, width, lines) == UP_AND_WIPED * rows


@pytest.mark.parametrize(
    ("variables", "rows"),
    [
        ({"XTERM_VERSION": "XTerm(390)"}, 0),
        ({"STY": "1.pts"}, 0),
        ({"XTERM_VERSION": "XTerm(390)", "TMUX": "x"}, 1),
    ],
)
def test_nothing_where_lines_are_cut_off_instead(
    variables: dict[str, str], rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert wiped(monkeypatch, 60, ["a" * 79], **variables) == UP_AND_WIPED * rows
