"""Tensors of safetensors files, read with the `safetensors` package and without torch."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from simsa.errors import AdapterError
from simsa.i18n.messages import msg

# dtype → numpy type of one number's bits, mask of the magnitude (without the sign), mask of the exponent
_FLOATS = {
    "F16": ("<u2", 0x7FFF, 0x7C00),
    "BF16": ("<u2", 0x7FFF, 0x7F80),
    "F32": ("<u4", 0x7FFFFFFF, 0x7F800000),
    "F64": ("<u8", 0x7FFFFFFFFFFFFFFF, 0x7FF0000000000000),
}
_PICKLE = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK\x03\x04")
_LFS = b"version https://git-lfs"


class Tensor(NamedTuple):
    """Name, safetensors dtype (such as `BF16`) and shape of one tensor."""

    name: str
    dtype: str
    shape: tuple[int, ...]


class TensorContent(NamedTuple):
    """Whether all numbers of a tensor are zero, and whether all are finite."""

    zero: bool
    finite: bool


def read_shapes(file: Path) -> dict[str, Tensor]:
    """Name → tensor. Reads the header only. Raises AdapterError for a file that is not valid safetensors."""
    from safetensors import SafetensorError, safe_open

    _refuse_other_formats(file)
    try:
        with safe_open(file, framework="np") as opened:
            slices = {name: opened.get_slice(name) for name in opened.keys()}  # noqa: SIM118
            return {name: Tensor(name, s.get_dtype(), tuple(s.get_shape())) for name, s in slices.items()}
    except (SafetensorError, OSError) as error:
        raise _broken(file, error) from None


def read_contents(file: Path) -> dict[str, TensorContent]:
    """Name → content of every tensor. Reads the whole file; numbers of other than IEEE types count as finite.

    Raises AdapterError for a file that is not valid safetensors.
    """
    from safetensors import SafetensorError, deserialize

    _refuse_other_formats(file)
    try:
        tensors = deserialize(file.read_bytes())  # type: ignore[no-untyped-call]
    except (SafetensorError, OSError) as error:
        raise _broken(file, error) from None
    return {name: _content(tensor["dtype"], tensor["data"]) for name, tensor in tensors}


def _content(dtype: str, data: bytes) -> TensorContent:
    import numpy as np

    view, magnitude, exponent = _FLOATS.get(dtype, ("u1", 0xFF, 0))
    bits = np.frombuffer(data, view)
    mask = bits.dtype.type(exponent)
    finite = not exponent or not ((bits & mask) == mask).any()
    return TensorContent(zero=not (bits & bits.dtype.type(magnitude)).any(), finite=bool(finite))


def _refuse_other_formats(file: Path) -> None:
    try:
        with file.open("rb") as stream:
            start = stream.read(8 + len(_LFS))
    except OSError as error:
        raise AdapterError(
            msg("error.engines.cannot_read", strerror=error.strerror), where=str(file)
        ) from None
    if start[8:9] == b"{":  # a valid header; its length, the first eight bytes, may look like anything
        return
    if start.startswith(_PICKLE):
        raise AdapterError(
            msg("error.engines.is_pickle_name_safetensors_file"),
            where=str(file),
            hint=msg("error.engines.save_weights_save_pretrained_safe"),
        )
    if start.startswith(_LFS):
        raise AdapterError(msg("error.engines.is_git_lfs_pointer_not"), where=str(file), hint="git lfs pull")


def _broken(file: Path, error: Exception) -> AdapterError:
    return AdapterError(
        msg("error.engines.is_not_whole_safetensors_file", error=error),
        where=str(file),
        hint=msg("error.engines.copy_or_save_weights_again"),
    )
