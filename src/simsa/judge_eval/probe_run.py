"""Examines a judge: plans the requests for probes and retest, runs them, and stores the result in the run."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from simsa.config import JudgeConfig
from simsa.judge_eval import retest
from simsa.judge_eval.probe_cases import (
    CLAIM_SUPPORT,
    ProbeCase,
    build_cases,
    build_claim_cases,
    claim_level,
    untested_kinds,
)
from simsa.judge_eval.probe_grading import CaseScores, Probes, grade
from simsa.judges import Judge, JudgeRequest
from simsa.records import CLAIMS, Criteria, Judgement, Question
from simsa.run.budget import Budget
from simsa.run.cost_estimate import estimate_requests
from simsa.run.judging import JudgingSession
from simsa.run.progress import Progress
from simsa.store import TRANSIENT, Store, judgement

SCHEMA = "simsa.probe/1"


@dataclass(frozen=True, slots=True)
class ProbePlan:
    """The requests of an examination.

    `probe_requests` are the requests of each case by its key, `retest_requests` those of each retest row.
    `criteria` are the rubric's, `untested` the kinds of probes whose criteria it does not have.
    """

    criteria: Criteria
    cases: tuple[ProbeCase, ...]
    probe_requests: Mapping[str, tuple[JudgeRequest, ...]]
    untested: tuple[str, ...]
    rows: tuple[retest.RetestRow, ...]
    retest_requests: Mapping[str, tuple[JudgeRequest, ...]]
    per_kind: int
    seed: int

    def first(self) -> list[JudgeRequest]:
        """The different requests of the probes."""
        return _distinct(self.probe_requests.values())

    def second(self) -> list[JudgeRequest]:
        """The different requests of the retest."""
        return _distinct(self.retest_requests.values())


@dataclass(frozen=True, slots=True)
class ProbeEstimate:
    """The calls that are not stored yet, and their estimated cost (None: the price is unknown).

    `reused` requests are stored already. A panel makes several calls for one request.
    """

    calls: int
    reused: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None


@dataclass(frozen=True, slots=True)
class Examination:
    """The result of an examination. `stopped` says that the limit on cost was reached first."""

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
        """Cases and retest rows without scores."""
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
    """Plans the probes of `judge`, and the retest of `rows` by `second`, the same judge with another seed.

    A case is asked as far as the judge's requests score its criteria.
    """
    asked: dict[str, tuple[JudgeRequest, ...]] = {}
    cases = []
    drawn = list(questions)
    built = build_cases(drawn, per_kind, seed, criteria=judge.criteria)
    for case in (*built, *build_claim_cases(drawn, per_kind, seed)):
        offered = judge.requests(case.question, case.prediction)
        scored = {name for request in offered for name in _scored_by(request)}
        narrowed = _restrict_to(case, scored)
        if narrowed.criteria:
            cases.append(narrowed)
            wanted = set(narrowed.criteria)
            asked[case.key] = tuple(r for r in offered if wanted & set(_scored_by(r)))
    again = {row.key: tuple(retest.requests(second, row)) for row in rows} if second else {}
    return ProbePlan(
        criteria=judge.criteria,
        cases=tuple(cases),
        probe_requests=asked,
        untested=untested_kinds(judge.criteria),
        rows=tuple(rows) if second else (),
        retest_requests=again,
        per_kind=per_kind,
        seed=seed,
    )


def estimate_probes(plan: ProbePlan, judge: Judge, second: Judge | None, store: Store) -> ProbeEstimate:
    """Calls, tokens and cost of the requests that are not stored yet. Tokens are estimated from characters."""
    known = store.judged_requests(TRANSIENT)
    first, again = plan.first(), plan.second() if second else []
    new = [request for request in (*first, *again) if request.request_hash not in known]
    reused = len(first) + len(again) - len(new)
    if judge.is_local:
        return ProbeEstimate(len(new), reused, 0, 0, 0.0)
    found = estimate_requests(judge, first, store, known).plus(
        estimate_requests(second or judge, again, store, known)
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
    """Asks the requests that are not stored, grades the scores, and stores the document in the run."""
    progress = progress or Progress()
    before = store.spent_usd()
    known = store.judged_requests(TRANSIENT)
    budget = Budget(config.max_cost_usd, before)
    progress.spent_usd = progress.before_usd = before
    sessions = [(JudgingSession(store, judge, budget, progress), plan.first())]
    if second and plan.rows:
        sessions.append((JudgingSession(store, second, budget, progress), plan.second()))
    progress.judge.begin(total=len(plan.first()) + len(plan.second()))
    async with store.writing():
        for session, requests in sessions:
            await session.run(requests)
    progress.judge.end()
    scores = {key: _case_scores(store, asked) for key, asked in plan.probe_requests.items()}
    found = Examination(
        judge={"model": judge.label, "rubric": judge.rubric, "mode": judge.mode, "key": judge.key},
        probes=grade(plan.cases, scores, plan.untested),
        retest=_retested(plan, store),
        calls=sum(session.calls for session, _ in sessions),
        reused=sum(request.request_hash in known for request in (*plan.first(), *plan.second())),
        spent_usd=budget.spent - before,
        stopped=budget.exhausted,
        per_kind=plan.per_kind,
        seed=plan.seed,
    )
    store.set_probe_result(judge.key, found.to_dict())
    return found


def _case_scores(store: Store, asked: Sequence[JudgeRequest]) -> CaseScores:
    """The scores from a case's requests, with the status of the first request that has none."""
    found = [judgement(store, request.request_hash) for request in asked]
    unscored = [one.status if one else "pending" for one in found if one is None or one.status != "scored"]
    scores = {name: score for one in found if one for name, score in _scores(one).items()}
    return CaseScores(unscored[0] if unscored else "scored", scores)


def _scored_by(request: JudgeRequest) -> tuple[str, ...]:
    """The criteria that a request scores."""
    return (CLAIM_SUPPORT.name,) if request.part == CLAIMS else request.criteria


def _scores(found: Judgement) -> Mapping[str, int]:
    level = claim_level(found.claims or ())
    return found.scores if level is None else {CLAIM_SUPPORT.name: level}


def _retested(plan: ProbePlan, store: Store) -> retest.Retest | None:
    if not plan.rows:
        return None
    second = {key: _case_scores(store, asked).scores for key, asked in plan.retest_requests.items()}
    return retest.compare(plan.rows, second, plan.criteria)


def _restrict_to(case: ProbeCase, scored: set[str]) -> ProbeCase:
    """The case with the expectations of criteria in `scored` only."""
    return replace(
        case,
        at_least={name: bound for name, bound in case.at_least.items() if name in scored},
        at_most={name: bound for name, bound in case.at_most.items() if name in scored},
        no_gain=tuple(name for name in case.no_gain if name in scored),
        same_mean={name: limit for name, limit in case.same_mean.items() if name in scored},
    )


def _distinct(groups: Iterable[Sequence[JudgeRequest]]) -> list[JudgeRequest]:
    return list({request.request_hash: request for group in groups for request in group}.values())
