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
    """Counts of answerable × abstained. Declining an unanswerable question is right, answering it a hallucination."""

    answerable_answered: int = 0
    answerable_abstained: int = 0
    unanswerable_answered: int = 0
    unanswerable_abstained: int = 0

    @classmethod
    def of(cls, rows: Iterable[tuple[bool, bool]]) -> AbstentionTable:
        """Counts rows of (answerable, abstained)."""
        counts = {(a, b): 0 for a in (True, False) for b in (False, True)}
        for answerable, abstained in rows:
            counts[bool(answerable), bool(abstained)] += 1
        return cls(*counts.values())

    @property
    def precision(self) -> float | None:
        """Of the abstentions, how many were right; None when there was no abstention."""
        return _ratio(self.unanswerable_abstained, self.unanswerable_abstained + self.answerable_abstained)

    @property
    def recall(self) -> float | None:
        """Of the unanswerable questions, how many were declined; None when there were none."""
        return _ratio(self.unanswerable_abstained, self.unanswerable_abstained + self.unanswerable_answered)

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall, as 2TP/(2TP+FP+FN); None when nothing was or had to be declined."""
        errors = self.answerable_abstained + self.unanswerable_answered
        return _ratio(2 * self.unanswerable_abstained, 2 * self.unanswerable_abstained + errors)

    @property
    def over_refusal_rate(self) -> float | None:
        """Of the answerable questions, how many were declined; None when there were none."""
        return _ratio(self.answerable_abstained, self.answerable_abstained + self.answerable_answered)

    def to_dict(self) -> dict[str, Any]:
        counts = {name: getattr(self, name) for name in self.__slots__}
        rates = ("precision", "recall", "f1", "over_refusal_rate")
        return counts | {name: getattr(self, name) for name in rates}


def _ratio(part: int, whole: int) -> float | None:
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
