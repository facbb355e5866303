"""Parquet, Arrow and `datasets`: streamed, with few imports, never running code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from simsa.data import read
from simsa.data.parquet_files import choose_split, is_hub_name
from simsa.errors import DataError, MissingExtra
from tests.support import korean_rows as korean
from tests.support.korean_rows import ROWS, bare, write_jsonl


def table(rows: list[dict[str, Any]]) -> Any:
    import pyarrow as pa

    return pa.Table.from_pylist(rows)


def test_missing_library_error_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow.parquet as pq

    pq.write_table(table(korean.plain_rows()), tmp_path / "a.parquet")
    (tmp_path / "a.arrow").write_bytes(b"ARROW1")
    for module in ("pyarrow", "pyarrow.parquet", "datasets"):
        monkeypatch.setitem(sys.modules, module, None)
    for path in (tmp_path / "a.parquet", tmp_path / "a.arrow", "org/name"):
        with pytest.raises(
            MissingExtra, match=r"reading .* needs a library[^\n]*\n.*pip install 'simsa\[data\]'"
        ):
            list(read(path))


def test_parquet_and_saved_folders_do_not_import_datasets(tmp_path: Path) -> None:
    import datasets
    import pyarrow.parquet as pq

    datasets.disable_progress_bars()
    pq.write_table(table(korean.plain_rows()), tmp_path / "a.parquet")
    datasets.Dataset.from_list(korean.plain_rows()).save_to_disk(tmp_path / "saved", num_shards=2)
    code = (
        "import sys; from simsa.data import read; "
        f"n = [len(list(read(p))) for p in ({str(tmp_path / 'a.parquet')!r}, {str(tmp_path / 'saved')!r})]; "
        "assert n == [3, 3], n; assert not {'datasets', 'pandas', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_reading_text_imports_no_heavy_library(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", korean.plain_rows())
    code = (
        f"import sys; from simsa.data import read; list(read({str(path)!r})); "
        "assert not {'pyarrow', 'datasets', 'pandas', 'numpy', 'jinja2'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_hub_data_set_is_read(tmp_path: Path) -> None:
    """`datasets` takes a local folder under the name of a hub data set, so the real thing runs without a network."""
    folder = tmp_path / "org" / "name"
    folder.mkdir(parents=True)
    write_jsonl(folder / "train.jsonl", korean.plain_rows()[:1])
    write_jsonl(folder / "test.jsonl", korean.plain_rows())
    environment = os.environ | {"HF_HOME": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "1"}
    found = subprocess.run(
        [sys.executable, "-m", "simsa.cli.main", "convert", "org/name", "--format", "hub"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        check=True,
    )
    rows = [orjson.loads(row) for row in found.stdout.splitlines()]
    assert [row["id"] for row in rows] == [row.id for row in ROWS]


def test_hub_failure_is_an_error() -> None:
    with pytest.raises(
        DataError, match=r"nobody-here/no-such-set: cannot be loaded from the hub: .*\n.*check the name"
    ):
        list(read("nobody-here/no-such-set"))


@pytest.mark.parametrize(
    ("text", "is_name"),
    [
        ("iamjoon/klue-mrc-ko-rag-dataset", True),
        ("klue/klue:mrc", True),
        ("klue", False),
        ("./org/name", False),
        ("/org/name", False),
        ("org/name/test.jsonl", False),
        ("a/../b", False),
        ("~/name", False),
    ],
)
def test_hub_names_are_recognised(text: str, is_name: bool) -> None:
    assert is_hub_name(text) is is_name


def test_missing_file_in_an_existing_folder_is_no_hub_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    with pytest.raises(DataError, match="data/test: no such file"):
        list(read("data/test"))


def test_split_defaults_to_test_or_the_only_one() -> None:
    assert choose_split(["train", "test"], None, "d") == "test"
    assert choose_split(["train", "test"], "train", "d") == "train"
    assert choose_split(["train"], None, "d") == "train"
    with pytest.raises(DataError, match=r"split: has no such split \(found tets\)\n.*'test'"):
        choose_split(["train", "test"], "tets", "d")
    for none in (["train", "dev"], []):
        with pytest.raises(DataError, match="several splits"):
            choose_split(none, None, "d")


def test_saved_folder_of_one_data_set_has_no_splits(tmp_path: Path) -> None:
    import datasets

    datasets.disable_progress_bars()
    datasets.Dataset.from_list(korean.plain_rows()).save_to_disk(tmp_path / "saved")
    assert [bare(question) for question in read(tmp_path / "saved")] == list(ROWS)
    with pytest.raises(DataError, match="split: has no splits"):
        list(read(tmp_path / "saved", split="test"))


def test_column_types_outside_json(tmp_path: Path) -> None:
    import datetime

    import pyarrow as pa
    import pyarrow.parquet as pq

    when = datetime.datetime(2020, 1, 2, 3)
    pq.write_table(
        table([korean.plain_rows()[0] | {"when": when, "score": float("nan")}]), tmp_path / "a.parquet"
    )
    (question,) = read(tmp_path / "a.parquet")
    assert question.metadata == {"when": "2020-01-02T03:00:00"}
    pq.write_table(table([korean.plain_rows()[0] | {"picture": b"\x89PNG"}]), tmp_path / "a.parquet")
    with pytest.raises(DataError, match="row 1: a value of type bytes cannot be kept"):
        list(read(tmp_path / "a.parquet"))
    bad = pa.StringArray.from_buffers(1, pa.py_buffer(b"\0\0\0\0\x02\0\0\0"), pa.py_buffer(b"\xff\xfe"))
    pq.write_table(pa.table({"question": bad}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match="damaged"):
        list(read(tmp_path / "a.parquet"))


def test_large_file_is_streamed(tmp_path: Path) -> None:
    """The memory peak stays far below the size of the file."""
    import tracemalloc

    passages = ["달내시립도서관은 1987년에 열었다. " * 20] * 5
    rows = 10_000
    path = tmp_path / "a.jsonl"
    with path.open("wb") as file:
        for number in range(rows):
            row = {"id": number, "question": "언제?", "contexts": passages, "answer": "1987년"}
            file.write(orjson.dumps(row) + b"\n")
    assert sum(1 for _ in read(path)) == rows
    tracemalloc.start()
    for _ in read(path, limit=3000):
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < path.stat().st_size / 10
