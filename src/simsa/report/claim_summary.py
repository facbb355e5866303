"""The claims of answers: which share of them the passages bear out, beside the judge's score of faithfulness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from simsa.i18n.messages import note_text
from simsa.records import Criteria, Criterion
from simsa.report.score_matrix import CLAIMS_SUPPORTED, CLAIMS_TOTAL, CLAIMS_UNFOUND, MISSING, SHARE
from simsa.report.shared_questions import ScoreDifference, difference

if TYPE_CHECKING:
    from simsa.report.score_matrix import Floats, Part, ScoreMatrix
    from simsa.stats import Clusters, Distribution
    from simsa.store import Claimed, Result


class Disputed(NamedTuple):
    """An answer on which the score of faithfulness and the claims that are borne out contradict each other."""

    question_id: str
    faithfulness: int
    supported: int
    total: int
    sample: int = 0
    """Which of the question's answers it is, from 0."""


@dataclass(frozen=True, slots=True)
class ClaimsInfo:
    """One variant's. `share` is over the questions whose answers claim something; None where none does. Of
    several answers to a question it takes the mean share; the counts are over all answers.

    `listed` answers have a list, of which `silent` ones claim nothing; `unlisted` counts those
    without by status. Of `total` claims `supported` are borne out; for `not_found` of the others
    the judge named a passage in which its quotation does not stand. `too_kind` got full marks
    for faithfulness with a claim that is not borne out; `too_harsh` at most 2 of 5 though
    every claim is. `difference` is that of `share` to the baseline, over pairs.
    """

    share: Distribution | None
    listed: int
    silent: int
    unlisted: Mapping[str, int]
    total: int
    supported: int
    not_found: int
    too_kind: tuple[Disputed, ...] = ()
    too_harsh: tuple[Disputed, ...] = ()
    difference: ScoreDifference | None = None

    def to_dict(self) -> dict[str, Any]:
        """The JSON block of a variant; the figures of `share` are null where there are none."""
        share = (
            self.share.to_dict(note_text)
            if self.share
            else dict.fromkeys(("n", "mean", "sd", "median", "ci95"))
        )
        return share | {
            "n": self.share.n if self.share else 0,
            "listed": self.listed,
            "silent": self.silent,
            "unlisted": dict(self.unlisted),
            "claims": self.total,
            "supported": self.supported,
            "not_found": self.not_found,
            "too_kind": [found._asdict() for found in self.too_kind],
            "too_harsh": [found._asdict() for found in self.too_harsh],
            "difference": self.difference and self.difference._asdict(),
        }


def claims_of_variant(
    table: ScoreMatrix, name: str, whole: Part, clusters: Clusters | None, baseline: str
) -> ClaimsInfo | None:
    """None where no claims were asked for."""
    import numpy as np

    from simsa.stats import Scale, summarise

    totals, supported, unfound = (
        table.answers(name, column) for column in (CLAIMS_TOTAL, CLAIMS_SUPPORTED, CLAIMS_UNFOUND)
    )
    listed, unlisted = int(np.isfinite(totals).sum()), table.variants[name].unlisted
    if not listed and not unlisted:
        return None
    shares = {q: share for q, share in table.scores(name, SHARE, whole).items() if share is not None}
    kind, harsh = _disputes(table, name)
    return ClaimsInfo(
        share=summarise(shares, clusters, scale=Scale(0, 1, 0.05), counts=False),
        listed=listed,
        silent=int((totals == 0).sum()),
        unlisted=dict(sorted(unlisted.items())),
        total=int(np.nansum(totals)),
        supported=int(np.nansum(supported)),
        not_found=int(np.nansum(unfound)),
        too_kind=tuple(kind),
        too_harsh=tuple(harsh),
        difference=None if name == baseline else difference(table, SHARE, name, baseline),
    )


def contradiction(table: ScoreMatrix, variant: str) -> Floats:
    """By how many points the score of faithfulness lies off what the claims would make it: a row for each of
    several answers, a column a question.

    NaN where the two do not contradict each other, or one of them is not there.
    """
    import numpy as np

    faithfulness, share = table.criteria.of_aspect("faithfulness"), table.answers(variant, SHARE)
    if faithfulness is None:
        return np.full_like(share, MISSING)
    score = table.answers(variant, faithfulness.name)
    contradict = ((score == faithfulness.high) & (share < 1)) | (
        (score <= _harsh(faithfulness)) & (share == 1)
    )
    deviation = np.abs(score - (faithfulness.low + faithfulness.span * share))
    found: Floats = np.where(contradict, deviation, MISSING)
    return found


def answer_contradiction(answer: Result, listed: Claimed | None, criteria: Criteria) -> float:
    """The same of one answer; -1 where score and claims do not contradict each other, or one is not there."""
    faithfulness, claims = criteria.of_aspect("faithfulness"), listed.claims if listed else None
    score = answer.scores.get(faithfulness.name) if faithfulness else None
    if faithfulness is None or score is None or not claims:
        return -1.0
    share = sum(claim.supported for claim in claims) / len(claims)
    contradict = share < 1 if score == faithfulness.high else score <= _harsh(faithfulness) and share == 1
    return abs(score - (faithfulness.low + faithfulness.span * share)) if contradict else -1.0


def _harsh(faithfulness: Criterion) -> float:
    """The highest score that calls most of an answer unsupported: 2 on a scale of 1–5."""
    return faithfulness.low + faithfulness.span / 4


def _disputes(table: ScoreMatrix, name: str) -> tuple[list[Disputed], list[Disputed]]:
    """Answers that were judged too kindly and too harshly, in the order of the test set."""
    faithfulness = table.criteria.of_aspect("faithfulness")
    if faithfulness is None:
        return [], []
    columns = [table.answers(name, column) for column in (faithfulness.name, CLAIMS_SUPPORTED, CLAIMS_TOTAL)]
    places, samples = (contradiction(table, name) >= 0).T.nonzero()
    found = [
        Disputed._make((table.question_ids[place], *(int(column[n, place]) for column in columns), n))
        for place, n in zip(places.tolist(), samples.tolist(), strict=True)
    ]
    return [d for d in found if d.faithfulness == faithfulness.high], [
        d for d in found if d.faithfulness != faithfulness.high
    ]
