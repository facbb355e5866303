"""A rubric that is one text with placeholders, sent as it is, with optional TOML front matter.

Such a text has no place for boundary codes, so a row's text appears in it without marks. The parser's own rules are
then what protects the scores.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from pydantic import model_validator

from simsa.errors import RubricError
from simsa.i18n.messages import msg
from simsa.records import Criteria, Criterion, Message
from simsa.rubrics.declaration import (
    Declaration,
    ScoreScale,
    Text,
    TomlPart,
    check_names,
    declared,
    read_toml,
    yes_no_names,
)
from simsa.rubrics.json_example import ExampleKey, example_keys, stated_scales
from simsa.rubrics.response_parser import ANALYSIS
from simsa.rubrics.rubric import Rubric, fill

PLACEHOLDERS = {
    "question": "question",
    "context": "context",
    "prediction": "prediction",
    "label": "reference",
}
"""Name in the text → name of the field."""

FENCE = "+++"
"""The line before and after the front matter."""

_FRONT_MATTER = re.compile(r"\s*\+\+\+[ \t]*\r?\n(.*?)^\+\+\+[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)
_HANGUL = re.compile("[가-힣]")
_NONE = {"ko": "(없음)", "en": "(none)"}
_UNANSWERABLE = {
    "ko": "검색 결과에서 답을 찾을 수 없습니다.",
    "en": "The answer cannot be found in the search results.",
}
_EXPLANATION = re.compile(
    r"analys|reason|rationale|expla|feedback|comment|justif|thought|근거|이유|설명|분석|피드백", re.IGNORECASE
)
# Keys of a JSON example that are no criteria although their values are numbers.
_NO_CRITERIA = {"total", ANALYSIS}
_HIGHEST = ScoreScale().high


class _FrontMatter(TomlPart):
    analysis: Text = ANALYSIS
    criteria: dict[str, Declaration]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.criteria:
            raise ValueError("criteria: declare at least one")
        check_names(self.criteria, self.analysis)
        return self


@dataclass(frozen=True, slots=True)
class TemplateRubric(Rubric):
    """One user message that asks for all criteria at once. `identity` is the part of the hash that the text lacks."""

    text: str
    shown: frozenset[str]
    identity: tuple[Any, ...]

    def sees(self, criteria: Sequence[str]) -> frozenset[str]:
        return self.shown

    def messages(
        self, criteria: Sequence[str], material: Mapping[str, str], code: str
    ) -> tuple[Message, ...]:
        values = {name: material[field] for name, field in PLACEHOLDERS.items() if field in self.shown}
        return (Message("user", fill(self.text, values)),)

    def declared(self, criteria: Sequence[str]) -> list[Any]:
        return [*self.identity, *Rubric.declared(self, criteria)]


def parse(text: str, name: str, where: str, built_in: Sequence[str]) -> TemplateRubric:
    """Returns a rubric from a text with `{question} {context} {prediction} {label}`; only `{prediction}` is required.

    The criteria are those of the front matter, otherwise those of the names `built_in` that the text names. Raises
    RubricError if neither gives any, or if the text asks for other keys or scales without declaring them.
    """
    matter, text = split_front_matter(text, where)
    missing = [f"{{{placeholder}}}" for placeholder in PLACEHOLDERS if f"{{{placeholder}}}" not in text]
    if "{prediction}" in missing:
        raise RubricError(
            msg("error.rubrics.has_no", list=" and no ".join(missing)),
            where=where,
            hint=msg("error.rubrics.rubric_text_says_where_row"),
        )
    notes = [msg("rubric.never_shows", list=", ".join(missing))] if missing else []
    if matter is None:
        criteria, analysis = _undeclared(text, where, built_in)
        absent = [criterion for criterion in built_in if criterion not in criteria.names]
        if absent:
            notes.append(msg("rubric.unnamed", list=", ".join(absent)))
    else:
        criteria, analysis = declared(matter.criteria), matter.analysis
        unnamed = [key for key in (*criteria.names, analysis) if not _names(text, key)]
        if unnamed:
            notes.append(msg("rubric.declared_only", list=", ".join(unnamed)))
        if criteria.max_total is None:
            notes.append(msg("rubric.no_total"))
    language = "ko" if _HANGUL.search(text) else "en"
    identity: tuple[Any, ...] = () if criteria.names == tuple(built_in) else (criteria.names,)
    if matter and analysis != ANALYSIS:
        identity += (analysis,)
    return TemplateRubric(
        name=name,
        language=language,
        criteria=criteria,
        groups={},
        none=_NONE[language],
        unanswerable=_UNANSWERABLE[language],
        notes=tuple(notes),
        analysis=analysis,
        yes_no=yes_no_names(matter.criteria) if matter else frozenset(),
        text=text,
        shown=frozenset(field for placeholder, field in PLACEHOLDERS.items() if f"{{{placeholder}}}" in text),
        identity=identity,
    )


def split_front_matter(text: str, where: str) -> tuple[_FrontMatter | None, str]:
    """The front matter, None without any, and the text behind it. Raises RubricError."""
    found = _FRONT_MATTER.match(text)
    if not found:
        if text.lstrip().startswith(f"{FENCE}\n"):
            raise RubricError(msg("error.rubrics.front_matter_is_not_closed", FENCE=FENCE), where=where)
        return None, text
    # Blank lines keep the numbers of the lines in error messages.
    lines = "\n" * text[: found.start(1)].count("\n")
    return read_toml(_FrontMatter, lines + found[1], where, _hint(where)), text[found.end() :]


def _undeclared(text: str, where: str, built_in: Sequence[str]) -> tuple[Criteria, str]:
    """The built-in criteria that the text names, and the key of the explanation."""
    keys = example_keys(text)
    named = [name for name in built_in if _names(text, name)]
    known = {*built_in, *_NO_CRITERIA}
    others = [key.name for key in keys if key.name not in known and (key.kind != "text" or not named)]
    if others:
        raise RubricError(
            msg("error.rubrics.asks_keys_does_not_declare", list=", ".join(others)),
            where=where,
            hint=_hint(where),
        )
    if not named:
        raise RubricError(
            msg("error.rubrics.names_no_criterion_neither_nor", list=", ".join(built_in)),
            where=where,
            hint=_hint(where),
        )
    other_scales = [f"{name}: {scale}" for name, scale in _other_scales(keys, built_in)]
    stated = stated_scales(text)
    if stated and not any(scale.is_default for scale in stated):
        other_scales += map(str, stated)
    if other_scales:
        raise RubricError(
            msg(
                "error.rubrics.asks_scores_another_scale_than",
                default=ScoreScale(),
                list=", ".join(other_scales),
            ),
            where=where,
            hint=_hint(where),
        )
    return Criteria(map(Criterion, named)), explanation_key(keys)


def _other_scales(keys: Iterable[ExampleKey], built_in: Sequence[str]) -> Iterator[tuple[str, object]]:
    for key in keys:
        if key.name in built_in:
            if key.kind != "score":
                yield key.name, key.kind
            elif key.scale and not key.scale.is_default:
                yield key.name, key.scale
            elif key.number is not None and key.number > _HIGHEST:
                yield key.name, key.number


def explanation_key(keys: Sequence[ExampleKey]) -> str:
    """The key of the judge's explanation in a JSON example; `analysis` if none looks like one."""
    return next((key.name for key in keys if key.kind == "text" and _EXPLANATION.search(key.name)), ANALYSIS)


def _names(text: str, key: str) -> bool:
    # A Korean particle may follow a key.
    return re.search(rf"(?<![A-Za-z0-9_]){re.escape(key)}(?![A-Za-z0-9_])", text) is not None


def _hint(where: str) -> str:
    return msg("rubric.hint.declare", file=where)
