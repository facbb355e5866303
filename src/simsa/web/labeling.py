"""The labelling desk: one answer at a time, blind, and what people said of it.

Nothing here names the variant of an answer to whoever labels it. What is written is on
disk when the call returns; what is looked at makes no file.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from simsa.errors import DataError
from simsa.judge_eval.sampling import AnswerCodes
from simsa.store import Result, Store, results
from simsa.store.labels import DATABASE, Draw, Item, Label, LabeledAnswer, Labels

if TYPE_CHECKING:
    from simsa.records import Question
    from simsa.rubrics.criteria import CriterionText

_RUBRICS = {"ko": "rag-ko", "en": "rag-en"}


class LabelChange(DataError):
    """The answer on the screen is no longer the run's."""


class LabelSheet(NamedTuple):
    """One answer as its annotator sees it.

    `at` is its number, from 0, in the annotator's own order of `n`; `place` its number in
    the sample; `seen` a blind name of the text that is shown, "" where there is none any more.
    `done` says of each answer in the order whether all criteria are scored.
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
        """The number of the next answer that is not done, going round; None when all are."""
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
        """How the sample was drawn; None where that isn't known, or none was drawn."""
        if not (self.folder / DATABASE).is_file():
            return None
        with Labels(self.folder) as labels:
            return labels.how

    def draw(self, n: int, seed: int, *, stratified: bool = False) -> int:
        """Draws `n` answers as `simsa calibrate --draw` does, adding to those drawn before. Returns how many there are.

        A sample is drawn on as it was begun; one by strata by its own seed too. Raises TooFew
        when `n` is too small for strata, Mixed when their scores have changed.
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
        weights = {(c.question_id, c.variant): c.weight for c in chosen if c.weight is not None}
        drawn = ((c.question_id, c.variant, c.answer_hash, c.sample) for c in chosen)
        with Labels(self.folder) as labels:
            return labels.take(drawn, Draw(seed, stratified), weights)

    def progress(self) -> Mapping[str, int]:
        """Annotator → answers of which all criteria are scored."""
        if not (self.folder / DATABASE).is_file():
            return {}
        with Labels(self.folder) as labels:
            return labels.progress()

    def sheet(self, annotator: str, at: int | None = None) -> LabelSheet | None:
        """The answer at `at`, by default the first that isn't done, then the last; None without a sample."""
        with Labels(self.folder) as labels:
            items, said, criteria = labels.items(annotator), labels.of(annotator), labels.criteria
        if not items:
            return None
        keys = [(item.question_id, item.variant) for item in items]
        done = tuple(key in said and said[key].is_complete(criteria) for key in keys)
        if at is None or not 0 <= at < len(items):
            at = next((n for n, is_done in enumerate(done) if not is_done), len(items) - 1)
        item = items[at]
        with Store.read(self.folder) as store:
            question, result = store.question(item.question_id), _result(store, item)
        if question is None:
            raise LabelChange("this question is no longer in the run", where=str(self.folder))
        label = said.get(keys[at], Label(*keys[at], annotator, sample=item.sample))
        text, seen = (result.prediction, _code(result)) if result else ("", "")
        return LabelSheet(at, len(items), item.place, question, text or "", seen, label, done)

    def score(self, annotator: str, place: int, seen: str, criterion: str, score: int | None) -> None:
        """Scores the answer that was `seen` at `place`. Raises Changed when the run has another there by now."""
        with self._open(annotator, place, seen) as (labels, item):
            labels.score(annotator, item, criterion, score)

    def comment(self, annotator: str, place: int, seen: str, text: str) -> None:
        """Replaces the remark on it; else as `score`."""
        with self._open(annotator, place, seen) as (labels, item):
            labels.comment(annotator, item, text)

    def undo(self, annotator: str) -> int | None:
        """Takes back the annotator's last step. Returns the number at which it was; None when there is none."""
        with Labels(self.folder) as labels:
            place = labels.undo(annotator)
            order = [item.place for item in labels.items(annotator)]
        return None if place is None else order.index(place)

    @contextlib.contextmanager
    def _open(self, annotator: str, place: int, seen: str) -> Iterator[tuple[Labels, Item]]:
        with Labels(self.folder) as labels:
            item = next((item for item in labels.items(annotator) if item.place == place), None)
            if item is None:
                raise DataError("is no place of the sample", found=place)
            with Store.read(self.folder) as store:
                result = _result(store, item)
            if result is None or _code(result) != seen:
                raise LabelChange("the answer has changed: load the page again", where=str(self.folder))
            yield labels, item._replace(answer_hash=result.answer_hash)


def guide(folder: Path, language: str) -> tuple[str, Mapping[str, CriterionText]]:
    """The rubric to label by, as its label and its criteria: the run's own, the built-in one where that has no levels."""
    from simsa import rubrics
    from simsa.errors import SimsaError
    from simsa.rubrics.criteria import CriteriaRubric

    with Store.read(folder) as store:
        config = store.meta("config") or {}
    named = (config.get("judge") or {}).get("rubric") or _RUBRICS[language]
    for name in (named, _RUBRICS[language]):
        with contextlib.suppress(SimsaError):
            rubric = rubrics.load(name, folder.resolve().parent)
            if isinstance(rubric, CriteriaRubric):
                return rubric.label, rubric.details
    raise AssertionError("the built-in rubrics have criteria")


def _result(store: Store, item: Item) -> Result | None:
    """The answer that the run has now; None where there is none."""
    found = results(store, item.variant, item.question_id, sample=item.sample)
    return next((result for result in found if result.prediction is not None), None)


def _code(result: Result) -> str:
    key = LabeledAnswer(result.question_id, result.variant, result.sample)
    return AnswerCodes({key: result.answer_hash}).code(key)
