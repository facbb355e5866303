"""The safetensors table: read as the reference library reads it, refused where it would refuse."""

from __future__ import annotations

import json
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from simsa.engines.tensors import content, read_table
from simsa.errors import AdapterError
from tests.engines.making import lora, write_safetensors

_DTYPES = ["float16", "float32", "float64", "int8", "uint8", "int16", "int32", "int64", "bool"]
_ARRAYS = st.dictionaries(
    st.text(min_size=1, max_size=20).filter(lambda name: name != "__metadata__"),
    st.tuples(st.sampled_from(_DTYPES), st.lists(st.integers(0, 5), max_size=3)),
    min_size=1,
    max_size=5,
)


@given(_ARRAYS)
@settings(max_examples=50, deadline=None)
def test_agrees_with_the_reference_writer(tmp_path_factory: pytest.TempPathFactory, arrays: dict) -> None:
    file = tmp_path_factory.mktemp("t") / "x.safetensors"
    wanted = {name: np.ones(shape, dtype) for name, (dtype, shape) in arrays.items()}
    safetensors.numpy.save_file(wanted, file)
    table = read_table(file)
    assert {name: tensor.shape for name, tensor in table.items()} == {k: v.shape for k, v in wanted.items()}
    raw = file.read_bytes()
    for name, array in wanted.items():
        assert raw[table[name].begin : table[name].end] == array.tobytes()


@given(cut=st.integers(0, 700), flip=st.integers(0, 300), to=st.integers(0, 255))
@settings(max_examples=200, deadline=None)
def test_whatever_the_reference_refuses_is_refused(
    tmp_path_factory: pytest.TempPathFactory, cut: int, flip: int, to: int
) -> None:
    """A damaged file is an AdapterError or a table, never another exception; the reference agrees on the first."""
    file = tmp_path_factory.mktemp("t") / "x.safetensors"
    write_safetensors(file, lora(layers=1, r=1))
    raw = bytearray(file.read_bytes())
    raw[flip] = to
    file.write_bytes(raw[: len(raw) - cut])
    try:
        with safetensors.safe_open(file, "numpy") as reference:
            names = set(reference.keys())
    except (safetensors.SafetensorError, OSError):
        names = None
    try:
        table = read_table(file)
    except AdapterError:
        return
    # orjson reads a few headers that the reference does not (doubled keys, say): never the other way.
    assert names is None or set(table) == names


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "ends before its header does"),
        (b"\x08\x00", "ends before its header does"),
        (struct.pack("<Q", 500) + b"{}", "ends before its header does"),
        (struct.pack("<Q", 1 << 60) + b"{}", "ends before its header does"),
        (struct.pack("<Q", 3) + b"{x}", "not JSON"),
        (struct.pack("<Q", 2) + b"[]", "not a table"),
        (struct.pack("<Q", 2) + b"{}xyz", "does not name"),
        (pickle.dumps({"a": 1}), "pickle"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n", "Git LFS pointer"),
    ],
)
def test_what_is_no_safetensors_file(tmp_path: Path, raw: bytes, says: str) -> None:
    file = tmp_path / "x.safetensors"
    file.write_bytes(raw)
    with pytest.raises(AdapterError, match=says) as caught:
        read_table(file)
    assert caught.value.where == str(file)
    assert caught.value.exit_code == 2


def test_a_torch_archive_is_called_a_pickle(tmp_path: Path) -> None:
    file = tmp_path / "x.safetensors"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("data.pkl", b"\x80\x02}.")
    with pytest.raises(AdapterError, match="pickle"):
        read_table(file)


@pytest.mark.parametrize("length", [0x0280, 0x4B50])
def test_a_header_length_may_look_like_a_pickle(tmp_path: Path, length: int) -> None:
    """The first bytes are a number, and any number is one."""
    header = b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'.ljust(length)
    file = tmp_path / "x.safetensors"
    file.write_bytes(struct.pack("<Q", length) + header + b"\x01")
    assert read_table(file)["a"].shape == (1,)


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [1], "data_offsets": [0, 3]},
        {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [True], "data_offsets": [0, 4]},
        {"dtype": "F99", "shape": [1], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [1], "data_offsets": [-4, 0]},
        {"dtype": "F32", "shape": 1, "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [1]},
        "text",
    ],
)
def test_a_wrong_entry_is_named(tmp_path: Path, entry: object) -> None:
    header = json.dumps({"some.weight": entry}).encode()
    file = tmp_path / "x.safetensors"
    file.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    with pytest.raises(AdapterError, match=r"some\.weight"):
        read_table(file)


def test_truncated_weights(tmp_path: Path) -> None:
    file = tmp_path / "x.safetensors"
    write_safetensors(file, lora())
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(AdapterError, match="truncated"):
        read_table(file)


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
def test_content(tmp_path: Path, dtype: str, values: list[float], zero: bool, finite: bool) -> None:
    file = tmp_path / "x.safetensors"
    safetensors.numpy.save_file({"pad": np.ones(3, "int8"), "x": np.array(values, dtype)}, file)
    assert content(file, read_table(file)["x"]) == (zero, finite)


@pytest.mark.parametrize(
    ("bits", "zero", "finite"), [(0x8000, True, True), (0x3F80, False, True), (0x7F80, False, False)]
)
def test_content_of_bfloat16(tmp_path: Path, bits: int, zero: bool, finite: bool) -> None:
    file = tmp_path / "x.safetensors"
    write_safetensors(file, {"x": ("BF16", (2,), struct.pack("<2H", 0, bits))})
    assert content(file, read_table(file)["x"]) == (zero, finite)


def test_content_of_a_tensor_longer_than_a_block(tmp_path: Path) -> None:
    file = tmp_path / "x.safetensors"
    array = np.zeros(3_000_000, "float32")
    safetensors.numpy.save_file({"x": array}, file)
    assert content(file, read_table(file)["x"]).zero
    array[-1] = np.nan
    safetensors.numpy.save_file({"x": array}, file)
    assert content(file, read_table(file)["x"]) == (False, False)
