"""Rows for a spreadsheet, in which text of models and data never becomes a formula."""

from __future__ import annotations

import csv
import io
import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from typing import Any

import orjson

from simsa.report.renderers import RenderOptions
from simsa.report.score_rows import columns, rows
from simsa.store import Store, criteria_of
from simsa.text import visible

# A cell may begin at the start of the text and, when a file is opened with a semicolon or tab as separator, after
# one of them or in a new line, since a quote in the middle of a cell protects nothing. Spaces before are dropped.
# Then come the characters that spreadsheets take for a formula; East Asian ones also take the wide forms. The
# pattern consumes what follows a beginning, so that a text is scanned once.
_FORMULA = re.compile(r"((?:^|[;\t\r\n])[\s\"]*+)('*+[=+\-@＝＋－＠])?")
_CHUNK = 1 << 16


def render_run(store: Store, options: RenderOptions) -> Iterator[bytes]:
    return render(store, byte_order_mark=options.byte_order_mark)


def render(store: Store, *, byte_order_mark: bool = False) -> Iterator[bytes]:
    """UTF-8 CSV with a header, one row per question, variant and answer; lists as JSON, missing as an empty cell.

    With `byte_order_mark` Excel reads the file as UTF-8; else it takes the system's encoding.
    """
    if byte_order_mark:
        yield BOM_UTF8
    names = columns(criteria_of(store))
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(names)
    for row in rows(store):
        writer.writerow([_cell(row[name]) for name in names])
        if buffer.tell() > _CHUNK:
            yield _take(buffer)
    yield _take(buffer)


def safe(text: str) -> str:
    """`text` as cells that a spreadsheet shows and does not run, with comma, semicolon or tab as separator.

    An apostrophe is put before what looks like a formula: where a cell may begin, `=`, `+`, `-` or `@`, or
    apostrophes and one of them. Without these apostrophes the result is `visible(text)`.
    """
    return _FORMULA.sub(lambda found: found[1] + (f"'{found[2]}" if found[2] else ""), visible(text))


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        value = value[0] if len(value) == 1 else orjson.dumps(value).decode() if value else ""
    if isinstance(value, dict):
        value = orjson.dumps(value).decode()
    if isinstance(value, bool):
        return str(value).lower()
    return safe(value) if isinstance(value, str) else value


def _take(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode("utf-8", "replace")
