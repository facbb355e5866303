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

from simsa.data.problems import problem
from simsa.errors import DataError
from simsa.i18n.messages import msg
from simsa.records import Passage

_TEXT_KEYS = ("text", "content", "contents", "page_content", "passage", "context")
_ID_KEYS = ("id", "doc_id", "document_id", "passage_id", "chunk_id")
_SPAN_KEYS = ("answer_start", "html_answer_start")
_NOT_BLANK = r"[^\s\x1c-\x1f]"  # one character that str.isspace does not count as white space
_MAX_DIGITS = 9

# What pydantic's errors ask for, by type, and what a whole field asks for: codes `data.want.…`.
_WANTED_TYPES = {
    "bool_type": "json.bool",
    "dict_type": "json.object",
    "int_type": "want.citation",
    "greater_than_equal": "want.citation",
}
_WANTED_FIELDS = {
    "contexts": "want.contexts",
    "reference": "want.reference",
    "citations": "want.citations",
    "prediction": "want.prediction",
    "prompt_tokens": "want.tokens",
    "completion_tokens": "want.tokens",
    "latency_s": "want.seconds",
}
_JSON_TYPES = {dict: "object", list: "list", str: "text", bool: "bool", int: "number", float: "number"}
_TEXTS = ("json.text", "want.reference", "want.prediction")
_PASSTHROUGH = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS
# Parts of orjson's error messages, and our codes.
_JSON_ERRORS = (
    ("Dict key must be str", "key_type"),
    ("surrogates not allowed", "surrogate"),
    ("64-bit range", "big_number"),
    ("ecursion limit", "too_deep"),
)
_T = TypeVar("_T")
_Model = TypeVar("_Model", bound=BaseModel)


def invalid(code: str, *, found: object = None, **values: Any) -> PydanticCustomError:
    """The error `data.<code>` for a validator to raise; `data_error` adds its place."""
    return PydanticCustomError("problem", "{code}", {"code": code, "found": found, "values": values})


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
        return problem(context["code"], where, name, found=context["found"], **context["values"])
    if first["type"] == "string_pattern_mismatch":
        return problem("blank", where, name)
    wanted = None if inner else _WANTED_FIELDS.get(str(field))
    return wrong_type(first["input"], wanted or _WANTED_TYPES.get(first["type"], "json.text"), where, name)


def wrong_type(value: Any, wanted: str, where: str, field: str) -> DataError:
    """The error for a value that is not `wanted`, a code such as `json.text` or `want.row`."""
    text = msg(f"data.{wanted}")
    if value is None:
        return problem("null", where, field, wanted=text)
    kind = _JSON_TYPES.get(type(value), "")
    code = "type"
    if wanted in _TEXTS and kind in ("number", "bool"):
        code = "type_unquoted"
    elif wanted == "json.bool" and kind == "text":
        code = "type_quoted"
    name = msg(f"data.json.{kind}") if kind else type(value).__name__
    return problem(code, where, field, found=value, kind=name, wanted=text)


def _digits(value: Any) -> Any:
    return str(value) if type(value) is int else value


def _text_or_none(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else _digits(value)


def _printable(value: str) -> str:
    if not value.isprintable():
        raise invalid("unprintable_id", found=repr(value))
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
            raise invalid("two_texts", first=texts[0], second=texts[1])
        if not texts:
            raise invalid("passage_text", found=dict(value))
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
        raise invalid("passage_null")
    return Passage(_TEXT.validate_python(value))


def _passage_list(value: Any) -> Any:
    if value is None:
        raise invalid("contexts_null")
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
            raise problem("metadata", where, field, reason=str(error)) from None
    return merged


def to_json_value(value: Any, where: str) -> Any:
    """A row of a data frame or an Arrow table as JSON has it; NaN and infinity become None. Raises DataError."""
    try:
        return orjson.loads(orjson.dumps(value, default=_jsonable, option=_PASSTHROUGH))
    except TypeError as error:
        text = str(error)
        code = next((code for part, code in _JSON_ERRORS if part in text), None)
        if code:
            raise problem(code, where) from None
        raise problem("value_type", where, kind=text.rpartition(": ")[2]) from None


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
