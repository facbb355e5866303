"""Every format gives the same questions, independent of the file's name."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from simsa.data import from_rows, read, readers
from simsa.data.file_types import Rows, Source
from simsa.records import Question
from tests.support import korean_rows as korean
from tests.support.korean_rows import ROWS, SPANS, Row, bare, write_csv, write_json, write_jsonl


def questions(path: Path, **options: Any) -> list[Question]:
    return list(read(path, **options))


def assert_same(
    found: Sequence[Question], *, ids: bool = False, labels: bool = True, rows: Sequence[Row] = ROWS
) -> None:
    """Asserts that `found` are `rows`, without ids and labels (type, answerable) if the format has none."""
    wanted = list(rows)
    got = [bare(question) for question in found]
    if not ids:
        wanted = [row._replace(id="") for row in wanted]
        got = [row._replace(id="") for row in got]
    if not labels:
        wanted = [row._replace(type="", answerable=True) for row in wanted]
    assert got == wanted


def parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=2)
    return path


def arrow(path: Path, rows: list[dict[str, Any]], *, stream: bool) -> Path:
    import pyarrow as pa

    table = pa.Table.from_pylist(rows)
    new = pa.ipc.new_stream if stream else pa.ipc.new_file
    with new(str(path), table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    return path


def saved(path: Path, rows: list[dict[str, Any]], **splits: list[dict[str, Any]]) -> Path:
    """A folder as `save_to_disk` writes it, several splits if there are any."""
    import datasets

    datasets.disable_progress_bars()
    data: Any = datasets.Dataset.from_list(rows)
    if splits:
        data = datasets.DatasetDict({name: datasets.Dataset.from_list(part) for name, part in splits.items()})
    data.save_to_disk(path)
    return path


WRITERS: dict[str, Callable[[Path, list[dict[str, Any]]], Path]] = {
    "jsonl": lambda folder, rows: write_jsonl(folder / "a.jsonl", rows),
    "jsonl with BOM": lambda folder, rows: write_jsonl(folder / "a.jsonl", rows, encoding="utf-8-sig"),
    "jsonl called json": lambda folder, rows: write_jsonl(folder / "a.json", rows),
    "jsonl called csv": lambda folder, rows: write_jsonl(folder / "a.csv", rows),
    "jsonl without a name": lambda folder, rows: write_jsonl(folder / "a", rows),
    "json list": lambda folder, rows: write_json(folder / "a.json", rows),
    "json list in one line": lambda folder, rows: write_json(folder / "a.txt", rows, indent=None),
    "json list under a key": lambda folder, rows: write_json(folder / "a.json", {"version": 1, "rows": rows}),
    "csv": lambda folder, rows: write_csv(folder / "a.csv", rows),
    "csv with BOM": lambda folder, rows: write_csv(folder / "a.csv", rows, encoding="utf-8-sig"),
    "csv called txt": lambda folder, rows: write_csv(folder / "a.txt", rows),
    "csv with semicolons": lambda folder, rows: write_csv(folder / "a.csv", rows, delimiter=";"),
    "tsv": lambda folder, rows: write_csv(folder / "a.tsv", rows, delimiter="\t"),
    "unicode text of Excel": lambda folder, rows: write_csv(
        folder / "a.txt", rows, delimiter="\t", encoding="utf-16"
    ),
    "csv of pandas": lambda folder, rows: write_csv(folder / "a.csv", rows, listed=repr),
    "parquet": lambda folder, rows: parquet(folder / "a.parquet", rows),
    "parquet called data": lambda folder, rows: parquet(folder / "a.data", rows),
    "arrow file": lambda folder, rows: arrow(folder / "a.arrow", rows, stream=False),
    "arrow stream": lambda folder, rows: arrow(folder / "a.arrow", rows, stream=True),
    "save_to_disk": lambda folder, rows: saved(folder / "a", rows),
    "save_to_disk with splits": lambda folder, rows: saved(folder / "a", rows, train=rows[:1], test=rows),
}


@pytest.mark.parametrize("form", WRITERS)
def test_every_format_gives_the_same_questions(form: str, tmp_path: Path) -> None:
    found = questions(WRITERS[form](tmp_path, korean.plain_rows()))
    assert_same(found, ids=True)
    assert found == questions(write_jsonl(tmp_path / "canonical.jsonl", [q.to_dict() for q in found]))


@pytest.mark.parametrize("form", WRITERS)
def test_every_format_gives_the_same_content_ids(form: str, tmp_path: Path) -> None:
    found = questions(WRITERS[form](tmp_path, korean.dataset_rows()))
    assert_same(found)
    assert found == list(from_rows(korean.dataset_rows()))
    assert len({question.id for question in found}) == len(ROWS)


# A tool's file, and whether it has the ids of the questions.
SHAPES: dict[str, tuple[Any, bool]] = {
    "ragas": (korean.ragas_rows(), False),
    "ragas before 0.2": (korean.old_ragas_rows(), False),
    "deepeval": (korean.deepeval_rows(), False),
    "RAGChecker": (korean.ragchecker(), True),
    "RAGChecker, its older key": ({"input_data": korean.ragchecker()["results"]}, True),
    "AutoRAG": (korean.autorag_rows(), True),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_files_of_other_tools_are_read(shape: str, tmp_path: Path) -> None:
    value, ids = SHAPES[shape]
    found = questions(write_json(tmp_path / "a.json", value))
    assert_same(found, ids=ids, labels=False)
    assert "모델의 답" not in json.dumps([question.to_dict() for question in found], ensure_ascii=False)
    if isinstance(value, list):
        for other in ("jsonl", "csv", "csv of pandas", "parquet", "save_to_disk"):
            again = questions(WRITERS[other](tmp_path, value))
            # A table keeps fields without a role as the texts they are.
            assert [replace(q, metadata={}) for q in again] == [replace(q, metadata={}) for q in found]


def test_deepeval_table_may_join_passages_by_a_bar(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", korean.deepeval_rows(), listed="|".join)
    assert_same(questions(path), labels=False)


def numbered(mark: str, between: str = "\n") -> Callable[[Sequence[str]], str]:
    return lambda texts: between.join(mark.format(n) + text for n, text in enumerate(texts, 1))


HEADED = {
    "문서1: with rules": lambda texts: "검색 결과:\n-----\n" + numbered("문서{}: ", "\n-----\n")(texts),
    "[[ref1]]": lambda texts: "검색 결과:\n" + numbered("[[ref{}]] ")(texts),
    "[1]": lambda texts: "### Search results\n\n" + numbered("[{}] ")(texts),
    "[문서 1]": lambda texts: "[참고 문서]\n" + numbered("[문서 {}]\n", "\n\n")(texts),
    "Document 1:": lambda texts: "Context:\n" + numbered("Document {}: ", "\n\n")(texts),
    "rules": lambda texts: "**검색 결과**\n" + "\n-----\n".join(texts),
    "blank lines": lambda texts: "## 문서\n" + "\n\n".join(texts),
    "tags": lambda texts: f"<context>\n{numbered('[{}] ')(texts)}\n</context>\n위 내용만 쓰세요.",
    "no heading": numbered("문서{}: "),
}


@pytest.mark.parametrize("style", HEADED)
def test_chat_messages_are_read_in_every_style(style: str, tmp_path: Path) -> None:
    rows = korean.chat_rows(HEADED[style])
    found = questions(write_jsonl(tmp_path / "a.jsonl", rows))
    assert_same(found, labels=False)
    for question, row in zip(found, rows, strict=True):
        assert [message.to_json() for message in question.messages] == row["messages"][:-1]
    for other in ("json list", "csv", "parquet", "save_to_disk"):
        assert questions(WRITERS[other](tmp_path, rows)) == found


def test_alpaca_rows_are_read(tmp_path: Path) -> None:
    rows = [row._replace(contexts=row.contexts[:1]) for row in ROWS]
    assert_same(questions(write_json(tmp_path / "a.json", korean.alpaca_rows())), labels=False, rows=rows)
    assert_same(questions(write_csv(tmp_path / "a.csv", korean.alpaca_rows())), labels=False, rows=rows)


def test_squad_korquad_and_klue_are_read(tmp_path: Path) -> None:
    spans = [row._replace(type="") for row in SPANS]
    first = [row._replace(type="") for row in SPANS if row.answerable]
    squad2 = questions(write_json(tmp_path / "2.json", korean.nested()))
    assert_same(squad2, ids=True, rows=spans)
    assert squad2[0].metadata == {"title": "달내"}
    klue = questions(write_json(tmp_path / "klue.json", korean.nested(klue=True), indent=None))
    assert_same(klue, ids=True, rows=[row._replace(type="1") for row in spans])
    korquad1 = korean.nested(first)
    for document in korquad1["data"]:
        for asked in document["paragraphs"][0]["qas"]:
            del asked["is_impossible"]
    assert_same(questions(write_json(tmp_path / "1.json", korquad1)), ids=True, rows=first)
    assert [q.cluster for q in squad2[:2]] == [squad2[0].cluster] * 2 != [q.cluster for q in squad2[1:]]


def test_flattened_squad_is_read(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {
            "title": "달내",
            "context": row.contexts[0],
            "guid": row.id,
            "is_impossible": not row.answerable,
            "question": row.question,
            # its loader fills the plausible answers in
            "answers": {"text": list(row.reference or ("1987년",)) * 2, "answer_start": [0] * 2},
        }
        for row in SPANS
    ]
    spans = [row._replace(type="") for row in SPANS]
    assert_same(questions(parquet(tmp_path / "a.parquet", rows)), ids=True, rows=spans)
    assert_same(questions(write_jsonl(tmp_path / "a.jsonl", rows)), ids=True, rows=spans)
    listed = [
        row | {"answers": [{"text": text, "answer_start": 0} for text in row["answers"]["text"]]}
        for row in rows
    ]
    assert_same(questions(write_jsonl(tmp_path / "a.jsonl", listed)), ids=True, rows=spans)


def test_korquad_2_has_no_paragraphs(tmp_path: Path) -> None:
    asked = {
        "id": "1",
        "question": "언제?",
        "answer": {"text": "1987년", "answer_start": 3, "html_answer_start": 9},
    }
    path = write_json(
        tmp_path / "a.json", {"data": [{"title": "t", "context": "<p>1987년</p>", "qas": [asked]}]}
    )
    (question,) = questions(path)
    assert (question.reference, question.contexts[0].text) == (("1987년",), "<p>1987년</p>")


def test_single_object_is_a_row(tmp_path: Path) -> None:
    row = korean.plain_rows()[0] | {"contexts_seen": [{"a": 1}]}
    for indent in (None, 2):
        (question,) = questions(write_json(tmp_path / "a.json", row, indent=indent))
        assert bare(question) == ROWS[0]


def test_format_can_be_named(tmp_path: Path) -> None:
    for form in ("jsonl", "json list", "csv", "tsv", "parquet"):
        path = WRITERS[form](tmp_path, korean.plain_rows())
        assert_same(questions(path, format=form.split()[0]), ids=True)


def test_a_format_is_one_registered_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def pairs(source: Source) -> Rows:
        for number, line in enumerate(source.path.read_text(encoding="utf-8").splitlines(), 1):
            question, _, answer = line.partition(" = ")
            yield f"{source.name}:{number}", {"question": question, "contexts": [], "answer": answer}

    monkeypatch.setitem(readers.READERS, "pairs", pairs)
    path = tmp_path / "a.txt"
    path.write_text("언제? = 1987년\n누가? = 윤서리\n", encoding="utf-8")
    assert [q.reference for q in read(path, format="pairs")] == [("1987년",), ("윤서리",)]


def test_limit_reads_only_the_first_rows(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [*korean.plain_rows(), {"question": None}])
    assert_same(questions(path, limit=2), ids=True, rows=ROWS[:2])


def test_split_is_chosen(tmp_path: Path) -> None:
    rows = korean.plain_rows()
    both = saved(tmp_path / "both", rows, train=rows[:1], test=rows[1:])
    assert_same(questions(both), ids=True, rows=ROWS[1:])
    assert_same(questions(both, split="train"), ids=True, rows=ROWS[:1])
    only = saved(tmp_path / "only", rows, train=rows)
    assert_same(questions(only), ids=True)


@pytest.mark.parametrize("how", ["list", "generator", "pandas", "polars", "datasets"])
def test_frames_and_data_sets_are_read(how: str) -> None:
    rows: Any = korean.plain_rows()
    if how == "generator":
        rows = (row for row in rows)
    elif how == "pandas":
        rows = pytest.importorskip("pandas").DataFrame(rows)
    elif how == "polars":
        rows = pytest.importorskip("polars").DataFrame(rows)
    elif how == "datasets":
        rows = pytest.importorskip("datasets").Dataset.from_list(rows)
    assert_same(list(from_rows(rows)), ids=True)


def test_pandas_frame_with_arrays_and_missing_values(tmp_path: Path) -> None:
    import pandas

    rows = [
        row | {"level": level}
        for row, level in zip(korean.plain_rows(), (1.5, None, float("nan")), strict=True)
    ]
    found = list(from_rows(pandas.read_parquet(parquet(tmp_path / "a.parquet", rows))))
    assert_same(found, ids=True)
    assert [question.metadata for question in found] == [{"level": 1.5}, {}, {}]
