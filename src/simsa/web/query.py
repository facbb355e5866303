"""Which questions a list shows: the parameters of its URL as a filter."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol, runtime_checkable
from urllib.parse import urlencode

from simsa.records import STATUSES, TOTAL, Number
from simsa.text import format_number

SORTS = ("place", "type", "total", "diff")
SAID = ("same", "differs")
YES_NO = ("yes", "no")
DIFFERENCES = ("higher", "lower", "differs", "same")
_MAX_LENGTH = 200
_MAX_VARIANTS = 100
_NUMBER = re.compile(r"-?\d{1,9}(\.\d{1,9})?", re.ASCII)
_SEARCH_TERM = re.compile(r'(-?)(?:"([^"]+)"|([^\s"]+))')


@dataclass(frozen=True, slots=True)
class QuestionFilter:
    """Filters, order and page. Variants are given by their number; None means any variant.

    `criterion` is the score that the list shows: `low` and `high` bound that of `variant`, `alow` to `bhigh`
    those of variants `a` and `b`, `diff` compares `a` with `b`, and `sort` goes by the score of variant `of`
    ("total", whatever the criterion) or by the difference of `a` and `b`. `said` compares the texts of `a` and
    `b`; `metric` with `mlow` and `mhigh`, `finish`, `refused` and `labelled` apply to the answer of `variant`.
    `ids` are question ids, each may end in `*`. `show` are the variants with a column; empty for the default.
    """

    search: str = ""
    type: str | None = None
    status: str | None = None
    variant: int | None = None
    criterion: str = TOTAL
    low: Number | None = None
    high: Number | None = None
    a: int = 0
    b: int = 0
    diff: str | None = None
    alow: Number | None = None
    ahigh: Number | None = None
    blow: Number | None = None
    bhigh: Number | None = None
    said: str | None = None
    metric: str | None = None
    mlow: Number | None = None
    mhigh: Number | None = None
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
    default_pair: tuple[int, int] | None = field(default=None, compare=False)
    """The two variants that are compared when the URL names none."""

    @property
    def bounded_metric(self) -> str | None:
        """The metric that is filtered by; None without a bound."""
        return self.metric if (self.mlow, self.mhigh) != (None, None) else None

    @property
    def _names_pair(self) -> bool:
        """Whether the URL must name `a` and `b`: always when a filter depends on them, so that links keep their meaning."""
        bounds = (self.diff, self.said, self.alow, self.ahigh, self.blow, self.bhigh)
        is_used = self.sort == "diff" or any(one is not None for one in bounds)
        return is_used or self.default_pair != (self.a, self.b)

    def changed(self, **changes: Any) -> QuestionFilter:
        """The same filter with `changes`, from the first page on."""
        return replace(self, **({"page": 1} | changes))

    def query(self, variants: Sequence[str], **more: Any) -> str:
        """The URL's query: every field that differs from its default, the compared variants, then `more`."""
        found: dict[str, Any] = {}
        for name in self.__slots__:
            value = getattr(self, name)
            if name == "show":
                value = [variants[n] for n in value]
            elif name in ("a", "b"):
                value = variants[value] if self._names_pair and len(variants) > 1 else None
            elif name == "default_pair" or value == getattr(_DEFAULT, name):
                continue
            elif name in ("variant", "of"):
                value = None if value is None else variants[value]
            elif isinstance(value, int | float):
                value = format_number(value)
            found[name] = value
        found = {name: value for name, value in found.items() if value not in (None, [])}
        return urlencode(found | more, errors="replace", doseq=True)


_DEFAULT = QuestionFilter()


def filter_from(
    query: Mapping[str, str], variants: Sequence[str], criteria: Sequence[str] = (), baseline: int = 0
) -> QuestionFilter:
    """Reads a URL's query. Ignores values that make no sense.

    The two variants compared are by default the first that isn't the baseline, and the baseline.
    """

    def one_of(name: str, allowed: Sequence[str]) -> str | None:
        return found if (found := query.get(name)) in allowed else None

    def text(name: str) -> str | None:
        return query.get(name, "").strip()[:_MAX_LENGTH] or None

    def variant(name: str) -> int | None:
        return variants.index(found) if (found := query.get(name)) in variants else None

    a, b = pair_from(query, variants, baseline)
    shown = query.getall("show", []) if isinstance(query, _MultiDict) else [query.get("show")]
    bounds = {name: _number(query.get(name, "")) for name in _BOUNDS}
    return QuestionFilter(
        search=text("search") or "",
        type=query.get("type") or None,
        status=one_of("status", STATUSES),
        variant=variant("variant"),
        criterion=one_of("criterion", (*criteria, TOTAL)) or TOTAL,
        a=a,
        b=b,
        diff=one_of("diff", DIFFERENCES),
        said=one_of("said", SAID),
        metric=text("metric"),
        finish=text("finish"),
        refused=one_of("refused", YES_NO),
        labelled=one_of("labelled", YES_NO),
        cluster=text("cluster"),
        ids=text("ids"),
        show=tuple(n for n, name in enumerate(variants) if name in shown),
        sort=one_of("sort", SORTS) or "place",
        of=variant("of") or 0,
        down=query.get("down") == "1",
        page=whole_number(query.get("page", ""), 1, 10**8) or 1,
        default_pair=pair_from({}, variants, baseline),
        **bounds,
    )


_BOUNDS = ("low", "high", "alow", "ahigh", "blow", "bhigh", "mlow", "mhigh")


def pair_from(query: Mapping[str, str], variants: Sequence[str], baseline: int) -> tuple[int, int]:
    """The numbers of the variants `a` and `b` that a URL compares."""
    a, b = (variants.index(name) if (name := query.get(key)) in variants else None for key in ("a", "b"))
    is_older = query.get("diff") in DIFFERENCES or query.get("sort") == "diff" or (a is None) != (b is None)
    if is_older and None in (a, b):
        # Links of earlier versions left out the first two variants of the run.
        return a or 0, min(1, len(variants) - 1) if b is None else b
    if a is None or b is None:
        return next((n for n in range(len(variants)) if n != baseline), 0), baseline
    return a, b


@runtime_checkable
class _MultiDict(Protocol):
    """A query in which a name may occur several times."""

    def getall(self, name: str, default: list[str], /) -> list[str]: ...


def whole_number(text: object, low: int, high: int) -> int | None:
    """The integer in a form's or URL's `text`; None for anything else and outside of the limits."""
    if not (isinstance(text, str) and text.isascii() and text.removeprefix("-").isdigit() and len(text) < 12):
        return None
    return int(text) if low <= int(text) <= high else None


def _number(text: str) -> Number | None:
    """A number such as 3, 0.5 or -1; None for anything else."""
    text = text.strip()
    if not _NUMBER.fullmatch(text):
        return None
    return float(text) if "." in text else int(text)


def samples_from(text: str) -> list[int]:
    """The answer chosen for each variant, in a URL such as `2.1`: numbers from 1 there, from 0 here; else the first."""
    parts = text.split(".")[:_MAX_VARIANTS] if text else []
    return [(whole_number(part, 1, 10**9) or 1) - 1 for part in parts]


class SearchTerms(NamedTuple):
    """Texts that must all be found, and texts that must not."""

    wanted: tuple[str, ...]
    unwanted: tuple[str, ...]


def search_terms(search: str) -> SearchTerms:
    """The terms of a search: words and "quoted phrases", each excluded by a `-` before it."""
    found = {"": dict[str, None](), "-": dict[str, None]()}
    for sign, quoted, word in _SEARCH_TERM.findall(unicodedata.normalize("NFC", search)):
        if term := quoted.strip() or word:
            found[sign][term] = None
    return SearchTerms(tuple(found[""]), tuple(found["-"]))
