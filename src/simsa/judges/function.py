"""A judge made of a plain Python function."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from simsa.judges.base import CanContinue, Judge
from simsa.judges.request import JOINT, JudgeRequest
from simsa.records import Criteria, Criterion, Judgement, Question, content_hash

ScoreFunction = Callable[[Question, str], Mapping[str, int]]
"""Scores a prediction: the question and the answer's text in, criterion → score out."""


class FunctionJudge(Judge):
    """Wraps a function of a question and a prediction that returns one integer for each criterion.

    `criteria` are names, each with the scale 1–5, or `Criterion` objects. The function runs in a thread. Where
    it raises an exception, or returns a score outside of a criterion's scale, the row has the status "failed".
    A stored judgement is reused while label, criteria, version, question and prediction are the same: raise
    `version` when the function changes.
    """

    mode = JOINT
    width = 16

    def __init__(
        self,
        score: ScoreFunction,
        criteria: Iterable[str | Criterion],
        *,
        label: str | None = None,
        version: str = "1",
    ) -> None:
        self.label: str = label or str(getattr(score, "__name__", type(score).__name__))
        self.rubric = f"{self.label}@{version}"
        self.criteria = Criteria(Criterion(one) if isinstance(one, str) else one for one in criteria)
        asked = [[one.name, one.low, one.high, one.weight, one.in_total] for one in self.criteria]
        self.key = content_hash("function", self.label, version, asked)
        self.task = self.verdict_task = self.key
        self._score = score

    def requests(self, question: Question, prediction: str) -> tuple[JudgeRequest, ...]:
        request_hash = content_hash(self.key, self._content(question, prediction))
        return (JudgeRequest(request_hash, JOINT, self.criteria.names, question, prediction),)

    def _content(self, question: Question, prediction: str) -> list[Any]:
        """Everything that can change the scores of a row, as JSON."""
        return [question.to_dict(), prediction]

    async def judge(self, request: JudgeRequest, can_continue: CanContinue | None = None) -> Judgement:
        try:
            scores, problem = await asyncio.to_thread(
                self._scores, request.question, request.prediction or ""
            )
        except Exception as error:
            scores, problem = {}, f"{type(error).__name__}: {error}"
        return Judgement(
            request_hash=request.request_hash,
            judge=self.label,
            rubric=self.rubric,
            status="failed" if problem else "scored",
            scores={} if problem else scores,
            cost_usd=0.0,
            detail=problem,
        )

    def _scores(self, question: Question, prediction: str) -> tuple[dict[str, int], str]:
        """The scores, and what is wrong with them ("" where nothing is)."""
        found = self._score(question, prediction)
        scores = {}
        for criterion in self.criteria:
            score = found.get(criterion.name)
            if score is None or int(score) != score or int(score) not in criterion.levels:
                return (
                    {},
                    f"{criterion.name}: {score!r} is not an integer from {criterion.low} to {criterion.high}",
                )
            scores[criterion.name] = int(score)
        return scores, ""
