"""What a sample that two judges scored shows: the offset between them, and differences between runs without it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from simsa.i18n.language import Language
from simsa.i18n.messages import Words, label, words
from simsa.records import TOTAL, Criteria, Number
from simsa.report.format import (
    DASH,
    Grid,
    TableCell,
    TableRow,
    Weight,
    format_fixed,
    format_signed,
    interval,
    percent,
)
from simsa.report.score_matrix import score_names
from simsa.run.cross_judge import Bridge, DoublyJudged
from simsa.text import usd

if TYPE_CHECKING:
    from simsa.stats import Agreement, Comparison
    from simsa.stats.comparison import Conclusion

Range = tuple[float, float]


class JudgeOffset(NamedTuple):
    """One criterion on the answers that both judges scored: second − first judge, and their agreement.

    `ci95` is cluster-robust over documents. `apart` has the mean offset on the answers of each run: where
    the two differ, one judge favours the answers of one run.
    """

    criterion: str
    n: int
    means: tuple[float | None, float | None]
    mean: float | None
    ci95: Range | None
    apart: tuple[float | None, float | None]
    agreement: Agreement

    def to_dict(self) -> dict[str, Any]:
        return {
            "n": self.n,
            "mean_first": self.means[0],
            "mean_second": self.means[1],
            "shift": self.mean,
            "ci95": None if self.ci95 is None else list(self.ci95),
            "shift_on_first_run": self.apart[0],
            "shift_on_second_run": self.apart[1],
            "quadratic_kappa": self.agreement.quadratic_kappa,
            "krippendorff_alpha": self.agreement.krippendorff_alpha,
            "exact": self.agreement.exact,
            "within_one": self.agreement.within_one,
        }


class AdjustedDifference(NamedTuple):
    """A difference between variants that different judges scored, and `net`, the difference without their offset.

    The interval of `net` includes the uncertainty of the difference and of the offset.
    """

    baseline: str
    variant: str
    criterion: str
    mean_diff: float
    shift: float
    net: float
    ci95: Range
    verdict: Conclusion

    def to_dict(self) -> dict[str, Any]:
        return self._asdict() | {"ci95": list(self.ci95)}


@dataclass(frozen=True, slots=True)
class Bridged:
    """The sample that both judges scored, the offsets by criterion, and the differences without them."""

    bridge: Bridge
    shifts: Mapping[str, JudgeOffset]
    nets: tuple[AdjustedDifference, ...] = ()

    @property
    def n_unscored(self) -> int:
        """Answers of the sample that at least one judge did not score completely."""
        return sum(one.status != ("scored", "scored") for one in self.bridge.answers)

    def to_dict(self) -> dict[str, Any]:
        """The `bridge` of `simsa compare`'s JSON."""
        b = self.bridge
        return {
            "judges": [{key: judge.get(key) for key in ("model", "rubric", "mode")} for judge in b.judges],
            "n_drawn": b.n_drawn,
            "n_judged": len(b.answers),
            "n_unscored": self.n_unscored,
            "seed": b.seed,
            "calls": b.calls,
            "reused": b.reused,
            "cost_usd": b.cost_usd,
            "stopped": b.stopped,
            "criteria": {name: shift.to_dict() for name, shift in self.shifts.items()},
            "differences": [net.to_dict() for net in self.nets],
        }


def bridged(bridge: Bridge, criteria: Criteria) -> Bridged:
    """The offsets of `criteria`, which both rubrics declare, and of the total."""
    return Bridged(bridge, {name: _offset(name, bridge.answers, criteria) for name in score_names(criteria)})


def _offset(name: str, answers: Sequence[DoublyJudged], criteria: Criteria) -> JudgeOffset:
    from simsa.stats import agree, estimate

    held = [
        (one, a, b)
        for one in answers
        if (a := _score(one.scores[0], name, criteria)) is not None
        and (b := _score(one.scores[1], name, criteria)) is not None
    ]
    firsts, seconds = [a for _, a, _ in held], [b for _, _, b in held]
    found = estimate([b - a for _, a, b in held], [one.cluster for one, _, _ in held])
    apart = [_mean([b - a for one, a, b in held if one.side == side]) for side in (0, 1)]
    criterion = criteria.named(name)
    levels = criterion.levels if criterion else _total_levels(criteria)
    items = [one.question_id for one, _, _ in held]
    agreement = agree([round(a) for a in firsts], [round(b) for b in seconds], levels, items=items)
    means = _mean(firsts), _mean(seconds)
    return JudgeOffset(name, len(held), means, found.mean, found.ci95, (apart[0], apart[1]), agreement)


def _score(scores: Mapping[str, int], name: str, criteria: Criteria) -> Number | None:
    return criteria.total(scores) if name == TOTAL else scores.get(name)


def _total_levels(criteria: Criteria) -> range:
    return range(math.floor(criteria.min_total or 0), math.ceil(criteria.max_total or 0) + 1)


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def judged_apart(
    found: Bridged, comparisons: Sequence[Comparison], sides: Mapping[str, int]
) -> tuple[Bridged, list[Comparison]]:
    """Adjusts the differences between variants of different runs. `sides` maps each variant to its run, 0 or 1.

    The comparisons of these variants get the conclusion of the adjusted difference.
    """
    nets, judged = [], []
    for comparison in comparisons:
        if sides[comparison.variant] == sides[comparison.baseline]:
            judged.append(comparison)
            continue
        net = _adjusted(comparison, found.shifts[comparison.criterion], sides[comparison.variant])
        nets += [net] if net else []
        judged.append(replace(comparison, verdict=net.verdict if net else "too few"))
    return replace(found, nets=tuple(nets)), judged


def _adjusted(comparison: Comparison, offset: JudgeOffset, side: int) -> AdjustedDifference | None:
    from simsa.stats.comparison import FEWEST_PAIRS

    c = comparison
    if c.mean_diff is None or c.ci95 is None or offset.mean is None or offset.ci95 is None:
        return None
    shift = offset.mean if side else -offset.mean
    half = math.hypot((c.ci95[1] - c.ci95[0]) / 2, (offset.ci95[1] - offset.ci95[0]) / 2)
    net = c.mean_diff - shift
    low, high = net - half, net + half
    verdict: Conclusion = "no difference shown"
    if min(c.n_pairs, offset.n) < FEWEST_PAIRS:
        verdict = "too few"
    elif low > 0 or high < 0:
        verdict = "better" if low > 0 else "worse"
    elif c.margin is not None and -c.margin <= low and high <= c.margin:
        verdict = "equivalent"
    return AdjustedDifference(
        c.baseline, c.variant, c.criterion, c.mean_diff, shift, net, (low, high), verdict
    )


def sentences(found: Bridged, language: Language) -> list[str]:
    """What was judged, what offset it shows, and what is left of differences in the total."""
    say = words(language)
    b = found.bridge
    first, second = (
        " · ".join(str(judge[key]) for key in ("model", "rubric", "mode") if judge.get(key))
        for judge in b.judges
    )
    cost = say("cost.unknown") if b.cost_usd is None else usd(b.cost_usd)
    lines = [say("bridge.made", first=first, second=second, n=len(b.answers), calls=b.calls, cost=cost)]
    if b.stopped:
        lines.append(say("bridge.stopped", n=len(b.answers), drawn=b.n_drawn))
    if TOTAL in found.shifts:
        lines.append(_offset_sentence(found.shifts[TOTAL], say))
    for net in found.nets:
        if net.criterion == TOTAL:
            names = {"variant": net.variant, "baseline": net.baseline}
            figures = {
                "diff": format_signed(net.mean_diff, 1),
                "shift": format_signed(net.shift, 1),
                "net": format_signed(net.net, 1),
                "low": format_fixed(net.ci95[0], 1),
                "high": format_fixed(net.ci95[1], 1),
            }
            lines.append(say("bridge.net", **names, **figures, verdict=say(net.verdict)))
    return lines


def _offset_sentence(total: JudgeOffset, say: Words) -> str:
    from simsa.stats.comparison import FEWEST_PAIRS

    if total.n < FEWEST_PAIRS or total.ci95 is None:
        return say("bridge.too_few", n=total.n, needed=FEWEST_PAIRS)
    low, high = total.ci95
    return say(
        "bridge.higher" if low > 0 else "bridge.lower" if high < 0 else "bridge.alike",
        n=total.n,
        kappa=format_fixed(total.agreement.quadratic_kappa),
        shift=format_signed(total.mean, 1),
        low=format_fixed(low, 1),
        high=format_fixed(high, 1),
    )


def shift_grid(found: Bridged, language: Language) -> Grid:
    """Means of both judges, their offset and agreement: one row a criterion."""
    say = words(language)
    heads = (say("bridge.first"), say("bridge.second"), say("bridge.shift"), "κ", say("bridge.exact"))
    rows = []
    for name, shift in found.shifts.items():
        agreement = shift.agreement
        exact = f"{percent(agreement.exact)} % · {percent(agreement.within_one)} %"
        texts = (
            format_fixed(shift.means[0]),
            format_fixed(shift.means[1]),
            f"{format_signed(shift.mean)} {interval(shift.ci95)}",
            format_fixed(agreement.quadratic_kappa),
            DASH if agreement.exact is None else exact,
        )
        if shift.n:
            rows.append(_row(name, texts, language))
    return Grid(say("head.bridge", n=len(found.bridge.answers)), heads, tuple(rows))


def net_grid(found: Bridged, language: Language) -> Grid:
    """Differences without the offset between the judges: one row a criterion, one column a variant."""
    say = words(language)
    variants = tuple(dict.fromkeys(net.variant for net in found.nets))
    texts = {
        (net.criterion, net.variant): f"{format_signed(net.net)} {interval(net.ci95)} {say(net.verdict)}"
        for net in found.nets
    }
    rows = tuple(
        _row(name, [texts.get((name, variant), DASH) for variant in variants], language)
        for name in found.shifts
        if any((name, variant) in texts for variant in variants)
    )
    return Grid(say("head.net"), variants, rows)


def _row(name: str, texts: Sequence[str], language: Language) -> TableRow:
    weight: Weight = "strong" if name == TOTAL else "normal"
    return TableRow(label(name, language), tuple(map(TableCell, texts)), weight)
