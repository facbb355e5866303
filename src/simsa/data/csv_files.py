"""CSV and TSV files, and the cells of their columns.

Rows have texts only; `decode` makes of a cell what JSON would have had there.
"""

from __future__ import annotations

import ast
import csv
import io
import re
import tokenize
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from simsa.data.field_aliases import is_known
from simsa.data.file_types import Rows, Source, not_utf8
from simsa.data.problems import problem
from simsa.errors import DataError

_DELIMITERS = (",", "\t", ";", "|")
_MAX_CELL = 16 * 2**20
_TRUTH = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}
_SURROGATE = re.compile("[\ud800-\udfff]")
_TEXT_FIELDS = ("question", "contexts", "id", "prediction")
_LIST_FIELDS = ("contexts", "reference", "citations", "messages")
_NUMBER_FIELDS = ("prompt_tokens", "completion_tokens", "latency_s")


def delimiter_of(source: Source) -> str | None:
    """The delimiter with which the first line names most known columns; None if it names none."""
    sample = source.head.decode(source.encoding, errors="ignore").lstrip("\r\n")

    def known(delimiter: str) -> tuple[int, int]:
        try:
            header = next(csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter), [])
        except csv.Error:
            return 0, 0
        names = [name.strip() for name in header]
        return sum(is_known(name) or name in source.columns for name in names), len(names)

    best = max(_DELIMITERS, key=known)
    return best if known(best)[0] else None


def csv_rows(source: Source) -> Rows:
    """Rows of a table with any known delimiter. Raises DataError."""
    delimiter = delimiter_of(source)
    if delimiter is None:
        text = source.head.decode(source.encoding, errors="replace")
        raise problem("no_header", f"{source.name}:1", found=next(iter(text.splitlines()), ""))
    return _rows(source, delimiter)


def tsv_rows(source: Source) -> Rows:
    """Rows of a table with tabs. Raises DataError."""
    return _rows(source, "\t")


def _rows(source: Source, delimiter: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Rows with their lines; a row of several lines has its first."""
    csv.field_size_limit(max(csv.field_size_limit(), _MAX_CELL))
    with source.path.open(encoding=source.encoding, newline="") as file:
        reader = csv.reader(_without_nul(file, source.name), delimiter=delimiter, strict=True)
        header: list[str] | None = None
        while True:
            where = f"{source.name}:{reader.line_num + 1}"
            try:
                cells = next(reader, None)
            except csv.Error as error:
                raise _not_csv(str(error), where) from None
            except UnicodeDecodeError:
                raise _undecodable(source) from None
            if cells is None:
                return
            if not any(cells):
                continue
            if header is None:
                header = _header(cells, where)
            elif len(cells) != len(header):
                found = delimiter.join(cells)
                raise problem("n_cells", where, found=found, n=len(cells), expected=len(header))
            else:
                # A column without a name is the index of a data frame.
                yield where, {key: cell for key, cell in zip(header, cells, strict=True) if key}


def _header(cells: list[str], where: str) -> list[str]:
    header = [cell.strip() for cell in cells]
    repeated = [name for name in header if name and header.count(name) > 1]
    if repeated:
        raise problem("repeated_column", where, repeated[0])
    return header


def _without_nul(file: Iterable[str], name: str) -> Iterator[str]:
    for number, line in enumerate(file, 1):
        if "\0" in line:
            raise problem("nul_line", f"{name}:{number}")
        yield line


def _not_csv(message: str, where: str) -> DataError:
    if "unexpected end of data" in message:
        return problem("open_quote", where)
    if "field limit" in message:
        return problem("big_cell", where, n=_MAX_CELL // 2**20)
    return problem("not_csv", where, reason=message)


def _undecodable(source: Source) -> DataError:
    data = source.path.read_bytes()
    utf16 = source.encoding == "utf-16"
    try:
        data.decode("utf-16" if utf16 else "utf-8")
    except UnicodeDecodeError as error:
        where = f"{source.name}:{data.count(10, 0, error.start) + 1}"
        if not utf16:
            return not_utf8(data, error.start, 0, where, source.name)
        return problem("not_utf16", where, byte=error.start)
    return problem("mixed_encoding", source.name)


def decode(field: str, cell: str, where: str, column: str, *, joined_by_bar: bool = False) -> Any:
    """The value of a cell that holds `field`. Raises DataError.

    With `joined_by_bar`, passages may be joined by `|`, as deepeval writes them.
    """
    bare = cell.strip()
    if not bare:
        return "" if field in _TEXT_FIELDS else None
    if field in _LIST_FIELDS:
        return _decode_list(field, cell, bare, where, column, joined_by_bar)
    if field == "metadata":
        return _json(cell, where, column)
    if field == "answerable":
        return _TRUTH.get(bare.lower(), cell)
    return _number(cell) if field in _NUMBER_FIELDS else cell


def _decode_list(field: str, cell: str, bare: str, where: str, column: str, joined_by_bar: bool) -> Any:
    if bare[0] in "[{" and bare[-1] in "]}":
        try:
            return orjson.loads(bare)
        except orjson.JSONDecodeError:
            texts = python_list(bare)
        if texts is not None:
            return texts
        if bare.startswith(("['", '["', "[{", '{"', "{'")):
            raise problem("not_a_list", where, column, found=bare)
    if field == "citations":
        return [part.strip() for part in bare.strip("[]").split(",") if part.strip()]
    if field == "messages":
        return _json(cell, where, column)
    return cell.split("|") if joined_by_bar and field == "contexts" else cell


def python_list(cell: str) -> list[str] | None:
    """The texts of a Python list display, as pandas and ragas write it into CSV; None for anything else.

    numpy's `['a' 'b']` is refused: Python would read it as one text.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(cell, mode="eval").body
        tokens = list(tokenize.generate_tokens(io.StringIO(cell).readline))
    except (SyntaxError, ValueError, MemoryError, RecursionError, tokenize.TokenError):
        return None
    if not isinstance(tree, ast.List):
        return None
    values = [item.value for item in tree.elts if isinstance(item, ast.Constant)]
    texts = [value for value in values if isinstance(value, str) and not _SURROGATE.search(value)]
    literals = sum(token.type == tokenize.STRING for token in tokens)
    return texts if len(texts) == len(tree.elts) == literals else None


def _json(cell: str, where: str, column: str) -> Any:
    try:
        return orjson.loads(cell)
    except orjson.JSONDecodeError as error:
        raise problem("cell_json", where, column, found=cell, reason=error.msg) from None


def _number(cell: str) -> Any:
    for kind in (int, float):
        try:
            return kind(cell)
        except ValueError:
            continue
    return cell
