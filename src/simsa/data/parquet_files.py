"""Parquet and Arrow files, `datasets` folders and hub names. Needs the extra `data`.

Files and folders need pyarrow alone. Only a hub name loads `datasets`, and never any code that comes
with the data.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

from simsa.data.file_types import Rows, Source, unreadable
from simsa.data.problems import problem
from simsa.data.schema import to_json_value
from simsa.errors import DataError, MissingExtra
from simsa.i18n.messages import msg
from simsa.text import list_choices, one_line

_BATCH = 256
_SHOWN_FILES = 5
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(:[\w.-]+)?")
_SUFFIXES = (".jsonl", ".json", ".csv", ".tsv", ".parquet", ".arrow")


def parquet(source: Source) -> Rows:
    """Rows of a Parquet file. Raises DataError, or MissingExtra without pyarrow."""
    try:
        import pyarrow.parquet
    except ImportError:
        raise MissingExtra("reading Parquet", "data") from None

    def batches() -> Iterable[Any]:
        with pyarrow.parquet.ParquetFile(source.path) as file:
            yield from file.iter_batches(batch_size=_BATCH)

    return _rows(batches, source.name, "Parquet")


def arrow(source: Source) -> Rows:
    """Rows of an Arrow IPC file or stream. Raises DataError, or MissingExtra without pyarrow."""
    return _arrow(source.path, source.name)


def _arrow(path: Path, name: str) -> Rows:
    try:
        import pyarrow
    except ImportError:
        raise MissingExtra("reading Arrow", "data") from None

    def tables() -> Iterable[Any]:
        with pyarrow.OSFile(str(path)) as opened:
            is_file = opened.read(6) == b"ARROW1"
            opened.seek(0)
            if is_file:
                with pyarrow.ipc.open_file(opened) as file:
                    yield from map(file.get_batch, range(file.num_record_batches))
            else:
                with pyarrow.ipc.open_stream(opened) as stream:
                    yield from stream

    def batches() -> Iterable[Any]:
        for table in tables():
            yield from (table.slice(start, _BATCH) for start in range(0, table.num_rows, _BATCH))

    return _rows(batches, name, "Arrow")


def folder(path: Path, name: str, split: str | None) -> Rows:
    """Rows of a folder that `save_to_disk` of `datasets` wrote, of one split if it has several. Raises DataError."""
    if (path / "dataset_dict.json").is_file():
        splits = _json_list(path / "dataset_dict.json", "splits", name)
        chosen = choose_split([str(item) for item in splits], split, name)
        if Path(chosen).name != chosen:
            raise problem("split_name", name, "splits", found=chosen)
        path, name = path / chosen, f"{name}/{chosen}"
    elif split is not None:
        raise problem("no_splits", name, "split", found=split)
    if not (path / "state.json").is_file():
        raise _no_data_set(path, name)
    number = 0
    for item in _json_list(path / "state.json", "_data_files", name):
        filename = item["filename"] if isinstance(item, dict) and "filename" in item else item
        file = path / Path(str(filename)).name
        if not file.is_file():
            raise problem("lacks_file", name, name=file.name)
        for _, row in _arrow(file, f"{name}/{file.name}"):
            number += 1
            yield f"{name}: row {number}", row


def hub(name: str, split: str | None) -> Rows:
    """Rows of a data set on the Hugging Face hub, `org/name` or `org/name:config`.

    Raises DataError, or MissingExtra without `datasets`.
    """
    try:
        import datasets
    except ImportError:
        raise MissingExtra("reading a hub data set", "data") from None
    title, _, config = name.partition(":")
    try:
        loaded = datasets.load_dataset(title, config or None)
        rows = loaded[choose_split(list(loaded), split, name)].with_format(None)
    except DataError:
        raise
    except Exception as error:  # datasets, the hub client and the network raise many types
        reason = one_line(str(error), 300)
        raise problem("hub", name, kind=type(error).__name__, reason=reason) from None
    for number, row in enumerate(rows, 1):
        where = f"{name}: row {number}"
        yield where, to_json_value(row, where)


def is_hub_name(text: str) -> bool:
    """Whether a path that does not exist can be the name of a hub data set."""
    return bool(_HUB_NAME.fullmatch(text)) and not Path(text).parent.exists()


def choose_split(splits: list[str], split: str | None, name: str) -> str:
    """The split asked for; else `test`, else the only one. Raises DataError."""
    if split is not None and split not in splits:
        raise problem("no_such_split", name, "split", found=split, hint=list_choices(split, splits))
    chosen = split or ("test" if "test" in splits else splits[0] if len(splits) == 1 else None)
    if chosen is None:
        raise problem("several_splits", name, found=", ".join(splits))
    return chosen


def refuse_repeated_columns(columns: list[Any], name: str) -> None:
    """Raises DataError for two columns of one name: rows as objects would lose one."""
    repeated = [column for column in columns if columns.count(column) > 1]
    if repeated:
        raise problem("repeated_column", name, str(repeated[0]))


def _rows(batches: Callable[[], Iterable[Any]], name: str, format: str) -> Iterator[tuple[str, Any]]:
    import pyarrow

    number = 0
    try:
        for batch in batches():
            batch.validate(full=True)  # the offsets of a damaged file may point anywhere
            refuse_repeated_columns(batch.schema.names, name)
            for row in batch.to_pylist():
                number += 1
                where = f"{name}: row {number}"
                yield where, to_json_value(row, where)
    except (pyarrow.ArrowException, UnicodeDecodeError, OverflowError) as error:
        where = f"{name}: after row {number}" if number else name
        raise problem("damaged", where, format=format, reason=one_line(str(error), 200)) from None
    except OSError as error:
        raise unreadable(error, name) from None


def _json_list(path: Path, key: str, name: str) -> list[Any]:
    """The list under `key` in one of a data set's own JSON files. Raises DataError."""
    try:
        value = orjson.loads(path.read_bytes())[key]
        if not isinstance(value, list):
            raise TypeError
    except (OSError, ValueError, TypeError, KeyError):
        raise problem("damaged_info", name, key, name=path.name) from None
    return value


def _no_data_set(path: Path, name: str) -> DataError:
    inside = sorted(file.relative_to(path).as_posix() for file in path.rglob("*") if file.suffix in _SUFFIXES)
    hint = msg("data.folder.files", list=", ".join(inside[:_SHOWN_FILES])) if inside else None
    return problem("folder", name, hint=hint)
