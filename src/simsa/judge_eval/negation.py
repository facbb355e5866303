"""Negation of a statement: in Korean by its morphemes, in English by its auxiliary verb."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from simsa.i18n.language import particle
from simsa.metrics.citations import strip_citations
from simsa.metrics.morphology import Morpheme, analyse, clean, join

_SENTENCE = re.compile(r"(?<=[.?!。])\s+|\s*\n+\s*")
_END = re.compile(r"[\s.!?。…]*$")
_NO_LETTER = re.compile(r"[\W_]+$")
_HANGUL = re.compile("[가-힣]")
_MOST_SENTENCES = 2

_PREDICATES = {"VV", "VA", "VX", "XSV", "XSA", "VCP", "VCN"}
_NOUNS = ("NN", "NP", "NR", "SN", "SL", "SH", "XSN", "SW")
_PAST = {"었", "았", "였"}
# Endings as they follow 않다, whose stem ends in a consonant.
_AFTER_NOT = {"ᆫ다": "는다", "ᆸ니다": "습니다", "에요": "어요", "예요": "어요"}
_OPPOSITE = {"네": "아니요", "예": "아니요", "아니요": "네", "아니오": "네", "Yes": "No", "No": "Yes"}
_LEADING = re.compile(r"(네|예|아니요|아니오|Yes|No)(?=[,.!\s])")

_AUXILIARY = re.compile(
    r"\b(is|are|was|were|can|could|will|would|should|must|may|might|has|have|had)\b(?! not\b|n['’]t\b)"
)
_NEGATED = re.compile(
    r"\b(?:(?:is|are|was|were|could|would|should|must|do|does|did)(?= not\b|n['’]t\b)|(?:can|will)(?= not\b)|can(?=not\b|['’]t\b))"
)
_NOT = re.compile(r" ?not\b|n?['’]t\b")
_PHRASE = 5  # most words of an answer that is not a sentence


class _Predicate(NamedTuple):
    """The last predicate of a sentence: stem, prefinal endings and final ending."""

    place: int
    stem: Morpheme
    before: list[Morpheme]
    prefinal: list[Morpheme]
    final: Morpheme


def negate(text: str, *, korean: bool | None = None) -> str | None:
    """`text` with each sentence negated; None for more than two sentences, or none.

    A phrase without a predicate ("1996년") becomes a sentence that denies it. `korean` is the language of the
    answer, by default that of its letters.
    """
    sentences = [part for part in _SENTENCE.split(strip_citations(clean(text)).strip()) if part.strip()]
    if not 1 <= len(sentences) <= _MOST_SENTENCES:
        return None
    in_korean = bool(_HANGUL.search(text)) if korean is None else korean
    return " ".join(_negated(sentence, in_korean) for sentence in sentences)


def _negated(sentence: str, korean: bool) -> str:
    said = _END.sub("", sentence)
    leading = _LEADING.match(sentence)
    if leading:
        rest = sentence[leading.end() :]
        body = rest.lstrip(",.! ")
        return _OPPOSITE[leading[1]] + (
            rest[: len(rest) - len(body)] + _negated(body, korean) if body else rest
        )
    if not korean:
        return _english(said)
    return _korean(said) or f"“{said}”{_particle(said, '이라는', '라는')} 말은 사실이 아닙니다."


def _english(said: str) -> str:
    if found := _NEGATED.search(said):
        return f"{said[: found.end()]}{_NOT.sub('', said[found.end() :], count=1)}."
    if found := _AUXILIARY.search(said):
        return f"{said[: found.end()]} not{said[found.end() :]}."
    return f"It is not {said}." if len(said.split()) <= _PHRASE else f'It is not true that "{said}".'


def _korean(said: str) -> str | None:
    found = next(iter(analyse([said])))
    if not found or found[-1].end != len(said):
        return None
    predicate = _predicate(found)
    if predicate is None:
        return _not_a_noun(said, found[-1])
    place, stem, before, prefinal, final = predicate
    tail = [*((m.form, m.tag) for m in prefinal), (final.form, final.tag)]
    if stem.tag == "VCP":
        return _join(f"{_with_subject(said[: stem.start])} ", [("아니", "VCN"), *tail])
    if stem.tag == "VCN" or (before and (before[-1].form in ("안", "못") or before[-1].form.endswith("야"))):
        return None  # "안 된다", "써야 한다": their opposites are other words
    if stem.form in ("있", "없") and stem.tag != "VX":
        other = "없" if stem.form == "있" else "있"
        return _join(said[: stem.start], [(other, "VA"), *tail])
    if stem.tag == "VX" and stem.form in ("않", "못하"):
        return _affirmed(said, found, place, tail) if stem.form == "않" else None
    return _join(said[: stem.start], [(stem.form, stem.tag), *_denied(prefinal, final)])


def _predicate(found: Sequence[Morpheme]) -> _Predicate | None:
    final = found[-1]
    if final.tag != "EF" or final.form in ("ᆷ", "음", "기"):
        return None
    place = len(found) - 2
    while place >= 0 and found[place].tag == "EP":
        place -= 1
    if place < 0 or found[place].tag not in _PREDICATES:
        return None
    return _Predicate(place, found[place], list(found[:place]), list(found[place + 1 : -1]), final)


def _denied(prefinal: Sequence[Morpheme], final: Morpheme) -> list[tuple[str, str]]:
    """-지 않- with the endings that follow it; an honorific stays with the verb."""
    honorific = [(m.form, "EP") for m in prefinal if m.form in ("시", "으시")]
    rest = [("었" if m.form in _PAST else m.form, "EP") for m in prefinal if m.form not in ("시", "으시")]
    return [*honorific, ("지", "EC"), ("않", "VX"), *rest, (_AFTER_NOT.get(final.form, final.form), "EF")]


def _affirmed(said: str, found: Sequence[Morpheme], place: int, tail: list[tuple[str, str]]) -> str | None:
    """The affirmative of "-지 않는다"."""
    if place < 2 or found[place - 1].form != "지":
        return None
    stem = found[place - 2]
    if stem.tag not in _PREDICATES - {"VCP", "VCN"}:
        return None
    if stem.tag in ("VA", "XSA") and tail[-1][0] == "는다":
        return None
    return _join(said[: stem.start], [(stem.form, stem.tag), *tail])


def _not_a_noun(said: str, last: Morpheme) -> str | None:
    if not last.tag.startswith(_NOUNS):
        return None
    return f"{_with_subject(said)} 아닙니다."


def _with_subject(noun: str) -> str:
    return noun + _particle(noun, "이", "가")


def _particle(said: str, closed: str, opened: str) -> str:
    """The particle by the last letter or digit, ignoring closing marks as in "《구름 위의 풀》"."""
    return particle(_NO_LETTER.sub("", said.replace("%", "퍼센트")), closed, opened)


def _join(before: str, parts: list[tuple[str, str]]) -> str:
    return f"{before}{join(parts)}."
