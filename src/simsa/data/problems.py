"""Errors in data: codes of the message catalogue, with the place in the file."""

from __future__ import annotations

from typing import Any

from simsa.errors import DataError
from simsa.i18n.messages import has_message, msg


def problem(
    code: str,
    where: str,
    field: str | None = None,
    /,
    *,
    found: object = None,
    hint: str | None = None,
    **values: Any,
) -> DataError:
    """The error `data.<code>` at `where`; `values` fill its blanks.

    Without `hint`, its hint is `data.<code>.hint`, if the catalogue has one.
    """
    if hint is None and has_message(f"data.{code}.hint"):
        hint = msg(f"data.{code}.hint", **values)
    return DataError(msg(f"data.{code}", **values), where=where, field=field, found=found, hint=hint)
