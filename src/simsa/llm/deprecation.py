"""When models are retired from their API: as the endpoint says, or from a small dated table."""

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
# The table may be out of date after this time.
_MAX_TABLE_AGE_DAYS = 120


@dataclass(frozen=True, slots=True)
class Deprecation:
    """A model's last day. `date` is None if the model was retired on an unknown day."""

    model: str
    date: datetime.date | None
    today: datetime.date
    successor: str | None = None
    advice: LocalizedText | None = None
    """How to call the successor."""
    as_of: str | None = None
    """The year and month in which the date was last checked; None if the endpoint itself gives it."""

    @property
    def days_left(self) -> int:
        """The days until then; negative if it has passed."""
        return (self.date - self.today).days if self.date else -1

    @property
    def is_soon(self) -> bool:
        """Whether it is within `SOON_DAYS` or has passed, so that users should be told."""
        return self.days_left <= SOON_DAYS

    @property
    def is_aged(self) -> bool:
        """Whether the date was checked so long ago that it may have changed."""
        if self.as_of is None:
            return False
        return (self.today - datetime.date.fromisoformat(f"{self.as_of}-01")).days > _MAX_TABLE_AGE_DAYS

    def to_dict(self) -> dict[str, Any]:
        """As JSON; `days_left` counts from `today`."""
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
        """The message for users: when the model is retired, and its successor."""
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
    """When `model`, or the model of which it is a snapshot, is retired; None if no date is known.

    `listed` is the date that the endpoint itself gives (`ModelInfo.shutdown_date`), and takes
    precedence over the table. `today` is the current day (UTC) by default.
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
    today = today or datetime.datetime.now(datetime.UTC).date()
    return Deprecation(model, date, today, successor, advice, as_of)


@cache
def _table() -> dict[str, Any]:
    text = resources.files("simsa.llm").joinpath("retirements.json").read_bytes()
    found: dict[str, Any] = orjson.loads(text)
    return found
