"""Other numbers in the place of a text's own, such that it still reads well."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable

# Whole numbers, with thousands separators or a decimal part, that are no part of a name ("A4", "U-23", "2NE1").
_UNIT = r"(?:km|kg|cm|mm|m|g|l|ml|kb|mb|gb|tb|w|kw|v|hz|am|pm)\b"
_NUMBER = re.compile(
    rf"(?<![A-Za-z\d.,/:–-])(?:\d{{1,3}}(?:,\d{{3}})+|\d+)(?:\.\d+)?(?![\d/:–-]|[.,]\d)(?!(?!{_UNIT})[A-Za-z])",
    re.IGNORECASE,
)
# What a number may be where a unit bounds it.
_BOUNDS = (
    (re.compile(r"\s?월"), 1, 12),
    (re.compile(r"\s?일(?!곱|[가-힣]*[개권명])"), 1, 31),
    (re.compile(r"\s?시(?!간)"), 1, 12),
    (re.compile(r"\s?(?:분|초)"), 1, 59),
    (re.compile(r"\s?(?:%|퍼센트|percent)", re.IGNORECASE), 1, 100),
)
# Digits that sound alike at their end take the same particles: ㄹ (일 칠 팔), another consonant, a vowel.
_SOUNDS = ("178", "036", "2459")

_ONES = ("한", "두", "세", "네", "다섯", "여섯", "일곱", "여덟", "아홉")
_TENS = "열|스물|서른|마흔|쉰|예순|일흔|여든|아흔"
_COUNTERS = "가지|개|곡|곳|군데|권|그릇|달|대|마리|명|번|병|분|사람|살|송이|시|시간|자루|장|조각|주|채|척|층|켤레|편|해|호"
_NATIVE = re.compile(rf"(?<![가-힣])({_TENS})?({'|'.join(_ONES)})(?=\s?(?:{_COUNTERS})(?!기))")
_ORDINALS = ("첫째", "둘째", "셋째", "넷째", "다섯째")
_ORDINAL = re.compile(rf"(?<![가-힣])(?:{'|'.join(_ORDINALS)})(?![가-힣])")
_CITATION = re.compile(r"\[\[?\s?(?:ref)?\s?\d[^\]]*\]\]?", re.IGNORECASE)

_ASKED = re.compile(
    r"몇|언제|얼마|며칠|어느 해|연도|년도|날짜|나이|인구|횟수|개수|비율|점수"
    r"|\bwhen\b|\bhow (?:many|much|long|old|often|far|tall|high|large|big)\b|\b(?:what|which) (?:year|date|time|day|age|percentage|number)\b",
    re.IGNORECASE,
)


def asks_for_number(question: str) -> bool:
    """Whether a number, a date or an amount is what the question wants to know."""
    return _ASKED.search(question) is not None


def numbers_in(text: str) -> set[str]:
    """The numbers of `text`, digits without separators and Korean number words, citations left out."""
    bare = _CITATION.sub(" ", text)
    words = {found[0] for pattern in (_NATIVE, _ORDINAL) for found in pattern.finditer(bare)}
    return {found[0].replace(",", "") for found in _NUMBER.finditer(bare)} | words


def swap_numbers(text: str, keep: Iterable[str] = (), seed: int = 0) -> str | None:
    """`text` with another number in the place of each of its own; None where there is none to change.

    Numbers in `keep` (such as those that the question itself names) stay. A new number has
    as many digits, its separators in the same places, and an end that sounds alike, so that
    every particle still fits; a month stays a month. Equal numbers of the same unit stay equal.
    """
    kept = {number.replace(",", "") for number in keep}
    taken = numbers_in(text) | kept
    chosen: dict[tuple[str, ...], str] = {}

    def other(found: re.Match[str], candidates: list[str]) -> str:
        own = found[0].replace(",", "")
        if own in kept or _in_citation(text, found.start()):
            return found[0]
        place = (own, *candidates)
        if place not in chosen:
            free = [one for one in candidates if one.replace(",", "") not in taken]
            free = free or [one for one in candidates if one.replace(",", "") != own]
            if not free:
                return found[0]
            chosen[place] = random.Random(f"{seed} {own}").choice(free)
        return chosen[place]

    changed = _NUMBER.sub(lambda found: other(found, _digits(found[0], text[found.end() :])), text)
    changed = _NATIVE.sub(
        lambda found: other(found, [(found[1] or "") + one for one in _ONES if one != found[2]]), changed
    )
    changed = _ORDINAL.sub(lambda found: other(found, [one for one in _ORDINALS if one != found[0]]), changed)
    return None if changed == text else changed


def _digits(number: str, after: str) -> list[str]:
    """Numbers that could stand in the place of `number` before the text `after`."""
    bound = next(((low, high) for unit, low, high in _BOUNDS if unit.match(after)), None)
    if bound and number.isdigit() and bound[0] <= int(number) <= bound[1]:
        alike = _alike(number[-1])
        return [
            str(n) for n in range(bound[0], bound[1] + 1) if str(n)[-1] in alike and str(n) != number
        ] or [str(n) for n in range(bound[0], bound[1] + 1) if str(n) != number]
    place = len(number) - 1
    if number[-1] == "0" and number.strip("0.,"):
        # A round number is read by its last figure and the power of ten after it.
        place = max(n for n, digit in enumerate(number) if digit in "123456789")
        digits = "123456789"
    else:
        digits = _alike(number[-1])
    return [
        number[:place] + digit + number[place + 1 :]
        for digit in digits
        if digit != number[place] and not (place == 0 and digit == "0")
    ]


def _alike(digit: str) -> str:
    return next(sounds for sounds in _SOUNDS if digit in sounds)


def _in_citation(text: str, position: int) -> bool:
    return any(found.start() <= position < found.end() for found in _CITATION.finditer(text))
