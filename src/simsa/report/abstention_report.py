"""Whether an LLM judge saw an abstention where the rule did, read from the scores it gave anyway.

The rubric gives a refusal of an unanswerable question a correctness of 5, and any answer to
one 1: on those rows the judge has decided, without a call of its own. On an answerable
question a refusal and a wrong answer both score 1, so that the judge's scores cannot tell
them apart; there only the reverse shows: what the rule took for a refusal cannot be a right
answer. A judge's 2 to 4 on an unanswerable question decides nothing and is counted apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simsa.metrics.abstention import AbstentionTable

if TYPE_CHECKING:
    from simsa.report.score_matrix import Part, ScoreMatrix


@dataclass(frozen=True, slots=True)
class JudgedAbstention:
    """The judge's view of who declined the unanswerable questions, and where the rule disagrees.

    `undecided` answers have a score in between, `unscored` ones none. `disputed` are the ids of
    questions on which rule and judge contradict each other: declined by one and answered by
    the other where there is no answer, or declined by the rule and right where there is one.
    Where questions have several answers `share` is the mean over questions of the share that was
    declined, of the answers that it decided.
    """

    unanswerable_abstained: int
    unanswerable_answered: int
    undecided: int
    unscored: int
    disputed: tuple[str, ...]
    share: float | None = None

    @property
    def recall(self) -> float | None:
        """Of the unanswerable questions that it decided, how many were declined."""
        if self.share is not None:
            return self.share
        decided = self.unanswerable_abstained + self.unanswerable_answered
        return self.unanswerable_abstained / decided if decided else None

    def to_dict(self) -> dict[str, Any]:
        counts = {name: getattr(self, name) for name in self.__slots__ if name != "share"}
        return counts | {"disputed": list(self.disputed), "recall": self.recall}


def abstention(table: ScoreMatrix, variant: str, part: Part) -> AbstentionTable | None:
    """The 2×2 by rule over all answers; None when there are none."""
    import numpy as np

    abstained = table.answers(variant, "abstained")[:, part.places]
    answerable = np.array(table.answerable, dtype=bool)[part.places]
    if not np.isfinite(abstained).any():
        return None
    cells = [(answerable == can, did) for can in (True, False) for did in (False, True)]
    a, b, c, d = (int((of & (abstained == did)).sum()) for of, did in cells)
    if len(abstained) == 1:
        return AbstentionTable(a, b, c, d)
    declined = table.column(variant, "abstained")[part.places]
    p, q, r, s = (float(np.nansum((declined if did else 1 - declined)[of])) for of, did in cells)
    return AbstentionTable(a, b, c, d, (p, q, r, s))


def by_judge(table: ScoreMatrix, variant: str, part: Part) -> JudgedAbstention | None:
    """What the scores of an LLM judge say of abstentions; None where it scored no answer that could tell."""
    import numpy as np

    abstained = table.answers(variant, "abstained")[:, part.places]
    criterion = table.criteria.of_aspect("correctness")
    if criterion is None:
        return None
    correctness = table.answers(variant, criterion.name)[:, part.places]
    answerable = np.array(table.answerable, dtype=bool)[part.places]
    known = np.isfinite(abstained)
    asked, scored = known & ~answerable, np.isfinite(correctness)
    declined, answered = asked & (correctness == criterion.high), asked & (correctness == criterion.low)
    disputed = (declined & (abstained == 0)) | (answered & (abstained == 1))
    # A refusal that is scored as right, with 4 or more on a scale of 1–5, was none.
    right = correctness >= criterion.high - criterion.span / 4
    disputed |= known & answerable & (abstained == 1) & right
    if not (scored & (asked | disputed)).any():
        return None
    doubtful = disputed.any(axis=0)
    return JudgedAbstention(
        unanswerable_abstained=int(declined.sum()),
        unanswerable_answered=int(answered.sum()),
        undecided=int((asked & scored & ~declined & ~answered).sum()),
        unscored=int((asked & ~scored).sum()),
        disputed=tuple(question for question, doubt in zip(part.ids, doubtful, strict=True) if doubt),
        share=None if len(abstained) == 1 else _share(declined, answered),
    )


def _share(declined: Any, answered: Any) -> float | None:
    """The mean over questions of the share of `declined` in what was decided; a row an answer, a column a question."""
    n_declined, n_decided = declined.sum(axis=0), (declined | answered).sum(axis=0)
    asked = n_decided > 0
    return float((n_declined[asked] / n_decided[asked]).mean()) if asked.any() else None
