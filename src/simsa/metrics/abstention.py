"""Whether an answer declines to answer, by rule, in Korean and English; and counts of answerable × abstained.

Absence alone is not a refusal ("부작용이 없습니다"). A sentence declines when it lacks knowledge or an answer, or when
it says that the documents, information, or what was asked for is missing. A contrast turns it into an answer again
("정확한 날짜는 알 수 없지만 1998년입니다").

An answer abstains when its first sentence declines, or when its last one does so as a conclusion. An answer with a
hedge behind it does not abstain ("서울입니다. 자세한 내용은 문서에 없습니다."), nor does an empty prediction.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from simsa.metrics.citations import strip_citations
from simsa.records import Question

_LONGEST = 400  # characters; a longer sentence is taken for an answer


def declines(sentence: str) -> bool:
    """Whether one sentence, in NFC and with single spaces, declines to answer."""
    sentence = sentence.strip(" *_\"'“”‘’「」『』()[]")
    if len(sentence) > _LONGEST:
        return False
    return bool(_WHOLE.fullmatch(sentence)) or _in_english(sentence) or _in_korean(sentence)


def _in_korean(sentence: str) -> bool:
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
            answers = _STATED.search(sentence, 0, negation.start()) or _CONTRAST.search(
                sentence, negation.start()
            )
            return not answers
    return False


def _in_english(sentence: str) -> bool:
    found = _EN.search(sentence)
    return found is not None and not _EN_CONTRAST.search(sentence, found.end())


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE | re.VERBOSE)


# A whole answer of a word or two.
_WHOLE = _pattern(
    r"""(?: (?:관련\s|해당\s)?정보\s?없음 | 알\s?수\s?없음 | 모름 | (?:답변?|확인|판단)\s?불가 | 답\s?없음 | 무응답
    | unknown | unanswerable | n/?a | no\sanswer
    | not\s(?:available|found|answerable|stated|specified|mentioned|given|provided)
    | no\sinformation(?:\savailable)? | (?:not\senough|insufficient)\s(?:information|context)
    ) [\s.!]*"""
)

# --- Korean ------------------------------------------------------------------------------

# Where the answer was looked for.
_SOURCE = r"""(?:
      (?:검색|조회)\s?(?:된\s)?(?:결과|문서|내용)
    | (?:제공|주어|제시|첨부|참고|참조)(?:해\s?주신|하신|된|진|한)?\s?(?:정보|자료|내용|데이터|출처|글)
    | 문서 | 문맥 | 맥락 | 본문 | 지문 | 제시문 | 컨텍스트 | 기사 | 글 | 단락 | 텍스트 | 발췌문 | 자료 | 출처 | 데이터베이스
    | context | documents?
    )(?:들)?"""
_AT_SOURCE = _pattern(
    rf"""(?<![가-힣]) {_SOURCE} (?:\s?(?:내|상|안|속|중|만|범위|어디))?
    (?:에서 | 에는?(?!\s?(?:따르|의하)) | 에도 | 으?로는? | 은 | 는 | 만) [가-힣]*\s"""
)
# Elsewhere: "헌법에는", but not "질문에", "…에 대한", nor a time.
_ELSEWHERE = _pattern(
    r"(?<![년월일시때당문의\s]) 에(?:서는?|는|도)?\s (?!\s*(?:대한|대해|대하|관한|관해|관하|따르|의하|의해))"
)
# What was looked for.
_INFORMATION = _pattern(
    r"""(?<![가-힣]) (?:관련|해당|세부|추가)?\s? (?:정보|내용|답변?|정답|해답|언급|설명|서술)(?:들)?
    (?:을|를|이|가|은|는|도|조차)? (?![가-힣])"""
)
_ASKED = _pattern(r"(?<![가-힣]) (?:해당|관련된?|질문|문의|물어보신|요청하신)")

# How the sentence ends after its negation: at once, in a guess, or with a request.
_END = r"""(?:
      [가-힣]{0,6}(?:다|요|음|죠|네|함|임)
    | 는\s(?:상황|상태|점|(?:정보|내용|사항|질문|부분)(?:입|이))\S*.*
    | (?:는|을|은|ㄴ)\s?(?:것|거)(?:\s같|으로\s|입|이).*
    | (?:어|아|워|으므로|므로|기에|어서|아서|워서|으며|며|고|으니|니)[\s,]
      .*(?:필요|바랍|부탁|주세요|주시|양해|죄송|문의|어렵).*
    ) [\s.!~…"'”’」』)\]]*$"""
_UNABLE = r"\s?수(?:가|는|도|조차)?\s?없"
_NOT_WRITTEN = r"(?:되어|돼|되|하고|하)?\s?(?:있지|지)\s?(?:는\s)?않"
_NONE = r"(?:이|가|은|는|도)?\s?(?:전혀\s|따로\s|별도로\s)?없"
_ANSWER = r"(?:답|답변|대답|응답)"

# Enough by itself, unless it speaks of a place other than the sources.
_PLAIN = _pattern(
    rf"""(?: 알{_UNABLE} | 모르겠
    | {_ANSWER}(?:을|를|은)?\s?(?:해\s?)?(?:드릴|할|줄|제공할|찾을|제시할){_UNABLE}
    | {_ANSWER}(?:(?:을|를)?\s?(?:해\s?)?(?:드리기|하기|주기)(?:가|는|에는)?|이|은)?\s?(?:어렵|어려|힘들|곤란|불가)
    | (?:^|(?:저는|저도|답을|답은|정답을|정답은|그것은|그건|대해|대해서는?)\s)(?:잘\s)?(?:모릅|모름|몰라|알지\s?못)
    | (?<![가-힣]){_SOURCE}(?:\s?(?:내|상|안|속|중|어디))?에(?:는|도)?\s?없
    | 질문(?:과|과는|에)\s?(?:직접\s)?관련(?:이|성이)?\s?없
    | 언급{_NOT_WRITTEN} | 언급된\s(?:바|내용|정보){_NONE} | (?:나와|나타나|적혀|쓰여)\s?있지\s?(?:는\s)?않
    | (?<![가-힣])(?:관련|해당)?\s?(?:정보|답변?|정답|언급){_NONE} | (?:관련|해당)\S*\s내용{_NONE}
    ) {_END}"""
)
# Only of a source, of information, or of what was asked.
_FOUND = _pattern(
    rf"""(?:
      (?:찾을|찾아볼|찾아낼|확인할|확인해\s?볼|파악할|판단할|도출할|유추할|추론할|특정할|얻을|제공할|제공해\s?드릴){_UNABLE}
    | (?:찾|확인하|발견하|파악하)지\s?못 | (?:확인|발견|검색|파악)되지\s?않
    | (?:확인|발견|검색|판단)(?:이\s)?(?:불가|안\s?됩|안\s?돼) | (?:명시|기재|기술|서술){_NOT_WRITTEN}
    ) {_END}"""
)
# Only of a source or of information.
_HELD = _pattern(
    rf"""(?: (?:제시|포함|제공|수록|설명|기록|소개){_NOT_WRITTEN}
    | (?:다루|담|담고|담겨|들어|존재하|나오|나타나|찾아지)(?:고)?\s?(?:있지|지)\s?(?:는\s)?않
    | (?:정보|내용|답변?|정답|언급|설명|근거|단서|기록|데이터|자료|부분|바){_NONE}
    | 충분하지\s?않 | 부족하 | 부족합
    ) {_END}"""
)
_CONTRAST = _pattern(r"(?:지만|으나|는데|더라도|니다만)[,\s]")
# An answer before the negation: "12만 명이지만", but not "…에 관한 것이지만".
_STATED = _pattern(r"(?<!것)(?<!내용) (?:이지만|이었지만|(?<!하)였지만|입니다만|인데|이며|이고)[,\s]")

# --- English -----------------------------------------------------------------------------

_EN_SOURCE = r"""(?:documents?|contexts?|passages?|search\sresults?|results|texts?|articles?|sources?|excerpts?
    |materials?|references?|(?:provided|given|available|retrieved)\s(?:information|content|data))\b"""
_EN_IN_SOURCE = rf"""(?:in|by|from|within)\s(?:any\sof\s|all\sof\s)?(?:the\s|these\s|this\s|those\s|your\s|any\s)?
    (?:\w+\s){{0,3}}{_EN_SOURCE}"""
_EN_LEAD = r"""^(?:
      (?:(?:i'?m|i\sam)\s(?:very\s)?sorry|sorry|unfortunately|apologies|i\sapologi[sz]e|therefore|thus|hence|so
        |(?:based\son|according\sto|from|given|in|within|using)\s[^,]{1,80})
      ,?\s*(?:but\s|that\s)?
    )*"""
_EN_NOT_ABLE = r"""(?:(?:i|we)\s(?:cannot|can'?t|can\snot|could\snot|couldn'?t)
    |(?:i'?m|i\sam|i\swas|we\sare|we're)\s(?:unable|not\sable)\sto)"""
_EN_OF_KIND = r"(?:relevant\s|specific\s|sufficient\s|such\s|further\s)?(?:information|mention|answers?|details?|context)"
_EN_WRITTEN = r"""(?:mentioned|found|provided|stated|specified|included|available|contained|given|present|discussed
    |addressed|covered|answered|answerable)"""
_EN_SAY = r"""(?:contain|mention|provide|include|specify|state|say|give|have|discuss|answer|address|indicate|cover
    |tell|enough|sufficient)"""
_EN_ADVERB = r"(?:explicitly\s|directly\s|specifically\s|actually\s)?"
_EN = _pattern(
    rf"""
      {_EN_LEAD} i\s(?:really\s|honestly\s|simply\s)?(?:do\snot|don'?t|did\snot|didn'?t)\s
        (?:know|have\s(?:enough\s|any\s|sufficient\s|the\s)?(?:information|context|data|knowledge))\b
    | {_EN_LEAD} {_EN_NOT_ABLE}\s
        (?:answer|find|determine|tell|say|locate|give\san\sanswer|(?:help|assist)\swith\s(?:that|this)
          |provide\s(?:an|the|any|that|this)\s(?:answer|information))\b
    | {_EN_LEAD} (?:i'?m|i\sam)\snot\ssure(?:\sabout\s(?:that|this|it))?\W*$
    | \b(?:cannot|can'?t|can\snot|could\snot|couldn'?t)\sbe\s(?:determined|answered|inferred)\b
    | \b(?:there\sis|there'?s|there\sare|i\shave|contains?|found|has|provides?)\s
        (?:no|not\senough|insufficient|not\sany)\s{_EN_OF_KIND}\b
    | \bno\s{_EN_OF_KIND}\s[^,;]{{0,40}}?
        (?:is|are|was|were|could\sbe|can\sbe|has\sbeen)\s(?:found|provided|given|available|included)\b
    | \b(?:none|neither)\sof\s(?:the\s|these\s|those\s)?(?:\w+\s){{0,2}}{_EN_SOURCE}\s
        (?:mention|contain|provide|say|state|answer)
    | {_EN_SOURCE}[^,;.]{{0,40}}?\s(?:do|does|did|is|are|was|were)(?:\snot|n'?t)\s{_EN_ADVERB}{_EN_SAY}\b
    | \b(?:not|n'?t|cannot\sbe|can'?t\sbe|could\snot\sbe|never)\s(?:be\s)?{_EN_ADVERB}{_EN_WRITTEN}
        \b[^,;.]{{0,20}}?\s{_EN_IN_SOURCE}
    | \b(?:is|are|was|were)(?:\snot|n'?t)\s{_EN_IN_SOURCE}
    """
)
_EN_CONTRAST = _pattern(
    r"[,;]\s*(?:but|however|though|although|yet)\b (?!\s(?:i|we)\s(?:can'?t|cannot|could|do|don))"
)


def is_abstention(text: str, refusals: Iterable[str] = ()) -> bool:
    """Whether `text` declines to answer.

    `refusals` are sentences that the data set uses to decline (the references of its unanswerable questions);
    `text` abstains when it equals one of them or begins with one.
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
    """The sentences that a data set uses to decline: references of its unanswerable questions."""
    found = (text for question in questions if not question.answerable for text in question.reference)
    return tuple(dict.fromkeys(text for text in found if text.strip()))


@dataclass(frozen=True, slots=True)
class AbstentionTable:
    """Counts of answerable × abstained. Answering an unanswerable question is a hallucination.

    When questions have several answers, the counts are of answers, and `shares` has the same four in questions:
    each question adds the shares of its answers. The rates then use `shares`.
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
        """Share of the abstentions that are right; None without abstentions."""
        _, declined, _, right = self._cells
        return _ratio(right, right + declined)

    @property
    def recall(self) -> float | None:
        """Share of the unanswerable questions that were declined; None without such questions."""
        _, _, invented, right = self._cells
        return _ratio(right, right + invented)

    @property
    def f1(self) -> float | None:
        """2TP/(2TP+FP+FN); None when nothing was or had to be declined."""
        _, declined, invented, right = self._cells
        return _ratio(2 * right, 2 * right + declined + invented)

    @property
    def over_refusal_rate(self) -> float | None:
        """Share of the answerable questions that were declined; None without such questions."""
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
        """Counts and rates; with several answers per question also the shares, as `questions`."""
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
# A shorter refusal of the data set ("없음") is the beginning of many answers.
_LONG_ENOUGH = 8


def _flat(text: str) -> str:
    lines = (" ".join(line.split()) for line in text.replace("’", "'").splitlines())
    return "\n".join(line for line in lines if line)


def _repeats(text: str, refusals: Iterable[str]) -> bool:
    whole, beginnings = _bare_forms(tuple(refusals))
    said = _bare(text)
    return said in whole or said.startswith(beginnings)


@lru_cache(maxsize=64)  # a data set may have hundreds of refusals, and every answer is compared with all
def _bare_forms(refusals: tuple[str, ...]) -> tuple[frozenset[str], tuple[str, ...]]:
    """Bare refusals, and those long enough to recognise an answer by its beginning."""
    bare = (_bare(strip_citations(unicodedata.normalize("NFC", refusal))) for refusal in refusals)
    whole = frozenset(one for one in bare if one)
    return whole, tuple(one for one in whole if len(one) >= _LONG_ENOUGH)


def _bare(text: str) -> str:
    return "".join(c for c in text.lower() if c.isalnum())
