"""What a path is: a readable regular file, and which kind of data its first bytes show.

Nothing is unpickled or unpacked. A file that cannot be a test set is refused with its type and a remedy.
"""

from __future__ import annotations

import codecs
import difflib
import stat
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from shlex import quote
from typing import Any, NamedTuple

from simsa.errors import DataError
from simsa.text import encoding_hint

Rows = Iterator[tuple[str, Mapping[str, Any]]]
"""Rows of a file, each with its place: `file:line`, or `file: row N`."""

_HEAD = 65536
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_UTF32 = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)

_KINDS = ((b"PAR1", "parquet"), (b"ARROW1", "arrow"), (b"\xff\xff\xff\xff", "arrow"))
_AS_TEXT = "save the rows as JSONL, CSV or Parquet"
_AS_CSV = "save the sheet as CSV UTF-8"
_UNPACK = "unpack it and give the file inside"
_NO_DATA = "give a test set"
_PICKLE = "a Python pickle, which is never opened: loading one runs code"
# First bytes, what the file is, what to do. The first match counts.
_REFUSED: tuple[tuple[bytes, str, str], ...] = (
    (b"version https://git-lfs", "a Git LFS pointer, not the data", "fetch the data itself: git lfs pull"),
    (b"\x1f\x8b", "gzip-compressed", "unpack it: gunzip -k FILE"),
    (b"BZh", "bzip2-compressed", "unpack it: bunzip2 -k FILE"),
    (b"\xfd7zXZ\x00", "xz-compressed", "unpack it: unxz -k FILE"),
    (b"\x28\xb5\x2f\xfd", "zstd-compressed", "unpack it: unzstd FILE"),
    (b"PK\x03\x04", "a zip archive", _UNPACK),
    (b"PK\x05\x06", "a zip archive", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _UNPACK),
    (b"Rar!", "a RAR archive", _UNPACK),
    (b"%PDF", "a PDF", _AS_TEXT),
    (b"SQLite format 3\x00", "a SQLite database", f"query it and {_AS_TEXT}"),
    (b"\xd0\xcf\x11\xe0", "an old Excel, Word or Hangul document", _AS_CSV),
    (b"{\\rtf", "an RTF document", _AS_TEXT),
    (b"\x89HDF", "an HDF5 file", _AS_TEXT),
    (b"\x93NUMPY", "a NumPy array", _AS_TEXT),
    (b"GGUF", "a GGUF model", "give the test set, not the model"),
    (b"ORC", "an ORC file", "save it as Parquet"),
    (b"Obj\x01", "an Avro file", "save it as Parquet"),
    (b"FEA1", "a Feather file of version 1", "save it as Parquet"),
    (b"\x7fELF", "a program", _NO_DATA),
    (b"\x89PNG", "a picture", _NO_DATA),
    (b"\xff\xd8\xff", "a picture", _NO_DATA),
    *((bytes((0x80, protocol)), _PICKLE, _AS_TEXT) for protocol in range(2, 6)),
    *(
        (mark, "UTF-32 text", "save it again as UTF-8: iconv -f UTF-32 -t UTF-8 FILE > utf8")
        for mark in _UTF32
    ),
)


class Source(NamedTuple):
    """A file to read. `name` is the path as the user wrote it.

    `kind` is json, text, parquet or arrow; `encoding` is for text; `head` holds the first bytes, without
    a byte order mark. `columns` are the columns that the user mapped. `predicting` says that the rows
    are answers.
    """

    path: Path
    name: str
    kind: str
    encoding: str
    head: bytes
    columns: Collection[str] = ()
    predicting: bool = False


def locate(name: str) -> Path:
    """The path of `name`; `~` is the home folder. Raises DataError."""
    try:
        return Path(name).expanduser()
    except RuntimeError as error:
        raise DataError(f"is not a valid path: {error}", where=name) from None


def kind_of(path: Path, name: str) -> str:
    """`file`, `folder` or `missing`. Raises DataError for anything else and for an unreadable path."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return "missing"
    except (OSError, ValueError) as error:
        raise unreadable(error, name) from None
    if stat.S_ISDIR(mode):
        return "folder"
    if stat.S_ISREG(mode):
        return "file"
    kind = "a pipe" if stat.S_ISFIFO(mode) else "a socket" if stat.S_ISSOCK(mode) else "a device"
    raise DataError(f"is {kind}, not a file", where=name, hint="write the rows to a file first")


def missing(path: Path, name: str) -> DataError:
    """The error for a path that does not exist, with the most similar name beside it."""
    try:
        siblings = [file.name for file in path.parent.iterdir()]
    except OSError:
        siblings = []
    close = difflib.get_close_matches(path.name, siblings, n=1)
    hint = f"did you mean {str(Path(name).with_name(close[0]))!r}?" if close and path.name else None
    return DataError("no such file or folder", where=name, hint=hint)


def unreadable(error: OSError | ValueError, name: str) -> DataError:
    """The error for a file that the operating system does not let us read."""
    reason = error.strerror if isinstance(error, OSError) else str(error)
    hint = "check who may read it: ls -l" if isinstance(error, PermissionError) else None
    return DataError(f"cannot be read: {reason or type(error).__name__}", where=name, hint=hint)


def sniff(path: Path, name: str) -> Source:
    """Looks at the first bytes of a file. Raises DataError for a file that cannot be a test set."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise unreadable(error, name) from None
    if not head:
        raise DataError("is empty", where=name, hint="a test set has at least one row")
    for mark, kind in _KINDS:
        if head.startswith(mark):
            return Source(path, name, kind, "", head)
    _refuse_binary(head, path, name)
    if head.startswith(_UTF16):
        return Source(path, name, "text", "utf-16", head)
    if b"\0" in head:
        raise DataError(
            f"holds a NUL byte at byte {head.index(0)}: a binary file, or UTF-16 without its mark",
            where=name,
            hint=f"if it is text, {_iconv('UTF-16LE', path, name)}",
        )
    text = head.removeprefix(codecs.BOM_UTF8)
    first = text.lstrip()
    if not first and _is_blank(path):
        raise DataError("holds only white space", where=name, hint="a test set has at least one row")
    if first[:1] == b"<":
        raise DataError(
            "is an HTML or XML page, not data",
            where=name,
            found=first[:60].decode(errors="replace"),
            hint="perhaps an error page was saved in place of the file: download it again",
        )
    return Source(path, name, "json" if first[:1] in (b"{", b"[") else "text", "utf-8-sig", text)


def not_utf8(data: bytes, start: int, offset: int, where: str, name: str) -> DataError:
    """The error for a byte that is not UTF-8: `start` within `data`, which begins at byte `offset` of the file."""
    return DataError(
        f"is not UTF-8 at byte {offset + start}",
        where=where,
        found=f"byte 0x{data[start]:02x}",
        hint=encoding_hint(data[max(0, start - 2000) : start + 2000], name),
    )


def utf16_json(source: Source) -> DataError:
    """The error for JSON in UTF-16."""
    return DataError(
        "is UTF-16; JSON is UTF-8",
        where=source.name,
        found="byte order mark at byte 0",
        hint=_iconv("UTF-16", source.path, source.name),
    )


def _iconv(encoding: str, path: Path, name: str) -> str:
    return f"save it again as UTF-8: iconv -f {encoding} -t UTF-8 {quote(name)} > utf8{path.suffix}"


def _refuse_binary(head: bytes, path: Path, name: str) -> None:
    kind, hint = next(((kind, hint) for mark, kind, hint in _REFUSED if head.startswith(mark)), ("", ""))
    if kind == "a zip archive" and (b"xl/" in head or b"[Content_Types].xml" in head):
        kind, hint = "an Excel or other Office document", _AS_CSV
    elif kind == "a zip archive" and b"data.pkl" in head:
        kind, hint = "a PyTorch checkpoint", "give the test set, not the model"
    elif head[257:262] == b"ustar":
        kind, hint = "a tar archive", _UNPACK
    if kind:
        raise DataError(
            f"is {kind}",
            where=name,
            found=f"first bytes {head[:4].hex(' ')}",
            hint=hint.replace("FILE", quote(name)).replace("> utf8", f"> utf8{path.suffix}"),
        )


def _is_blank(path: Path) -> bool:
    with path.open("rb") as file:
        blocks = iter(lambda: file.read(1 << 20), b"")
        return not any(block.removeprefix(codecs.BOM_UTF8).strip() for block in blocks)
