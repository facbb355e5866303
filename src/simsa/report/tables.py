"""The tables of a report as cells of text, the same for the terminal, Markdown and HTML."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from simsa.i18n.language import Language
from simsa.i18n.messages import Words, words
from simsa.metrics.registry import decimals
from simsa.records import TOTAL, Criteria
from simsa.report.claim_tables import claim_grid
from simsa.report.format import (
    DASH,
    Grid,
    TableCell,
    TableRow,
    format_difference,
    format_estimate,
    format_fixed,
    half,
    interval,
    labels,
    p_value,
    short_labels,
    tone_of,
)
from simsa.report.judge_tables import judge_grids, usage
from simsa.report.score_matrix import SHARE

if TYPE_CHECKING:
    from simsa.report.comparisons import ComparisonReport
    from simsa.report.summary_model import ExampleAnswer, Summary, VariantSummary
    from simsa.stats import Comparison, Distribution
    from simsa.store import Result


def grids(summary: Summary, *, intervals: bool = False) -> list[Grid]:
    """All tables of a run that have rows. With `intervals` every mean has its interval beside it."""
    made = (
        scores(summary, intervals=intervals),
        claim_grid(summary),
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
    """Means of the criteria; the total with interval, median and sd; how many rows were scored."""
    say, criteria = words(summary.language), summary.criteria
    title = labels(summary.language, criteria)
    variants, places = summary.variants, _places(summary.variants)
    totals = [v.total for v in variants]
    mean = _estimate if intervals else _mean
    scale = _common_scale(criteria)
    rows = [
        TableRow.of(
            title(c.name) if scale else f"{title(c.name)} ({c.low}–{c.high})",
            (mean(v.whole.criteria.get(c.name)) for v in variants),
        )
        for c in criteria
        if any(c.name in v.whole.criteria for v in variants)
    ]
    if any(totals):
        rows.append(TableRow.of(total_of(criteria, say), (mean(t, places) for t in totals), "strong"))
        if not intervals:
            cells = (interval(t.ci95 if t else None, places) for t in totals)
            rows.append(TableRow.of(say("ci95"), cells, "sub"))
        spread = (f"{half(t.median)} · {format_fixed(t.sd)}" if t else None for t in totals)
        rows.append(TableRow.of(f"{say('median')} · {say('sd')}", spread, "sub"))
    if variants:
        counts = (f"{v.whole.n_scored}/{v.whole.n}" for v in variants)
        rows.append(TableRow.of(say("n_scored"), counts, "sub"))
    return Grid.of(_scores_title(criteria, scale, say), _names(summary), rows)


def total_of(criteria: Criteria, say: Words) -> str:
    """`total /20`: the row of the total, with its maximum."""
    return f"{say(TOTAL)} {out_of(criteria)}".rstrip()


def out_of(criteria: Criteria) -> str:
    """`/20`, the maximum of the total behind a figure; "" where there is no total."""
    return "" if criteria.max_total is None else f"/{criteria.max_total:g}"


def _common_scale(criteria: Criteria) -> tuple[int, int] | None:
    """The scale that all criteria share; None where they have several, or there are none."""
    found = {(criterion.low, criterion.high) for criterion in criteria}
    return found.pop() if len(found) == 1 else None


def _scores_title(criteria: Criteria, scale: tuple[int, int] | None, say: Words) -> str:
    parts = [say("scale.each", low=scale[0], high=scale[1])] if scale else []
    if criteria.max_total is not None:
        parts.append(say("scale.total", max=f"{criteria.max_total:g}"))
    return say("head.scores") + (f": {', '.join(parts)}" if parts else "")


def differences(summary: Summary) -> Grid:
    """Paired differences to the baseline with their intervals; tests of the total."""
    others = [v.name for v in summary.variants if v.name != summary.baseline]
    others = [name for name in others if any(c.variant == name for c in summary.comparisons)]
    title = words(summary.language)("head.differences", baseline=summary.baseline)
    return comparison_grid(title, summary.comparisons, others, summary.language, summary.criteria)


def comparison_grid(
    title: str,
    comparisons: Sequence[Comparison],
    variants: Sequence[str],
    language: Language,
    criteria: Criteria,
) -> Grid:
    """One column a variant: a difference for each criterion, then what the tests say of the total."""
    say, title_of = words(language), labels(language, criteria)
    found = {(c.variant, c.criterion): c for c in comparisons}
    rows = [
        TableRow.of(
            title_of(name),
            (_difference(found.get((v, name))) for v in variants),
            "strong" if name == TOTAL else "normal",
        )
        for name in _criteria_first(c.criterion for c in comparisons)
    ]
    totals = [found.get((v, TOTAL)) for v in variants]
    if any(totals):
        records = (f"{c.wins}/{c.ties}/{c.losses}" if c else None for c in totals)
        verdicts = (TableCell(say(c.verdict), tone_of(c.verdict)) if c else None for c in totals)
        rows += [
            TableRow.of(say("p_adjusted"), (p_value(c.p_adjusted if c else None) for c in totals), "sub"),
            TableRow.of(say("win_tie_loss"), records, "sub"),
            TableRow.of(say("verdict"), verdicts, "sub"),
        ]
    return Grid.of(title, variants, rows)


def difference_grids(found: ComparisonReport) -> list[Grid]:
    """Paired differences of the scores, after what the bridge between two judges shows. Only tables with rows."""
    others = [name for name in found.variants if name != found.baseline]
    code = "head.raw_differences" if found.bridged else "head.differences"
    title = words(found.language)(code, baseline=found.baseline)
    made = [comparison_grid(title, found.comparisons, others, found.language, found.criteria)]
    if found.bridged:
        from simsa.report.cross_judge_report import net_grid, shift_grid

        made = [shift_grid(found.bridged, found.language), net_grid(found.bridged, found.language), *made]
    return [grid for grid in made if grid.rows]


def metric_grids(found: ComparisonReport) -> list[Grid]:
    """Paired differences of the deterministic metrics, and of claims, with their intervals. Only tables with rows."""
    made = [
        _metric_grid(found, lambda name: name != SHARE, "head.metric_differences"),
        _metric_grid(found, lambda name: name == SHARE, "head.claim_differences"),
    ]
    return [grid for grid in made if grid.rows]


def _metric_grid(found: ComparisonReport, wanted: Callable[[str], bool], code: str) -> Grid:
    title = labels(found.language)
    variants = [name for name in found.variants if name != found.baseline]
    by_name = {
        (d.metric, d.variant): format_difference(d.mean_diff, d.ci95, decimals(d.metric))
        for d in found.metrics
    }
    rows = [
        TableRow.of(title(name), (by_name.get((name, v)) for v in variants))
        for name in dict.fromkeys(d.metric for d in found.metrics if wanted(d.metric))
    ]
    return Grid.of(words(found.language)(code, baseline=found.baseline), variants, rows)


def metrics(summary: Summary) -> Grid:
    """Means of the deterministic metrics over the rows that have them. Abstentions have a table of their own."""
    title = labels(summary.language)
    names = dict.fromkeys(name for v in summary.variants for name in v.whole.metrics if name != "abstained")
    rows = [TableRow.of(title(name), (_metric(v, name) for v in summary.variants)) for name in names]
    return Grid.of(words(summary.language)("head.metrics"), _names(summary), rows)


def speed(summary: Summary) -> Grid:
    """How long the answers are and took, as far as that is known."""
    say = words(summary.language)
    figures = {
        "latency": [format_fixed(v.latency_median_s, 2) for v in summary.variants],
        "tokens": [format_fixed(v.completion_tokens_mean, 1) for v in summary.variants],
    }
    rows = [TableRow.of(say(name), found) for name, found in figures.items() if set(found) - {DASH}]
    return Grid.of(say("head.speed"), _names(summary), rows)


def abstention(summary: Summary) -> Grid:
    """Who declined which questions; without rows when nothing was declined and nothing had to be."""
    say = words(summary.language)
    tables = [v.whole.abstention for v in summary.variants]
    found = [t for t in tables if t is not None]
    if not any(t.answerable_abstained + t.unanswerable_abstained + t.unanswerable_answered for t in found):
        return Grid.of(say("head.abstention"), ())
    right = (_of(t.unanswerable_abstained, t.unanswerable_answered) if t else None for t in tables)
    wrong = (_of(t.answerable_abstained, t.answerable_answered) if t else None for t in tables)
    rows = [
        TableRow.of(say("abstain.right"), right),
        TableRow.of(say("abstain.wrong"), wrong),
        TableRow.of(say("abstention_f1"), (format_fixed(t.f1 if t else None) for t in tables)),
        *_abstention_by_judge(summary.variants, say),
    ]
    return Grid.of(say("head.abstention"), _names(summary), rows)


def _abstention_by_judge(variants: Sequence[VariantSummary], say: Words) -> Iterator[TableRow]:
    """The same according to the judge's scores, where there are any."""
    found = [v.abstention_by_judge for v in variants]
    if any(found):
        right = (_of(j.unanswerable_abstained, j.unanswerable_answered) if j else None for j in found)
        yield TableRow.of(say("abstain.by_judge"), right, "sub")
        yield TableRow.of(
            say("abstain.disputed"), (str(len(j.disputed)) if j else None for j in found), "sub"
        )


def types(summary: Summary) -> Grid:
    """Mean total of each type of question with the number of rows it rests on."""
    say, places = words(summary.language), _places(summary.variants)
    names = dict.fromkeys(name for v in summary.variants for name in v.types)
    if not any(found.total for v in summary.variants for found in v.types.values()):
        names = {}
    rows = [
        TableRow.of(name or say("untyped"), (_type_mean(v, name, places) for v in summary.variants))
        for name in names
    ]
    return Grid.of(say("head.types"), _names(summary), rows)


def scores_line(answer: ExampleAnswer, language: Language, criteria: Criteria) -> str:
    """The scores of an answer with short names, and the total when there is one."""
    parts = [f"{name} {score}" for name, score in short_scores(answer, language, criteria)]
    return " · ".join(parts) + ("" if answer.total is None else f" = {answer.total:g}{out_of(criteria)}")


def short_scores(answer: ExampleAnswer, language: Language, criteria: Criteria) -> list[tuple[str, int]]:
    """The scores of an answer with the short names of their criteria, in the rubric's order."""
    short = short_labels(language)
    return [(short(name), answer.scores[name]) for name in criteria.names if name in answer.scores]


def other_answers_line(answer: ExampleAnswer, say: Words, criteria: Criteria) -> str:
    """Which of a variant's several answers this is, and the scores of the others; "" where it is the only one."""
    if not answer.others:
        return ""
    others = ", ".join(f"{one.sample + 1}: {_score_text(one, say, criteria)}" for one in answer.others)
    which = say("answer_no", n=answer.sample + 1, of=1 + len(answer.others))
    return f"{which} · {say('answer_others')} {others}"


def _score_text(one: Result, say: Words, criteria: Criteria) -> str:
    """An answer's total, its scores where the rubric has no total, or why it has none."""
    if one.total is not None:
        return f"{one.total:g}{out_of(criteria)}"
    return "+".join(map(str, one.scores.values())) if one.status == "scored" else say(f"status.{one.status}")


def _names(summary: Summary) -> Iterable[str]:
    return (v.name for v in summary.variants)


def _criteria_first(names: Iterable[str]) -> list[str]:
    """Each name once, the total last."""
    return sorted(dict.fromkeys(names), key=lambda name: name == TOTAL)


def _mean(distribution: Distribution | None, places: int = 2) -> str:
    return format_fixed(distribution.mean if distribution else None, places)


def _estimate(distribution: Distribution | None, places: int = 2) -> str:
    if distribution is None:
        return DASH
    return format_estimate(distribution.mean, distribution.ci95, places)


def _places(variants: Iterable[VariantSummary]) -> int:
    """Decimals of a total: one, or two from a thousand rows on, where the interval is narrow enough."""
    return 2 if max((v.total.n for v in variants if v.total), default=0) >= 1000 else 1


def _difference(comparison: Comparison | None) -> TableCell | None:
    if comparison is None or comparison.mean_diff is None:
        return None
    text = format_difference(comparison.mean_diff, comparison.ci95)
    return TableCell(text, tone_of(comparison.verdict))


def _metric(variant: VariantSummary, name: str) -> str:
    found = variant.whole.metrics.get(name)
    return format_fixed(found and found.mean, decimals(name))


def _of(part: int, rest: int) -> str:
    return f"{part}/{part + rest}"


def _type_mean(variant: VariantSummary, name: str, places: int) -> str:
    found = variant.types.get(name)
    return DASH if found is None else f"{_mean(found.total, places)} ({found.total.n if found.total else 0})"
