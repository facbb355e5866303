"""A rubric of criteria, read from a TOML file such as the built-in ones."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from simsa.i18n.messages import msg
from simsa.records import CLAIMS, Criterion, Message
from simsa.rubrics.declaration import (
    Declaration,
    Text,
    TomlPart,
    check_names,
    declared,
    problem,
    read_toml,
    yes_no_names,
)
from simsa.rubrics.response_parser import ANALYSIS
from simsa.rubrics.rubric import FIELDS, Rubric, fill

_HINT = msg("rubric.hint.copy")

# Fields that must not influence the other criteria of the same call.
_INFLUENTIAL = ("prediction", "reference")

_SAYS_1_TO_5 = re.compile(r"\b1(?:점)?(?:, 2, 3, 4,| ?(?:-|–|~|to|부터|에서)) ?5\b|\b1점부터 5점")
_YES_NO_LEVELS = {"yes": 1, "true": 1, "예": 1, "no": 0, "false": 0, "아니오": 0}


class Words(TomlPart):
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


class CriterionText(Declaration):
    """One criterion: its scale, the question to the judge, what scores mean, and what may be shown for it.

    The keys of `levels` are scores as text. Every score needs a description only on the default scale.
    """

    title: Text
    sees: tuple[Literal["question", "context", "prediction", "reference"], ...]
    ask: Text
    levels: dict[str, Text] = Field(default={})

    @property
    def sees_prediction(self) -> bool:
        return "prediction" in self.sees

    @model_validator(mode="after")
    def _sees_something(self) -> Self:
        if not self.sees:
            raise ValueError(f"sees: name at least one of {', '.join(FIELDS)}")
        return self


class _File(TomlPart):
    language: Annotated[str, StringConstraints(pattern="^[a-z]{2,3}$")]
    intro: Text
    rules: Text
    split: dict[Text, tuple[str, ...]] = Field(default={})
    criteria: dict[str, CriterionText]
    words: Words

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.criteria:
            raise ValueError("criteria: declare at least one")
        check_names(self.criteria, ANALYSIS)
        grouped = [name for group in self.split.values() for name in group]
        if self.split and sorted(grouped) != sorted(self.criteria):
            raise ValueError("split: every criterion must be in exactly one group")
        if CLAIMS in self.split:
            raise ValueError(f"split: the group name {CLAIMS!r} is reserved for lists of claims")
        return self


@dataclass(frozen=True, slots=True)
class CriteriaRubric(Rubric):
    """Asks for any of its criteria: the rubric as system message, the row as user message.

    The rubric comes first and the row last, so that calls share a long prefix. `details` has the texts by criterion.
    """

    intro: str
    rules: str
    details: Mapping[str, CriterionText]
    words: Words
    # The parts that are the same for every row, by the criteria that are asked for.
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

    def retry_message(self, criteria: Sequence[str], reason: str) -> str:
        if self.has_default_scales(criteria):
            return fill(self.words.again, {"reason": reason, "keys": ", ".join((ANALYSIS, *criteria))})
        return Rubric.retry_message(self, criteria, reason)

    def _system(self, criteria: Sequence[str]) -> str:
        words = self.words
        keys = [f'"{ANALYSIS}": "<{words.analysis}>"']
        for one in self.asked(criteria):
            values = words.score if self.has_default_scales([one.name]) else self.scale_words(one)
            keys.append(f'"{one.name}": <{values}>')
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
        one = self.details[name]
        levels = [self._level(one, int(score), text) for score, text in one.levels.items()]
        return "\n".join([f"## {name}: {one.title}", one.ask, *levels])

    def _level(self, one: CriterionText, score: int, text: str) -> str:
        if one.scale.yes_no:
            return f"{'true' if score else 'false'}: {text}"
        return fill(self.words.level, {"n": str(score), "text": text})

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
        if field in _INFLUENTIAL and len(for_these) < len(criteria):
            heading += f" ({fill(self.words.only, {'criteria': ', '.join(for_these)})})"
        return heading


def parse(text: str, name: str, where: str) -> CriteriaRubric:
    """Returns the rubric in the text of a TOML file. Raises RubricError that names the line and the key."""
    file = read_toml(_File, text, where, _HINT)
    criteria = declared(file.criteria)
    details = {
        criterion.name: file.criteria[criterion.name].model_copy(
            update={"levels": _levels(criterion, file.criteria[criterion.name], text, where)}
        )
        for criterion in criteria
    }
    return CriteriaRubric(
        name=name,
        language=file.language,
        criteria=criteria,
        groups=file.split or {criterion: (criterion,) for criterion in file.criteria},
        none=file.words.none,
        unanswerable=file.words.unanswerable,
        notes=tuple(_notes(file, criteria.max_total is None)),
        analysis=ANALYSIS,
        yes_no=yes_no_names(file.criteria),
        intro=file.intro,
        rules=file.rules,
        details=details,
        words=file.words,
    )


def _levels(criterion: Criterion, one: CriterionText, text: str, where: str) -> dict[str, str]:
    """The descriptions by score, the lowest first. Raises RubricError for a wrong or missing score."""
    path = ["criteria", criterion.name]
    found: dict[int, str] = {}
    for key, meaning in one.levels.items():
        score = _YES_NO_LEVELS.get(key) if one.scale.yes_no else None
        if score is None and re.fullmatch(r"-?\d{1,6}", key):
            score = int(key)
        if score is None or score not in criterion.levels or score in found:
            message = f"is not a score on the scale {one.scale}"
            raise problem(message, [*path, "levels", key], text, where, _HINT)
        found[score] = meaning
    missing = [str(score) for score in criterion.levels if score not in found]
    if missing and one.scale.is_default:
        message = f"levels: each of {criterion.low} to {criterion.high} needs a description; missing: {', '.join(missing)}"
        raise problem(message, path, text, where, _HINT)
    return {str(score): found[score] for score in sorted(found)}


def _notes(file: _File, no_total: bool) -> Iterator[str]:
    if no_total:
        yield msg("rubric.no_total")
    if all(not one.scale.is_default for one in file.criteria.values()):
        texts = {"intro": file.intro, "rules": file.rules}
        stale = [key for key, said in texts.items() if _SAYS_1_TO_5.search(said)]
        if stale:
            yield msg("rubric.says_1_to_5", list=", ".join(stale))
