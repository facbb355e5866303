"""`simsa examples`: questions with their answers, scores and the judge's words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from simsa.cli import console
from simsa.errors import InputError
from simsa.i18n.messages import msg
from simsa.text import list_choices

if TYPE_CHECKING:
    from simsa.i18n.language import Language
    from simsa.report.summary_model import Example, Kind
    from simsa.store import Store


@click.command(help="examples")
@console.run_argument
@click.option("--worst", is_flag=True, help="examples.worst")
@click.option("--best", is_flag=True, help="examples.best")
@click.option(
    "--disputed",
    is_flag=True,
    help="examples.disputed",
)
@click.option(
    "--unsteady",
    is_flag=True,
    help="examples.unsteady",
)
@click.option("--differs", nargs=2, metavar="A B", help="examples.differs")
@click.option("-n", "--number", type=click.IntRange(1), default=3, show_default=True, help="examples.number")
@click.option("--variant", metavar="NAME", help="examples.variant")
@click.option("--type", "type_", metavar="TYPE", help="examples.type")
@click.option("--language", type=click.Choice(["ko", "en"]), help="option.language_run")
@console.format_options(("text", "json"))
@console.pager_option
def command(
    run: Path,
    differs: tuple[str, str] | None,
    number: int,
    variant: str | None,
    type_: str | None,
    language: Language | None,
    format: str | None,
    as_json: bool,
    pager: bool,
    **flags: bool,
) -> None:
    """Runs `simsa examples`. Its help is in the message catalogue."""
    chosen = console.chosen(format, as_json)
    kinds = [kind for kind, wanted in flags.items() if wanted] + ["differs"] * bool(differs)
    if len(kinds) > 1:
        raise InputError(
            "--worst, --best, --disputed, --unsteady and --differs exclude each other",
            found=" ".join(f"--{kind}" for kind in kinds),
            hint=msg("error.cli.give_one_them"),
        )
    kind = cast("Kind", next(iter(kinds), "worst"))
    if differs and variant:
        raise InputError("--differs already names its variants", field="--variant", found=variant)
    names = differs or ((variant,) if variant else ())
    with console.open_run(run) as store:
        found = _find(store, kind, number, names, type_)
        spoken: Language = console.reader(language) or store.meta("language", "ko")
    if chosen == "json":
        console.print_json({"schema": "simsa.examples/1", "examples": [e.to_dict() for e in found]})
        return
    from simsa.report.renderers import terminal

    if not found:
        console.tell(msg("examples.none"), spoken)
    console.page(terminal.render_examples(found, spoken, *console.terminal()), pager=pager)


def _find(store: Store, kind: Kind, number: int, names: tuple[str, ...], type_: str | None) -> list[Example]:
    from simsa.report import example_answers, score_matrix

    known = list(store.variants())
    for name in names:
        if name not in known:
            raise InputError(msg("error.cli.no_such_variant"), found=name, hint=list_choices(name, known))
    loaded = score_matrix.load(store)
    if kind == "unsteady" and not any(variant.samples for variant in loaded.variants.values()):
        hint = msg("error.cli.set_generation_samples_samples_above")
        raise InputError(msg("error.cli.every_question_was_answered_once"), field="--unsteady", hint=hint)
    types = sorted({found for found in loaded.types if found})
    if type_ is not None and type_ not in types:
        raise InputError(msg("error.cli.no_question_has_type"), found=type_, hint=list_choices(type_, types))
    return example_answers.show(store, kind, example_answers.pick(loaded, kind, number, names, type_))
