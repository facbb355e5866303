"""`simsa stats`: the statistics of the reports on anybody's scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from simsa.cli import console
from simsa.errors import InputError
from simsa.records import MAX_TOTAL

if TYPE_CHECKING:
    from simsa.data.scores import ScoreTable
    from simsa.report.grids import Grid, Row
    from simsa.stats import Comparison, Distribution, Friedman

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
    max_total: int | None


@click.command()
@click.argument("scores", type=click.Path(path_type=Path))
@click.option(
    "--baseline", metavar="NAME", help="The variant to compare the others with; the first by default."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of permutations and bootstraps.")
@console.format_options(("text", "json"))
def command(scores: Path, baseline: str | None, seed: int, format: str | None, as_json: bool) -> None:
    """Means, intervals and paired comparisons of scores from any judge or spreadsheet.

    SCORES is CSV, JSONL, JSON or Parquet with the columns question_id, variant, criterion
    and score, and optionally cluster, the source document of the question. An empty
    score is missing: it is counted, and never a number.

    \b
    simsa stats scores.csv --baseline base
    simsa stats scores.jsonl --json
    """
    from simsa.data.scores import read_scores

    chosen = console.chosen(format, as_json)
    found = summarised(read_scores(scores), baseline, seed, where=str(scores))
    if chosen == "json":
        console.print_json(to_dict(found))
        return
    from simsa.report.text import render_grids
    from simsa.text import visible

    sentences = _verdicts(found)
    if sentences:
        console.put("\n".join(sentences) + "\n\n")
    console.put(render_grids((_scores(found), _differences(found)), *console.terminal()))
    notes = _notes(found)
    if notes:
        console.put("\n".join(f"· {visible(note)}" for note in notes) + "\n")


def summarised(table: ScoreTable, baseline: str | None, seed: int, *, where: str) -> Stats:
    """All figures of a table. Raises InputError when no variant is called `baseline`."""
    from simsa.stats import compare_all, friedman, summarise
    from simsa.stats.summary import scale_of

    scores, clusters = table
    names = list(scores)
    baseline = names[0] if baseline is None else baseline
    if baseline not in scores:
        raise InputError(
            "no variant has this name",
            where=where,
            field="--baseline",
            found=baseline,
            hint=f"there are {', '.join(names)}",
        )
    criteria = list(scores[baseline])
    scales = {c: scale_of(c, (s for name in names for s in scores[name][c].values())) for c in criteria}
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
        comparisons=compare_all(scores, baseline, clusters or None, seed=seed),
        friedman={c: test for c, test in tests.items() if test is not None},
        n_questions=len(everything),
        n_scored={
            name: sum(all(scores[name][c].get(q) is not None for c in criteria) for q in everything)
            for name in names
        },
        max_total=MAX_TOTAL if scales.get(TOTAL) else None,
    )


def to_dict(found: Stats) -> dict[str, Any]:
    """The JSON document: schema `simsa.stats/1`, the shapes of the reports."""
    return {
        "schema": SCHEMA,
        "baseline": found.baseline,
        "variants": [_variant(found, name) for name in found.variants],
        "comparisons": [comparison.to_dict() for comparison in found.comparisons],
        "friedman": {criterion: test._asdict() for criterion, test in found.friedman.items()},
        "notes": _notes(found),
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
    if distribution is not None:
        return distribution.to_dict()
    nothing = dict.fromkeys(("mean", "sd", "median", "ci95", "counts"))
    return {"n": 0, **nothing, "notes": ["no scores"]}


def _verdicts(found: Stats) -> list[str]:
    """A sentence a compared variant, where there is a total to speak of."""
    from simsa.report.sentences import verdict
    from simsa.text import visible

    if TOTAL not in found.variants[found.baseline]:
        return []
    others = (name for name in found.variants if name != found.baseline)
    return [visible(verdict(found.comparisons, name, "en")) for name in others]


def _scores(found: Stats) -> Grid:
    """Each criterion's mean with its interval, and what it rests on."""
    from simsa.report.grids import Cell, Grid, Row
    from simsa.report.numbers import DASH, fixed, half, interval

    names = list(found.variants)
    rows: list[Row] = []
    for criterion in found.variants[found.baseline]:
        of_each = [found.variants[name][criterion] for name in names]
        means = [Cell(f"{fixed(d.mean)} {interval(d.ci95)}" if d else DASH) for d in of_each]
        spread = [Cell(f"{half(d.median)} · {fixed(d.sd)} · {d.n}" if d else DASH) for d in of_each]
        rows.append(Row(criterion, tuple(means), "strong" if criterion == TOTAL else "normal"))
        rows.append(Row("median · sd · n", tuple(spread), "sub"))
    return Grid("Means with 95 % intervals", tuple(names), tuple(rows))


def _differences(found: Stats) -> Grid:
    """Each criterion's paired difference, what the tests say of it, and what could have been found."""
    from simsa.report.grids import Grid

    others = [name for name in found.variants if name != found.baseline]
    by_criterion: dict[str, list[Comparison]] = {}
    for comparison in found.comparisons:
        by_criterion.setdefault(comparison.criterion, []).append(comparison)
    rows = [row for c, of_each in by_criterion.items() for row in _comparison_rows(c, of_each)]
    return Grid(f"Paired difference to {found.baseline}", tuple(others), tuple(rows if others else ()))


def _comparison_rows(criterion: str, of_each: Sequence[Comparison]) -> list[Row]:
    from simsa.report.grids import Cell, Row, Tone
    from simsa.report.numbers import fixed, interval, p_value, signed

    tones: dict[str, Tone] = {"better": "good", "worse": "bad"}

    def row(label: str, *cells: str) -> Row:
        return Row(label, tuple(Cell(cell) for cell in cells), "sub")

    return [
        Row(
            criterion,
            tuple(
                Cell(f"{signed(c.mean_diff)} {interval(c.ci95)}", tones.get(c.verdict, "plain"))
                for c in of_each
            ),
            "strong" if criterion == TOTAL else "normal",
        ),
        row("verdict", *(c.verdict for c in of_each)),
        row("p, Holm · Wilcoxon", *(f"{p_value(c.p_adjusted)} · {p_value(c.wilcoxon_p)}" for c in of_each)),
        row(
            "win/tie/loss · r", *(f"{c.wins}/{c.ties}/{c.losses} · {fixed(c.rank_biserial)}" for c in of_each)
        ),
        row("least found (80 %)", *(fixed(c.mde80) for c in of_each)),
    ]


def _notes(found: Stats) -> list[str]:
    """What a reader has to know: missing scores, what could not be computed, whether any variant differs."""
    from simsa.report.numbers import fixed, p_value
    from simsa.stats.missing import WORTH_SHOWING

    notes = []
    for name, criteria in found.variants.items():
        for criterion, d in criteria.items():
            label = f"{name}, {criterion}"
            if d is None:
                notes.append(f"{label}: no scores")
                continue
            notes += [f"{label}: {note}" for note in d.notes]
            if d.n_missing:
                bounds = (
                    f"; whatever they are, the mean is {fixed(d.bounds[0])} to {fixed(d.bounds[1])}"
                    if d.bounds
                    else ""
                )
                shown = bounds if d.n_missing > WORTH_SHOWING * (d.n + d.n_missing) else ""
                notes.append(f"{label}: {d.n_missing} of {d.n + d.n_missing} scores are missing{shown}")
    for c in found.comparisons:
        notes += [f"{c.variant} − {c.baseline}, {c.criterion}: {note}" for note in c.notes]
    notes += [
        f"{criterion}: over all {test.k} variants and {test.n} questions, Friedman p {p_value(test.p_value)}"
        for criterion, test in found.friedman.items()
    ]
    return notes
