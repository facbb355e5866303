"""Draws `docs/demo.svg`, the README's picture, from the recorded demo: `python docs/picture.py`."""

from __future__ import annotations

import contextlib
import html
import io
import re
import tempfile
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from simsa import api, report
from simsa.cli.main import run
from simsa.report.renderers import terminal
from simsa.store import Store

WIDTH = 92
LINES = 42
RUN = re.compile(
    r'(?P<before><text [^>]*?)textLength="(?P<width>[0-9.]+)"(?P<after>[^>]*)>(?P<text>[^<]*)</text>'
)
# Rich's own frame would fetch a font from the network.
FRAME = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: "D2Coding", "Noto Sans Mono CJK KR", "Nanum Gothic Coding", monospace;
  font-size: {char_height}px; line-height: {line_height}px; }}
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
        with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO())):
            run(["demo", "--replay", "--out", folder, "-q", "--json"])
        made = api.Run(Path(folder) / "simsa.simsa")
        with Store.read(made.folder) as store:
            shown = terminal.render(report.summary(store), WIDTH, True)
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    console.print(Text.from_ansi("\n".join(shown.splitlines()[:LINES])))
    svg = console.export_svg(title="simsa demo --replay", code_format=FRAME)
    out.write_text(RUN.sub(_widened, svg), encoding="utf-8")


def _widened(run: re.Match[str]) -> str:
    """Rich gives a run of text the width of its characters; Hangul takes two cells each."""
    text = html.unescape(run["text"])
    width = float(run["width"]) * cell_len(text) / max(1, len(text))
    return f'{run["before"]}textLength="{width:.1f}"{run["after"]}>{run["text"]}</text>'


if __name__ == "__main__":
    draw(Path(__file__).with_name("demo.svg"))
