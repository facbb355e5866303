"""The interface of a judge: requests named by their content, and one judgement for each request."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self

import orjson

from simsa.judges.conversation import ChatJudge
from simsa.judges.cost import NOTHING, CostEstimate
from simsa.judges.request import JudgeRequest
from simsa.records import Criteria, Judgement, Question, Verdict, content_hash

CanContinue = Callable[[float], bool]
"""Whether a call that has cost this much so far (USD) may be repeated."""


class Judge(Protocol):
    """Scores predictions. Use it as an async context manager around all `judge` calls.

    A class that inherits from this protocol needs the attributes, `requests` and `judge`; the other methods
    have defaults for a judge that runs here and costs nothing.
    """

    label: str
    """Name of the judge: `gpt-4o`, `lexical`."""
    rubric: str
    """The rubric with its version: `rag-ko@1a2b3c4d`."""
    criteria: Criteria
    """The criteria that the rubric declares."""
    mode: str
    """`joint` or `split`."""
    key: str
    """Hash of everything that makes scores comparable: model, sampling, rubric, mode."""
    task: str
    """Hash of everything that is asked: `key`, and what does not change the scores. When it changes, verdicts
    are put together again from stored judgements."""
    verdict_task: str
    """`task` without the extraction of claims."""
    width: int
    """How many rows to judge at once."""
    notes: tuple[str, ...] = ()
    """What a user should know before relying on this judge."""
    is_local: bool = True
    """Whether it runs in this process, without a model or a price."""

    def requests(self, question: Question, prediction: str) -> tuple[JudgeRequest, ...]:
        """The requests for the verdict on one prediction."""
        raise NotImplementedError

    async def judge(self, request: JudgeRequest, can_continue: CanContinue | None = None) -> Judgement:
        """The judgement on one request. The failure of a row is a status; EndpointError ends the run.

        Before a call is repeated, `can_continue` gets the cost so far (USD); where it returns False, the
        status is "budget".
        """
        raise NotImplementedError

    def estimate(self, request: JudgeRequest) -> CostEstimate:
        """What one call is expected to take."""
        return NOTHING

    def restrict_to(self, request: JudgeRequest, criteria: tuple[str, ...]) -> JudgeRequest:
        """A call for some of the criteria of a request that has `criterion_hashes`."""
        return request

    def set_base_url(self, base_url: str, key: str) -> None:
        """Sets the address of a judge that simsa serves itself; before the judge is entered."""
        return

    def chat_models(self) -> Mapping[str, ChatJudge]:
        """The chat models that are asked, by member name ("" for a judge alone); empty for other judges."""
        return {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


def combine(
    question_id: str, variant: str, judgements: Sequence[Judgement], criteria: Criteria | None = None
) -> Verdict:
    """One verdict from the judgements on its parts.

    Its status is that of the first part that is not scored; scores of the other parts are kept, and there is
    no total then. Tokens and cost are sums over the parts. A part that several verdicts share counts in full
    in each; the spending of a run is the sum over judgements.
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
        criteria=criteria or Criteria(),
    )
