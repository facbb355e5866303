"""Opens any file with a test set by its content, and reads it row by row.

A new format is a function from a Source to its rows, registered in `READERS`.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from simsa.data import csv_files, file_types, json_files, parquet_files
from simsa.data.file_types import Rows, Source
from simsa.data.problems import problem
from simsa.data.row_reader import PredictionRow, RowReader
from simsa.data.schema import to_json_value, wrong_type
from simsa.records import Question

READERS: dict[str, Callable[[Source], Rows]] = {
    "jsonl": json_files.lines,
    "json": json_files.document,
    "csv": csv_files.csv_rows,
    "tsv": csv_files.tsv_rows,
    "parquet": parquet_files.parquet,
    "arrow": parquet_files.arrow,
}
FORMATS = ("auto", *READERS, "datasets", "hub")
_TABULAR = ("csv", "tsv")
_BINARY = {"parquet", "arrow"}
_JSON_SUFFIXES = (".json", ".jsonl", ".ndjson")


def read(
    path: str | os.PathLike[str],
    *,
    format: str = "auto",
    fields: Mapping[str, str] | None = None,
    limit: int | None = None,
    split: str | None = None,
) -> Iterator[Question]:
    """The questions of a test set: a file, a `save_to_disk` folder or a hub name.

    `format` is one of FORMATS and says how the rows are stored. Which tool wrote them (ragas, KorQuAD,
    chat messages …) is found from their fields. `fields` maps simsa's fields to the file's own names.
    `limit` takes the first rows. `split` names a split of a folder or hub name. JSONL, CSV, Parquet
    and Arrow are streamed.

    A row without an id gets one made of its question and passages; rows that ask exactly the same
    get `-2`, `-3` … appended. Raises DataError at the first wrong row.
    """
    name = os.fspath(path)
    rows, tabular = _open(name, format, split, fields or {})
    yield from _questions(rows, RowReader(name, fields or {}, tabular=tabular), name, limit)


def from_rows(rows: Any, fields: Mapping[str, str] | None = None, where: str = "rows") -> Iterator[Question]:
    """The questions of a list of dicts, a pandas or polars frame, or a `datasets.Dataset`. Raises DataError."""
    yield from _questions(_rows_in_memory(rows, where), RowReader(where, fields or {}), where, None)


def judged_rows(
    rows: Any, fields: Mapping[str, str] | None = None
) -> Iterator[tuple[Question, PredictionRow]]:
    """The question and the finished answer in each row; takes what `from_rows` takes. Raises DataError.

    Unlike a test set, rows may ask the same question several times, for several variants.
    """
    for where, row in _rows_in_memory(rows, "rows"):
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

    A row needs a prediction and the id of its question. Without an id it needs the question and
    passages, and gets the id that `read` gives them. With `numbered`, rows may lack both: they are
    called `row-1`, `row-2` … `{id: answer}`, the file of SQuAD's scorers, is read too. Raises
    DataError, also where a variant answers a question twice without a column `sample` that
    numbers its answers.
    """
    name = os.fspath(path)
    rows, tabular = _open(name, format, None, fields or {}, predicting=True)
    reader = RowReader(name, fields or {}, tabular=tabular, predicting=True, numbered=numbered)
    yield from (reader.prediction(row, where) for where, row in _not_empty(rows, name))
    reader.finish()


def raw_rows(path: str | os.PathLike[str]) -> Rows:
    """The unchanged rows of a file that holds no questions, such as scores or labels, each with its place.

    Cells of a table are texts. Raises DataError.
    """
    name = os.fspath(path)
    yield from _readable(_open(name, "auto", None, {})[0], name)


def _questions(rows: Rows, reader: RowReader, name: str, limit: int | None) -> Iterator[Question]:
    for where, row in _not_empty(itertools.islice(rows, limit), name):
        yield reader.question(row, where)
    reader.finish()


def _not_empty(rows: Iterable[tuple[str, Mapping[str, Any]]], name: str) -> Rows:
    empty = True
    for row in _readable(rows, name):
        empty = False
        yield row
    if empty:
        raise problem("no_rows", name)


def _readable(rows: Iterable[tuple[str, Mapping[str, Any]]], name: str) -> Rows:
    """`rows`; an OSError while reading becomes a DataError."""
    try:
        yield from rows
    except OSError as error:
        raise file_types.unreadable(error, name) from None


def _open(
    name: str, format: str, split: str | None, fields: Mapping[str, str], *, predicting: bool = False
) -> tuple[Rows, bool]:
    """The rows behind `name`, and whether their values are the texts of cells."""
    if format not in FORMATS and format not in READERS:
        raise problem("format", name, "format", found=format, list=", ".join(FORMATS))
    path = file_types.locate(name)
    kind = file_types.kind_of(path, name)
    if format == "hub" or (kind == "missing" and format == "auto" and parquet_files.is_hub_name(name)):
        return parquet_files.hub(name, split), False
    if kind == "missing":
        raise file_types.missing(path, name)
    if kind == "folder":
        return parquet_files.folder(path, name, split), False
    if split is not None:
        raise problem("file_split", name, "split", found=split)
    source = file_types.sniff(path, name)._replace(columns=tuple(fields.values()), predicting=predicting)
    chosen = _format_of(source) if format == "auto" else format
    if chosen == "datasets" or (chosen != source.kind and {chosen, source.kind} & _BINARY):
        raise problem("wrong_format", name, "format", found=source.kind, format=chosen)
    return READERS[chosen](source), chosen in _TABULAR


def _format_of(source: Source) -> str:
    """The format of a file whose format nobody named."""
    if source.kind == "json":
        return "json" if json_files.is_document(source.path) else "jsonl"
    if source.kind != "text":
        return source.kind
    is_json_name = source.path.suffix.lower() in _JSON_SUFFIXES
    return "jsonl" if is_json_name and csv_files.delimiter_of(source) is None else "csv"


def _rows_in_memory(rows: Any, where: str) -> Rows:
    """Rows of a list or a frame of any library, with their places."""
    if hasattr(rows, "iter_rows"):  # polars
        rows = rows.iter_rows(named=True)
    elif hasattr(rows, "to_dict") and hasattr(rows, "iloc"):  # pandas
        parquet_files.refuse_repeated_columns(list(rows.columns), where)
        rows = rows.to_dict("records")
    elif isinstance(rows, str | bytes | Mapping) or not isinstance(rows, Iterable):
        raise problem("not_rows", where, found=type(rows).__name__)
    for number, row in enumerate(rows, 1):
        place = f"{where}: row {number}"
        if not isinstance(row, Mapping):
            raise wrong_type(row, "want.dict", place, "")
        yield place, to_json_value(row, place)
