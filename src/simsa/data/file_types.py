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

from simsa.data.problems import problem
from simsa.errors import DataError
from simsa.i18n.messages import has_message, msg
from simsa.text import encoding_hint

Rows = Iterator[tuple[str, Mapping[str, Any]]]
"""Rows of a file, each with its place: `file:line`, or `file: row N`."""

_HEAD = 65536
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_UTF32 = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)

_KINDS = ((b"PAR1", "parquet"), (b"ARROW1", "arrow"), (b"\xff\xff\xff\xff", "arrow"))
# First bytes, code of the file type, code of the remedy. The first match counts.
_REFUSED: tuple[tuple[bytes, str, str], ...] = (
    (b"version https://git-lfs", "lfs", "lfs"),
    (b"\x1f\x8b", "gzip", "gunzip -k"),
    (b"BZh", "bzip2", "bunzip2 -k"),
    (b"\xfd7zXZ\x00", "xz", "unxz -k"),
    (b"\x28\xb5\x2f\xfd", "zstd", "unzstd"),
    (b"PK\x03\x04", "zip", "unpack"),
    (b"PK\x05\x06", "zip", "unpack"),
    (b"7z\xbc\xaf\x27\x1c", "7z", "unpack"),
    (b"Rar!", "rar", "unpack"),
    (b"%PDF", "pdf", "text"),
    (b"SQLite format 3\x00", "sqlite", "query"),
    (b"\xd0\xcf\x11\xe0", "ole", "csv"),
    (b"{\\rtf", "rtf", "text"),
    (b"\x89HDF", "hdf5", "text"),
    (b"\x93NUMPY", "numpy", "text"),
    (b"GGUF", "gguf", "model"),
    (b"ORC", "orc", "parquet"),
    (b"Obj\x01", "avro", "parquet"),
    (b"FEA1", "feather", "parquet"),
    (b"\x7fELF", "program", "data"),
    (b"\x89PNG", "picture", "data"),
    (b"\xff\xd8\xff", "picture", "data"),
    *((bytes((0x80, protocol)), "pickle", "text") for protocol in range(2, 6)),
    *((mark, "utf32", "utf8") for mark in _UTF32),
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
        raise problem("path", name, reason=str(error)) from None


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
    kind = "pipe" if stat.S_ISFIFO(mode) else "socket" if stat.S_ISSOCK(mode) else "device"
    raise problem("not_a_file", name, kind=msg(f"data.node.{kind}"))


def missing(path: Path, name: str) -> DataError:
    """The error for a path that does not exist, with the most similar name beside it."""
    try:
        siblings = [file.name for file in path.parent.iterdir()]
    except OSError:
        siblings = []
    close = difflib.get_close_matches(path.name, siblings, n=1) if path.name else []
    hint = msg("data.similar", name=str(Path(name).with_name(close[0]))) if close else None
    return problem("missing", name, hint=hint)


def unreadable(error: OSError | ValueError, name: str) -> DataError:
    """The error for a file that the operating system does not let us read."""
    reason = error.strerror if isinstance(error, OSError) else str(error)
    hint = msg("data.unreadable.permission") if isinstance(error, PermissionError) else None
    return problem("unreadable", name, hint=hint, reason=reason or type(error).__name__)


def sniff(path: Path, name: str) -> Source:
    """Looks at the first bytes of a file. Raises DataError for a file that cannot be a test set."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise unreadable(error, name) from None
    if not head:
        raise problem("empty", name)
    for mark, kind in _KINDS:
        if head.startswith(mark):
            return Source(path, name, kind, "", head)
    _refuse_binary(head, path, name)
    if head.startswith(_UTF16):
        return Source(path, name, "text", "utf-16", head)
    if b"\0" in head:
        raise problem("nul_byte", name, byte=head.index(0), command=_iconv("UTF-16LE", path, name))
    text = head.removeprefix(codecs.BOM_UTF8)
    first = text.lstrip()
    if not first and _is_blank(path):
        raise problem("white_space", name)
    if first[:1] == b"<":
        raise problem("html", name, found=first[:60].decode(errors="replace"))
    return Source(path, name, "json" if first[:1] in (b"{", b"[") else "text", "utf-8-sig", text)


def not_utf8(data: bytes, start: int, offset: int, where: str, name: str) -> DataError:
    """The error for a byte that is not UTF-8: `start` within `data`, which begins at byte `offset` of the file."""
    hint = encoding_hint(data[max(0, start - 2000) : start + 2000], name)
    return problem("not_utf8", where, found=f"byte 0x{data[start]:02x}", hint=hint, byte=offset + start)


def utf16_json(source: Source) -> DataError:
    """The error for JSON in UTF-16."""
    hint = encoding_hint(source.head, source.name)
    return problem("utf16_json", source.name, found="byte order mark at byte 0", hint=hint)


def _iconv(encoding: str, path: Path, name: str) -> str:
    return f"iconv -f {encoding} -t UTF-8 {quote(name)} > utf8{path.suffix}"


def _refuse_binary(head: bytes, path: Path, name: str) -> None:
    kind, fix = next(((kind, fix) for mark, kind, fix in _REFUSED if head.startswith(mark)), ("", ""))
    if kind == "zip" and (b"xl/" in head or b"[Content_Types].xml" in head):
        kind, fix = "office", "csv"
    elif kind == "zip" and b"data.pkl" in head:
        kind, fix = "checkpoint", "model"
    elif head[257:262] == b"ustar":
        kind, fix = "tar", "unpack"
    if not kind:
        return
    if has_message(f"data.fix.{fix}"):
        hint = msg(f"data.fix.{fix}", command=_iconv("UTF-32", path, name))
    else:
        hint = msg("data.fix.unpack_with", command=f"{fix} {quote(name)}")
    found = f"first bytes {head[:4].hex(' ')}"
    raise problem("binary", name, found=found, hint=hint, kind=msg(f"data.file.{kind}"))


def _is_blank(path: Path) -> bool:
    with path.open("rb") as file:
        blocks = iter(lambda: file.read(1 << 20), b"")
        return not any(block.removeprefix(codecs.BOM_UTF8).strip() for block in blocks)
