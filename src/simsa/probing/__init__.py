"""The judge examined: answers whose scores are known beforehand, and the same answers judged twice."""

from simsa.probing.cases import CLAIM_KINDS, KINDS, Case, Kind, build
from simsa.probing.claimed import build_claims
from simsa.probing.examining import Estimate, Examination, Plan, estimate, examine, plan
from simsa.probing.grading import BAR, Heard, KindResult, Probes, grade
from simsa.probing.retest import Again, Retest, draw, reseeded

__all__ = [
    "BAR",
    "CLAIM_KINDS",
    "KINDS",
    "Again",
    "Case",
    "Estimate",
    "Examination",
    "Heard",
    "Kind",
    "KindResult",
    "Plan",
    "Probes",
    "Retest",
    "build",
    "build_claims",
    "draw",
    "estimate",
    "examine",
    "grade",
    "plan",
    "reseeded",
]
