"""Where both stages of a run stand, as lines that fit a terminal. Pure: counters in, text out.

What a live display has left on a terminal that got narrower since.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleRenderable, RenderHook
from rich.control import Control
from rich.segment import ControlType

from simsa.config import environment
from simsa.i18n.language import Language, localize
from simsa.i18n.messages import msg
from simsa.run.progress import Progress, Stage
from simsa.text import count, usd

_GAP = "  "
_WIDEST_BAR, _NARROWEST_BAR = 40, 8
_FILLED, _EMPTY = "━", "╌"
_PLAIN = str.maketrans({_FILLED: "#", _EMPTY: "-", "·": "|"})


class ProgressDisplay(NamedTuple):
    """A stage that has begun, under the name that people read."""

    name: str
    stage: Stage


def shown(progress: Progress, language: Language) -> list[ProgressDisplay]:
    """The stages that have begun and have anything to do."""
    both = (("live.generate", progress.generate), ("live.judge", progress.judge))
    return [
        ProgressDisplay(localize(msg(key), language), stage)
        for key, stage in both
        if stage.started is not None and stage.total != 0
    ]


def live(progress: Progress, width: int, language: Language, *, ascii_only: bool = False) -> list[str]:
    """A bar for each stage, and the money; no line is wider than `width` cells.

    What does not fit is left out, the least telling first: what was reused, the rate, the bar.
    """
    stages = shown(progress, language)
    names = [one.name for one in stages]
    if progress.spent_usd:
        names.append(localize(msg("live.money"), language))
    label = max(map(cell_len, names), default=0)
    counts = [_count(one.stage) for one in stages]
    column = max(map(cell_len, counts), default=0)
    rest = width - label - column - 2 * len(_GAP)
    facts, room = _fitting([one.stage for one in stages], rest, language)
    wide = min(_WIDEST_BAR, room) if room >= _NARROWEST_BAR else 0
    lines = []
    for one, of_total, said in zip(stages, counts, facts, strict=True):
        total = " " * (column - cell_len(of_total)) + of_total
        parts = [set_cell_size(one.name, label), bar(one.stage, wide), total, said]
        lines.append(_GAP.join(part for part in parts if part))
    if progress.spent_usd:
        room = width - label - len(_GAP)
        lines.append(f"{set_cell_size(names[-1], label)}{_GAP}{_money_in(progress, room, language)}")
    lines = [line if cell_len(line) <= width else set_cell_size(line, width) for line in lines]
    return [_plain(line.rstrip()) if ascii_only else line.rstrip() for line in lines]


def _fitting(stages: Sequence[Stage], room: int, language: Language) -> tuple[list[str], int]:
    """The facts beside each bar, and how many cells they leave for it."""
    found: tuple[list[str], int] = ([], room)
    for left_out in ((), ("reused",), ("reused", "rate"), ("reused", "rate", "failed")):
        texts = [" · ".join(t for kind, t in _facts(s, language) if kind not in left_out) for s in stages]
        widest = max(map(cell_len, texts), default=0)
        found = texts, room - widest - (len(_GAP) if widest else 0)
        if found[1] >= _NARROWEST_BAR:
            return found
    return found


def lines(progress: Progress, language: Language) -> list[str]:
    """The same as plain lines, for logs: nothing is left out."""
    stages = shown(progress, language)
    said = [f"{name}: {describe(stage, language)}" for name, stage in stages]
    if said and stages[-1].stage is progress.judge and (spent := money(progress, language)):
        said[-1] += f" · {spent}"
    return said


def describe(stage: Stage, language: Language = "en") -> str:
    """Done of total, rate, time left, what failed and what was found done."""
    return " · ".join((_count(stage), *(text for _, text in _facts(stage, language))))


def _count(stage: Stage) -> str:
    return f"{count(stage.done)}/{count(stage.total)}" if stage.total else count(stage.done)


def _facts(stage: Stage, language: Language) -> list[tuple[str, str]]:
    """What there is to say besides the count, the most telling first."""
    left = stage.left_s()
    found = []
    if stage.finished is not None and stage.done:
        found.append(("left", msg("live.took", time=clock(stage.seconds))))
    elif left:
        found.append(("left", msg("live.left", time=clock(left))))
    elif not stage.done:
        found.append(("left", msg("live.waiting", time=clock(stage.seconds))))
    if stage.failed:
        found.append(("failed", msg("live.failed", n=count(stage.failed))))
    if stage.done:
        found.append(("rate", msg("live.rate", rate=_rate(stage.rate()))))
    if stage.reused:
        found.append(("reused", msg("live.reused", n=count(stage.reused))))
    return [(kind, localize(text, language)) for kind, text in found]


def _rate(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.1f}" if rate >= 0.1 or not rate else f"{rate:.2f}"


def money(progress: Progress, language: Language = "en", *, without: Collection[str] = ()) -> str:
    """What was spent, what the rest will cost, and what it may; empty where nothing costs."""
    if not progress.spent_usd:
        return ""
    to_go, limit = progress.to_go_usd, progress.limit_usd
    found = {"spent": msg("money.spent", usd=usd(progress.spent_usd))}
    if to_go:
        found["to_go"] = msg("money.to_go", usd=usd(to_go))
    if limit is not None:
        rest = max(0.0, limit - progress.spent_usd)
        key = "money.limit" if "rest" in without else "money.limit_rest"
        found["limit"] = msg(key, limit=usd(limit), rest=usd(rest))
        if to_go and to_go > rest:
            found["not_enough"] = msg("money.not_enough")
    return " · ".join(localize(text, language) for name, text in found.items() if name not in without)


def _money_in(progress: Progress, room: int, language: Language) -> str:
    """As much of it as fits."""
    leave_out = (
        (),
        ("rest",),
        ("rest", "to_go"),
        ("rest", "to_go", "not_enough"),
        ("to_go", "limit", "not_enough"),
    )
    texts = [money(progress, language, without=without) for without in leave_out]
    return next((text for text in texts if cell_len(text) <= room), texts[-1])


def rows(lines: Collection[str], width: int) -> int:
    """How many rows of a terminal of `width` cells `lines` take up when it has broken those that are longer."""
    return sum(_rows(line, width) for line in lines)


def _rows(line: str, width: int) -> int:
    n, used = 1, 0
    for character in line:
        cells = cell_len(character)
        if used + cells > width:
            n, used = n + 1, 0
        used += cells
    return n


def clock(seconds: float) -> str:
    """05:45 or 3:25:45, also beyond a day."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}" if minutes >= 60 else f"{minutes:02}:{rest:02}"


def bar(stage: Stage, width: int = 24) -> str:
    """A bar of `width` cells; empty while the total is unknown."""
    filled = round(width * min(1.0, stage.done / stage.total)) if stage.total else 0
    return _FILLED * filled + _EMPTY * (width - filled)


def _plain(line: str) -> str:
    return line.translate(_PLAIN)


# Set by terminals that cut off what they show when they get narrower; nearly all others break it,
# tmux in one of them too.
_CUTTING = ("XTERM_VERSION", "STY")
_BREAKING = "TMUX"


class TerminalRepair(RenderHook):
    """The lines that stand on the terminal; wipes away what is left of those that it broke when it got narrower.

    Rich goes up as many rows as it has drawn lines: a line that was broken since leaves its beginning above.
    """

    def __init__(self, screen: Console) -> None:
        self.lines: list[str] = []
        self._screen = screen
        variables = environment()
        self._breaks = _BREAKING in variables or not any(name in variables for name in _CUTTING)

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        lines, self.lines = self.lines, []
        above = rows(lines, self._screen.width) - len(lines) if self._breaks else 0
        wiped = ((ControlType.CURSOR_UP, 1), (ControlType.ERASE_IN_LINE, 2)) * above
        return [Control(*wiped), *renderables] if above else renderables
