"""The labelling desk: one blind answer at a time, what people say of it, and how far the judge agrees.

Nothing here tells an annotator the variant of an answer. Every change is on disk when its call returns; looking at
the desk creates no file.
"""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from simsa.errors import DataError, SimsaError
from simsa.i18n.messages import msg
from simsa.judge_eval.sampling import AnswerCodes
from simsa.store import Result, Store, results
from simsa.store.labels import (
    DATABASE,
    Draw,
    Item,
    Label,
    LabeledAnswer,
    Labels,
    columns,
    read,
    scored_criteria,
    weights,
)

if TYPE_CHECKING:
    from simsa.i18n.language import Language
    from simsa.records import Criterion, Question
    from simsa.report.format import Grid

_BUILT_IN_RUBRICS = {"ko": "rag-ko", "en": "rag-en"}


class LabelChange(DataError):
    """The answer on the screen is no longer the run's."""


class LabelSheet(NamedTuple):
    """One answer as its annotator sees it.

    `at` is its number, from 0, in the annotator's own order of `n` answers; `place` its number in the sample; `seen`
    a blind name of the text shown, "" when the answer no longer exists. `done` says for each answer in the order
    whether it is labelled completely.
    """

    at: int
    n: int
    place: int
    question: Question
    prediction: str
    seen: str
    label: Label
    done: tuple[bool, ...]

    @property
    def n_done(self) -> int:
        return sum(self.done)

    @property
    def next_open(self) -> int | None:
        """The number of the next incomplete answer, starting over at the end; None when all are complete."""
        order = [*range(self.at + 1, self.n), *range(self.at + 1)]
        return next((at for at in order if not self.done[at]), None)


class LabelingDesk:
    """The labels of the run in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def is_set(self) -> bool:
        """Whether a sample has been drawn."""
        if not (self.folder / DATABASE).is_file():
            return False
        with Labels(self.folder) as labels:
            return bool(labels.items(""))

    @property
    def how(self) -> Draw | None:
        """How the sample was drawn; None when that is unknown, or none was drawn."""
        if not (self.folder / DATABASE).is_file():
            return None
        with Labels(self.folder) as labels:
            return labels.how

    def draw(self, n: int, seed: int, *, stratified: bool = False) -> int:
        """Draws `n` answers as `simsa calibrate --draw` does, and adds them to the sample. Returns the sample's size.

        A sample is extended in the way it was begun, a stratified one with its own seed too. Raises SampleTooSmall
        when `n` is too small for the strata, Mixed when the judge's scores have changed.
        """
        from simsa.judge_eval.sampling import choose

        how = self.how
        if self.is_set:
            stratified = how is not None and how.stratified
            seed = how.seed if how is not None and stratified else seed
        with Store.read(self.folder) as store:
            chosen = choose(store, n, stratified=stratified, seed=seed)
        if not chosen:
            return 0
        weight_of = {(c.question_id, c.variant): c.weight for c in chosen if c.weight is not None}
        drawn = ((c.question_id, c.variant, c.answer_hash, c.sample) for c in chosen)
        with Labels(self.folder) as labels:
            return labels.take(drawn, Draw(seed, stratified), weight_of)

    def progress(self) -> Mapping[str, int]:
        """Annotator → number of answers labelled completely."""
        if not (self.folder / DATABASE).is_file():
            return {}
        with Labels(self.folder) as labels:
            return labels.progress()

    def sheet(self, annotator: str, at: int | None = None) -> LabelSheet | None:
        """The answer at `at`, by default the first incomplete one, else the last; None without a sample."""
        with Labels(self.folder) as labels:
            items, given, criteria = labels.items(annotator), labels.of(annotator), labels.criteria
        if not items:
            return None
        keys = [(item.question_id, item.variant) for item in items]
        done = tuple(key in given and given[key].is_complete(criteria) for key in keys)
        if at is None or not 0 <= at < len(items):
            at = next((n for n, is_done in enumerate(done) if not is_done), len(items) - 1)
        item = items[at]
        with Store.read(self.folder) as store:
            question, result = store.question(item.question_id), _result(store, item)
        if question is None:
            raise LabelChange("this question is no longer in the run", where=str(self.folder))
        label = given.get(keys[at], Label(*keys[at], annotator, sample=item.sample))
        text, seen = (result.prediction, _code(result)) if result else ("", "")
        return LabelSheet(at, len(items), item.place, question, text or "", seen, label, done)

    def score(self, annotator: str, place: int, seen: str, criterion: str, score: int | None) -> None:
        """Scores the answer that was `seen` at `place`; None removes the score.

        Raises LabelChange when the run has another answer there by now.
        """
        with self._open(annotator, place, seen) as (labels, item):
            labels.score(annotator, item, criterion, score)

    def comment(self, annotator: str, place: int, seen: str, text: str) -> None:
        """Replaces the comment on the answer. Raises LabelChange as `score` does."""
        with self._open(annotator, place, seen) as (labels, item):
            labels.comment(annotator, item, text)

    def undo(self, annotator: str) -> int | None:
        """Reverts the annotator's last step. Returns the number of its answer; None when there is no step."""
        with Labels(self.folder) as labels:
            place = labels.undo(annotator)
            order = [item.place for item in labels.items(annotator)]
        return None if place is None else order.index(place)

    @contextlib.contextmanager
    def _open(self, annotator: str, place: int, seen: str) -> Iterator[tuple[Labels, Item]]:
        with Labels(self.folder) as labels:
            item = next((item for item in labels.items(annotator) if item.place == place), None)
            if item is None:
                raise DataError(msg("error.web.is_no_place_sample"), found=place)
            with Store.read(self.folder) as store:
                result = _result(store, item)
            if result is None or _code(result) != seen:
                raise LabelChange("the answer has changed: load the page again", where=str(self.folder))
            yield labels, item._replace(answer_hash=result.answer_hash)


def _result(store: Store, item: Item) -> Result | None:
    """The run's current answer; None where there is none."""
    found = results(store, item.variant, item.question_id, sample=item.sample)
    return next((result for result in found if result.prediction is not None), None)


def _code(result: Result) -> str:
    key = LabeledAnswer(result.question_id, result.variant, result.sample)
    return AnswerCodes({key: result.answer_hash}).code(key)


class DeskCriterion(NamedTuple):
    """A criterion as annotators see it. `levels` maps every score to its description, which may be empty."""

    name: str
    title: str
    ask: str
    levels: Mapping[int, str]

    @property
    def is_yes_no(self) -> bool:
        return list(self.levels) == [0, 1]


def guide(folder: Path, language: str) -> tuple[str, list[DeskCriterion]]:
    """The label of the rubric to label by, and the run's criteria with its texts.

    The texts are those of the run's rubric, else of the built-in one where that has the criteria, else none.
    """
    from simsa import rubrics

    with Store.read(folder) as store:
        config = store.meta("config") or {}
    criteria = scored_criteria(folder)
    built_in = _BUILT_IN_RUBRICS[language]
    for name in ((config.get("judge") or {}).get("rubric") or built_in, built_in):
        with contextlib.suppress(SimsaError):
            rubric = rubrics.load(name, folder.resolve().parent)
            texts = getattr(rubric, "details", {})
            if texts.keys() >= set(criteria.names):
                return rubric.label, [_desk_criterion(one, texts[one.name]) for one in criteria]
    return "", [_desk_criterion(one, None) for one in criteria]


def _desk_criterion(criterion: Criterion, text: Any) -> DeskCriterion:
    levels = text.levels if text else {}
    meanings = {score: levels.get(str(score), "") for score in criterion.levels}
    title = criterion.title or (text.title if text else "") or criterion.name
    return DeskCriterion(criterion.name, title, text.ask if text else "", meanings)


class ConfusionCounts(NamedTuple):
    """How often a label met a judge's score: a row for each label, a column for each score, by `levels`."""

    criterion: str
    levels: tuple[int, ...]
    rows: tuple[tuple[int, ...], ...]


class DeskAgreement(NamedTuple):
    """The judge's agreement with the labels. `meta` is what `keep_agreement` stores in the run."""

    n_answers: int
    annotators: tuple[str, ...]
    grids: list[Grid]
    counts: list[ConfusionCounts]
    notes: list[str]
    meta: Mapping[str, Any]


def agreement(folder: Path, language: Language) -> DeskAgreement:
    """Compares the judge of the run in `folder` with its labels. Raises DataError when there are none."""
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
        ConfusionCounts(name, one.levels, tuple(tuple(row) for row in one.agreement.confusion))
        for name, one in found.criteria.items()
        if one.agreement.n_labels and one.levels
    ]
    tables = grids(found, language)
    unique = list(dict.fromkeys(notes))
    return DeskAgreement(found.n_answers, found.annotators, tables, counts, unique, found.to_meta())


def keep_agreement(folder: Path, found: DeskAgreement) -> None:
    """Stores the agreement in the run, for its reports. Raises RunError while a run is being written."""
    with Store.create(folder) as store:
        store.set_meta(calibration=dict(found.meta))


def export_labels(folder: Path, kind: str) -> str:
    """Every label of a run as "csv" or "jsonl", as `simsa calibrate --labels` reads it."""
    from simsa.report.renderers.csv_rows import safe

    criteria = scored_criteria(folder)
    has_labels = (folder / DATABASE).is_file()
    found, weight_of = (read(folder), weights(folder)) if has_labels else ([], {})
    rows = []
    for label in found:
        weight = weight_of.get(label.answer)
        rows.append((label, label.to_dict(criteria) | ({} if weight is None else {"weight": weight})))
    if kind == "jsonl":
        return "".join(orjson.dumps(row).decode() + "\n" for _, row in rows)
    text = io.StringIO()
    text.write("\ufeff")  # spreadsheets recognise UTF-8 by this mark
    writer = csv.DictWriter(text, ("code", *columns(criteria), *(["weight"] if weight_of else [])))
    writer.writeheader()
    for label, facts in rows:
        row = {name: safe(value) if isinstance(value, str) else value for name, value in facts.items()}
        # Names that a spreadsheet would run are escaped; the code then identifies the answer.
        is_same = (row["question_id"], row["variant"]) == label.answer[:2]
        code = "" if is_same else AnswerCodes({label.answer: label.answer_hash}).code(label.answer)
        writer.writerow(row | {"code": code})
    return text.getvalue()
