"""Tables of scores from any judge or spreadsheet: one row a question, variant and criterion."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, BeforeValidator

from simsa.data.field_aliases import nearest
from simsa.data.problems import problem
from simsa.data.readers import raw_rows
from simsa.data.schema import Identifier, OptionalText, invalid, validate
from simsa.i18n.messages import msg
from simsa.records import TOTAL, Criteria

COLUMNS = ("question_id", "variant", "criterion", "score")
_NO_CRITERIA = Criteria()

Scores = dict[str, dict[str, dict[str, float | None]]]
"""Variant → criterion → question id → score; None is a missing score."""


class Sample(NamedTuple):
    """One of several judgements of a question: of which generation, in which repeat."""

    question: str
    seed: str
    repeat: str
    score: float


class ScoreTable(NamedTuple):
    """Scores, and question id → source document where the file has it.

    Where a question was answered or judged several times, `samples` has every score by variant and
    criterion, and `scores` the mean over seeds of the means over repeats. `n_gaps` counts, by variant
    and criterion, the samples without a score of questions that have other scores. `criteria` are those
    that the caller knows.
    """

    scores: Scores
    clusters: dict[str, str]
    samples: Mapping[tuple[str, str], Sequence[Sample]] = {}
    n_gaps: Mapping[tuple[str, str], int] = {}
    criteria: Criteria = _NO_CRITERIA


class _Key(NamedTuple):
    question: str
    variant: str
    criterion: str
    seed: str
    repeat: str


def _number(value: Any) -> float | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        number = math.nan if isinstance(value, bool) or "_" in str(value) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise invalid("not_a_score", found=value)
    return number


class _ScoreRow(BaseModel):
    question_id: Identifier
    variant: Identifier
    criterion: Identifier
    seed: OptionalText = None
    repeat: OptionalText = None
    score: Annotated[float | None, BeforeValidator(_number)]
    cluster: OptionalText = None


def read_scores(path: str | os.PathLike[str], criteria: Criteria = _NO_CRITERIA) -> ScoreTable:
    """Reads a CSV, JSONL, JSON or Parquet file with `question_id, variant, criterion, score`.

    Optional columns are `cluster` (the question's source document), `seed` (which of several answers)
    and `repeat` (which of several judgements of one answer). An empty or null score is missing, and so
    is one that a variant has no row for where another variant has; neither is ever a number.

    Criteria may have any names. A question with scores for all of `criteria` that enter the total
    gets their weighted sum as `total`, unless the file has one. Raises DataError naming the line.
    """
    name = os.fspath(path)
    cells: dict[_Key, float | None] = {}
    clusters: dict[str, tuple[str, str]] = {}
    places: dict[_Key, str] = {}
    for where, raw in raw_rows(name):
        _require_columns(raw, where)
        row = validate(_ScoreRow, raw, where, {})
        key = _Key(row.question_id, row.variant, row.criterion, row.seed or "", row.repeat or "")
        if key in places:
            raise problem("same_score", where, found=", ".join(filter(None, key)), place=places[key])
        places[key] = where
        cells[key] = row.score
        if row.cluster is not None:
            _note_cluster(clusters, row.question_id, row.cluster, where)
    if not cells:
        raise problem("no_scores", name)
    scores = _means(cells)
    _add_totals(scores, criteria)
    of_question = {question: cluster for question, (cluster, _) in clusters.items()}
    found = ScoreTable(scores, of_question, criteria=criteria)
    if any(key.seed or key.repeat for key in cells):
        found = found._replace(samples=_samples(cells, criteria), n_gaps=_gaps(cells, scores))
    _fill(scores)
    return found


def _require_columns(row: Mapping[str, Any], where: str) -> None:
    for column in COLUMNS:
        if column not in row:
            hint = None
            if row:
                similar = nearest(column, row)
                hint = msg("data.no_column.similar", similar=similar, list=", ".join(COLUMNS))
            raise problem("no_column", where, found=", ".join(row), hint=hint, name=column)


def _note_cluster(clusters: dict[str, tuple[str, str]], question: str, cluster: str, where: str) -> None:
    known, place = clusters.setdefault(question, (cluster, where))
    if known != cluster:
        raise problem(
            "two_clusters", where, "cluster", found=cluster, question=question, cluster=known, place=place
        )


def _means(cells: Mapping[_Key, float | None]) -> Scores:
    """Each question's score: the mean over its seeds of the means over their repeats; None without any score."""
    scores: Scores = {}
    by_seed: dict[tuple[str, str, str], dict[str, list[float]]] = {}
    for key, score in cells.items():
        scores.setdefault(key.variant, {}).setdefault(key.criterion, {})[key.question] = None
        if score is not None:
            seeds = by_seed.setdefault((key.variant, key.criterion, key.question), {})
            seeds.setdefault(key.seed, []).append(score)
    for (variant, criterion, question), seeds in by_seed.items():
        scores[variant][criterion][question] = _mean([_mean(repeats) for repeats in seeds.values()])
    return scores


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _add_totals(scores: Scores, criteria: Criteria) -> None:
    names = criteria.in_total.names
    for by_criterion in scores.values():
        if not names or any(name not in by_criterion for name in names):
            continue
        totals = by_criterion.setdefault(TOTAL, {})
        for question in dict.fromkeys(question for name in names for question in by_criterion[name]):
            if question not in totals:
                totals[question] = _total(criteria, (by_criterion[name].get(question) for name in names))


def _samples(cells: Mapping[_Key, float | None], criteria: Criteria) -> dict[tuple[str, str], list[Sample]]:
    """Every score by variant and criterion, with the totals of complete judgements."""
    with_totals = dict(cells)
    names = criteria.in_total.names
    for key in cells:
        total = key._replace(criterion=TOTAL)
        if names and key.criterion == names[0] and (key.seed or key.repeat) and total not in cells:
            parts = (cells.get(key._replace(criterion=name)) for name in names)
            with_totals[total] = _total(criteria, parts)
    samples: dict[tuple[str, str], list[Sample]] = {}
    for key, score in with_totals.items():
        if score is not None:
            sample = Sample(key.question, key.seed, key.repeat, score)
            samples.setdefault((key.variant, key.criterion), []).append(sample)
    return samples


def _total(criteria: Criteria, scores: Iterable[float | None]) -> float | None:
    """The weighted sum, without rounding between; None if a score is missing. Means are no integers."""
    weighted = [
        None if score is None else criterion.weight * score
        for criterion, score in zip(criteria.in_total, scores, strict=True)
    ]
    known = [score for score in weighted if score is not None]
    return math.fsum(known) if len(known) == len(weighted) else None


def _gaps(cells: Mapping[_Key, float | None], scores: Scores) -> dict[tuple[str, str], int]:
    return dict(
        Counter(
            (key.variant, key.criterion)
            for key, score in cells.items()
            if score is None and scores[key.variant][key.criterion][key.question] is not None
        )
    )


def _fill(scores: Scores) -> None:
    """Gives every variant every criterion and question that another has, as missing."""
    questions: dict[str, dict[str, None]] = {}
    for by_criterion in scores.values():
        for criterion, found in by_criterion.items():
            questions.setdefault(criterion, {}).update(dict.fromkeys(found))
    for by_criterion in scores.values():
        for criterion, expected in questions.items():
            own = by_criterion.setdefault(criterion, {})
            own.update({question: None for question in expected if question not in own})
