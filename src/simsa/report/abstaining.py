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
from simsa.records import MAX_SCORE

if TYPE_CHECKING:
    from simsa.report.table import Part, Table

_CORRECTNESS = "answer_correctness"
_RIGHT = MAX_SCORE - 1  # the rule's refusals with this much correctness were none


@dataclass(frozen=True, slots=True)
class JudgedAbstention:
    """The judge's view of who declined the unanswerable questions, and where the rule disagrees.

    `undecided` rows have a score in between, `unscored` ones none. `disputed` are the ids of
    questions on which rule and judge contradict each other: declined by one and answered by
    the other where there is no answer, or declined by the rule and right where there is one.
    """

    unanswerable_abstained: int
    unanswerable_answered: int
    undecided: int
    unscored: int
    disputed: tuple[str, ...]

    @property
    def recall(self) -> float | None:
        """Of the unanswerable questions that it decided, how many were declined."""
        decided = self.unanswerable_abstained + self.unanswerable_answered
        return self.unanswerable_abstained / decided if decided else None

    def to_dict(self) -> dict[str, Any]:
        counts = {name: getattr(self, name) for name in self.__slots__}
        return counts | {"disputed": list(self.disputed), "recall": self.recall}


def abstention(table: Table, variant: str, part: Part) -> AbstentionTable | None:
    """The 2×2 by rule over answers; None when there are none."""
    import numpy as np

    abstained = table.column(variant, "abstained")[part.places]
    answerable = np.array(table.answerable, dtype=bool)[part.places]
    known = np.isfinite(abstained)
    if not known.any():
        return None
    counts = {
        (can, did): int((known & (answerable == can) & (abstained == did)).sum())
        for can in (True, False)
        for did in (False, True)
    }
    return AbstentionTable(*counts.values())


def by_judge(table: Table, variant: str, part: Part) -> JudgedAbstention | None:
    """What the scores of an LLM judge say of abstentions; None where it scored no answer that could tell."""
    import numpy as np

    abstained = table.column(variant, "abstained")[part.places]
    correctness = table.first(variant, _CORRECTNESS)[part.places]
    answerable = np.array(table.answerable, dtype=bool)[part.places]
    known = np.isfinite(abstained)
    asked, scored = known & ~answerable, np.isfinite(correctness)
    declined, answered = asked & (correctness == MAX_SCORE), asked & (correctness == 1)
    disputed = (declined & (abstained == 0)) | (answered & (abstained == 1))
    disputed |= known & answerable & (abstained == 1) & (correctness >= _RIGHT)
    if not (scored & (asked | disputed)).any():
        return None
    return JudgedAbstention(
        unanswerable_abstained=int(declined.sum()),
        unanswerable_answered=int(answered.sum()),
        undecided=int((asked & scored & ~declined & ~answered).sum()),
        unscored=int((asked & ~scored).sum()),
        disputed=tuple(question for question, doubt in zip(part.ids, disputed, strict=True) if doubt),
    )
