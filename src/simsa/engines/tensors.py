"""safetensors files without torch: their table of contents, and what is in the numbers.

The format: eight bytes with the length of a JSON header (little-endian), the header
(name → dtype, shape, begin and end of the bytes), the bytes.
https://huggingface.co/docs/safetensors
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from simsa.errors import AdapterError

_MAX_HEADER = 100_000_000  # the reference implementation's own limit
_BLOCK = 1 << 22
_BITS = {
    "BOOL": 8,
    "U8": 8,
    "I8": 8,
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    "F8_E4M3": 8,
    "F8_E4M3FNUZ": 8,
    "F8_E5M2": 8,
    "F8_E5M2FNUZ": 8,
    "F8_E8M0": 8,
    "U16": 16,
    "I16": 16,
    "F16": 16,
    "BF16": 16,
    "U32": 32,
    "I32": 32,
    "F32": 32,
    "U64": 64,
    "I64": 64,
    "F64": 64,
    "C64": 64,
}
# dtype → numpy's view of one number, mask without the sign, mask of the exponent
_FLOATS = {
    "F16": ("<u2", 0x7FFF, 0x7C00),
    "BF16": ("<u2", 0x7FFF, 0x7F80),
    "F32": ("<u4", 0x7FFFFFFF, 0x7F800000),
    "F64": ("<u8", 0x7FFFFFFFFFFFFFFF, 0x7FF0000000000000),
}
_PICKLE = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK\x03\x04")
_LFS = b"version https://git-lfs"


class Tensor(NamedTuple):
    """One entry of the table. `begin` and `end` are positions in the file, in bytes."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


class TensorContent(NamedTuple):
    """What a tensor's numbers are: all zero (of either sign), all finite."""

    zero: bool
    finite: bool


def read_table(file: Path) -> dict[str, Tensor]:
    """Name → tensor, in the order of the header. The weights themselves are not read.

    Raises AdapterError for whatever is not a whole safetensors file.
    """
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            start = stream.read(8)
            _refuse_other_formats(file, start + stream.read(len(_LFS)))
            stream.seek(8)
            length = int.from_bytes(start, "little")
            if len(start) < 8 or length > min(size - 8, _MAX_HEADER):
                raise _broken(file, f"ends before its header does ({size} bytes)")
            header = stream.read(length)
    except OSError as error:
        raise AdapterError(f"cannot be read: {error.strerror}", where=str(file)) from None
    return _tensors(file, _parse(file, header), 8 + length, size)


def content(file: Path, tensor: Tensor) -> TensorContent:
    """Reads one tensor's bytes (in blocks). Types that are not IEEE-like count as finite."""
    import numpy as np

    view, magnitude, exponent = _FLOATS.get(tensor.dtype, ("u1", 0xFF, 0))
    zero = finite = True
    for block in _blocks(file, tensor):
        bits = np.frombuffer(block, view)
        zero = zero and not (bits & bits.dtype.type(magnitude)).any()
        if exponent:
            mask = bits.dtype.type(exponent)
            finite = finite and not ((bits & mask) == mask).any()
    return TensorContent(zero, finite)


def _blocks(file: Path, tensor: Tensor) -> Iterator[bytes]:
    left = tensor.end - tensor.begin
    with file.open("rb") as stream:
        stream.seek(tensor.begin)
        while left > 0 and (block := stream.read(min(_BLOCK, left))):
            left -= len(block)
            yield block


def _refuse_other_formats(file: Path, start: bytes) -> None:
    if start[8:9] == b"{":  # a header length may begin like anything
        return
    if start.startswith(_PICKLE):
        raise AdapterError(
            "is a pickle under the name of a safetensors file; it was not opened, because a pickle can run code",
            where=str(file),
            hint="save the weights with save_pretrained(…, safe_serialization=True)",
        )
    if start.startswith(_LFS):
        raise AdapterError("is a Git LFS pointer, not the weights", where=str(file), hint="git lfs pull")


def _parse(file: Path, header: bytes) -> dict[str, Any]:
    try:
        table = orjson.loads(header)
    except orjson.JSONDecodeError:
        raise _broken(file, "has a header that is not JSON") from None
    if not isinstance(table, dict):
        raise _broken(file, "has a header that is not a table")
    table.pop("__metadata__", None)
    return table


def _tensors(file: Path, table: Mapping[str, Any], base: int, size: int) -> dict[str, Tensor]:
    found = {name: _tensor(file, name, entry, base) for name, entry in table.items()}
    end = max((tensor.end for tensor in found.values()), default=base)
    if end > size:
        raise _broken(file, f"is truncated: {size} bytes of {end}")
    if end < size:
        raise _broken(file, f"has {size - end} bytes that its header does not name")
    return found


def _tensor(file: Path, name: str, entry: Any, base: int) -> Tensor:
    match entry:
        case {"dtype": str(dtype), "shape": list(shape), "data_offsets": [int(begin), int(end)]}:
            counts = all(type(n) is int and n >= 0 for n in shape)
            if (
                counts
                and dtype in _BITS
                and (end - begin) * 8 == math.prod(shape) * _BITS[dtype]
                and begin >= 0
            ):
                return Tensor(name, dtype, tuple(shape), base + begin, base + end)
    raise _broken(file, f"describes the tensor {name!r} wrongly")


def _broken(file: Path, what: str) -> AdapterError:
    return AdapterError(what, where=str(file), hint="copy or save the weights again")
