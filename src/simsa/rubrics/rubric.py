"""The interface of rubrics, whether they are made of criteria or of one text."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simsa.prompts import numbered
from simsa.records import Criteria, Criterion, Message, Question, content_hash
from simsa.rubrics.declaration import ScoreScale
from simsa.rubrics.response_parser import ParsedScores, ParseFailure, read_verdict

FIELDS = ("question", "context", "prediction", "reference")
"""The parts of a row that a judge may be shown, in the order in which they are shown.

Variants answer the same question from the same context, so these two come first: a
server's prefix cache then holds them for every variant.
"""

_WORDS = {
    "ko": {
        "range": "{low}~{high}의 정수",
        "yes_no": "true 또는 false",
        "retry": "앞의 출력은 판정으로 읽을 수 없었습니다: {reason}. {keys} 키를 모두 가진 JSON 객체 하나만 다시 출력하세요.",
        "values": " 값: {list}.",
    },
    "en": {
        "range": "integer from {low} to {high}",
        "yes_no": "true or false",
        "retry": "The output before could not be read as a verdict: {reason}. "
        "Output one JSON object with all of the keys {keys} and nothing else.",
        "values": " Values: {list}.",
    },
}


@dataclass(frozen=True, slots=True)
class Rubric(ABC):
    """The text that asks a judge for scores.

    `criteria` are the scores it asks for. `groups` are the criteria that split mode asks for in one call, by
    the group's name; empty if the rubric cannot be split. `analysis` is the key of the judge's explanation; criteria
    in `yes_no` are answered with true or false. `notes` are warnings to show before anything is paid for.
    """

    name: str
    language: str
    criteria: Criteria
    groups: Mapping[str, tuple[str, ...]]
    none: str
    unanswerable: str
    notes: tuple[str, ...]
    analysis: str
    yes_no: frozenset[str]

    @abstractmethod
    def sees(self, criteria: Sequence[str]) -> frozenset[str]:
        """The parts of a row, of FIELDS, that a call for `criteria` shows."""

    @abstractmethod
    def messages(
        self, criteria: Sequence[str], material: Mapping[str, str], code: str
    ) -> tuple[Message, ...]:
        """The chat messages that ask for `criteria`; `code` marks where material begins and ends."""

    def retry_message(self, criteria: Sequence[str], reason: str) -> str:
        """The message to a judge whose reply could not be parsed for `reason`."""
        message = fill(
            self._words["retry"], {"reason": reason, "keys": ", ".join((*criteria, self.analysis))}
        )
        if self.has_default_scales(criteria):
            return message
        values = ", ".join(f"{one.name} = {self.scale_words(one)}" for one in self.asked(criteria))
        return message + fill(self._words["values"], {"list": values})

    def scale_words(self, criterion: Criterion) -> str:
        """The values that a criterion's key may have, in the rubric's language."""
        if criterion.name in self.yes_no:
            return self._words["yes_no"]
        return fill(self._words["range"], {"low": str(criterion.low), "high": str(criterion.high)})

    def has_default_scales(self, criteria: Sequence[str]) -> bool:
        """Whether all of `criteria` are scored from 1 to 5."""
        return all(ScoreScale(one.low, one.high).is_default for one in self.asked(criteria))

    @property
    def _words(self) -> Mapping[str, str]:
        return _WORDS["ko" if self.language == "ko" else "en"]

    @property
    def label(self) -> str:
        """Name and version, `rag-ko@1a2b3c4d`: the version is a hash of everything that is asked."""
        return f"{self.name}@{self.part_hash(self.criteria.names)[:8]}"

    def part_hash(self, criteria: Sequence[str]) -> str:
        """Hash of what a call for `criteria` asks, whichever row it is about."""
        blank = {field: f"{{{field}}}" for field in FIELDS}
        messages = [message.to_json() for message in self.messages(criteria, blank, "{code}")]
        return content_hash(messages, self.none, self.unanswerable, *self.declared(criteria))

    def declared(self, criteria: Sequence[str]) -> list[Any]:
        """What changes the scores of `criteria` and is not in the messages; empty for scales 1–5."""
        if self.has_default_scales(criteria):
            return []
        return [[[one.name, one.low, one.high, one.name in self.yes_no] for one in self.asked(criteria)]]

    def frame_hash(self, criteria: Sequence[str]) -> str:
        """Hash of how a call for `criteria` shows a row: the fields and their headings."""
        blank = {field: f"{{{field}}}" for field in FIELDS}
        return content_hash(self.messages(criteria, blank, "{code}")[-1].to_json())

    def material(self, criteria: Sequence[str], question: Question, prediction: str | None) -> dict[str, str]:
        """The texts of a row that a call for `criteria` shows, by the names of FIELDS."""
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

    def asked(self, names: Iterable[str]) -> Criteria:
        """The criteria `names`, in this order."""
        by_name = {criterion.name: criterion for criterion in self.criteria}
        return Criteria(by_name[name] for name in names)

    def schema(self, criteria: Sequence[str]) -> dict[str, Any]:
        """JSON schema of a reply, for endpoints that constrain a model to one.

        The analysis comes first because models write in the order of the schema, and the scores should follow from
        it. Scores are an integer enum, because not every strict mode knows `minimum`; yes/no is a boolean.
        """
        properties: dict[str, Any] = {self.analysis: {"type": "string"}}
        for one in self.asked(criteria):
            is_boolean = one.name in self.yes_no
            properties[one.name] = (
                {"type": "boolean"} if is_boolean else {"type": "integer", "enum": list(one.levels)}
            )
        return {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }

    def parse_reply(
        self, text: str, criteria: Sequence[str], quoted: Iterable[str] = ()
    ) -> ParsedScores | ParseFailure:
        """Parses a judge's reply to a call for `criteria`; see `read_verdict`. Never raises."""
        return read_verdict(text, self.asked(criteria), quoted, self.analysis)


def instructions(question: Question) -> str:
    """What a chat row tells the model besides the question. Rows without passages have them in these messages."""
    return "\n".join(message.content for message in question.messages if message.role != "user")


def fill(text: str, values: Mapping[str, str]) -> str:
    """Returns `text` with each `{name}` of `values` replaced, in one pass.

    Every other brace stays as it is, and replaced text is not scanned again.
    """
    names = "|".join(map(re.escape, values))
    return re.sub(rf"\{{({names})\}}", lambda found: values[found[1]], text) if values else text
