"""The message catalogue: every text shown to people, by code, in Korean and English.

The texts are in `ko.toml` and `en.toml`, in one table for each place that shows them: `messages` (the terminal,
notes and errors), `measures` (names of criteria and metrics), `report`, `page`,
`calibration` and `help` (the command line). Both files have the same codes and the same blanks.
"""

from __future__ import annotations

import tomllib
from collections import ChainMap
from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources
from typing import Any, Literal, Protocol

from simsa.i18n.language import LANGUAGES, KoreanNoun, KoreanNumber, Language, LocalizedText, localize

Section = Literal["messages", "measures", "report", "page", "calibration", "help"]
Words = Callable[..., str]
"""Maps a code, and the values of its blanks, to a text in one language."""


@cache
def catalogue(language: Language) -> Mapping[Section, dict[str, str]]:
    """All texts of `language`: section → code → text."""
    texts = resources.files("simsa.i18n").joinpath(f"{language}.toml").read_text(encoding="utf-8")
    found: Mapping[Section, dict[str, str]] = tomllib.loads(texts)  # type: ignore[assignment]
    return found


def msg(code: str, /, **values: Any) -> LocalizedText:
    """The message `code` in both languages, with its blanks filled. Raises KeyError for an unknown code.

    A value that is itself a `LocalizedText` is filled in the matching language.
    """
    ko, en = (_fill(catalogue(language)["messages"][code], values, language) for language in LANGUAGES)
    return LocalizedText(en, ko)


def has_message(code: str) -> bool:
    """Whether `msg` knows `code`."""
    return code in catalogue("en")["messages"]


def words(language: Language, section: Section = "report") -> Words:
    """A function that returns texts of `section` in `language`, else those of the report and of measures.

    It raises KeyError for an unknown code. Use `label` for names that a user may have chosen.
    """
    found = catalogue(language)
    texts = ChainMap(found[section], found["report"], found["measures"])

    def say(code: str, /, **values: Any) -> str:
        return _fill(texts[code], values, language)

    return say


def has_text(code: str) -> bool:
    """Whether `words` of the report knows `code`."""
    return any(code in catalogue("en")[section] for section in ("report", "measures"))


class CodedNote(Protocol):
    """A note of `simsa.stats`: a code, and the values for the blanks of its sentence."""

    @property
    def code(self) -> str: ...
    @property
    def values(self) -> tuple[tuple[str, Any], ...]: ...


def note_text(note: CodedNote, language: Language = "en") -> str:
    """The sentence of a statistical note; JSON documents use the English one."""
    say = words(language)
    values = {
        name: ", ".join(say(f"stat.figure.{figure}") for figure in value)
        if isinstance(value, tuple)
        else value
        for name, value in note.values
    }
    return say(f"stat.{note.code}", **values)


def label(name: str, language: Language) -> str:
    """The title of a criterion or metric; the name itself where the catalogue has none."""
    return catalogue(language)["measures"].get(name, name)


def _fill(text: str, values: Mapping[str, Any], language: Language) -> str:
    if not values:
        return text
    filled = {name: _noun(value, language) for name, value in values.items()}
    return text.format(**filled)


def _noun(value: Any, language: Language) -> Any:
    """Texts and whole numbers take the fitting Korean particle, as in `{name:은/는}`. Other objects become texts."""
    if isinstance(value, float | bool):
        return value
    if isinstance(value, int):
        return KoreanNumber(value)
    return KoreanNoun(localize(value, language) if isinstance(value, str) else str(value))
