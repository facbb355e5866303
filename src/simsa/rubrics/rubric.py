"""What every rubric can do, whether it is made of criteria or is one text."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simsa.prompts import numbered
from simsa.records import Criteria, Message, Question, content_hash
from simsa.rubrics.response_parser import ANALYSIS

FIELDS = ("question", "context", "prediction", "reference")
"""What a judge may be shown of a row, in the order in which it is shown.

Variants answer the same question from the same context, so these come first: a
server's prefix cache then holds them for every variant.
"""


@dataclass(frozen=True, slots=True)
class Rubric(ABC):
    """What judges are asked.

    `criteria` are the scores asked for; `groups` are those that split mode
    asks for together, by the group's name, and empty where the rubric cannot be split.
    `notes` are what a user should know before paying for it.
    """

    name: str
    language: str
    criteria: Criteria
    groups: Mapping[str, tuple[str, ...]]
    none: str
    unanswerable: str
    notes: tuple[str, ...]

    @abstractmethod
    def sees(self, criteria: Sequence[str]) -> frozenset[str]:
        """Which of FIELDS a call for `criteria` shows."""

    @abstractmethod
    def messages(
        self, criteria: Sequence[str], material: Mapping[str, str], code: str
    ) -> tuple[Message, ...]:
        """The chat messages that ask for `criteria`; `code` marks where material begins and ends."""

    @abstractmethod
    def again(self, criteria: Sequence[str], reason: str) -> str:
        """What to say to a judge whose answer could not be read for `reason`."""

    @property
    def label(self) -> str:
        """Name and version, `rag-ko@1a2b3c4d`: the version is a hash of all that is asked."""
        return f"{self.name}@{self.part_hash(self.criteria.names)[:8]}"

    def part_hash(self, criteria: Sequence[str]) -> str:
        """Names what a call for `criteria` asks, whatever row it is asked about."""
        blank = {field: f"{{{field}}}" for field in FIELDS}
        messages = [message.to_json() for message in self.messages(criteria, blank, "{code}")]
        return content_hash(messages, self.none, self.unanswerable)

    def frame_hash(self, criteria: Sequence[str]) -> str:
        """Names how a call for `criteria` shows a row: which fields, and under which headings."""
        blank = {field: f"{{{field}}}" for field in FIELDS}
        return content_hash(self.messages(criteria, blank, "{code}")[-1].to_json())

    def material(self, criteria: Sequence[str], question: Question, prediction: str | None) -> dict[str, str]:
        """What a call for `criteria` shows of a row, by the names of FIELDS; nothing else may be shown."""
        references = [reference for reference in question.reference if reference.strip()]
        if not references and not question.answerable:
            references = [self.unanswerable]
        row = {
            "question": question.question,
            "context": numbered(question) or instructions(question),
            "prediction": prediction or "",
            "reference": references[0] if len(references) == 1 else "\n".join(f"- {r}" for r in references),
        }
        seen = self.sees(criteria)
        return {field: text if text.strip() else self.none for field, text in row.items() if field in seen}

    def schema(self, criteria: Sequence[str]) -> dict[str, Any]:
        """JSON schema of an answer, for endpoints that hold a model to one.

        `analysis` stands first because models write in the order of the schema: grounds
        before scores, so that the scores follow from them. The scores are an integer
        enum; strict modes do not all know `minimum`.
        """
        asked = self.criteria.only(criteria)
        scores = {c.name: {"type": "integer", "enum": list(c.levels)} for c in asked}
        properties = {ANALYSIS: {"type": "string"}, **{name: scores[name] for name in criteria}}
        return {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }


def instructions(question: Question) -> str:
    """What a chat row tells the model besides the question: where it has no passages, they are in there."""
    return "\n".join(message.content for message in question.messages if message.role != "user")


def fill(text: str, values: Mapping[str, str]) -> str:
    """`text` with each `{name}` of `values` replaced, in one pass.

    Every other brace stays as it is, and what was put in is not looked at again.
    """
    names = "|".join(map(re.escape, values))
    return re.sub(rf"\{{({names})\}}", lambda found: values[found[1]], text) if values else text
