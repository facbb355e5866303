"""`simsa init`: a config and a small test set to start from."""

from __future__ import annotations

from pathlib import Path

import click

from simsa.cli import console
from simsa.errors import ConfigError
from simsa.i18n.messages import msg

STARTER = Path(__file__).with_name("starter")


@click.command(help="init")
@click.argument("folder", required=False, default=".", type=click.Path(path_type=Path))
@click.option(
    "--rubric",
    metavar="[FILE]",
    is_flag=False,
    flag_value="",
    help="init.rubric",
)
@click.option("--from", "prompt", metavar="FILE", type=click.Path(path_type=Path), help="init.from")
@click.option(
    "--language", type=click.Choice(["ko", "en"]), default="ko", show_default=True, help="init.language"
)
def command(folder: Path, rubric: str | None, prompt: Path | None, language: str) -> None:
    """Runs `simsa init`. Its help is in the message catalogue."""
    if prompt is not None:
        _rubric_from(prompt, folder / rubric if rubric else None)
        return
    if rubric is not None:
        _rubric(folder / (rubric or "rubric.toml"), language)
        return
    taken = [name for name in ("simsa.toml", "test.jsonl") if (folder / name).exists()]
    if taken:
        raise ConfigError(
            msg("error.cli.exist_already_nothing_was_written", list=", ".join(taken)),
            where=str(folder),
            hint=msg("error.cli.name_another_folder"),
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for source in STARTER.iterdir():
            (folder / source.name).write_bytes(source.read_bytes())
    except OSError as error:
        hint = msg("error.cli.folder_is_folder_write_into") if folder.is_file() else None
        raise ConfigError(
            msg("error.cli.cannot_written", strerror=error.strerror), where=str(folder), hint=hint
        ) from None
    click.echo(f"{folder / 'simsa.toml'}\n{folder / 'test.jsonl'}")
    console.tell(msg("init.next", folder=str(folder)))


def _rubric(file: Path, language: str) -> None:
    from simsa import rubrics

    if file.suffix != ".toml":
        raise ConfigError(
            msg("error.cli.rubric_criteria_ends_toml_other"),
            field="--rubric",
            found=str(file),
            hint=msg("error.cli.rubric", name=file.with_suffix(".toml").name),
        )
    _write_new(file, rubrics.editable(language, file))
    click.echo(str(file))
    console.tell(msg("init.rubric", name=file.name))


def _rubric_from(prompt: Path, file: Path | None) -> None:
    from simsa import rubrics

    if ".toml" in (prompt.suffix, file.suffix if file else ""):
        raise ConfigError(
            msg("error.cli.prompt_is_text_toml_files"),
            field="--from",
            found=str(file or prompt),
        )
    file = file or prompt.with_name(f"{prompt.stem}-rubric{prompt.suffix}")
    proposal = rubrics.propose(rubrics.read(prompt), str(prompt))
    _write_new(file, proposal.text)
    click.echo(str(file))
    for note in proposal.notes:
        console.tell(note)
    console.tell(msg("init.rubric", name=file.name))


def _write_new(file: Path, text: str) -> None:
    if file.exists():
        raise ConfigError(
            msg("error.cli.exists_already_nothing_was_written"),
            where=str(file),
            hint=msg("error.cli.name_another_file"),
        )
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise ConfigError(msg("error.cli.cannot_written", strerror=error.strerror), where=str(file)) from None
