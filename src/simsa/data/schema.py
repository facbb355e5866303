"""One value of a row → what a question holds. Strict: nothing is guessed, nothing is mended.

Every function takes the value, `where` (file and line or row) and `field` (the file's own
name for it), and raises DataError with all three.
"""

from __future__ import annotations

import datetime
import decimal
import re
import uuid
from collections.abc import Mapping
from typing import Any

import orjson

from simsa.errors import DataError
from simsa.records import Passage

_TEXT_KEYS = ("text", "content", "contents", "page_content", "passage", "context")
_ID_KEYS = ("id", "doc_id", "document_id", "passage_id", "chunk_id")
_SPANS = ("answer_start", "html_answer_start")
_CITED = re.compile(r"\[\[ref(\d{1,4})\]\]")
_DEEPEST = 200


def text(value: Any, where: str, field: str) -> str:
    """A text with something in it."""
    if type(value) is not str:
        raise not_a(value, "a text", where, field)
    if not value or value.isspace():
        raise DataError("is empty", where=where, field=field, hint="fill it in, or take it out")
    return value


def optional_text(value: Any, where: str, field: str) -> str | None:
    """A text, or None where there is none; a whole number counts as its digits."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    return str(value) if type(value) is int else text(value, where, field)


def identifier(value: Any, where: str, field: str) -> str:
    """An id: a text or whole number, on one line and visible."""
    if type(value) is int:
        return str(value)
    shown = text(value, where, field)
    if not shown.isprintable():
        raise DataError(
            "an id cannot hold line breaks, control or invisible characters",
            where=where,
            field=field,
            found=repr(value),
        )
    return shown


def passages(value: Any, where: str, field: str) -> tuple[Passage, ...]:
    """Passages from a list of texts or `{id, title, text}`, or from a single one."""
    if isinstance(value, str | Mapping):
        return (_passage(value, where, field),)
    if value is None:
        raise DataError("is null", where=where, field=field, hint="write [] where nothing was retrieved")
    if not isinstance(value, list | tuple):
        raise not_a(value, "a list of passages", where, field)
    return tuple(
        Passage(item)
        if type(item) is str and item and not item.isspace()
        else _passage(item, where, f"{field}[{position}]")
        for position, item in enumerate(value)
    )


def references(value: Any, where: str, field: str, *, blanks: bool = False) -> tuple[str, ...]:
    """Every accepted answer, once each. A blank text, `[]` and `[""]` are none.

    With `blanks` one among others is an answer too, as for the published scorers: saying nothing.

    Besides a text or a list of texts, SQuAD's spans are read: a list of
    `{text, answer_start}`, or the two lists that Hugging Face makes of it.
    """
    if value is None:
        return ()
    if isinstance(value, str):
        return () if not value or value.isspace() else (value,)
    if is_span(value):
        value = value["text"] if isinstance(value["text"], list) else [value["text"]]
    if not isinstance(value, list | tuple):
        raise not_a(value, "a text or a list of texts", where, field)
    found = [item["text"] if is_span(item) else item for item in value]
    if all(item == "" for item in found):
        return ()
    read = (
        item if blanks and type(item) is str and not item.strip() else text(item, where, f"{field}[{n}]")
        for n, item in enumerate(found)
    )
    return tuple(dict.fromkeys(read))


def is_span(value: Any) -> bool:
    """Whether `value` is SQuAD's `{text, answer_start}`."""
    return isinstance(value, Mapping) and "text" in value and any(key in value for key in _SPANS)


def truth(value: Any, where: str, field: str) -> bool:
    """true or false, nothing that resembles them."""
    if type(value) is not bool:
        raise not_a(value, "true or false", where, field)
    return value


def citations(value: Any, where: str, field: str) -> tuple[int, ...]:
    """Passage numbers, which begin at 1."""
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        raise not_a(value, "a list of passage numbers", where, field)
    return tuple(_number(item, where, f"{field}[{n}]") for n, item in enumerate(value))


def cited(answer: str) -> tuple[int, ...]:
    """The passage numbers that `answer` cites as `[[refN]]`, in order, once each."""
    return tuple(dict.fromkeys(int(number) for number in _CITED.findall(answer))) if "[[ref" in answer else ()


def prediction(value: Any, where: str, field: str) -> str | None:
    """What a model said, however little; None where it said nothing. AutoRAG wraps it in a list."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if value is not None and type(value) is not str:
        raise not_a(value, "a text or null", where, field)
    return value


def count(value: Any, where: str, field: str) -> int | None:
    """A number of tokens, or None."""
    if value is None or (type(value) is int and value >= 0):
        return value
    raise not_a(value, "a number of tokens", where, field)


def seconds(value: Any, where: str, field: str) -> float | None:
    """A duration, or None."""
    if value is None:
        return None
    if type(value) not in (int, float) or not value >= 0:
        raise not_a(value, "a number of seconds", where, field)
    return float(value)


def metadata(own: Any, extras: Mapping[str, Any], where: str, field: str) -> dict[str, Any]:
    """The row's metadata with the fields that have no role, JSON all through; null extras are left out."""
    if own is not None and not isinstance(own, Mapping):
        raise not_a(own, "an object", where, field)
    both = {name: value for name, value in extras.items() if value is not None} | dict(own or {})
    if any(isinstance(value, list | dict) for value in both.values()):
        try:
            orjson.dumps([[[[both]]]])  # room for the records it will be part of
        except TypeError as error:
            raise DataError(
                f"cannot be written as JSON: {error}", where=where, field=field, hint="take the field out"
            ) from None
    return both


def plain(value: Any, where: str, depth: int = 0) -> Any:
    """`value` of a data frame or an Arrow table as JSON has it; NaN and its kin become None."""
    kind = type(value)
    if kind is str:
        return _encodable(value, where)
    if value is None or kind is bool:
        return value
    if kind is int:
        if not -(2**63) <= value < 2**64:
            raise DataError("a whole number beyond 64 bits", where=where, found=value, hint="make it a text")
        return value
    if kind is float:
        return value if value - value == 0 else None
    if depth > _DEEPEST:
        raise DataError(f"is nested more than {_DEEPEST} levels deep", where=where)
    if isinstance(value, Mapping):
        return {_key(key, where): plain(item, where, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item, where, depth + 1) for item in value]
    return _foreign(value, where, depth)


def _foreign(value: Any, where: str, depth: int) -> Any:
    if type(value).__name__ in ("NaTType", "NAType"):
        return None
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, decimal.Decimal | uuid.UUID | datetime.timedelta):
        return str(value)
    if hasattr(value, "tolist"):  # numpy's arrays and scalars
        return plain(value.tolist(), where, depth + 1)
    if isinstance(value, str | int | float):  # subclasses, such as enumerations
        base = next(kind for kind in (str, int, float) if isinstance(value, kind))
        return plain(base(value), where, depth + 1)
    raise DataError(
        f"a value of type {type(value).__name__} cannot be kept",
        where=where,
        hint="texts, numbers, lists and objects can",
    )


def _key(key: Any, where: str) -> str:
    if not isinstance(key, str):
        raise DataError("a field's name is not a text", where=where, found=key)
    return _encodable(key, where)


def _encodable(value: str, where: str) -> str:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise DataError(
                "a text holds half a character (a lone surrogate)",
                where=where,
                found=repr(value[error.start]),
            ) from None
    return value


def _passage(value: Any, where: str, field: str) -> Passage:
    if not isinstance(value, Mapping):
        if value is None:
            raise DataError("is null", where=where, field=field, hint="leave it out, or write the passage")
        return Passage(text(value, where, field))
    bodies = [key for key in _TEXT_KEYS if value.get(key) is not None]
    if len(bodies) > 1:
        raise DataError(
            f"has {bodies[0]!r} and {bodies[1]!r}", where=where, field=field, hint="keep one of them"
        )
    if not bodies:
        raise DataError(
            "a passage needs its text",
            where=where,
            field=field,
            found=dict(value),
            hint='{"title": "…", "text": "…"}',
        )
    body = bodies[0]
    name = next((key for key in _ID_KEYS if value.get(key) not in (None, "")), None)
    return Passage(
        text(value[body], where, f"{field}.{body}"),
        identifier(value[name], where, f"{field}.{name}") if name else None,
        optional_text(value.get("title"), where, f"{field}.title"),
    )


def _number(value: Any, where: str, field: str) -> int:
    if type(value) is str and value.isascii() and value.isdigit() and len(value) < 10:
        value = int(value)
    if type(value) is not int or value < 1:
        raise not_a(value, "a passage number (the first is 1)", where, field)
    return value


def not_a(value: Any, wanted: str, where: str, field: str) -> DataError:
    """The error for a value that is not `wanted`."""
    if value is None:
        return DataError(
            f"is null, not {wanted}", where=where, field=field, hint="fill it in, or take the row out"
        )
    names = {
        dict: "an object",
        list: "a list",
        str: "a text",
        bool: "true or false",
        int: "a number",
        float: "a number",
    }
    is_ = names.get(type(value), type(value).__name__)
    hint = f"write {wanted}"
    if "a text" in wanted and is_ in ("a number", "true or false"):
        hint = "put it in quotes"
    elif wanted == "true or false" and is_ == "a text":
        hint = "write true or false without quotes"
    return DataError(f"is {is_}, not {wanted}", where=where, field=field, found=value, hint=hint)
