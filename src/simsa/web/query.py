"""Which questions a page asks for, as its address says it.

What `Ask` asks for as conditions of SQL over an index of questions.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable
from urllib.parse import urlencode

import orjson

from simsa.records import CRITERIA, MAX_TOTAL, STATUSES
from simsa.text import format_number

TOTAL = "total"
SORTS = ("place", "type", "total", "diff")
SAID = ("same", "differs")
YES_NO = ("yes", "no")
DIFFERENCES = ("higher", "lower", "differs", "same")
_LONGEST = 200
_MOST_VARIANTS = 100
_REAL = re.compile(r"-?\d{1,9}(\.\d{1,9})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class QuestionFilter:
    """Filters, order and page. Variants are given by their number; None means any of them.

    `criterion` is the score that the list is about: `low` and `high` bound that of `variant`,
    `alow` to `bhigh` those of variants `a` and `b`, `diff` says how that of `a` is to lie to
    that of `b`, and `sort` goes by that of variant `of` ("total", whichever the score is) or by
    that difference. `said` is whether the texts of `a` and `b` are the same; `metric` with
    `mlow` and `mhigh`, `finish`, `refused` and `labelled` are about the answer of `variant`.
    `ids` are ids of questions, each may end in `*`. `show` are the variants with a column; empty for the usual.
    """

    search: str = ""
    type: str | None = None
    status: str | None = None
    variant: int | None = None
    criterion: str = TOTAL
    low: int | None = None
    high: int | None = None
    a: int = 0
    b: int = 0
    diff: str | None = None
    alow: int | None = None
    ahigh: int | None = None
    blow: int | None = None
    bhigh: int | None = None
    said: str | None = None
    metric: str | None = None
    mlow: float | None = None
    mhigh: float | None = None
    finish: str | None = None
    refused: str | None = None
    labelled: str | None = None
    cluster: str | None = None
    ids: str | None = None
    show: tuple[int, ...] = ()
    sort: str = "place"
    of: int = 0
    down: bool = False
    page: int = 1
    usual: tuple[int, int] | None = field(default=None, compare=False)
    """The two variants that are compared where an address doesn't say which."""

    @property
    def is_plain(self) -> bool:
        """Whether all questions are asked for, in their own order."""
        plain = replace(
            self, page=1, a=0, b=0, of=0, show=(), criterion=TOTAL, variant=None, metric=self.bounded_metric
        )
        return plain == QuestionFilter()

    @property
    def bounded_metric(self) -> str | None:
        """The metric that is filtered by: without a bound there is nothing to filter."""
        return self.metric if (self.mlow, self.mhigh) != (None, None) else None

    @property
    def _names_pair(self) -> bool:
        """Whether an address says which two variants are compared: always where anything depends on it, so that it
        means the same whatever is usual."""
        bounds = (self.diff, self.said, self.alow, self.ahigh, self.blow, self.bhigh)
        return self.sort == "diff" or any(one is not None for one in bounds) or self.usual != (self.a, self.b)

    def changed(self, **changes: Any) -> QuestionFilter:
        """The same with `changes`, from the first page on."""
        return replace(self, **({"page": 1} | changes))

    def query(self, variants: Sequence[str], **more: Any) -> str:
        """As the query of an address: what differs from the default, which two variants are compared, then `more`."""
        found: dict[str, Any] = {}
        for name in self.__slots__:
            value = getattr(self, name)
            if name == "usual":
                continue
            if name == "show":
                value = [variants[n] for n in value]
            elif name in ("a", "b"):
                value = variants[value] if self._names_pair and len(variants) > 1 else None
            elif value == getattr(_PLAIN, name):
                continue
            elif name in ("variant", "of"):
                value = None if value is None else variants[value]
            found[name] = (
                int(value) if value is True else format_number(value) if isinstance(value, float) else value
            )
        found = {name: value for name, value in found.items() if value not in (None, [])}
        return urlencode(found | more, errors="replace", doseq=True)


_PLAIN = QuestionFilter()


def filter_from(query: Mapping[str, str], variants: Sequence[str], baseline: int = 0) -> QuestionFilter:
    """Reads an address. What makes no sense in it is as if it weren't there.

    The two variants compared are by default the first that isn't the baseline, and the baseline.
    """

    def number(name: str, low: int, high: int) -> int | None:
        text = query.get(name, "").strip()
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            return None
        return int(text) if low <= int(text) <= high else None

    def one_of(name: str, allowed: Sequence[str]) -> str | None:
        return found if (found := query.get(name)) in allowed else None

    def text(name: str) -> str | None:
        return query.get(name, "").strip()[:_LONGEST] or None

    def variant(name: str) -> int | None:
        return variants.index(found) if (found := query.get(name)) in variants else None

    a, b = pair_from(query, variants, baseline)
    usual = pair_from({}, variants, baseline)
    shown = query.getall("show", []) if isinstance(query, _MultiValues) else [query.get("show")]
    return QuestionFilter(
        search=query.get("search", "").strip()[:_LONGEST],
        type=query.get("type") or None,
        status=one_of("status", STATUSES),
        variant=variant("variant"),
        criterion=one_of("criterion", (*CRITERIA, TOTAL)) or TOTAL,
        low=number("low", 0, MAX_TOTAL),
        high=number("high", 0, MAX_TOTAL),
        a=a,
        b=b,
        diff=one_of("diff", DIFFERENCES),
        alow=number("alow", 0, MAX_TOTAL),
        ahigh=number("ahigh", 0, MAX_TOTAL),
        blow=number("blow", 0, MAX_TOTAL),
        bhigh=number("bhigh", 0, MAX_TOTAL),
        said=one_of("said", SAID),
        metric=text("metric"),
        mlow=_real(query.get("mlow", "")),
        mhigh=_real(query.get("mhigh", "")),
        finish=text("finish"),
        refused=one_of("refused", YES_NO),
        labelled=one_of("labelled", YES_NO),
        cluster=text("cluster"),
        ids=text("ids"),
        show=tuple(n for n, name in enumerate(variants) if name in shown),
        sort=one_of("sort", SORTS) or "place",
        of=variant("of") or 0,
        down=query.get("down") == "1",
        page=number("page", 1, 10**8) or 1,
        usual=usual,
    )


def pair_from(query: Mapping[str, str], variants: Sequence[str], baseline: int) -> tuple[int, int]:
    """The numbers of the variants `a` and `b` that an address compares."""
    a, b = (variants.index(name) if (name := query.get(key)) in variants else None for key in ("a", "b"))
    is_older = query.get("diff") in DIFFERENCES or query.get("sort") == "diff" or (a is None) != (b is None)
    if is_older and None in (a, b):
        # Links used to leave out what was the first variant of all, or the second: they keep their meaning.
        return a or 0, min(1, len(variants) - 1) if b is None else b
    if a is None or b is None:
        return next((n for n in range(len(variants)) if n != baseline), 0), baseline
    return a, b


@runtime_checkable
class _MultiValues(Protocol):
    """A query in which a name may stand several times."""

    def getall(self, name: str, default: list[str], /) -> list[str]: ...


def _real(text: str) -> float | None:
    """A number such as 0.5 or -1; None for anything else, and for what is out of all bounds."""
    return float(text) if _REAL.fullmatch(text.strip()) else None


def chosen_from(text: str) -> list[int]:
    """Which answers an address such as `2.1` names, by variant: numbers from 1 there, from 0 here; nonsense is the first."""
    parts = text.split(".")[:_MOST_VARIANTS] if text else []
    return [max(0, int(n) - 1) if n.isascii() and n.isdigit() and len(n) < 10 else 0 for n in parts]


def folded(text: str) -> str:
    """As search compares texts: composed Hangul, no capitals."""
    return unicodedata.normalize("NFC", text).casefold()


ALL = "TRUE"
_NOTHING = "FALSE"
_HIGHEST = 10**9
_SIGNS = {"higher": ">", "lower": "<", "differs": "<>", "same": "="}
# Bits of what answers did.
REFUSED, ANSWERED = 1, 2

Condition = tuple[str, list[Any]]


@dataclass(frozen=True, slots=True)
class RunFacts:
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
    def read(cls, kept: Mapping[str, Any]) -> RunFacts:
        """From JSON, which knows no tuples."""
        found: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in kept.items()}
        return cls(**found)


def sql_where(ask: QuestionFilter, facts: RunFacts, labelled: Iterable[tuple[str, str]]) -> Condition:
    """The condition of SQL and its values, but for the search; `labelled` are (question id, variant) of labels.

    Numbers of variants come from `ask_from`, so they exist.
    """
    found = [*_questions(ask, facts)]
    if facts.variants:
        found += [*_answers(ask, facts, labelled), *_pairs(ask)]
    values = [value for _, given in found for value in given]
    return " AND ".join(part for part, _ in found) or ALL, values


def _questions(ask: QuestionFilter, facts: RunFacts) -> Iterator[Condition]:
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


def _answers(
    ask: QuestionFilter, facts: RunFacts, labelled: Iterable[tuple[str, str]]
) -> Iterator[Condition]:
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


def _metric(ask: QuestionFilter, facts: RunFacts, of: Sequence[int]) -> Condition:
    if ask.metric not in facts.metrics:
        return _NOTHING, []
    name = f"v{facts.metrics.index(ask.metric)}"
    # Looked up row by row: quicker than a set of places, of which each of two questions would make its own.
    looks = [f"(SELECT {name} FROM m{i} WHERE m{i}.place = rows.place) BETWEEN ? AND ?" for i in of]
    bounds = [_or(ask.mlow, -_HIGHEST), _or(ask.mhigh, _HIGHEST)]
    return f"({' OR '.join(looks)})", bounds * len(of)


def _pairs(ask: QuestionFilter) -> Iterator[Condition]:
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


def sql_order(ask: QuestionFilter) -> str:
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
