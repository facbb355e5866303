"""The lexical baseline: word overlap, as scores for four criteria. Any real judge must be better.

It counts which content morphemes (Kiwi's; digits as numbers) of one text occur in another, and cuts the share
into five levels. It does not see paraphrase, word order or logic. It is free, offline and deterministic, and on
short factual answers it is right often enough to try a pipeline with it.

With Q, C, P, R the words of question, context, prediction and reference:

    answer_correctness    share of R∖Q in P, times 0.7 + 0.3 · share of P in R∪Q; best reference.
                          At most 2 with a number that the reference lacks in place of one that
                          it has, or when one of the two is negated and the other is not.
    context_relevance     share of Q in the best passage, times 0.1 + 0.9 · share of passages
                          that reach half of the best
    context_faithfulness  share of P∖Q in C; at most 3 with a number that is in neither C nor Q
    context_recall        share of R∖Q in C; best reference

Refusals are detected by rules. Declining is right (5) exactly when the reference declines or the question is
not answerable, and wrong (1) otherwise; it is always faithful. Where the reference declines, the context lacks
nothing, so recall is 5.
"""

from __future__ import annotations

import asyncio
import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from simsa.i18n.messages import msg
from simsa.judges.base import CanContinue
from simsa.judges.function import FunctionJudge
from simsa.judges.request import JudgeRequest
from simsa.metrics.abstention import is_abstention
from simsa.metrics.citations import strip_citations
from simsa.metrics.morphology import content_morphemes
from simsa.records import Judgement, Question, content_hash
from simsa.rubrics import built_in_criteria, instructions

_RULES = "1"
"""Version of the rules: raise it when a change to this file can change a score."""

# The smallest share for 2, 3, 4 and 5. That of relevance is lower: a question also has words of its own.
_LEVELS = {
    "answer_correctness": (0.15, 0.4, 0.6, 0.8),
    "context_relevance": (0.1, 0.25, 0.45, 0.65),
    "context_faithfulness": (0.2, 0.5, 0.7, 0.9),
    "context_recall": (0.2, 0.5, 0.7, 0.9),
}
_MOSTLY_WRONG, _MIXED = 2, 3

_NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
_NEGATION = re.compile(
    r"않|못[하했한할해]|없[다었는어으습이음고]|아니[다었라며고]|아닙|아닌|불가능|(?<![가-힣])(?:안|못) "
    r"|\b(?:not|never|no|none|nor|neither|without|cannot)\b|n['’]t\b",
    re.IGNORECASE,
)
_PUNCTUATION = ".,:;!?'’"
# English stop words, and the empty string; Kiwi tells Korean ones by their tags.
_STOP_WORDS = re.compile(
    "|an?|and|are|as|at|be|been|by|did|do|does|for|from|had|has|have|in|is|its?|of|on|or|s|that|the|there|this|to|was|were|with"
)
_WORD = re.compile(r"\w+")
_SENTENCE = re.compile(r"(?<=[.?!。])\s+|\n+")


class Reason(NamedTuple):
    """A score and the clause that explains it, in Korean and English."""

    score: int
    ko: str
    en: str


class LexicalJudge(FunctionJudge):
    """Scores the four built-in criteria by the rules above. `language` is that of its analysis."""

    def __init__(self, language: str = "ko") -> None:
        super().__init__(
            lambda question, prediction: {}, built_in_criteria(), label="lexical", version=_RULES
        )
        self.key = self.task = self.verdict_task = content_hash("lexical", _RULES)
        self.notes = (msg("judge.lexical"),)
        self._language = language

    def _content(self, question: Question, prediction: str) -> list[Any]:
        return [
            question.question,
            [[passage.title, passage.text] for passage in question.contexts] or instructions(question),
            question.reference,
            question.answerable,
            prediction,
        ]

    async def judge(self, request: JudgeRequest, can_continue: CanContinue | None = None) -> Judgement:
        reasons = await asyncio.to_thread(score, request.question, request.prediction or "")
        return Judgement(
            request_hash=request.request_hash,
            judge=self.label,
            rubric=self.rubric,
            status="scored" if reasons else "failed",
            scores={name: reason.score for name, reason in reasons.items()},
            analysis=_analysis(reasons, self._language) if reasons else "",
            cost_usd=0.0,
            detail="" if reasons else "there is no reference answer to compare with",
        )


def score(question: Question, prediction: str) -> dict[str, Reason]:
    """The four criteria, each with its reason; none when an answerable question has no reference."""
    references = [reference for reference in question.reference if reference.strip()]
    if not references and question.answerable:
        return {}
    texts = [f"{passage.title or ''} {passage.text}" for passage in question.contexts]
    passages = [_words(text) for text in texts or [instructions(question)]]
    row = _LexicalRow(
        question=_words(question.question),
        passages=passages,
        context=_join_words(passages),
        references=references,
        prediction=prediction,
        answer=_words(prediction),
        declined=is_abstention(prediction, () if question.answerable else references),
        should_decline=not question.answerable or any(map(is_abstention, references)),
    )
    return {
        "answer_correctness": _correctness(row),
        "context_relevance": _relevance(row),
        "context_faithfulness": _faithfulness(row),
        "context_recall": _recall(row),
    }


class _Words(NamedTuple):
    """The words of a text, and the whole text, in which a word is found however Kiwi split it."""

    units: frozenset[str]
    text: str

    def common(self, units: Iterable[str]) -> frozenset[str]:
        """The `units` that occur in this text."""
        return frozenset(
            unit
            for unit in units
            if unit in self.units or (len(unit) > 1 and not unit[0].isdigit() and unit in self.text)
        )


@dataclass(frozen=True, slots=True)
class _LexicalRow:
    """A row with its texts as words."""

    question: _Words
    passages: list[_Words]
    context: _Words
    references: list[str]
    prediction: str
    answer: _Words
    declined: bool
    should_decline: bool


def _correctness(row: _LexicalRow) -> Reason:
    if not row.answer.units and not row.declined:
        return Reason(1, "답변이 비어 있음", "the answer is empty")
    if row.should_decline:
        if row.declined:
            return Reason(5, "답이 없는 질문에 답할 수 없다고 함", "rightly declined to answer")
        return Reason(1, "답이 없는 질문에 답을 내놓음", "answered a question that has no answer")
    if row.declined:
        return Reason(1, "답이 있는 질문에 답할 수 없다고 함", "declined a question that has an answer")
    return max(_agreement(row, reference) for reference in row.references)


def _agreement(row: _LexicalRow, reference: str) -> Reason:
    """How well the prediction agrees with one reference."""
    expected, answer = _words(reference), row.answer.units
    asked = expected.units - row.question.units or expected.units
    found = row.answer.common(asked)
    relevant = len(expected.common(answer) | row.question.common(answer)) / len(answer)
    share = len(found) / len(asked) * (0.7 + 0.3 * relevant) if asked else 0.0
    level = _level("answer_correctness", share)
    ko = f"정답의 형태소 {len(asked)}개 중 {len(found)}개가 답변에 있음"
    en = f"{len(found)} of the reference's {len(asked)} content words are in the answer"
    if _numbers(asked - found) and _numbers(answer - expected.units - row.question.units):
        level, ko, en = min(level, _MOSTLY_WRONG), f"{ko}, 숫자가 다름", f"{en}, but a number differs"
    elif _is_negated(row.prediction, expected) != _is_negated(reference, expected):
        level, ko, en = min(level, _MOSTLY_WRONG), f"{ko}, 긍정과 부정이 다름", f"{en}, but one is negated"
    return Reason(level, ko, en)


def _relevance(row: _LexicalRow) -> Reason:
    if not row.context.units:
        return Reason(1, "검색 결과가 없음", "there is no context")
    asked = row.question.units
    shares = [len(passage.common(asked)) / len(asked) if asked else 0.0 for passage in row.passages]
    best = max(shares)
    related = sum(share >= best / 2 for share in shares) if best else 0
    level = _level("context_relevance", best * (0.1 + 0.9 * related / len(shares)))
    return Reason(
        level,
        f"질문의 형태소 {best:.0%}가 한 문서에 있고 문서 {len(shares)}개 중 {related}개가 질문과 닿음",
        f"{best:.0%} of the question's content words are in one passage; {related} of {len(shares)} passages touch on it",
    )


def _faithfulness(row: _LexicalRow) -> Reason:
    if row.declined:
        return Reason(5, "답할 수 없다고만 하여 더한 내용이 없음", "declined, adding nothing")
    if not row.answer.units:
        return Reason(1, "답변이 비어 있음", "the answer is empty")
    claimed = row.answer.units - row.question.units
    found = row.context.common(claimed)
    level = _level("context_faithfulness", len(found) / len(claimed)) if claimed else 5
    ko = f"답변의 형태소 {len(claimed)}개 중 {len(found)}개가 검색 결과에 있음"
    en = f"{len(found)} of the answer's {len(claimed)} content words are in the context"
    if _numbers(claimed - found):
        level, ko, en = (
            min(level, _MIXED),
            f"{ko}, 검색 결과에 없는 숫자가 있음",
            f"{en}, with a number that is not",
        )
    return Reason(level, ko, en)


def _recall(row: _LexicalRow) -> Reason:
    if row.should_decline:
        return Reason(
            5,
            "정답이 답할 수 없다는 것이므로 부족한 내용이 없음",
            "the reference declines, so nothing is lacking",
        )
    return max(_support(row, reference) for reference in row.references)


def _support(row: _LexicalRow, reference: str) -> Reason:
    """How much of one reference is in the context."""
    expected = _words(reference).units
    asked = expected - row.question.units or expected
    found = row.context.common(asked)
    return Reason(
        _level("context_recall", len(found) / len(asked) if asked else 0.0),
        f"정답의 형태소 {len(asked)}개 중 {len(found)}개가 검색 결과에 있음",
        f"{len(found)} of the reference's {len(asked)} content words are in the context",
    )


def _analysis(reasons: Mapping[str, Reason], language: str) -> str:
    korean = language == "ko"
    head = "어휘 중복 기반 심사(LLM이 아님)." if korean else "Judged by shared words, not by an LLM."
    return " ".join([head, *(f"{name}: {r.ko if korean else r.en}." for name, r in reasons.items())])


@lru_cache(maxsize=2048)  # questions, passages and references are the same for every variant
def _words(text: str) -> _Words:
    """Content morphemes of `text`, with numbers in one notation; its plain words where it has none."""
    bare = strip_citations(text)
    numbers = {number.replace(",", "") for number in _NUMBER.findall(bare)}
    words = (unit.strip(_PUNCTUATION) for unit in content_morphemes(bare))
    units = numbers | {word for word in words if not _STOP_WORDS.fullmatch(word) and not word[0].isdigit()}
    return _Words(frozenset(units or _WORD.findall(bare.lower())), bare.lower())


def _join_words(passages: Iterable[_Words]) -> _Words:
    parts = list(passages)
    return _Words(frozenset().union(*(p.units for p in parts)), "\n".join(p.text for p in parts))


def _numbers(units: Iterable[str]) -> list[str]:
    return [unit for unit in units if unit[0].isdigit()]


def _is_negated(text: str, about: _Words) -> bool:
    """Whether the sentence of `text` that has most words of `about` is negated."""
    sentences = [sentence for sentence in _SENTENCE.split(text) if sentence.strip()]
    nearest = max(sentences, key=lambda sentence: len(about.common(_words(sentence).units)), default="")
    return _NEGATION.search(nearest) is not None


def _level(criterion: str, share: float) -> int:
    return 1 + bisect_right(_LEVELS[criterion], share)
