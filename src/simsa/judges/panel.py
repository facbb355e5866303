"""Several judges in place of one: each is asked separately, and the median of their scores counts."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Self

from simsa.errors import ServiceError
from simsa.i18n.messages import msg
from simsa.judges.base import CanContinue, Judge
from simsa.judges.cost import CostEstimate
from simsa.judges.llm import LLMJudge
from simsa.judges.request import JudgeRequest
from simsa.records import Judgement, Question, content_hash


class Panel(Judge):
    """Members with one rubric and one mode.

    When the endpoint of a member fails for good, the panel goes on without that member while a majority is
    left. Claims come from the members that are configured to list them: lists have no median.
    """

    is_local = False

    def __init__(
        self, label: str, members: Mapping[str, LLMJudge], say: Callable[[str], None] | None = None
    ) -> None:
        first = next(iter(members.values()))
        self.label = label
        self.rubric = first.rubric
        self.criteria = first.criteria
        self.mode = first.mode
        self.width = sum(member.width for member in members.values())
        notes = [note for member in members.values() for note in member.notes]
        if len(members) % 2 == 0:
            notes.append(msg("judge.even"))
        self.notes = tuple(dict.fromkeys(notes))
        self.key = content_hash("panel", [[name, member.key] for name, member in members.items()])
        self.task = content_hash("panel", [[name, member.task] for name, member in members.items()])
        self.verdict_task = content_hash("panel", [[name, m.verdict_task] for name, m in members.items()])
        self._members = members
        self._say = say or (lambda text: None)
        self._failed: dict[str, ServiceError] = {}
        self._open = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        for member in self._members.values():
            await self._open.enter_async_context(member)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.aclose()

    def chat_models(self) -> Mapping[str, LLMJudge]:
        return self._members

    def requests(self, question: Question, prediction: str) -> tuple[JudgeRequest, ...]:
        asked = {
            name: [_for_member(name, request) for request in member.requests(question, prediction)]
            for name, member in self._members.items()
        }
        scoring = [[request for request in requests if not request.is_claims] for requests in asked.values()]
        joined = [self._join(dict(zip(asked, part, strict=True))) for part in zip(*scoring, strict=True)]
        claims = [request for requests in asked.values() for request in requests if request.is_claims]
        return (*joined, *claims)

    def _join(self, requests: Mapping[str, JudgeRequest]) -> JudgeRequest:
        """One request for the same part from every member."""
        hashes = [[name, request.request_hash] for name, request in requests.items()]
        return replace(
            next(iter(requests.values())),
            request_hash=content_hash("panel", hashes),
            sub_requests=requests,
            criterion_hashes={},
            member="",
        )

    def estimate(self, request: JudgeRequest) -> CostEstimate:
        return self._members[request.member].estimate(request)

    def restrict_to(self, request: JudgeRequest, criteria: tuple[str, ...]) -> JudgeRequest:
        return self._members[request.member].restrict_to(request, criteria)

    async def judge(self, request: JudgeRequest, can_continue: CanContinue | None = None) -> Judgement:
        name = request.member
        if name not in self._failed:
            try:
                return await self._members[name].judge(request, can_continue)
            except ServiceError as error:
                self._drop(name, error)
        return Judgement(
            request.request_hash,
            self._members[name].label,
            self.rubric,
            "failed",
            cost_usd=0.0,
            attempts=0,
            detail=str(self._failed[name]),
        )

    def _drop(self, name: str, error: ServiceError) -> None:
        """Goes on without a member. Raises `error` when no majority is left."""
        first = name not in self._failed
        self._failed.setdefault(name, error)
        left = len(self._members) - len(self._failed)
        if 2 * left <= len(self._members):
            raise error
        if first:
            self._say(msg("judge.member_stopped", name=name, left=left, error=error.localized()))


def _for_member(name: str, request: JudgeRequest) -> JudgeRequest:
    """`request` and its repeats, addressed to the member `name`."""
    repeats = {number: _for_member(name, repeat) for number, repeat in request.sub_requests.items()}
    return replace(request, member=name, sub_requests=repeats)
