"""A table of scores, from any judge or spreadsheet: one row a question, variant and criterion."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from simsa.data.reading import raw_rows
from simsa.data.roles import nearest
from simsa.data.values import identifier, optional_text
from simsa.errors import DataError
from simsa.records import CRITERIA

COLUMNS = ("question_id", "variant", "criterion", "score")
TOTAL = "total"

Scores = dict[str, dict[str, dict[str, float | None]]]
"""Variant → criterion → question id → score; None is a score that is missing."""


class ScoreTable(NamedTuple):
    """Scores, and question id → source document where the file tells it."""

    scores: Scores
    clusters: dict[str, str]


def read_scores(path: str | os.PathLike[str]) -> ScoreTable:
    """Reads a CSV, JSONL, JSON or Parquet file with `question_id, variant, criterion, score` and optional `cluster`.

    An empty or null score is missing, and so is one that a variant has no row for where
    another variant has; neither is ever a number. Where a variant has the four criteria
    for a question, their sum is its `total`, unless the file gives one. Raises DataError
    naming the line.
    """
    name = os.fspath(path)
    scores: Scores = {}
    clusters: dict[str, tuple[str, str]] = {}
    places: dict[tuple[str, str, str], str] = {}
    for where, row in raw_rows(name):
        question, variant, criterion = _names(row, where)
        key = (question, variant, criterion)
        if key in places:
            raise DataError(
                f"has the same question_id, variant and criterion as {places[key]}",
                where=where,
                found=", ".join(key),
                hint="each score stands once; average repeats before, or give them variants of their own",
            )
        places[key] = where
        scores.setdefault(variant, {}).setdefault(criterion, {})[question] = _score(row, where)
        _note_cluster(clusters, question, row, where)
    if not scores:
        raise DataError("holds no scores", where=name)
    _derive_totals(scores)
    _fill(scores)
    return ScoreTable(scores, {question: cluster for question, (cluster, _) in clusters.items()})


def _names(row: Mapping[str, Any], where: str) -> tuple[str, str, str]:
    for column in COLUMNS:
        if column not in row:
            raise DataError(
                f"there is no column {column!r}",
                where=where,
                found=", ".join(row),
                hint=f"rename {nearest(column, row)!r}? needed are {', '.join(COLUMNS)}, and optionally cluster"
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
