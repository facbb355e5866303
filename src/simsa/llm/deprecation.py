"""When models leave their API: from the endpoint where it says so, else from a small dated table."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import orjson

from simsa.i18n.language import LocalizedText, join_text
from simsa.i18n.messages import msg
from simsa.llm.pricing import family

SOON_DAYS = 90
_AGED_DAYS = 120
"""After so many days the table may have been overtaken."""


@dataclass(frozen=True, slots=True)
class Deprecation:
    """A model's last day. `date` is None when it has passed on a day that is not known."""

    model: str
    date: datetime.date | None
    today: datetime.date
    successor: str | None = None
    advice: LocalizedText | None = None
    """How the successor wants to be called."""
    as_of: str | None = None
    """Year and month in which the date was last seen; None: the endpoint itself says it."""

    @property
    def days_left(self) -> int:
        """Days until then; negative when it has passed."""
        return (self.date - self.today).days if self.date else -1

    @property
    def is_soon(self) -> bool:
        """Within 90 days, or passed: people should hear of it."""
        return self.days_left <= SOON_DAYS

    @property
    def is_aged(self) -> bool:
        """Whether the date was seen so long ago that another may hold by now."""
        if self.as_of is None:
            return False
        return (self.today - datetime.date.fromisoformat(f"{self.as_of}-01")).days > _AGED_DAYS

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it; `days_left` counts from today."""
        return {
            "model": self.model,
            "date": self.date and self.date.isoformat(),
            "days_left": self.days_left if self.date else None,
            "successor": self.successor,
            "as_of": self.as_of,
        }

    def __str__(self) -> str:
        return str(self.said)

    @property
    def said(self) -> LocalizedText:
        """When it leaves, and what is to be taken instead."""
        what = {"model": self.model, "date": str(self.date)}
        if self.days_left >= 0:
            text = msg("retires.in", days=self.days_left, **what)
        else:
            text = msg("retires.was" if self.date else "retires.long_ago", **what)
        if self.is_aged:
            text = msg("retires.aged", text=text, month=self.as_of)
        if self.successor is None:
            return text
        successor: str = self.successor
        if self.advice:
            successor = join_text("", (successor, " (", self.advice, ")"))
        return msg("retires.successor", text=text, successor=successor)


def deprecation(
    model: str, today: datetime.date | None = None, listed: datetime.date | None = None
) -> Deprecation | None:
    """When `model`, or the model it is a snapshot of, retires; None: no date is known.

    `listed` is the date that the endpoint itself gives (`ModelInfo.shutdown_date`); it
    wins over the table. `today` is today by default.
    """
    table = _table()
    entry = table["models"].get(model) or table["models"].get(family(model))
    if entry is None and listed is None:
        return None
    entry = entry or {}
    date = listed or (datetime.date.fromisoformat(entry["shutdown"]) if entry.get("shutdown") else None)
    successor = entry.get("successor")
    note = table["notes"].get(successor)
    advice = LocalizedText(note["en"], note["ko"]) if note else None
    as_of = None if listed else table["as_of"]
    return Deprecation(model, date, today or _today(), successor, advice, as_of)


def _today() -> datetime.date:
    return datetime.datetime.now(datetime.UTC).date()


@cache
def _table() -> dict[str, Any]:
    text = resources.files("simsa.llm").joinpath("retirements.json").read_bytes()
    found: dict[str, Any] = orjson.loads(text)
    return found
