"""Rows as Parquet, typed, for pandas, polars and DuckDB."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import islice
from typing import Any

import orjson

from simsa.errors import MissingExtra
from simsa.metrics.registry import METRICS
from simsa.records import CRITERIA
from simsa.report.score_rows import COLUMNS, rows
from simsa.store import Store

_BATCH = 10_000


def render(store: Store) -> Iterator[bytes]:
    """One Parquet file with the columns of `COLUMNS`; missing is null. Raises MissingExtra without pyarrow."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise MissingExtra("Parquet", "data") from None
    schema = pa.schema([(name, _type(pa, name)) for name in COLUMNS])
    sink = io.BytesIO()
    with pq.ParquetWriter(sink, schema) as writer:
        source = rows(store)
        while batch := list(islice(source, _BATCH)):
            flat = [{name: _plain(row[name]) for name in COLUMNS} for row in batch]
            writer.write_table(pa.Table.from_pylist(flat, schema=schema))
    yield sink.getvalue()


def _plain(value: Any) -> Any:
    return orjson.dumps(value).decode() if isinstance(value, dict) else value


def _type(pa: Any, name: str) -> Any:
    if name == "answerable":
        return pa.bool_()
    if name in ("contexts", "reference"):
        return pa.list_(pa.string())
    if name in (*CRITERIA, "total", "sample", "claims_supported", "claims_total") or name.endswith("_tokens"):
        return pa.int32()
    return pa.float64() if name in (*METRICS, "latency_s", "cost_usd") else pa.string()
