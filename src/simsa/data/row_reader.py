"""One row, from whatever file, → a question or an answered question."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

from simsa.data import chat_rows, csv_files, field_aliases, schema
from simsa.data.field_aliases import FieldRoles
from simsa.errors import DataError
from simsa.records import Message, Passage, Question, content_hash

_IMPOSSIBLE = "is_impossible"
_NO_ANSWER = "no_answer"
_T = TypeVar("_T")

_DIGITS = 10


class PredictionRow(NamedTuple):
    """One answer out of a file. `prediction` is None where the file says null: there was none.

    The fields behind `latency_s` are what the row itself says of its question, if anything;
    `sample` is which of several answers to it this is, from 0, None where the row does not say.
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


class RowReader:
    """Reads the rows of one file: knows which field is what, and which ids it has seen.

    `fields` maps roles to the file's names; `tabular` says that every value is the text of
    a cell; `predicting` that the rows are answers; `numbered` that answers which do not say
    to what are called by their number.
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
        self._known: dict[tuple[str, ...], FieldRoles] = {}
        self._unmet = dict(fields)
        self._ids = _Ids()

    def question(self, raw: Mapping[str, Any], where: str) -> Question:
        """The question of a test-set row. Raises DataError."""
        row = self._row(raw, where)
        asked = _asked(row)
        reference = _reference(row, asked.answered)
        answerable = _answerable(row)
        if answerable and not reference:
            raise _unanswered(row)
        context_hash = _context_hash(asked.contexts)
        return Question(
            id=self._id(row, asked, context_hash, None),
            question=asked.question,
            contexts=asked.contexts,
            reference=reference,
            answerable=answerable,
            type=row.read("type", schema.optional_text),
            cluster=row.read("cluster", schema.optional_text) or (context_hash if asked.contexts else ""),
            citations=_citations(row, reference),
            messages=asked.messages,
            metadata=_metadata(row),
        )

    def prediction(self, raw: Mapping[str, Any], where: str) -> PredictionRow:
        """The answer of a row, and to which question. Raises DataError."""
        row = self._row(raw, where)
        if not row.has("prediction"):
            raise row.lacks("prediction")
        variant = row.read("variant", schema.optional_text)
        reference, sample = _reference(row, None, blanks=True), _sample(raw)
        return PredictionRow(
            self._answered_id(row, variant, sample or 0),
            row.read("prediction", schema.prediction),
            variant,
            row.read("finish_reason", schema.optional_text),
            row.read("prompt_tokens", schema.count),
            row.read("completion_tokens", schema.count),
            row.read("latency_s", schema.seconds),
            reference,
            _answerable(row),
            row.read("type", schema.optional_text),
            _citations(row, reference),
            _contexts(row) if row.get("contexts") else (),
            sample,
        )

    def finish(self) -> None:
        """After the last row: refuses a mapped field that no row had."""
        for role, name in self._unmet.items():
            seen = dict.fromkeys(field for names in self._known for field in names)
            raise field_aliases.unmapped(role, name, seen, self._name)

    def _row(self, raw: Mapping[str, Any], where: str) -> _RawRow:
        names = tuple(raw)
        known = self._known.get(names)
        if known is None:
            known = self._known[names] = self._resolved(names, where)
        return _RawRow(_decoded(raw, known, where) if self._tabular else raw, known, where)

    def _resolved(self, names: tuple[str, ...], where: str) -> FieldRoles:
        for role, name in self._fields.items():
            if name in names:
                self._unmet.pop(role, None)
            elif role in ("question", "contexts", "reference", "prediction", "messages", "id"):
                raise field_aliases.unmapped(role, name, names, where)
        return field_aliases.resolve(names, self._fields, where, predicting=self._predicting)

    def _id(self, row: _RawRow, asked: _ParsedQuestion, context_hash: str, variant: str | None) -> str:
        """The row's own id, or one made of what is asked, so that the order of rows does not matter."""
        if row.has("id"):
            return self._ids.given(row, variant)
        messages = [message.to_json() for message in asked.messages]
        digest = content_hash(asked.question, context_hash, messages)
        return self._ids.made(f"q-{digest[:16]}", variant)

    def _answered_id(self, row: _RawRow, variant: str | None, sample: int) -> str:
        """The id of the question that an answer belongs to."""
        identified = row.has("id") or row.has("messages") or (row.has("question") and row.has("contexts"))
        if self._numbered and not identified:
            return self._ids.counted(variant)
        if row.has("id"):
            return self._ids.given(row, variant, sample)
        if not identified:
            raise row.lacks("id")
        asked = _asked(row)
        return self._id(row, asked, _context_hash(asked.contexts), variant)


class _RawRow(NamedTuple):
    """A row as its roles see it."""

    values: Mapping[str, Any]
    roles: FieldRoles
    where: str

    def has(self, role: str) -> bool:
        return role in self.roles.fields

    def get(self, role: str) -> Any:
        """The value in `role`; None also where no field has it."""
        field = self.roles.fields.get(role)
        return None if field is None else self.values[field]

    def read(self, role: str, convert: Callable[[Any, str, str], _T | None]) -> _T | None:
        """The value in `role` by way of one of the functions in `values`."""
        field = self.roles.fields.get(role)
        return None if field is None else convert(self.values[field], self.where, field)

    def lacks(self, role: str) -> DataError:
        return field_aliases.lacking(role, self.roles, list(self.values), self.where)


class _ParsedQuestion(NamedTuple):
    """What a row asks; `answered` is the reference that a conversation ends with."""

    question: str
    contexts: tuple[Passage, ...]
    answered: str | None = None
    messages: tuple[Message, ...] = ()


class _Ids:
    """The ids of one file, each once a variant and answer."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, str | None, int], str] = {}
        self._times: dict[tuple[str, str | None], int] = {}

    def given(self, row: _RawRow, variant: str | None, sample: int = 0) -> str:
        """The row's own id. Raises DataError if another row has it."""
        field = row.roles.fields["id"]
        own = schema.identifier(row.values[field], row.where, field)
        earlier = self._places.setdefault((own, variant, sample), row.where)
        if earlier is not row.where:
            raise DataError(
                f"this id stands already at {earlier}",
                where=row.where,
                field=field,
                found=own,
                hint="every row needs an id of its own (answers of several models: and a variant)",
            )
        return own

    def made(self, own: str, variant: str | None) -> str:
        """`own` for the first row that asks this, then `own-2`, `own-3` …"""
        times = self._times[own, variant] = self._times.get((own, variant), 0) + 1
        return own if times == 1 else f"{own}-{times}"

    def counted(self, variant: str | None) -> str:
        """`row-1`, `row-2` …"""
        times = self._times["row", variant] = self._times.get(("row", variant), 0) + 1
        return f"row-{times}"


def _sample(raw: Mapping[str, Any]) -> int | None:
    """Which of several answers a row is; a column of this name that holds no such number means something else."""
    text = str(raw.get("sample"))
    return int(text) if text.isascii() and text.isdigit() and len(text) < _DIGITS else None


def _decoded(raw: Mapping[str, str], known: FieldRoles, where: str) -> dict[str, Any]:
    """A table's row with the values that JSON would have had."""
    decoded: dict[str, Any] = {name: raw[name] or None for name in known.extras}
    barred = known.meant == "deepeval"
    for role, name in known.fields.items():
        decoded[name] = csv_files.decode(role, raw[name], where, name, barred=barred)
    if known.second:
        role = "messages" if known.meant == "completion" else "contexts"
        decoded[known.second] = csv_files.decode(role, raw[known.second], where, known.second, barred=barred)
    return decoded


def _asked(row: _RawRow) -> _ParsedQuestion:
    """Question, passages and messages: the row's own fields, or taken out of its conversation."""
    if row.get("messages") is None:
        question = row.read("question", schema.text)
        if question is None:
            raise row.lacks("question")
        return _ParsedQuestion(question, _contexts(row))
    field = row.roles.fields["messages"]
    said = _conversation(row, field)
    if row.has("question"):  # taken apart already: these messages are the ones to send
        return _ParsedQuestion(row.read("question", schema.text) or "", _contexts(row), None, said)
    found = chat_rows.read(said, row.where, field)
    question = schema.text(found.question, row.where, field)
    own = row.get("contexts") is not None
    contexts = _contexts(row) if own else schema.passages(found.contexts or [], row.where, field)
    return _ParsedQuestion(question, contexts, found.reference, found.messages)


def _conversation(row: _RawRow, field: str) -> tuple[Message, ...]:
    value, second = row.values[field], row.roles.second
    if row.roles.meant != "completion" or second is None:
        return chat_rows.messages(value, row.where, field)
    if isinstance(value, str):
        raise DataError(
            "a prompt that is one text cannot be sent as a chat",
            where=row.where,
            field=field,
            hint="write prompt and completion as lists of {role, content}, or give question, contexts and reference",
        )
    return chat_rows.messages(value, row.where, field) + chat_rows.messages(
        row.values[second], row.where, second
    )


def _contexts(row: _RawRow) -> tuple[Passage, ...]:
    if not row.has("contexts"):
        raise row.lacks("contexts")
    field, second = row.roles.fields["contexts"], row.roles.second
    if row.values[field] in (None, ""):
        if row.roles.meant == "alpaca":
            return ()
        if row.roles.meant == "deepeval" and second:
            field = second
    return schema.passages(row.values[field], row.where, field)


def _context_hash(contexts: Sequence[Passage]) -> str:
    """The cluster that `Question` falls back on; made here because the id needs it as well."""
    return content_hash([passage.text for passage in contexts])


def _reference(row: _RawRow, answered: str | None, *, blanks: bool = False) -> tuple[str, ...]:
    if not row.has("reference"):
        return schema.references(answered, row.where, row.roles.fields.get("messages", ""))
    value = row.get("reference")
    spans = schema.is_span(value) or (isinstance(value, list) and any(map(schema.is_span, value)))
    if spans and row.roles.fields.get("answerable") == _IMPOSSIBLE and row.get("answerable") is True:
        return ()  # SQuAD's plausible answers to what cannot be answered
    return row.read("reference", partial(schema.references, blanks=blanks)) or ()


def _answerable(row: _RawRow) -> bool:
    """What the row says; otherwise only the type `no_answer` speaks against it."""
    said = row.get("answerable")
    if said is not None:
        field = row.roles.fields["answerable"]
        said = schema.truth(said, row.where, field)
        if field.strip().lower() != _IMPOSSIBLE:
            return said
        if said:
            return False
    return row.read("type", schema.optional_text) != _NO_ANSWER


def _unanswered(row: _RawRow) -> DataError:
    if row.has("reference"):
        return DataError(
            f"is {'null' if row.get('reference') is None else 'empty'}, but the question counts as answerable",
            where=row.where,
            field=row.roles.fields["reference"],
            hint='write the expected answer, or "answerable": false where the passages hold none',
        )
    if row.has("messages") and not row.has("question"):
        return DataError(
            "the last message is not an assistant's answer, so there is no reference",
            where=row.where,
            field=row.roles.fields["messages"],
            hint="end the conversation with the expected answer, or give it as reference",
        )
    return row.lacks("reference")


def _citations(row: _RawRow, reference: tuple[str, ...]) -> tuple[int, ...]:
    """The row's own list; where it has none, what the reference cites as `[[refN]]`."""
    if row.has("citations"):
        return row.read("citations", schema.citations) or ()
    return schema.cited(reference[0]) if reference else ()


def _metadata(row: _RawRow) -> dict[str, Any]:
    own = row.get("metadata")
    if own is None and not row.roles.extras:
        return {}
    extras = {name: row.values[name] for name in row.roles.extras}
    return schema.metadata(own, extras, row.where, row.roles.fields.get("metadata", "metadata"))
