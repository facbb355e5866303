"""`simsa view`: the web page of runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from simsa.cli import console

if TYPE_CHECKING:
    from simsa.i18n.language import Language


@click.command(help="view")
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="view.host")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="view.port")
@click.option("--no-open", is_flag=True, help="view.no_open")
@click.option("--language", type=click.Choice(["ko", "en"]), help="option.language_run")
def command(runs: tuple[Path, ...], host: str, port: int, no_open: bool, language: Language | None) -> None:
    """Runs `simsa view`. Its help is in the message catalogue."""
    from simsa.web.app import serve

    def ready(address: str) -> None:
        click.echo(address)
        if not no_open:
            import webbrowser

            webbrowser.open(address)

    serve([console.find_run(run) for run in runs], host, port, language, ready)
