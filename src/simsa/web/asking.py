"""Which questions a page asks for, as its address says it."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from simsa.records import CRITERIA, MAX_TOTAL, STATUSES

TOTAL = "total"
SORTS = ("place", "type", "total", "diff")
DIFFERENCES = ("higher", "lower", "differs", "same")
_LONGEST = 200
_MOST_VARIANTS = 100


@dataclass(frozen=True, slots=True)
class Ask:
    """Filters, order and page. Variants are given by their number; None means any of them.

    `criterion` is the score that the list is about: `low` and `high` bound that of `variant`,
    `diff` says how that of variant `a` is to lie to that of `b`, and `sort` goes by that of
    variant `of` ("total", whichever the score is) or by that difference.
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
    sort: str = "place"
    of: int = 0
    down: bool = False
    page: int = 1

    @property
    def is_plain(self) -> bool:
        """Whether all questions are asked for, in their own order."""
        return replace(self, page=1, a=0, b=0, of=0, criterion=TOTAL, variant=None) == Ask()

    def changed(self, **changes: Any) -> Ask:
        """The same with `changes`, from the first page on."""
        return replace(self, **({"page": 1} | changes))

    def query(self, variants: Sequence[str], **more: Any) -> str:
        """As the query of an address: only what differs from the default, then `more`."""
        plain = Ask(b=min(1, len(variants) - 1))
        found: dict[str, Any] = {}
        for name in self.__slots__:
            value = getattr(self, name)
            if value == getattr(plain, name) or value is None:
                continue
            is_variant = name in ("variant", "a", "b", "of")
            found[name] = variants[value] if is_variant else int(value) if value is True else value
        return urlencode(found | more, errors="replace")


def ask_from(query: Mapping[str, str], variants: Sequence[str]) -> Ask:
    """Reads an address. What makes no sense in it is as if it weren't there."""

    def number(name: str, low: int, high: int) -> int | None:
        text = query.get(name, "").strip()
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            return None
        return int(text) if low <= int(text) <= high else None

    def one_of(name: str, allowed: Sequence[str]) -> str | None:
        return found if (found := query.get(name)) in allowed else None

    def variant(name: str) -> int | None:
        return variants.index(found) if (found := query.get(name)) in variants else None

    a, b = variant("a"), variant("b")
    return Ask(
        search=query.get("search", "").strip()[:_LONGEST],
        type=query.get("type") or None,
        status=one_of("status", STATUSES),
        variant=variant("variant"),
        criterion=one_of("criterion", (*CRITERIA, TOTAL)) or TOTAL,
        low=number("low", 0, MAX_TOTAL),
        high=number("high", 0, MAX_TOTAL),
        a=0 if a is None else a,
        b=min(1, len(variants) - 1) if b is None else b,
        diff=one_of("diff", DIFFERENCES),
        sort=one_of("sort", SORTS) or "place",
        of=variant("of") or 0,
        down=query.get("down") == "1",
        page=number("page", 1, 10**8) or 1,
    )


def chosen_from(text: str) -> list[int]:
    """Which answers an address such as `2.1` names, by variant: numbers from 1 there, from 0 here; nonsense is the first."""
    parts = text.split(".")[:_MOST_VARIANTS] if text else []
    return [max(0, int(n) - 1) if n.isascii() and n.isdigit() and len(n) < 10 else 0 for n in parts]


def folded(text: str) -> str:
    """As search compares texts: composed Hangul, no capitals."""
    return unicodedata.normalize("NFC", text).casefold()
