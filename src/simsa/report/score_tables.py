"""The statistics of any table of scores: what `simsa stats` prints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from simsa.errors import InputError
from simsa.i18n.language import Language
from simsa.i18n.messages import Words, msg, note_text, words
from simsa.records import TOTAL, Criteria, Criterion, Number
from simsa.report import variance_report
from simsa.report.format import (
    Grid,
    TableCell,
    TableRow,
    Weight,
    format_difference,
    format_estimate,
    format_fixed,
    half,
    label,
    p_value,
    tone_of,
)
from simsa.report.headline import verdict
from simsa.report.variance_report import VarianceReport
from simsa.text import list_choices, visible

if TYPE_CHECKING:
    from simsa.data.score_files import ScoreTable
    from simsa.stats import Comparison, Distribution, Friedman, Scale

SCHEMA = "simsa.stats/1"


class ScoreStatistics(NamedTuple):
    """The figures of a table. `variants` maps variant → criterion → figures, None where nothing is scored."""

    baseline: str
    variants: Mapping[str, Mapping[str, Distribution | None]]
    comparisons: Sequence[Comparison]
    friedman: Mapping[str, Friedman]
    n_questions: int
    n_scored: Mapping[str, int]
    max_total: Number | None
    noises: Sequence[VarianceReport] = ()
    n_gaps: Mapping[tuple[str, str], int] = {}

    @property
    def criteria(self) -> list[str]:
        """Names of the criteria, and the total where the table has one."""
        return list(self.variants[self.baseline])

    @property
    def others(self) -> list[str]:
        """The variants that are compared with the baseline."""
        return [name for name in self.variants if name != self.baseline]

    def to_dict(self, language: Language = "en") -> dict[str, Any]:
        """The JSON document: schema `simsa.stats/1`, the shapes of the reports."""
        return {
            "schema": SCHEMA,
            "baseline": self.baseline,
            "variants": [self._variant(name) for name in self.variants],
            "comparisons": [comparison.to_dict(note_text) for comparison in self.comparisons],
            "friedman": {criterion: test._asdict() for criterion, test in self.friedman.items()},
            "variance": [noise.to_dict() for noise in self.noises],
            "notes": notes(self, language),
        }

    def _variant(self, name: str) -> dict[str, Any]:
        figures = {c: _figures(d) for c, d in self.variants[name].items()}
        total = figures.pop(TOTAL, None)
        if total is not None:
            total["max"] = self.max_total
        missing = self.n_questions - self.n_scored[name]
        return {
            "name": name,
            "n": self.n_questions,
            "n_scored": self.n_scored[name],
            "unscored": {"missing": missing} if missing else {},
            "criteria": figures,
            "total": total,
        }


def statistics_of(table: ScoreTable, baseline: str | None, seed: int, *, where: str) -> ScoreStatistics:
    """All figures of a table. Raises InputError when no variant is called `baseline`."""
    from simsa.stats import compare_all, friedman, summarise

    scores, clusters = table.scores, table.clusters or None
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
    questions = {question for criterion in criteria for question in scores[baseline][criterion]}
    judgements = {
        key: [(sample.question, sample.seed, sample.score) for sample in samples]
        for key, samples in table.samples.items()
    }
    return ScoreStatistics(
        baseline=baseline,
        variants={
            name: {
                c: summarise(scores[name][c], clusters, scale=scales[c], counts=c != TOTAL, seed=seed)
                for c in criteria
            }
            for name in names
        },
        comparisons=compare_all(scores, baseline, clusters, scales=scales, seed=seed),
        friedman={c: test for c, test in tests.items() if test is not None},
        n_questions=len(questions),
        n_scored={
            name: sum(all(scores[name][c].get(q) is not None for c in criteria) for q in questions)
            for name in names
        },
        max_total=table.criteria.max_total if scales.get(TOTAL) else None,
        noises=variance_report.noises(judgements, baseline),
        n_gaps=table.n_gaps,
    )


def _scale(name: str, criteria: Criteria, scores: Iterable[float | None]) -> Scale | None:
    """The scale of the criterion `name` or of the total; None when a score is outside of it."""
    from simsa.stats import Scale

    scale = Scale.of_total(criteria) if name == TOTAL else Scale.of(criteria.named(name) or Criterion(name))
    fits = scale and all(scale.low <= score <= scale.high for score in scores if score is not None)
    return scale if fits else None


def _figures(distribution: Distribution | None) -> dict[str, Any]:
    from simsa.stats import StatNote

    if distribution is not None:
        return distribution.to_dict(note_text)
    nothing = dict.fromkeys(("mean", "sd", "median", "ci95", "counts"))
    return {"n": 0, **nothing, "notes": [note_text(StatNote("no_scores"))]}


def conclusions(found: ScoreStatistics, language: Language) -> list[str]:
    """A sentence for each compared variant; none without a total."""
    names = found.others if TOTAL in found.criteria else []
    return [visible(verdict(found.comparisons, name, language)) for name in names]


def grids(found: ScoreStatistics, language: Language) -> list[Grid]:
    """Means, differences to the baseline, and the sources of their uncertainty."""
    say = words(language)
    return [_means(found, say), _differences(found, say), variance_report.grid(found.noises, language)]


def _means(found: ScoreStatistics, say: Words) -> Grid:
    rows = []
    for criterion in found.criteria:
        of_each = [variant[criterion] for variant in found.variants.values()]
        means = (format_estimate(d.mean, d.ci95) if d else None for d in of_each)
        spread = (f"{half(d.median)} · {format_fixed(d.sd)} · {d.n}" if d else None for d in of_each)
        rows += [
            TableRow.of(_title(criterion, say), means, _weight(criterion)),
            TableRow.of(say("stats.spread"), spread, "sub"),
        ]
    return Grid.of(say("stats.means"), found.variants, rows)


def _differences(found: ScoreStatistics, say: Words) -> Grid:
    by_criterion: dict[str, list[Comparison]] = {}
    for comparison in found.comparisons:
        by_criterion.setdefault(comparison.criterion, []).append(comparison)
    rows = [row for c, of_each in by_criterion.items() for row in _comparison_rows(c, of_each, say)]
    return Grid.of(
        say("stats.differences", baseline=found.baseline), found.others, rows if found.others else ()
    )


def _comparison_rows(criterion: str, of_each: Sequence[Comparison], say: Words) -> Iterator[TableRow]:
    differences = (TableCell(format_difference(c.mean_diff, c.ci95), tone_of(c.verdict)) for c in of_each)
    yield TableRow.of(_title(criterion, say), differences, _weight(criterion))
    details = {
        "verdict": (say(c.verdict) for c in of_each),
        "stats.p": (f"{p_value(c.p_adjusted)} · {p_value(c.wilcoxon_p)}" for c in of_each),
        "stats.record": (f"{c.wins}/{c.ties}/{c.losses} · {format_fixed(c.rank_biserial)}" for c in of_each),
        "stats.mde": (format_fixed(c.mde80) for c in of_each),
    }
    for code, cells in details.items():
        yield TableRow.of(say(code), cells, "sub")


def _weight(criterion: str) -> Weight:
    return "strong" if criterion == TOTAL else "normal"


def _title(criterion: str, say: Words) -> str:
    """A criterion's Korean title where it has one, else the name that the file gives it."""
    title = label(say, criterion)
    return criterion if title.isascii() else title


def notes(found: ScoreStatistics, language: Language) -> list[str]:
    """Missing scores, figures that could not be computed, whether any variant differs, what to sample more."""
    say = words(language)
    texts = []
    for name, criteria in found.variants.items():
        for criterion, d in criteria.items():
            remarks = [say("stats.no_scores")] if d is None else [note_text(n, language) for n in d.notes]
            if d is not None and d.n_missing:
                remarks.append(_missing(d, say))
            if n := found.n_gaps.get((name, criterion)):
                remarks.append(say("stats.gaps", n=n))
            texts += [f"{name}, {_title(criterion, say)}: {remark}" for remark in remarks]
    for c in found.comparisons:
        what = f"{c.variant} − {c.baseline}, {_title(c.criterion, say)}"
        texts += [f"{what}: {note_text(note, language)}" for note in c.notes]
    texts += [
        say("stats.friedman", criterion=_title(c, say), k=test.k, n=test.n, p=p_value(test.p_value))
        for c, test in found.friedman.items()
    ]
    return texts + [variance_report.sentence(one, language) for one in variance_report.decisive(found.noises)]


def _missing(d: Distribution, say: Words) -> str:
    from simsa.stats.missing_bounds import WORTH_SHOWING

    n = d.n + d.n_missing
    text = say("stats.missing", missing=d.n_missing, n=n)
    if d.bounds and d.n_missing > WORTH_SHOWING * n:
        text += say("stats.bounds", low=format_fixed(d.bounds[0]), high=format_fixed(d.bounds[1]))
    return text
