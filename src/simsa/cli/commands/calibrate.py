"""`simsa calibrate`: would a person agree with the judge?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simsa.cli import console
from simsa.errors import InputError, RunError
from simsa.i18n.messages import label, msg, note_text
from simsa.text import list_choices

if TYPE_CHECKING:
    from simsa.i18n.language import Language
    from simsa.judge_eval.calibration import JudgeScores
    from simsa.judge_eval.calibration_result import Calibration
    from simsa.judge_eval.label_files import HumanLabels
    from simsa.records import Criteria


@click.command(help="calibrate")
@click.argument("run", metavar="[RUN]", required=False, type=click.Path(path_type=Path))
@click.option(
    "--labels",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="calibrate.labels",
)
@click.option(
    "--scores",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="calibrate.scores",
)
@click.option("--draw", metavar="N", type=click.IntRange(1), help="calibrate.draw")
@click.option("--stratified", is_flag=True, help="calibrate.stratified")
@click.option("--out", metavar="FILE", type=click.Path(path_type=Path), help="calibrate.out")
@click.option("--seed", type=int, default=0, show_default=True, help="option.seed")
@click.option("--baseline", metavar="NAME", help="option.baseline")
@click.option("--language", type=click.Choice(["ko", "en"]), help="option.language_run")
@console.format_options(("text", "json"))
@console.pager_option
def command(
    run: Path | None,
    labels: Path | None,
    scores: Path | None,
    draw: int | None,
    stratified: bool,
    out: Path | None,
    seed: int,
    baseline: str | None,
    language: Language | None,
    format: str | None,
    as_json: bool,
    pager: bool,
) -> None:
    """Runs `simsa calibrate`. Its help is in the message catalogue."""
    chosen = console.chosen(format, as_json)
    if (run is None) == (scores is None):
        raise InputError(msg("error.cli.run_or_scores_is_needed"), hint="simsa calibrate RUN --labels FILE")
    if draw is not None:
        if run is None or labels is not None:
            raise InputError("--draw draws from a RUN, before there are labels", field="--draw")
        _draw(run, draw, stratified, seed, out, language)
        return
    if stratified or out is not None:
        raise InputError(
            msg("error.cli.belongs_draw"),
            field="--stratified" if stratified else "--out",
            hint=msg("error.cli.add_draw_n"),
        )
    found, spoken = _of_run(run, labels, baseline, seed) if run else _of_table(scores, labels, baseline, seed)
    spoken = language or spoken
    if chosen == "json":
        console.print_json(found.to_dict(spoken if language else "en"))
        return
    console.page(_text(found, spoken), pager=pager)


def _draw(
    run: Path, n: int, stratified: bool, seed: int, out: Path | None, language: Language | None
) -> None:
    from simsa.i18n.messages import words
    from simsa.judge_eval import sampling
    from simsa.store import criteria_of

    with console.open_run(run) as store:
        drawn = sampling.draw_sample(store, n, stratified=stratified, seed=seed)
        criteria = criteria_of(store)
        spoken: Language = language or store.meta("language") or "ko"
    if not drawn:
        raise RunError(
            msg("error.cli.has_no_answers_draw"), where=str(run), hint=msg("error.cli.simsa_run_makes_them")
        )
    lines = out is not None and out.suffix.lower() in (".jsonl", ".ndjson")
    write = sampling.to_jsonl if lines else sampling.to_csv
    console.put(write(drawn, criteria.names), out)
    if out is not None:
        console.tell(
            words(spoken, "calibration")("drawn", path=out, n=len(drawn), run=run, scores=_scales(criteria))
        )


def _scales(criteria: Criteria) -> str:
    """The scores that a person may give, such as "1–5"; by criterion when the scales differ."""
    scales = {criterion.name: f"{criterion.low}–{criterion.high}" for criterion in criteria}
    if len(set(scales.values())) == 1:
        return next(iter(scales.values()))
    return ", ".join(f"{name} {scale}" for name, scale in scales.items())


def _of_run(run: Path, labels: Path | None, baseline: str | None, seed: int) -> tuple[Calibration, Language]:
    from simsa.judge_eval.calibration import judged_by_run
    from simsa.judge_eval.label_files import read_labels
    from simsa.store import Store

    folder = console.find_run(run)
    with Store.read(folder) as store:
        judged = judged_by_run(store)
        judge = store.meta("judge")
        spoken: Language = store.meta("language") or "ko"
        baseline = baseline or store.meta("baseline")
    labelled = read_labels(labels or folder, judged.answers, judged.criteria)
    found = _calibrated(judged, labelled, baseline, judge, seed)
    try:
        with Store.create(folder) as store:
            store.set_meta(calibration=found.to_meta())
    except RunError as error:
        console.tell(msg("calibrate.not_kept", why=error.message), spoken)
    return found, spoken


def _of_table(
    scores: Path | None, labels: Path | None, baseline: str | None, seed: int
) -> tuple[Calibration, Language]:
    from simsa.config import locale_language
    from simsa.data.score_files import read_scores
    from simsa.judge_eval.calibration import judged_by_table
    from simsa.judge_eval.label_files import read_labels
    from simsa.rubrics import built_in_criteria

    assert scores is not None
    if labels is None:
        raise InputError(msg("error.cli.people_s_scores_are_needed"), field="--labels", hint="--labels FILE")
    declared = built_in_criteria()
    table = read_scores(scores, declared)
    judged = judged_by_table(table.scores, table.clusters, declared)
    labelled = read_labels(labels, judged.answers, judged.criteria)
    return _calibrated(judged, labelled, baseline, None, seed), locale_language()


def _calibrated(
    judged: JudgeScores,
    labelled: HumanLabels,
    baseline: str | None,
    judge: Mapping[str, Any] | None,
    seed: int,
) -> Calibration:
    from simsa.judge_eval.calibration import calibrate

    if baseline is not None and baseline not in judged.scores:
        raise InputError(
            msg("error.cli.no_variant_has_name"),
            field="--baseline",
            found=baseline,
            hint=list_choices(baseline, judged.scores),
        )
    return calibrate(judged, labelled, baseline, judge=judge, seed=seed)


def _text(found: Calibration, language: Language) -> str:
    from simsa.judge_eval.calibration_tables import confusions, grids
    from simsa.report.renderers.terminal import render_grids
    from simsa.text import visible

    tables = render_grids(grids(found, language), *console.terminal())
    of_criteria: dict[str, list[str]] = {}
    for name, one in found.criteria.items():
        for note in (
            *(note.text(language) for note in one.notes),
            *(note_text(note, language) for note in one.agreement.notes),
            *(
                note_text(note, language)
                for c in one.corrected.values()
                if c.mean is not None
                for note in c.notes
            ),
        ):
            if name not in of_criteria.setdefault(note, []):
                of_criteria[note].append(name)
    notes = [
        f"{', '.join(label(name, language) for name in names)}: {note}" for note, names in of_criteria.items()
    ]
    notes += [note.text(language) for note in found.notes]
    return f"{tables}{visible(confusions(found, language))}\n{console.as_prose(notes, bullet='· ')}"
