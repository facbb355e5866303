"""People's scores from a file: CSV, JSONL, JSON or Parquet, or the labels that a run's page has kept."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from simsa.data.readers import raw_rows
from simsa.data.schema import identifier, optional_text
from simsa.errors import DataError
from simsa.judge_eval.sampling import AnswerCodes
from simsa.records import CRITERIA, MAX_SCORE
from simsa.store import labels
from simsa.store.labels import Label, LabeledAnswer
from simsa.text import list_choices

TOTAL = "total"
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
_NEAR = 0.8


class HumanLabels(NamedTuple):
    """What people said. `weights` are those of a stratified draw, one an answer, else empty.

    `n_outdated` labels were of answers that have changed since, and are left out.
    """

    labels: tuple[Label, ...]
    weights: Mapping[LabeledAnswer, float] = {}
    n_outdated: int = 0


def read_labels(path: Path, answers: AnswerCodes, criteria: Sequence[str] = CRITERIA) -> HumanLabels:
    """Reads people's scores of `answers`.

    A row has `question_id` and `variant`, or the `code` of a drawn sample; where variants answered
    several times also `sample`, the answer's number from 0, without which it is the first one; optionally
    `annotator` and `comment`; and either a column a criterion, where an empty cell is not
    labelled, or `criterion` and `score`. `path` may also be a run's folder or its
    labels.sqlite. Raises DataError naming the line.
    """
    if path.is_dir() or path.name == labels.DATABASE:
        return _of_page(labels.read(path), labels.weights(path), answers, str(path))
    reader = _Reader(answers, tuple(criteria))
    for where, row in raw_rows(path):
        reader.take(row, where)
    if not reader.scores:
        raise DataError(
            "holds no labels", where=str(path), hint="fill in the columns of the criteria with whole numbers"
        )
    return reader.labelled()


def _of_page(
    found: Iterable[Label], weights: Mapping[LabeledAnswer, float], answers: AnswerCodes, where: str
) -> HumanLabels:
    kept, n_outdated = list[Label](), 0
    for label in found:
        known = answers.get(label.answer)
        if known is not None and known == label.answer_hash:
            kept.append(label)
        else:
            n_outdated += 1
    if not kept:
        raise DataError("holds no labels of this run's answers", where=where)
    labelled = {label.answer for label in kept}
    return HumanLabels(tuple(kept), {a: w for a, w in weights.items() if a in labelled}, n_outdated)


class _LabelPlace(NamedTuple):
    answer: LabeledAnswer
    annotator: str


@dataclass(slots=True)
class _Reader:
    answers: AnswerCodes
    criteria: tuple[str, ...]
    scores: dict[_LabelPlace, dict[str, int]] = field(default_factory=dict)
    comments: dict[_LabelPlace, str] = field(default_factory=dict)
    weights: dict[LabeledAnswer, float] = field(default_factory=dict)
    lines: dict[tuple[_LabelPlace, str], str] = field(default_factory=dict)
    several: bool = False

    def __post_init__(self) -> None:
        self.several = any(answer.sample for answer in self.answers)

    def take(self, row: Mapping[str, Any], where: str) -> None:
        columns = self._columns(row, where)
        place = _LabelPlace(
            self._answer(row, where), optional_text(row.get("annotator"), where, "annotator") or ""
        )
        for criterion, value in columns.items():
            score = _score(value, criterion, where)
            if score is None:
                continue
            earlier = self.lines.setdefault((place, criterion), where)
            if earlier != where:
                raise DataError(
                    f"scores {criterion} of the same answer again, after {earlier}",
                    where=where,
                    found=", ".join(filter(None, (*place.answer[:2], place.annotator))),
                    hint="several people need a column `annotator`",
                )
            self.scores.setdefault(place, {})[criterion] = score
        if comment := optional_text(row.get("comment"), where, "comment"):
            self.comments[place] = comment
        weight = _weight(row.get("weight"), where)
        if weight is not None:
            self.weights[place.answer] = weight

    def labelled(self) -> HumanLabels:
        found = tuple(
            Label(
                *place.answer[:2],
                place.annotator,
                scores,
                self.comments.get(place, ""),
                self.answers[place.answer],
                place.answer.sample,
            )
            for place, scores in self.scores.items()
        )
        scored = {place.answer for place in self.scores}
        weights = {answer: weight for answer, weight in self.weights.items() if answer in scored}
        missing = next((answer for answer in scored if answer not in weights), None)
        if weights and missing:
            raise DataError(
                "some labelled rows have a weight and this one has none",
                found=", ".join(missing[:2]),
                field="weight",
                hint="keep the column `weight` as it was drawn, or take it out",
            )
        return HumanLabels(found, weights)

    def _columns(self, row: Mapping[str, Any], where: str) -> dict[str, Any]:
        """Criterion → cell. A column that looks like a misspelt criterion is refused, not skipped."""
        if "criterion" in row and "score" in row:
            name = identifier(row["criterion"], where, "criterion")
            if name not in self.criteria and name != TOTAL:
                raise _unknown(name, self.criteria, where, "criterion")
            return {} if name == TOTAL else {name: row["score"]}
        for name in row:
            known = name in self.criteria or name in _COLUMNS
            if not known and difflib.get_close_matches(name, self.criteria, n=1, cutoff=_NEAR):
                raise _unknown(name, self.criteria, where, "column")
        columns = {name: row[name] for name in self.criteria if name in row}
        if not columns:
            raise DataError(
                "there is no column of a criterion",
                where=where,
                found=", ".join(row),
                hint=f"one or more of {', '.join(self.criteria)}; or criterion and score",
            )
        return columns

    def _answer(self, row: Mapping[str, Any], where: str) -> LabeledAnswer:
        if code := optional_text(row.get("code"), where, "code"):
            found = self.answers.by_code(code)
            if found is None:
                raise DataError(
                    "no answer has this code",
                    where=where,
                    field="code",
                    found=code,
                    hint="it was drawn from another run, or the answer has changed since: take the row out",
                )
            return found
        for column in ("question_id", "variant"):
            if column not in row:
                raise DataError(f"there is no column {column!r}", where=where, found=", ".join(row))
        answer = LabeledAnswer(
            identifier(row["question_id"], where, "question_id"),
            identifier(row["variant"], where, "variant"),
            self._sample(row.get("sample"), where),
        )
        if answer not in self.answers:
            raise self._stranger(answer, where)
        return answer

    def _sample(self, value: Any, where: str) -> int:
        """Which of several answers; a column of this name says nothing where there is one a question."""
        if not self.several:
            return 0
        number = _number(value, where, "sample", "the number of an answer, from 0")
        if number is not None and (number < 0 or number != int(number)):
            raise DataError(
                "is not the number of an answer, from 0", where=where, field="sample", found=value
            )
        return int(number or 0)

    def _stranger(self, answer: LabeledAnswer, where: str) -> DataError:
        variants = list(dict.fromkeys(known.variant for known in self.answers))
        if answer.variant not in variants:
            hint: str = list_choices(answer.variant, variants)
            return DataError("no such variant", where=where, field="variant", found=answer[1], hint=hint)
        if answer.sample and answer._replace(sample=0) in self.answers:
            hint = "answers are numbered from 0; without a number it is the first"
            return DataError(
                "there is no such answer to this question",
                where=where,
                field="sample",
                found=answer.sample,
                hint=hint,
            )
        return DataError(
            f"the judge's side has no such question of {answer[1]}",
            where=where,
            field="question_id",
            found=answer[0],
            hint="labels belong to answers of this run: take the row out, or name the right run",
        )


def _unknown(name: str, criteria: Sequence[str], where: str, what: str) -> DataError:
    near = difflib.get_close_matches(name, criteria, n=1, cutoff=0.0)
    hint = f"did you mean {near[0]}?" if near else None
    return DataError(f"is no {what} that is known", where=where, field=what, found=name, hint=hint)


def _score(value: Any, criterion: str, where: str) -> int | None:
    number = _number(value, where, criterion, "a whole number")
    if number is None:
        return None
    limits = criterion not in CRITERIA or 1 <= number <= MAX_SCORE
    if number != int(number) or not limits:
        span = f" from 1 to {MAX_SCORE}" if criterion in CRITERIA else ""
        raise DataError(f"is not a whole number{span}", where=where, field=criterion, found=value)
    return int(number)


def _weight(value: Any, where: str) -> float | None:
    weight = _number(value, where, "weight", "a number above 0")
    if weight is not None and weight <= 0:
        raise DataError("is not a number above 0", where=where, field="weight", found=value)
    return weight


def _number(value: Any, where: str, field: str, wanted: str) -> float | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    convert: Callable[[Any], float] = float
    try:
        number = math.nan if isinstance(value, bool) or "_" in str(value) else convert(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise DataError(
            f"is not {wanted}",
            where=where,
            field=field,
            found=value,
            hint="leave it empty (null in JSON) where there is none",
        )
    return number
