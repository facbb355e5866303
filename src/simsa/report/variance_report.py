"""Sources of the uncertainty of a mean or difference, and which of them to sample more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from simsa.i18n.language import Language
from simsa.i18n.messages import Words, words
from simsa.report.format import DASH, Grid, TableCell, TableRow, label, percent

if TYPE_CHECKING:
    from simsa.stats import VarianceSplit
    from simsa.stats.variance import Source

Judgement = tuple[str, str, float]
"""One judgement of several: question id, which answer (seed), score."""
Judgements = Mapping[tuple[str, str], Sequence[Judgement]]
"""(Variant, criterion) → judgements."""

_SOURCES: tuple[Source, ...] = ("questions", "seeds", "repeats")
_HALVED = 4  # times as many questions halve an interval


class VarianceReport(NamedTuple):
    """The split of a variant's mean, or of its paired difference to `baseline`, in one criterion."""

    variant: str
    baseline: str | None
    criterion: str
    split: VarianceSplit

    def to_dict(self) -> dict[str, Any]:
        """An entry of `variance` in the JSON of `simsa stats` and of reports."""
        head = {"variant": self.variant, "baseline": self.baseline, "criterion": self.criterion}
        return head | self.split.to_dict()


def noises(judgements: Judgements, baseline: str) -> list[VarianceReport]:
    """The splits of every variant's mean, then of every difference to `baseline`, as far as they can be split."""
    from simsa.stats import split_variance

    alone = {key: split for key, rows in judgements.items() if (split := split_variance(rows))}
    means = [VarianceReport(variant, None, criterion, split) for (variant, criterion), split in alone.items()]
    differences = [
        VarianceReport(variant, baseline, criterion, split)
        for variant, criterion in alone
        if variant != baseline and (split := _difference(alone, judgements, baseline, variant, criterion))
    ]
    return [report for report in (*means, *differences) if report.split.is_split]


def _difference(
    alone: Mapping[tuple[str, str], VarianceSplit],
    judgements: Judgements,
    baseline: str,
    variant: str,
    criterion: str,
) -> VarianceSplit | None:
    from simsa.stats import split_difference

    first, second = (baseline, criterion), (variant, criterion)
    if first not in alone:
        return None
    of_first, of_second = _means(judgements[first]), _means(judgements[second])
    both = sorted(of_first.keys() & of_second.keys())
    return split_difference(alone[first], alone[second], [of_second[q] - of_first[q] for q in both])


def _means(rows: Sequence[Judgement]) -> dict[str, float]:
    """Question → the mean over its answers of their mean score."""
    by_question: dict[str, dict[str, list[float]]] = {}
    for question, seed, score in rows:
        by_question.setdefault(question, {}).setdefault(seed, []).append(score)
    return {
        question: sum(sum(found) / len(found) for found in seeds.values()) / len(seeds)
        for question, seeds in by_question.items()
    }


def decisive(found: Sequence[VarianceReport]) -> list[VarianceReport]:
    """The splits to put into words: differences rather than means, the total rather than criteria."""
    differences = [report for report in found if report.baseline is not None] or list(found)
    totals = [report for report in differences if report.criterion == "total"]
    return totals or differences


def sentence(report: VarianceReport, language: Language) -> str:
    """The shares of the sources, what more of each gains, and which one to sample more."""
    say = words(language)
    split, shares = report.split, report.split.shares()
    what = what_of(report, say)
    if not shares:
        return say("noise.none", what=what)
    parts = ", ".join(say(f"noise.part_{s}", share=percent(shares[s])) for s in _SOURCES if s in shares)
    gain, limits = split.gains()["questions"], split.limits()
    rest = " ".join(
        say(f"noise.limit_{s}", most=percent(limits[s])) for s in ("seeds", "repeats") if s in limits
    )
    n = {"twice": 2 * split.n_questions, "halved": _HALVED * split.n_questions}
    lines = [
        say("noise.parts", what=what, list=parts),
        say("noise.questions", gain=percent(gain), **n),
        rest,
        say("noise.advice", source=say(f"noise.more_{split.advice() or 'questions'}")),
    ]
    return " ".join(line for line in lines if line)


def grid(found: Sequence[VarianceReport], language: Language) -> Grid:
    """Shares of the sources by criterion and variant: of differences, or of means where there are none."""
    say = words(language)
    shown = [report for report in found if report.baseline is not None] or list(found)
    variants = tuple(dict.fromkeys(report.variant for report in shown))
    by_place = {(report.criterion, report.variant): report.split for report in shown}
    rows = tuple(
        TableRow(
            label(say, criterion),
            tuple(TableCell(_shares(by_place.get((criterion, variant)))) for variant in variants),
            "strong" if criterion == "total" else "normal",
        )
        for criterion in dict.fromkeys(report.criterion for report in shown)
    )
    return Grid(say("head.noise"), variants, rows)


def what_of(report: VarianceReport, say: Words) -> str:
    """`lora − base, total` or `lora, total`."""
    name = report.variant if report.baseline is None else f"{report.variant} − {report.baseline}"
    return f"{name}, {label(say, report.criterion)}"


def _shares(split: VarianceSplit | None) -> str:
    shares = split.shares() if split else {}
    return " · ".join(percent(shares.get(source)) for source in _SOURCES) if shares else DASH
