"""CSV and its kin → rows of texts, one at a time.

One cell of a CSV table → the value that JSON would have had there.
"""

from __future__ import annotations

import ast
import csv
import io
import re
import tokenize
import warnings
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import orjson

from simsa.data.field_aliases import is_known
from simsa.data.file_types import FileType, not_utf8
from simsa.errors import DataError

_DELIMITERS = (",", "\t", ";", "|")
_LARGEST_CELL = 16 * 2**20


def delimiter_of(sniffed: FileType, mapped: Collection[str]) -> str | None:
    """The delimiter under which the first line names most known fields; None where it names none."""
    sample = sniffed.head.decode(sniffed.encoding, errors="ignore").lstrip("\r\n")

    def known(delimiter: str) -> tuple[int, int]:
        header = _header(sample, delimiter)
        return sum(is_known(name) or name in mapped for name in header), len(header)

    best = max(_DELIMITERS, key=known)
    return best if known(best)[0] else None


def first_line(sniffed: FileType) -> str:
    """The first line of a text file, for messages."""
    return next(iter(sniffed.head.decode(sniffed.encoding, errors="replace").splitlines()), "")


def rows(path: Path, name: str, encoding: str, delimiter: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Rows as (`file:line`, row); a row may span lines, its first one counts. Raises DataError."""
    csv.field_size_limit(max(csv.field_size_limit(), _LARGEST_CELL))
    with path.open(encoding=encoding, newline="") as file:
        reader = csv.reader(_without_nul(file, name), delimiter=delimiter, strict=True)
        header: list[str] | None = None
        while True:
            where = f"{name}:{reader.line_num + 1}"
            try:
                cells = next(reader, None)
            except csv.Error as error:
                raise _explain(error, where) from None
            except UnicodeDecodeError:
                raise _badly_encoded(path, name, encoding) from None
            if cells is None:
                break
            if not any(cells):
                continue
            if header is None:
                header = _checked(cells, where)
            elif len(cells) != len(header):
                raise DataError(
                    f"has {len(cells)} cells where the header has {len(header)}",
                    where=where,
                    found=delimiter.join(cells),
                    hint="a cell that holds the delimiter or a line break goes in double quotes",
                )
            else:
                # A column without a name is an index that a data frame left behind.
                yield where, {key: cell for key, cell in zip(header, cells, strict=True) if key}


def _header(sample: str, delimiter: str) -> list[str]:
    try:
        return [
            name.strip()
            for name in next(csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter), [])
        ]
    except csv.Error:
        return []


def _checked(cells: list[str], where: str) -> list[str]:
    header = [cell.strip() for cell in cells]
    doubled = [name for name in header if name and header.count(name) > 1]
    if doubled:
        raise DataError(
            "two columns have this name", where=where, field=doubled[0], hint="rename or drop one of them"
        )
    return header


def _without_nul(file: io.TextIOBase, name: str) -> Iterator[str]:
    for number, line in enumerate(file, 1):
        if "\0" in line:
            raise DataError(
                "holds a NUL byte", where=f"{name}:{number}", hint="the file is damaged: write it again"
            )
        yield line


def _explain(error: csv.Error, where: str) -> DataError:
    message = str(error)
    if "unexpected end of data" in message:
        return DataError("a double quote is opened here and never closed", where=where)
    if "field limit" in message:
        return DataError(
            f"a cell is larger than {_LARGEST_CELL // 2**20} MiB",
            where=where,
            hint="perhaps a double quote is opened here and never closed",
        )
    return DataError(
        f"is not valid CSV: {message}",
        where=where,
        hint='a double quote inside a quoted cell is written twice: ""',
    )


def _badly_encoded(path: Path, name: str, encoding: str) -> DataError:
    data = path.read_bytes()
    try:
        data.decode("utf-16" if encoding == "utf-16" else "utf-8")
    except UnicodeDecodeError as error:
        where = f"{name}:{data.count(10, 0, error.start) + 1}"
        if encoding != "utf-16":
            return not_utf8(data, error.start, 0, where, name)
        return DataError(
            f"is not UTF-16 at byte {error.start}", where=where, hint="the file is cut off or damaged"
        )
    return DataError("is not in the encoding it began with", where=name)


_TRUTHS = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}
_SURROGATE = re.compile("[\ud800-\udfff]")
_LISTS = ("contexts", "reference", "citations", "messages")


def decode(role: str, cell: str, where: str, field: str, *, barred: bool = False) -> Any:
    """The value of `cell` in `role`. `barred`: passages may be joined by `|`, as deepeval does. Raises DataError."""
    if not cell.strip():
        return "" if role in ("question", "contexts", "id", "prediction") else None
    if role in _LISTS:
        return _listed(role, cell, where, field, barred)
    if role == "metadata":
        return _json(cell, where, field)
    if role == "answerable":
        return _TRUTHS.get(cell.strip().lower(), cell)
    if role in ("prompt_tokens", "completion_tokens", "latency_s"):
        return _number(cell)
    return cell


def _listed(role: str, cell: str, where: str, field: str, barred: bool) -> Any:
    bare = cell.strip()
    if bare[0] in "[{" and bare[-1] in "]}":
        try:
            return orjson.loads(bare)
        except orjson.JSONDecodeError:
            found = python_list(bare)
        if found is not None:
            return found
        if bare.startswith(("['", '["', "[{", '{"', "{'")):
            raise DataError(
                "looks like a list, but is neither JSON nor a Python list of texts",
                where=where,
                field=field,
                found=bare,
                hint="write the cell with json.dumps(value, ensure_ascii=False)",
            )
    if role == "citations":
        return [part.strip() for part in bare.strip("[]").split(",") if part.strip()]
    if role == "messages":
        return _json(cell, where, field)
    return cell.split("|") if barred and role == "contexts" else cell


def python_list(cell: str) -> list[str] | None:
    """The texts of a Python list display, as pandas and ragas write into CSV; None if it is not plainly one.

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


def _json(cell: str, where: str, field: str) -> Any:
    try:
        return orjson.loads(cell)
    except orjson.JSONDecodeError as error:
        raise DataError(f"is not JSON: {error.msg}", where=where, field=field, found=cell) from None


def _number(cell: str) -> Any:
    for kind in (int, float):
        try:
            return kind(cell)
        except ValueError:
            continue
    return cell
