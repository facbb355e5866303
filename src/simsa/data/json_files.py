"""JSON and JSONL files. Strict: no NaN, no repeated keys, no truncated file."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from simsa.data import squad
from simsa.data.field_aliases import ALIASES, is_known
from simsa.data.file_types import Rows, Source, not_utf8, utf16_json
from simsa.data.problems import problem
from simsa.data.schema import wrong_type
from simsa.errors import DataError
from simsa.i18n.messages import msg

_PYTHON_LITERALS = ("NaN", "Infinity", "-Infinity", "None", "True", "False", "nan", "inf")
_A_ROW = "want.row"


def lines(source: Source) -> Rows:
    """Rows of a JSONL file, one at a time; blank lines are skipped. Raises DataError."""
    _refuse_utf16(source)
    with source.path.open("rb") as file:
        offset = 0
        for number, line in enumerate(file, 1):
            if number == 1:
                line = line.removeprefix(codecs.BOM_UTF8)
            if not line.isspace():
                where = f"{source.name}:{number}"
                row = parse(line, where, source.name, offset=offset)
                if type(row) is not dict:
                    raise wrong_type(row, _A_ROW, where, "")
                yield where, row
            offset += len(line)


def document(source: Source) -> Rows:
    """Rows of a whole JSON document. In a file of answers, `{id: answer}` is read too. Raises DataError."""
    _refuse_utf16(source)
    name = source.name
    whole = parse(source.path.read_bytes().removeprefix(codecs.BOM_UTF8), None, name)
    path = ""
    if isinstance(whole, dict):
        if source.predicting and _maps_ids_to_answers(whole):
            for key, answer in whole.items():
                yield f"{name}: {key}", {"id": key, "prediction": answer}
            return
        path = _rows_key(whole) or ""
        if path:
            whole = whole[path]
        elif any(map(is_known, whole)) and not _holds_columns(whole):
            whole = [whole]
        else:
            raise _no_rows(whole, name)
    if not isinstance(whole, list):
        raise wrong_type(whole, "want.rows", name, "")
    if squad.is_nested(whole):
        yield from squad.rows(whole, name, path)
        return
    for number, row in enumerate(whole, 1):
        where = f"{name}: row {number}"
        if type(row) is not dict:
            raise wrong_type(row, _A_ROW, where, "")
        yield where, row


def is_document(path: Path) -> bool:
    """Whether a file that begins with `{` or `[` is one JSON document rather than JSONL."""
    with path.open("rb") as file:
        filled = (line.removeprefix(codecs.BOM_UTF8) for line in file if not line.isspace())
        first, second = next(filled, b""), next(filled, b"")
    try:
        row = orjson.loads(first)
    except orjson.JSONDecodeError:
        # A malformed first line of JSONL, if the second line begins a row as well.
        return not (second.startswith(b"{") and first.lstrip().startswith(b"{"))
    if second:
        return False
    if not isinstance(row, dict) or _rows_key(row):
        return True
    # A single object is a row, unless it looks like anything else.
    return path.suffix.lower() != ".jsonl" and (_holds_columns(row) or not any(map(is_known, row)))


def parse(data: bytes, where: str | None, name: str, *, offset: int = 0) -> Any:
    """`data` as JSON. `where` is its line, None for a whole file; `offset` its first byte in the file.

    Raises DataError.
    """
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise _not_json(error, data, where or f"{name}:{error.lineno}", name, offset) from None
    try:
        if data.count(b'":') != _count_keys(value):  # otherwise no key can be repeated
            _refuse_repeated_keys(data, where or name)
    except RecursionError:
        raise problem("too_deep", where or name) from None
    return value


def _refuse_utf16(source: Source) -> None:
    if source.encoding == "utf-16":
        raise utf16_json(source)


def _rows_key(whole: Mapping[str, Any]) -> str | None:
    """The key under which an object keeps its rows: the only one with a list of objects."""
    if any(key in ALIASES["question"] or key in ALIASES["messages"] for key in whole):
        return None
    keys = [
        key
        for key, value in whole.items()
        if isinstance(value, list) and value and isinstance(value[0], dict)
    ]
    return keys[0] if len(keys) == 1 else None


def _holds_columns(whole: Mapping[str, Any]) -> bool:
    """Whether an object holds columns: a list, or pandas' `{"0": …}`, where a row has its question."""
    columns = [value for key, value in whole.items() if key in ALIASES["question"]]
    return any(isinstance(c, list) or (isinstance(c, dict) and all(map(str.isdigit, c))) for c in columns)


def _maps_ids_to_answers(whole: Mapping[str, Any]) -> bool:
    return all(isinstance(value, str) for value in whole.values()) and not any(map(is_known, whole))


def _no_rows(whole: Mapping[str, Any], name: str) -> DataError:
    hint = msg("data.one_object.columns") if _holds_columns(whole) else None
    return problem("one_object", name, found=f"keys {', '.join(list(whole)[:8]) or '-'}", hint=hint)


def _count_keys(value: Any) -> int:
    """How many keys all objects within `value` have."""
    items: Iterable[Any] = ()
    count = 0
    if type(value) is dict:
        items, count = value.values(), len(value)
    elif type(value) is list:
        items = value
    for item in items:
        if type(item) is dict or type(item) is list:
            count += _count_keys(item)
    return count


def _refuse_repeated_keys(data: bytes, where: str) -> None:
    """Raises DataError for a repeated key: JSON does not say which of its values counts."""

    def check(pairs: Iterable[tuple[str, Any]]) -> None:
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise problem("repeated_key", where, key)
            seen.add(key)

    json.loads(data, object_pairs_hook=check, parse_int=lambda _: None, parse_float=lambda _: None)


def _not_json(error: orjson.JSONDecodeError, data: bytes, where: str, name: str, offset: int) -> DataError:
    try:
        text = data.decode()
    except UnicodeDecodeError as undecodable:
        return not_utf8(data, undecodable.start, offset, where, name)
    rest = text[error.pos :].lstrip("-")
    found = text[max(0, error.pos - 20) : error.pos + 30]
    if not rest.strip():
        return problem("cut_json", where, found=found)
    if "depth" in error.msg:
        return problem("too_deep", where, found=found)
    hint = None
    if rest.startswith(_PYTHON_LITERALS):
        hint = msg("data.not_json.null")
    elif "key" in error.msg and rest.startswith("'"):
        hint = msg("data.not_json.quotes")
    return problem("not_json", where, found=found, hint=hint, reason=error.msg, column=error.colno)
