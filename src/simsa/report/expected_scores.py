"""Expected scores, from the judge's token probabilities, beside its integers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from simsa.records import CRITERIA, Expected
from simsa.report.score_matrix import TOTAL, Mean
from simsa.store import Store, expected


@dataclass(frozen=True, slots=True)
class ExpectedScores:
    """One variant's: means of the criteria and, over rows that have all four, of the total.

    `missing` counts the scored criteria that have no expectation, by reason.
    """

    means: Mapping[str, Mean] = field(default_factory=dict)
    missing: Mapping[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        means = {name: found._asdict() for name, found in self.means.items()}
        return means | {"missing": dict(self.missing)}


def expected_scores(store: Store) -> dict[str, ExpectedScores]:
    """Variant → its expected scores; empty where the judge was not asked for token probabilities."""
    values: dict[str, dict[str, list[float]]] = {}
    missing: dict[str, Counter[str]] = {}
    for _, variant, row in expected(store):
        of = values.setdefault(variant, {})
        why = missing.setdefault(variant, Counter())
        for name, one in row.items():
            if one.score is None:
                why[one.reason] += 1
            else:
                of.setdefault(name, []).append(one.score)
        if (total := total_of(row)) is not None:
            of.setdefault(TOTAL, []).append(total)
    return {
        variant: ExpectedScores(
            {name: Mean(math.fsum(v) / len(v), len(v)) for name in (*CRITERIA, TOTAL) if (v := of.get(name))},
            dict(sorted(missing[variant].items())),
        )
        for variant, of in values.items()
    }


def total_of(row: Mapping[str, Expected]) -> float | None:
    """The sum of the four; None unless all have an expectation."""
    scores = [one.score for name in CRITERIA if (one := row.get(name)) and one.score is not None]
    return math.fsum(scores) if len(scores) == len(CRITERIA) else None
