"""Retest: the judge scores some of its answers again, to measure how far it agrees with itself."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from simsa.config import JudgeConfig
from simsa.i18n.messages import note_text
from simsa.judges import Judge, JudgeRequest
from simsa.records import Criteria, Question
from simsa.store import Store, results

if TYPE_CHECKING:
    from simsa.stats import Agreement

# Far from the seeds that people choose.
_SEED_OFFSET = 1_000_003
_FIGURES = ("exact", "within_one", "quadratic_kappa", "bias", "confusion", "ci95", "notes")


class RetestRow(NamedTuple):
    """A stored answer to judge once more, and its scores."""

    question: Question
    variant: str
    prediction: str
    scores: Mapping[str, int]

    @property
    def key(self) -> str:
        return f"{self.question.id}/{self.variant}"


def reseeded(config: JudgeConfig) -> JudgeConfig:
    """The same judge with another seed, so that its stored judgements do not count."""
    members = tuple(
        member if member.seed is None else member.model_copy(update={"seed": member.seed + _SEED_OFFSET})
        for member in config.panel
    )
    return config.model_copy(update={"seed": (config.seed or 0) + _SEED_OFFSET, "panel": members})


def draw_retest(store: Store, n: int, seed: int = 0) -> list[RetestRow]:
    """Up to `n` judged answers of a run, drawn by `seed` over all its variants."""
    judged = [(r.question_id, r.variant) for r in results(store) if r.status == "scored"]
    rows = []
    for question_id, variant in random.Random(f"retest {seed}").sample(sorted(judged), min(n, len(judged))):
        question = store.question(question_id)
        result = next(results(store, variant, question_id))
        assert question is not None
        assert result.prediction is not None
        rows.append(RetestRow(question, variant, result.prediction, result.scores))
    return rows


def requests(judge: Judge, row: RetestRow) -> list[JudgeRequest]:
    """The requests that judge a row again; claims are not extracted again."""
    return [request for request in judge.requests(row.question, row.prediction) if request.criteria]


@dataclass(frozen=True, slots=True)
class Retest:
    """Agreement of second scores with first ones, by criterion. `n_unscored` rows got no second scores."""

    n_rows: int
    n_unscored: int
    criteria: Mapping[str, Agreement]

    def to_dict(self) -> dict[str, Any]:
        """The `retest` of the JSON document."""
        blocks = {name: found.to_dict(note_text) for name, found in self.criteria.items()}
        return {
            "n": self.n_rows,
            "unscored": self.n_unscored,
            "criteria": {
                name: {"n": block["n_labels"]} | {figure: block[figure] for figure in _FIGURES}
                for name, block in blocks.items()
            },
        }


def compare(rows: Sequence[RetestRow], second: Mapping[str, Mapping[str, int]], criteria: Criteria) -> Retest:
    """Compares the rows' scores with `second`, the new scores by the rows' keys, where both exist."""
    from simsa.stats import agree

    found = {}
    for criterion in criteria:
        name = criterion.name
        pairs = [
            (row.scores[name], second[row.key][name])
            for row in rows
            if name in row.scores and name in second.get(row.key, {})
        ]
        if pairs:
            found[name] = agree([a for a, _ in pairs], [b for _, b in pairs], criterion.levels)
    return Retest(len(rows), sum(not second.get(row.key) for row in rows), found)
