"""Did the model decline to answer? By rule, in Korean and English; and the 2×2 of answerable × abstained.

An abstention says of the question, the documents or the speaker that no answer can be
given. A sentence of absence is not one ("부작용이 없습니다"), nor is an answer with a
hedge behind it ("서울입니다. 자세한 내용은 문서에 없습니다."), nor is silence: an
empty prediction is empty, and counts as no abstention.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from simsa.metrics.citations import strip_citations
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
    if _declines(sentences[0]):
        return not any(_OWN_KNOWLEDGE.search(part) for part in sentences[1:])
    return len(sentences) > 1 and bool(_CONCLUSION.match(sentences[-1])) and _declines(sentences[-1])


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


# --- the rules ---------------------------------------------------------------------------

_LONGEST = 400  # characters; a longer sentence says something

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

# Where the answer was looked for.
_SOURCE = (
    r"(?:(?:검색|조회)\s?(?:된\s)?(?:결과|문서|내용)|문서|문맥|맥락|본문|지문|제시문|컨텍스트|기사|글|단락|텍스트|발췌문"
    r"|(?:제공|주어|제시|첨부|참고|참조)(?:해\s?주신|하신|된|진|한)?\s?(?:정보|자료|내용|데이터|출처|글)"
    r"|자료|출처|데이터베이스|context|documents?)(?:들)?"
)
_AT_SOURCE = re.compile(
    rf"(?<![가-힣]){_SOURCE}(?:\s?(?:내|상|안|속|중|만|범위|어디))?"
    r"(?:에서|에는?(?!\s?(?:따르|의하))|에도|으?로는?|은|는|만)[가-힣]*\s",
    re.I,
)
# Elsewhere: "헌법에는", but not "질문에", "…에 대한", nor a time.
_ELSEWHERE = re.compile(
    r"(?<![년월일시때당문의\s])에(?:서는?|는|도)?\s(?!\s*(?:대한|대해|대하|관한|관해|관하|따르|의하|의해))"
)
# What was looked for.
_INFORMATION = re.compile(
    r"(?<![가-힣])(?:관련|해당|세부|추가)?\s?(?:정보|내용|답변?|정답|해답|언급|설명|서술)(?:들)?(?:을|를|이|가|은|는|도|조차)?(?![가-힣])"
)
_ASKED = re.compile(r"(?<![가-힣])(?:해당|관련된?|질문|문의|물어보신|요청하신)")

# How a Korean sentence ends after its negation: at once, in a guess, or with a request.
_END = (
    r"(?:[가-힣]{0,6}(?:다|요|음|죠|네|함|임)"
    r"|는\s(?:상황|상태|점|(?:정보|내용|사항|질문|부분)(?:입|이))\S*.*"
    r"|(?:는|을|은|ㄴ)\s?(?:것|거)(?:\s같|으로\s|입|이).*"
    r"|(?:어|아|워|으므로|므로|기에|어서|아서|워서|으며|며|고|으니|니)[\s,].*(?:필요|바랍|부탁|주세요|주시|양해|죄송|문의|어렵).*)"
    r"[\s.!~…\"'”’」』)\]]*$"
)
_UNABLE = r"\s?수(?:가|는|도|조차)?\s?없"
_NOT_WRITTEN = r"(?:되어|돼|되|하고|하)?\s?(?:있지|지)\s?(?:는\s)?않"
_NONE = r"(?:이|가|은|는|도)?\s?(?:전혀\s|따로\s|별도로\s)?없"

# Enough by itself, unless it speaks of a place other than the sources.
_PLAIN = re.compile(
    rf"(?:알{_UNABLE}"
    rf"|(?:답|답변|대답|응답)(?:을|를|은)?\s?(?:해\s?)?(?:드릴|할|줄|제공할|찾을|제시할){_UNABLE}"
    r"|(?:답|답변|대답|응답)(?:(?:을|를)?\s?(?:해\s?)?(?:드리기|하기|주기)(?:가|는|에는)?|이|은)?\s?(?:어렵|어려|힘들|곤란|불가)"
    rf"|(?<![가-힣]){_SOURCE}(?:\s?(?:내|상|안|속|중|어디))?에(?:는|도)?\s?없|질문(?:과|과는|에)\s?(?:직접\s)?관련(?:이|성이)?\s?없"
    r"|모르겠"
    r"|(?:^|(?:저는|저도|답을|답은|정답을|정답은|그것은|그건|대해|대해서는?)\s)(?:잘\s)?(?:모릅|모름|몰라|알지\s?못)"
    rf"|언급{_NOT_WRITTEN}|언급된\s(?:바|내용|정보){_NONE}|(?:나와|나타나|적혀|쓰여)\s?있지\s?(?:는\s)?않"
    rf"|(?<![가-힣])(?:관련|해당)?\s?(?:정보|답변?|정답|언급){_NONE}|(?:관련|해당)\S*\s내용{_NONE})" + _END
)
# Only of a source, of information, or of what was asked.
_FOUND = re.compile(
    r"(?:(?:찾을|찾아볼|찾아낼|확인할|확인해\s?볼|파악할|판단할|도출할|유추할|추론할|제공할|제공해\s?드릴|특정할|얻을)"
    rf"{_UNABLE}"
    r"|(?:찾|확인하|발견하|파악하)지\s?못|(?:확인|발견|검색|파악)되지\s?않|(?:확인|발견|검색|판단)(?:이\s)?(?:불가|안\s?됩|안\s?돼)"
    rf"|(?:명시|기재|기술|서술){_NOT_WRITTEN})" + _END
)
# Only of a source or of information.
_HELD = re.compile(
    rf"(?:(?:제시|포함|제공|수록|설명|기록|소개){_NOT_WRITTEN}"
    r"|(?:다루|담|담고|담겨|들어|존재하|나오|나타나|찾아지)(?:고)?\s?(?:있지|지)\s?(?:는\s)?않"
    rf"|(?:정보|내용|답변?|정답|언급|설명|근거|단서|기록|데이터|자료|부분|바){_NONE}"
    r"|충분하지\s?않|부족하|부족합)" + _END
)
_CONTRAST = re.compile(r"(?:지만|으나|는데|더라도|니다만)[,\s]")
# An answer before the negation: "12만 명이지만", but not "…에 관한 것이지만".
_STATED = re.compile(r"(?<!것)(?<!내용)(?:이지만|이었지만|(?<!하)였지만|입니다만|인데|이며|이고)[,\s]")
_WHOLE = re.compile(
    r"(?:(?:관련\s|해당\s)?정보\s?없음|알\s?수\s?없음|모름|(?:답변?|확인|판단)\s?불가|답\s?없음|무응답"
    r"|unknown|unanswerable|n/?a|no answer"
    r"|not (?:available|found|answerable|stated|specified|mentioned|given|provided)"
    r"|no information(?: available)?|(?:not enough|insufficient) (?:information|context))[\s.!]*",
    re.I,
)

_EN_SOURCE = (
    r"(?:documents?|contexts?|passages?|search results?|results|texts?|articles?|sources?|excerpts?|materials?"
    r"|references?|(?:provided|given|available|retrieved) (?:information|content|data))\b"
)
_EN_LEAD = (
    r"^(?:(?:(?:i'?m|i am) (?:very )?sorry|sorry|unfortunately|apologies|i apologi[sz]e|therefore|thus|hence|so"
    r"|(?:based on|according to|from|given|in|within|using) [^,]{1,80}),?\s*(?:but\s|that\s)?)*"
)
_EN_IN_SOURCE = (
    r"(?:in|by|from|within) (?:any of |all of )?(?:the |these |this |those |your |any )?(?:\w+ ){0,3}"
    + _EN_SOURCE
)
_EN_ADVERB = r"(?:explicitly |directly |specifically |actually )?"
_EN = re.compile(
    _EN_LEAD + r"i (?:really |honestly |simply )?(?:do not|don'?t|did not|didn'?t) "
    r"(?:know|have (?:enough |any |sufficient |the )?(?:information|context|data|knowledge))\b"
    r"|" + _EN_LEAD + r"(?:(?:i|we) (?:cannot|can'?t|can not|could not|couldn'?t)"
    r"|(?:i'?m|i am|i was|we are|we're) (?:unable|not able) to) "
    r"(?:answer|find|determine|tell|say|locate|give an answer|help with (?:that|this)|assist with (?:that|this)"
    r"|provide (?:an|the|any|that|this) (?:answer|information))\b"
    r"|" + _EN_LEAD + r"(?:i'?m|i am) not sure(?: about (?:that|this|it))?\W*$"
    r"|\bno (?:relevant |specific |further |such )?(?:information|answer|mention|details?) [^,;]{0,40}?"
    r"(?:is|are|was|were|could be|can be|has been) (?:found|provided|given|available|included)\b"
    r"|\b(?:none|neither) of (?:the |these |those )?(?:\w+ ){0,2}"
    + _EN_SOURCE
    + r" (?:mention|contain|provide|say|state|answer)"
    r"|\b(?:cannot|can'?t|can not|could not|couldn'?t) be (?:determined|answered|inferred)\b"
    r"|\b(?:there is|there'?s|there are|i have|contains?|found|has|provides?) (?:no|not enough|insufficient|not any) "
    r"(?:relevant |specific |sufficient |such |further )?(?:information|mention|answers?|details?|context)\b"
    r"|"
    + _EN_SOURCE
    + r"[^,;.]{0,40}? (?:do|does|did|is|are|was|were)(?: not|n'?t) "
    + _EN_ADVERB
    + r"(?:contain|mention|provide|include|specify|state|say|give|have|discuss|answer|address|indicate|cover|tell|enough|sufficient)\b"
    r"|\b(?:not|n'?t|cannot be|can'?t be|could not be|never) (?:be )?"
    + _EN_ADVERB
    + r"(?:mentioned|found|provided|stated|specified|included|available|contained|given|present|discussed|addressed"
    r"|covered|answered|answerable)\b[^,;.]{0,20}? "
    + _EN_IN_SOURCE
    + r"|\b(?:is|are|was|were)(?: not|n'?t) "
    + _EN_IN_SOURCE,
    re.I,
)
_EN_CONTRAST = re.compile(
    r"[,;]\s*(?:but|however|though|although|yet)\b(?! (?:i|we) (?:can'?t|cannot|could|do|don))", re.I
)


def _flat(text: str) -> str:
    lines = (" ".join(line.split()) for line in text.replace("’", "'").splitlines())
    return "\n".join(line for line in lines if line)


def _repeats(text: str, refusals: Iterable[str]) -> bool:
    said = _bare(text)
    for refusal in refusals:
        expected = _bare(strip_citations(unicodedata.normalize("NFC", refusal)))
        # A short one ("없음") may begin many an answer.
        if expected and (said == expected or (len(expected) >= 8 and said.startswith(expected))):
            return True
    return False


def _bare(text: str) -> str:
    return "".join(c for c in text.lower() if c.isalnum())


def _declines(sentence: str) -> bool:
    sentence = sentence.strip(" *_\"'“”‘’「」『』()[]")
    if len(sentence) > _LONGEST:
        return False
    return bool(_WHOLE.fullmatch(sentence)) or _declines_in_english(sentence) or _declines_in_korean(sentence)


def _declines_in_english(sentence: str) -> bool:
    found = _EN.search(sentence)
    return found is not None and not _EN_CONTRAST.search(sentence, found.end())


def _declines_in_korean(sentence: str) -> bool:
    at_source = bool(_AT_SOURCE.search(sentence))
    informs = bool(_INFORMATION.search(sentence))
    asked = bool(_ASKED.search(sentence))
    for rule, holds in (
        (_PLAIN, lambda at: at_source or not _ELSEWHERE.search(sentence, 0, at)),
        (_FOUND, lambda at: at_source or informs or asked or at <= 1),
        (_HELD, lambda at: at_source or informs or at <= 1),
    ):
        negation = rule.search(sentence)
        if negation and holds(negation.start()):
            answered = _STATED.search(sentence, 0, negation.start()) or _CONTRAST.search(
                sentence, negation.start()
            )
            return not answered
    return False
