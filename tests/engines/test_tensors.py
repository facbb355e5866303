"""Safetensors files: shapes and contents, and other files that carry the same name."""

from __future__ import annotations

import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from simsa.engines.tensors import read_contents, read_shapes
from simsa.errors import AdapterError
from tests.support.model_folders import lora, write_safetensors


@given(cut=st.integers(0, 700), flip=st.integers(0, 300), to=st.integers(0, 255))
@settings(max_examples=200, deadline=None)
def test_a_damaged_file_is_an_adapter_error_or_readable(
    tmp_path_factory: pytest.TempPathFactory, cut: int, flip: int, to: int
) -> None:
    file = tmp_path_factory.mktemp("t") / "x.safetensors"
    write_safetensors(file, lora(layers=1, r=1))
    raw = bytearray(file.read_bytes())
    raw[flip] = to
    file.write_bytes(raw[: len(raw) - cut])
    for read in (read_shapes, read_contents):
        try:
            read(file)
        except AdapterError as error:
            assert error.where == str(file)


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"", "not a whole safetensors file"),
        (struct.pack("<Q", 500) + b"{}", "not a whole safetensors file"),
        (struct.pack("<Q", 3) + b"{x}", "not a whole safetensors file"),
        (pickle.dumps({"a": 1}), "pickle"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n", "Git LFS pointer"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, raw: bytes, problem: str) -> None:
    file = tmp_path / "x.safetensors"
    file.write_bytes(raw)
    with pytest.raises(AdapterError, match=problem) as caught:
        read_shapes(file)
    assert caught.value.where == str(file)
    assert caught.value.exit_code == 2


def test_a_torch_archive_is_called_a_pickle(tmp_path: Path) -> None:
    file = tmp_path / "x.safetensors"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("data.pkl", b"\x80\x02}.")
    with pytest.raises(AdapterError, match="pickle"):
        read_contents(file)


@pytest.mark.parametrize("length", [0x0280, 0x4B50])
def test_a_header_length_may_look_like_a_pickle(tmp_path: Path, length: int) -> None:
    header = b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'.ljust(length)
    file = tmp_path / "x.safetensors"
    file.write_bytes(struct.pack("<Q", length) + header + b"\x01")
    assert read_shapes(file)["a"].shape == (1,)


def test_a_missing_file_is_an_adapter_error(tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match="cannot be read"):
        read_shapes(tmp_path / "x.safetensors")


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize(
    ("values", "zero", "finite"),
    [
        ([0.0, -0.0, 0.0], True, True),
        ([0.0, 1e-7, 0.0], False, True),
        ([1.0, float("nan")], False, False),
        ([float("-inf"), 0.0], False, False),
        ([], True, True),
    ],
)
def test_content_of_floats(tmp_path: Path, dtype: str, values: list[float], zero: bool, finite: bool) -> None:
    file = tmp_path / "x.safetensors"
    safetensors.numpy.save_file({"pad": np.ones(3, "int8"), "x": np.array(values, dtype)}, file)
    assert read_contents(file)["x"] == (zero, finite)


@pytest.mark.parametrize(
    ("bits", "zero", "finite"), [(0x8000, True, True), (0x3F80, False, True), (0x7F80, False, False)]
)
def test_content_of_bfloat16(tmp_path: Path, bits: int, zero: bool, finite: bool) -> None:
    file = tmp_path / "x.safetensors"
    write_safetensors(file, {"x": ("BF16", (2,), struct.pack("<2H", 0, bits))})
    assert read_contents(file)["x"] == (zero, finite)
