"""Checks of a judge's scores: claims of answers against faithfulness, abstentions by rule against correctness.

The rubric marks the criteria that are compared, by their aspect. The built-in rubrics give a refusal of an
unanswerable question the highest correctness, and any answer to one the lowest: on these rows the judge has
decided whether the answer abstains. On an answerable question a refusal and a wrong answer have the same
score; there a refusal found by rule is only known to be none if it scores as right.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from simsa.i18n.messages import note_text
from simsa.metrics.abstention import AbstentionTable
from simsa.records import Criteria, Criterion
from simsa.report.score_matrix import (
    CLAIMS_SUPPORTED,
    CLAIMS_TOTAL,
    CLAIMS_UNFOUND,
    MISSING,
    SHARE,
    ScoreDifference,
)

if TYPE_CHECKING:
    from simsa.report.score_matrix import Floats, Part, ScoreMatrix
    from simsa.stats import Clusters, Distribution
    from simsa.store import Claimed, Result


class Disputed(NamedTuple):
    """An answer whose faithfulness score and supported claims contradict each other. `sample` counts from 0."""

    question_id: str
    faithfulness: int
    supported: int
    total: int
    sample: int = 0


@dataclass(frozen=True, slots=True)
class ClaimsInfo:
    """The claims of one variant's answers.

    `share` is the share of supported claims over the questions whose answers have claims, the mean over
    several answers to one question; None without any. The counts are over all answers: `listed` have a list
    of claims, of which `silent` have an empty one; `unlisted` counts those without a list by status. Of
    `total` claims `supported` are supported; for `not_found` of the others the judge named a passage that
    does not contain its quotation. `too_kind` answers have the highest faithfulness and an unsupported claim;
    `too_harsh` ones a low faithfulness though every claim is supported. `difference` is that of `share` to
    the baseline.
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
        """The JSON block of a variant; the figures of `share` are null when there are none."""
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


@dataclass(frozen=True, slots=True)
class JudgedAbstention:
    """Abstentions on unanswerable questions according to the judge's scores, and contradictions with the rule.

    `undecided` answers have a score in between, `unscored` ones none. `disputed` are the ids of questions on
    which rule and judge contradict each other. Where questions have several answers, `share` is the mean over
    questions of the share of abstentions among the decided answers.
    """

    unanswerable_abstained: int
    unanswerable_answered: int
    undecided: int
    unscored: int
    disputed: tuple[str, ...]
    share: float | None = None

    @property
    def recall(self) -> float | None:
        """Share of abstentions among the decided unanswerable questions."""
        if self.share is not None:
            return self.share
        decided = self.unanswerable_abstained + self.unanswerable_answered
        return self.unanswerable_abstained / decided if decided else None

    def to_dict(self) -> dict[str, Any]:
        counts = {name: getattr(self, name) for name in self.__slots__ if name != "share"}
        return counts | {"disputed": list(self.disputed), "recall": self.recall}


def claims_info(
    matrix: ScoreMatrix, variant: str, whole: Part, clusters: Clusters | None, baseline: str
) -> ClaimsInfo | None:
    """The claims of `variant`; None where no claims were asked for."""
    import numpy as np

    from simsa.stats import Scale, summarise

    totals, supported, unfound = (
        matrix.answers(variant, column) for column in (CLAIMS_TOTAL, CLAIMS_SUPPORTED, CLAIMS_UNFOUND)
    )
    listed, unlisted = int(np.isfinite(totals).sum()), matrix.variants[variant].unlisted
    if not listed and not unlisted:
        return None
    shares = {q: share for q, share in matrix.scores(variant, SHARE, whole).items() if share is not None}
    too_kind, too_harsh = _contradictions(matrix, variant)
    return ClaimsInfo(
        share=summarise(shares, clusters, scale=Scale(0, 1, 0.05), counts=False),
        listed=listed,
        silent=int((totals == 0).sum()),
        unlisted=dict(sorted(unlisted.items())),
        total=int(np.nansum(totals)),
        supported=int(np.nansum(supported)),
        not_found=int(np.nansum(unfound)),
        too_kind=too_kind,
        too_harsh=too_harsh,
        difference=None if variant == baseline else matrix.difference(SHARE, variant, baseline),
    )


def contradiction(score: Any, share: Any, faithfulness: Criterion) -> Floats:
    """Distance in points between a faithfulness score and the one that the share of supported claims suggests.

    Takes numbers or arrays. NaN where the two do not contradict each other or one of them is missing.
    """
    import numpy as np

    # At most 2 on a scale of 1–5 says that most of the answer is unsupported.
    harsh = faithfulness.low + faithfulness.span / 4
    contradict = ((score == faithfulness.high) & (share < 1)) | ((score <= harsh) & (share == 1))
    found: Floats = np.where(
        contradict, np.abs(score - (faithfulness.low + faithfulness.span * share)), MISSING
    )
    return found


def contradictions(matrix: ScoreMatrix, variant: str) -> Floats:
    """`contradiction` of every answer of `variant`: one row an answer, one column a question."""
    import numpy as np

    share = matrix.answers(variant, SHARE)
    faithfulness = matrix.criteria.of_aspect("faithfulness")
    if faithfulness is None:
        return np.full_like(share, MISSING)
    return contradiction(matrix.answers(variant, faithfulness.name), share, faithfulness)


def answer_contradiction(answer: Result, listed: Claimed | None, criteria: Criteria) -> float:
    """`contradiction` of one answer; -1 where there is none."""
    faithfulness, claims = criteria.of_aspect("faithfulness"), listed.claims if listed else None
    if faithfulness is None or faithfulness.name not in answer.scores or not claims:
        return -1.0
    share = sum(claim.supported for claim in claims) / len(claims)
    found = float(contradiction(answer.scores[faithfulness.name], share, faithfulness))
    return found if found == found else -1.0


def _contradictions(matrix: ScoreMatrix, variant: str) -> tuple[tuple[Disputed, ...], tuple[Disputed, ...]]:
    """Answers with a too high and with a too low faithfulness, in the order of the test set."""
    faithfulness = matrix.criteria.of_aspect("faithfulness")
    if faithfulness is None:
        return (), ()
    columns = [
        matrix.answers(variant, column) for column in (faithfulness.name, CLAIMS_SUPPORTED, CLAIMS_TOTAL)
    ]
    places, samples = (contradictions(matrix, variant) >= 0).T.nonzero()
    found = [
        Disputed._make((matrix.question_ids[place], *(int(column[n, place]) for column in columns), n))
        for place, n in zip(places.tolist(), samples.tolist(), strict=True)
    ]
    return (
        tuple(one for one in found if one.faithfulness == faithfulness.high),
        tuple(one for one in found if one.faithfulness != faithfulness.high),
    )


def abstention(matrix: ScoreMatrix, variant: str, part: Part) -> AbstentionTable | None:
    """The 2×2 table of abstentions by rule over all answers; None without answers."""
    import numpy as np

    abstained = matrix.answers(variant, "abstained")[:, part.places]
    answerable = np.array(matrix.answerable, dtype=bool)[part.places]
    if not np.isfinite(abstained).any():
        return None
    cells = [(answerable == can, did) for can in (True, False) for did in (False, True)]
    a, b, c, d = (int((rows & (abstained == did)).sum()) for rows, did in cells)
    if len(abstained) == 1:
        return AbstentionTable(a, b, c, d)
    shares = matrix.column(variant, "abstained")[part.places]
    p, q, r, s = (float(np.nansum((shares if did else 1 - shares)[rows])) for rows, did in cells)
    return AbstentionTable(a, b, c, d, (p, q, r, s))


def abstention_by_judge(matrix: ScoreMatrix, variant: str, part: Part) -> JudgedAbstention | None:
    """Abstentions by the scores of an LLM judge; None where it scored no answer that could tell."""
    import numpy as np

    criterion = matrix.criteria.of_aspect("correctness")
    if criterion is None:
        return None
    abstained = matrix.answers(variant, "abstained")[:, part.places]
    correctness = matrix.answers(variant, criterion.name)[:, part.places]
    answerable = np.array(matrix.answerable, dtype=bool)[part.places]
    known, scored = np.isfinite(abstained), np.isfinite(correctness)
    asked = known & ~answerable
    declined, answered = asked & (correctness == criterion.high), asked & (correctness == criterion.low)
    # From 4 on a scale of 1–5 an answer is scored as right.
    right = correctness >= criterion.high - criterion.span / 4
    disputed = (declined & (abstained == 0)) | (answered & (abstained == 1))
    disputed |= known & answerable & (abstained == 1) & right
    if not (scored & (asked | disputed)).any():
        return None
    share = None
    if len(abstained) > 1:
        n_declined, n_decided = declined.sum(axis=0), (declined | answered).sum(axis=0)
        decided = n_decided > 0
        share = float((n_declined[decided] / n_decided[decided]).mean()) if decided.any() else None
    doubtful = disputed.any(axis=0)
    return JudgedAbstention(
        unanswerable_abstained=int(declined.sum()),
        unanswerable_answered=int(answered.sum()),
        undecided=int((asked & scored & ~declined & ~answered).sum()),
        unscored=int((asked & ~scored).sum()),
        disputed=tuple(question for question, doubt in zip(part.ids, doubtful, strict=True) if doubt),
        share=share,
    )
