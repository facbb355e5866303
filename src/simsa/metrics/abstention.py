"""Did the model decline to answer? By rule, in Korean and English; and the 2×2 of answerable × abstained.

An abstention begins by declining (see `simsa.metrics.refusals`), or ends in it as a
conclusion. An answer with a hedge behind it is none ("서울입니다. 자세한 내용은 문서에
없습니다."), nor is silence: an empty prediction is empty, and counts as no abstention.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from simsa.metrics.citations import strip_citations
from simsa.metrics.refusals import declines
from simsa.records import Question


def is_abstention(text: str, refusals: Iterable[str] = ()) -> bool:
    """Whether `text` declines to answer.

    `refusals` are sentences that the data itself uses to decline (the references of
    its unanswerable questions); `text` declines when it is one of them, or begins with one.
    """
    text = _flat(strip_citations(unicodedata.normalize("NFC", text)))
    if not text:
        return False
    if _repeats(text, refusals):
        return True
    sentences = [part for part in _SENTENCE.split(_LABEL.sub("", text)) if not _FILLER.fullmatch(part)]
    if not sentences:
        return False
    if declines(sentences[0]):
        return not any(_OWN_KNOWLEDGE.search(part) for part in sentences[1:])
    return len(sentences) > 1 and bool(_CONCLUSION.match(sentences[-1])) and declines(sentences[-1])


def refusals_of(questions: Iterable[Question]) -> tuple[str, ...]:
    """The sentences a data set itself uses to decline: references of its unanswerable questions."""
    found = (text for question in questions if not question.answerable for text in question.reference)
    return tuple(dict.fromkeys(text for text in found if text.strip()))


@dataclass(frozen=True, slots=True)
class AbstentionTable:
    """Counts of answerable × abstained. Declining an unanswerable question is right, answering it a hallucination.

    Where questions have several answers the counts are of answers, and `shares` has the same
    four in questions: of each the share of its answers, so that every question counts once. Rates go by these.
    """

    answerable_answered: int = 0
    answerable_abstained: int = 0
    unanswerable_answered: int = 0
    unanswerable_abstained: int = 0
    shares: tuple[float, float, float, float] | None = None

    @classmethod
    def of(cls, rows: Iterable[tuple[bool, bool]]) -> AbstentionTable:
        """Counts rows of (answerable, abstained)."""
        counts = {(a, b): 0 for a in (True, False) for b in (False, True)}
        for answerable, abstained in rows:
            counts[bool(answerable), bool(abstained)] += 1
        answered, declined, invented, right = counts.values()
        return cls(answered, declined, invented, right)

    @property
    def precision(self) -> float | None:
        """Of the abstentions, how many were right; None when there was no abstention."""
        _, declined, _, right = self._cells
        return _ratio(right, right + declined)

    @property
    def recall(self) -> float | None:
        """Of the unanswerable questions, how many were declined; None when there were none."""
        _, _, invented, right = self._cells
        return _ratio(right, right + invented)

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall, as 2TP/(2TP+FP+FN); None when nothing was or had to be declined."""
        _, declined, invented, right = self._cells
        return _ratio(2 * right, 2 * right + declined + invented)

    @property
    def over_refusal_rate(self) -> float | None:
        """Of the answerable questions, how many were declined; None when there were none."""
        answered, declined, _, _ = self._cells
        return _ratio(declined, declined + answered)

    @property
    def _cells(self) -> tuple[float, float, float, float]:
        return self.shares or (
            self.answerable_answered,
            self.answerable_abstained,
            self.unanswerable_answered,
            self.unanswerable_abstained,
        )

    def to_dict(self) -> dict[str, Any]:
        """Counts and rates; where questions have several answers also the four in `questions`."""
        found = {name: getattr(self, name) for name in (*_CELLS, *_RATES)}
        return found | ({"questions": dict(zip(_CELLS, self.shares, strict=True))} if self.shares else {})


_CELLS = ("answerable_answered", "answerable_abstained", "unanswerable_answered", "unanswerable_abstained")
_RATES = ("precision", "recall", "f1", "over_refusal_rate")


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


_SENTENCE = re.compile(r"(?<=[.!?。])\s+|\s*\n\s*")
_LABEL = re.compile(r"^\s*(?:[*#>\-–•]+\s*)*(?:(?:정답|답변?|answer|a)\s*[:：]\s*)?", re.I)
_FILLER = re.compile(
    r"\W*|(?:정말|대단히)?\s*(?:죄송|미안|안녕하|감사)[가-힣]*[,.!\s]*|안타깝게도[,.\s]*"
    r"|(?:(?:i'?m |i am )?(?:very )?sorry|i apologi[sz]e|apologies|unfortunately|hello|hi)[,.!\s]*",
    re.I,
)
_CONCLUSION = re.compile(r"따라서|그러므로|그래서|결론적으로|결국|therefore|thus|hence|so,? ", re.I)
_OWN_KNOWLEDGE = re.compile(
    r"^(?:하지만|그러나|다만|그렇지만|however|but|still)\b.*"
    r"(?:일반적으로|보통|상식|제 지식|제가 알|알려져 있|general(?:ly)?\b|my knowledge|commonly|widely)",
    re.I,
)
# A shorter refusal of the data ("없음") may begin many an answer.
_LONG_ENOUGH = 8


def _flat(text: str) -> str:
    lines = (" ".join(line.split()) for line in text.replace("’", "'").splitlines())
    return "\n".join(line for line in lines if line)


def _repeats(text: str, refusals: Iterable[str]) -> bool:
    whole, beginnings = _bare_forms(tuple(refusals))
    said = _bare(text)
    return said in whole or said.startswith(beginnings)


@lru_cache(maxsize=64)  # a data set's refusals may be hundreds, and every answer is held against all
def _bare_forms(refusals: tuple[str, ...]) -> tuple[frozenset[str], tuple[str, ...]]:
    """Bare refusals, and those that are long enough to recognise an answer by its beginning."""
    bare = (_bare(strip_citations(unicodedata.normalize("NFC", refusal))) for refusal in refusals)
    whole = frozenset(one for one in bare if one)
    return whole, tuple(one for one in whole if len(one) >= _LONG_ENOUGH)


def _bare(text: str) -> str:
    return "".join(c for c in text.lower() if c.isalnum())
