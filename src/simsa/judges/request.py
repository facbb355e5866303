"""A judge's request: which criteria of a row are asked for, and which texts the call shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from simsa.records import CLAIMS, Question

JOINT = "joint"
"""The one part of a verdict whose criteria are judged together."""


@dataclass(frozen=True, slots=True)
class JudgeRequest:
    """One call: `criteria` of a row, by a judge and rubric that `request_hash` stands for.

    The hash covers everything that can change the scores, and only what the call shows. Rows that ask the
    same thing therefore have the same hash: identical predictions of several variants do, and in split mode
    the context criteria of every variant. `prediction` is None when the call does not show it.
    """

    request_hash: str
    part: str
    criteria: tuple[str, ...]
    question: Question
    prediction: str | None
    material: Mapping[str, str] = field(default_factory=dict)
    """The texts of the row that the call shows, by field."""
    criterion_hashes: Mapping[str, str] = field(default_factory=dict)
    """Criterion → hash of what is asked for it, where a score from a call for other criteria may be reused."""
    sub_requests: Mapping[str, JudgeRequest] = field(default_factory=dict)
    """The requests whose judgements are combined, where this is no call itself: those of a panel's members
    by name, or the repeats by number."""
    member: str = ""
    """The member of a panel that is asked."""
    repeat: int = 0

    @property
    def is_claims(self) -> bool:
        """Whether it asks for the claims of the answer, and for no scores."""
        return self.part == CLAIMS

    def calls(self) -> Iterator[JudgeRequest]:
        """The calls that this request takes."""
        if not self.sub_requests:
            yield self
        for sub_request in self.sub_requests.values():
            yield from sub_request.calls()
