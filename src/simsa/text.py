"""Text of models and data on its way to a person's eyes."""

from __future__ import annotations

import codecs
import math
import re
import shlex
from collections.abc import Iterable
from pathlib import PurePath

# C0 and C1 controls but tab and newline, DEL, bidirectional overrides and isolates,
# zero-width characters, line and paragraph separators, lone surrogates.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


_SMALLEST_PLACE = 12


def visible(text: str) -> str:
    """`text` without anything that could move a cursor, change a colour or hide: each such character as `�`."""
    return _UNSAFE.sub("�", text.replace("\r\n", "\n"))


def one_line(text: str, limit: int | None = None) -> str:
    """`visible` text on one line, cut to `limit` characters with an ellipsis."""
    flat = " ".join(visible(text).split())
    return flat if limit is None or len(flat) <= limit else flat[: limit - 1] + "…"


def encoding_hint(data: bytes, name: str) -> str:
    """What to do about the file `name` that should be UTF-8 and is not; `data` is what is in it, or the odd part."""
    encoding, called = "ENCODING", "another encoding"
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = called = "UTF-16"
    elif _is_cp949(data):
        encoding, called = "CP949", "CP949 (EUC-KR), as Korean Excel writes it"
    command = f"iconv -f {encoding} -t UTF-8 {shlex.quote(name)} > utf8{PurePath(name).suffix}"
    return f"it looks like {called}; save it again as UTF-8: {command}"


def _is_cp949(data: bytes) -> bool:
    """Whether `data`, cut anywhere, reads as CP949 and holds Hangul."""
    for cut in (0, 1):
        try:
            text = codecs.getincrementaldecoder("cp949")().decode(data[cut:])
        except UnicodeDecodeError:
            continue
        return any("가" <= letter <= "힣" for letter in text)
    return False


def list_choices(found: str, known: Iterable[str]) -> str:
    """What to say of a name that is none of `known`: the one that was probably meant, and which there are."""
    names = list(known)
    listed = f"there are {', '.join(names)}" if names else "there is none"
    return suggestion(found, names) + listed


def suggestion(found: str, known: Iterable[str]) -> str:
    """The beginning of a hint where `found` is nearly one of `known`, else nothing."""
    near = closest(found, known)
    return "" if near is None else f"did you mean {near!r}? "


def closest(found: str, known: Iterable[str]) -> str | None:
    """The one of `known` that was probably meant; None where nothing is near."""
    import difflib

    folded = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(found.casefold(), folded, n=1)
    return folded[near[0]] if near else None


def quoted(text: object) -> str:
    """`text` as a TOML basic string; what cannot be seen is escaped, and half a character pair becomes `�`."""
    return '"' + "".join(_quoted(character) for character in str(text)) + '"'


def _quoted(character: str) -> str:
    code = ord(character)
    if character in '\\"':
        return f"\\{character}"
    if character.isprintable():
        return character
    if 0xD800 <= code <= 0xDFFF:
        return "�"
    return {"\n": "\\n", "\t": "\\t"}.get(character) or (
        f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
    )


def count(n: int) -> str:
    """12,345."""
    return f"{n:,}"


def strip_controls(number: float) -> str:
    """0.00001 or 1234567: all of its digits, and never an exponent."""
    whole, _, rest = f"{number:.{_SMALLEST_PLACE}f}".partition(".")
    return f"{whole}.{rest}".rstrip("0").rstrip(".")


def usd(cost: float) -> str:
    """$1,234.50, $0.12, $0.0042 or $0.000031: at least two digits that say something, and never an exponent."""
    places = 2 if cost == 0 else max(2, 1 - math.floor(math.log10(abs(cost))))
    return f"${cost:,.{min(places, _SMALLEST_PLACE)}f}"
