"""The strict parser of judges' replies. Every reply goes through it, whichever endpoint it came from.

A verdict is a JSON object with one score for each criterion, on the criterion's own scale, and an analysis. It may
stand alone, in a code fence, after `<think>…</think>` or amid other text; the last one counts. Nothing is guessed:
any other reply gives no scores, but a status and a reason that can be told to the judge.

Judges quote what they judge, and the judged texts may be hostile. Therefore:

- the strings and members of an object are never searched for a verdict;
- a JSON object that begins and cannot be parsed ends the parsing, because what follows may still be inside one of
  its strings; scores after the last verdict that belong to no object do the same;
- a verdict that occurs word for word in a judged text is a quotation and does not count;
- a verdict with two different scores for a criterion does not count if a judged text has quotation marks, because
  the second score may come from a quotation that was not escaped.

The time is linear in the length of the text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from simsa.records import Criteria, Criterion, Status
from simsa.text import one_line

ANALYSIS = "analysis"
"""The usual key of the text in which a judge explains its scores."""

# A brace in prose opens no object: an object begins with a key and a colon.
_OPENING = re.compile(r'\{\s*+"(?:[^"\\]++|\\.)*+"\s*+:', re.DOTALL)
_CUT_OPENING = re.compile(r'\{\s*+(?:"(?:[^"\\]++|\\.)*+(?:"\s*+)?+)?+\Z', re.DOTALL)
_INVISIBLE = re.compile(
    r"[\s\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\U000e0000-\U000e007f]+"
)
_STRAY_SCORE = re.compile(r'"(\w++)"\s*+:\s*+"?(?:(-?\d)|(?:true|false|yes|no|예|아니오)\b)', re.IGNORECASE)
_THINK, _THOUGHT = "<think>", "</think>"
_DECLINED = re.compile(
    r"\bI(?:['’]m| am) (?:sorry|unable|not able)\b|\bI (?:can(?:not|['’]t)|won['’]t)\b|\bunable to (?:assist|comply)\b"
    r"|죄송|(?:도와|도움|응할|평가할|채점할|답변할|제공할)\S{0,4} ?수 ?(?:가 )?없",
    re.IGNORECASE,
)
_DECLINED_WITHIN = 300
_YES_NO = {"true": 1, "yes": 1, "예": 1, "네": 1, "false": 0, "no": 0, "아니오": 0, "아니요": 0}
_NUMBER = re.compile(r"-?\d+")
_SPACE = re.compile(r"[ \t\n\r]*")
# Line breaks inside a string are tolerated: they cannot change a score.
_DECODER = json.JSONDecoder(strict=False)


class ParsedScores(NamedTuple):
    """A verdict: one score for each criterion that was asked for."""

    scores: dict[str, int]
    analysis: str


class ParseFailure(NamedTuple):
    """No verdict. `reason` is a clause in English that can be told to the judge."""

    status: Status
    reason: str


class ExpectedObject(NamedTuple):
    """The JSON object to look for, in words for the judge: its name, and what identifies it."""

    name: str
    mark: str


class Object(NamedTuple):
    """A JSON object and its source text."""

    value: dict[str, Any]
    source: str


_VERDICT = ExpectedObject("verdict", "the scores")
_UNFINISHED = ParseFailure("truncated", "the JSON object was not finished")


def read_verdict(
    text: str, criteria: Criteria, quoted: Iterable[str] = (), analysis: str = ANALYSIS
) -> ParsedScores | ParseFailure:
    """Returns the verdict on `criteria` in `text`, or why there is none. Never raises.

    `quoted` are the texts that were judged; a verdict copied from one of them does not count. `analysis` is the key
    of the explanation.
    """
    yes_no = frozenset(criterion.name for criterion in criteria if criterion.is_yes_no)
    found = read_object(text, criteria.names, quoted, _VERDICT, yes_no)
    if isinstance(found, ParseFailure):
        return found
    scores: dict[str, int] = {}
    problems: list[str] = []
    for criterion in criteria:
        name = criterion.name
        if name not in found.value:
            problems.append(f'"{name}" is missing')
        elif (score := _score(found.value[name], criterion)) is None:
            problems.append(f'"{name}" is {_shown(found.value[name])}, not {_scale(criterion)}')
        else:
            scores[name] = score
    if problems:
        return ParseFailure("unreadable", "; ".join(problems))
    return ParsedScores(scores, _text(found.value.get(analysis)))


def _score(value: object, criterion: Criterion) -> int | None:
    """The score that the JSON value `value` spells on the criterion's scale; None if it spells none."""
    if isinstance(value, str):
        word = value.strip()
        if criterion.is_yes_no and word.casefold() in _YES_NO:
            return _YES_NO[word.casefold()]
        return next((level for level in criterion.levels if str(level) == word), None)
    if isinstance(value, bool):
        return int(value) if criterion.is_yes_no else None
    # 4.0 is 4: JSON does not distinguish them.
    return next((level for level in criterion.levels if level == value), None)


def _scale(criterion: Criterion) -> str:
    if criterion.is_yes_no:
        return "true or false"
    return f"an integer from {criterion.low} to {criterion.high}"


def _shown(value: object) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    return one_line(json.dumps(value, ensure_ascii=False), 40)


def _text(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        try:
            value = json.dumps(value, ensure_ascii=False)
        except RecursionError:
            return ""
    return value.encode("utf-8", "replace").decode()


def read_object(
    text: str,
    keys: Sequence[str],
    quoted: Iterable[str],
    sought: ExpectedObject,
    yes_no: frozenset[str] = frozenset(),
) -> Object | ParseFailure:
    """Returns the JSON object with one of `keys` that `text` has, or why there is none. Never raises.

    The key may be at any depth; an object that has it deep inside counts, and is in a wrong form. A number outside of
    the object under one of the keys makes it doubtful, as does a yes or no under one of the keys `yes_no`.
    """
    judged = _JudgedTexts(quoted)
    source = text.strip()
    try:
        whole = orjson.loads(text)
    except orjson.JSONDecodeError:
        whole = None
    if type(whole) is not dict:
        found = _search(source, keys, judged, sought, yes_no)
        if isinstance(found, ParseFailure):
            return found
        whole, source = found
    elif judged.contain(source):
        return _copied(sought)
    return (judged.may_break_out and _contradiction(source, keys)) or Object(whole, source)


def _search(
    answer: str, keys: Sequence[str], judged: _JudgedTexts, sought: ExpectedObject, yes_no: frozenset[str]
) -> Object | ParseFailure:
    """The last such object amid other text."""
    if answer.startswith(_THINK):
        _, closed, answer = answer.partition(_THOUGHT)
        if not closed:
            return ParseFailure("truncated", "the reasoning was not finished")
    if not answer or answer.isspace():
        return ParseFailure("empty", "the answer is empty")

    last: Object | None = None
    copied = False
    position = 0
    prose: list[str] = []  # the text after `last`
    while opening := _OPENING.search(answer, position):
        prose.append(answer[position : opening.start()])
        try:
            value, position = _DECODER.raw_decode(answer, opening.start())
        except RecursionError:
            return ParseFailure("unreadable", "the JSON is nested too deeply")
        except ValueError as error:
            return _invalid(answer, error)
        if _has_key(value, keys):
            source = answer[opening.start() : position]
            if judged.contain(source):
                copied = True
            else:
                last, prose = Object(value, source), []
    if _CUT_OPENING.search(answer, position):
        return _UNFINISHED
    rest = "".join([*prose, answer[position:]])
    if last is not None and _has_stray_score(rest, keys, yes_no):
        return ParseFailure("unreadable", "there are scores outside of the JSON object")
    # An object before `</think>` belongs to the reasoning, whose `<think>` was in the prompt.
    if last is not None and _THOUGHT not in rest:
        return last
    if copied:
        return _copied(sought)
    if _DECLINED.search(answer[:_DECLINED_WITHIN]):
        return ParseFailure("refused", f"the judge declined: {one_line(answer, 120)}")
    return ParseFailure("unreadable", f"there is no JSON object with {sought.mark}")


def _copied(sought: ExpectedObject) -> ParseFailure:
    return ParseFailure("unreadable", f"the {sought.name} is a copy of text in the material; give your own")


def _invalid(answer: str, error: ValueError) -> ParseFailure:
    """Why an object that began could not be parsed: cut off if it is never closed, otherwise malformed."""
    position = error.pos if isinstance(error, json.JSONDecodeError) else 0
    message = error.msg if isinstance(error, json.JSONDecodeError) else "a number is out of range"
    if "}" not in answer[position:] or message.startswith("Unterminated string"):
        return _UNFINISHED
    return ParseFailure("unreadable", f"the JSON is not valid ({message.lower()})")


def _has_stray_score(text: str, keys: Sequence[str], yes_no: frozenset[str]) -> bool:
    return any(stray[1] in (keys if stray[2] else yes_no) for stray in _STRAY_SCORE.finditer(text))


def _has_key(value: object, names: Sequence[str]) -> bool:
    """Whether an object in `value`, at any depth, has one of `names` as a key."""
    rest = [value]
    while rest:
        part = rest.pop()
        if isinstance(part, dict):
            if any(name in part for name in names):
                return True
            rest.extend(part.values())
        elif isinstance(part, list):
            rest.extend(part)
    return False


def _contradiction(source: str, keys: Sequence[str]) -> ParseFailure | None:
    """Why the object `source` does not count if it gives one of `keys` two different values."""
    outermost: list[tuple[str, Any]] = []

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        outermost[:] = found
        return dict(found)

    try:
        json.loads(source, strict=False, object_pairs_hook=pairs)
    except (ValueError, RecursionError):
        return ParseFailure("unreadable", "the JSON is not valid")
    seen: dict[str, Any] = {}
    for key, value in outermost:
        if key in keys and seen.setdefault(key, value) != value:
            return ParseFailure("unreadable", f'"{key}" is given twice, with different values')
    return None


class _JudgedTexts:
    """The judged texts that could be mistaken for an object or for a part of one.

    `may_break_out`: one of them, quoted without escapes, could add members to the object that quotes it.
    """

    def __init__(self, quoted: Iterable[str]) -> None:
        marked = [text for text in quoted if '"' in text]
        self.may_break_out = any(":" in text for text in marked)
        self._with_objects = [text for text in marked if "{" in text]

    def contain(self, source: str) -> bool:
        """Whether the object `source` occurs in one of them."""
        if not self._with_objects:
            return False
        copied = strip_invisible(source)
        return any(copied in strip_invisible(text) for text in self._with_objects)


def strip_invisible(text: str) -> str:
    """`text` without white space and invisible characters, which a copy may have lost."""
    return _INVISIBLE.sub("", "".join(text.split()))


def score_offsets(text: str, scores: Mapping[str, int]) -> dict[str, int]:
    """Criterion → offset in `text` of the number that is its score, found by its key.

    `scores` is the verdict that was parsed from `text`; the last object that gives it is used. A score that is not
    written as a number, such as true, has no offset.
    """
    start = _verdict_start(text, scores)
    if start is None:
        return {}
    found: dict[str, int] = {}
    for key, first, end in _members(text, start):
        if key in scores:
            found.pop(key, None)
            number = _NUMBER.search(text, first, end)
            if number and number[0] == str(scores[key]):
                found[key] = number.start()
    return found


def _verdict_start(text: str, scores: Mapping[str, int]) -> int | None:
    """Offset of the last object that has all of `scores`."""
    last, position = None, 0
    while opening := _OPENING.search(text, position):
        try:
            value, end = _DECODER.raw_decode(text, opening.start())
        except (ValueError, RecursionError):
            position = opening.end()
            continue
        if all(_spells(value.get(name), score) for name, score in scores.items()):
            last = opening.start()
        position = end
    return last


def _spells(value: object, score: int) -> bool:
    written = str(value).strip().casefold()
    return written in (str(score), f"{score}.0") or _YES_NO.get(written) == score


def _members(text: str, start: int) -> Iterator[tuple[str, int, int]]:
    """Key, start and end of each value of the valid object that begins at `start`."""
    at = _skip_space(text, start + 1)
    while text[at] == '"':
        key, at = _DECODER.raw_decode(text, at)
        first = _skip_space(text, _skip_space(text, at) + 1)
        _, end = _DECODER.raw_decode(text, first)
        yield key, first, end
        at = _skip_space(text, end)
        if text[at] == ",":
            at = _skip_space(text, at + 1)


def _skip_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at
