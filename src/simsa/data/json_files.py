"""JSON and JSONL → rows, read strictly: no NaN, no doubled keys, no half of a file."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import orjson

from simsa.data import squad
from simsa.data.field_aliases import ALIASES, is_known
from simsa.data.file_types import not_utf8
from simsa.data.schema import not_a
from simsa.errors import DataError

Numbered = Iterator[tuple[str, dict[str, Any]]]
_PYTHON = ("NaN", "Infinity", "-Infinity", "None", "True", "False", "nan", "inf")


def lines(path: Path, name: str) -> Numbered:
    """Rows of a JSONL file as (`file:line`, row), one at a time; blank lines do not count."""
    with path.open("rb") as file:
        offset = 0
        for number, line in enumerate(file, 1):
            if number == 1:
                line = line.removeprefix(codecs.BOM_UTF8)
            if not line.isspace():
                where = f"{name}:{number}"
                row = parse(line, where, name, offset=offset)
                if type(row) is not dict:
                    raise not_a(row, "an object with a row's fields", where, "")
                yield where, row
            offset += len(line)


def document(path: Path, name: str, *, predicting: bool = False) -> Numbered:
    """Rows of a whole JSON document as (`file: row N`, row), nested questions by their path in it.

    `predicting` also reads the answer file of SQuAD's scorers, `{id: answer}`.
    """
    whole = parse(path.read_bytes().removeprefix(codecs.BOM_UTF8), None, name)
    if predicting and isinstance(whole, dict) and _by_id(whole):
        return ((f"{name}: {key}", {"id": key, "prediction": said}) for key, said in whole.items())
    return _rows(whole, name)


def is_document(path: Path) -> bool:
    """Whether a file that begins with `{` or `[` is one JSON document rather than JSONL."""
    with path.open("rb") as file:
        filled = (line.removeprefix(codecs.BOM_UTF8) for line in file if not line.isspace())
        first, second = next(filled, b""), next(filled, b"")
    try:
        row = orjson.loads(first)
    except orjson.JSONDecodeError:
        # A bad first line of JSONL, if the next one starts a row of its own.
        return not (second.startswith(b"{") and first.lstrip().startswith(b"{"))
    if second:
        return False
    if not isinstance(row, dict) or _container(row):
        return True
    # A lone object is a row, unless it looks like anything else.
    return path.suffix.lower() != ".jsonl" and (_by_column(row) or not any(map(is_known, row)))


def parse(data: bytes, where: str | None, name: str, *, offset: int = 0) -> Any:
    """`data` as JSON. `where` is its line, or None for a whole file; `offset` its first byte there. Raises DataError."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        _explain(error, data, where or f"{name}:{error.lineno}", name, offset)
    try:
        if data.count(b'":') != _keys(value):  # else no key can be doubled
            _refuse_doubled(data, where or name)
    except RecursionError:
        raise DataError("is nested too deep", where=where or name) from None
    return value


def _rows(whole: Any, name: str) -> Numbered:
    path = ""
    if isinstance(whole, dict):
        path = _container(whole) or ""
        if path:
            whole = whole[path]
        elif any(is_known(key) for key in whole) and not _by_column(whole):
            whole = [whole]
        else:
            _refuse_object(whole, name)
    if not isinstance(whole, list):
        raise not_a(whole, "a list of rows", name, "")
    if squad.is_nested(whole):
        yield from squad.rows(whole, name, path)
        return
    for number, row in enumerate(whole, 1):
        where = f"{name}: row {number}"
        if type(row) is not dict:
            raise not_a(row, "an object with a row's fields", where, "")
        yield where, row


def _container(whole: dict[str, Any]) -> str | None:
    """The key under which an object keeps its rows: the only one with a list of objects."""
    if any(key in ALIASES["question"] or key in ALIASES["messages"] for key in whole):
        return None
    keys = [
        key
        for key, value in whole.items()
        if isinstance(value, list) and value and isinstance(value[0], dict)
    ]
    return keys[0] if len(keys) == 1 else None


def _by_column(whole: dict[str, Any]) -> bool:
    """Whether an object holds columns: a list, or pandas' `{"0": …}`, where a row has its question."""
    columns = [value for key, value in whole.items() if key in ALIASES["question"]]
    return any(isinstance(c, list) or (isinstance(c, dict) and all(map(str.isdigit, c))) for c in columns)


def _by_id(whole: dict[str, Any]) -> bool:
    return all(isinstance(said, str) for said in whole.values()) and not any(map(is_known, whole))


def _refuse_object(whole: dict[str, Any], name: str) -> NoReturn:
    hint = "rows stand in a list, or under one key such as data or results"
    if _by_column(whole):
        hint = "one list a column is not read; from pandas: df.to_json(FILE, orient='records', lines=True)"
    raise DataError(
        "holds one object and no list of rows",
        where=name,
        found=f"keys {', '.join(list(whole)[:8]) or '-'}",
        hint=hint,
    )


def _keys(value: Any) -> int:
    kind = type(value)
    if kind is dict:
        count = len(value)
        for item in value.values():
            if type(item) is dict or type(item) is list:
                count += _keys(item)
        return count
    return sum(_keys(item) for item in value if type(item) is not str) if kind is list else 0


def _refuse_doubled(data: bytes, where: str) -> None:
    """A key that stands twice in one object: JSON leaves open which counts, so neither does."""

    def unique(pairs: list[tuple[str, Any]]) -> None:
        seen: dict[str, Any] = {}
        for key, value in pairs:
            if key in seen:
                raise DataError(
                    "the key stands twice in one object", where=where, field=key, hint="keep one of them"
                )
            seen[key] = value

    json.loads(data, object_pairs_hook=unique, parse_int=lambda _: None, parse_float=lambda _: None)


def _explain(error: orjson.JSONDecodeError, data: bytes, where: str, name: str, offset: int) -> NoReturn:
    try:
        text = data.decode()
    except UnicodeDecodeError as bad:
        raise not_utf8(data, bad.start, offset, where, name) from None
    rest = text[error.pos :].lstrip("-")
    reason = f"is not JSON: {error.msg} in column {error.colno}"
    hint = None
    if not rest.strip():
        reason, hint = "is cut off: the JSON is not finished", "was the file copied or downloaded whole?"
    elif rest.startswith(_PYTHON):
        hint = "JSON has null, true and false, and no NaN or Infinity: write null for a missing value"
    elif "key" in error.msg and rest.startswith("'"):
        hint = "single quotes are Python's: write the file with json.dumps"
    elif "depth" in error.msg:
        reason = "is nested too deep"
    raise DataError(
        reason, where=where, found=text[max(0, error.pos - 20) : error.pos + 30], hint=hint
    ) from None
