"""Variants compared within a run or across two, with gates: what `simsa compare` prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from simsa.errors import ConfigError, RunError
from simsa.i18n.language import LANGUAGES, Language
from simsa.i18n.messages import note_text, words
from simsa.records import Criteria, Criterion, Number
from simsa.report import gates
from simsa.report.cross_judge_report import Bridged, bridged, judged_apart
from simsa.report.gates import Gate, GateResult
from simsa.report.notes import comparison_notes, of_samples
from simsa.report.score_matrix import SHARE, TOTAL, ScoreMatrix, load
from simsa.report.shared_questions import Common, ScoreDifference, common, difference, narrowed
from simsa.report.summary import calibration_of, compared
from simsa.report.summary_model import Note
from simsa.report.variance_report import decisive, noises, sentence
from simsa.store import Store
from simsa.text import list_choices

if TYPE_CHECKING:
    from simsa.run.cross_judge import Bridge
    from simsa.stats import Comparison

SCHEMA = "simsa.compare/1"

# What must be the same in two runs, and how a person calls it.
_SAME = (
    ("run", "data_hash", "test sets"),
    ("judge", "model", "judges"),
    ("judge", "rubric", "rubrics"),
    ("judge", "mode", "judging modes"),
    ("judge", "key", "settings of the judge"),
)

_BRIDGE = (
    "scores of different judges or rubrics do not mix. `--bridge 50` has both judge a sample of 50 answers and "
    "shows how far they differ; or judge one run again as the other was (edit its [judge] and run "
    "`simsa judge`), which leaves the answers as they are"
)


@dataclass(frozen=True, slots=True)
class ComparisonReport:
    """Every variant against the baseline, and what became of the gates."""

    runs: tuple[str, ...]
    judge: Mapping[str, Any] | None
    language: Language
    baseline: str
    variants: tuple[str, ...]
    comparisons: tuple[Comparison, ...]
    metrics: tuple[ScoreDifference, ...]
    outcomes: tuple[GateResult, ...]
    bridged: Bridged | None = None
    common: Common | None = None
    notes: tuple[Note, ...] = ()
    criteria: Criteria = field(default_factory=Criteria)

    @property
    def passed(self) -> bool:
        return all(outcome.passed for outcome in self.outcomes)

    def to_dict(self) -> dict[str, Any]:
        """The JSON of `simsa compare`: schema `simsa.compare/1`."""
        judge = self.judge and {key: self.judge.get(key) for key in ("model", "rubric", "mode")}
        return {
            "schema": SCHEMA,
            "runs": list(self.runs),
            "judge": judge,
            "baseline": self.baseline,
            "variants": list(self.variants),
            "comparisons": [comparison.to_dict(note_text) for comparison in self.comparisons],
            "metrics": [difference._asdict() for difference in self.metrics],
            "gates": [outcome.to_dict() for outcome in self.outcomes],
            "passed": self.passed,
            "bridge": self.bridged and self.bridged.to_dict(),
            "common": self.common and self.common.to_dict(),
            "notes": [note._asdict() for note in self.notes],
        }


def comparison_report(
    stores: Sequence[Store],
    baseline: str | None,
    wanted: Sequence[Gate],
    language: Language | None = None,
    *,
    bridge: Bridge | None = None,
    only_common: bool = False,
) -> ComparisonReport:
    """Compares the variants of one run or of two over the same questions with the same judge.

    Variants of the second are named `name@folder`. `baseline` is the first run's own by
    default. `bridge` joins two runs of different judges: differences across them are shown
    with the judges' shift, and their verdicts are of what is left without it. `only_common`
    compares two runs of different data on the questions that both ask. Raises RunError when
    two runs cannot be compared, ConfigError for an unknown baseline or a gate that speaks of
    nothing, or of two judges.
    """
    first = stores[0]
    table, shared = load(first), None
    sides = dict.fromkeys(table.variants, 0)
    for other in stores[1:]:
        shared = require_comparable(first, other, bridged=bridge is not None, only_common=only_common)
        table = _joined(table, load(other), other.folder.resolve().name, shared)
        sides = {name: sides.get(name, 1) for name in table.variants}
    baseline = baseline or first.meta("baseline") or next(iter(table.variants), "")
    if baseline not in table.variants:
        hint = list_choices(baseline, table.variants)
        raise ConfigError("no such variant", field="--baseline", found=baseline, hint=hint)
    comparisons, found = compared(table, baseline), None
    if bridge is not None:
        _require_one_judge(wanted, sides, baseline, table.criteria)
        found, comparisons = judged_apart(bridged(bridge, table.criteria), comparisons, sides)
    spoken: Language = language or first.meta("language") or LANGUAGES[0]
    return ComparisonReport(
        runs=tuple((store.meta("run") or {}).get("id", "") for store in stores),
        judge=first.meta("judge"),
        language=spoken,
        baseline=baseline,
        variants=tuple(table.variants),
        comparisons=tuple(comparisons),
        metrics=tuple(_differences(table, baseline, sides, bridged=bridge is not None)),
        outcomes=tuple(gates.evaluate(wanted, table, baseline)),
        bridged=found,
        common=shared if only_common else None,
        criteria=table.criteria,
        notes=(
            *comparison_notes(
                spoken,
                map(calibration_of, stores),
                comparisons,
                [store.meta("judge_places") or {} for store in stores],
                table.criteria,
            ),
            *_noise(table, baseline, spoken, bridged=bridge is not None),
        ),
    )


def _noise(table: ScoreMatrix, baseline: str, language: Language, *, bridged: bool) -> Iterator[Note]:
    """Of questions that were answered several times, how much of the differences' uncertainty is generation's.

    Differences between scores of two judges are not split: the bridge's own uncertainty is in them.
    """
    yield from of_samples(
        words(language), {name: (v.n_samples, v.n_gaps) for name, v in table.variants.items()}
    )
    found = [] if bridged else noises(table.judgements(), baseline)
    yield from (Note("variance", sentence(one, language)) for one in decisive(found))


def _differences(
    table: ScoreMatrix, baseline: str, sides: Mapping[str, int], *, bridged: bool
) -> Iterator[ScoreDifference]:
    """Of every variant to `baseline`; claims only where one judge has listed both."""
    for variant in table.variants:
        one_judge = not bridged or sides.get(variant) == sides.get(baseline)
        metrics = (*table.metrics, SHARE) if one_judge else table.metrics
        for metric in metrics if variant != baseline else ():
            if found := difference(table, metric, variant, baseline):
                yield found


def require_comparable(
    first: Store, second: Store, *, bridged: bool = False, only_common: bool = False
) -> Common | None:
    """Refuses two runs whose scores say nothing about each other, and says what would help.

    With `bridged` they may have different judges, with `only_common` different data: then
    the questions that both ask are returned.
    """
    for section, key, what in _SAME:
        one, other = ((store.meta(section) or {}).get(key) for store in (first, second))
        allowed = only_common if section == "run" else bridged and None not in (one, other)
        if one != other and not allowed:
            shown = "" if key == "key" else f": {_shown(one)} and {_shown(other)}"
            raise RunError(
                f"cannot be compared with {first.folder}: their {what} differ{shown}",
                where=str(second.folder),
                hint=_common_hint(common(first, second)) if section == "run" else _BRIDGE,
            )
    if not only_common:
        return None
    found = common(first, second)
    if not found.pairs:
        raise RunError(
            f"has no question in common with {first.folder}",
            where=str(second.folder),
            hint="the same question, passages and references are needed in both",
        )
    return found


def _common_hint(found: Common) -> str:
    n, (first, second) = len(found.pairs), found.n
    if not n:
        return f"of the {first} and {second} questions none is the same: there is nothing to compare"
    return f"{n} of the {first} and {second} questions are the same: `--common` compares on those"


def _require_one_judge(
    wanted: Sequence[Gate], sides: Mapping[str, int], baseline: str, criteria: Criteria
) -> None:
    """A gate holds on one judge's scores; a bridge is too little for it to lean on."""
    for gate in wanted:
        spoken_of = [gate.variant] if gate.variant else [name for name in sides if name != baseline]
        across = any(sides.get(name, sides[baseline]) != sides[baseline] for name in spoken_of)
        if gate.relative and gate.metric in (*criteria.names, TOTAL, SHARE) and across:
            raise ConfigError(
                "compares scores of two judges",
                field="--gate",
                found=gate.text,
                hint="name a variant of the baseline's own run, as in 'lora: total > baseline', or judge "
                "both runs alike",
            )


def _shown(value: object) -> str:
    return "none" if value is None else str(value)


def _joined(first: ScoreMatrix, second: ScoreMatrix, name: str, shared: Common | None) -> ScoreMatrix:
    """`first` with the variants of `second`, over the questions in the order of `first`."""
    pairs = [(q, q) for q in first.question_ids] if shared is None else shared.pairs
    ids = [one for one, _ in pairs]
    kept = first if shared is None else narrowed(first, ids, ids)
    moved = narrowed(second, [other for _, other in pairs], ids) if shared else _reordered(second, ids)
    others = {f"{variant}@{name}": found for variant, found in moved.variants.items()}
    return replace(
        kept,
        variants={**kept.variants, **others},
        criteria=_shared_criteria(first.criteria, second.criteria),
    )


def _shared_criteria(first: Criteria, second: Criteria) -> Criteria:
    """The criteria that both rubrics declare on the same scale; in the total only where both totals are the same."""

    def key(criterion: Criterion) -> tuple[str, int, int]:
        return criterion.name, criterion.low, criterion.high

    def parts(criteria: Criteria) -> set[tuple[tuple[str, int, int], Number]]:
        return {(key(criterion), criterion.weight) for criterion in criteria.in_total}

    known = set(map(key, second))
    shared = Criteria(criterion for criterion in first if key(criterion) in known)
    if parts(first) == parts(second):
        return shared
    return Criteria(replace(criterion, in_total=False) for criterion in shared)


def _reordered(table: ScoreMatrix, question_ids: Sequence[str]) -> ScoreMatrix:
    """`table` with its questions in another order."""
    places = {question_id: place for place, question_id in enumerate(table.question_ids)}
    order = [places[question_id] for question_id in question_ids]
    return replace(table, variants={name: one.at(order) for name, one in table.variants.items()})
