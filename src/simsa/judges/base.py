"""What a judge is to the pipeline: requests named by their content, and a judgement for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

import orjson

from simsa.records import Criteria, Judgement, Question, Verdict, content_hash

JOINT = "joint"
"""The one part of a verdict whose criteria are judged together."""


@dataclass(frozen=True, slots=True)
class JudgeRequest:
    """One call: `criteria` of a row, by a judge and rubric that `request_hash` stands for.

    The hash covers all that can change the scores, and only what the call may show, so
    rows that ask the same thing have the same hash: identical predictions of several
    variants do, and in split mode every variant's context criteria. `prediction` is None
    when the call does not show it.
    """

    request_hash: str
    part: str
    criteria: tuple[str, ...]
    question: Question
    prediction: str | None
    material: Mapping[str, str] = field(default_factory=dict)
    """What a rubric shows of the row, by field, where there is a rubric."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """Hash of what is asked for each criterion, where its score may come from a call that also
    asked for others: an edit to one of them then leaves it standing."""
    voices: Mapping[str, JudgeRequest] = field(default_factory=dict)
    """The requests whose judgements make the one on this, where it is no call itself: a panel's by
    member, or the repeats by number."""
    member: str = ""
    """Which judge of a panel is asked."""
    repeat: int = 0

    def calls(self) -> Iterator[JudgeRequest]:
        """The calls that it takes."""
        if not self.voices:
            yield self
        for voice in self.voices.values():
            yield from voice.calls()


Affords = Callable[[float], bool]


class Judge(Protocol):
    """Something that scores. Used as an async context manager around all `judge` calls."""

    @property
    def label(self) -> str:
        """Who judges: `gpt-4o`, `lexical`."""

    @property
    def rubric(self) -> str:
        """By which rubric, with its version: `rag-ko@1a2b3c4d`."""

    @property
    def criteria(self) -> Criteria:
        """The criteria that the rubric declares."""

    @property
    def mode(self) -> str:
        """`joint` or `split`."""

    @property
    def key(self) -> str:
        """Hash of everything that makes scores comparable: model, sampling, rubric, how it is split."""

    @property
    def task(self) -> str:
        """Hash of everything that is asked: `key`, and what leaves the scores as they are. Verdicts are
        made anew, from what is on file, when it changes."""

    @property
    def verdict_task(self) -> str:
        """`task` without what is listed beside verdicts, an answer's claims: what scores stand under."""

    @property
    def width(self) -> int:
        """How many rows it is worth to have under way at once."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know before relying on it."""

    def requests(self, question: Question, prediction: str) -> tuple[JudgeRequest, ...]:
        """What has to be asked for the verdict on one prediction."""

    def prompt_text(self, request: JudgeRequest) -> str:
        """All that a request says to a paid model, to estimate its tokens; empty where nothing is paid."""

    def narrowed(self, request: JudgeRequest, criteria: tuple[str, ...]) -> JudgeRequest:
        """A call of its own for some of the criteria of a request that has `keys`."""

    async def judge(self, request: JudgeRequest, affords: Affords | None = None) -> Judgement:
        """The judgement on one request. A row's failure is its status; EndpointError is the run's end.

        Where the same has to be asked once more, `affords` is told what it has cost so far (USD); where it says no, the
        status is "budget".
        """

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def combine(question_id: str, variant: str, judgements: Sequence[Judgement]) -> Verdict:
    """One verdict from the judgements on its parts.

    Its status is that of the first part that is not scored; scores of the other parts are
    kept, and there is no total then. Tokens and cost are sums over the parts, each counted
    in full in every verdict that shares it; a run's spending is the sum over judgements.
    """
    first = judgements[0]
    unscored = [judgement for judgement in judgements if judgement.status != "scored"]
    costs = [judgement.cost_usd for judgement in judgements if judgement.cost_usd is not None]
    several = len(judgements) > 1
    return Verdict(
        question_id=question_id,
        variant=variant,
        judge=first.judge,
        rubric=first.rubric,
        scores={name: score for judgement in judgements for name, score in judgement.scores.items()},
        analysis="\n".join(judgement.analysis for judgement in judgements if judgement.analysis),
        status=unscored[0].status if unscored else "scored",
        raw=orjson.dumps([j.raw for j in judgements]).decode() if several else first.raw,
        prompt_tokens=sum(judgement.prompt_tokens for judgement in judgements),
        completion_tokens=sum(judgement.completion_tokens for judgement in judgements),
        cost_usd=sum(costs) if len(costs) == len(judgements) else None,
        request_hash=content_hash(*(j.request_hash for j in judgements)) if several else first.request_hash,
    )
