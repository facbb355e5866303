"""What a path is before anything of it is believed: a readable regular file, and what its first bytes say.

Nothing is ever unpickled or unpacked. What cannot be a test set is refused by its own
name, with what to do about it.
"""

from __future__ import annotations

import codecs
import difflib
import stat
from pathlib import Path
from shlex import quote
from typing import NamedTuple

from simsa.errors import DataError
from simsa.text import encoding_hint

HEAD = 65536
_UTF8, _UTF16 = codecs.BOM_UTF8, (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_UTF32 = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)

_AS_TEXT = "save the rows as JSONL, CSV or Parquet"
_UNPACK = "unpack it and give the file inside"
# First bytes → what the file is, what to do.
_SIGNATURES: tuple[tuple[bytes, str, str], ...] = (
    (b"version https://git-lfs", "a Git LFS pointer, not the data", "fetch the data itself: git lfs pull"),
    (b"\x1f\x8b", "gzip-compressed", "unpack it: gunzip -k FILE"),
    (b"BZh", "bzip2-compressed", "unpack it: bunzip2 -k FILE"),
    (b"\xfd7zXZ\x00", "xz-compressed", "unpack it: unxz -k FILE"),
    (b"\x28\xb5\x2f\xfd", "zstd-compressed", "unpack it: unzstd FILE"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _UNPACK),
    (b"Rar!", "a RAR archive", _UNPACK),
    (b"%PDF", "a PDF", _AS_TEXT),
    (b"SQLite format 3\x00", "a SQLite database", f"query it and {_AS_TEXT}"),
    (b"\xd0\xcf\x11\xe0", "an old Excel, Word or Hangul document", "save the sheet as CSV UTF-8"),
    (b"{\\rtf", "an RTF document", _AS_TEXT),
    (b"\x89HDF", "an HDF5 file", _AS_TEXT),
    (b"\x93NUMPY", "a NumPy array", _AS_TEXT),
    (b"GGUF", "a GGUF model", "give the test set, not the model"),
    (b"ORC", "an ORC file", "save it as Parquet"),
    (b"Obj\x01", "an Avro file", "save it as Parquet"),
    (b"FEA1", "a Feather file of version 1", "save it as Parquet"),
    (b"\x7fELF", "a program", "give a test set"),
    (b"\x89PNG", "a picture", "give a test set"),
    (b"\xff\xd8\xff", "a picture", "give a test set"),
)


class FileType(NamedTuple):
    """`kind`: json (some kind of it), text, parquet, arrow; `encoding` for text; `head` the first bytes without BOM."""

    kind: str
    encoding: str
    head: bytes


def located(name: str) -> Path:
    """The path that `name` is; `~` is the home folder."""
    try:
        return Path(name).expanduser()
    except RuntimeError as error:
        raise DataError(f"leads nowhere: {error}", where=name) from None


def kind_of(path: Path, name: str) -> str:
    """`file`, `folder` or `missing`. Raises DataError for anything else and for what may not be read."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return "missing"
    except (OSError, ValueError) as error:
        raise unreadable(error, name) from None
    if stat.S_ISDIR(mode):
        return "folder"
    if not stat.S_ISREG(mode):
        kinds = ((stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"))
        what = next((word for test, word in kinds if test(mode)), "a device")
        raise DataError(f"is {what}, not a file", where=name, hint="write the rows to a file first")
    return "file"


def missing(path: Path, name: str) -> DataError:
    """The error for a path that is not there, with the name nearby that looks most like it."""
    try:
        beside = [file.name for file in path.parent.iterdir()]
    except OSError:
        beside = []
    close = difflib.get_close_matches(path.name, beside, n=1)
    hint = f"did you mean {str(Path(name).with_name(close[0]))!r}?" if close and path.name else None
    return DataError("no such file or folder", where=name, hint=hint)


def unreadable(error: OSError | ValueError, name: str) -> DataError:
    """What the system says of a file that it will not give."""
    reason = error.strerror if isinstance(error, OSError) else str(error)
    hint = "check who may read it: ls -l" if isinstance(error, PermissionError) else None
    return DataError(f"cannot be read: {reason or type(error).__name__}", where=name, hint=hint)


def sniff(path: Path, name: str) -> FileType:
    """Looks at the first bytes of a file. Raises DataError for what is no test set."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        raise unreadable(error, name) from None
    if not head:
        raise DataError("is empty", where=name, hint="a test set has at least one row")
    if head[:4] == b"PAR1":
        return FileType("parquet", "", head)
    if head[:6] == b"ARROW1" or head[:4] == b"\xff\xff\xff\xff":
        return FileType("arrow", "", head)
    _refuse_binary(head, name)
    return _sniff_text(head, path, name)


def _sniff_text(head: bytes, path: Path, name: str) -> FileType:
    if head.startswith(_UTF16):
        return FileType("text", "utf-16", head)
    if b"\0" in head:
        raise DataError(
            f"holds a NUL byte at byte {head.index(0)}: a binary file, or UTF-16 without its mark",
            where=name,
            hint=f"if it is text, save it again as UTF-8: iconv -f UTF-16LE -t UTF-8 {quote(name)} > utf8{path.suffix}",
        )
    text = head.removeprefix(_UTF8)
    first = text.lstrip()
    if not first and not _more_than_space(path):
        raise DataError("holds only white space", where=name, hint="a test set has at least one row")
    if first[:1] == b"<":
        raise DataError(
            "is an HTML or XML page, not data",
            where=name,
            found=first[:60].decode(errors="replace"),
            hint="perhaps an error page was saved in place of the file: download it again",
        )
    return FileType("json" if first[:1] in (b"{", b"[") else "text", "utf-8-sig", text)


def not_utf8(data: bytes, start: int, offset: int, where: str, name: str) -> DataError:
    """The error for bytes that are not UTF-8: `start` within `data`, which begins at byte `offset` of the file."""
    return DataError(
        f"is not UTF-8 at byte {offset + start}",
        where=where,
        found=f"byte 0x{data[start]:02x}",
        hint=encoding_hint(data[max(0, start - 2000) : start + 2000], name),
    )


def utf16_json(name: str) -> DataError:
    return DataError(
        "is UTF-16; JSON is UTF-8",
        where=name,
        found="byte order mark at byte 0",
        hint=f"save it again as UTF-8: iconv -f UTF-16 -t UTF-8 {quote(name)} > utf8{Path(name).suffix}",
    )


def _refuse_binary(head: bytes, name: str) -> None:
    what = hint = ""
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        what, hint = "a zip archive", _UNPACK
        if b"xl/" in head or b"[Content_Types].xml" in head:
            what, hint = "an Excel or other Office document", "save the sheet as CSV UTF-8"
        elif b"data.pkl" in head:
            what, hint = "a PyTorch checkpoint", "give the test set, not the model"
    elif head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        what, hint = "a Python pickle, which is never opened: loading one runs code", _AS_TEXT
    elif head[257:262] == b"ustar":
        what, hint = "a tar archive", _UNPACK
    elif head[:4] in _UTF32:
        what, hint = (
            "UTF-32 text",
            f"save it again as UTF-8: iconv -f UTF-32 -t UTF-8 {quote(name)} > utf8{Path(name).suffix}",
        )
    else:
        what, hint = next(((w, h) for magic, w, h in _SIGNATURES if head.startswith(magic)), ("", ""))
    if what:
        shown = " ".join(f"{byte:02x}" for byte in head[:4])
        raise DataError(
            f"is {what}", where=name, found=f"first bytes {shown}", hint=hint.replace("FILE", quote(name))
        )


def _more_than_space(path: Path) -> bool:
    with path.open("rb") as file:
        return any(block.removeprefix(_UTF8).strip() for block in iter(lambda: file.read(1 << 20), b""))
