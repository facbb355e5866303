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
        raise DataError(
            "the first line names no column that is known, and it is not JSON",
            where=f"{source.name}:1",
            found=next(iter(text.splitlines()), ""),
            hint="a table begins with a header such as question,contexts,answer; name other columns with fields",
        )
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
                raise DataError(
                    f"has {len(cells)} cells where the header has {len(header)}",
                    where=where,
                    found=delimiter.join(cells),
                    hint="put a cell with the delimiter or a line break into double quotes",
                )
            else:
                # A column without a name is the index of a data frame.
                yield where, {key: cell for key, cell in zip(header, cells, strict=True) if key}


def _header(cells: list[str], where: str) -> list[str]:
    header = [cell.strip() for cell in cells]
    repeated = [name for name in header if name and header.count(name) > 1]
    if repeated:
        raise DataError(
            "two columns have this name", where=where, field=repeated[0], hint="rename or drop one of them"
        )
    return header


def _without_nul(file: Iterable[str], name: str) -> Iterator[str]:
    for number, line in enumerate(file, 1):
        if "\0" in line:
            raise DataError(
                "holds a NUL byte", where=f"{name}:{number}", hint="the file is damaged: write it again"
            )
        yield line


def _not_csv(message: str, where: str) -> DataError:
    if "unexpected end of data" in message:
        return DataError("a double quote is opened here and never closed", where=where)
    if "field limit" in message:
        return DataError(
            f"a cell is larger than {_MAX_CELL // 2**20} MiB",
            where=where,
            hint="perhaps a double quote is opened here and never closed",
        )
    return DataError(
        f"is not valid CSV: {message}",
        where=where,
        hint='write a double quote inside a quoted cell twice: ""',
    )


def _undecodable(source: Source) -> DataError:
    data = source.path.read_bytes()
    utf16 = source.encoding == "utf-16"
    try:
        data.decode("utf-16" if utf16 else "utf-8")
    except UnicodeDecodeError as error:
        where = f"{source.name}:{data.count(10, 0, error.start) + 1}"
        if not utf16:
            return not_utf8(data, error.start, 0, where, source.name)
        return DataError(
            f"is not UTF-16 at byte {error.start}", where=where, hint="the file is cut off or damaged"
        )
    return DataError("changes its encoding", where=source.name)


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
            raise DataError(
                "looks like a list, but is neither JSON nor a Python list of texts",
                where=where,
                field=column,
                found=bare,
                hint="write the cell with json.dumps(value, ensure_ascii=False)",
            )
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
        raise DataError(f"is not JSON: {error.msg}", where=where, field=column, found=cell) from None


def _number(cell: str) -> Any:
    for kind in (int, float):
        try:
            return kind(cell)
        except ValueError:
            continue
    return cell
