"""A rubric that is one text with placeholders, used as it is.

Such a text has no place for boundary codes, so a row's text stands in it as bare as its
author wrote it; the reader's own rules are then what protects the scores.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simsa.errors import RubricError
from simsa.i18n.messages import msg
from simsa.records import CRITERIA, Criteria, Criterion, Message
from simsa.rubrics.response_parser import ANALYSIS
from simsa.rubrics.rubric import Rubric, fill

PLACEHOLDERS = {
    "question": "question",
    "context": "context",
    "prediction": "prediction",
    "label": "reference",
}
"""Name in the text → name of the field."""

_HANGUL = re.compile("[가-힣]")
_WORDS = {
    "ko": (
        "(없음)",
        "검색 결과에서 답을 찾을 수 없습니다.",
        "앞의 출력은 판정으로 읽을 수 없었습니다: {reason}. {keys} 키를 모두 가진 JSON 객체 하나만 다시 출력하세요.",
    ),
    "en": (
        "(none)",
        "The answer cannot be found in the search results.",
        "The output before could not be read as a verdict: {reason}. "
        "Output one JSON object with all of the keys {keys} and nothing else.",
    ),
}


@dataclass(frozen=True, slots=True)
class TemplateRubric(Rubric):
    """One user message; asks for all four criteria at once."""

    text: str
    shown: frozenset[str]

    def sees(self, criteria: Sequence[str]) -> frozenset[str]:
        return self.shown

    def messages(
        self, criteria: Sequence[str], material: Mapping[str, str], code: str
    ) -> tuple[Message, ...]:
        values = {name: material[field] for name, field in PLACEHOLDERS.items() if field in self.shown}
        return (Message("user", fill(self.text, values)),)

    def again(self, criteria: Sequence[str], reason: str) -> str:
        return fill(_WORDS[self.language][2], {"reason": reason, "keys": ", ".join((*criteria, ANALYSIS))})


def parse(text: str, name: str, where: str) -> TemplateRubric:
    """A rubric from a text with `{question} {context} {prediction} {label}`.

    Only `{prediction}` must be there. Raises RubricError.
    """
    missing = [f"{{{placeholder}}}" for placeholder in PLACEHOLDERS if f"{{{placeholder}}}" not in text]
    if "{prediction}" in missing:
        raise RubricError(
            f"has no {' and no '.join(missing)}",
            where=where,
            hint="a rubric text says where a row's parts go: {question} {context} {prediction} {label}; "
            "a rubric of criteria is a TOML file and ends in .toml",
        )
    language = "ko" if _HANGUL.search(text) else "en"
    none, unanswerable, _ = _WORDS[language]
    return TemplateRubric(
        name=name,
        language=language,
        criteria=Criteria(Criterion(name) for name in CRITERIA),
        groups={},
        none=none,
        unanswerable=unanswerable,
        notes=tuple(_notes(text, missing)),
        text=text,
        shown=frozenset(field for placeholder, field in PLACEHOLDERS.items() if f"{{{placeholder}}}" in text),
    )


def _notes(text: str, missing: Sequence[str]) -> list[str]:
    notes: list[str] = []
    if missing:
        notes.append(msg("rubric.never_shows", list=", ".join(missing)))
    unnamed = [criterion for criterion in CRITERIA if criterion not in text]
    if unnamed:
        notes.append(msg("rubric.unnamed", list=", ".join(unnamed)))
    return notes
