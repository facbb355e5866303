"""The settings of a run as a simsa.toml that reproduces it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from simsa.i18n.language import Language
from simsa.i18n.messages import words
from simsa.text import quoted

_BARE = re.compile(r"[A-Za-z0-9_-]+")
# A value in the query of a URL, except the version of an API.
_ASKED = re.compile(r"(?<=[?&])(?!api-version=)([^=&#]*)=[^&#]+")
# The default of these is a number, and TOML has no null: None becomes a comment.
_NUMBERED = ("seed", "temperature")


def toml(config: Mapping[str, Any], language: Language) -> str:
    """Writes a stored config (the result of `Config.model_dump`) as TOML, defaults included.

    `simsa.config.load` reads it back to the same hash, except for values that a run does not store (those of
    `serving.env` and of queries in URLs) and a seed or temperature of None, which are written as comments.
    Control and other invisible characters are escaped.
    """
    blocks = [f"# {words(language)('made.paths')}"]
    for name, value in config.items():
        for section in value if isinstance(value, list | tuple) else () if value is None else (value,):
            head = f"[{_key(name)}]" if section is value else f"[[{_key(name)}]]"
            blocks.append("\n".join((head, *_lines(section, language))))
    return "\n\n".join(blocks) + "\n"


def shareable(config: Any) -> Any:
    """`config` without the values in queries of URLs, where some services have keys."""
    if isinstance(config, Mapping):
        return {
            key: _ASKED.sub(r"\1=…", value)
            if key == "base_url" and isinstance(value, str)
            else shareable(value)
            for key, value in config.items()
        }
    return [shareable(one) for one in config] if isinstance(config, list | tuple) else config


def _lines(section: Mapping[str, Any], language: Language) -> Iterator[str]:
    say = words(language)
    for key, value in section.items():
        if key == "env" and value:
            yield f"# {_pair(key, value)}   # {say('made.env')}"
        elif value is None and key in _NUMBERED:
            yield f"# {key}: {say('none')}"
        elif value not in (None, {}, [], ()):
            yield _pair(key, value)


def _pair(key: str, value: Any) -> str:
    return f"{_key(key)} = {_value(value)}"


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else quoted(key)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Mapping):
        inside = ", ".join(_pair(key, one) for key, one in value.items() if one is not None)
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(one) for one in value if one is not None)}]"
    return quoted(value)
