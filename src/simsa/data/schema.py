"""Models of rows. Pydantic checks every value strictly; its errors become DataErrors in `data_error`.

The models use the names of simsa's fields. `data_error` translates them to the file's own names.
"""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import orjson
from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    Field,
    PlainValidator,
    Strict,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from simsa.errors import DataError
from simsa.records import Passage

_TEXT_KEYS = ("text", "content", "contents", "page_content", "passage", "context")
_ID_KEYS = ("id", "doc_id", "document_id", "passage_id", "chunk_id")
_SPAN_KEYS = ("answer_start", "html_answer_start")
_NOT_BLANK = r"[^\s\x1c-\x1f]"  # one character that str.isspace does not count as white space
_MAX_DIGITS = 9

# What each type of pydantic's errors asks for, and what a whole field asks for.
_WANTED_TYPES = {
    "bool_type": "true or false",
    "dict_type": "an object",
    "int_type": "a passage number (the first is 1)",
    "greater_than_equal": "a passage number (the first is 1)",
}
_WANTED_FIELDS = {
    "contexts": "a list of passages",
    "reference": "a text or a list of texts",
    "citations": "a list of passage numbers",
    "prediction": "a text or null",
    "prompt_tokens": "a number of tokens",
    "completion_tokens": "a number of tokens",
    "latency_s": "a number of seconds",
}
_JSON_TYPES = {
    dict: "an object",
    list: "a list",
    str: "a text",
    bool: "true or false",
    int: "a number",
    float: "a number",
}
_PASSTHROUGH = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS
# orjson's errors: a part of the text, our message, what to do.
_JSON_ERRORS = (
    ("Dict key must be str", "a field's name is not a text", None),
    ("surrogates not allowed", "a text holds half a character (a lone surrogate)", None),
    ("64-bit range", "a whole number beyond 64 bits", "make it a text"),
    ("ecursion limit", "is nested too deep", None),
)
_T = TypeVar("_T")
_Model = TypeVar("_Model", bound=BaseModel)


def problem(message: str, *, hint: str | None = None, found: object = None) -> PydanticCustomError:
    """An error for a validator to raise; `data_error` keeps its message, hint and found value."""
    return PydanticCustomError("problem", "{message}", {"message": message, "hint": hint, "found": found})


def data_error(error: ValidationError, where: str, columns: Mapping[str, str]) -> DataError:
    """The first problem that pydantic found, as a DataError.

    `columns` maps simsa's fields to the file's own names.
    """
    first = error.errors(include_url=False)[0]
    field, *inner = first["loc"] or ("",)
    name = columns.get(str(field), str(field))
    name += "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in inner)
    if first["type"] == "problem":
        context = first["ctx"]
        return DataError(
            context["message"], where=where, field=name, found=context["found"], hint=context["hint"]
        )
    if first["type"] == "string_pattern_mismatch":
        return DataError("is empty", where=where, field=name, hint="fill it in, or take it out")
    wanted = None if inner else _WANTED_FIELDS.get(str(field))
    return wrong_type(first["input"], wanted or _WANTED_TYPES.get(first["type"], "a text"), where, name)


def wrong_type(value: Any, wanted: str, where: str, field: str) -> DataError:
    """The error for a value that is not `wanted`."""
    if value is None:
        return DataError(
            f"is null, not {wanted}", where=where, field=field, hint="fill it in, or take the row out"
        )
    kind = _JSON_TYPES.get(type(value), type(value).__name__)
    hint = f"write {wanted}"
    if "a text" in wanted and kind in ("a number", "true or false"):
        hint = "put it in quotes"
    elif wanted == "true or false" and kind == "a text":
        hint = "write true or false without quotes"
    return DataError(f"is {kind}, not {wanted}", where=where, field=field, found=value, hint=hint)


def _digits(value: Any) -> Any:
    return str(value) if type(value) is int else value


def _text_or_none(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else _digits(value)


def _printable(value: str) -> str:
    if not value.isprintable():
        raise problem("an id cannot hold line breaks, control or invisible characters", found=repr(value))
    return value


Text = Annotated[str, Strict(), Field(pattern=_NOT_BLANK)]
"""A text that is not blank."""
OptionalText = Annotated[Text | None, BeforeValidator(_text_or_none)]
"""A text; None for null and blank texts. A whole number becomes its digits."""
Identifier = Annotated[Text, BeforeValidator(_digits), AfterValidator(_printable)]
"""A text or a whole number, on one line and visible."""


class PassageRow(BaseModel):
    """A passage that is an object. Tools use several names for its text and id."""

    text: Text = Field(validation_alias=AliasChoices(*_TEXT_KEYS))
    id: Identifier | None = Field(None, validation_alias=AliasChoices(*_ID_KEYS))
    title: OptionalText = None

    @model_validator(mode="before")
    @classmethod
    def _one_text(cls, value: Mapping[str, Any]) -> dict[str, Any]:
        given = {key: item for key, item in value.items() if item is not None}
        texts = [key for key in _TEXT_KEYS if key in given]
        if len(texts) > 1:
            raise problem(f"has {texts[0]!r} and {texts[1]!r}", hint="keep one of them")
        if not texts:
            raise problem("a passage needs its text", found=dict(value), hint='{"title": "…", "text": "…"}')
        return {key: item for key, item in given.items() if key not in _ID_KEYS or item != ""}


_TEXT: TypeAdapter[str] = TypeAdapter(Text)
_IDENTIFIER: TypeAdapter[str] = TypeAdapter(Identifier)
_OPTIONAL_TEXT: TypeAdapter[str | None] = TypeAdapter(OptionalText)


def _passage(value: Any) -> Passage:
    if type(value) is str and value and not value.isspace():
        return Passage(value)
    if isinstance(value, Passage):
        return value
    if isinstance(value, Mapping):
        row = PassageRow.model_validate(value)
        return Passage(row.text, row.id, row.title)
    if value is None:
        raise problem("is null", hint="leave it out, or write the passage")
    return Passage(_TEXT.validate_python(value))


def _passage_list(value: Any) -> Any:
    if value is None:
        raise problem("is null", hint="write [] where nothing was retrieved")
    return (_passage(value),) if isinstance(value, str | Mapping) else value


def is_span(value: Any) -> bool:
    """Whether `value` is SQuAD's `{text, answer_start}`."""
    return isinstance(value, Mapping) and "text" in value and any(key in value for key in _SPAN_KEYS)


def _reference_list(value: Any) -> Any:
    """The list of accepted answers. A blank text, `[]` and `[""]` are none.

    Besides a text or a list of texts, SQuAD's spans are read: a list of `{text, answer_start}`, or the
    two lists that Hugging Face makes of it.
    """
    if value is None or isinstance(value, str):
        return (value,) if value and not value.isspace() else ()
    if is_span(value):
        value = value["text"] if isinstance(value["text"], list) else [value["text"]]
    if not isinstance(value, list | tuple):
        return value
    texts = [item["text"] if is_span(item) else item for item in value]
    return () if all(text == "" for text in texts) else texts


def _without_repetition(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def _number(value: Any) -> Any:
    is_number = type(value) is str and value.isascii() and value.isdigit() and len(value) <= _MAX_DIGITS
    return int(value) if is_number else value


def _only_item(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _none_as_empty(value: Any) -> Any:
    return () if value is None else value


Passages = Annotated[tuple[Annotated[Passage, PlainValidator(_passage)], ...], BeforeValidator(_passage_list)]
References = Annotated[
    tuple[Text, ...], BeforeValidator(_reference_list), AfterValidator(_without_repetition)
]
ReferencesOrBlank = Annotated[
    tuple[Annotated[str, Strict()], ...],
    BeforeValidator(_reference_list),
    AfterValidator(_without_repetition),
]
"""As References; a blank text among others counts as an answer, as in the published scorers."""
_CitationNumber = Annotated[int, Strict(), Field(ge=1), BeforeValidator(_number)]
Citations = Annotated[tuple[_CitationNumber, ...], BeforeValidator(_none_as_empty)]
_TokenCount = Annotated[int, Strict(), Field(ge=0)]


class AskedRow(BaseModel):
    """What a row asks."""

    question: Text
    contexts: Passages


class QuestionRow(AskedRow):
    """A row of a test set."""

    reference: References = ()
    answerable: Annotated[bool, Strict()] | None = None
    id: Identifier = ""
    type: OptionalText = None
    cluster: OptionalText = None
    citations: Citations | None = None
    metadata: dict[str, Any] | None = None


class AnswerRow(BaseModel):
    """A row with a finished answer. AutoRAG puts the answer into a list."""

    id: Identifier = ""
    variant: OptionalText = None
    reference: ReferencesOrBlank = ()
    prediction: Annotated[Annotated[str, Strict()] | None, BeforeValidator(_only_item)] = None
    finish_reason: OptionalText = None
    prompt_tokens: _TokenCount | None = None
    completion_tokens: _TokenCount | None = None
    latency_s: Annotated[float, Strict(), Field(ge=0)] | None = None
    answerable: Annotated[bool, Strict()] | None = None
    type: OptionalText = None
    citations: Citations | None = None
    contexts: Passages = ()


def validate(
    model: type[_Model], values: Mapping[str, Any], where: str, columns: Mapping[str, str]
) -> _Model:
    """`values` as a `model`. Raises DataError with the file's own names in `columns`."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise data_error(error, where, columns) from None


def identifier(value: Any, where: str, field: str) -> str:
    """`value` as an Identifier. Raises DataError."""
    return _adapted(_IDENTIFIER, value, where, field)


def optional_text(value: Any, where: str, field: str) -> str | None:
    """`value` as an OptionalText. Raises DataError."""
    return _adapted(_OPTIONAL_TEXT, value, where, field)


def _adapted(adapter: TypeAdapter[_T], value: Any, where: str, field: str) -> _T:
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        raise data_error(error, where, {"": field}) from None


def merge_metadata(
    own: Mapping[str, Any] | None, extras: Mapping[str, Any], where: str, field: str
) -> dict[str, Any]:
    """The row's metadata and its unknown fields, null ones excepted. Raises DataError if JSON cannot hold them."""
    merged = {name: value for name, value in extras.items() if value is not None} | dict(own or {})
    if any(isinstance(value, list | dict) for value in merged.values()):
        try:
            orjson.dumps([[[[merged]]]])  # leaves depth for the records that will hold it
        except TypeError as error:
            raise DataError(
                f"cannot be written as JSON: {error}", where=where, field=field, hint="take the field out"
            ) from None
    return merged


def to_json_value(value: Any, where: str) -> Any:
    """A row of a data frame or an Arrow table as JSON has it; NaN and infinity become None. Raises DataError."""
    try:
        return orjson.loads(orjson.dumps(value, default=_jsonable, option=_PASSTHROUGH))
    except TypeError as error:
        text = str(error)
        for part, message, hint in _JSON_ERRORS:
            if part in text:
                raise DataError(message, where=where, hint=hint) from None
        kind = text.rpartition(": ")[2]
        raise DataError(
            f"a value of type {kind} cannot be kept",
            where=where,
            hint="texts, numbers, lists and objects can",
        ) from None


def _jsonable(value: Any) -> Any:
    """A value that orjson does not know: dates, decimals, and the arrays and scalars of numpy and pandas."""
    if type(value).__name__ in ("NaTType", "NAType"):
        return None
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, decimal.Decimal | datetime.timedelta):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple | set | frozenset):
        return list(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, float):
        return float(value)
    raise TypeError
