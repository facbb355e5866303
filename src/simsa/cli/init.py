"""`simsa init`: a config and a small test set to start from."""

from __future__ import annotations

from pathlib import Path

import click

from simsa.errors import ConfigError

STARTER = Path(__file__).with_name("starter")


@click.command()
@click.argument("folder", required=False, default=".", type=click.Path(path_type=Path))
def command(folder: Path) -> None:
    """Write a commented simsa.toml and a small data file into FOLDER. Existing files are left alone.

    \b
    simsa init my-evaluation
    """
    taken = [name for name in ("simsa.toml", "test.jsonl") if (folder / name).exists()]
    if taken:
        raise ConfigError(
            f"{' and '.join(taken)} exist{'s' if len(taken) == 1 else ''} already; nothing was written",
            where=str(folder),
            hint="name another folder",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for source in STARTER.iterdir():
            (folder / source.name).write_bytes(source.read_bytes())
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", where=str(folder)) from None
    click.echo(f"{folder / 'simsa.toml'}\n{folder / 'test.jsonl'}")
    click.echo(f"next: name your model and adapter in it, then `simsa check {folder}`", err=True)
