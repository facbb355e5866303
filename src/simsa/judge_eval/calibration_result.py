"""What a calibration found, and its JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from simsa.i18n.language import Language
from simsa.i18n.messages import label, note_text, words

if TYPE_CHECKING:
    from simsa.stats import Agreement, Corrected

SCHEMA = "simsa.calibration/1"
# The bar: "moderate" agreement begins at κ 0.4 (Landis and Koch 1977), and its interval
# must leave no doubt that there is some. People among themselves reach about 0.7.
BAR_KAPPA = 0.4
BAR_LOWER = 0.2

Standing = Literal["passed", "weak", "too few", "unknown"]


class CalibrationNote(NamedTuple):
    """Something a reader has to know: a key of the catalogue, and the values of its blanks.

    A tuple among them is a list of names, said in the reader's language.
    """

    key: str
    blanks: tuple[tuple[str, Any], ...] = ()

    def say(self, language: Language) -> str:
        say = words(language, "calibration")
        blanks = {
            name: ", ".join(label(one, language) for one in value) if isinstance(value, tuple) else value
            for name, value in self.blanks
        }
        return say(self.key, **blanks)


class RaterPair(NamedTuple):
    """Agreement of two annotators on the answers that both labelled."""

    a: str
    b: str
    agreement: Agreement


@dataclass(frozen=True, slots=True)
class People:
    """How far annotators agree among themselves: ordinal α over all of them, and each two."""

    n_items: int
    krippendorff_alpha: float | None
    pairs: tuple[RaterPair, ...]

    def to_dict(self) -> dict[str, Any]:
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
    """One criterion: the judge against people, on the whole and by variant, and corrected means.

    `levels` is the scale, lowest first, empty when the judge's scores are not on the labels'
    scale. `n_unscored` labels are of answers that the judge gave no score. `people` is None when
    no answer was labelled by two.
    """

    name: str
    agreement: Agreement
    variants: Mapping[str, Agreement]
    people: People | None
    corrected: Mapping[str, Corrected]
    differences: tuple[CorrectedDifference, ...]
    levels: tuple[int, ...] = ()
    n_unscored: int = 0
    remarks: tuple[CalibrationNote, ...] = ()

    @property
    def standing(self) -> Standing:
        """Where the judge stands to the bar.

        Under 30 labels it is only said to be below it when its whole interval is.
        """
        from simsa.stats.ppi import FEWEST_LABELS

        kappa, ci95 = self.agreement.quadratic_kappa, self.agreement.intervals.get("quadratic_kappa")
        if self.agreement.n_labels < FEWEST_LABELS:
            return "weak" if ci95 is not None and ci95[1] < BAR_KAPPA else "too few"
        if kappa is None:
            return "unknown"
        return "weak" if kappa < BAR_KAPPA or (ci95 is not None and ci95[0] < BAR_LOWER) else "passed"

    def to_dict(self, language: Language = "en") -> dict[str, Any]:
        notes = [remark.say(language) for remark in self.remarks]
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
    """Everything that labels say of a judge. `total` is None unless some answer has all four criteria."""

    criteria: Mapping[str, CriterionResult]
    total: CriterionResult | None
    baseline: str
    variants: tuple[str, ...]
    annotators: tuple[str, ...]
    n_answers: int
    judge: Mapping[str, Any] | None
    remarks: tuple[CalibrationNote, ...] = ()

    @property
    def weak(self) -> tuple[str, ...]:
        """The criteria in which the judge is below the bar."""
        return tuple(name for name, found in self.criteria.items() if found.standing == "weak")

    def to_dict(self, language: Language = "en") -> dict[str, Any]:
        """The JSON document, schema `simsa.calibration/1`. What cannot be computed is None; `notes` say why."""
        return {
            "schema": SCHEMA,
            "criteria": {name: found.to_dict(language) for name, found in self.criteria.items()},
            "total": None if self.total is None else self.total.to_dict(language),
            "baseline": self.baseline,
            "annotators": list(self.annotators),
            "n_answers": self.n_answers,
            "judge": None if self.judge is None else dict(self.judge),
            "bar": {"quadratic_kappa": BAR_KAPPA, "lower_bound": BAR_LOWER, "below": list(self.weak)},
            "notes": [remark.say(language) for remark in self.remarks],
        }

    def to_meta(self) -> dict[str, Any]:
        """What the run keeps, so that its reports can say how far the judge is to be trusted."""
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
