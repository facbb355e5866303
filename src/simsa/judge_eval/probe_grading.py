"""Grades a judge's scores of probes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from simsa.judge_eval.probe_cases import CLAIM_KINDS, KINDS, ProbeCase

BAR = 0.95
_ALL_KINDS = (*KINDS, *CLAIM_KINDS)

ProbeStanding = Literal["passed", "weak", "unknown"]
Outcome = Literal["passed", "failed", "unscored"]


class CaseScores(NamedTuple):
    """The judge's scores of a case, and the status that says why scores are missing."""

    status: str
    scores: Mapping[str, int]


class GradedCase(NamedTuple):
    """A case with the judge's scores, the expectation in words ("answer_correctness ≤ 2"), and the outcome.

    `base` are the scores of the case that it is compared with.
    """

    case: ProbeCase
    judged: CaseScores
    outcome: Outcome
    wanted: str
    base: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        """An entry of `cases` in the JSON."""
        return {
            "kind": self.case.kind,
            "question_id": self.case.question.id,
            "form": self.case.form or None,
            "prediction": self.case.prediction,
            "outcome": self.outcome,
            "status": self.judged.status,
            "wanted": self.wanted,
            "scores": {name: self.judged.scores.get(name) for name in self.case.criteria},
            "against": {name: self.base[name] for name in self.case.criteria if name in self.base} or None,
        }


@dataclass(frozen=True, slots=True)
class KindResult:
    """One kind: `passed` of the `n` scored cases passed. `mean_shift` is how far padding moved the mean."""

    n: int
    passed: int
    unscored: int
    mean_shift: float | None = None

    @property
    def rate(self) -> float | None:
        return self.passed / self.n if self.n else None

    def to_dict(self) -> dict[str, Any]:
        """An entry of `kinds` in the JSON."""
        from simsa.stats import wilson

        interval = wilson(self.passed, self.n)
        return {
            "n": self.n,
            "passed": self.passed,
            "unscored": self.unscored,
            "rate": self.rate,
            "ci95": None if interval is None else list(interval),
            "mean_shift": self.mean_shift,
        }


@dataclass(frozen=True, slots=True)
class Probes:
    """All kinds that have cases, in a fixed order, and every case.

    `untested` are the kinds whose criteria the rubric does not have.
    """

    kinds: Mapping[str, KindResult]
    cases: tuple[GradedCase, ...]
    untested: tuple[str, ...] = ()

    @property
    def overall(self) -> KindResult:
        """All kinds together."""
        found = self.kinds.values()
        return KindResult(
            sum(one.n for one in found), sum(one.passed for one in found), sum(one.unscored for one in found)
        )

    @property
    def standing(self) -> ProbeStanding:
        """Whether the pass rate reaches the bar of 95 %. Every report of a judge below it says so."""
        rate = self.overall.rate
        if rate is None:
            return "unknown"
        return "passed" if rate >= BAR else "weak"

    @property
    def not_built(self) -> list[str]:
        """The kinds without cases, which the test set or the rubric did not allow."""
        extracts_claims = any(kind in CLAIM_KINDS for kind in self.kinds)
        offered = _ALL_KINDS if extracts_claims else KINDS
        return [kind for kind in offered if kind not in self.kinds]

    def to_dict(self) -> dict[str, Any]:
        """The `probes` of the JSON document."""
        return {
            "bar": BAR,
            "standing": self.standing,
            "overall": self.overall.to_dict(),
            "kinds": {kind: found.to_dict() for kind, found in self.kinds.items()},
            "not_built": self.not_built,
            "untested": list(self.untested),
            "cases": [graded.to_dict() for graded in self.cases],
        }


def grade(
    cases: Sequence[ProbeCase], judged: Mapping[str, CaseScores], untested: Iterable[str] = ()
) -> Probes:
    """Compares the judge's scores, by the cases' keys, with the expectations.

    A case without a score, or compared with one without, is unscored and counts neither way. Padded answers pass
    together while their mean is close enough to that of the answers inside; otherwise those that differ fail.
    """
    scores = {case.key: judged[case.key].scores for case in cases if case.key in judged}
    shifts = {kind: _mean_shift([c for c in cases if c.kind == kind], scores) for kind in _ALL_KINDS}
    graded = tuple(_grade(case, judged.get(case.key), scores, shifts[case.kind]) for case in cases)
    kinds: dict[str, KindResult] = {}
    for kind in _ALL_KINDS:
        outcomes = [one.outcome for one in graded if one.case.kind == kind]
        if outcomes:
            unscored = outcomes.count("unscored")
            kinds[kind] = KindResult(
                len(outcomes) - unscored, outcomes.count("passed"), unscored, shifts[kind]
            )
    return Probes(kinds, graded, tuple(untested))


def _grade(
    case: ProbeCase,
    judged: CaseScores | None,
    by_key: Mapping[str, Mapping[str, int]],
    shift: float | None,
) -> GradedCase:
    judged = judged or CaseScores("pending", {})
    scores, base = judged.scores, by_key.get(case.against or "", {})
    wanted = _wanted(case)
    missing = any(name not in scores for name in case.criteria)
    if missing or any(name not in base for name in (*case.no_gain, *case.same_mean)):
        return GradedCase(case, judged, "unscored", wanted, base)
    passed = (
        all(scores[name] >= least for name, least in case.at_least.items())
        and all(scores[name] <= most for name, most in case.at_most.items())
        and all(scores[name] <= base[name] for name in case.no_gain)
        and all(
            shift is None or abs(shift) <= limit + 1e-9 or scores[name] == base[name]
            for name, limit in case.same_mean.items()
        )
    )
    return GradedCase(case, judged, "passed" if passed else "failed", wanted, base)


def _mean_shift(cases: Sequence[ProbeCase], scores: Mapping[str, Mapping[str, int]]) -> float | None:
    """Mean difference of padded answers from the answers inside, over the pairs with both scores."""
    differences = [
        scores[case.key][name] - scores[case.against][name]
        for case in cases
        if case.against is not None
        for name in case.same_mean
        if name in scores.get(case.key, {}) and name in scores.get(case.against, {})
    ]
    return math.fsum(differences) / len(differences) if differences else None


def _wanted(case: ProbeCase) -> str:
    return ", ".join(
        [
            *(f"{name} ≥ {least}" for name, least in case.at_least.items()),
            *(f"{name} ≤ {most}" for name, most in case.at_most.items()),
            *(f"{name}: no gain" for name in case.no_gain),
            *(f"{name}: mean within {limit:g}" for name, limit in case.same_mean.items()),
        ]
    )
