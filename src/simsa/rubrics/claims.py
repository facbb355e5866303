"""Claims of an answer, each with the words of a passage that support it: prompt, strict parser, and check.

A judge has to copy the words that support a claim from the passage, and the quotation is looked up there.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

from simsa.prompts import numbered
from simsa.records import CLAIMS, Claim, Message, Passage, Question, content_hash
from simsa.rubrics.response_parser import ExpectedObject, ParseFailure, read_object, strip_invisible
from simsa.rubrics.rubric import fill, instructions

_FIELDS = ("question", "context", "prediction")
_SOUGHT = ExpectedObject("list", f'the key "{CLAIMS}"')
_CLAIM = {
    "type": "object",
    "properties": {
        "claim": {"type": "string"},
        "passage": {"type": ["integer", "null"]},
        "quote": {"type": ["string", "null"]},
    },
    "required": ["claim", "passage", "quote"],
    "additionalProperties": False,
}
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {CLAIMS: {"type": "array", "items": _CLAIM}},
    "required": [CLAIMS],
    "additionalProperties": False,
}
"""JSON schema of an answer, in the subset that every strict mode knows."""


class ParsedClaims(NamedTuple):
    """The claims of an answer; an empty answer has none."""

    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True)
class ClaimsPrompt:
    """The prompt that asks for claims, in one language."""

    language: str
    words: Mapping[str, str]

    @property
    def label(self) -> str:
        """Name and version, `claims-ko@1a2b3c4d`."""
        return f"claims-{self.language}@{self.version[:8]}"

    @property
    def version(self) -> str:
        """Hash of the whole prompt."""
        return content_hash(CLAIMS, dict(self.words))

    def material(self, question: Question, prediction: str) -> dict[str, str]:
        """The texts of a row that a call shows."""
        shown = Question(question.id, question.question, passages(question))
        row = {"question": question.question, "context": numbered(shown), "prediction": prediction}
        return {name: text if text.strip() else self.words["none"] for name, text in row.items()}

    def messages(self, material: Mapping[str, str], code: str) -> tuple[Message, ...]:
        """The chat messages; `code` marks where material begins and ends."""
        words = self.words
        sections = [
            f"## {words[name]}\n<{name} {code}>\n{material[name]}\n</{name} {code}>" for name in _FIELDS
        ]
        user = "\n\n".join([fill(words["code"], {"code": code}), *sections, words["closing"]])
        return Message("system", words["system"].strip()), Message("user", user)

    def retry_message(self, reason: str) -> str:
        """The message to a judge whose list could not be parsed for `reason`."""
        return fill(self.words["again"], {"reason": reason})


@cache
def claims_prompt(language: str) -> ClaimsPrompt:
    """The prompt in Korean, or in English for every other language."""
    spoken = "ko" if language == "ko" else "en"
    file = resources.files("simsa.rubrics").joinpath(f"claims-{spoken}.toml")
    return ClaimsPrompt(spoken, tomllib.loads(file.read_text(encoding="utf-8")))


def passages(question: Question) -> tuple[Passage, ...]:
    """The passages that claims are checked against; for a chat row without any, its instructions as one passage."""
    told = instructions(question)
    return question.contexts or ((Passage(told),) if told.strip() else ())


def read_claims(
    text: str, found: Sequence[Passage], quoted: Iterable[str] = ()
) -> ParsedClaims | ParseFailure:
    """The claims that `text` lists, each checked against `found`; or why they cannot be read. Never raises.

    A claim has a text, and either a passage's number with a quote or null for it. It is
    supported only if there is such a passage and the quote stands in it (see `stands`).
    The same claim twice is one, supported if either is.
    `quoted` are the judged texts: a list copied out of one is not the judge's, nor is one
    with a piece of them in it that is no text of its own.
    """
    texts = tuple(quoted)
    whole = read_object(text, (CLAIMS,), texts, _SOUGHT)
    if isinstance(whole, ParseFailure):
        return whole
    listed = whole.value.get(CLAIMS)
    if not isinstance(listed, list):
        problem = "not a list" if CLAIMS in whole.value else "missing"
        return ParseFailure("unreadable", f'"{CLAIMS}" is {problem}')
    if _spliced(whole.source, texts):
        return ParseFailure("unreadable", "it quotes the material without escaping quotation marks")
    claims: dict[str, Claim] = {}
    for n, one in enumerate(listed, 1):
        claim = _claim(one, found)
        if isinstance(claim, str):
            return ParseFailure("unreadable", f"claim {n}: {claim}")
        same = claims.setdefault(_normal(claim.claim), claim)
        if claim.supported and not same.supported:
            claims[_normal(claim.claim)] = claim
    return ParsedClaims(tuple(claims.values()))


# A smuggled claim needs both keys; this many characters around one are no coincidence.
_KEY = re.compile(r'"(?:passage|quote)":')
_BEFORE, _BEHIND = 12, 16


def _spliced(source: str, quoted: Iterable[str]) -> bool:
    """Whether keys of the list come from a judged text that the judge quoted without escapes.

    Without escapes, `1986", "passage": 1, "quote": "…` in an answer would support itself.
    """
    written = strip_invisible(source)
    texts = (strip_invisible(judged) for judged in quoted if '"' in judged)
    pieces = {
        text[max(0, key.start() - _BEFORE) : key.end() + _BEHIND]
        for text in texts
        for key in _KEY.finditer(text)
    }
    return any(piece in written for piece in pieces)


def _claim(one: Any, found: Sequence[Passage]) -> Claim | str:
    """A claim of the list, or the problem with it."""
    if not isinstance(one, dict):
        return "not an object"
    if missing := [name for name in ("claim", "passage", "quote") if name not in one]:
        return f"{', '.join(missing)} is missing"
    claim, passage, quote = one["claim"], _number(one["passage"]), one["quote"]
    if not isinstance(claim, str) or not claim.strip():
        return '"claim" is not a text'
    if isinstance(passage, str):
        return passage
    if passage is None:
        return Claim(_clean(claim), None, None, supported=False)
    if not isinstance(quote, str) or not quote.strip():
        return 'there is a "passage" and no "quote" from it'
    supported = 1 <= passage <= len(found) and stands(quote, found[passage - 1])
    return Claim(_clean(claim), passage, _clean(quote), supported)


# A number as it is, or as the passages are marked.
_MOST = 10**9
_NUMBER = re.compile(r"\s*(?:\[\[)?(?:ref)?(-?[0-9]{1,9})(?:\]\])?\s*")


def _number(value: Any) -> int | str | None:
    """A passage's number; None if no passage is named; the problem with `value` as text."""
    if value is None:
        return None
    if type(value) is str and (spelt := _NUMBER.fullmatch(value)):
        return int(spelt[1])
    if type(value) is int or (type(value) is float and value.is_integer()):
        return int(max(-_MOST, min(_MOST, value)))
    return '"passage" is not the number of one search result, or null'


# Marks around a quotation, or for words left out, that are not part of it.
_MARK = re.compile(r"\s*\[\[ref\d+\]\]\s*")
_AROUND = " \t\r\n\"'`“”‘’«»「」『』〈〉《》.,;:。、"
_LEFT_OUT = re.compile(r"…|\.{3,}|⋯")
_SPACE = re.compile(r"\s+")
_BETWEEN_NUMBERS = re.compile(r"(?:(?<=\d)|(?<=\d[.,]))\s+(?=\d)")
# A number that begins, or ends, where a larger one goes on.
_BEGUN = re.compile(r"\d\.?\Z")
_BEGUN_BY_THOUSANDS = re.compile(r"\d,\Z")
_THREE_DIGITS = re.compile(r"\d{3}(?!\d)")
_GOES_ON = re.compile(r"\d|\.\d|,\d{3}(?!\d)")


def stands(quote: str, passage: Passage) -> bool:
    """Whether `quote` stands in the passage as it is shown.

    White space, case, forms of the same characters and punctuation around it do not matter;
    what it leaves out with … may be anything. A number must be the whole number: neither 987
    nor 198 stands in 1,987.
    """
    text = _MARK.sub(" ", quote)
    pieces = [piece for part in _LEFT_OUT.split(text) if (piece := _normal(part.strip(_AROUND)))]
    shown = _normal(f"{passage.title}: {passage.text}" if passage.title else passage.text)
    at = 0
    for piece in pieces:
        at = _after(piece, shown, at)
        if at < 0:
            return False
    return bool(pieces)


def _after(piece: str, shown: str, start: int) -> int:
    """End of the first occurrence of `piece` in `shown` after `start`; -1 if there is none."""
    while (at := shown.find(piece, start)) >= 0:
        end = at + len(piece)
        if not (_cuts_before(piece, shown[max(0, at - 2) : at]) or _cuts_after(piece, shown, end)):
            return end
        start = at + 1
    return -1


def _cuts_before(piece: str, before: str) -> bool:
    """Whether `piece` begins within a number."""
    if not piece[0].isdigit():
        return False
    thousands = _THREE_DIGITS.match(piece) and _BEGUN_BY_THOUSANDS.search(before)
    return bool(thousands or _BEGUN.search(before))


def _cuts_after(piece: str, shown: str, end: int) -> bool:
    return piece[-1].isdigit() and _GOES_ON.match(shown, end) is not None


def _normal(text: str) -> str:
    """`text` without differences that do not matter; two adjacent numbers stay apart."""
    same = unicodedata.normalize("NFKC", text).casefold()
    return _SPACE.sub("", _BETWEEN_NUMBERS.sub("\0", same))


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
