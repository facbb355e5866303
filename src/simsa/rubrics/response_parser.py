"""The one strict reader of verdicts, whatever endpoint they come from.

A verdict is a JSON object with one integer from 1 to 5 for each criterion asked for,
and an `analysis`. It may stand alone, in a code fence, after `<think>…</think>` or
amid other text; the last one counts. Nothing is guessed: what is not exactly that has
no scores, but a status and a reason that can be told to the judge.

Judges quote what they judge, and what they judge may be hostile. So

- an object is never looked into for a verdict: not its strings, not its members;
- a JSON object that begins and cannot be parsed ends the reading, for whatever
  follows may still be inside one of its strings; so do scores after the last verdict
  that belong to no object;
- a verdict that stands word for word in the judged texts is a quotation, not a verdict;
- one that gives a criterion two different scores is none where a judged text has quotation
  marks: the second may be out of a quotation that was not escaped.

Time is linear in the length of the text.

Where in an answer the scores of its verdict stand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from simsa.records import CRITERIA, MAX_SCORE, Status
from simsa.text import one_line

ANALYSIS = "analysis"

# A brace in prose opens nothing: an object begins with a key and a colon.
_OPENING = re.compile(r'\{\s*+"(?:[^"\\]++|\\.)*+"\s*+:', re.DOTALL)
_CUT_OPENING = re.compile(r'\{\s*+(?:"(?:[^"\\]++|\\.)*+(?:"\s*+)?+)?+\Z', re.DOTALL)
_UNSEEN = re.compile(
    r"[\s\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\U000e0000-\U000e007f]+"
)
_STRAY_SCORE = re.compile(r'"(\w++)"\s*+:\s*+"?\d')
_THINK, _THOUGHT = "<think>", "</think>"
_DECLINED = re.compile(
    r"\bI(?:['’]m| am) (?:sorry|unable|not able)\b|\bI (?:can(?:not|['’]t)|won['’]t)\b|\bunable to (?:assist|comply)\b"
    r"|죄송|(?:도와|도움|응할|평가할|채점할|답변할|제공할)\S{0,4} ?수 ?(?:가 )?없",
    re.IGNORECASE,
)
_DECLINED_WITHIN = 300

_SCORES: dict[object, int] = {
    spelling: n for n in range(1, MAX_SCORE + 1) for spelling in (n, str(n))
}  # 4.0 finds 4: JSON does not tell them apart


class ParsedScores(NamedTuple):
    """A verdict: every criterion asked for, each an integer from 1 to 5."""

    scores: dict[str, int]
    analysis: str


class ParseFailure(NamedTuple):
    """No verdict. `reason` is a clause in English that can be told to the judge."""

    status: Status
    reason: str


def read_verdict(
    text: str, criteria: Sequence[str] = CRITERIA, quoted: Iterable[str] = ()
) -> ParsedScores | ParseFailure:
    """The verdict on `criteria` that `text` gives, or why it gives none. Never raises.

    `quoted` are the texts that were judged; a verdict copied out of one is not one.
    """
    found = read_object(text, criteria, quoted, _VERDICT)
    return found if isinstance(found, ParseFailure) else _verdict(found.value, criteria)


class ExpectedObject(NamedTuple):
    """What is looked for, in words that can be told to the judge: what it is, and how it is known."""

    name: str
    mark: str


class Object(NamedTuple):
    """A JSON object, and how it is written."""

    value: dict[str, Any]
    source: str


_VERDICT = ExpectedObject("verdict", "the scores")
_UNFINISHED = ParseFailure("truncated", "the JSON object was not finished")


def read_object(
    text: str, keys: Sequence[str], quoted: Iterable[str], sought: ExpectedObject
) -> Object | ParseFailure:
    """The JSON object with one of `keys` that `text` gives, or why it gives none. Never raises.

    The key may be deep inside: then what counts is there, and it is in no form that was asked for.
    """
    judged = _Judged(quoted)
    try:
        whole = orjson.loads(text)
    except orjson.JSONDecodeError:
        return _search(text, keys, judged, sought)
    if type(whole) is not dict:
        return _search(text, keys, judged, sought)
    if judged.have(text):
        return _copied(sought)
    return (judged.may_break_out and _twofold(text.strip(), keys)) or Object(whole, text.strip())


def _copied(sought: ExpectedObject) -> ParseFailure:
    return ParseFailure("unreadable", f"the {sought.name} is a copy of text in the material; give your own")


def _search(text: str, keys: Sequence[str], judged: _Judged, sought: ExpectedObject) -> Object | ParseFailure:
    """The last such object amid other text."""
    answer = text.strip()
    if answer.startswith(_THINK):
        _, closed, answer = answer.partition(_THOUGHT)
        if not closed:
            return ParseFailure("truncated", "the reasoning was not finished")
    if not answer or answer.isspace():
        return ParseFailure("empty", "the answer is empty")

    last: dict[str, Any] | None = None
    written = ""
    copied = False
    position = 0
    since: list[str] = []  # prose after the last one
    while opening := _OPENING.search(answer, position):
        since.append(answer[position : opening.start()])
        try:
            value, position = _DECODER.raw_decode(answer, opening.start())
        except RecursionError:
            return ParseFailure("unreadable", "the JSON is nested too deeply")
        except ValueError as error:
            return _broken(answer, error)
        if _has_key(value, keys):
            source = answer[opening.start() : position]
            if judged.have(source):
                copied = True
            else:
                last, since, written = value, [], source
    if _CUT_OPENING.search(answer, position):
        return _UNFINISHED
    rest = "".join([*since, answer[position:]])
    if last is not None and any(stray[1] in keys for stray in _STRAY_SCORE.finditer(rest)):
        return ParseFailure("unreadable", "there are scores outside of the JSON object")
    if last is not None and _THOUGHT not in rest:  # else it was a thought, its <think> being in the prompt
        return (judged.may_break_out and _twofold(written, keys)) or Object(last, written)
    if copied:
        return _copied(sought)
    if _DECLINED.search(answer[:_DECLINED_WITHIN]):
        return ParseFailure("refused", f"the judge declined: {one_line(answer, 120)}")
    return ParseFailure("unreadable", f"there is no JSON object with {sought.mark}")


# Line breaks inside a string are tolerated: they cannot change a score.
_DECODER = json.JSONDecoder(strict=False)


def _broken(answer: str, error: ValueError) -> ParseFailure:
    """An object that began and did not parse: cut off if it is never closed, else malformed."""
    position = error.pos if isinstance(error, json.JSONDecodeError) else 0
    message = error.msg if isinstance(error, json.JSONDecodeError) else "a number is out of range"
    if "}" not in answer[position:] or message.startswith("Unterminated string"):
        return _UNFINISHED
    return ParseFailure("unreadable", f"the JSON is not valid ({message.lower()})")


def _verdict(found: dict[str, Any], criteria: Sequence[str]) -> ParsedScores | ParseFailure:
    scores: dict[str, int] = {}
    problems: list[str] = []
    for name in criteria:
        value = found.get(name, found)
        score = _SCORES.get(value.strip() if type(value) is str else value) if _is_scalar(value) else None
        if score is not None:
            scores[name] = score
        elif value is found:
            problems.append(f'"{name}" is missing')
        else:
            problems.append(f'"{name}" is {_shown(value)}, not an integer from 1 to {MAX_SCORE}')
    if problems:
        return ParseFailure("unreadable", "; ".join(problems))
    return ParsedScores(scores, _analysis(found.get(ANALYSIS)))


def _is_scalar(value: object) -> bool:
    """Whether `value` may spell a score; True and null may not."""
    return type(value) in (int, float, str)


def _shown(value: object) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    return one_line(json.dumps(value, ensure_ascii=False), 40)


def _analysis(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        try:
            value = json.dumps(value, ensure_ascii=False)
        except RecursionError:
            return ""
    return value.encode("utf-8", "replace").decode()


def _has_key(value: object, names: Sequence[str]) -> bool:
    """Whether an object in `value`, however deep, has one of `names` as a key."""
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


def _twofold(source: str, keys: Sequence[str]) -> ParseFailure | None:
    """Why the object that `source` is counts for nothing, where it gives one of `keys` two different values."""
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


class _Judged:
    """The texts that were judged, as far as they can be taken for an object or for a part of one.

    `may_break_out`: one of them, quoted without being escaped, could add members to the object that quotes it.
    """

    def __init__(self, quoted: Iterable[str]) -> None:
        marked = [text for text in quoted if '"' in text]
        self.may_break_out = any(":" in text for text in marked)
        self._with_objects = [text for text in marked if "{" in text]

    def have(self, source: str) -> bool:
        """Whether the object that `source` is stands in one of them."""
        if not self._with_objects:
            return False
        copied = bare(source)
        return any(copied in bare(text) for text in self._with_objects)


def bare(text: str) -> str:
    """`text` without white space and what is not seen, which a copy may have lost."""
    return _UNSEEN.sub("", "".join(text.split()))


_OPENING_places = re.compile(r'\{\s*"')
_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER_places = json.JSONDecoder(strict=False)


def score_offsets(text: str, scores: Mapping[str, int]) -> dict[str, int]:
    """Criterion → the offset in `text` of the digit that is its score, found by its key.

    `scores` is the verdict that was read from `text`; it is looked for in the last object
    that gives it. A score that is not written as its digit has no place.
    """
    start = _verdict_at(text, scores)
    if start is None:
        return {}
    found: dict[str, int] = {}
    for key, first, end in _members(text, start):
        if key in scores:
            digit = next((at for at in range(first, end) if text[at].isdigit()), -1)
            if digit >= 0 and text[digit] == str(scores[key]):
                found[key] = digit
            else:
                found.pop(key, None)
    return found


def _verdict_at(text: str, scores: Mapping[str, int]) -> int | None:
    """Where the last object begins that has all of `scores`."""
    last, position = None, 0
    while opening := _OPENING_places.search(text, position):
        try:
            value, end = _DECODER_places.raw_decode(text, opening.start())
        except (ValueError, RecursionError):
            position = opening.end()
            continue
        if all(str(value.get(name)).strip() in (str(score), f"{score}.0") for name, score in scores.items()):
            last = opening.start()
        position = end
    return last


def _members(text: str, start: int) -> Iterator[tuple[str, int, int]]:
    """Key, beginning and end of each value of the object, known to be valid, that begins at `start`."""
    at = _skip(text, start + 1)
    while text[at] == '"':
        key, at = _DECODER_places.raw_decode(text, at)
        first = _skip(text, _skip(text, at) + 1)
        _, end = _DECODER_places.raw_decode(text, first)
        yield key, first, end
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at
