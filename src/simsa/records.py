"""The records of the package: question, prediction, judgement, verdict, and the criteria of a rubric.

They are frozen; their JSON form (`to_dict`/`from_dict`) is the published contract.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import orjson

CLAIMS = "claims"
"""Name of the judge request that lists the claims of an answer. It has no scores."""
TOTAL = "total"
"""The name of the total beside the criteria, in scores, filters and gates."""

Status = Literal[
    "scored",
    "unreadable",  # no verdict could be read strictly from the judge's answer
    "truncated",  # the judge stopped at its length limit
    "refused",  # the judge declined, or a content filter did
    "empty",  # the judge said nothing
    "too_long",  # the request does not fit the judge's context window
    "failed",  # the endpoint failed on every attempt
    "no_majority",  # no more than half of a panel, or of the repeats, gave scores
    "budget",  # max_cost_usd was reached first
    "pending",  # not judged yet
    "no_prediction",  # there is nothing to judge
]
STATUSES: tuple[str, ...] = Status.__args__  # type: ignore[attr-defined]


def content_hash(*parts: Any) -> str:
    """Hex BLAKE2b-128 of `parts` as canonical JSON (sorted keys, UTF-8)."""
    payload = orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(payload, digest_size=16).hexdigest()


class Passage(NamedTuple):
    """One retrieved passage."""

    text: str
    id: str | None = None
    title: str | None = None

    def to_json(self) -> str | dict[str, str]:
        if self.id is None and self.title is None:
            return self.text
        named = {"id": self.id, "title": self.title, "text": self.text}
        return {key: value for key, value in named.items() if value is not None}


class Message(NamedTuple):
    """One chat message, sent to a model as it is."""

    role: str
    content: str

    def to_json(self) -> dict[str, str]:
        return {"role": self.role, "content": self.content}


@dataclass(frozen=True, slots=True)
class Question:
    """One row of a test set.

    `reference` lists every accepted answer. `messages`, when there are any, are the
    chat messages to send to the model as they are, in place of the prompt template.
    """

    id: str
    question: str
    contexts: tuple[Passage, ...] = ()
    reference: tuple[str, ...] = ()
    answerable: bool = True
    type: str | None = None
    cluster: str = ""
    citations: tuple[int, ...] = ()
    messages: tuple[Message, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.cluster:
            # Questions without passages share no document with each other.
            source = [p.text for p in self.contexts] or self.id
            object.__setattr__(self, "cluster", content_hash(source))

    def to_dict(self) -> dict[str, Any]:
        """The canonical JSON row: every field of the contract; `messages` only when there are any."""
        row: dict[str, Any] = {
            "id": self.id,
            "question": self.question,
            "contexts": [passage.to_json() for passage in self.contexts],
            "reference": self.reference[0] if len(self.reference) == 1 else list(self.reference),
            "answerable": self.answerable,
            "type": self.type,
            "cluster": self.cluster,
            "citations": list(self.citations),
            "metadata": dict(self.metadata),
        }
        if self.messages:
            row["messages"] = [message.to_json() for message in self.messages]
        return row

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Question:
        """Inverse of `to_dict`. Trusts the row: files are read by `simsa.data`."""
        reference = row.get("reference", [])
        return cls(
            id=row["id"],
            question=row["question"],
            contexts=tuple(
                Passage(p) if isinstance(p, str) else Passage(p["text"], p.get("id"), p.get("title"))
                for p in row.get("contexts", ())
            ),
            reference=(reference,) if isinstance(reference, str) else tuple(reference),
            answerable=row.get("answerable", True),
            type=row.get("type"),
            cluster=row.get("cluster", ""),
            citations=tuple(row.get("citations", ())),
            messages=tuple(Message(m["role"], m["content"]) for m in row.get("messages", ())),
            metadata=row.get("metadata", {}),
        )

    @property
    def content_hash(self) -> str:
        return content_hash(self.to_dict())


def data_hash(question_hashes: Iterable[str]) -> str:
    """One hash for a whole test set; independent of the order of its rows."""
    return content_hash(sorted(question_hashes))


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a variant answered to a question.

    `prediction` is None when every attempt failed; `error` then says why.
    `latency_s` is seconds from sending the request to the whole answer.
    """

    question_id: str
    variant: str
    prediction: str | None
    request_hash: str
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    latency_s: float | None = None
    served_model: str | None = None
    system_fingerprint: str | None = None
    error: str | None = None

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


class Expected(NamedTuple):
    """The expected value of a score over the judge's token probabilities; None for the given `reason`."""

    score: float | None
    reason: str = ""


class Claim(NamedTuple):
    """One claim of an answer, with the number of a passage, from 1, and the words in it that support the claim.

    The judge names both; `supported` is true only if the passage has these words.
    """

    claim: str
    passage: int | None
    quote: str | None
    supported: bool


@dataclass(frozen=True, slots=True)
class Judgement:
    """The result of one call to a judge, or of one run of a local function, for some criteria.

    A judgement belongs to the content of its request, not to a row: rows with the same request share it. `scores` has
    only the criteria that were asked for, and is empty unless `status` is "scored". A judgement that was combined from
    others, such as a panel's, has no attempts, tokens or cost of its own. `cost_usd` is None if it is not known;
    `estimated_usd` is then an estimate, if there is a price.
    """

    request_hash: str
    judge: str
    rubric: str
    status: Status
    scores: Mapping[str, int] = field(default_factory=dict)
    analysis: str = ""
    raw: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cost_usd: float | None = None
    latency_s: float = 0.0
    attempts: int = 1
    detail: str = ""
    expected: Mapping[str, Expected] = field(default_factory=dict)
    claims: tuple[Claim, ...] | None = None
    estimated_usd: float | None = None

    @property
    def spent_usd(self) -> float:
        """The cost, or its estimate, that counts against a limit."""
        return (self.estimated_usd or 0.0) if self.cost_usd is None else self.cost_usd


Number = int | float
Aspect = Literal["", "correctness", "faithfulness"]


@dataclass(frozen=True, slots=True)
class Criterion:
    """One score that a rubric asks for.

    Scores are integers from `low` to `high`, both included; a yes/no criterion is 0 to 1.
    `in_total` says whether the score enters the total, where it is multiplied by `weight`.
    `title` is the criterion's name for people in the rubric's language; it may be empty.
    `sees_prediction` is False for a score that does not depend on the prediction, such as one of
    the search results. `aspect` names what else measures the same, so that a report compares both:
    "correctness" is compared with abstentions found by rule, "faithfulness" with claims.
    """

    name: str
    low: int = 1
    high: int = 5
    weight: Number = 1
    in_total: bool = True
    title: str = ""
    sees_prediction: bool = True
    aspect: Aspect = ""

    @property
    def is_yes_no(self) -> bool:
        """Whether the only scores are 0 (no) and 1 (yes)."""
        return (self.low, self.high) == (0, 1)

    @property
    def levels(self) -> range:
        """Every possible score, from the lowest."""
        return range(self.low, self.high + 1)

    @property
    def span(self) -> int:
        """Distance between the highest and the lowest score."""
        return self.high - self.low

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Criterion:
        """Inverse of `to_dict`; missing keys have their defaults."""
        return cls(**{name: row[name] for name in cls.__slots__ if name in row})


class Criteria(tuple[Criterion, ...]):
    """The criteria that a rubric declares, in its order. The only place that computes a total."""

    __slots__ = ()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(criterion.name for criterion in self)

    @property
    def in_total(self) -> Criteria:
        """The criteria that enter the total."""
        return Criteria(criterion for criterion in self if criterion.in_total)

    def named(self, name: str) -> Criterion | None:
        """The criterion `name`; None when there is none."""
        return next((criterion for criterion in self if criterion.name == name), None)

    def only(self, names: Iterable[str]) -> Criteria:
        """The criteria in `names`, in the rubric's order."""
        wanted = set(names)
        return Criteria(criterion for criterion in self if criterion.name in wanted)

    def of_aspect(self, aspect: Aspect) -> Criterion | None:
        """The first criterion with this aspect; None when there is none."""
        return next((criterion for criterion in self if criterion.aspect == aspect), None)

    def total(self, scores: Mapping[str, Number]) -> Number | None:
        """Weighted sum of `scores`; None unless every criterion that enters the total has a score."""
        counted = self.in_total
        if not counted or any(criterion.name not in scores for criterion in counted):
            return None
        parts = [criterion.weight * scores[criterion.name] for criterion in counted]
        return sum(parts) if all(isinstance(part, int) for part in parts) else math.fsum(parts)

    @property
    def max_total(self) -> Number | None:
        """The highest possible total; None when no criterion enters it."""
        return self.total({criterion.name: criterion.high for criterion in self})

    @property
    def min_total(self) -> Number | None:
        """The lowest possible total; None when no criterion enters it."""
        return self.total({criterion.name: criterion.low for criterion in self})

    def to_list(self) -> list[dict[str, Any]]:
        return [criterion.to_dict() for criterion in self]

    @classmethod
    def from_list(cls, rows: Iterable[Mapping[str, Any]]) -> Criteria:
        """Inverse of `to_list`."""
        return cls(Criterion.from_dict(row) for row in rows)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A judge's scores of one prediction, by criterion, or the status that says why they are missing.

    `total` is None unless every one of `criteria` that enters it has a score.
    """

    question_id: str
    variant: str
    judge: str
    rubric: str
    scores: Mapping[str, int]
    analysis: str
    status: Status
    raw: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float | None = None
    request_hash: str = ""
    criteria: Criteria = field(default_factory=Criteria)

    @property
    def total(self) -> Number | None:
        """The weighted sum of the scores, by `Criteria.total`."""
        return self.criteria.total(self.scores)

    def to_dict(self) -> dict[str, Any]:
        row = {name: getattr(self, name) for name in self.__slots__ if name not in ("scores", "criteria")}
        return row | {name: self.scores.get(name) for name in self.criteria.names} | {"total": self.total}
