"""The list of questions: a filter as SQL on the run's own file, and the rows of a page."""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import orjson

from simsa.records import TOTAL, Criteria, Number
from simsa.store import Store, criteria_of
from simsa.web.query import QuestionFilter, search_terms

PAGE = 50
_EPSILON = 1e-9  # weighted totals are sums of floats
_UNBOUNDED = 10**12
_COMPARE = {
    "higher": f"> {_EPSILON}",
    "lower": f"< -{_EPSILON}",
    "differs": f"NOT BETWEEN -{_EPSILON} AND {_EPSILON}",
    "same": f"BETWEEN -{_EPSILON} AND {_EPSILON}",
}


class ListRow(NamedTuple):
    """One question in the list: its number in the list from 0, its id and type."""

    n: int
    id: str
    type: str | None


class ListOptions(NamedTuple):
    """What the form of the list offers. `has_documents` says whether questions share documents, `has_abstentions`
    whether the run knows which answers are abstentions."""

    types: tuple[str, ...]
    statuses: tuple[str, ...]
    finishes: tuple[str, ...]
    metrics: tuple[str, ...]
    has_documents: bool
    has_abstentions: bool


def positions(store: Store, ask: QuestionFilter, labelled: Iterable[tuple[str, str]] = ()) -> array[int]:
    """The `position` of every question in the list of `ask`, in its order.

    `labelled` are the (question id, variant) that have a label.
    """
    sql, values = list_statement(ask, list(store.variants()), criteria_of(store), labelled)
    return array("L", (position for (position,) in store.db.execute(sql, values)))


def rows(store: Store, found: Sequence[int], first: int, limit: int = PAGE) -> list[ListRow]:
    """The questions at `found`, from the `first` (from 0) on."""
    read = "SELECT id, type FROM questions WHERE position = ?"
    shown = enumerate(found[first : first + limit], first)
    return [ListRow(n, *store.db.execute(read, (position,)).fetchone()) for n, position in shown]


def list_options(store: Store) -> ListOptions:
    """Reads what there is to filter by."""

    def column(sql: str) -> tuple[Any, ...]:
        return tuple(value for (value,) in store.db.execute(sql))

    figures = column("SELECT figures FROM measures GROUP BY version ORDER BY version")
    metrics = list(dict.fromkeys(name for text in figures for name in orjson.loads(text)))
    return ListOptions(
        types=column("SELECT DISTINCT type FROM questions WHERE type IS NOT NULL ORDER BY type"),
        statuses=(
            "scored",
            *column("SELECT DISTINCT status FROM judgements WHERE status <> 'scored' ORDER BY status"),
            "budget" if store.meta("stopped") == "budget" else "pending",
            "no_prediction",
        ),
        finishes=column("SELECT DISTINCT finish_reason FROM answers WHERE finish_reason <> '' ORDER BY 1"),
        metrics=tuple(name for name in metrics if name != "abstained"),
        has_documents=column("SELECT count(DISTINCT cluster) < count(*) FROM questions") == (1,),
        has_abstentions="abstained" in metrics,
    )


class Statement(NamedTuple):
    """SQL and the values of its parameters."""

    sql: str
    values: list[Any]


def list_statement(
    ask: QuestionFilter,
    variants: Sequence[str],
    criteria: Criteria,
    labelled: Iterable[tuple[str, str]] = (),
) -> Statement:
    """The statement that selects `position` for every question in the list, in its order.

    A question's score is the mean over the answers of a variant. Questions without a score come last.
    The variant numbers in `ask` must exist.
    """
    builder = _ListSql(ask, variants, criteria)
    conditions = [*builder.questions(), *(builder.answers(labelled) if variants else ())]
    where = " AND ".join(conditions) or "TRUE"
    sql = f"SELECT q.position FROM questions q WHERE {where} ORDER BY {builder.order()}"
    return Statement(sql, builder.values)


# The verdict on the planned request `p`, and its metrics.
_VERDICT = (
    "judging g ON g.question_id = p.question_id AND g.variant = p.variant AND g.sample = p.sample"
    " AND g.answer_hash = p.request_hash"
)
_MEASURES = "measures m ON m.answer_hash = p.request_hash AND m.question_hash = q.hash"
_UNSCORED = "SELECT request_hash FROM judgements WHERE status <> 'scored'"


class _ListSql:
    """Conditions on a question `q`. `values` are those of the numbered parameters."""

    def __init__(self, ask: QuestionFilter, variants: Sequence[str], criteria: Criteria) -> None:
        self.ask = ask
        self.variants = variants
        self.criteria = criteria
        self.values: list[Any] = []

    def _value(self, value: Any) -> str:
        self.values.append(value)
        return f"?{len(self.values)}"

    def _is_variant(self, variant: int | None) -> str:
        """A further condition on `p`; none for any variant."""
        return "" if variant is None else f" AND p.variant = {self._value(self.variants[variant])}"

    def order(self) -> str:
        ask = self.ask
        way = "DESC" if ask.down else "ASC"
        if ask.sort == "place" or not self.variants:
            return f"q.position {way}"
        if ask.sort == "type":
            key = "q.type"
        elif ask.sort == "diff":
            key = f"({self._score(ask.a)} - {self._score(ask.b)})"
        else:
            key = self._score(ask.of)
        return f"{key} {way} NULLS LAST, q.position"

    def questions(self) -> Iterator[str]:
        """Conditions on the question and its texts."""
        ask = self.ask
        if ask.type is not None:
            yield f"q.type = {self._value(ask.type)}"
        if ask.cluster is not None:
            yield f"q.cluster = {self._value(ask.cluster)}"
        if ask.ids is not None:
            yield self._ids(ask.ids)
        terms = search_terms(ask.search)
        yield from map(self._contains, terms.wanted)
        yield from (f"NOT {self._contains(term)}" for term in terms.unwanted)

    def _ids(self, text: str) -> str:
        """Ids separated by commas or spaces, or the whole text as one id; a final * matches any ending."""
        parts = [text, *text.replace(",", " ").split()]
        exact = orjson.dumps([part for part in parts if not part.endswith("*")]).decode()
        tests = [f"q.id IN (SELECT value FROM json_each({self._value(exact)}))"]
        for part in parts:
            if part.endswith("*"):
                start = self._value(part[:-1])
                tests.append(f"substr(q.id, 1, length({start})) = {start}")
        return f"({' OR '.join(tests)})"

    def _contains(self, term: str) -> str:
        """Whether the id, the question, a reference or an answer has `term`. ASCII letters match in either case."""
        forms = dict.fromkeys(unicodedata.normalize(name, term) for name in ("NFC", "NFD"))
        patterns = [self._value("%" + re.sub(r"([\\%_])", r"\\\1", form) + "%") for form in forms]

        def has(text: str) -> str:
            return " OR ".join(rf"{text} LIKE {pattern} ESCAPE '\'" for pattern in patterns)

        texts = ("q.id", "json_extract(q.row, '$.question')", "json_extract(q.row, '$.reference')")
        answer = f"""EXISTS (SELECT 1 FROM plan p JOIN answers a ON a.request_hash = p.request_hash
            WHERE p.question_id = q.id AND ({has("a.prediction")}))"""
        return f"({' OR '.join([*map(has, texts), answer])})"

    def answers(self, labelled: Iterable[tuple[str, str]]) -> Iterator[str]:
        """Conditions on the answers of one variant or of any, then on those of the pair."""
        ask = self.ask
        if ask.status is not None:
            yield self._any_answer(self._has_status(ask.status))
        if (ask.low, ask.high) != (None, None):
            means = self._means(ask.variant)
            yield f"EXISTS (SELECT 1 FROM {means} WHERE {_between('mean', ask.low, ask.high)})"
        if ask.finish is not None:
            yield self._any_answer(f"a.finish_reason = {self._value(ask.finish)}")
        if ask.refused is not None:
            sign = "<>" if ask.refused == "yes" else "="
            yield self._any_answer(
                f"EXISTS (SELECT 1 FROM {_where(_MEASURES)} AND json_extract(m.figures, '$.abstained') {sign} 0)"
            )
        if ask.bounded_metric is not None:
            path = '$."' + ask.bounded_metric + '"'
            mean = f"avg(json_extract(m.figures, {self._value(path)}))"
            yield f"""EXISTS (SELECT 1 FROM plan p JOIN {_MEASURES}
                WHERE p.question_id = q.id{self._is_variant(ask.variant)}
                GROUP BY p.variant HAVING {_between(mean, ask.mlow, ask.mhigh)})"""
        if ask.labelled is not None:
            wanted = self.variants if ask.variant is None else [self.variants[ask.variant]]
            ids = sorted({question for question, name in labelled if name in wanted})
            sign = "IN" if ask.labelled == "yes" else "NOT IN"
            yield f"q.id {sign} (SELECT value FROM json_each({self._value(orjson.dumps(ids).decode())}))"
        yield from self._pair()

    def _any_answer(self, test: str) -> str:
        return f"""EXISTS (SELECT 1 FROM plan p LEFT JOIN answers a ON a.request_hash = p.request_hash
            WHERE p.question_id = q.id{self._is_variant(self.ask.variant)} AND {test})"""

    def _has_status(self, status: str) -> str:
        """Whether the planned request `p` with the answer `a` has `status`, as `store.results` defines it."""
        if status == "no_prediction":
            return "a.request_hash IS NULL"
        verdict = f"{_where(_VERDICT)} AND g.part <> 'claims'"
        failed = f"EXISTS (SELECT 1 FROM {verdict} AND g.request_hash IN ({_UNSCORED}))"
        scores = verdict.replace(" WHERE", " JOIN scores s USING (request_hash) WHERE", 1)
        is_scored = f"(SELECT count(*) FROM {scores}) >= {max(1, len(self.criteria))}"
        if status == "scored":
            return f"a.request_hash IS NOT NULL AND {is_scored} AND NOT {failed}"
        found = f"{_UNSCORED} AND status = {self._value(status)}"
        is_found = f"EXISTS (SELECT 1 FROM {verdict} AND g.request_hash IN ({found}))"
        if status not in ("pending", "budget"):
            return is_found
        stopped = "(SELECT value FROM meta WHERE key = 'stopped')"
        sign = "IS" if status == "budget" else "IS NOT"
        waits = f"a.request_hash IS NOT NULL AND NOT {is_scored} AND NOT {failed} AND {stopped} {sign} '\"budget\"'"
        return f"({is_found} OR ({waits}))"

    def _pair(self) -> Iterator[str]:
        """How the answers of the two compared variants relate."""
        ask = self.ask
        if ask.diff is not None:
            yield f"({self._score(ask.a)} - {self._score(ask.b)}) {_COMPARE[ask.diff]}"
        for variant, low, high in ((ask.a, ask.alow, ask.ahigh), (ask.b, ask.blow, ask.bhigh)):
            if (low, high) != (None, None):
                # The mean of several answers counts as the nearest integer.
                least = None if low is None else low - 0.5
                most = None if high is None else high + 0.5 - 2 * _EPSILON
                yield _between(self._score(variant), least, most)
        if ask.said is not None:
            yield f"{self._texts(ask.a)} {'=' if ask.said == 'same' else '<>'} {self._texts(ask.b)}"

    def _score(self, variant: int) -> str:
        return f"(SELECT mean FROM {self._means(variant)})"

    def _means(self, variant: int | None) -> str:
        """A table with the `mean` score over the answers of a variant, or of each variant."""
        # CROSS JOIN fixes the order of the joins; + makes IN a test instead of one lookup for each criterion.
        rows = f"""FROM plan p CROSS JOIN {_VERDICT} CROSS JOIN scores s ON s.request_hash = g.request_hash
            WHERE p.question_id = q.id{self._is_variant(variant)}"""
        by_variant = "GROUP BY p.variant" if variant is None else ""
        if self.ask.criterion != TOTAL:
            criterion = self._value(self.ask.criterion)
            return f"(SELECT avg(s.score) AS mean {rows} AND s.criterion = {criterion} {by_variant})"
        counted = self.criteria.in_total
        names = [self._value(one.name) for one in counted]
        score = "s.score"
        if any(one.weight != 1 for one in counted):
            weights = (f"WHEN {name} THEN {one.weight!r}" for name, one in zip(names, counted, strict=True))
            score = f"s.score * CASE s.criterion {' '.join(weights)} END"
        return f"""(SELECT avg(total) AS mean FROM (SELECT p.variant, sum({score}) AS total {rows}
            AND +s.criterion IN ({", ".join(names)}) GROUP BY p.variant, p.sample
            HAVING count(*) = {len(counted)}) p {by_variant})"""

    def _texts(self, variant: int) -> str:
        """All answers of a variant as one text; NULL when one is missing."""
        return f"""(SELECT CASE WHEN count(*) = count(a.prediction) THEN group_concat(a.prediction, char(31)) END
            FROM plan p LEFT JOIN answers a ON a.request_hash = p.request_hash
            WHERE p.question_id = q.id{self._is_variant(variant)})"""


def _where(join: str) -> str:
    """The condition of a join as that of a subquery."""
    return join.replace(" ON ", " WHERE ", 1)


def _between(value: str, low: Number | None, high: Number | None) -> str:
    least, most = -_UNBOUNDED if low is None else low, _UNBOUNDED if high is None else high
    return f"{value} BETWEEN {least - _EPSILON!r} AND {most + _EPSILON!r}"
