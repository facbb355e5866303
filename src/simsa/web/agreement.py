"""What the labels of a run's page say of its judge, as tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from simsa.report.format import Grid
from simsa.store import Store

if TYPE_CHECKING:
    from simsa.i18n.language import Language


class Counts(NamedTuple):
    """How often a label met a judge's score: a row a label, a column a score, in the order of `levels`."""

    criterion: str
    levels: tuple[int, ...]
    rows: tuple[tuple[int, ...], ...]


class DeskAgreement(NamedTuple):
    """A calibration for the eye; `kept` is what the run remembers of it when asked to."""

    n_answers: int
    annotators: tuple[str, ...]
    grids: list[Grid]
    counts: list[Counts]
    notes: list[str]
    kept: Mapping[str, Any]


def agreement(folder: Path, language: Language) -> DeskAgreement:
    """The judge of the run in `folder` against its labels. Raises DataError when there are none."""
    from simsa.judge_eval.calibration import calibrate, judged_by_run
    from simsa.judge_eval.calibration_tables import grids
    from simsa.judge_eval.label_files import read_labels

    with Store.read(folder) as store:
        judged = judged_by_run(store)
        judge, baseline = store.meta("judge"), store.meta("baseline")
    labelled = read_labels(folder, judged.answers, judged.criteria)
    found = calibrate(judged, labelled, baseline if baseline in judged.scores else None, judge=judge)
    notes = [note.text(language) for one in found.criteria.values() for note in one.notes]
    notes += [note.text(language) for note in found.notes]
    counts = [
        Counts(name, one.levels, tuple(tuple(row) for row in one.agreement.confusion))
        for name, one in found.criteria.items()
        if one.agreement.n_labels and one.levels
    ]
    return DeskAgreement(
        found.n_answers,
        found.annotators,
        grids(found, language),
        counts,
        list(dict.fromkeys(notes)),
        found.to_meta(),
    )


def keep(folder: Path, found: DeskAgreement) -> None:
    """Writes the agreement into the run, for its reports. Raises RunError while a run is being written."""
    with Store.create(folder) as store:
        store.set_meta(calibration=dict(found.kept))
