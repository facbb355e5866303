"""What a prompt says of the reply it wants: the keys of its JSON example, their values, and stated ranges.

Prompts are written for people and models, not for parsers, so the values are guesses for a person to confirm.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from simsa.rubrics.declaration import ScoreScale

# A key, and the value up to the end of the line or of the member. Braces may be doubled, as for str.format.
_MEMBER = re.compile(
    r"""(?<![\w\\])(["'])(?P<key>[^"'\n{}]{1,60})\1\s*:\s*
    (?P<value>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|<[^<>\n]*>|\[[^\[\]\n]*\]|\{|[^,{}\n]*)""",
    re.VERBOSE,
)
_OPEN = re.compile(r"""\{\s*["']""")
_TO = r"\s*점?\s*(?:~|∼|-|–|—|\.\.\.?|to|through|부터|에서)\s*"
_RANGE = re.compile(rf"(?<![\d.])(-?\d{{1,3}}){_TO}(\d{{1,3}})(?![\d.]*\d)")
_CHOICES = re.compile(r"(?<![\d.])\d{1,3}(?:\s*(?:[|/,]|or|또는)\s*\d{1,3})+(?![\d.]*\d)")
_YES_NO = re.compile(
    r"\b(?:true|false|bool(?:ean)?)\b|^\W*(?:yes|no)\W*$|\byes\W+(?:or\W+|또는\W+)?no\b"
    r"|^\W*(?:예|네|아니오|아니요)\W*$|예\W+(?:또는\W+)?아니[오요]",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"-?\d{1,3}(?:\.0+)?")
_SHORT = 60
_FRACTION = re.compile(r"\d\.\d")
_SCORE_WORD = re.compile(
    r"\b(?:int(?:eger)?|number|score|rating|grade|points?)\b|정수|점수|숫자", re.IGNORECASE
)
_REASON_WORD = re.compile(r"reason|why|expla|because|sentence|analysis|근거|이유|설명|문장", re.IGNORECASE)
# A range counts as that of the scores only right beside a word about scores.
_STATED = (
    re.compile(
        rf"(?<![\d.])(-?\d{{1,3}}){_TO}(\d{{1,3}})\s*(?:까지)?(?:의|사이의|사이)?\s*(?:점|정수|integer|scale|points?\b)"
    ),
    re.compile(
        rf"\b(?:scale|scores?|rate|rating|grade|integers?|points?)\b[^\n{{}}\d]{{0,30}}?\b(-?\d{{1,3}}){_TO.replace('|to', '|to|and')}(\d{{1,3}})\b",
        re.IGNORECASE,
    ),
    re.compile(rf"(?:점수|척도|정수|채점|평가)[^\n{{}}\d]{{0,15}}?(-?\d{{1,3}}){_TO}(\d{{1,3}})(?![\d.]*\d)"),
)


Kind = Literal["score", "text", "fraction", "object"]


class ExampleKey(NamedTuple):
    """A key of the JSON example.

    `kind` "fraction" is a number that is no integer, "object" one with keys of its own; "text" includes lists. `scale`
    is what the value of a score suggests, None if it suggests none; `number` is a value that is a number itself.
    """

    name: str
    kind: Kind
    scale: ScoreScale | None = None
    number: int | None = None


def example_keys(text: str) -> list[ExampleKey]:
    """The keys of the JSON objects in a prompt, in order, each once."""
    start = _OPEN.search(text)
    found: dict[str, ExampleKey] = {}
    for member in _MEMBER.finditer(text, start.start()) if start else ():
        one = _classify(member["key"].strip(), member["value"].strip())
        known = found.get(one.name)
        if known is None or (one.kind == "score" and (known.kind == "text" or not known.scale)):
            found[one.name] = one
    return list(found.values())


def stated_scales(text: str) -> list[ScoreScale]:
    """The ranges of scores that a prompt states in words, such as "0~10점" or "on a scale of 1 to 4"."""
    found = [_range(*match.groups()) for pattern in _STATED for match in pattern.finditer(text)]
    return list(dict.fromkeys(scale for scale in found if scale))


def _classify(key: str, value: str) -> ExampleKey:
    said = value.strip("\"'<> \t")
    if value.startswith(("{", "[")) or value == "null":
        return ExampleKey(key, "object" if value.startswith("{") else "text")
    if _YES_NO.search(said) and len(said) <= _SHORT:
        return ExampleKey(key, "score", ScoreScale(0, 1, yes_no=True))
    if _FRACTION.search(said) and not _NUMBER.fullmatch(said) and len(said) <= _SHORT:
        return ExampleKey(key, "fraction")
    if _NUMBER.fullmatch(said):
        return ExampleKey(key, "score", number=int(float(said)))
    is_bare = value[:1] not in ("'", '"', "<")
    if len(said) <= _SHORT and (scale := next(_value_scales(said), None)):
        return ExampleKey(key, "score", scale)
    names_score = _SCORE_WORD.search(said) and not _REASON_WORD.search(said)
    return ExampleKey(key, "score" if is_bare or names_score else "text")


def _value_scales(said: str) -> Iterator[ScoreScale]:
    if choices := _CHOICES.search(said):
        numbers = [int(number) for number in re.findall(r"\d+", choices[0])]
        if scale := _range(min(numbers), max(numbers)):
            yield scale
    if (found := _RANGE.search(said)) and (scale := _range(*found.groups())):
        yield scale


def _range(low: str | int, high: str | int) -> ScoreScale | None:
    scale = ScoreScale(int(low), int(high))
    return scale if scale.low <= 1 and 0 < scale.high - scale.low <= 100 else None
