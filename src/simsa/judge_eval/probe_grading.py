"""What a judge's scores of known answers say of the judge."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from simsa.judge_eval.probe_cases import CLAIM_KINDS, KINDS, Kind, ProbeCase

BAR = 0.95
WITHIN = 0.3
"""How far the mean of padded answers may be from that of the answers inside, in points."""

_EVERY = (*KINDS, *CLAIM_KINDS)

Standing = Literal["passed", "weak", "unknown"]
Outcome = Literal["passed", "failed", "unscored"]


class CaseScores(NamedTuple):
    """What the judge said of a case: its scores, or why there are none."""

    status: str
    scores: Mapping[str, int]


class GradedCase(NamedTuple):
    """A case with what was said, what was wanted in words such as "answer_correctness ≤ 2", and the outcome."""

    case: ProbeCase
    heard: CaseScores
    outcome: Outcome
    wanted: str
    base: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        return {
            "kind": self.case.kind,
            "question_id": self.case.question.id,
            "form": self.case.form or None,
            "prediction": self.case.prediction,
            "outcome": self.outcome,
            "status": self.heard.status,
            "wanted": self.wanted,
            "scores": {name: self.heard.scores.get(name) for name in self.case.criteria},
            "against": {name: self.base[name] for name in self.case.criteria if name in self.base} or None,
        }


@dataclass(frozen=True, slots=True)
class KindResult:
    """One kind: how many of the scored cases passed. `mean_shift` is how far padding moved the mean."""

    n: int
    passed: int
    unscored: int
    mean_shift: float | None = None

    @property
    def rate(self) -> float | None:
        return self.passed / self.n if self.n else None

    def to_dict(self) -> dict[str, Any]:
        from simsa.stats import wilson

        found = wilson(self.passed, self.n)
        return {
            "n": self.n,
            "passed": self.passed,
            "unscored": self.unscored,
            "rate": self.rate,
            "ci95": None if found is None else list(found),
            "mean_shift": self.mean_shift,
        }


@dataclass(frozen=True, slots=True)
class Probes:
    """All kinds that could be built, in a fixed order, and every case."""

    kinds: Mapping[Kind, KindResult]
    cases: tuple[GradedCase, ...]

    @property
    def overall(self) -> KindResult:
        found = self.kinds.values()
        return KindResult(
            sum(one.n for one in found), sum(one.passed for one in found), sum(one.unscored for one in found)
        )

    @property
    def standing(self) -> Standing:
        """Under the bar of 95 % a judge is flagged in every report made with it."""
        rate = self.overall.rate
        if rate is None:
            return "unknown"
        return "passed" if rate >= BAR else "weak"

    @property
    def _offered(self) -> tuple[Kind, ...]:
        """The kinds that this judge is asked for, if they can be built."""
        return _EVERY if any(kind in CLAIM_KINDS for kind in self.kinds) else KINDS

    def to_dict(self) -> dict[str, Any]:
        return {
            "bar": BAR,
            "standing": self.standing,
            "overall": self.overall.to_dict(),
            "kinds": {kind: found.to_dict() for kind, found in self.kinds.items()},
            "not_built": [kind for kind in self._offered if kind not in self.kinds],
            "cases": [graded.to_dict() for graded in self.cases],
        }


def grade(cases: Sequence[ProbeCase], heard: Mapping[str, CaseScores]) -> Probes:
    """Holds what was heard, by the cases' keys, against what is known.

    A case that has no score, or is held against one without, is unscored and counts
    neither way. Padded answers pass together while their mean is within 0.3 of that of the
    answers inside; beyond it, those that differ have failed.
    """
    bases = {case.key: heard[case.key].scores for case in cases if case.key in heard}
    shifts = {kind: _shift([c for c in cases if c.kind == kind], bases) for kind in _EVERY}
    graded = tuple(_graded(case, heard.get(case.key), bases, shifts[case.kind]) for case in cases)
    kinds: dict[Kind, KindResult] = {}
    for kind in _EVERY:
        outcomes = [one.outcome for one in graded if one.case.kind == kind]
        if outcomes:
            scored = len(outcomes) - outcomes.count("unscored")
            kinds[kind] = KindResult(
                scored, outcomes.count("passed"), outcomes.count("unscored"), shifts[kind]
            )
    return Probes(kinds, graded)


def _graded(
    case: ProbeCase, heard: CaseScores | None, bases: Mapping[str, Mapping[str, int]], shift: float | None
) -> GradedCase:
    heard = heard or CaseScores("pending", {})
    base = bases.get(case.against or "", {})
    wanted = _wanted(case)
    missing = [name for name in case.criteria if name not in heard.scores]
    if missing or any(name not in base for name in (*case.no_gain, *case.same_mean)):
        return GradedCase(case, heard, "unscored", wanted, base)
    scores = heard.scores
    moved = shift is not None and abs(shift) > WITHIN + 1e-9
    held = (
        all(scores[name] >= least for name, least in case.at_least.items())
        and all(scores[name] <= most for name, most in case.at_most.items())
        and all(scores[name] <= base[name] for name in case.no_gain)
        and not (moved and any(scores[name] != base[name] for name in case.same_mean))
    )
    return GradedCase(case, heard, "passed" if held else "failed", wanted, base)


def _shift(cases: Sequence[ProbeCase], bases: Mapping[str, Mapping[str, int]]) -> float | None:
    """Mean difference of padded answers to the answers inside, over those that both have scores."""
    differences = [
        bases[case.key][name] - bases[case.against][name]
        for case in cases
        if case.against is not None
        for name in case.same_mean
        if name in bases.get(case.key, {}) and name in bases.get(case.against, {})
    ]
    return math.fsum(differences) / len(differences) if differences else None


def _wanted(case: ProbeCase) -> str:
    return ", ".join(
        [
            *(f"{name} ≥ {least}" for name, least in case.at_least.items()),
            *(f"{name} ≤ {most}" for name, most in case.at_most.items()),
            *(f"{name}: no gain" for name in case.no_gain),
            *(f"{name}: mean within {WITHIN}" for name in case.same_mean),
        ]
    )
