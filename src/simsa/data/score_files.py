"""A table of scores, from any judge or spreadsheet: one row a question, variant and criterion."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from simsa.data.field_aliases import nearest
from simsa.data.readers import raw_rows
from simsa.data.schema import identifier, optional_text
from simsa.errors import DataError
from simsa.records import CRITERIA

COLUMNS = ("question_id", "variant", "criterion", "score")
TOTAL = "total"

Scores = dict[str, dict[str, dict[str, float | None]]]
"""Variant → criterion → question id → score; None is a score that is missing."""


class Sample(NamedTuple):
    """One judgement among several of a question: of which generation, in which repeat."""

    question: str
    seed: str
    repeat: str
    score: float


class ScoreTable(NamedTuple):
    """Scores, and question id → source document where the file tells it.

    Where a question was answered or judged several times, `samples` has every score by
    variant and criterion, and `scores` the mean over seeds of the means over repeats.
    `n_gaps` counts the samples without a score of questions that have others, by variant and criterion.
    """

    scores: Scores
    clusters: dict[str, str]
    samples: Mapping[tuple[str, str], Sequence[Sample]] = {}
    n_gaps: Mapping[tuple[str, str], int] = {}


class _Key(NamedTuple):
    question: str
    variant: str
    criterion: str
    seed: str
    repeat: str


def read_scores(path: str | os.PathLike[str]) -> ScoreTable:
    """Reads a CSV, JSONL, JSON or Parquet file with `question_id, variant, criterion, score`.

    Optional columns are `cluster` (the question's source document), `seed` (which of several
    answers) and `repeat` (which of several judgements of one answer). An empty or null score
    is missing, and so is one that a variant has no row for where another variant has; neither
    is ever a number. Where a variant has the four criteria for a question, their sum is its
    `total`, unless the file gives one. Raises DataError naming the line.
    """
    name = os.fspath(path)
    cells: dict[_Key, float | None] = {}
    clusters: dict[str, tuple[str, str]] = {}
    places: dict[_Key, str] = {}
    for where, row in raw_rows(name):
        key = _key(row, where)
        if key in places:
            raise DataError(
                f"has the same question_id, variant and criterion as {places[key]}",
                where=where,
                found=", ".join(filter(None, key)),
                hint="each score stands once: a column `repeat` tells judgements of one answer apart, "
                "a column `seed` answers",
            )
        places[key] = where
        cells[key] = _score(row, where)
        _note_cluster(clusters, key.question, row, where)
    if not cells:
        raise DataError("holds no scores", where=name)
    scores = _means(cells)
    of_question = {question: cluster for question, (cluster, _) in clusters.items()}
    if not any(key.seed or key.repeat for key in cells):
        _fill(scores)
        return ScoreTable(scores, of_question)
    gaps = Counter(
        (k.variant, k.criterion)
        for k, score in cells.items()
        if score is None and scores[k.variant][k.criterion][k.question] is not None
    )
    _add_totals(cells)
    _fill(scores)
    return ScoreTable(scores, of_question, _samples(cells), dict(gaps))


def _means(cells: Mapping[_Key, float | None]) -> Scores:
    """Each question's score: the mean over its seeds of the means over their repeats, None where there is no score."""
    scores: Scores = {}
    by_seed: dict[tuple[str, str, str], dict[str, list[float]]] = {}
    for key, score in cells.items():
        scores.setdefault(key.variant, {}).setdefault(key.criterion, {})[key.question] = None
        if score is not None:
            of_question = by_seed.setdefault((key.variant, key.criterion, key.question), {})
            of_question.setdefault(key.seed, []).append(score)
    for (variant, criterion, question), seeds in by_seed.items():
        means = [math.fsum(found) / len(found) for found in seeds.values()]
        scores[variant][criterion][question] = math.fsum(means) / len(means)
    _derive_totals(scores)
    return scores


def _samples(cells: Mapping[_Key, float | None]) -> dict[tuple[str, str], list[Sample]]:
    found: dict[tuple[str, str], list[Sample]] = {}
    for key, score in cells.items():
        if score is not None:
            sample = Sample(key.question, key.seed, key.repeat, score)
            found.setdefault((key.variant, key.criterion), []).append(sample)
    return found


def _add_totals(cells: dict[_Key, float | None]) -> None:
    """Totals of those judgements, told apart by a seed or repeat, that have all four criteria."""
    given = {key._replace(criterion="") for key in cells if key.criterion == TOTAL}
    judgements = {key._replace(criterion=""): None for key in cells if key.criterion == CRITERIA[0]}
    for one in judgements:
        parts = [cells.get(one._replace(criterion=name)) for name in CRITERIA]
        known = [part for part in parts if part is not None]
        if (one.seed or one.repeat) and one not in given and len(known) == len(CRITERIA):
            cells[one._replace(criterion=TOTAL)] = math.fsum(known)


def _key(row: Mapping[str, Any], where: str) -> _Key:
    names = _names(row, where)
    return _Key(
        *names, *(optional_text(row.get(column), where, column) or "" for column in ("seed", "repeat"))
    )


def _names(row: Mapping[str, Any], where: str) -> tuple[str, str, str]:
    for column in COLUMNS:
        if column not in row:
            raise DataError(
                f"there is no column {column!r}",
                where=where,
                found=", ".join(row),
                hint=f"rename {nearest(column, row)!r}? needed are {', '.join(COLUMNS)}, and optionally cluster, seed and repeat"
                if row
                else None,
            )
    question = identifier(row["question_id"], where, "question_id")
    variant, criterion = (identifier(row[column], where, column) for column in ("variant", "criterion"))
    return question, variant, criterion


def _score(row: Mapping[str, Any], where: str) -> float | None:
    value = row["score"]
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        number = math.nan if isinstance(value, bool) or "_" in str(value) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise DataError(
            "is not a number",
            where=where,
            field="score",
            found=value,
            hint="leave it empty (null in JSON) where the score is missing",
        )
    return number


def _note_cluster(
    clusters: dict[str, tuple[str, str]], question: str, row: Mapping[str, Any], where: str
) -> None:
    cluster = optional_text(row.get("cluster"), where, "cluster")
    if cluster is None:
        return
    known, place = clusters.setdefault(question, (cluster, where))
    if known != cluster:
        raise DataError(
            f"question {question} is in cluster {known!r} at {place}",
            where=where,
            field="cluster",
            found=cluster,
            hint="a question belongs to one source document",
        )


def _derive_totals(scores: Scores) -> None:
    for by_criterion in scores.values():
        if any(criterion not in by_criterion for criterion in CRITERIA):
            continue
        totals = by_criterion.setdefault(TOTAL, {})
        for question in dict.fromkeys(q for criterion in CRITERIA for q in by_criterion[criterion]):
            if question not in totals:
                parts = [by_criterion[criterion].get(question) for criterion in CRITERIA]
                known = [part for part in parts if part is not None]
                totals[question] = math.fsum(known) if len(known) == len(CRITERIA) else None


def _fill(scores: Scores) -> None:
    """Gives every variant every criterion and question that another has, as missing."""
    questions: dict[str, dict[str, None]] = {}
    for by_criterion in scores.values():
        for criterion, found in by_criterion.items():
            questions.setdefault(criterion, {}).update(dict.fromkeys(found))
    for by_criterion in scores.values():
        for criterion, asked in questions.items():
            own = by_criterion.setdefault(criterion, {})
            own.update({question: None for question in asked if question not in own})
