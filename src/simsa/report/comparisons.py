"""Comparison of variants within a run or across two runs, with gates: what `simsa compare` prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from simsa.errors import ConfigError, RunError
from simsa.i18n.language import LANGUAGES, Language
from simsa.i18n.messages import msg, note_text, words
from simsa.records import TOTAL, Criteria, Criterion, Number, Question, content_hash
from simsa.report import gates
from simsa.report.cross_judge_report import Bridged, bridged, judged_apart
from simsa.report.gates import Gate, GateResult
from simsa.report.notes import comparison_notes, of_samples
from simsa.report.score_matrix import SHARE, ScoreDifference, ScoreMatrix, load
from simsa.report.summary import calibration_of, compared
from simsa.report.summary_model import Note
from simsa.report.variance_report import decisive, noises, sentence
from simsa.store import Store, criteria_of
from simsa.text import list_choices

if TYPE_CHECKING:
    from simsa.run.cross_judge import Bridge
    from simsa.stats import Comparison

SCHEMA = "simsa.compare/1"

# What must be the same in two runs: section and key of the run's facts, and the word in the message.
_SAME = (
    ("run", "data_hash", "test sets"),
    ("judge", "model", "judges"),
    ("judge", "rubric", "rubrics"),
    ("judge", "mode", "judging modes"),
    ("judge", "key", "settings of the judge"),
)

_BRIDGE = msg("error.report.scores_different_judges_or_rubrics")


@dataclass(frozen=True, slots=True)
class SharedQuestions:
    """Pairs of ids, the first run's and the second's, of equal questions, in the first run's order.

    Questions are equal when text, passages, references, answerability and messages are; ids, types and
    metadata may differ. `n` is how many questions each run has.
    """

    pairs: tuple[tuple[str, str], ...]
    n: tuple[int, int]

    def to_dict(self) -> dict[str, Any]:
        return {
            "n_common": len(self.pairs),
            "n_questions": list(self.n),
            "question_ids": [first for first, _ in self.pairs],
        }


def shared_questions(first: Store, second: Store) -> SharedQuestions:
    """Finds the questions of both runs. One that occurs several times in both is paired in order."""
    ids: dict[str, list[str]] = {}
    n_second = 0
    for question in second.questions():
        ids.setdefault(_content(question), []).append(question.id)
        n_second += 1
    pairs, n_first = [], 0
    for question in first.questions():
        n_first += 1
        if there := ids.get(_content(question)):
            pairs.append((question.id, there.pop(0)))
    return SharedQuestions(tuple(pairs), (n_first, n_second))


def _content(question: Question) -> str:
    return content_hash(
        question.question,
        [passage.to_json() for passage in question.contexts],
        sorted(question.reference),
        question.answerable,
        [message.to_json() for message in question.messages],
    )


@dataclass(frozen=True, slots=True)
class ComparisonReport:
    """Every variant compared with the baseline, and the results of the gates."""

    runs: tuple[str, ...]
    judge: Mapping[str, Any] | None
    language: Language
    baseline: str
    variants: tuple[str, ...]
    comparisons: tuple[Comparison, ...]
    metrics: tuple[ScoreDifference, ...]
    outcomes: tuple[GateResult, ...]
    bridged: Bridged | None = None
    common: SharedQuestions | None = None
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
    """Compares the variants of one run, or of two runs over the same questions with the same judge.

    Variants of the second run are named `name@folder`. `baseline` is the first run's own by default.
    `bridge` joins runs of different judges: differences across them are shown with the offset between the
    judges, and their conclusions are of the difference without it. `only_common` compares runs of different
    data on the questions of both. Raises RunError when two runs cannot be compared, ConfigError for an
    unknown baseline, or a gate on an unknown measure or on scores of two judges.
    """
    first = stores[0]
    matrix, shared = load(first), None
    sides = dict.fromkeys(matrix.variants, 0)
    for other in stores[1:]:
        shared = require_comparable(first, other, bridged=bridge is not None, only_common=only_common)
        matrix = _joined(matrix, load(other), other.folder.resolve().name, shared)
        sides = {name: sides.get(name, 1) for name in matrix.variants}
    baseline = baseline or first.meta("baseline") or next(iter(matrix.variants), "")
    if baseline not in matrix.variants:
        hint = list_choices(baseline, matrix.variants)
        raise ConfigError(msg("error.report.no_such_variant"), field="--baseline", found=baseline, hint=hint)
    comparisons, cross_judge = compared(matrix, baseline), None
    if bridge is not None:
        _require_one_judge(wanted, sides, baseline, matrix)
        cross_judge, comparisons = judged_apart(bridged(bridge, matrix.criteria), comparisons, sides)
    reader: Language = language or first.meta("language") or LANGUAGES[0]
    # Differences between scores of two judges are not split: the uncertainty of the bridge is in them.
    splits = [] if bridge else noises(matrix.judgements(), baseline)
    notes = (
        *comparison_notes(
            reader,
            map(calibration_of, stores),
            comparisons,
            [store.meta("judge_places") or {} for store in stores],
            matrix.criteria,
        ),
        *of_samples(words(reader), {name: (v.n_samples, v.n_gaps) for name, v in matrix.variants.items()}),
        *(Note("variance", sentence(split, reader)) for split in decisive(splits)),
    )
    return ComparisonReport(
        runs=tuple((store.meta("run") or {}).get("id", "") for store in stores),
        judge=first.meta("judge"),
        language=reader,
        baseline=baseline,
        variants=tuple(matrix.variants),
        comparisons=tuple(comparisons),
        metrics=tuple(_differences(matrix, baseline, sides, across_judges=bridge is not None)),
        outcomes=tuple(gates.evaluate(wanted, matrix, baseline)),
        bridged=cross_judge,
        common=shared if only_common else None,
        criteria=matrix.criteria,
        notes=notes,
    )


def _differences(
    matrix: ScoreMatrix, baseline: str, sides: Mapping[str, int], *, across_judges: bool
) -> Iterator[ScoreDifference]:
    """Differences of metrics; those of claims only where one judge listed the claims of both variants."""
    for variant in matrix.variants:
        one_judge = not across_judges or sides.get(variant) == sides.get(baseline)
        metrics = (*matrix.metrics, SHARE) if one_judge else matrix.metrics
        for metric in metrics if variant != baseline else ():
            if found := matrix.difference(metric, variant, baseline):
                yield found


def require_comparable(
    first: Store, second: Store, *, bridged: bool = False, only_common: bool = False
) -> SharedQuestions | None:
    """Checks that the scores of two runs can be compared. Raises RunError with a hint if they cannot.

    `bridged` allows different judges. `only_common` allows different data; the questions of both runs are
    then returned.
    """
    for section, key, what in _SAME:
        one, other = ((store.meta(section) or {}).get(key) for store in (first, second))
        allowed = only_common if section == "run" else bridged and None not in (one, other)
        if one != other and not allowed:
            shown = "" if key == "key" else f": {_shown(one)} and {_shown(other)}"
            raise RunError(
                msg("error.report.cannot_compared_their_differ", folder=first.folder, what=what, shown=shown),
                where=str(second.folder),
                hint=_shared_hint(shared_questions(first, second)) if section == "run" else _BRIDGE,
            )
    if not bridged and _scoring(first) != _scoring(second):
        raise RunError(
            msg("error.report.criteria_differ", folder=first.folder), where=str(second.folder), hint=_BRIDGE
        )
    if not only_common:
        return None
    found = shared_questions(first, second)
    if not found.pairs:
        raise RunError(
            msg("error.report.has_no_question_common", folder=first.folder),
            where=str(second.folder),
            hint=msg("error.report.same_question_passages_references_are"),
        )
    return found


def _scoring(store: Store) -> list[tuple[object, ...]]:
    """What makes totals comparable: the names, scales and weights of the criteria."""
    return [(one.name, one.low, one.high, one.weight, one.in_total) for one in criteria_of(store)]


def _shared_hint(found: SharedQuestions) -> str:
    n, (first, second) = len(found.pairs), found.n
    if not n:
        return msg("compare.nothing_shared", first=first, second=second)
    return msg("compare.shared", n=n, first=first, second=second)


def _shown(value: object) -> str:
    return "none" if value is None else str(value)


def _require_one_judge(
    wanted: Sequence[Gate], sides: Mapping[str, int], baseline: str, matrix: ScoreMatrix
) -> None:
    """Raises ConfigError for a gate on scores of two judges: a bridge is not precise enough for it."""
    for gate in wanted:
        names = [gate.variant] if gate.variant else [name for name in sides if name != baseline]
        across = any(sides.get(name, sides[baseline]) != sides[baseline] for name in names)
        if gate.relative and gate.metric in (*matrix.score_names, TOTAL, SHARE) and across:
            raise ConfigError(
                msg("error.report.compares_scores_two_judges"),
                field="--gate",
                found=gate.text,
                hint=msg("error.report.name_variant_baseline_s_own"),
            )


def _joined(
    first: ScoreMatrix, second: ScoreMatrix, name: str, shared: SharedQuestions | None
) -> ScoreMatrix:
    """`first` with the variants of `second`, over the questions in the order of `first`."""
    pairs = [(q, q) for q in first.question_ids] if shared is None else shared.pairs
    ids = [one for one, _ in pairs]
    kept, added = first.restrict_to(ids, ids), second.restrict_to([other for _, other in pairs], ids)
    return replace(
        kept,
        variants={**kept.variants, **{f"{variant}@{name}": v for variant, v in added.variants.items()}},
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
