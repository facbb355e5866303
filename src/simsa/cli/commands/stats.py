"""`simsa stats`: the statistics of the reports on anybody's scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from simsa.cli import console
from simsa.errors import InputError
from simsa.i18n.messages import msg, note_text
from simsa.records import Criteria, Criterion, Number
from simsa.text import list_choices

if TYPE_CHECKING:
    from simsa.data.score_files import ScoreTable
    from simsa.i18n.language import Language
    from simsa.i18n.messages import Words
    from simsa.report.format import Grid, TableRow
    from simsa.report.variance_report import VarianceReport
    from simsa.stats import Comparison, Distribution, Friedman, Scale

SCHEMA = "simsa.stats/1"
TOTAL = "total"


class Stats(NamedTuple):
    """What the command prints. `variants` maps variant → criterion → its figures, None where nothing is scored."""

    baseline: str
    variants: Mapping[str, Mapping[str, Distribution | None]]
    comparisons: Sequence[Comparison]
    friedman: Mapping[str, Friedman]
    n_questions: int
    n_scored: Mapping[str, int]
    max_total: Number | None
    noises: Sequence[VarianceReport] = ()
    n_gaps: Mapping[tuple[str, str], int] = {}


@click.command(help="stats")
@click.argument("scores", type=click.Path(path_type=Path))
@click.option("--baseline", metavar="NAME", help="option.baseline")
@click.option("--seed", type=int, default=0, show_default=True, help="option.seed")
@click.option("--language", type=click.Choice(["ko", "en"]), help="option.language_locale")
@console.format_options(("text", "json"))
@console.pager_option
def command(
    scores: Path,
    baseline: str | None,
    seed: int,
    language: Language | None,
    format: str | None,
    as_json: bool,
    pager: bool,
) -> None:
    """Runs `simsa stats`. Its help is in the message catalogue."""
    from simsa.config import locale_language
    from simsa.data.score_files import read_scores
    from simsa.rubrics import load

    chosen = console.chosen(format, as_json)
    found = summarised(read_scores(scores, load("rag-ko").criteria), baseline, seed, where=str(scores))
    if chosen == "json":
        console.print_json(to_dict(found, language or "en"))
        return
    from simsa.i18n.messages import words
    from simsa.report import variance_report
    from simsa.report.renderers.terminal import render_grids

    spoken = language or locale_language()
    say = words(spoken)
    sentences = _verdicts(found, spoken)
    said = console.as_prose([*sentences, ""]) if sentences else ""
    grids = (_scores(found, say), _differences(found, say), variance_report.grid(found.noises, spoken))
    said += render_grids(grids, *console.terminal())
    console.page(said + console.as_prose(_notes(found, spoken), bullet="· "), pager=pager)


def summarised(table: ScoreTable, baseline: str | None, seed: int, *, where: str) -> Stats:
    """All figures of a table. Raises InputError when no variant is called `baseline`."""
    from simsa.report.variance_report import noises
    from simsa.stats import compare_all, friedman, summarise

    scores, clusters = table.scores, table.clusters
    names = list(scores)
    baseline = names[0] if baseline is None else baseline
    if baseline not in scores:
        raise InputError(
            msg("error.cli.no_variant_has_name"),
            where=where,
            field="--baseline",
            found=baseline,
            hint=list_choices(baseline, names),
        )
    criteria = list(scores[baseline])
    scales = {
        c: _scale(c, table.criteria, (s for name in names for s in scores[name][c].values()))
        for c in criteria
    }
    tests = {c: friedman([scores[name][c] for name in names]) for c in criteria if len(names) > 2}
    everything = {question for criterion in criteria for question in scores[baseline][criterion]}
    return Stats(
        baseline=baseline,
        variants={
            name: {
                c: summarise(scores[name][c], clusters or None, scale=scales[c], counts=c != TOTAL, seed=seed)
                for c in criteria
            }
            for name in names
        },
        comparisons=compare_all(scores, baseline, clusters or None, scales=scales, seed=seed),
        friedman={c: test for c, test in tests.items() if test is not None},
        n_questions=len(everything),
        n_scored={
            name: sum(all(scores[name][c].get(q) is not None for c in criteria) for q in everything)
            for name in names
        },
        max_total=table.criteria.max_total if scales.get(TOTAL) else None,
        noises=noises(_judgements(table), baseline),
        n_gaps=table.n_gaps,
    )


def _scale(name: str, criteria: Criteria, scores: Iterable[float | None]) -> Scale | None:
    """The scale of the criterion `name` or of the total; None when a score is outside of it."""
    from simsa.stats import Scale

    scale = Scale.of_total(criteria) if name == TOTAL else Scale.of(criteria.named(name) or Criterion(name))
    fits = scale and all(scale.low <= score <= scale.high for score in scores if score is not None)
    return scale if fits else None


def _judgements(table: ScoreTable) -> dict[tuple[str, str], list[tuple[str, str, float]]]:
    return {
        key: [(sample.question, sample.seed, sample.score) for sample in samples]
        for key, samples in table.samples.items()
    }


def to_dict(found: Stats, language: Language = "en") -> dict[str, Any]:
    """The JSON document: schema `simsa.stats/1`, the shapes of the reports."""
    return {
        "schema": SCHEMA,
        "baseline": found.baseline,
        "variants": [_variant(found, name) for name in found.variants],
        "comparisons": [comparison.to_dict(note_text) for comparison in found.comparisons],
        "friedman": {criterion: test._asdict() for criterion, test in found.friedman.items()},
        "variance": [noise.to_dict() for noise in found.noises],
        "notes": _notes(found, language),
    }


def _variant(found: Stats, name: str) -> dict[str, Any]:
    figures = {c: _figures(d) for c, d in found.variants[name].items()}
    total = figures.pop(TOTAL, None)
    if total is not None:
        total["max"] = found.max_total
    missing = found.n_questions - found.n_scored[name]
    return {
        "name": name,
        "n": found.n_questions,
        "n_scored": found.n_scored[name],
        "unscored": {"missing": missing} if missing else {},
        "criteria": figures,
        "total": total,
    }


def _figures(distribution: Distribution | None) -> dict[str, Any]:
    from simsa.stats import StatNote

    if distribution is not None:
        return distribution.to_dict(note_text)
    nothing = dict.fromkeys(("mean", "sd", "median", "ci95", "counts"))
    return {"n": 0, **nothing, "notes": [note_text(StatNote("no_scores"))]}


def _verdicts(found: Stats, language: Language) -> list[str]:
    """A sentence a compared variant, where there is a total to speak of."""
    from simsa.report.headline import verdict
    from simsa.text import visible

    if TOTAL not in found.variants[found.baseline]:
        return []
    others = (name for name in found.variants if name != found.baseline)
    return [visible(verdict(found.comparisons, name, language)) for name in others]


def _scores(found: Stats, say: Words) -> Grid:
    """Each criterion's mean with its interval, and what it rests on."""
    from simsa.report.format import DASH, Grid, TableCell, TableRow, format_fixed, half, interval

    names = list(found.variants)
    rows: list[TableRow] = []
    for criterion in found.variants[found.baseline]:
        of_each = [found.variants[name][criterion] for name in names]
        means = [TableCell(f"{format_fixed(d.mean)} {interval(d.ci95)}" if d else DASH) for d in of_each]
        spread = [
            TableCell(f"{half(d.median)} · {format_fixed(d.sd)} · {d.n}" if d else DASH) for d in of_each
        ]
        rows.append(
            TableRow(_named(criterion, say), tuple(means), "strong" if criterion == TOTAL else "normal")
        )
        rows.append(TableRow(say("stats.spread"), tuple(spread), "sub"))
    return Grid(say("stats.means"), tuple(names), tuple(rows))


def _differences(found: Stats, say: Words) -> Grid:
    """Each criterion's paired difference, what the tests say of it, and what could have been found."""
    from simsa.report.format import Grid

    others = [name for name in found.variants if name != found.baseline]
    by_criterion: dict[str, list[Comparison]] = {}
    for comparison in found.comparisons:
        by_criterion.setdefault(comparison.criterion, []).append(comparison)
    rows = [row for c, of_each in by_criterion.items() for row in _comparison_rows(c, of_each, say)]
    title = say("stats.differences", baseline=found.baseline)
    return Grid(title, tuple(others), tuple(rows if others else ()))


def _comparison_rows(criterion: str, of_each: Sequence[Comparison], say: Words) -> list[TableRow]:
    from simsa.report.format import TableCell, TableRow, Tone, format_fixed, format_signed, interval, p_value

    tones: dict[str, Tone] = {"better": "good", "worse": "bad"}

    def row(key: str, *cells: str) -> TableRow:
        return TableRow(say(key), tuple(TableCell(cell) for cell in cells), "sub")

    return [
        TableRow(
            _named(criterion, say),
            tuple(
                TableCell(f"{format_signed(c.mean_diff)} {interval(c.ci95)}", tones.get(c.verdict, "plain"))
                for c in of_each
            ),
            "strong" if criterion == TOTAL else "normal",
        ),
        row("verdict", *(say(c.verdict) for c in of_each)),
        row("stats.p", *(f"{p_value(c.p_adjusted)} · {p_value(c.wilcoxon_p)}" for c in of_each)),
        row(
            "stats.record",
            *(f"{c.wins}/{c.ties}/{c.losses} · {format_fixed(c.rank_biserial)}" for c in of_each),
        ),
        row("stats.mde", *(format_fixed(c.mde80) for c in of_each)),
    ]


def _named(criterion: str, say: Words) -> str:
    """A criterion as the file calls it; in Korean by its Korean name, where it has one."""
    from simsa.report.format import label

    shown = label(say, criterion)
    return criterion if shown.isascii() else shown


def _notes(found: Stats, language: Language) -> list[str]:
    """What a reader has to know: missing scores, what could not be computed, whether any variant differs, what to buy."""
    from simsa.i18n.messages import words
    from simsa.report import variance_report
    from simsa.report.format import p_value

    say = words(language)
    notes = []
    for name, criteria in found.variants.items():
        for criterion, d in criteria.items():
            remarks = (
                [say("stats.no_scores")] if d is None else [note_text(note, language) for note in d.notes]
            )
            if d is not None and d.n_missing:
                remarks.append(_missing(d, say))
            if n := found.n_gaps.get((name, criterion)):
                remarks.append(say("stats.gaps", n=n))
            notes += [f"{name}, {_named(criterion, say)}: {remark}" for remark in remarks]
    for c in found.comparisons:
        what = f"{c.variant} − {c.baseline}, {_named(c.criterion, say)}"
        notes += [f"{what}: {note_text(note, language)}" for note in c.notes]
    notes += [
        say("stats.friedman", criterion=_named(c, say), k=test.k, n=test.n, p=p_value(test.p_value))
        for c, test in found.friedman.items()
    ]
    return notes + [variance_report.sentence(one, language) for one in variance_report.decisive(found.noises)]


def _missing(d: Distribution, say: Words) -> str:
    from simsa.report.format import format_fixed
    from simsa.stats.missing_bounds import WORTH_SHOWING

    n = d.n + d.n_missing
    text = say("stats.missing", missing=d.n_missing, n=n)
    if d.bounds and d.n_missing > WORTH_SHOWING * n:
        text += say("stats.bounds", low=format_fixed(d.bounds[0]), high=format_fixed(d.bounds[1]))
    return text
