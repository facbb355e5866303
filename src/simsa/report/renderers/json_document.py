"""The report as one JSON document, schema `simsa.report/1`."""

from __future__ import annotations

import orjson

from simsa.report.renderers import RenderOptions
from simsa.report.summary import summary
from simsa.store import Store


def render_run(store: Store, options: RenderOptions) -> str:
    """The document, indented, with keys in their own order."""
    document = summary(store, options.language).to_dict()
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
