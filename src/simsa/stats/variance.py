"""Variance components of a mean (questions, generations, judgements), and which of them to increase."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

Source = Literal["questions", "seeds", "repeats"]


class Spread(NamedTuple):
    """Spread within groups of scores that should be equal: `n` groups, the share that `differ`, the pooled `sd`."""

    n: int
    differ: float
    sd: float


def spread(groups: Iterable[Sequence[float]]) -> Spread | None:
    """Spread within groups of scores of the same thing, such as a context judged once for every variant.

    Groups of one score are left out; None when there are no others.
    """
    several = [list(group) for group in groups if len(group) > 1]
    if not several:
        return None
    squares = math.fsum(_squares(group) for group in several)
    degrees = sum(len(group) - 1 for group in several)
    differ = sum(min(group) != max(group) for group in several) / len(several)
    return Spread(len(several), differ, math.sqrt(squares / degrees))


@dataclass(frozen=True, slots=True)
class VarianceSplit:
    """Variance of single scores, split by source, in squared score points.

    `questions` is the variance between questions, `seeds` between generations for the same question, `repeats`
    between judgements of the same answer. A source without repetition in the data is None and is part of the
    source before it. `n_questions`, `n_seeds` (per question) and `n_repeats` (per answer) are mean counts.
    """

    questions: float
    seeds: float | None
    repeats: float | None
    n_questions: int
    n_seeds: float
    n_repeats: float

    def se(self, questions: float = 1, seeds: float = 1, repeats: float = 1) -> float:
        """Standard error of the mean if the numbers of questions, seeds and repeats are multiplied by these factors."""
        q = self.n_questions * questions
        s, r = self.n_seeds * seeds, self.n_repeats * repeats
        variance = self.questions / q + (self.seeds or 0) / (q * s) + (self.repeats or 0) / (q * s * r)
        return math.sqrt(variance)

    def shares(self) -> dict[Source, float]:
        """Share of the mean's variance from each known source; the shares sum to 1."""
        whole = self.se() ** 2
        if whole == 0:
            return {}
        q, s, r = self.n_questions, self.n_seeds, self.n_repeats
        parts: dict[Source, float | None] = {
            "questions": self.questions / q,
            "seeds": None if self.seeds is None else self.seeds / (q * s),
            "repeats": None if self.repeats is None else self.repeats / (q * s * r),
        }
        return {source: part / whole for source, part in parts.items() if part is not None}

    def limits(self) -> dict[Source, float]:
        """The most that increasing one source can reduce the standard error, as a fraction of it (0–1).

        Unlimited questions reduce it to 0. Unlimited seeds leave the questions' part, unlimited repeats the
        questions' and the seeds' part.
        """
        shares = self.shares()
        if not shares:
            return {}
        left = {"seeds": shares["questions"], "repeats": shares["questions"] + shares.get("seeds", 0.0)}
        limits: dict[Source, float] = {"questions": 1.0}
        for source in ("seeds", "repeats"):
            if source in shares:
                limits[source] = 1 - math.sqrt(min(1.0, left[source]))
        return limits

    @property
    def is_split(self) -> bool:
        """Whether another source than the questions is known."""
        return self.seeds is not None or self.repeats is not None

    def gains(self) -> dict[Source, float]:
        """The reduction of the standard error when a source is doubled, as a fraction of it (0–1).

        Doubling the questions also doubles generations and judgements, and doubling the seeds also doubles
        judgements; `advice` takes these costs into account.
        """
        now = self.se()
        if now == 0:
            return {}
        doubled: dict[Source, float] = {"questions": self.se(questions=2)}
        if self.seeds is not None:
            doubled["seeds"] = self.se(seeds=2)
        if self.repeats is not None:
            doubled["repeats"] = self.se(repeats=2)
        return {source: 1 - se / now for source, se in doubled.items()}

    def advice(
        self, question_cost: float = 1.0, generation_cost: float = 1.0, judgement_cost: float = 1.0
    ) -> Source | None:
        """The source that reduces the standard error most for its cost; None when there is nothing to reduce.

        Costs are those of writing one question, of one generation and of one judgement, in any unit.
        """
        gains = self.gains()
        if not gains or max(gains.values()) <= 0:
            return None
        whole = generation_cost + self.n_repeats * judgement_cost
        costs: dict[Source, float] = {
            "questions": question_cost + self.n_seeds * whole,
            "seeds": self.n_seeds * whole,
            "repeats": self.n_seeds * self.n_repeats * judgement_cost,
        }
        return max(gains, key=lambda source: gains[source] / costs[source] if costs[source] else math.inf)

    def to_dict(self) -> dict[str, Any]:
        """The components and derived figures for JSON."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        figures = {"shares": self.shares(), "gains": self.gains(), "limits": self.limits()}
        return fields | {"se": self.se()} | figures | {"advice": self.advice()}


def split_variance(rows: Iterable[tuple[Hashable, Hashable, float]]) -> VarianceSplit | None:
    """Splits the variance of scores given as (question, generation seed, score), one row a judgement.

    Nested analysis of variance by the method of moments, for unequal counts too (Searle,
    Casella, McCulloch 1992, ch. 3); a negative component is 0. None for fewer than two questions.
    """
    tree: dict[Hashable, dict[Hashable, list[float]]] = {}
    for question, seed, score in rows:
        tree.setdefault(question, {}).setdefault(seed, []).append(score)
    if len(tree) < 2:
        return None
    answers = [scores for seeds in tree.values() for scores in seeds.values()]
    n, a, q = sum(map(len, answers)), len(answers), len(tree)
    per_question = [[score for scores in seeds.values() for score in scores] for seeds in tree.values()]
    grand = math.fsum(map(math.fsum, answers)) / n
    within_answers = math.fsum(map(_squares, answers))
    within_questions = math.fsum(map(_squares, per_question))
    total = math.fsum((score - grand) ** 2 for scores in answers for score in scores)

    # Expected mean squares: E[MS_answers] = R + k1·S, E[MS_questions] = R + k2·S + k3·Q.
    squared = math.fsum(
        math.fsum(len(s) ** 2 for s in seeds.values()) / sum(map(len, seeds.values()))
        for seeds in tree.values()
    )
    k2 = (squared - math.fsum(len(s) ** 2 for s in answers) / n) / (q - 1)
    k3 = (n - math.fsum(len(scores) ** 2 for scores in per_question) / n) / (q - 1)
    repeats = within_answers / (n - a) if n > a else None
    seeds_part = None
    if a > q:
        k1 = (n - squared) / (a - q)
        between = (within_questions - within_answers) / (a - q)
        seeds_part = max(0.0, (between - (repeats or 0.0)) / k1)
    between_questions = (total - within_questions) / (q - 1)
    noise = (repeats or 0.0) + k2 * (seeds_part or 0.0)
    return VarianceSplit(
        questions=max(0.0, (between_questions - noise) / k3),
        seeds=seeds_part,
        repeats=repeats,
        n_questions=q,
        n_seeds=a / q,
        n_repeats=n / a,
    )


def split_difference(
    first: VarianceSplit, second: VarianceSplit, differences: Sequence[float]
) -> VarianceSplit | None:
    """The split of a paired difference second − first, from the splits of both.

    `differences` are the differences of the questions' means. Generations and judgements of two variants are
    independent, so their variances add up; the questions' part is the rest of the variance of the differences.
    None for fewer than two questions.
    """
    n = len(differences)
    if n < 2:
        return None
    n_seeds = _harmonic(first.n_seeds, second.n_seeds)
    n_repeats = _harmonic(first.n_repeats, second.n_repeats)
    seeds = _sum(first.seeds, second.seeds)
    repeats = _sum(first.repeats, second.repeats)
    noise = (seeds or 0.0) / n_seeds + (repeats or 0.0) / (n_seeds * n_repeats)
    return VarianceSplit(
        questions=max(0.0, _squares(differences) / (n - 1) - noise),
        seeds=seeds,
        repeats=repeats,
        n_questions=n,
        n_seeds=n_seeds,
        n_repeats=n_repeats,
    )


def _harmonic(a: float, b: float) -> float:
    """The common number with the same noise as `a` on one side and `b` on the other."""
    return 2 * a * b / (a + b)


def _sum(a: float | None, b: float | None) -> float | None:
    return None if a is None and b is None else (a or 0.0) + (b or 0.0)


def _squares(scores: Sequence[float]) -> float:
    mean = math.fsum(scores) / len(scores)
    return math.fsum((score - mean) ** 2 for score in scores)
