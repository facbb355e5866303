"""What a live display has left on a terminal that got narrower since."""

from __future__ import annotations

from rich.console import Console, ConsoleRenderable, RenderHook
from rich.control import Control
from rich.segment import ControlType

from simsa.cli import bars
from simsa.config import environment

# Set by terminals that cut off what they show when they get narrower; nearly all others break it,
# tmux in one of them too.
_CUTTING = ("XTERM_VERSION", "STY")
_BREAKING = "TMUX"


class Drawn(RenderHook):
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
        above = bars.rows(lines, self._screen.width) - len(lines) if self._breaks else 0
        wiped = ((ControlType.CURSOR_UP, 1), (ControlType.ERASE_IN_LINE, 2)) * above
        return [Control(*wiped), *renderables] if above else renderables
