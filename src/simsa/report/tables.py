"""The tables of a report as cells of text, the same for the terminal, Markdown and HTML."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from simsa.i18n.language import KoreanNoun
from simsa.i18n.messages import Words, words
from simsa.metrics.registry import decimals
from simsa.records import CRITERIA, MAX_TOTAL
from simsa.report import claim_tables
from simsa.report.format import (
    DASH,
    Grid,
    TableCell,
    TableRow,
    Tone,
    Weight,
    format_fixed,
    format_signed,
    half,
    interval,
    label,
    p_value,
)
from simsa.report.judge_tables import judge_grids, usage
from simsa.report.score_matrix import SHARE

if TYPE_CHECKING:
    from simsa.report.comparisons import ComparisonReport
    from simsa.report.shared_questions import ScoreDifference
    from simsa.report.summary_model import ExampleAnswer, Summary, VariantSummary
    from simsa.stats import Comparison, Distribution
    from simsa.store import Result


def grids(summary: Summary, *, intervals: bool = False) -> list[Grid]:
    """All tables of a run, those with nothing to show left out. `intervals` puts one beside every mean."""
    made = (
        scores(summary, intervals=intervals),
        claim_tables.claim_grid(summary),
        differences(summary),
        types(summary),
        metrics(summary),
        abstention(summary),
        speed(summary),
        usage(summary),
        *judge_grids(summary),
    )
    return [grid for grid in made if grid.rows]


def scores(summary: Summary, *, intervals: bool = False) -> Grid:
    """Means of the four criteria; the total with interval, median, sd; how many rows were scored."""
    say = words(summary.language)
    variants = summary.variants
    totals = [v.total for v in variants]
    places = _places(variants)
    mean = _estimate if intervals else _mean
    rows = [
        _row(say(name), (mean(v.whole.criteria.get(name)) for v in variants))
        for name in CRITERIA
        if any(name in v.whole.criteria for v in variants)
    ]
    if any(totals):
        spread = (f"{half(t.median)} · {format_fixed(t.sd)}" if t else None for t in totals)
        rows.append(_row(f"{say('total')} /{MAX_TOTAL}", (mean(t, places) for t in totals), "strong"))
        if not intervals:
            rows.append(_row(say("ci95"), (interval(t.ci95 if t else None, places) for t in totals), "sub"))
        rows.append(_row(f"{say('median')} · {say('sd')}", spread, "sub"))
    if variants:
        rows.append(_row(say("n_scored"), (f"{v.whole.n_scored}/{v.whole.n}" for v in variants), "sub"))
    return Grid(say("head.scores"), tuple(v.name for v in variants), tuple(rows))


def differences(summary: Summary) -> Grid:
    """Paired differences to the baseline with their intervals; tests of the total."""
    say = words(summary.language)
    others = [v.name for v in summary.variants if v.name != summary.baseline]
    others = [name for name in others if any(c.variant == name for c in summary.comparisons)]
    title = say("head.differences", baseline=KoreanNoun(summary.baseline))
    return comparison_grid(title, summary.comparisons, others, say)


def comparison_grid(
    title: str, comparisons: Sequence[Comparison], variants: Sequence[str], say: Words
) -> Grid:
    """One column a variant: a difference for each criterion, then what the tests say of the total."""
    found = {(c.variant, c.criterion): c for c in comparisons}
    rows = [
        _row_of(
            say(name),
            [_difference(found.get((v, name))) for v in variants],
            "strong" if name == "total" else "normal",
        )
        for name in (*CRITERIA, "total")
        if any((v, name) in found for v in variants)
    ]
    totals = [found.get((v, "total")) for v in variants]
    if any(totals):
        rows += [
            _row(say("p_adjusted"), (p_value(c.p_adjusted if c else None) for c in totals), "sub"),
            _row(say("win_tie_loss"), (_record(c) for c in totals), "sub"),
            _row_of(say("verdict"), [_verdict(c, say) for c in totals], "sub"),
        ]
    return Grid(title, tuple(variants), tuple(rows))


def difference_grids(found: ComparisonReport, say: Words) -> list[Grid]:
    """Paired differences of the scores; across two judges first what their bridge shows. Only tables with rows."""
    others = [name for name in found.variants if name != found.baseline]
    title = say(
        "head.raw_differences" if found.bridged else "head.differences", baseline=KoreanNoun(found.baseline)
    )
    made = [comparison_grid(title, found.comparisons, others, say)]
    if found.bridged:
        from simsa.report.cross_judge_report import net_grid, shift_grid

        made = [shift_grid(found.bridged, found.language), net_grid(found.bridged, found.language), *made]
    return [grid for grid in made if grid.rows]


def metric_grids(found: ComparisonReport, say: Words) -> list[Grid]:
    """Paired differences with their intervals of the deterministic metrics, and of claims; without empty ones."""
    made = [
        _metric_grid(found, say, lambda name: name != SHARE, "head.metric_differences"),
        _metric_grid(found, say, lambda name: name == SHARE, "head.claim_differences"),
    ]
    return [grid for grid in made if grid.rows]


def _metric_grid(found: ComparisonReport, say: Words, wanted: Callable[[str], bool], title: str) -> Grid:
    variants = [name for name in found.variants if name != found.baseline]
    by_name = {(d.metric, d.variant): d for d in found.metrics}
    rows = [
        _row(label(say, name), (_metric_difference(by_name.get((name, v))) for v in variants))
        for name in dict.fromkeys(d.metric for d in found.metrics if wanted(d.metric))
    ]
    return Grid(say(title, baseline=found.baseline), tuple(variants), tuple(rows))


def metrics(summary: Summary) -> Grid:
    """Means of the deterministic metrics over the rows that have them."""
    say = words(summary.language)
    names = dict.fromkeys(name for v in summary.variants for name in v.whole.metrics)
    rows = [_row(label(say, n), (_metric(v, n) for v in summary.variants)) for n in names if n != "abstained"]
    return Grid(say("head.metrics"), tuple(v.name for v in summary.variants), tuple(rows))


def speed(summary: Summary) -> Grid:
    """How long the answers are and took, as far as that is known."""
    say = words(summary.language)
    figures = {
        "latency": [v.latency_median_s for v in summary.variants],
        "tokens": [v.completion_tokens_mean for v in summary.variants],
    }
    rows = [
        _row(say(name), (format_fixed(value, 2 if name == "latency" else 1) for value in values))
        for name, values in figures.items()
        if any(value is not None for value in values)
    ]
    return Grid(say("head.speed"), tuple(v.name for v in summary.variants), tuple(rows))


def abstention(summary: Summary) -> Grid:
    """Who declined which questions; empty when nothing was declined and nothing had to be."""
    say = words(summary.language)
    tables = [v.whole.abstention for v in summary.variants]
    found = [t for t in tables if t is not None]
    if not any(t.answerable_abstained + t.unanswerable_abstained + t.unanswerable_answered for t in found):
        return Grid(say("head.abstention"), (), ())
    rows = (
        _row(
            say("abstain.right"),
            (_of(t.unanswerable_abstained, t.unanswerable_answered) if t else None for t in tables),
        ),
        _row(
            say("abstain.wrong"),
            (_of(t.answerable_abstained, t.answerable_answered) if t else None for t in tables),
        ),
        _row(say("abstention_f1"), (format_fixed(t.f1 if t else None) for t in tables)),
        *_by_judge(summary.variants, say),
    )
    return Grid(say("head.abstention"), tuple(v.name for v in summary.variants), rows)


def _by_judge(variants: Sequence[VariantSummary], say: Words) -> Iterator[TableRow]:
    """What the judge's scores say of the same, where they say anything."""
    seen = [v.abstention_by_judge for v in variants]
    if any(seen):
        of_each = (_of(j.unanswerable_abstained, j.unanswerable_answered) if j else None for j in seen)
        yield _row(say("abstain.by_judge"), of_each, "sub")
        yield _row(say("abstain.disputed"), (str(len(j.disputed)) if j else None for j in seen), "sub")


def types(summary: Summary) -> Grid:
    """Mean total of each type of question with the rows that it rests on."""
    say = words(summary.language)
    places = _places(summary.variants)
    names = dict.fromkeys(name for v in summary.variants for name in v.types)
    rows = [
        _row(name or say("untyped"), (_slice(v, name, places) for v in summary.variants)) for name in names
    ]
    shown = any(found.total for v in summary.variants for found in v.types.values())
    return Grid(say("head.types"), tuple(v.name for v in summary.variants), tuple(rows) if shown else ())


def scores_line(answer: ExampleAnswer, say: Words) -> str:
    """The criteria that were scored, and the total when there is one."""
    parts = [f"{say(f'short.{name}')} {answer.scores[name]}" for name in CRITERIA if name in answer.scores]
    return " · ".join(parts) + ("" if answer.total is None else f" = {answer.total}/{MAX_TOTAL}")


def _scored(one: Result, say: Words) -> str:
    """An answer's total, its scores where the rubric makes no total, or why it has none."""
    if one.total is not None:
        return f"{one.total}/{MAX_TOTAL}"
    return "+".join(map(str, one.scores.values())) if one.status == "scored" else say(f"status.{one.status}")


def which_line(answer: ExampleAnswer, say: Words) -> str:
    """Which of a variant's several answers this is, and what the others scored; "" where it is the only one."""
    if not answer.others:
        return ""
    others = ", ".join(f"{one.sample + 1}: {_scored(one, say)}" for one in answer.others)
    which = say("answer_no", n=answer.sample + 1, of=1 + len(answer.others))
    return f"{which} · {say('answer_others')} {others}"


def _row(label: str, cells: Iterable[str | None], weight: Weight = "normal") -> TableRow:
    return _row_of(label, [TableCell(cell or DASH) for cell in cells], weight)


def _row_of(label: str, cells: Sequence[TableCell], weight: Weight = "normal") -> TableRow:
    return TableRow(label, tuple(cells), weight)


def _mean(distribution: Distribution | None, places: int = 2) -> str:
    return format_fixed(distribution.mean if distribution else None, places)


def _estimate(distribution: Distribution | None, places: int = 2) -> str:
    found = distribution.ci95 if distribution else None
    return (
        f"{_mean(distribution, places)} {interval(found, places)}" if found else _mean(distribution, places)
    )


def _places(variants: Iterable[VariantSummary]) -> int:
    """Digits of a total that its interval can bear: one, or two from a thousand rows on."""
    return 2 if max((v.total.n for v in variants if v.total), default=0) >= 1000 else 1


def _difference(comparison: Comparison | None) -> TableCell:
    if comparison is None or comparison.mean_diff is None:
        return TableCell(DASH)
    text = f"{format_signed(comparison.mean_diff)} {interval(comparison.ci95)}"
    return TableCell(text, _tone(comparison))


def _metric_difference(difference: ScoreDifference | None) -> str | None:
    if difference is None:
        return None
    places = decimals(difference.metric)
    return f"{format_signed(difference.mean_diff, places)} {interval(difference.ci95, places)}"


def _verdict(comparison: Comparison | None, say: Words) -> TableCell:
    return TableCell(DASH) if comparison is None else TableCell(say(comparison.verdict), _tone(comparison))


def _tone(comparison: Comparison) -> Tone:
    tones: dict[str, Tone] = {"better": "good", "worse": "bad"}
    return tones.get(comparison.verdict, "plain")


def _record(comparison: Comparison | None) -> str | None:
    return None if comparison is None else f"{comparison.wins}/{comparison.ties}/{comparison.losses}"


def _metric(variant: VariantSummary, name: str) -> str:
    found = variant.whole.metrics.get(name)
    return format_fixed(found and found.mean, decimals(name))


def _of(part: int, rest: int) -> str:
    return f"{part}/{part + rest}"


def _slice(variant: VariantSummary, name: str, places: int) -> str:
    found = variant.types.get(name)
    if found is None:
        return DASH
    return f"{_mean(found.total, places)} ({found.total.n if found.total else 0})"
