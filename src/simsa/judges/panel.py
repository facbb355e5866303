"""Several judges in place of one: each is asked for itself, and the median of their scores counts."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Self

from simsa.errors import ServiceError
from simsa.i18n.messages import msg
from simsa.judges.base import Affords, JudgeRequest
from simsa.judges.llm import LLMJudge
from simsa.records import CLAIMS, Judgement, Question, content_hash


class Panel:
    """Members under one rubric and mode. A member whose endpoint ends is done without while a majority is left.

    Claims are listed by the members that are made to: lists have no median.
    """

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
        self._gone: dict[str, ServiceError] = {}
        self._open = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        for member in self._members.values():
            await self._open.enter_async_context(member)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.aclose()

    def requests(self, question: Question, prediction: str) -> tuple[JudgeRequest, ...]:
        asked = {name: member.requests(question, prediction) for name, member in self._members.items()}
        scoring = [[r for r in requests if r.part != CLAIMS] for requests in asked.values()]
        together = [
            self._together(dict(zip(asked, part, strict=True))) for part in zip(*scoring, strict=True)
        ]
        listing = [_for(name, r) for name, requests in asked.items() for r in requests if r.part == CLAIMS]
        return (*together, *listing)

    def _together(self, requests: Mapping[str, JudgeRequest]) -> JudgeRequest:
        voices = {name: _for(name, request) for name, request in requests.items()}
        hashes = [[name, request.request_hash] for name, request in requests.items()]
        first = next(iter(requests.values()))
        return replace(first, request_hash=content_hash("panel", hashes), voices=voices, keys={})

    def voice(self, name: str) -> LLMJudge:
        return self._members[name]

    def prompt_text(self, request: JudgeRequest) -> str:
        return self._members[request.member].prompt_text(request)

    def narrowed(self, request: JudgeRequest, criteria: tuple[str, ...]) -> JudgeRequest:
        return self._members[request.member].narrowed(request, criteria)

    async def judge(self, request: JudgeRequest, affords: Affords | None = None) -> Judgement:
        name = request.member
        if name not in self._gone:
            try:
                return await self._members[name].judge(request, affords)
            except ServiceError as error:
                self._do_without(name, error)
        return Judgement(
            request.request_hash,
            self._members[name].label,
            self.rubric,
            "failed",
            cost_usd=0.0,
            attempts=0,
            detail=str(self._gone[name]),
        )

    def _do_without(self, name: str, error: ServiceError) -> None:
        """Raises `error` when no majority is left without this member."""
        first = name not in self._gone
        self._gone.setdefault(name, error)
        left = len(self._members) - len(self._gone)
        if 2 * left <= len(self._members):
            raise error
        if first:
            self._say(msg("judge.member_stopped", name=name, left=left, error=str(error)))


def _for(name: str, request: JudgeRequest) -> JudgeRequest:
    """`request` and its voices, to be asked of the member `name`."""
    voices = {repeat: _for(name, voice) for repeat, voice in request.voices.items()}
    return replace(request, member=name, voices=voices)
