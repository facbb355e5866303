"""Properties of all readers: canonical rows round-trip, and only DataError is ever raised."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsa.data import from_rows, read, read_predictions
from simsa.data.csv_files import python_list
from simsa.errors import DataError
from simsa.records import Message, Passage, Question
from tests.support import korean_rows as korean
from tests.support.korean_rows import write_csv

# Any text of JSON, and more often what trips readers up.
_LETTERS = st.one_of(
    st.characters(exclude_categories=["Cs"]),
    st.sampled_from(list("가힣ㄱ\",;|\t\r\n[]{}'\\:\u2028\ufeff\x00")),
)
_ANY = st.text(_LETTERS, max_size=30)
_SAID = _ANY.filter(str.strip)
_SHOWN = st.text(_LETTERS.filter(str.isprintable), min_size=1, max_size=12).filter(str.strip)
_LABEL = _SAID | st.none()
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _ANY,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_ANY, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def questions(draw: st.DrawFn) -> Question:
    answerable = draw(st.booleans())
    return Question(
        id=draw(_SHOWN),
        question=draw(_SAID),
        contexts=tuple(draw(st.lists(st.builds(Passage, _SAID, _SHOWN | st.none(), _LABEL), max_size=3))),
        reference=tuple(draw(st.lists(_SAID, unique=True, min_size=int(answerable), max_size=3))),
        answerable=answerable,
        type=draw(_LABEL | st.just("no_answer")),
        cluster=draw(_SAID | st.just("")),
        citations=tuple(draw(st.lists(st.integers(1, 99), max_size=3))),
        messages=tuple(
            draw(
                st.lists(
                    st.builds(Message, st.sampled_from(["system", "user", "assistant"]), _ANY), max_size=3
                )
            )
        ),
        metadata=draw(st.dictionaries(_ANY, _JSON, max_size=3)),
    )


_SETS = st.lists(questions(), min_size=1, max_size=4, unique_by=lambda question: question.id)


def again(content: bytes, name: str, **options: Any) -> list[Question]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        return list(read(path, **options))


@settings(max_examples=60, deadline=None)
@given(_SETS)
def test_canonical_form_round_trips(asked: Sequence[Question]) -> None:
    rows = [question.to_dict() for question in asked]
    written = b"".join(orjson.dumps(row) + b"\n" for row in rows)
    assert again(written, "a.jsonl") == asked
    assert again(json.dumps(rows, indent=1).encode(), "a.json") == asked
    assert list(from_rows(rows)) == asked


_CELL = st.text(_LETTERS.filter(lambda letter: letter != "\0"), max_size=20).filter(str.strip)
_TABLE = st.lists(
    st.fixed_dictionaries(
        {
            "id": _SHOWN,
            "question": _CELL,
            "contexts": st.lists(_CELL, max_size=3),
            "reference": st.lists(_CELL, unique=True, min_size=2, max_size=3),
            "answerable": st.booleans(),
            "type": st.none() | _CELL,
            "citations": st.lists(st.integers(1, 99), max_size=3),
        }
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda row: row["id"],
)


@settings(max_examples=60, deadline=None)
@given(_TABLE, st.sampled_from([",", "\t", ";", "|"]), st.booleans())
def test_table_round_trips(rows: list[dict[str, Any]], delimiter: str, python: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        options: dict[str, Any] = {"listed": repr} if python else {}
        path = write_csv(Path(folder) / "a.csv", rows, delimiter=delimiter, **options)
        found = [question.to_dict() for question in read(path)]
    assert [{name: row[name] for name in rows[0]} for row in found] == rows


@settings(deadline=None)
@given(st.lists(_ANY.filter(lambda text: "\0" not in text), max_size=4))
def test_python_list_reads_repr_of_lists(texts: list[str]) -> None:
    assert python_list(repr(texts)) == texts


def test_python_list_refuses_everything_else() -> None:
    for cell in (
        "['a' 'b']",
        "['a', 'b' 'c']",
        "[1]",
        "[f'a']",
        r"['\ud800']",
        "[b'a']",
        "['a'] + ['b']",
        "('a',)",
        "[" * 500,
        "['\\N{x}']",
    ):
        assert python_list(cell) is None
    assert python_list(r"['\d']") == [r"\d"]


def _parquet() -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(korean.plain_rows()), sink)
    return sink.getvalue()


def _arrow() -> bytes:
    import pyarrow as pa

    sink = io.BytesIO()
    table = pa.Table.from_pylist(korean.plain_rows())
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _csv() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return write_csv(Path(folder) / "a.csv", korean.plain_rows()).read_bytes()


SOUND: dict[str, bytes] = {
    "a.jsonl": b"\n".join(orjson.dumps(row) for row in korean.plain_rows()),
    "b.jsonl": b"\n".join(orjson.dumps(row) for row in korean.chat_rows(lambda texts: "문서1: " + texts[0])),
    "a.json": orjson.dumps(korean.plain_rows(), option=orjson.OPT_INDENT_2),
    "squad.json": orjson.dumps(korean.nested()),
    "a.csv": _csv(),
    "a.parquet": _parquet(),
    "a.arrow": _arrow(),
}


@pytest.mark.parametrize("name", SOUND)
@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_damaged_file_is_read_or_refused(name: str, data: st.DataObject) -> None:
    content = bytearray(SOUND[name])
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        end = data.draw(st.integers(start, min(len(content), start + 20)) | st.just(len(content)))
        content[start:end] = data.draw(
            st.binary(max_size=6) | st.sampled_from([b'"', b"\n", b"null", b"\\ud800", b"["])
        )
    try:
        again(bytes(content), name)
    except DataError as error:
        assert error.where


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["a.json", "a.jsonl", "a.csv", "a.txt", "a.parquet"]))
def test_any_bytes_are_read_or_refused(content: bytes, name: str) -> None:
    with pytest.raises(DataError):
        again(content, name)


_FIELDS = st.sampled_from(
    ["id", "question", "query", "contexts", "context", "answer", "reference", "response", "messages", "type", "answerable", "citations", "metadata", "input", "output", "instruction", "x"]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(st.dictionaries(_FIELDS, _JSON | st.floats(), max_size=8), max_size=4))
def test_any_rows_are_read_or_refused(rows: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.json"
        path.write_bytes(orjson.dumps(rows))
        for reading in (from_rows(rows), read(path), read_predictions(path)):
            try:
                list(reading)
            except DataError as error:
                assert str(error)
