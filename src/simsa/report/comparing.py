"""Variants compared within a run or across two, with gates: what `simsa compare` prints."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from simsa.errors import ConfigError, RunError
from simsa.report import gates
from simsa.report.gates import Gate, Outcome
from simsa.report.summarise import compared
from simsa.report.table import Table, Variant, load
from simsa.report.words import LANGUAGES, Language
from simsa.store import Store

if TYPE_CHECKING:
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

_REMEDY = {
    "run": "compare runs over the same questions: same file, same --limit",
    "judge": "scores of different judges or rubrics do not mix; judge one of them again as the other was "
    "(edit its [judge] and run `simsa judge`), which leaves the answers as they are",
}


class Difference(NamedTuple):
    """Mean paired difference of a deterministic metric, with its 95 % interval where two pairs or more make one."""

    baseline: str
    variant: str
    metric: str
    n_pairs: int
    mean_diff: float
    ci95: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Comparing:
    """Every variant against the baseline, and what became of the gates."""

    runs: tuple[str, ...]
    judge: Mapping[str, Any] | None
    language: Language
    baseline: str
    variants: tuple[str, ...]
    comparisons: tuple[Comparison, ...]
    metrics: tuple[Difference, ...]
    outcomes: tuple[Outcome, ...]

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
            "comparisons": [comparison.to_dict() for comparison in self.comparisons],
            "metrics": [difference._asdict() for difference in self.metrics],
            "gates": [outcome.to_dict() for outcome in self.outcomes],
            "passed": self.passed,
        }


def comparing(
    stores: Sequence[Store], baseline: str | None, wanted: Sequence[Gate], language: Language | None = None
) -> Comparing:
    """Compares the variants of one run or of two over the same questions with the same judge.

    Variants of the second are named `name@folder`. `baseline` is the first run's own by
    default. Raises RunError when two runs cannot be compared, ConfigError for an unknown
    baseline or a gate that speaks of nothing.
    """
    first = stores[0]
    table = load(first)
    for other in stores[1:]:
        _require_same(first, other)
        table = _joined(table, load(other), other.folder.resolve().name)
    baseline = baseline or first.meta("baseline") or next(iter(table.variants), "")
    if baseline not in table.variants:
        known = ", ".join(table.variants)
        raise ConfigError("no such variant", field="--baseline", found=baseline, hint=f"there are {known}")
    return Comparing(
        runs=tuple((store.meta("run") or {}).get("id", "") for store in stores),
        judge=first.meta("judge"),
        language=language or first.meta("language") or LANGUAGES[0],
        baseline=baseline,
        variants=tuple(table.variants),
        comparisons=tuple(compared(table, baseline)),
        metrics=tuple(_differences(table, baseline)),
        outcomes=tuple(gates.evaluate(wanted, table, baseline)),
    )


def _differences(table: Table, baseline: str) -> Iterator[Difference]:
    import numpy as np

    from simsa.stats import estimate

    for variant in table.variants:
        if variant == baseline:
            continue
        for metric in table.metrics:
            differences = table.column(variant, metric) - table.column(baseline, metric)
            places = np.flatnonzero(np.isfinite(differences))
            found = estimate(differences[places].tolist(), table.clusters_at(places.tolist()))
            if found.mean is not None:
                yield Difference(baseline, variant, metric, found.n, found.mean, found.ci95)


def _require_same(first: Store, second: Store) -> None:
    for section, key, what in _SAME:
        one, other = ((store.meta(section) or {}).get(key) for store in (first, second))
        if one != other:
            shown = "" if key == "key" else f": {_shown(one)} and {_shown(other)}"
            raise RunError(
                f"cannot be compared with {first.folder}: their {what} differ{shown}",
                where=str(second.folder),
                hint=_REMEDY[section],
            )


def _shown(value: object) -> str:
    return "none" if value is None else str(value)


def _joined(first: Table, second: Table, name: str) -> Table:
    """`first` with the variants of `second`, over the questions in the order of `first`."""
    places = {question_id: place for place, question_id in enumerate(second.question_ids)}
    order = [places[question_id] for question_id in first.question_ids]
    moved = {f"{variant}@{name}": _reordered(found, order) for variant, found in second.variants.items()}
    return Table(
        first.question_ids, first.types, first.answerable, first.clusters, {**first.variants, **moved}
    )


def _reordered(variant: Variant, order: Sequence[int]) -> Variant:
    columns = {
        name: array("d", [values[place] for place in order]) for name, values in variant.columns.items()
    }
    return replace(variant, columns=columns)
