"""Where a key stands in a TOML file.

A rubric made of criteria, read from a TOML file such as the built-in ones.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError, model_validator

from simsa import records
from simsa.errors import RubricError
from simsa.i18n.messages import msg
from simsa.records import CLAIMS, CRITERIA, MAX_SCORE, Criteria, Message
from simsa.rubrics.response_parser import ANALYSIS
from simsa.rubrics.rubric import FIELDS, Rubric, fill

_TABLE = re.compile(r"\s*\[+\s*([^\[\]#]+?)\s*\]+\s*(?:#.*)?$")
_KEY = re.compile(r"""\s*("[^"]*"|'[^']*'|[\w-]+(?:\s*\.\s*[\w-]+)*)\s*=""")
_QUOTES = ('"""', "'''")


def line_of(text: str, path: Sequence[str]) -> int | None:
    """The line, from 1, of the key at `path` or of the nearest table or key above it; None without any."""
    best, line = 0, None
    table: tuple[str, ...] = ()
    inside = ""
    for number, row in enumerate(text.split("\n"), 1):
        if inside:
            inside = "" if row.count(inside) % 2 else inside
            continue
        if found := _TABLE.match(row):
            table = _parts(found[1])
            here: Sequence[str] = table
        elif found := _KEY.match(row):
            here = (*table, *_parts(found[1]))
            inside = next((quotes for quotes in _QUOTES if row.count(quotes) % 2), "")
        else:
            continue
        if len(here) > best and tuple(path[: len(here)]) == tuple(here):
            best, line = len(here), number
    return line


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Field = Literal["question", "context", "prediction", "reference"]
Level = Literal["1", "2", "3", "4", "5"]

# Shown beside criteria that must not be swayed by them.
_SWAYING = ("prediction", "reference")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Words(_Part):
    """The text around the criteria, in the rubric's language."""

    rules: Text
    criteria: Text
    output: Text
    level: Text
    format: Text
    analysis: Text
    score: Text
    code: Text
    question: Text
    context: Text
    prediction: Text
    reference: Text
    only: Text
    none: Text
    unanswerable: Text
    closing: Text
    again: Text


class Criterion(_Part):
    """One score: what is asked, what each level means, and what may be seen for it."""

    title: Text
    sees: tuple[Field, ...]
    ask: Text
    levels: dict[Level, Text]

    @model_validator(mode="after")
    def _five_levels(self) -> Self:
        missing = [str(n) for n in range(1, MAX_SCORE + 1) if str(n) not in self.levels]
        if missing:
            raise ValueError(
                f"levels: each of 1 to {MAX_SCORE} needs a description; missing: {', '.join(missing)}"
            )
        if not self.sees:
            raise ValueError(f"sees: name at least one of {', '.join(FIELDS)}")
        return self


class _File(_Part):
    language: Annotated[str, StringConstraints(pattern="^[a-z]{2,3}$")]
    intro: Text
    rules: Text
    split: dict[Text, tuple[str, ...]] = {}
    criteria: dict[str, Criterion]
    words: Words

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        unknown = [name for name in self.criteria if name not in CRITERIA]
        if unknown:
            near = difflib.get_close_matches(unknown[0], CRITERIA, n=1, cutoff=0.0)[0]
            raise ValueError(
                f"criteria: {unknown[0]!r} is not one of {', '.join(CRITERIA)}; did you mean {near!r}?"
            )
        if not self.criteria:
            raise ValueError(f"criteria: name at least one of {', '.join(CRITERIA)}")
        grouped = [name for group in self.split.values() for name in group]
        if self.split and sorted(grouped) != sorted(self.criteria):
            raise ValueError("split: every criterion must be in exactly one group")
        if CLAIMS in self.split:
            raise ValueError(
                f"split: {CLAIMS!r} is what lists of claims are called; name the group otherwise"
            )
        return self


@dataclass(frozen=True, slots=True)
class CriteriaRubric(Rubric):
    """Asks for any of its criteria: the rubric as system message, the row as user message.

    The rubric comes first and the row last, so that calls share a long prefix.
    """

    intro: str
    rules: str
    details: Mapping[str, Criterion]
    words: Words
    # What is the same for every row, by the criteria that are asked for.
    _systems: dict[tuple[str, ...], Message] = field(default_factory=dict, compare=False, repr=False)
    _headings: dict[tuple[str, ...], dict[str, str]] = field(default_factory=dict, compare=False, repr=False)

    def sees(self, criteria: Sequence[str]) -> frozenset[str]:
        return frozenset(self._seen(tuple(criteria)))

    def messages(
        self, criteria: Sequence[str], material: Mapping[str, str], code: str
    ) -> tuple[Message, ...]:
        wanted = tuple(criteria)
        system = self._systems.get(wanted)
        if system is None:
            system = self._systems[wanted] = Message("system", self._system(wanted))
        return system, Message("user", self._user(wanted, material, code))

    def again(self, criteria: Sequence[str], reason: str) -> str:
        return fill(self.words.again, {"reason": reason, "keys": ", ".join((ANALYSIS, *criteria))})

    def _system(self, criteria: Sequence[str]) -> str:
        words = self.words
        keys = [f'"{ANALYSIS}": "<{words.analysis}>"', *(f'"{name}": <{words.score}>' for name in criteria)]
        return "\n\n".join(
            [
                self.intro,
                f"# {words.rules}\n{self.rules}",
                f"# {words.criteria}",
                *(self._criterion(name) for name in criteria),
                f"# {words.output}\n{words.format}\n{{{', '.join(keys)}}}",
            ]
        )

    def _criterion(self, name: str) -> str:
        criterion = self.details[name]
        levels = [
            fill(self.words.level, {"n": str(n), "text": criterion.levels[_LEVELS[n]]})
            for n in sorted(_LEVELS)
        ]
        return "\n".join([f"## {name}: {criterion.title}", criterion.ask, *levels])

    def _user(self, criteria: tuple[str, ...], material: Mapping[str, str], code: str) -> str:
        sections = [
            f"## {heading}\n<{field} {code}>\n{material[field]}\n</{field} {code}>"
            for field, heading in self._seen(criteria).items()
        ]
        return "\n\n".join([fill(self.words.code, {"code": code}), *sections, self.words.closing])

    def _seen(self, criteria: tuple[str, ...]) -> dict[str, str]:
        """The fields that a call for `criteria` shows, in order, each with its heading."""
        found = self._headings.get(criteria)
        if found is None:
            seen = {field for name in criteria for field in self.details[name].sees}
            found = {field: self._heading(field, criteria) for field in FIELDS if field in seen}
            self._headings[criteria] = found
        return found

    def _heading(self, field: str, criteria: Sequence[str]) -> str:
        heading = str(getattr(self.words, field))
        for_these = [name for name in criteria if field in self.details[name].sees]
        if field in _SWAYING and len(for_these) < len(criteria):
            heading += f" ({fill(self.words.only, {'criteria': ', '.join(for_these)})})"
        return heading


_LEVELS: dict[int, Level] = {1: "1", 2: "2", 3: "3", 4: "4", 5: "5"}


def parse(text: str, name: str, where: str) -> CriteriaRubric:
    """A rubric from the text of a TOML file. Raises RubricError naming the key."""
    try:
        file = _File.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise RubricError(f"is not valid TOML: {error}", where=where) from None
    except ValidationError as error:
        raise _explain(error, text, where) from None
    return CriteriaRubric(
        name=name,
        language=file.language,
        criteria=Criteria(records.Criterion(name, title=one.title) for name, one in file.criteria.items()),
        groups=file.split or {criterion: (criterion,) for criterion in file.criteria},
        none=file.words.none,
        unanswerable=file.words.unanswerable,
        notes=_notes(file),
        intro=file.intro,
        rules=file.rules,
        details=file.criteria,
        words=file.words,
    )


def _notes(file: _File) -> tuple[str, ...]:
    absent = [name for name in CRITERIA if name not in file.criteria]
    return (msg("rubric.no_total", list=", ".join(absent)),) if absent else ()


def _explain(error: ValidationError, text: str, where: str) -> RubricError:
    """The first problem, with the line of the key, or of the table that lacks it."""
    first = error.errors(include_url=False)[0]
    path = [str(part) for part in first["loc"] if part != "[key]"]
    field = ".".join(path)
    if line := line_of(text, path):
        where = f"{where}:{line}"
    if first["type"] == "missing":
        return RubricError("is missing", where=where, field=field, hint=_HINT)
    if first["type"] == "extra_forbidden":
        return RubricError("unknown key", where=where, field=field, hint=_HINT)
    message = first["msg"].removeprefix("Value error, ")
    found = first.get("input")
    shown = None if isinstance(found, dict | list) or first["type"] == "value_error" else found
    return RubricError(message, where=where, field=field or None, found=shown, hint=_HINT)


_HINT = "`simsa init --rubric` writes a copy of the built-in rubric to start from"
