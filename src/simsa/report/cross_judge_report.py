"""What a bridge shows: how far two judges differ on the same answers, and what is left of a difference then."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from simsa.i18n.language import KoreanNoun, Language
from simsa.i18n.messages import Words, words
from simsa.records import Criteria, Number
from simsa.report.format import (
    DASH,
    Grid,
    TableCell,
    TableRow,
    format_fixed,
    format_signed,
    interval,
    percent,
)
from simsa.report.score_matrix import TOTAL, score_names
from simsa.run.cross_judge import Bridge, DoublyJudged
from simsa.text import usd

if TYPE_CHECKING:
    from simsa.stats import Agreement, Comparison
    from simsa.stats.comparison import Conclusion

Range = tuple[float, float]


class JudgeOffset(NamedTuple):
    """One criterion on the answers that both judges scored: second − first, and how far they agree.

    `ci95` minds the documents that answers share. `apart` is the same mean by the run that the answers
    are of: where the two differ, one judge favours one run's answers.
    """

    criterion: str
    n: int
    means: tuple[float | None, float | None]
    mean: float | None
    ci95: Range | None
    apart: tuple[float | None, float | None]
    agreement: Agreement

    def to_dict(self) -> dict[str, Any]:
        a = self.agreement
        return {
            "n": self.n,
            "mean_first": self.means[0],
            "mean_second": self.means[1],
            "shift": self.mean,
            "ci95": None if self.ci95 is None else list(self.ci95),
            "shift_on_first_run": self.apart[0],
            "shift_on_second_run": self.apart[1],
            "quadratic_kappa": a.quadratic_kappa,
            "krippendorff_alpha": a.krippendorff_alpha,
            "exact": a.exact,
            "within_one": a.within_one,
        }


class AdjustedDifference(NamedTuple):
    """A difference between variants of two judges, and what is left of it without the judges' shift.

    The interval of `net` takes in that of the difference and that of the shift.
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
    """A bridge in figures."""

    bridge: Bridge
    shifts: Mapping[str, JudgeOffset]
    nets: tuple[AdjustedDifference, ...] = ()

    @property
    def n_unscored(self) -> int:
        """Answers of the sample without a whole verdict of both."""
        return sum("scored" not in one.status or len(set(one.status)) > 1 for one in self.bridge.answers)

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
    """The shift of each of `criteria`, which both judges' rubrics declare, and of the total."""
    shifts = {name: _shift(name, bridge.answers, criteria) for name in score_names(criteria)}
    return Bridged(bridge, shifts)


def _shift(name: str, answers: Sequence[DoublyJudged], criteria: Criteria) -> JudgeOffset:
    from simsa.stats import agree, estimate

    held = [
        (one, a, b)
        for one in answers
        if (a := _score(one.scores[0], name, criteria)) is not None
        and (b := _score(one.scores[1], name, criteria)) is not None
    ]
    firsts, seconds = [a for _, a, _ in held], [b for _, _, b in held]
    found = estimate([b - a for _, a, b in held], [one.cluster for one, _, _ in held])
    apart = [[b - a for one, a, b in held if one.side == side] for side in (0, 1)]
    return JudgeOffset(
        name,
        len(held),
        (_mean(firsts), _mean(seconds)),
        found.mean,
        found.ci95,
        (_mean(apart[0]), _mean(apart[1])),
        agree(
            list(map(round, firsts)),
            list(map(round, seconds)),
            _levels(name, criteria),
            items=[one.question_id for one, _, _ in held],
        ),
    )


def _score(scores: Mapping[str, int], name: str, criteria: Criteria) -> Number | None:
    return criteria.total(scores) if name == TOTAL else scores.get(name)


def _levels(name: str, criteria: Criteria) -> range:
    criterion = criteria.named(name)
    if criterion:
        return criterion.levels
    return range(math.floor(criteria.min_total or 0), math.ceil(criteria.max_total or 0) + 1)


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def judged_apart(
    found: Bridged, comparisons: Sequence[Comparison], sides: Mapping[str, int]
) -> tuple[Bridged, list[Comparison]]:
    """The differences between variants of two judges (`sides` names each variant's), less the shift.

    Their comparisons get the verdict of what is left.
    """
    nets, judged = [], []
    for comparison in comparisons:
        if sides[comparison.variant] == sides[comparison.baseline]:
            judged.append(comparison)
            continue
        net = _net(comparison, found.shifts[comparison.criterion], sides[comparison.variant])
        nets += [net] if net else []
        judged.append(replace(comparison, verdict=net.verdict if net else "too few"))
    return replace(found, nets=tuple(nets)), judged


def _net(comparison: Comparison, shift: JudgeOffset, side: int) -> AdjustedDifference | None:
    from simsa.stats.comparison import FEWEST_PAIRS

    c = comparison
    if c.mean_diff is None or c.ci95 is None or shift.mean is None or shift.ci95 is None:
        return None
    moved = shift.mean if side else -shift.mean
    half = math.hypot((c.ci95[1] - c.ci95[0]) / 2, (shift.ci95[1] - shift.ci95[0]) / 2)
    net = c.mean_diff - moved
    low, high = net - half, net + half
    verdict: Conclusion = "no difference shown"
    if min(c.n_pairs, shift.n) < FEWEST_PAIRS:
        verdict = "too few"
    elif low > 0 or high < 0:
        verdict = "better" if low > 0 else "worse"
    elif c.margin is not None and -c.margin <= low and high <= c.margin:
        verdict = "equivalent"
    return AdjustedDifference(
        c.baseline, c.variant, c.criterion, c.mean_diff, moved, net, (low, high), verdict
    )


# In words ------------------------------------------------------------------------------


def sentences(found: Bridged, language: Language) -> list[str]:
    """What was done, what it shows, and what it means for the comparison."""
    say = words(language)
    b, total = found.bridge, found.shifts.get(TOTAL)
    lines = [
        say(
            "bridge.made",
            first=_judge(b.judges[0]),
            second=_judge(b.judges[1]),
            n=len(b.answers),
            calls=b.calls,
            cost=say("cost.unknown") if b.cost_usd is None else usd(b.cost_usd),
        )
    ]
    if b.stopped:
        lines.append(say("bridge.stopped", n=len(b.answers), drawn=b.n_drawn))
    if total:
        lines.append(_shown(total, say))
    lines += [_net_sentence(net, say) for net in found.nets if net.criterion == TOTAL]
    return lines


def _shown(total: JudgeOffset, say: Words) -> str:
    from simsa.stats.comparison import FEWEST_PAIRS

    if total.n < FEWEST_PAIRS or total.ci95 is None:
        return say("bridge.too_few", n=total.n, needed=FEWEST_PAIRS)
    low, high = total.ci95
    key = "bridge.higher" if low > 0 else "bridge.lower" if high < 0 else "bridge.alike"
    kappa = format_fixed(total.agreement.quadratic_kappa)
    figures = {
        "shift": format_signed(total.mean, 1),
        "low": format_fixed(low, 1),
        "high": format_fixed(high, 1),
    }
    return say(key, n=total.n, kappa=kappa, **figures)


def _net_sentence(net: AdjustedDifference, say: Words) -> str:
    return say(
        "bridge.net",
        variant=KoreanNoun(net.variant),
        baseline=KoreanNoun(net.baseline),
        diff=format_signed(net.mean_diff, 1),
        shift=format_signed(net.shift, 1),
        net=format_signed(net.net, 1),
        low=format_fixed(net.ci95[0], 1),
        high=format_fixed(net.ci95[1], 1),
        verdict=say(net.verdict),
    )


def _judge(judge: Mapping[str, Any]) -> str:
    return " · ".join(str(judge[key]) for key in ("model", "rubric", "mode") if judge.get(key))


def shift_grid(found: Bridged, language: Language) -> Grid:
    """The judges side by side: a row a criterion."""
    say = words(language)
    heads = (say("bridge.first"), say("bridge.second"), say("bridge.shift"), "κ", say("bridge.exact"))
    rows = [
        TableRow(
            say(name),
            tuple(
                TableCell(text)
                for text in (
                    format_fixed(shift.means[0]),
                    format_fixed(shift.means[1]),
                    f"{format_signed(shift.mean)} {interval(shift.ci95)}",
                    format_fixed(shift.agreement.quadratic_kappa),
                    _shares(shift.agreement),
                )
            ),
            "strong" if name == TOTAL else "normal",
        )
        for name, shift in found.shifts.items()
        if shift.n
    ]
    return Grid(say("head.bridge", n=len(found.bridge.answers)), heads, tuple(rows))


def net_grid(found: Bridged, language: Language) -> Grid:
    """Differences across the judges: as they stand, and what is left of them."""
    say = words(language)
    variants = tuple(dict.fromkeys(net.variant for net in found.nets))
    by_place = {(net.criterion, net.variant): net for net in found.nets}
    rows = tuple(
        TableRow(
            say(name),
            tuple(_net_cell(by_place.get((name, variant)), say) for variant in variants),
            "strong" if name == TOTAL else "normal",
        )
        for name in found.shifts
        if any((name, variant) in by_place for variant in variants)
    )
    return Grid(say("head.net"), variants, rows)


def _net_cell(net: AdjustedDifference | None, say: Words) -> TableCell:
    if net is None:
        return TableCell(DASH)
    return TableCell(f"{format_signed(net.net)} {interval(net.ci95)} {say(net.verdict)}")


def _shares(agreement: Agreement) -> str:
    if agreement.exact is None:
        return DASH
    return f"{percent(agreement.exact)} % · {percent(agreement.within_one)} %"
