"""Malformed files are refused with their place, the value found and a remedy."""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import socket
import sqlite3
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simsa.cli.main import run
from simsa.data import from_rows, read
from simsa.errors import DataError
from tests.support import korean_rows as korean
from tests.support.korean_rows import write_csv, write_json, write_jsonl

GOOD: dict[str, Any] = {
    "id": "1",
    "question": "언제?",
    "contexts": ["1987년에 열었다."],
    "reference": "1987년",
}
LINE = json.dumps(GOOD, ensure_ascii=False)


def line(**changes: Any) -> str:
    """The good row as a line of JSON, changed; `...` takes a field away."""
    row = {key: value for key, value in (GOOD | changes).items() if value is not ...}
    return json.dumps(row, ensure_ascii=False)


def second(raw: str) -> str:
    return f"{LINE}\n{raw}\n"


def many(bad: str, at: int) -> str:
    lines = [line(id=str(n)) for n in range(1, 31)]
    lines[at - 1] = bad
    return "\n".join(lines) + "\n"


HTML = "<!DOCTYPE html>\n<html><body>404 Not Found</body></html>"
LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n"
HEADER = "id,question,contexts,reference\n"
BELL = "\x07"

# Name of the kind → (file name, content, what the message says).
TEXTS: dict[str, tuple[str, str | bytes, tuple[str, ...]]] = {
    # the file as a whole
    "empty": ("a.jsonl", "", ("a.jsonl: is empty",)),
    "white space only": ("a.jsonl", " \n\n\t\n", ("only white space",)),
    "only a BOM": ("a.jsonl", b"\xef\xbb\xbf", ("only white space",)),
    "html error page": ("a.json", HTML, ("HTML", "download it again")),
    "xml": ("a.jsonl", "<?xml version='1.0'?><a/>", ("HTML or XML",)),
    "git lfs pointer": ("a.jsonl", LFS, ("Git LFS pointer", "git lfs pull")),
    "prose": (
        "a.txt",
        "달내시 이야기\n옛날에 강이 있었다.\n",
        ("a.txt:1", "no column that is known", "달내시"),
    ),
    "yaml": ("a.yaml", "- q: 언제?\n", ("no column that is known",)),
    "pickle": ("a.pkl", pickle.dumps([GOOD]), ("Python pickle", "never opened", "80 ")),
    "pickle called jsonl": ("a.jsonl", pickle.dumps([GOOD], 2), ("Python pickle",)),
    "old pickle": ("a.pkl", pickle.dumps([GOOD], 0), ("no column that is known",)),
    "gzip": ("a.jsonl.gz", gzip.compress(LINE.encode()), ("gzip", "gunzip")),
    "pdf": ("a.pdf", b"%PDF-1.7\n1 0 obj", ("PDF",)),
    "old excel": ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 99, ("old Excel", "CSV")),
    "numpy": ("a.npy", b"\x93NUMPY\x01\0v\0", ("NumPy",)),
    "other binary": ("a.bin", b"ab\0\x01\x02", ("NUL byte at byte 2",)),
    # encodings
    "cp949 jsonl": (
        "a.jsonl",
        LINE.encode("cp949"),
        ("a.jsonl:1", "not UTF-8 at byte", "0xbe", "iconv -f CP949"),
    ),
    "cp949 json": (
        "a.json",
        json.dumps([GOOD], ensure_ascii=False, indent=1).encode("cp949"),
        ("not UTF-8 at byte", "iconv -f CP949"),
    ),
    "cp949 csv": (
        "a.csv",
        (HEADER + "1,언제?,열었다,1987년\n").encode("cp949"),
        ("a.csv:2", "0xbe", "CP949"),
    ),
    "latin-1": (
        "a.jsonl",
        LINE.replace("언제", "é").replace("년", "").replace("에 열었다", "").encode("latin-1"),
        ("0xe9",),
    ),
    "utf-16 jsonl": ("a.jsonl", LINE.encode("utf-16"), ("UTF-16", "iconv -f UTF-16")),
    "utf-16 without its mark": ("a.jsonl", LINE.encode("utf-16-le"), ("NUL byte at byte 1", "iconv")),
    "utf-32": ("a.jsonl", LINE.encode("utf-32"), ("UTF-32",)),
    "utf-16 csv cut in a character": (
        "a.csv",
        (HEADER + "1,언제?,가,나\n").encode("utf-16")[:-1],
        ("UTF-16",),
    ),
    "a bad byte far into the file": (
        "a.jsonl",
        (LINE + "\n").encode() + line(id="2").encode()[:-9] + b'\xff"}\n',
        ("a.jsonl:2", "0xff"),
    ),
    # JSON
    "truncated line": ("a.jsonl", many(line(id="17")[:40], 17), ("a.jsonl:17", "cut off")),
    "bad line 17": ("a.jsonl", many("{'id': '17'}", 17), ("a.jsonl:17", "single quotes")),
    "bad first line": ("a.jsonl", "{bad\n" + LINE, ("a.jsonl:1", "not JSON")),
    "truncated document": ("a.json", json.dumps([GOOD] * 3, indent=1)[:-20], ("a.json:24", "cut off")),
    "trailing comma": ("a.json", "[\n" + LINE + ",\n]", ("a.json:2", "trailing comma")),
    "nan": ("a.jsonl", second(line(id="2", score=float("nan"))), ("a.jsonl:2", "NaN", "null")),
    "infinity": ("a.json", json.dumps([GOOD | {"x": float("-inf")}]), ("a.json:1", "Infinity")),
    "python literals": ("a.jsonl", LINE.replace('"1987년"', "None"), ("null, true and false",)),
    "lone surrogate": ("a.jsonl", LINE.replace("언제?", "\\ud800"), ("surrogate",)),
    "doubled key": (
        "a.jsonl",
        second('{"id":"2","question":"a","question":"b"}'),
        ("a.jsonl:2: question", "twice"),
    ),
    "doubled key within a passage": (
        "a.json",
        '[{"question":"q","contexts":[{"text":"a","text":"b"}],"reference":"r"}]',
        ("text", "twice"),
    ),
    "nested too deep": (
        "a.jsonl",
        LINE[:-1] + ', "x": ' + "[" * 1500 + "]" * 1500 + "}",
        ("nested too deep",),
    ),
    "nested deep": (
        "a.jsonl",
        LINE[:-1] + ', "x": ' + "[" * 400 + "]" * 400 + "}",
        ("cannot be written as JSON",),
    ),
    "nested very deep": (
        "a.jsonl",
        LINE[:-1] + ', "x": ' + '{"a":' * 1000 + "1" + "}" * 1000 + "}",
        ("nested too deep",),
    ),
    "huge whole number as id": ("a.jsonl", line(id=10**40), ("a.jsonl:1: id", "is a number")),
    "number too large": ("a.jsonl", LINE[:-1] + ', "x": 1e999}', ("a.jsonl:1", "infinity")),
    "a scalar": ("a.json", "null", ("a.json:1", "is null")),
    "a text": ("a.json", '"question"', ("a.json",)),
    "rows that are lists": ("a.jsonl", '["a", "b"]\n["c", "d"]\n', ("a.jsonl:1", "is a list", "an object")),
    "rows that are texts": ("a.json", '["a", "b"]', ("a.json: row 1", "is a text")),
    "empty list": ("a.json", "[]", ("holds no rows",)),
    "empty object": ("a.json", "{}", ("no list of rows",)),
    "settings, not rows": ("a.json", '{"version": 1, "seed": 2}', ("no list of rows", "version, seed")),
    "one list a column": (
        "a.json",
        '{"question": ["a"], "answer": ["b"]}',
        ("no list of rows", "orient='records'"),
    ),
    "pandas' own columns": (
        "a.json",
        '{"question": {"0": "a"}, "answer": {"0": "b"}}',
        ("orient='records'",),
    ),
    "documents without questions": (
        "a.json",
        '{"data": [{"title": "t", "paragraphs": [{"context": "c"}]}]}',
        ("data[0].paragraphs[0].qas", "is null"),
    ),
    "a paragraph without context": (
        "a.json",
        '{"data": [{"paragraphs": [{"qas": [{"id": "1", "question": "q"}]}]}]}',
        ("data[0].paragraphs[0].qas[0]", "no context"),
    ),
    "an answerable question without answers": (
        "a.json",
        json.dumps(korean.nested()).replace('"is_impossible": true', '"is_impossible": false'),
        ("data[0].paragraphs[0].qas[1]: answers", "is empty"),
    ),
    # fields
    "two questions": ("a.jsonl", line(query="언제?"), ("'question', 'query'", "--field question")),
    "two references": ("a.jsonl", line(answer="1987년"), ("'reference', 'answer'",)),
    "two contexts": ("a.jsonl", line(context="가"), ("'contexts', 'context'",)),
    "three predictions": ("a.jsonl", line(output="a", response="b", prediction="c"), ("3 fields",)),
    "two ids": ("a.jsonl", line(qid="1"), ("'id', 'qid'",)),
    "two columns for one field": (
        "a.csv",
        "question,query,contexts,answer\na,b,c,d\n",
        ("'question', 'query'",),
    ),
    "no question": ("a.jsonl", line(question=..., frage="언제?"), ("no field holds the question", "frage")),
    "no contexts": (
        "a.jsonl",
        line(contexts=..., retreived_contexts=["가"]),
        ("no field holds the contexts", "is it 'retreived_contexts'?"),
    ),
    "no reference": ("a.jsonl", line(reference=...), ("no field holds the reference",)),
    "only a prediction": (
        "a.jsonl",
        line(reference=..., response="1987년"),
        ("'response' is read as the model's answer",),
    ),
    # values
    "null question": ("a.jsonl", second(line(id="2", question=None)), ("a.jsonl:2: question", "is null")),
    "empty question": ("a.jsonl", line(question=" \n"), ("question: is empty",)),
    "question is a number": ("a.jsonl", line(question=7), ("question: is a number, not a text (found 7)",)),
    "question is a conversation": ("a.jsonl", line(question=[{"content": "a"}]), ("question: is a list",)),
    "null contexts": (
        "a.jsonl",
        second(line(id="2", contexts=None)),
        ("a.jsonl:2: contexts", "is null", "[]"),
    ),
    "null among the contexts": ("a.jsonl", line(contexts=["가", None]), ("contexts[1]: is null",)),
    "empty passage": ("a.jsonl", line(contexts=["가", " "]), ("contexts[1]: is empty",)),
    "contexts is a number": ("a.jsonl", line(contexts=3), ("contexts: is a number",)),
    "contexts is true": ("a.jsonl", line(contexts=True), ("contexts: is true or false",)),
    "contexts is an empty text": ("a.jsonl", line(contexts=""), ("contexts: is empty",)),
    "contexts in lists in lists": ("a.jsonl", line(contexts=[["가"]]), ("contexts[0]: is a list",)),
    "a passage without text": (
        "a.jsonl",
        line(contexts=[{"title": "t", "body": "b"}]),
        ("contexts[0]", "needs its text"),
    ),
    "a passage with two texts": (
        "a.jsonl",
        line(contexts=[{"text": "t", "content": "b"}]),
        ("'text' and 'content'",),
    ),
    "a passage whose text is a number": (
        "a.jsonl",
        line(contexts=[{"text": 5}]),
        ("contexts[0].text: is a number",),
    ),
    "a passage whose title is a list": (
        "a.jsonl",
        line(contexts=[{"text": "t", "title": ["a"]}]),
        ("contexts[0].title",),
    ),
    "null reference": (
        "a.jsonl",
        second(line(id="2", reference=None)),
        ("a.jsonl:2: reference", "is null", "answerable"),
    ),
    "empty reference": ("a.jsonl", line(reference=""), ("reference: is empty",)),
    'reference [""]': ("a.jsonl", line(reference=[""]), ("reference: is empty",)),
    "reference is an object": ("a.jsonl", line(reference={"text": "a"}), ("reference: is an object",)),
    "reference is a number": ("a.jsonl", line(reference=1987), ("reference: is a number",)),
    "null among the references": ("a.jsonl", line(reference=["a", None]), ("reference[1]: is null",)),
    "answerable is a text": (
        "a.jsonl",
        line(answerable="false"),
        ("answerable: is a text, not true or false",),
    ),
    "is_impossible is a number": ("a.jsonl", line(is_impossible=0), ("is_impossible: is a number",)),
    "citations is a number": ("a.jsonl", line(citations=1), ("citations: is a number",)),
    "citation zero": ("a.jsonl", line(citations=[1, 0]), ("citations[1]", "found 0")),
    "citation by name": ("a.jsonl", line(citations=["ref1"]), ("citations[0]", "ref1")),
    "citation true": ("a.jsonl", line(citations=[True]), ("citations[0]",)),
    "type is a list": ("a.jsonl", line(type=["a"]), ("type: is a list",)),
    "metadata is a list": ("a.jsonl", line(metadata=[1]), ("metadata: is a list",)),
    "null id": ("a.jsonl", line(id=None), ("id: is null",)),
    "empty id": ("a.jsonl", line(id=""), ("id: is empty",)),
    "id is a fraction": ("a.jsonl", line(id=1.0), ("id: is a number",)),
    "id is a list": ("a.jsonl", line(id=["1"]), ("id: is a list",)),
    "id with a line break": ("a.jsonl", line(id="a\nb"), ("id: an id cannot hold", "'a\\nb'")),
    "id that rings a bell": ("a.jsonl", line(id=f"a{BELL}"), ("id: an id cannot hold", "\\x07")),
    "id with an invisible character": ("a.jsonl", line(id="a\u202eb"), ("id: an id cannot hold", "\\u202e")),
    "doubled id": ("a.jsonl", many(line(id="3"), 17), ("a.jsonl:17: id", "a.jsonl:3", "found 3")),
    "doubled id, once a number": (
        "a.json",
        json.dumps([GOOD, GOOD | {"id": 1}]),
        ("a.json: row 2: id", "row 1"),
    ),
    # conversations
    "nobody answers": (
        "a.jsonl",
        '{"messages": [{"role": "user", "content": "q"}]}',
        ("messages", "no reference"),
    ),
    "nobody asks": ("a.jsonl", '{"messages": [{"role": "assistant", "content": "a"}]}', ("no user message",)),
    "no messages": ("a.jsonl", '{"messages": []}', ("no user message", "none")),
    "messages is a text": ("a.jsonl", '{"messages": "q"}', ("messages: is a text",)),
    "a message is a text": ("a.jsonl", '{"messages": ["q"]}', ("messages[0]: is a text",)),
    "an unknown role": (
        "a.jsonl",
        '{"messages": [{"role": "tool", "content": "a"}]}',
        ("messages[0].role", "tool"),
    ),
    "a message without content": (
        "a.jsonl",
        '{"messages": [{"role": "user", "content": null}]}',
        ("messages[0].content: is null",),
    ),
    "a picture in a message": (
        "a.jsonl",
        '{"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}',
        ("messages[0].content: is a list",),
    ),
    "a prompt without roles": (
        "a.jsonl",
        '{"prompt": "q", "completion": "a"}',
        ("prompt", "cannot be sent as a chat"),
    ),
    # tables
    "no header": ("a.csv", "1,언제?,열었다,1987년\n", ("a.csv:1", "no column that is known")),
    "header only": ("a.csv", HEADER, ("holds no rows",)),
    "doubled column": ("a.csv", "question,note,note\na,b,c\n", ("a.csv:1: note", "two columns")),
    "ragged row": ("a.csv", HEADER + "1,q,c,r\n2,q,c\n", ("a.csv:3", "3 cells where the header has 4")),
    "row too long": ("a.csv", HEADER + "1,q,c,r,x\n", ("a.csv:2", "5 cells")),
    "unclosed quote": ("a.csv", HEADER + '1,q,c,r\n2,"q,c,r\n3,q,c,r\n', ("a.csv:3", "never closed")),
    "stray quote": ("a.csv", HEADER + '1,"q"x,c,r\n', ("a.csv:2", "twice")),
    "cell too large": ("a.csv", HEADER + f'1,q,"{"x" * (17 * 2**20)}",r\n', ("a.csv:2", "16 MiB")),
    "nul in a table": (
        "a.csv",
        "question,contexts,answer\n" + "질문,문서,답\n" * 9000 + "\0,c,r\n",
        ("a.csv:9002", "NUL byte"),
    ),
    "empty cell for contexts": ("a.csv", HEADER + "1,q,,r\n", ("a.csv:2: contexts", "is empty")),
    "empty cell for reference": ("a.csv", HEADER + "1,q,c,\n", ("a.csv:2: reference", "is null")),
    "numpy's list": ("a.csv", HEADER + "1,q,\"['a' 'b']\",r\n", ("a.csv:2: contexts", "json.dumps")),
    "half a JSON list": ("a.csv", HEADER + '1,q,"[""a"", b]",r\n', ("a.csv:2: contexts", "json.dumps")),
    "answerable in other words": (
        "a.csv",
        "question,contexts,answer,answerable\nq,c,r,maybe\n",
        ("a.csv:2: answerable", "maybe"),
    ),
    "metadata in a cell": (
        "a.csv",
        "question,contexts,answer,metadata\nq,c,r,{x}\n",
        ("a.csv:2: metadata", "not JSON"),
    ),
    # binary tables
    "damaged parquet": ("a.parquet", b"PAR1" + b"x" * 50, ("Parquet", "damaged or cut off")),
    "damaged arrow": ("a.arrow", b"ARROW1\0\0" + b"x" * 50, ("Arrow", "damaged or cut off")),
}


def assert_refused(path: Path | str, says: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> str:
    """Asserts that `simsa convert` refuses `path` with exit code 2, one message and a place; returns it."""
    assert run(["convert", str(path)]) == 2
    message = capsys.readouterr().err
    assert "Traceback" not in message
    assert message.startswith(f"simsa: {path}")
    for part in says:
        assert part in message
    return message


@pytest.mark.parametrize("kind", TEXTS)
def test_malformed_file_is_refused_with_place_and_remedy(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name, content, says = TEXTS[kind]
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(content.encode() if isinstance(content, str) else content)
    assert_refused(name, says, capsys)


def _zip(path: Path, member: str) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(member, "x")


def _tar(path: Path) -> None:
    with tarfile.open(path, "w") as file:
        file.addfile(tarfile.TarInfo("a.jsonl"), io.BytesIO())


def _sqlite(path: Path) -> None:
    base = sqlite3.connect(path)
    base.execute("create table t (q text)")
    base.close()


def _cut_parquet(path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist([GOOD] * 100), path)
    path.write_bytes(path.read_bytes()[:-30])


def _dataset(path: Path, damage: Callable[[Path], Any]) -> None:
    import datasets

    datasets.disable_progress_bars()
    datasets.DatasetDict({"train": datasets.Dataset.from_list([GOOD])}).save_to_disk(path)
    damage(path)


MADE: dict[str, tuple[str, Callable[[Path], Any], tuple[str, ...]]] = {
    "zip": ("a.zip", lambda path: _zip(path, "a.jsonl"), ("zip archive", "unpack")),
    "excel": ("a.xlsx", lambda path: _zip(path, "xl/workbook.xml"), ("Excel", "CSV UTF-8")),
    "checkpoint": ("a.pt", lambda path: _zip(path, "archive/data.pkl"), ("PyTorch checkpoint",)),
    "tar": ("a.tar", _tar, ("tar archive",)),
    "sqlite": ("a.db", _sqlite, ("SQLite",)),
    "cut parquet": ("a.parquet", _cut_parquet, ("Parquet", "cut off")),
    "folder": ("a", lambda path: path.mkdir(), ("is a folder", "save_to_disk")),
    "fifo": ("a.jsonl", os.mkfifo, ("is a pipe",)),
    "data set without its files": (
        "a",
        lambda path: _dataset(path, lambda at: next(at.rglob("*.arrow")).unlink()),
        ("train", "lacks its file data-00000-of-00001.arrow"),
    ),
    "data set with a broken list of splits": (
        "a",
        lambda path: _dataset(path, lambda at: (at / "dataset_dict.json").write_text("{")),
        ("dataset_dict.json is damaged",),
    ),
    "data set that points outside": (
        "a",
        lambda path: _dataset(path, lambda at: (at / "dataset_dict.json").write_text('{"splits": ["../b"]}')),
        ("not the name of a split", "../b"),
    ),
    "splits without test": (
        "a",
        lambda path: _dataset(
            path, lambda at: (at / "dataset_dict.json").write_text('{"splits": ["train", "dev"]}')
        ),
        ("several splits", "train, dev", "--split"),
    ),
}


@pytest.mark.parametrize("kind", MADE)
def test_unreadable_path_is_refused_with_place_and_remedy(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name, make, says = MADE[kind]
    monkeypatch.chdir(tmp_path)
    make(Path(name))
    assert_refused(name, says, capsys)


def test_socket_and_device_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("a.sock")
        assert_refused("a.sock", ("is a socket",), capsys)
    assert_refused("/dev/zero", ("is a device",), capsys)


def test_folder_error_names_the_files_inside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data").mkdir()
    write_jsonl(tmp_path / "data" / "test.jsonl", [GOOD])
    assert_refused(tmp_path, ("give the file itself: data/test.jsonl",), capsys)


def test_missing_file_error_names_a_similar_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_jsonl(tmp_path / "test.jsonl", [GOOD])
    assert_refused(tmp_path / "tset.jsonl", ("no such file", "test.jsonl"), capsys)
    assert_refused(tmp_path / "nowhere" / "test.jsonl", ("no such file",), capsys)
    assert_refused(tmp_path / ("x" * 300), ("cannot be read: File name too long",), capsys)
    (tmp_path / "loop").symlink_to("loop")
    assert_refused(tmp_path / "loop", ("cannot be read",), capsys)


def test_invalid_path_is_an_error() -> None:
    with pytest.raises(DataError, match=r"~no-such-user/a\.jsonl: is not a valid path"):
        list(read("~no-such-user/a.jsonl"))
    with pytest.raises(DataError, match="cannot be read"):
        list(read("a\0b"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_permission_error_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [GOOD])
    path.chmod(0)
    assert_refused(path, ("Permission denied", "ls -l"), capsys)


def test_pickle_is_never_loaded(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "sprung",)

    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        path = tmp_path / "a.pkl"
        path.write_bytes(pickle.dumps(Trap(), protocol))
        with pytest.raises(DataError):
            list(read(path))
    assert not (tmp_path / "sprung").exists()


def test_rows_before_a_malformed_one_are_yielded(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [GOOD, GOOD | {"id": "2", "question": None}])
    questions = read(path)
    assert next(questions).id == "1"
    with pytest.raises(DataError) as refusal:
        next(questions)
    error = refusal.value
    assert (error.where, error.field, error.message) == (f"{path}:2", "question", "is null, not a text")


def test_errors_are_in_korean_as_well(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [GOOD | {"question": 7}])
    with pytest.raises(DataError) as refusal:
        list(read(path))
    assert refusal.value.localized().ko == (
        f"{path}:1: question: 숫자입니다. 텍스트가 필요합니다 (읽은 값: 7)\n  → 따옴표로 감싸십시오"
    )


def test_wrong_format_or_split_is_an_error(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [GOOD])
    with pytest.raises(DataError, match=r"format: is not a format.*\n.*known: auto, jsonl"):
        list(read(path, format="yaml"))
    with pytest.raises(DataError, match=r"split: is one file and has no splits"):
        list(read(path, split="test"))
    for wrong in ("parquet", "arrow", "datasets"):
        with pytest.raises(DataError, match=f"is not {wrong}"):
            list(read(path, format=wrong))
    with pytest.raises(DataError, match="no column that is known"):
        list(read(write_jsonl(tmp_path / "b.jsonl", [{"a": 1}]), format="csv"))


ROWS: dict[str, tuple[Any, str]] = {
    "a text": ("question", "these are not rows (found str)"),
    "a number": (5, "these are not rows"),
    "a dict of columns": ({"question": ["a"]}, "these are not rows"),
    "nothing": ([], "holds no rows"),
    "a row that is a list": ([GOOD, ["a"]], "rows: row 2: is a list"),
    "a name that is no text": ([{1: "a"}], "a field's name is not a text"),
    "half a character": ([GOOD | {"question": "\ud800"}], "lone surrogate"),
    "half a character in a name": ([GOOD | {"\ud800": 1}], "lone surrogate"),
    "bytes": ([GOOD | {"question": b"a"}], "a value of type bytes"),
    "a huge number": ([GOOD | {"n": 2**70}], "beyond 64 bits"),
    "nan for a question": ([GOOD | {"question": float("nan")}], "question: is null"),
    "an object": ([GOOD | {"question": object()}], "a value of type object"),
}


@pytest.mark.parametrize("kind", ROWS)
def test_malformed_rows_in_memory_are_refused(kind: str) -> None:
    rows, says = ROWS[kind]
    with pytest.raises(DataError) as refusal:
        list(from_rows(rows))
    assert says in str(refusal.value)


def test_repeated_column_of_a_frame_is_an_error(tmp_path: Path) -> None:
    import pandas
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pytest.raises(DataError, match="x: two columns have this name"):
        list(from_rows(pandas.DataFrame([["a", "b"]], columns=["x", "x"])))
    pq.write_table(pa.table([pa.array(["a"]), pa.array(["b"])], names=["x", "x"]), tmp_path / "a.parquet")
    with pytest.raises(DataError, match="x: two columns have this name"):
        list(read(tmp_path / "a.parquet"))


def test_recursive_row_is_an_error() -> None:
    row = dict(GOOD)
    row["x"] = row
    with pytest.raises(DataError, match="nested too deep"):
        list(from_rows([row]))


def test_unusual_rows_are_accepted(tmp_path: Path) -> None:
    """Accepts what is unusual but correct."""
    odd = [
        GOOD | {"id": 7, "note": 'says "a": and "a": again', "reference": ["1987년", "1987년", "87년"]},
        GOOD | {"id": "나 1", "contexts": [], "answerable": False, "reference": [""], "type": ""},
        GOOD
        | {
            "id": "3",
            "contexts": {"page_content": "가", "doc_id": 5},
            "citations": ["2"],
            "type": 3,
            "x": None,
        },
    ]
    text = "\n\n".join(json.dumps(row, indent=None) for row in odd).replace('"note": ', '"note" : ')
    path = tmp_path / "a.jsonl"
    path.write_text("\n" + text.replace("\n", "\r\n"), encoding="utf-8")
    first, second, third = read(path)
    assert (first.id, first.reference) == ("7", ("1987년", "87년"))
    assert first.metadata == {"note": 'says "a": and "a": again'}
    assert (second.contexts, second.reference, second.type, second.answerable) == ((), (), None, False)
    assert third.to_dict()["contexts"] == [{"id": "5", "text": "가"}]
    assert (third.citations, third.type, third.metadata) == ((2,), "3", {})


def test_unusual_tables_are_accepted(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(
        b"\r\n,Question , contexts,answer,is_impossible,citations\r\n"
        b'0,"two\r\nlines",[see] text,"[""r"", ""s""]",False,"1, 2"\r\n\r\n'
        b"1,q,[1] text,[unclear],TRUE,\r\n"
    )
    first, second = read(path)
    assert (first.question, first.contexts[0].text, first.reference) == (
        "two\r\nlines",
        "[see] text",
        ("r", "s"),
    )
    assert (first.citations, first.answerable, first.metadata) == ((1, 2), True, {})
    assert (second.contexts[0].text, second.reference, second.answerable) == (
        "[1] text",
        ("[unclear]",),
        False,
    )
    write_csv(path, [{"q": "a;b", "contexts": "c", "answer": "r"}], delimiter="\t")
    assert next(read(path, fields={"question": "q"})).question == "a;b"
    write_json(path, [GOOD])
    assert next(read(path)).id == "1"
