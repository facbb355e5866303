"""The result of a calibration, and its JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from simsa.i18n.language import Language
from simsa.i18n.messages import label, note_text, words

if TYPE_CHECKING:
    from simsa.stats import Agreement, Corrected

SCHEMA = "simsa.calibration/1"
# "Moderate" agreement begins at κ 0.4 (Landis and Koch 1977); the lower bound excludes agreement near chance.
# People among themselves reach about 0.7.
BAR_KAPPA = 0.4
BAR_LOWER = 0.2

Standing = Literal["passed", "weak", "too few", "unknown"]


class CalibrationNote(NamedTuple):
    """A note for the reader: a code of the catalogue's table `calibration`, and values for its blanks.

    A tuple among the values lists criteria, which are named in the reader's language.
    """

    code: str
    values: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def of(cls, code: str, **values: Any) -> CalibrationNote:
        return cls(code, tuple(values.items()))

    def text(self, language: Language) -> str:
        """The sentence in `language`."""
        values = {
            name: ", ".join(label(one, language) for one in value) if isinstance(value, tuple) else value
            for name, value in self.values
        }
        return words(language, "calibration")(self.code, **values)


class RaterPair(NamedTuple):
    """Agreement of two annotators on the answers that both labelled."""

    a: str
    b: str
    agreement: Agreement


@dataclass(frozen=True, slots=True)
class People:
    """Agreement among annotators: ordinal α over all of them, and each pair."""

    n_items: int
    krippendorff_alpha: float | None
    pairs: tuple[RaterPair, ...]

    def to_dict(self) -> dict[str, Any]:
        """The `annotators` of a criterion in the JSON."""
        return {
            "n_items": self.n_items,
            "krippendorff_alpha": self.krippendorff_alpha,
            "pairs": [{"a": p.a, "b": p.b, **p.agreement.to_dict(note_text)} for p in self.pairs],
        }


class CorrectedDifference(NamedTuple):
    """A corrected mean difference, variant − baseline."""

    baseline: str
    variant: str
    corrected: Corrected


@dataclass(frozen=True, slots=True)
class CriterionResult:
    """One criterion: agreement of the judge with people, overall and by variant, and corrected means.

    `levels` is the scale, lowest first; empty when the judge's scores are not whole or not on the labels' scale.
    `n_unscored` labels belong to answers without a judge's score. `people` is None when no answer was labelled
    by two people.
    """

    name: str
    agreement: Agreement
    variants: Mapping[str, Agreement]
    people: People | None
    corrected: Mapping[str, Corrected]
    differences: tuple[CorrectedDifference, ...]
    levels: tuple[int, ...] = ()
    n_unscored: int = 0
    notes: tuple[CalibrationNote, ...] = ()

    @property
    def standing(self) -> Standing:
        """Whether the judge reaches the bar. Under 30 labels it is "weak" only if its whole interval is below."""
        from simsa.stats.ppi import FEWEST_LABELS

        kappa, ci95 = self.agreement.quadratic_kappa, self.agreement.intervals.get("quadratic_kappa")
        if self.agreement.n_labels < FEWEST_LABELS:
            return "weak" if ci95 is not None and ci95[1] < BAR_KAPPA else "too few"
        if kappa is None:
            return "unknown"
        return "weak" if kappa < BAR_KAPPA or (ci95 is not None and ci95[0] < BAR_LOWER) else "passed"

    def to_dict(self, language: Language = "en") -> dict[str, Any]:
        """A criterion's block in the JSON."""
        notes = [note.text(language) for note in self.notes]
        return (
            self.agreement.to_dict(note_text)
            | {"corrected": {name: found.to_dict(note_text) for name, found in self.corrected.items()}}
            | {
                "per_variant": {name: found.to_dict(note_text) for name, found in self.variants.items()},
                "annotators": None if self.people is None else self.people.to_dict(),
                "corrected_differences": [
                    {"baseline": d.baseline, "variant": d.variant, **_difference(d.corrected)}
                    for d in self.differences
                ],
                "levels": list(self.levels),
                "n_unscored": self.n_unscored,
                "standing": self.standing,
                "notes": [*(note_text(note, language) for note in self.agreement.notes), *notes],
            }
        )


@dataclass(frozen=True, slots=True)
class Calibration:
    """The result for all criteria. `total` is None unless some answer has all the criteria that enter it."""

    criteria: Mapping[str, CriterionResult]
    total: CriterionResult | None
    baseline: str
    variants: tuple[str, ...]
    annotators: tuple[str, ...]
    n_answers: int
    judge: Mapping[str, Any] | None
    notes: tuple[CalibrationNote, ...] = ()

    @property
    def weak(self) -> tuple[str, ...]:
        """The criteria in which the judge is below the bar."""
        return tuple(name for name, found in self.criteria.items() if found.standing == "weak")

    def to_dict(self, language: Language = "en") -> dict[str, Any]:
        """The JSON document, schema `simsa.calibration/1`. A missing figure is None; `notes` give the reasons."""
        return {
            "schema": SCHEMA,
            "criteria": {name: found.to_dict(language) for name, found in self.criteria.items()},
            "total": None if self.total is None else self.total.to_dict(language),
            "baseline": self.baseline,
            "annotators": list(self.annotators),
            "n_answers": self.n_answers,
            "judge": None if self.judge is None else dict(self.judge),
            "bar": {"quadratic_kappa": BAR_KAPPA, "lower_bound": BAR_LOWER, "below": list(self.weak)},
            "notes": [note.text(language) for note in self.notes],
        }

    def to_meta(self) -> dict[str, Any]:
        """The part that a run keeps for its reports."""
        return {
            "judge": None if self.judge is None else dict(self.judge),
            "annotators": len(self.annotators),
            "criteria": {
                name: {
                    "n_labels": found.agreement.n_labels,
                    "quadratic_kappa": found.agreement.quadratic_kappa,
                    "ci95": list(found.agreement.intervals.get("quadratic_kappa", ())) or None,
                    "standing": found.standing,
                }
                for name, found in self.criteria.items()
            },
        }


def _difference(found: Corrected) -> dict[str, Any]:
    shown = found.to_dict(note_text)
    return {"mean_diff": shown.pop("mean"), "naive_diff": shown.pop("naive"), **shown}
