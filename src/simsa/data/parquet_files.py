"""Parquet, Arrow, `datasets` folders and hub names → rows. Needs the extra `data`.

Files and folders need pyarrow alone; only a hub name loads `datasets`, and never any
code that comes with the data.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

from simsa.data.field_aliases import nearest
from simsa.data.file_types import unreadable
from simsa.data.schema import plain
from simsa.errors import DataError, MissingExtra
from simsa.text import one_line

Numbered = Iterator[tuple[str, dict[str, Any]]]
_BATCH = 256
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(:[\w.-]+)?")


def parquet(path: Path, name: str) -> Numbered:
    """Rows of a Parquet file. Raises DataError, or MissingExtra without pyarrow."""
    try:
        import pyarrow.parquet
    except ImportError:
        raise MissingExtra("reading Parquet", "data") from None

    def batches() -> Iterable[Any]:
        with pyarrow.parquet.ParquetFile(path) as file:
            yield from file.iter_batches(batch_size=_BATCH)

    return _rows(batches, name, "Parquet")


def arrow(path: Path, name: str) -> Numbered:
    """Rows of an Arrow IPC file or stream."""
    try:
        import pyarrow
    except ImportError:
        raise MissingExtra("reading Arrow", "data") from None

    def batches() -> Iterable[Any]:
        with pyarrow.OSFile(str(path)) as source:
            whole_file = source.read(6) == b"ARROW1"
            source.seek(0)
            if whole_file:
                with pyarrow.ipc.open_file(source) as file:
                    for number in range(file.num_record_batches):
                        yield from _cut(file.get_batch(number))
            else:
                with pyarrow.ipc.open_stream(source) as stream:
                    for batch in stream:
                        yield from _cut(batch)

    return _rows(batches, name, "Arrow")


def folder(path: Path, name: str, split: str | None) -> Numbered:
    """Rows of what `save_to_disk` of `datasets` wrote: one data set, or several splits of one."""
    if (path / "dataset_dict.json").is_file():
        splits = _described(path / "dataset_dict.json", "splits", name)
        chosen = choose_split([str(item) for item in splits], split, name)
        if Path(chosen).name != chosen:
            raise DataError("is not the name of a split", where=name, field="splits", found=chosen)
        path, name = path / chosen, f"{name}/{chosen}"
    elif split is not None:
        raise DataError("has no splits", where=name, field="split", found=split, hint="leave split out")
    if not (path / "state.json").is_file():
        raise _no_data_set(path, name)
    number = 0
    for item in _described(path / "state.json", "_data_files", name):
        file = (
            path / Path(str(item["filename"] if isinstance(item, dict) and "filename" in item else item)).name
        )
        if not file.is_file():
            raise DataError(f"the folder lacks its file {file.name}", where=name, hint="was it copied whole?")
        for _, row in arrow(file, f"{name}/{file.name}"):
            number += 1
            yield f"{name}: row {number}", row


def hub(name: str, split: str | None) -> Numbered:
    """Rows of a data set on the Hugging Face hub, `org/name` or `org/name:config`."""
    try:
        import datasets
    except ImportError:
        raise MissingExtra("reading a hub data set", "data") from None
    title, _, config = name.partition(":")
    try:
        loaded = datasets.load_dataset(title, config or None)
        chosen = choose_split(list(loaded), split, name)
        rows = loaded[chosen].with_format(None)
    except DataError:
        raise
    except Exception as error:  # any of what datasets, the hub client and the network raise
        raise DataError(
            f"cannot be had from the hub: {type(error).__name__}: {one_line(str(error), 300)}",
            where=name,
            hint="check the name and the network; a file or folder of this name is not there either",
        ) from None
    for number, row in enumerate(rows, 1):
        where = f"{name}: row {number}"
        yield where, plain(row, where)


def is_hub_name(text: str) -> bool:
    """Whether a path that is not there can be the name of a hub data set."""
    return bool(_HUB_NAME.fullmatch(text)) and not Path(text).parent.exists()


def choose_split(splits: list[str], split: str | None, name: str) -> str:
    """The split asked for; else `test`, else the only one. Raises DataError."""
    if split is not None and split not in splits:
        hint = f"did you mean {nearest(split, splits)!r}? there are {', '.join(splits)}" if splits else None
        raise DataError("has no such split", where=name, field="split", found=split, hint=hint)
    chosen = split or ("test" if "test" in splits else splits[0] if len(splits) == 1 else None)
    if chosen is None:
        raise DataError(
            "has several splits and none is called test",
            where=name,
            found=", ".join(splits),
            hint="name one: --split NAME, or split in [data]",
        )
    return chosen


def refuse_doubled(columns: list[Any], name: str) -> None:
    """Two columns of one name: reading rows as objects would lose one."""
    doubled = [column for column in columns if columns.count(column) > 1]
    if doubled:
        raise DataError(
            "two columns have this name", where=name, field=str(doubled[0]), hint="rename or drop one"
        )


def _rows(batches: Callable[[], Iterable[Any]], name: str, called: str) -> Numbered:
    import pyarrow

    number = 0
    try:
        for batch in batches():
            batch.validate(full=True)  # offsets of a damaged file lead anywhere
            refuse_doubled(batch.schema.names, name)
            for row in batch.to_pylist():
                number += 1
                where = f"{name}: row {number}"
                yield where, plain(row, where)
    except (pyarrow.ArrowException, UnicodeDecodeError, OverflowError) as error:
        raise DataError(
            f"the {called} file is damaged or cut off: {one_line(str(error), 200)}",
            where=f"{name}: after row {number}" if number else name,
            hint="was it copied whole? write it again",
        ) from None
    except OSError as error:
        raise unreadable(error, name) from None


def _cut(batch: Any) -> Iterator[Any]:
    for start in range(0, batch.num_rows, _BATCH):
        yield batch.slice(start, _BATCH)


def _described(path: Path, key: str, name: str) -> list[Any]:
    """The list that a data set's own JSON file has under `key`."""
    try:
        value = orjson.loads(path.read_bytes())[key]
        if not isinstance(value, list):
            raise TypeError
    except (OSError, ValueError, TypeError, KeyError):
        raise DataError(
            f"its {path.name} is damaged",
            where=name,
            field=key,
            hint="save the data set again with save_to_disk",
        ) from None
    return value


def _no_data_set(path: Path, name: str) -> DataError:
    suffixes = (".jsonl", ".json", ".csv", ".tsv", ".parquet", ".arrow")
    inside = sorted(file.relative_to(path).as_posix() for file in path.rglob("*") if file.suffix in suffixes)[
        :5
    ]
    return DataError(
        "is a folder, but not one that save_to_disk of datasets wrote",
        where=name,
        hint=f"give the file itself: {', '.join(inside)}" if inside else "give a file",
    )
