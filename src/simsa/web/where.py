"""What `Ask` asks for as conditions of SQL over an index of questions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from simsa.records import CRITERIA, STATUSES
from simsa.web.asking import TOTAL, Ask

ALL = "TRUE"
_NOTHING = "FALSE"
_HIGHEST = 10**9
_SIGNS = {"higher": ">", "lower": "<", "differs": "<>", "same": "="}
# Bits of what answers did.
REFUSED, ANSWERED = 1, 2

Condition = tuple[str, list[Any]]


@dataclass(frozen=True, slots=True)
class Facts:
    """What there is to filter by. `finishes` are reasons for which answers ended, by their bit; `clusters` whether
    questions share documents, `refusals` whether it is known who declined."""

    n: int
    variants: tuple[str, ...]
    types: tuple[str, ...]
    statuses: Mapping[str, int]
    finishes: tuple[str, ...]
    metrics: tuple[str, ...]
    clusters: bool
    refusals: bool

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> Facts:
        """From JSON, which knows no tuples."""
        found: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in kept.items()}
        return cls(**found)


def where(ask: Ask, facts: Facts, labelled: Iterable[tuple[str, str]]) -> Condition:
    """The condition of SQL and its values, but for the search; `labelled` are (question id, variant) of labels.

    Numbers of variants come from `ask_from`, so they exist.
    """
    found = [*_questions(ask, facts)]
    if facts.variants:
        found += [*_answers(ask, facts, labelled), *_pairs(ask)]
    values = [value for _, given in found for value in given]
    return " AND ".join(part for part, _ in found) or ALL, values


def _questions(ask: Ask, facts: Facts) -> Iterator[Condition]:
    if ask.type is not None:
        yield ("type = ?", [facts.types.index(ask.type)]) if ask.type in facts.types else (_NOTHING, [])
    if ask.cluster is not None:
        yield "cluster IN (SELECT code FROM clusters WHERE name = ?)", [ask.cluster]
    if ask.ids is not None:
        yield _ids(ask.ids)


def _ids(text: str) -> Condition:
    """Ids apart by commas or spaces, and the whole of it as one; what ends in * is a beginning."""
    parts = [text, *text.replace(",", " ").split()]
    whole = [part for part in parts if not part.endswith("*")]
    begun = [part[:-1] for part in parts if part.endswith("*")]
    looks = ["id IN (SELECT value FROM json_each(?))", *["substr(id, 1, length(?)) = ?"] * len(begun)]
    values = [orjson.dumps(whole).decode(), *(one for part in begun for one in (part, part))]
    return f"place IN (SELECT place FROM names WHERE {' OR '.join(looks)})", values


def _answers(ask: Ask, facts: Facts, labelled: Iterable[tuple[str, str]]) -> Iterator[Condition]:
    """What the answer of one variant is to be, or of any."""
    of = range(len(facts.variants)) if ask.variant is None else [ask.variant]

    def any_of(test: str, *values: Any) -> Condition:
        return f"({' OR '.join(test.format(i=i) for i in of)})", [*values] * len(of)

    if ask.status is not None:
        yield any_of("s{i} & ?", 1 << STATUSES.index(ask.status))
    if ask.low is not None or ask.high is not None:
        bounds = [_or(ask.low, 0), _or(ask.high, _HIGHEST)]
        names = [column(ask.criterion, i) for i in of]
        yield f"({' OR '.join(f'{name} BETWEEN ? AND ?' for name in names)})", bounds * len(of)
    if ask.finish is not None:
        known = ask.finish in facts.finishes
        yield any_of("f{i} & ?", 1 << facts.finishes.index(ask.finish)) if known else (_NOTHING, [])
    if ask.refused is not None:
        yield any_of("r{i} & ?", REFUSED if ask.refused == "yes" else ANSWERED)
    if ask.bounded_metric is not None:
        yield _metric(ask, facts, of)
    if ask.labelled is not None:
        wanted = {facts.variants[i] for i in of}
        ids = sorted({question for question, variant in labelled if variant in wanted})
        sign = "IN" if ask.labelled == "yes" else "NOT IN"
        yield (
            f"place {sign} (SELECT place FROM names WHERE id IN (SELECT value FROM json_each(?)))",
            [orjson.dumps(ids, default=str).decode()],
        )


def _metric(ask: Ask, facts: Facts, of: Sequence[int]) -> Condition:
    if ask.metric not in facts.metrics:
        return _NOTHING, []
    name = f"v{facts.metrics.index(ask.metric)}"
    # Looked up row by row: quicker than a set of places, of which each of two questions would make its own.
    looks = [f"(SELECT {name} FROM m{i} WHERE m{i}.place = rows.place) BETWEEN ? AND ?" for i in of]
    bounds = [_or(ask.mlow, -_HIGHEST), _or(ask.mhigh, _HIGHEST)]
    return f"({' OR '.join(looks)})", bounds * len(of)


def _pairs(ask: Ask) -> Iterator[Condition]:
    """How the two variants that are compared are to lie to each other."""
    ours, theirs = column(ask.criterion, ask.a), column(ask.criterion, ask.b)
    if ask.diff is not None:
        yield f"{ours} {_SIGNS[ask.diff]} {theirs}", []
    for name, low, high in ((ours, ask.alow, ask.ahigh), (theirs, ask.blow, ask.bhigh)):
        if low is not None or high is not None:
            # A mean of several answers counts as the nearest integer.
            yield f"({name} >= ? AND {name} < ?)", [_or(low, 0) - 0.5, _or(high, _HIGHEST) + 0.5]
    if ask.said is not None:
        yield f"p{ask.a} {'=' if ask.said == 'same' else '<>'} p{ask.b}", []


def order(ask: Ask) -> str:
    """What is missing comes last, whichever way the rest goes."""
    way = "DESC" if ask.down else "ASC"
    score = column(ask.criterion, ask.of)
    difference = f"{column(ask.criterion, ask.a)} - {column(ask.criterion, ask.b)}"
    key = {"place": "place", "type": "type", "total": score, "diff": difference}[ask.sort]
    return f"place {way}" if ask.sort == "place" else f"({key}) IS NULL, {key} {way}, place"


def column(criterion: str, variant: int) -> str:
    """Where the score of `criterion`, or the total, of the variant of this number stands."""
    return f"t{variant}" if criterion == TOTAL else f"c{variant}_{CRITERIA.index(criterion)}"


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value
