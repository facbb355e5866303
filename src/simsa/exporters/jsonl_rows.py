"""A run as flat JSONL."""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from simsa.exporters import Export, ExportOptions
from simsa.report.score_rows import rows
from simsa.store import Store


def export_run(store: Store, options: ExportOptions) -> Export:
    return Export(content=jsonl(store))


def jsonl(store: Store) -> Iterator[bytes]:
    """One JSON object per question, variant and answer, with the keys of `simsa.report.score_rows.columns`."""
    for row in rows(store):
        yield orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
