"""The claims of answers: which share of them the passages bear out, beside the judge's score of faithfulness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from simsa.report.differences import Difference, difference
from simsa.report.table import CLAIMS_SUPPORTED, CLAIMS_TOTAL, CLAIMS_UNFOUND, MISSING, SHARE

if TYPE_CHECKING:
    from simsa.report.table import Floats, Part, Table
    from simsa.stats import Clusters, Distribution

_FAITHFULNESS = "context_faithfulness"
# Scores that say of an answer that all, or most, of it is in no passage.
_KIND, _HARSH = 5, 2


class Disputed(NamedTuple):
    """An answer on which the score of faithfulness and the claims that are borne out contradict each other."""

    question_id: str
    faithfulness: int
    supported: int
    total: int


@dataclass(frozen=True, slots=True)
class ClaimsInfo:
    """One variant's. `share` is over the answers that claim something; None where none does.

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
    difference: Difference | None = None

    def to_dict(self) -> dict[str, Any]:
        """The JSON block of a variant; the figures of `share` are null where there are none."""
        share = self.share.to_dict() if self.share else dict.fromkeys(("n", "mean", "sd", "median", "ci95"))
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


def of_variant(
    table: Table, name: str, whole: Part, clusters: Clusters | None, baseline: str
) -> ClaimsInfo | None:
    """None where no claims were asked for."""
    from simsa.stats.summary import Scale, summarise

    totals, unlisted = table.present(name, CLAIMS_TOTAL), table.variants[name].unlisted
    if not len(totals) and not unlisted:
        return None
    shares = {q: share for q, share in table.scores(name, SHARE, whole).items() if share is not None}
    kind, harsh = _disputes(table, name)
    return ClaimsInfo(
        share=summarise(shares, clusters, scale=Scale(0, 1, 0.05), counts=False),
        listed=len(totals),
        silent=int((totals == 0).sum()),
        unlisted=dict(sorted(unlisted.items())),
        total=int(totals.sum()),
        supported=int(table.present(name, CLAIMS_SUPPORTED).sum()),
        not_found=int(table.present(name, CLAIMS_UNFOUND).sum()),
        too_kind=tuple(kind),
        too_harsh=tuple(harsh),
        difference=None if name == baseline else difference(table, SHARE, name, baseline),
    )


def contradiction(table: Table, variant: str) -> Floats:
    """By how many points the score of faithfulness lies off what the claims would make it, question by question.

    NaN where the two do not contradict each other, or one of them is not there.
    """
    import numpy as np

    score, share = table.first(variant, _FAITHFULNESS), table.first(variant, SHARE)
    contradict = ((score == _KIND) & (share < 1)) | ((score <= _HARSH) & (share == 1))
    found: Floats = np.where(contradict, np.abs(score - (1 + 4 * share)), MISSING)
    return found


def _disputes(table: Table, name: str) -> tuple[list[Disputed], list[Disputed]]:
    """Answers that were judged too kindly and too harshly, in the order of the test set."""
    columns = [table.first(name, column) for column in (_FAITHFULNESS, CLAIMS_SUPPORTED, CLAIMS_TOTAL)]
    disputed = contradiction(table, name) >= 0
    found = [
        Disputed(table.question_ids[place], *(int(column[place]) for column in columns))
        for place in disputed.nonzero()[0].tolist()
    ]
    return [d for d in found if d.faithfulness == _KIND], [d for d in found if d.faithfulness != _KIND]
