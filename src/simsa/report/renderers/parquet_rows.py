"""Rows as Parquet, typed, for pandas, polars and DuckDB."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import islice
from typing import Any

import orjson

from simsa.errors import MissingExtra
from simsa.metrics.registry import METRICS
from simsa.records import Criteria
from simsa.report.renderers import RenderOptions
from simsa.report.score_rows import columns, rows
from simsa.store import Store, criteria_of

_BATCH = 10_000
_INTEGERS = ("sample", "claims_supported", "claims_total")


def render_run(store: Store, options: RenderOptions) -> Iterator[bytes]:
    return render(store)


def render(store: Store) -> Iterator[bytes]:
    """One Parquet file with the columns of `simsa.report.score_rows.columns`; missing values are null.

    Raises MissingExtra without pyarrow.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise MissingExtra("Parquet", "data") from None
    criteria = criteria_of(store)
    names = columns(criteria)
    schema = pa.schema([(name, _type(pa, name, criteria)) for name in names])
    sink = io.BytesIO()
    with pq.ParquetWriter(sink, schema) as writer:
        source = rows(store)
        while batch := list(islice(source, _BATCH)):
            flat = [{name: _value(row[name]) for name in names} for row in batch]
            writer.write_table(pa.Table.from_pylist(flat, schema=schema))
    yield sink.getvalue()


def _value(value: Any) -> Any:
    return orjson.dumps(value).decode() if isinstance(value, dict) else value


def _type(pa: Any, name: str, criteria: Criteria) -> Any:
    if name == "answerable":
        return pa.bool_()
    if name in ("contexts", "reference"):
        return pa.list_(pa.string())
    if name == "total":
        return pa.int32() if all(isinstance(one.weight, int) for one in criteria) else pa.float64()
    if name in criteria.names or name in _INTEGERS or name.endswith("_tokens"):
        return pa.int32()
    return pa.float64() if name in (*METRICS, "latency_s", "cost_usd") else pa.string()
