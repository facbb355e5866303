"""`simsa view`: the web page of runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from simsa.cli import console

if TYPE_CHECKING:
    from simsa.i18n.language import Language


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Where to listen; any but loopback needs a token."
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port; any free one by default.")
@click.option("--no-open", is_flag=True, help="Don't open a browser.")
@click.option("--language", type=click.Choice(["ko", "en"]), help="Language; the run's own by default.")
def command(runs: tuple[Path, ...], host: str, port: int, no_open: bool, language: Language | None) -> None:
    """Show runs as a web page, also while they are going on: browse, compare side by side,
    label answers blind and by keyboard, see how far people and judge agree. Several runs are
    shown over time. Labels are kept in the run's folder, where `simsa calibrate RUN` finds
    them. Ctrl-C ends it.

    \b
    simsa view simsa.simsa
    simsa view before.simsa after.simsa --port 8765 --no-open
    """
    from simsa.web.app import serve

    def ready(address: str) -> None:
        click.echo(address)
        if not no_open:
            import webbrowser

            webbrowser.open(address)

    serve([console.find_run(run) for run in runs], host, port, language, ready)
