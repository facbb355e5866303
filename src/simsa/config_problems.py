"""What is wrong with a simsa.toml: every problem in it as one ConfigError."""

from __future__ import annotations

import contextlib
import re
import typing
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from simsa.errors import ConfigError
from simsa.i18n.language import LANGUAGES, LocalizedText, localize
from simsa.i18n.messages import has_message, msg
from simsa.text import closest

_Location = tuple[str, ...]

# How an error message of tomllib begins → the code of the hint for its usual cause.
_TOML_HINTS = {
    "Invalid value": "error.config.toml.value",
    "Unescaped": "error.config.toml.backslash",
    "Invalid hex value": "error.config.toml.backslash",
    "Expected '='": "error.config.toml.equals",
    "Cannot overwrite": "error.config.toml.twice",
    "Unterminated string": "error.config.toml.quote",
    "Illegal character '\\n'": "error.config.toml.quote",
}


class ConfigProblem(ValueError):
    """A value that a section refuses: a code of the message catalogue, and the key in the section."""

    def __init__(self, key: str, code: str, /, *, hint: str | None = None, **values: Any) -> None:
        super().__init__(msg(code, **values))
        self.key, self.hint = key, hint


def explain(
    error: ValidationError, config: type[BaseModel], source: Path | None, section: _Location = ()
) -> ConfigError:
    """All problems that pydantic found in `section` of `config`, as one error.

    Unknown keys come first, then missing ones, then wrong values.
    """
    found = error.errors(include_url=False)
    by_kind: dict[str, list[tuple[_Location, Any]]] = {"extra_forbidden": [], "missing": [], "value": []}
    for problem in found:
        kind = problem["type"] if problem["type"] in by_kind else "value"
        by_kind[kind].append(((*section, *map(str, problem["loc"])), problem))
    missing = {location for location, _ in by_kind["missing"]}
    problems = []
    for location, _ in by_kind["extra_forbidden"]:
        near = _nearest_key(config, location, missing)
        missing.discard((*location[:-1], near))  # a misspelt key is not a missing key as well
        problems.append(_unknown_key(config, location, near))
    problems += [_missing_key(location) for location, _ in by_kind["missing"] if location in missing]
    problems += [_wrong_value(location, problem) for location, problem in by_kind["value"]]
    where = str(source) if source else None
    if len(problems) == 1:
        problems[0].where = where
        return problems[0]
    texts = [problem.localized() for problem in problems]
    ko, en = (_indented(localize(text, language) for text in texts) for language in LANGUAGES)
    return ConfigError(msg("error.config.problems", n=len(problems), list=LocalizedText(en, ko)), where=where)


def toml_error(reason: str, text: str, where: str) -> ConfigError:
    """The message `reason` of the TOML parser, with the line it names and a hint for the usual cause."""
    lines = text.splitlines()
    named = re.search(r"\(at line (\d+)", reason)
    line = int(named[1]) if named else 0
    return ConfigError(
        msg("error.config.toml", reason=reason),
        where=f"{where}:{line}" if line else where,
        found=lines[line - 1].strip() if 0 < line <= len(lines) else None,
        hint=next((msg(hint) for start, hint in _TOML_HINTS.items() if reason.startswith(start)), None),
    )


def missing_file_hint(file: Path, default: str) -> LocalizedText:
    """Suggests a config with a similar name in the same folder, else `simsa init`, which writes `default`."""
    with contextlib.suppress(OSError):
        if near := closest(file.name, (path.name for path in file.parent.glob("*.toml"))):
            return msg("error.config.similar", name=str(file.with_name(near)))
    return msg("error.config.init", name=default)


def _indented(texts: Iterable[str]) -> str:
    return "".join("\n  " + text.replace("\n", "\n  ") for text in texts)


def _nearest_key(config: type[BaseModel], location: _Location, missing: Iterable[_Location]) -> str | None:
    """The key that is meant by an unknown one: a missing key of the section, else any that is similar."""
    *section, key = location
    lacking = [name for *place, name in missing if place == section]
    return closest(key, lacking) or closest(key, _keys_at(config, section))


def _unknown_key(config: type[BaseModel], location: _Location, near: str | None) -> ConfigError:
    if near:
        hint = msg("error.config.similar", name=near)
    else:
        hint = msg("error.config.known_keys", list=", ".join(sorted(_keys_at(config, location[:-1]))))
    return ConfigError(msg("error.config.unknown_key"), field=".".join(location), hint=hint)


def _missing_key(location: _Location) -> ConfigError:
    hint = msg("error.config.judge_named") if location[-2:] == ("judge", "model") else None
    return ConfigError(msg("error.config.missing_key"), field=".".join(location), hint=hint)


def _wrong_value(location: _Location, problem: Any) -> ConfigError:
    values = problem.get("ctx", {})
    cause = values.get("error")
    if isinstance(cause, ConfigProblem):
        field = ".".join((*location, *filter(None, [cause.key])))
        return ConfigError(cause.args[0], field=field or None, hint=cause.hint)
    if "expected" in values:
        values = {**values, "expected": values["expected"].replace(" or ", ", ")}
    code = f"config_value.{problem['type']}"
    found = problem.get("input")
    return ConfigError(
        msg(code, **values) if has_message(code) else problem["msg"],
        field=".".join(location) or None,
        found=None if isinstance(found, dict | list) else found,
    )


def _keys_at(config: type[BaseModel], location: Iterable[str]) -> set[str]:
    """Names of the keys that the section at `location` takes."""
    section = config
    for part in location:
        if not part.isdigit():
            section = next(_models_in(section.model_fields[part].annotation))
    return set(section.model_fields)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in typing.get_args(annotation):
        yield from _models_in(part)
