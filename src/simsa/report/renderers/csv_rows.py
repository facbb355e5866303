"""Rows for a spreadsheet, in which text of models and data never becomes a formula."""

from __future__ import annotations

import csv
import io
import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from typing import Any

import orjson

from simsa.report.score_rows import COLUMNS, rows
from simsa.store import Store
from simsa.text import visible

# Where a cell may begin: at the text's own beginning, and, opened with a semicolon or a tab for the separator,
# within it and in each of its lines, for a quote in the middle of a cell protects nothing. Spaces are dropped.
# Then what spreadsheets take for a formula; East Asian ones take the wide forms too. A text is looked at once:
# what can follow a beginning is consumed with it.
_BEGINNING = re.compile(r"((?:^|[;\t\r\n])[\s\"]*+)('*+[=+\-@＝＋－＠])?")


def render(store: Store, *, marked: bool = False) -> Iterator[bytes]:
    """UTF-8 CSV with a header, one row per question and variant; lists as JSON, missing as an empty cell.

    `marked` puts U+FEFF before it: Excel takes a file without for one in the system's own encoding.
    """
    if marked:
        yield BOM_UTF8
    line = io.StringIO()
    writer = csv.writer(line)
    writer.writerow(COLUMNS)
    for row in rows(store):
        writer.writerow([_cell(row[name]) for name in COLUMNS])
        if line.tell() > 1 << 16:
            yield _take(line)
    yield _take(line)


def safe(text: str) -> str:
    """`text` as cells that a spreadsheet shows and does not run, be its separator a comma, a semicolon or a tab.

    An apostrophe goes before what looks like a formula: where a cell may begin, `=`, `+`, `-` or `@`,
    or apostrophes and one of them. Taken away there, it leaves `visible(text)` as it was.
    """
    return _BEGINNING.sub(lambda found: found[1] + (f"'{found[2]}" if found[2] else ""), visible(text))


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        value = value[0] if len(value) == 1 else orjson.dumps(value).decode() if value else ""
    if isinstance(value, dict):
        value = orjson.dumps(value).decode()
    if isinstance(value, bool):
        return str(value).lower()
    return safe(value) if isinstance(value, str) else value


def _take(line: io.StringIO) -> bytes:
    text = line.getvalue()
    line.seek(0)
    line.truncate()
    return text.encode("utf-8", "replace")
