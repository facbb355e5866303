"""Formatting of text and numbers for people: safe characters, hints about names, amounts."""

from __future__ import annotations

import codecs
import math
import re
import shlex
from collections.abc import Iterable
from pathlib import PurePath

from simsa.i18n.language import LocalizedText, join_text
from simsa.i18n.messages import msg

# C0 and C1 controls but tab and newline, DEL, bidirectional overrides and isolates,
# zero-width characters, line and paragraph separators, lone surrogates.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


_SMALLEST_PLACE = 12


def visible(text: str) -> str:
    """`text` with every control and invisible character replaced by `�`."""
    return _UNSAFE.sub("�", text.replace("\r\n", "\n"))


def one_line(text: str, limit: int | None = None) -> str:
    """`visible` text on one line, cut to `limit` characters with an ellipsis."""
    flat = " ".join(visible(text).split())
    return flat if limit is None or len(flat) <= limit else flat[: limit - 1] + "…"


def encoding_hint(data: bytes, name: str) -> LocalizedText:
    """A hint for the file `name`, which should be UTF-8 and is not; `data` is its content, or the part in question."""
    encoding, called = "ENCODING", msg("hint.encoding.other")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding, called = "UTF-16", msg("hint.encoding.utf16")
    elif _is_cp949(data):
        encoding, called = "CP949", msg("hint.encoding.cp949")
    command = f"iconv -f {encoding} -t UTF-8 {shlex.quote(name)} > utf8{PurePath(name).suffix}"
    return msg("hint.encoding", encoding=called, command=command)


def _is_cp949(data: bytes) -> bool:
    """Whether `data`, cut anywhere, reads as CP949 and holds Hangul."""
    for cut in (0, 1):
        try:
            text = codecs.getincrementaldecoder("cp949")().decode(data[cut:])
        except UnicodeDecodeError:
            continue
        return any("가" <= letter <= "힣" for letter in text)
    return False


def list_choices(found: str, known: Iterable[str]) -> LocalizedText:
    """A hint for a name that is not in `known`: the most similar name, and all names."""
    names = list(known)
    listed = msg("hint.choices", list=", ".join(names)) if names else msg("hint.no_choices")
    return join_text("", (suggestion(found, names), listed))


def suggestion(found: str, known: Iterable[str]) -> LocalizedText:
    """The text "did you mean …? " where `found` is similar to one of `known`, else an empty text."""
    near = closest(found, known)
    return LocalizedText("") if near is None else msg("hint.similar", name=near)


def closest(found: str, known: Iterable[str]) -> str | None:
    """The name in `known` that is most similar to `found`; None if none is similar."""
    import difflib

    folded = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(found.casefold(), folded, n=1)
    return folded[near[0]] if near else None


def quoted(text: object) -> str:
    """`text` as a TOML basic string; unprintable characters are escaped, lone surrogates become `�`."""
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


def format_number(number: float) -> str:
    """0.00001 or 1234567: all digits, without an exponent."""
    whole, _, rest = f"{number:.{_SMALLEST_PLACE}f}".partition(".")
    return f"{whole}.{rest}".rstrip("0").rstrip(".")


def usd(cost: float) -> str:
    """$1,234.50, $0.12, $0.0042 or $0.000031: at least two significant digits, without an exponent."""
    places = 2 if cost == 0 else max(2, 1 - math.floor(math.log10(abs(cost))))
    return f"${cost:,.{min(places, _SMALLEST_PLACE)}f}"
