"""The judge asked a second time: how far does it agree with itself?"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from simsa.config import JudgeConfig
from simsa.i18n.messages import note_text
from simsa.judges import Judge, JudgeRequest
from simsa.records import CRITERIA, Question
from simsa.store import Store, results

if TYPE_CHECKING:
    from simsa.stats import Agreement

# Far from the seeds that people choose.
_ANOTHER_SEED = 1_000_003


class RetestRow(NamedTuple):
    """A stored answer that is judged once more, and the scores that it has."""

    question: Question
    variant: str
    prediction: str
    scores: Mapping[str, int]

    @property
    def key(self) -> str:
        return f"{self.question.id}/{self.variant}"


def reseeded(config: JudgeConfig) -> JudgeConfig:
    """The same judge with another seed, so that what it said before is not merely looked up."""
    members = tuple(
        member if member.seed is None else member.model_copy(update={"seed": member.seed + _ANOTHER_SEED})
        for member in config.panel
    )
    return config.model_copy(update={"seed": (config.seed or 0) + _ANOTHER_SEED, "panel": members})


def draw_retest(store: Store, n: int, seed: int = 0) -> list[RetestRow]:
    """Up to `n` judged answers of a run, drawn by `seed` over all its variants."""
    judged = [(r.question_id, r.variant) for r in results(store) if r.status == "scored"]
    drawn = random.Random(f"retest {seed}").sample(sorted(judged), min(n, len(judged)))
    rows = []
    for question_id, variant in drawn:
        question = store.question(question_id)
        result = next(results(store, variant, question_id))
        assert question is not None
        assert result.prediction is not None
        rows.append(RetestRow(question, variant, result.prediction, result.scores))
    return rows


def requests(judge: Judge, row: RetestRow) -> list[JudgeRequest]:
    """What has to be asked to judge a row again."""
    return [r for r in judge.requests(row.question, row.prediction) if set(r.criteria) & set(CRITERIA)]


@dataclass(frozen=True, slots=True)
class Retest:
    """Agreement of second scores with first ones, by criterion. `n_unscored` rows got no second verdict."""

    n_rows: int
    n_unscored: int
    criteria: Mapping[str, Agreement]

    def to_dict(self) -> dict[str, Any]:
        return {
            "n": self.n_rows,
            "unscored": self.n_unscored,
            "criteria": {name: _figures(found) for name, found in self.criteria.items()},
        }


def compare(rows: Sequence[RetestRow], second: Mapping[str, Mapping[str, int]]) -> Retest:
    """`second` has the new scores by the rows' keys; a criterion counts where both have it."""
    from simsa.stats import agree

    found = {}
    for name in CRITERIA:
        pairs = [
            (row.scores[name], second[row.key][name])
            for row in rows
            if name in row.scores and name in second.get(row.key, {})
        ]
        if pairs:
            found[name] = agree([a for a, _ in pairs], [b for _, b in pairs], range(1, 6))
    return Retest(len(rows), sum(not second.get(row.key) for row in rows), found)


def _figures(found: Agreement) -> dict[str, Any]:
    shown = found.to_dict(note_text)
    kept = ("exact", "within_one", "quadratic_kappa", "bias", "confusion", "ci95", "notes")
    return {"n": found.n_labels} | {name: shown[name] for name in kept}
