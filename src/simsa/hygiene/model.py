"""What is found in a test set that makes its figures less than they seem."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

Match = Literal["exact", "normalised", "near"]
Kind = Literal[
    "leaked_question",  # the training file asks it too
    "leaked_passage",  # the training file shows it too
    "duplicate_question",  # the test set asks it twice
    "unsupported_reference",  # answerable, but no passage says what the reference says
    "refusal_as_reference",  # answerable, but the reference declines to answer
    "answer_as_reference",  # unanswerable, but the reference answers
]


class Finding(NamedTuple):
    """One doubtful row. `excerpt` is of the row itself, `other` names the row it is held against.

    `similarity` is 0–1: what both share, or how much of a reference the passages hold.
    """

    kind: Kind
    question_id: str
    excerpt: str
    match: Match | None = None
    other: str | None = None
    other_excerpt: str | None = None
    similarity: float | None = None


@dataclass(frozen=True, slots=True)
class Hygiene:
    """All findings, in the order of the test set within each kind."""

    findings: tuple[Finding, ...]

    @property
    def counts(self) -> dict[Kind, int]:
        """Kind → how many questions it concerns."""
        return dict(Counter(finding.kind for finding in self.findings))

    def of(self, kind: Kind) -> list[Finding]:
        return [finding for finding in self.findings if finding.kind == kind]

    def to_dict(self) -> dict[str, Any]:
        return {"counts": self.counts, "findings": [finding._asdict() for finding in self.findings]}


def once(findings: Iterable[Finding]) -> list[Finding]:
    """The closest finding of each kind and question, in the order in which questions came."""
    rank = {"exact": 2, "normalised": 1, "near": 0, None: 0}
    best: dict[tuple[str, str], Finding] = {}
    for found in findings:
        key = (found.kind, found.question_id)
        known = best.get(key)
        if known is None or (rank[found.match], found.similarity or 0) > (
            rank[known.match],
            known.similarity or 0,
        ):
            best[key] = found
    return list(best.values())
