"""Opens whatever holds a test set, by its content, and reads it row by row."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from simsa.data import csv_files, file_types, json_files, parquet_files
from simsa.data.row_reader import PredictionRow, RowReader
from simsa.data.schema import not_a, plain
from simsa.errors import DataError
from simsa.records import Question

FORMATS = ("auto", "jsonl", "json", "csv", "tsv", "parquet", "arrow", "datasets", "hub")
_JSON_NAMES = (".json", ".jsonl", ".ndjson")


class _Opened(NamedTuple):
    rows: Iterator[tuple[str, Mapping[str, Any]]]
    tabular: bool = False


def read(
    path: str | os.PathLike[str],
    *,
    format: str = "auto",
    fields: Mapping[str, str] | None = None,
    limit: int | None = None,
    split: str | None = None,
) -> Iterator[Question]:
    """The questions of a test set: a file, a `save_to_disk` folder or a hub name.

    `format` is one of FORMATS and says how the rows are stored; whose rows they are (ragas,
    KorQuAD, chat messages …) is found from their fields. `fields` maps a role to the file's
    own field name; `limit` takes the first rows; `split` names a split of a folder or hub
    name. JSONL, CSV, Parquet and Arrow are streamed.

    A row without an id gets one made of its question and passages; rows that ask exactly
    the same get `-2`, `-3` … behind it. Raises DataError at the first row that is wrong.
    """
    name = os.fspath(path)
    opened = _open(name, format, split, fields or {})
    reader = RowReader(name, fields or {}, tabular=opened.tabular)
    yield from _questions(opened.rows, reader, name, limit)


def from_rows(rows: Any, fields: Mapping[str, str] | None = None, where: str = "rows") -> Iterator[Question]:
    """The questions of a list of dicts, a pandas or polars frame, or a `datasets.Dataset`. Raises DataError."""
    yield from _questions(_each(rows, where), RowReader(where, fields or {}), where, None)


def judged_rows(
    rows: Any, fields: Mapping[str, str] | None = None
) -> Iterator[tuple[Question, PredictionRow]]:
    """The question and the finished answer in each row of what `from_rows` takes. Raises DataError.

    Unlike a test set, rows may ask the same question several times, for several variants.
    """
    for where, row in _each(rows, "rows"):
        question = RowReader("rows", fields or {}).question(row, where)
        yield question, RowReader("rows", fields or {}, predicting=True).prediction(row, where)


def read_predictions(
    path: str | os.PathLike[str],
    fields: Mapping[str, str] | None = None,
    *,
    format: str = "auto",
    numbered: bool = False,
) -> Iterator[PredictionRow]:
    """The finished answers of a file, of one variant or several.

    A row needs a prediction and the id of its question; without an id it needs the question
    and passages, and gets the id that `read` gives them. `numbered` lets rows do without
    either: they are called `row-1`, `row-2` … `{id: answer}`, the file of SQuAD's scorers,
    is read too. Raises DataError, also where one variant answers a question twice, unless
    a column `sample` numbers its answers.
    """
    name = os.fspath(path)
    opened = _open(name, format, None, fields or {}, predicting=True)
    reader = RowReader(name, fields or {}, tabular=opened.tabular, predicting=True, numbered=numbered)
    empty = True
    for where, row in _guarded(opened.rows, name):
        empty = False
        yield reader.prediction(row, where)
    _finish(reader, name, empty)


def raw_rows(path: str | os.PathLike[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The rows of a file as they stand, each with its place, where they are no questions: scores, labels.

    Cells of a table are texts. Raises DataError.
    """
    name = os.fspath(path)
    yield from _guarded(_open(name, "auto", None, {}).rows, name)


def _questions(
    rows: Iterable[tuple[str, Mapping[str, Any]]], reader: RowReader, name: str, limit: int | None
) -> Iterator[Question]:
    empty = True
    for where, row in itertools.islice(_guarded(rows, name), limit):
        empty = False
        yield reader.question(row, where)
    _finish(reader, name, empty)


def _finish(reader: RowReader, name: str, empty: bool) -> None:
    if empty:
        raise DataError("holds no rows", where=name, hint="a test set has at least one row")
    reader.finish()


def _guarded(
    rows: Iterable[tuple[str, Mapping[str, Any]]], name: str
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """`rows`, with what the system says of a file that stops being readable as a DataError."""
    each = iter(rows)
    while True:
        try:
            item = next(each, None)
        except OSError as error:
            raise file_types.unreadable(error, name) from None
        if item is None:
            return
        yield item


def _open(
    name: str, format: str, split: str | None, fields: Mapping[str, str], *, predicting: bool = False
) -> _Opened:
    if format not in FORMATS:
        raise DataError(
            "is not a format", where=name, field="format", found=format, hint=f"known: {', '.join(FORMATS)}"
        )
    path = file_types.located(name)
    kind = file_types.kind_of(path, name)
    if format == "hub" or (kind == "missing" and format == "auto" and parquet_files.is_hub_name(name)):
        return _Opened(parquet_files.hub(name, split))
    if kind == "missing":
        raise file_types.missing(path, name)
    if kind == "folder":
        return _Opened(parquet_files.folder(path, name, split))
    if split is not None:
        raise DataError(
            "is one file and has no splits", where=name, field="split", found=split, hint="leave split out"
        )
    return _open_file(path, name, format, fields, predicting)


def _open_file(path: Path, name: str, format: str, fields: Mapping[str, str], predicting: bool) -> _Opened:
    sniffed = file_types.sniff(path, name)
    kind = format if format != "auto" else _kind(path, sniffed, fields)
    if kind == "datasets" or (kind != sniffed.kind and {kind, sniffed.kind} & {"parquet", "arrow"}):
        raise DataError(
            f"is not {kind}", where=name, field="format", found=sniffed.kind, hint="leave format out"
        )
    if kind == "parquet":
        return _Opened(parquet_files.parquet(path, name))
    if kind == "arrow":
        return _Opened(parquet_files.arrow(path, name))
    if kind in ("csv", "tsv"):
        delimiter = "\t" if kind == "tsv" else csv_files.delimiter_of(sniffed, fields.values())
        if delimiter is None:
            raise _no_header(sniffed, name)
        return _Opened(csv_files.rows(path, name, sniffed.encoding, delimiter), tabular=True)
    if sniffed.encoding == "utf-16":
        raise file_types.utf16_json(name)
    return _Opened(
        json_files.lines(path, name)
        if kind == "jsonl"
        else json_files.document(path, name, predicting=predicting)
    )


def _kind(path: Path, sniffed: file_types.FileType, fields: Mapping[str, str]) -> str:
    """The format of a file whose format nobody named."""
    if sniffed.kind == "json":
        return "json" if json_files.is_document(path) else "jsonl"
    if sniffed.kind != "text":
        return sniffed.kind
    if csv_files.delimiter_of(sniffed, fields.values()) is None and path.suffix.lower() in _JSON_NAMES:
        return "jsonl"
    return "csv"


def _no_header(sniffed: file_types.FileType, name: str) -> DataError:
    return DataError(
        "the first line names no column that is known, and it is not JSON",
        where=f"{name}:1",
        found=csv_files.first_line(sniffed),
        hint="a table begins with a header such as question,contexts,answer; name other columns with fields",
    )


def _each(rows: Any, where: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Rows of a list or a frame, whichever library made it."""
    if hasattr(rows, "iter_rows"):  # polars
        rows = rows.iter_rows(named=True)
    elif hasattr(rows, "to_dict") and hasattr(rows, "iloc"):  # pandas
        parquet_files.refuse_doubled(list(rows.columns), where)
        rows = rows.to_dict("records")
    elif isinstance(rows, str | bytes | Mapping) or not isinstance(rows, Iterable):
        raise DataError(
            "these are not rows",
            where=where,
            found=type(rows).__name__,
            hint="a list of dicts, a frame or a data set",
        )
    for number, row in enumerate(rows, 1):
        place = f"{where}: row {number}"
        if not isinstance(row, Mapping):
            raise not_a(row, "a dict with a row's fields", place, "")
        yield place, plain(row, place)
