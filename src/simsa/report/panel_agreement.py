"""What stands behind a verdict: the members of a panel, and a judge's repeats."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from simsa.records import CRITERIA, MAX_SCORE
from simsa.report.score_matrix import TOTAL, Mean
from simsa.report.variance_report import Judgement, Judgements
from simsa.store import PanelJudgement, Store, members, repeats

if TYPE_CHECKING:
    from simsa.stats import Spread


class PanelAgreement(NamedTuple):
    """How far the members agree on one criterion: over `n` items that two or more of them scored,
    the share on which they `differ` and the pooled `sd` in points; `alpha` is Krippendorff's ordinal α."""

    n: int
    differ: float
    sd: float
    alpha: float | None


@dataclass(frozen=True, slots=True)
class PanelMember:
    """One judge of a panel: judgements with scores, those without by status, means by variant."""

    name: str
    n_scored: int
    unscored: Mapping[str, int]
    means: Mapping[str, Mapping[str, Mean]]

    def to_dict(self) -> dict[str, Any]:
        means = {
            variant: {name: {"mean": found.mean, "n": found.n} for name, found in by_name.items()}
            for variant, by_name in self.means.items()
        }
        return {"name": self.name, "n_scored": self.n_scored, "unscored": dict(self.unscored), "means": means}


@dataclass(frozen=True, slots=True)
class PanelInfo:
    """A panel's members and their agreement by criterion."""

    members: tuple[PanelMember, ...]
    agreement: Mapping[str, PanelAgreement]

    def to_dict(self) -> dict[str, Any]:
        return {
            "members": [member.to_dict() for member in self.members],
            "agreement": {name: found._asdict() for name, found in self.agreement.items()},
        }


@dataclass(frozen=True, slots=True)
class RepeatsInfo:
    """How far repeats of the same question to the same judge differ: its retest noise.

    `noise` is by criterion and for the total, over answers that have two repeats or more.
    `means` are, by variant, those of all repeats, and `judgements` their scores, where one
    judge judged.
    """

    n: int
    temperature: float | None
    noise: Mapping[str, Spread]
    means: Mapping[str, Mapping[str, Mean]] = field(default_factory=dict)
    judgements: Judgements = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return {
            "n": self.n,
            "temperature": self.temperature,
            "noise": {name: found._asdict() for name, found in self.noise.items()},
            "means": {
                variant: {name: {"mean": found.mean, "n": found.n} for name, found in by_name.items()}
                for variant, by_name in self.means.items()
            },
        }


def panel(store: Store, names: Sequence[str]) -> PanelInfo | None:
    """The panel `names` of a run; None before it has said anything."""
    from simsa.stats import ordinal_alpha, spread

    items: dict[str, dict[str, PanelJudgement]] = {}
    rows: dict[tuple[str, str, str, int], dict[str, int]] = {}
    for heard in members(store):
        items.setdefault(heard.made, {})[heard.member] = heard
        row = (heard.variant, heard.member, heard.question_id, heard.sample)
        rows.setdefault(row, {}).update(heard.scores)
    if not items:
        return None
    agreement = {}
    for name in CRITERIA:
        scored = [
            [found[m].scores.get(name) if m in found else None for m in names] for found in items.values()
        ]
        groups = [[s for s in scores if s is not None] for scores in scored]
        if found := spread(groups):
            agreement[name] = PanelAgreement(
                found.n, found.differ, found.sd, ordinal_alpha(scored, range(1, MAX_SCORE + 1))
            )
    means = _means(((variant, member), scores) for (variant, member, *_), scores in rows.items())
    return PanelInfo(tuple(_member(name, items, means) for name in names), agreement)


def _member(
    name: str,
    items: Mapping[str, Mapping[str, PanelJudgement]],
    means: Mapping[tuple[str, str], Mapping[str, Mean]],
) -> PanelMember:
    statuses = Counter(found[name].status for found in items.values() if name in found)
    unscored = {status: n for status, n in sorted(statuses.items()) if status != "scored"}
    own = {variant: found for (variant, member), found in means.items() if member == name}
    return PanelMember(name, statuses["scored"], unscored, own)


def repeated(store: Store, n: int, temperature: float | None) -> RepeatsInfo | None:
    """What `n` repeats at `temperature` showed; None before there are any."""
    from simsa.stats import spread

    rows: dict[tuple[str, str, str, int], dict[int, dict[str, int]]] = {}
    for heard in repeats(store):
        if heard.repeat is not None:
            of_row = rows.setdefault((heard.variant, heard.member, heard.question_id, heard.sample), {})
            of_row.setdefault(heard.repeat, {}).update(heard.scores)
    if not rows:
        return None
    noise = {
        name: found
        for name in (*CRITERIA, TOTAL)
        if (found := spread([score for _, score in _scores(of_row, name)] for of_row in rows.values()))
    }
    variants = list(dict.fromkeys(variant for variant, *_ in rows))
    several = len({member for _, member, *_ in rows}) > 1
    means = _means(((v, ""), scores) for (v, *_), of_row in rows.items() for scores in of_row.values())
    judgements: dict[tuple[str, str], list[Judgement]] = {}
    for (variant, _, question, sample), of_row in () if several else rows.items():
        for name in (*CRITERIA, TOTAL):
            scored = [(question, str(sample), float(score)) for _, score in _scores(of_row, name)]
            if scored:
                judgements.setdefault((variant, name), []).extend(scored)
    by_variant = {v: means[v, ""] for v in variants if (v, "") in means}
    return RepeatsInfo(n, temperature, noise, by_variant, judgements)


def of_row(store: Store, question_id: str, sample: int = 0) -> dict[str, dict[str, Any]]:
    """Variant → what members and repeats said of its answer to one question, as JSON has it; none: no key."""
    found: dict[str, dict[str, Any]] = {}
    for heard in (heard for heard in members(store, question_id) if heard.sample == sample):
        voices = found.setdefault(heard.variant, {}).setdefault("members", {})
        voices.setdefault(heard.member, {}).update(heard.scores)
    by_repeat: dict[str, dict[tuple[str, int | None], dict[str, int]]] = {}
    for heard in (heard for heard in repeats(store, question_id) if heard.sample == sample):
        of_variant = by_repeat.setdefault(heard.variant, {})
        of_variant.setdefault((heard.member, heard.repeat), {}).update(heard.scores)
    for variant, said in by_repeat.items():
        found.setdefault(variant, {})["repeats"] = {
            name: _figures(scores)
            for name in (*CRITERIA, TOTAL)
            if (scores := [score for scores in said.values() if (score := _score(scores, name)) is not None])
        }
    return found


def _figures(scores: Sequence[int]) -> dict[str, Any]:
    sd = statistics.stdev(scores) if len(scores) > 1 else None
    return {"scores": list(scores), "mean": statistics.fmean(scores), "sd": sd}


def _score(scores: Mapping[str, int], name: str) -> int | None:
    """One criterion's score, or the total of all four."""
    if name == TOTAL:
        return sum(scores.values()) if len(scores) == len(CRITERIA) else None
    return scores.get(name)


def _scores(of_row: Mapping[int, Mapping[str, int]], name: str) -> Iterator[tuple[int, int]]:
    for repeat, scores in of_row.items():
        if (score := _score(scores, name)) is not None:
            yield repeat, score


def _means(
    rows: Iterable[tuple[tuple[str, str], Mapping[str, int]]],
) -> dict[tuple[str, str], dict[str, Mean]]:
    """Means of every criterion and the total, by key, in the order of the criteria."""
    values: dict[tuple[str, str], dict[str, list[int]]] = {}
    for key, scores in rows:
        for name in (*CRITERIA, TOTAL):
            if (score := _score(scores, name)) is not None:
                values.setdefault(key, {}).setdefault(name, []).append(score)
    return {
        key: {
            name: Mean(math.fsum(v) / len(v), len(v)) for name in (*CRITERIA, TOTAL) if (v := found.get(name))
        }
        for key, found in values.items()
    }
