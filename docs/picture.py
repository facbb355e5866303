"""Draws `docs/demo.svg`, the README's picture, from the recorded demo: `python docs/picture.py`."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

from simsa import library, report
from simsa.cli.main import run
from simsa.report import text
from simsa.store import Store

WIDTH = 92
LINES = 42
# Rich's own frame would fetch a font from the network.
FRAME = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: "D2Coding", "Noto Sans Mono CJK KR", "Nanum Gothic Coding", monospace;
  font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" /></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def draw(out: Path) -> None:
    """Writes the summary of the replayed demo as it looks in a terminal."""
    with tempfile.TemporaryDirectory() as folder:
        run(["demo", "--replay", "--out", folder, "-q", "--json"])
        made = library.Run(Path(folder) / "simsa.simsa")
        with Store.read(made.folder) as store:
            shown = text.render(report.summary(store), WIDTH, True)
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    console.print(Text.from_ansi("\n".join(shown.splitlines()[:LINES])))
    out.write_text(console.export_svg(title="simsa demo --replay", code_format=FRAME), encoding="utf-8")


if __name__ == "__main__":
    draw(Path(__file__).with_name("demo.svg"))
