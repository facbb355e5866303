"""Turns a row of any file into a question or a finished answer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from simsa.data import chat_rows, csv_files, field_aliases, schema
from simsa.data.field_aliases import FieldMap
from simsa.data.problems import problem
from simsa.errors import DataError
from simsa.records import Message, Passage, Question, content_hash

_REQUIRED = ("question", "contexts", "reference", "prediction", "messages", "id")
_NO_ANSWER = "no_answer"
_CITED = re.compile(r"\[\[ref(\d{1,4})\]\]")
_MAX_DIGITS = 9


class PredictionRow(NamedTuple):
    """One finished answer of a file. `prediction` is None where the file says null: there was none.

    The fields after `latency_s` are what the row says about its question. `sample` is the number of
    the answer among several to one question, from 0; None where the row has none.
    """

    question_id: str
    prediction: str | None
    variant: str | None = None
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    latency_s: float | None = None
    reference: tuple[str, ...] = ()
    answerable: bool = True
    type: str | None = None
    citations: tuple[int, ...] = ()
    contexts: tuple[Passage, ...] = ()
    sample: int | None = None


class _Row(NamedTuple):
    """A row by simsa's fields. `columns` maps them to the file's names, for messages."""

    values: dict[str, Any]
    columns: dict[str, str]
    raw: Mapping[str, Any]
    fields: FieldMap
    where: str

    def lacks(self, field: str) -> DataError:
        return field_aliases.missing_field(field, self.fields, list(self.raw), self.where)


class RowReader:
    """Reads the rows of one file. Remembers which column holds which field, and the ids seen.

    `fields` maps simsa's fields to the file's columns. With `tabular`, every value is the text of a
    cell. With `predicting`, the rows are answers; with `numbered`, answers that name no question are
    called by their number.
    """

    def __init__(
        self,
        name: str,
        fields: Mapping[str, str],
        *,
        tabular: bool = False,
        predicting: bool = False,
        numbered: bool = False,
    ) -> None:
        field_aliases.check_fields(fields, name)
        self._name = name
        self._fields = dict(fields)
        self._tabular = tabular
        self._predicting = predicting
        self._numbered = numbered
        self._field_maps: dict[tuple[str, ...], FieldMap] = {}
        self._unused = dict(fields)
        self._places: dict[tuple[str, str | None, int], str] = {}
        self._counts: dict[tuple[str, str | None], int] = {}

    def question(self, raw: Mapping[str, Any], where: str) -> Question:
        """The question of a test-set row. Raises DataError."""
        row = self._row(raw, where)
        messages = _take_conversation(row)
        _require(row, "question", "contexts")
        found = schema.validate(schema.QuestionRow, row.values, where, row.columns)
        answerable = _answerable(found.answerable, found.type)
        if answerable and not found.reference:
            raise _unanswered(row)
        context_hash = _context_hash(found.contexts)
        return Question(
            id=self._own_id(row, found.id, None)
            if found.id
            else self._content_id(found, context_hash, messages, None),
            question=found.question,
            contexts=found.contexts,
            reference=found.reference,
            answerable=answerable,
            type=found.type,
            cluster=found.cluster or (context_hash if found.contexts else ""),
            citations=_citations(found.citations, row, found.reference),
            messages=messages,
            metadata=_metadata(row, found.metadata),
        )

    def prediction(self, raw: Mapping[str, Any], where: str) -> PredictionRow:
        """The answer of a row, and the id of its question. Raises DataError."""
        row = self._row(raw, where)
        _require(row, "prediction")
        values = row.values
        if "contexts" in values and not values["contexts"]:
            values = values | {"contexts": ()}
        found = schema.validate(schema.AnswerRow, values, where, row.columns)
        sample = _sample(raw)
        return PredictionRow(
            question_id=self._question_id(row, found.id, found.variant, sample or 0),
            prediction=found.prediction,
            variant=found.variant,
            finish_reason=found.finish_reason,
            prompt_tokens=found.prompt_tokens,
            completion_tokens=found.completion_tokens,
            latency_s=found.latency_s,
            reference=found.reference,
            answerable=_answerable(found.answerable, found.type),
            type=found.type,
            citations=_citations(found.citations, row, found.reference),
            contexts=found.contexts,
            sample=sample,
        )

    def finish(self) -> None:
        """After the last row: raises DataError for a mapped column that no row had."""
        for field, column in self._unused.items():
            seen = dict.fromkeys(name for names in self._field_maps for name in names)
            raise field_aliases.unknown_column(field, column, seen, self._name)

    def _row(self, raw: Mapping[str, Any], where: str) -> _Row:
        names = tuple(raw)
        fields = self._field_maps.get(names)
        if fields is None:
            fields = self._field_maps[names] = self._resolve(names, where)
        if self._tabular:
            raw = _decode_cells(raw, fields, where)
        values = {field: raw[column] for field, column in fields.columns.items()}
        row = _Row(values, dict(fields.columns), raw, fields, where)
        if fields.shape:
            _apply_shape(row)
        if "answerable" in values:
            _apply_is_impossible(row)
        return row

    def _resolve(self, names: tuple[str, ...], where: str) -> FieldMap:
        for field, column in self._fields.items():
            if column in names:
                self._unused.pop(field, None)
            elif field in _REQUIRED:
                raise field_aliases.unknown_column(field, column, names, where)
        return field_aliases.resolve(names, self._fields, where, predicting=self._predicting)

    def _question_id(self, row: _Row, own: str, variant: str | None, sample: int) -> str:
        """The id of the question that an answer belongs to."""
        if own:
            return self._own_id(row, own, variant, sample)
        identified = "messages" in row.values or {"question", "contexts"} <= row.values.keys()
        if not identified and self._numbered:
            return f"row-{self._count('row', variant)}"
        if not identified:
            raise row.lacks("id")
        messages = _take_conversation(row)
        _require(row, "question", "contexts")
        asked = schema.validate(schema.AskedRow, row.values, row.where, row.columns)
        return self._content_id(asked, _context_hash(asked.contexts), messages, variant)

    def _own_id(self, row: _Row, own: str, variant: str | None, sample: int = 0) -> str:
        """`own`, unless another row has it. Raises DataError."""
        earlier = self._places.setdefault((own, variant, sample), row.where)
        if earlier is not row.where:
            raise problem("used_id", row.where, row.columns["id"], found=own, place=earlier)
        return own

    def _content_id(
        self, asked: schema.AskedRow, context_hash: str, messages: Sequence[Message], variant: str | None
    ) -> str:
        """An id made of what is asked; rows that ask the same get `-2`, `-3` … appended."""
        digest = content_hash(asked.question, context_hash, [message.to_json() for message in messages])
        own = f"q-{digest[:16]}"
        count = self._count(own, variant)
        return own if count == 1 else f"{own}-{count}"

    def _count(self, own: str, variant: str | None) -> int:
        """How many rows have had this id so far, including the present one."""
        count = self._counts[own, variant] = self._counts.get((own, variant), 0) + 1
        return count


def _require(row: _Row, *fields: str) -> None:
    for field in fields:
        if field not in row.values:
            raise row.lacks(field)


def _decode_cells(raw: Mapping[str, str], fields: FieldMap, where: str) -> dict[str, Any]:
    """A table's row with the values that JSON would have had."""
    decoded: dict[str, Any] = {name: raw[name] or None for name in fields.extras}
    held = list(fields.columns.items())
    if fields.second:
        held.append(("messages" if fields.shape == "completion" else "contexts", fields.second))
    for field, column in held:
        decoded[column] = csv_files.decode(
            field, raw[column], where, column, joined_by_bar=fields.shape == "deepeval"
        )
    return decoded


def _apply_shape(row: _Row) -> None:
    """Reads empty contexts as the tool that wrote the file means them."""
    if row.values.get("contexts") not in (None, ""):
        return
    if row.fields.shape == "alpaca":
        row.values["contexts"] = ()
    elif row.fields.shape == "deepeval" and row.fields.second:
        row.values["contexts"], row.columns["contexts"] = row.raw[row.fields.second], row.fields.second


def _apply_is_impossible(row: _Row) -> None:
    """Translates SQuAD's `is_impossible` to `answerable`, and drops its plausible answers."""
    impossible = row.values.get("answerable")
    if type(impossible) is not bool or not field_aliases.is_impossible(row.columns["answerable"]):
        return
    row.values["answerable"] = False if impossible else None
    reference = row.values.get("reference")
    items = reference if isinstance(reference, list) else [reference]
    if impossible and any(map(schema.is_span, items)):
        row.values["reference"] = ()


def _take_conversation(row: _Row) -> tuple[Message, ...]:
    """The messages to send. Fills fields that the row itself lacks from its conversation."""
    value, column = row.values.get("messages"), row.columns.get("messages", "")
    if value is None:
        return ()
    second = row.fields.second if row.fields.shape == "completion" else None
    if second and isinstance(value, str):
        raise problem("prompt", row.where, column)
    messages = chat_rows.messages(value, row.where, column)
    if second:
        messages += chat_rows.messages(row.raw[second], row.where, second)
    if "question" in row.values:  # these messages are already the ones to send
        return messages
    chat = chat_rows.read(messages, row.where, column)
    taken: dict[str, Any] = {"question": chat.question}
    if row.values.get("contexts") is None:
        taken["contexts"] = chat.contexts or ()
    if "reference" not in row.values:
        taken["reference"] = chat.reference
    row.values.update(taken)
    row.columns.update(dict.fromkeys(taken, column))
    return chat.messages


def _context_hash(contexts: Sequence[Passage]) -> str:
    """The default cluster of a question; computed here because the id needs it as well."""
    return content_hash([passage.text for passage in contexts])


def _answerable(value: bool | None, type_: str | None) -> bool:
    """What the row says; where it says nothing, the type decides."""
    return type_ != _NO_ANSWER if value is None else value


def _unanswered(row: _Row) -> DataError:
    if "reference" in row.fields.columns:
        code = "unanswered_null" if row.values["reference"] is None else "unanswered"
        return problem(code, row.where, row.columns["reference"])
    if "messages" in row.fields.columns and "question" not in row.fields.columns:
        return problem("no_answer", row.where, row.columns["messages"])
    return row.lacks("reference")


def _citations(own: tuple[int, ...] | None, row: _Row, reference: tuple[str, ...]) -> tuple[int, ...]:
    """The row's own citations; without such a field, what the reference cites as `[[refN]]`, once each."""
    if not reference or "citations" in row.values:
        return own or ()
    return tuple(dict.fromkeys(map(int, _CITED.findall(reference[0]))))


def _metadata(row: _Row, own: Mapping[str, Any] | None) -> dict[str, Any]:
    if own is None and not row.fields.extras:
        return {}
    extras = {name: row.raw[name] for name in row.fields.extras}
    return schema.merge_metadata(own, extras, row.where, row.columns.get("metadata", "metadata"))


def _sample(raw: Mapping[str, Any]) -> int | None:
    """The number in the column `sample`. A column of this name that holds no number means something else."""
    if "sample" not in raw:
        return None
    text = str(raw["sample"])
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS else None
