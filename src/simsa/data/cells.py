"""One cell of a CSV table → the value that JSON would have had there."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings
from typing import Any

import orjson

from simsa.errors import DataError

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
