"""Which questions a page asks for, as its address says it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable
from urllib.parse import urlencode

from simsa.records import CRITERIA, MAX_TOTAL, STATUSES
from simsa.text import plain

TOTAL = "total"
SORTS = ("place", "type", "total", "diff")
SAID = ("same", "differs")
YES_NO = ("yes", "no")
DIFFERENCES = ("higher", "lower", "differs", "same")
_LONGEST = 200
_MOST_VARIANTS = 100
_REAL = re.compile(r"-?\d{1,9}(\.\d{1,9})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Ask:
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
        return plain == Ask()

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

    def changed(self, **changes: Any) -> Ask:
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
            found[name] = int(value) if value is True else plain(value) if isinstance(value, float) else value
        found = {name: value for name, value in found.items() if value not in (None, [])}
        return urlencode(found | more, errors="replace", doseq=True)


_PLAIN = Ask()


def ask_from(query: Mapping[str, str], variants: Sequence[str], baseline: int = 0) -> Ask:
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
    shown = query.getall("show", []) if isinstance(query, _Many) else [query.get("show")]
    return Ask(
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
class _Many(Protocol):
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
