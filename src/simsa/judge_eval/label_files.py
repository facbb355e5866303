"""People's scores from a file (CSV, JSONL, JSON or Parquet), or from the labels that a run's page has stored."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from simsa.data.readers import raw_rows
from simsa.data.schema import identifier, optional_text
from simsa.errors import DataError
from simsa.i18n.messages import msg
from simsa.judge_eval.sampling import AnswerCodes
from simsa.records import TOTAL, Criterion
from simsa.store import labels
from simsa.store.labels import Label, LabeledAnswer
from simsa.text import list_choices

_COLUMNS = (
    "code",
    "question_id",
    "variant",
    "annotator",
    "comment",
    "weight",
    "criterion",
    "score",
    "sample",
)
_SIMILAR = 0.8

CriterionScales = Mapping[str, Criterion | None]
"""Criteria by name; None where the scale is unknown and any whole number is a score."""


class HumanLabels(NamedTuple):
    """People's labels. `weights` are those of a stratified sample by answer, else empty.

    `n_outdated` labels belong to answers that have changed since; they are left out.
    """

    labels: tuple[Label, ...]
    weights: Mapping[LabeledAnswer, float] = {}
    n_outdated: int = 0


def read_labels(path: Path, answers: AnswerCodes, criteria: CriterionScales) -> HumanLabels:
    """Reads people's scores of `answers`.

    A row names its answer by `question_id` and `variant`, or by the `code` of a drawn sample. When variants
    answered several times, `sample` is the answer's number from 0; without it the row means the first answer.
    `annotator` and `comment` are optional. The scores are in one column per criterion, where an empty cell is
    not labelled, or in `criterion` and `score`. `path` may also be a run's folder or its labels.sqlite.
    Raises DataError with the line of a row that cannot be used.
    """
    if path.is_dir() or path.name == labels.DATABASE:
        return _of_page(labels.read(path), labels.weights(path), answers, str(path))
    reader = _Reader(answers, criteria)
    for where, row in raw_rows(path):
        reader.add(row, where)
    if not reader.scores:
        raise DataError(
            msg("error.judge_eval.holds_no_labels"),
            where=str(path),
            hint=msg("error.judge_eval.fill_columns_criteria_whole_numbers"),
        )
    return reader.result()


def _of_page(
    found: Iterable[Label], weights: Mapping[LabeledAnswer, float], answers: AnswerCodes, where: str
) -> HumanLabels:
    everything = list(found)
    current = [label for label in everything if answers.get(label.answer) == label.answer_hash]
    if not current:
        raise DataError(msg("error.judge_eval.holds_no_labels_run_s"), where=where)
    labelled = {label.answer for label in current}
    kept = {answer: weight for answer, weight in weights.items() if answer in labelled}
    return HumanLabels(tuple(current), kept, len(everything) - len(current))


class _LabelKey(NamedTuple):
    answer: LabeledAnswer
    annotator: str


class _Reader:
    """Collects the rows of a file of labels."""

    def __init__(self, answers: AnswerCodes, criteria: CriterionScales) -> None:
        self.scores: dict[_LabelKey, dict[str, int]] = {}
        self._answers = answers
        self._criteria = criteria
        self._comments: dict[_LabelKey, str] = {}
        self._weights: dict[LabeledAnswer, float] = {}
        self._lines: dict[tuple[_LabelKey, str], str] = {}
        self._several = any(answer.sample for answer in answers)

    def add(self, row: Mapping[str, Any], where: str) -> None:
        cells = self._cells(row, where)
        annotator = optional_text(row.get("annotator"), where, "annotator") or ""
        key = _LabelKey(self._answer(row, where), annotator)
        for criterion, value in cells.items():
            score = _score(value, criterion, self._criteria[criterion], where)
            if score is None:
                continue
            earlier = self._lines.setdefault((key, criterion), where)
            if earlier != where:
                raise DataError(
                    msg(
                        "error.judge_eval.scores_same_answer_again_after",
                        criterion=criterion,
                        earlier=earlier,
                    ),
                    where=where,
                    found=", ".join(filter(None, (*key.answer[:2], annotator))),
                    hint=msg("error.judge_eval.several_people_need_column_annotator"),
                )
            self.scores.setdefault(key, {})[criterion] = score
        if comment := optional_text(row.get("comment"), where, "comment"):
            self._comments[key] = comment
        weight = _number(row.get("weight"), where, "weight", "a number above 0")
        if weight is not None:
            if weight <= 0:
                raise DataError(
                    msg("error.judge_eval.is_not_number_above"),
                    where=where,
                    field="weight",
                    found=row["weight"],
                )
            self._weights[key.answer] = weight

    def result(self) -> HumanLabels:
        found = tuple(
            Label(
                key.answer.question_id,
                key.answer.variant,
                key.annotator,
                scores,
                self._comments.get(key, ""),
                self._answers[key.answer],
                key.answer.sample,
            )
            for key, scores in self.scores.items()
        )
        scored = {key.answer for key in self.scores}
        weights = {answer: weight for answer, weight in self._weights.items() if answer in scored}
        missing = next((answer for answer in scored if answer not in weights), None)
        if weights and missing:
            raise DataError(
                msg("error.judge_eval.some_labelled_rows_have_weight"),
                found=", ".join(missing[:2]),
                field="weight",
                hint=msg("error.judge_eval.keep_column_weight_was_drawn"),
            )
        return HumanLabels(found, weights)

    def _cells(self, row: Mapping[str, Any], where: str) -> dict[str, Any]:
        """Criterion → cell. A column that looks like a misspelt criterion is an error."""
        if "criterion" in row and "score" in row:
            name = identifier(row["criterion"], where, "criterion")
            if name not in self._criteria and name != TOTAL:
                raise self._unknown(name, where, "criterion")
            return {} if name == TOTAL else {name: row["score"]}
        for name in row:
            known = name in self._criteria or name in _COLUMNS
            if not known and difflib.get_close_matches(name, self._criteria, n=1, cutoff=_SIMILAR):
                raise self._unknown(name, where, "column")
        cells = {name: row[name] for name in self._criteria if name in row}
        if not cells:
            raise DataError(
                msg("error.judge_eval.there_is_no_column_criterion"),
                where=where,
                found=", ".join(row),
                hint=msg("error.judge_eval.one_or_more_or_criterion", list=", ".join(self._criteria)),
            )
        return cells

    def _unknown(self, name: str, where: str, what: str) -> DataError:
        near = difflib.get_close_matches(name, self._criteria, n=1, cutoff=0.0)
        hint = msg("error.judge_eval.did_you_mean", value=near[0]) if near else None
        return DataError(
            msg("error.judge_eval.is_no_is_known", what=what), where=where, field=what, found=name, hint=hint
        )

    def _answer(self, row: Mapping[str, Any], where: str) -> LabeledAnswer:
        if code := optional_text(row.get("code"), where, "code"):
            found = self._answers.by_code(code)
            if found is None:
                raise DataError(
                    msg("error.judge_eval.no_answer_has_code"),
                    where=where,
                    field="code",
                    found=code,
                    hint=msg("error.judge_eval.was_drawn_another_run_or"),
                )
            return found
        for column in ("question_id", "variant"):
            if column not in row:
                raise DataError(
                    msg("error.judge_eval.there_is_no_column", column=column),
                    where=where,
                    found=", ".join(row),
                )
        answer = LabeledAnswer(
            identifier(row["question_id"], where, "question_id"),
            identifier(row["variant"], where, "variant"),
            self._sample(row.get("sample"), where),
        )
        if answer not in self._answers:
            raise self._no_answer(answer, where)
        return answer

    def _sample(self, value: Any, where: str) -> int:
        """The answer's number; the column is ignored when every question has one answer."""
        if not self._several:
            return 0
        wanted = "the number of an answer, from 0"
        number = _number(value, where, "sample", wanted)
        if number is not None and (number < 0 or number != int(number)):
            raise DataError(
                msg("error.judge_eval.is_not", wanted=wanted), where=where, field="sample", found=value
            )
        return int(number or 0)

    def _no_answer(self, answer: LabeledAnswer, where: str) -> DataError:
        variants = list(dict.fromkeys(known.variant for known in self._answers))
        if answer.variant not in variants:
            hint = list_choices(answer.variant, variants)
            return DataError(
                msg("error.judge_eval.no_such_variant"),
                where=where,
                field="variant",
                found=answer.variant,
                hint=hint,
            )
        if answer.sample and answer._replace(sample=0) in self._answers:
            return DataError(
                msg("error.judge_eval.there_is_no_such_answer"),
                where=where,
                field="sample",
                found=answer.sample,
                hint=msg("error.judge_eval.answers_are_numbered_without_number"),
            )
        return DataError(
            msg("error.judge_eval.judge_s_side_has_no", variant=answer.variant),
            where=where,
            field="question_id",
            found=answer.question_id,
            hint=msg("error.judge_eval.labels_belong_answers_run_take"),
        )


def _score(value: Any, name: str, criterion: Criterion | None, where: str) -> int | None:
    number = _number(value, where, name, "a whole number")
    if number is None:
        return None
    whole = number == int(number)
    if (criterion is None and whole) or (criterion is not None and number in criterion.levels):
        return int(number)
    limits = f" from {criterion.low} to {criterion.high}" if criterion else ""
    raise DataError(
        msg("error.judge_eval.is_not_whole_number", limits=limits), where=where, field=name, found=value
    )


def _number(value: Any, where: str, field: str, wanted: str) -> float | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        number = math.nan if isinstance(value, bool) or "_" in str(value) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise DataError(
            msg("error.judge_eval.is_not", wanted=wanted),
            where=where,
            field=field,
            found=value,
            hint=msg("error.judge_eval.leave_empty_null_json_where"),
        )
    return number
