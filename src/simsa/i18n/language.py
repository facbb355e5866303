"""Korean and English: which of them, particles, and sentences that carry both."""

from __future__ import annotations

import unicodedata
from typing import Any, Final, Literal, Self

Language = Literal["ko", "en"]
LANGUAGES: Final[tuple[Language, ...]] = ("ko", "en")


class KoreanNoun(str):
    """A name in a sentence. A format spec such as 이/가 appends the particle that fits it."""

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        if "/" not in spec:
            return str.__format__(self, spec)
        return self + particle(self, *spec.split("/"))


class KoreanNumber(int):
    """A whole number in a sentence; a format spec such as 이/가 appends the particle that fits it."""

    def __format__(self, spec: str) -> str:
        if "/" not in spec:
            return int.__format__(self, spec)
        return f"{int(self)}{particle(str(int(self)), *spec.split('/'))}"


def particle(name: str, closed: str, opened: str) -> str:
    """The particle after `name`: `closed` behind a final consonant, `opened` behind a vowel.

    Digits and the letters that end in a clear vowel or in l, m, n are read aloud;
    for anything else both are given, as in 이(가).
    """
    last = unicodedata.normalize("NFC", name[-3:]).lower()[-1:]
    if "가" <= last <= "힣":
        return closed if (ord(last) - ord("가")) % 28 else opened
    if last and last in "013678lmn":
        return closed
    if last and last in "2459aiouy":
        return opened
    return f"{closed}({opened})"


class LocalizedText(str):
    """A sentence for people. As a `str` it is English, for logs, JSON and libraries; `ko` is the same in Korean.

    What says it need not know who listens: `spoken` picks the language where it is shown.
    """

    ko: str

    def __new__(cls, en: str, ko: str | None = None) -> Self:
        made = super().__new__(cls, en)
        made.ko = en if ko is None else ko
        return made

    def __getnewargs__(self) -> tuple[str, str]:  # type: ignore[override]
        return str(self), self.ko


def localize(text: str, language: Language) -> str:
    """`text` in `language`, where it is said in both; else as it is."""
    return text.ko if language == "ko" and isinstance(text, LocalizedText) else str(text)


def join_text(separator: str, texts: Any) -> LocalizedText:
    """Sentences one after another, still in both languages."""
    parts = list(texts)
    en, ko = (separator.join(localize(part, language) for part in parts) for language in ("en", "ko"))
    return LocalizedText(en, ko)
