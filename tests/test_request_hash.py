"""A folder of weights is named by what is in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from simsa.request_hash import weights_hash

LARGE = 64 * 1024 * 16 + 2


def folder(at: Path, **files: bytes) -> str:
    at.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (at / name.replace("__", ".")).write_bytes(content)
    return str(at)


def test_equal_folders_have_one_name_wherever_they_lie(tmp_path: Path) -> None:
    made = {"config__json": b"{}", "model__safetensors": b"weights"}
    assert weights_hash(folder(tmp_path / "a", **made)) == weights_hash(folder(tmp_path / "b" / "c", **made))


@pytest.mark.parametrize(
    "change",
    [
        {"model__safetensors": b"weightS"},
        {"config__json": b"{ }"},
        {"chat_template__jinja": b"{{ x }}"},
        {"tokenizer__model": b"pieces"},
        {"vocab__txt": b"a"},
    ],
)
def test_whatever_can_change_an_answer_changes_the_name(tmp_path: Path, change: dict[str, bytes]) -> None:
    made = {"config__json": b"{}", "model__safetensors": b"weights"}
    before = weights_hash(folder(tmp_path / "a", **made))
    assert weights_hash(folder(tmp_path / "a", **change)) != before


def test_what_changes_no_answer_does_not(tmp_path: Path) -> None:
    at = folder(tmp_path / "a", config__json=b"{}")
    before = weights_hash(at)
    folder(tmp_path / "a", README__md=b"read me", optimizer__pt=b"state")
    (tmp_path / "a" / "checkpoint-1").mkdir()
    assert weights_hash(at) == before


def test_a_file_that_moved_its_bytes_into_another_is_another_folder(tmp_path: Path) -> None:
    """The names and sizes stand between the contents."""
    first = weights_hash(folder(tmp_path / "a", a__json=b"12", b__json=b"3"))
    second = weights_hash(folder(tmp_path / "b", a__json=b"1", b__json=b"23"))
    assert first != second


@pytest.mark.parametrize("place", [0, 64 * 1024 - 1, LARGE - 64 * 1024, LARGE - 1])
def test_a_large_file_counts_by_both_its_ends_and_its_size(tmp_path: Path, place: int) -> None:
    content = bytearray(LARGE)
    before = weights_hash(folder(tmp_path / "a", model__safetensors=bytes(content)))
    content[place] = 1
    assert weights_hash(folder(tmp_path / "a", model__safetensors=bytes(content))) != before
    assert weights_hash(folder(tmp_path / "a", model__safetensors=bytes(LARGE + 1))) != before


def test_a_name_on_the_hub_is_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert weights_hash("google/gemma-3-270m") == weights_hash("google/gemma-3-270m")
    assert weights_hash("google/gemma-3-270m") != weights_hash("google/gemma-3-270m-it")
    (tmp_path / "file").write_text("no folder")
    assert weights_hash(str(tmp_path / "file")) != weights_hash(folder(tmp_path / "empty"))
