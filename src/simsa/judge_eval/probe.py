"""A judge's examination: what is to be asked, asking it, and the document that a run keeps of it."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from simsa.config import JudgeConfig
from simsa.judge_eval import retest
from simsa.judge_eval.probe_cases import CLAIM_SUPPORT, ProbeCase, build_cases, build_claims, level
from simsa.judge_eval.probe_grading import CaseScores, Probes, grade
from simsa.judges import Judge, JudgeRequest
from simsa.judges.cost import cost_estimate
from simsa.records import CLAIMS, CRITERIA, Judgement, Question
from simsa.run.concurrency import Budget, async_iter, for_each_concurrent
from simsa.run.judging import AskResult as Said
from simsa.run.judging import JudgingSession, ask_with_budget
from simsa.run.progress import Progress
from simsa.store import TRANSIENT, Store, judgement

SCHEMA = "simsa.probe/1"


@dataclass(frozen=True, slots=True)
class ProbePlan:
    """What an examination asks. `judges` are the judge and the same with another seed, for the retest."""

    cases: tuple[ProbeCase, ...]
    asked: Mapping[str, tuple[JudgeRequest, ...]]
    rows: tuple[retest.RetestRow, ...]
    again: Mapping[str, tuple[JudgeRequest, ...]]
    per_kind: int
    seed: int

    def first(self) -> list[JudgeRequest]:
        """Calls of the probes, each once."""
        return _once(self.asked.values())

    def second(self) -> list[JudgeRequest]:
        """Calls of the retest, each once."""
        return _once(self.again.values())


@dataclass(frozen=True, slots=True)
class ProbeEstimate:
    """Calls that are not on file yet, and what they would cost (None: no price is known).

    `reused` are requests that are; of a panel a request takes several calls.
    """

    calls: int
    reused: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None


@dataclass(frozen=True, slots=True)
class Examination:
    """What came out. `stopped` says that the money ended before the questions did."""

    judge: Mapping[str, Any]
    probes: Probes
    retest: retest.Retest | None
    calls: int
    reused: int
    spent_usd: float
    stopped: bool
    per_kind: int
    seed: int

    @property
    def n_unscored(self) -> int:
        return self.probes.overall.unscored + (self.retest.n_unscored if self.retest else 0)

    def to_dict(self) -> dict[str, Any]:
        """The JSON document, schema `simsa.probe/1`; a run keeps it under its judge's key."""
        return {
            "schema": SCHEMA,
            "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "judge": dict(self.judge),
            "probes": self.probes.to_dict(),
            "retest": self.retest and self.retest.to_dict(),
            "per_kind": self.per_kind,
            "seed": self.seed,
            "calls": self.calls,
            "reused": self.reused,
            "spent_usd": self.spent_usd,
            "stopped": "budget" if self.stopped else None,
        }


def plan_probes(
    judge: Judge,
    questions: Iterable[Question],
    per_kind: int,
    *,
    second: Judge | None = None,
    rows: Sequence[retest.RetestRow] = (),
    seed: int = 0,
) -> ProbePlan:
    """What to ask `judge` about known answers, and `second` about `rows` of the run."""
    asked: dict[str, tuple[JudgeRequest, ...]] = {}
    cases = []
    drawn = list(questions)
    for case in (*build_cases(drawn, per_kind, seed), *build_claims(drawn, per_kind, seed)):
        offered = judge.requests(case.question, case.prediction)
        able = {name for request in offered for name in _scored_by(request)}
        narrowed = _within(case, able)
        if narrowed.criteria:
            cases.append(narrowed)
            wanted = set(narrowed.criteria)
            asked[case.key] = tuple(r for r in offered if wanted & set(_scored_by(r)))
    again = {row.key: tuple(retest.requests(second, row)) for row in rows} if second else {}
    return ProbePlan(tuple(cases), asked, tuple(rows) if second else (), again, per_kind, seed)


def estimate_probes(
    plan: ProbePlan, judge: Judge, second: Judge | None, config: JudgeConfig, store: Store
) -> ProbeEstimate:
    """What the plan would take beyond what is on file. Tokens are estimated from characters."""
    known = store.judged_requests(TRANSIENT)
    first, again = plan.first(), plan.second() if second else []
    new = [request for request in (*first, *again) if request.request_hash not in known]
    reused = len(first) + len(again) - len(new)
    if config.is_local:
        return ProbeEstimate(len(new), reused, 0, 0, 0.0)
    found = cost_estimate(judge, config, first, known).plus(
        cost_estimate(second or judge, config, again, known)
    )
    return ProbeEstimate(found.calls, reused, found.prompt_tokens, found.completion_tokens, found.cost_usd)


async def run_probes(
    plan: ProbePlan,
    judge: Judge,
    second: Judge | None,
    config: JudgeConfig,
    store: Store,
    *,
    progress: Progress | None = None,
) -> Examination:
    """Asks what is not on file, grades, and keeps the document in the run. Each answer is on disk before it counts."""
    progress = progress or Progress()
    before = store.spent_usd()
    known = store.judged_requests(TRANSIENT)
    asking = ProbeRunner(store, config, Budget(config.max_cost_usd, before), progress)
    progress.judge.begin(total=len(plan.first()) + len(plan.second()))
    async with store.writing():
        await asking.ask(judge, plan.first())
        if second and plan.rows:
            await asking.ask(second, plan.second())
    progress.judge.end()
    found = Examination(
        judge={"model": judge.label, "rubric": judge.rubric, "mode": judge.mode, "key": judge.key},
        probes=grade(plan.cases, {key: _heard(store, asked) for key, asked in plan.asked.items()}),
        retest=_retested(plan, store),
        calls=asking.calls,
        reused=sum(request.request_hash in known for request in (*plan.first(), *plan.second())),
        spent_usd=asking.budget.spent - before,
        stopped=asking.budget.exhausted,
        per_kind=plan.per_kind,
        seed=plan.seed,
    )
    store.set_probe_result(judge.key, found.to_dict())
    return found


class ProbeRunner:
    """Has judges asked within one budget, and counts the calls."""

    def __init__(self, store: Store, config: JudgeConfig, budget: Budget, progress: Progress) -> None:
        self.budget = budget
        self._config = config
        self.calls = 0
        self._store = store
        self._known = store.judged_requests(TRANSIENT)
        self._progress = progress

    async def ask(self, judge: Judge, requests: Sequence[JudgeRequest]) -> None:
        """Every request gets its judgement on file, as far as the budget goes."""
        direct = ask_with_budget(judge, self.budget, self._config)

        async def call(request: JudgeRequest) -> Said | None:
            said = await direct(request)
            self.calls += said is not None
            return said

        hearing = JudgingSession(self._store, judge, call, self._progress.judge, TRANSIENT)

        async def hear(request: JudgeRequest) -> None:
            if not self.budget.exhausted and await hearing.hear(request):
                self._progress.judge.done += 1
            self._progress.spent_usd = self.budget.spent

        # A judge that has nothing to be asked need not be there.
        to_ask = any(request.request_hash not in self._known for request in requests)
        async with judge if to_ask else contextlib.nullcontext():
            await for_each_concurrent(async_iter(requests), hear, judge.width)


def _heard(store: Store, asked: Sequence[JudgeRequest]) -> CaseScores:
    """The scores of a case's calls; the status of the first that has none."""
    found = [judgement(store, request.request_hash) for request in asked]
    unscored = [one.status if one else "pending" for one in found if one is None or one.status != "scored"]
    scores = {name: score for one in found if one for name, score in _scores(one).items()}
    return CaseScores(unscored[0] if unscored else "scored", scores)


def _scored_by(request: JudgeRequest) -> tuple[str, ...]:
    """What a request gives levels for."""
    return (CLAIM_SUPPORT,) if request.part == CLAIMS else request.criteria


def _scores(made: Judgement) -> Mapping[str, int]:
    found = level(made.claims or ())
    return made.scores if found is None else {CLAIM_SUPPORT: found}


def _retested(plan: ProbePlan, store: Store) -> retest.Retest | None:
    if not plan.rows:
        return None
    return retest.compare(plan.rows, {key: _heard(store, asked).scores for key, asked in plan.again.items()})


def _within(case: ProbeCase, able: set[str]) -> ProbeCase:
    """The case as far as the rubric asks for its criteria."""

    def kept(bounds: Mapping[str, int]) -> dict[str, int]:
        return {name: bound for name, bound in bounds.items() if name in able}

    return replace(
        case,
        at_least=kept(case.at_least),
        at_most=kept(case.at_most),
        no_gain=tuple(name for name in case.no_gain if name in able & set(CRITERIA)),
        same_mean=tuple(name for name in case.same_mean if name in able),
    )


def _once(groups: Iterable[Sequence[JudgeRequest]]) -> list[JudgeRequest]:
    return list({request.request_hash: request for group in groups for request in group}.values())
