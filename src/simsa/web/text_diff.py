"""The text that an answer shares with a passage, and its differences from the reference."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import groupby
from typing import Literal, NamedTuple

from simsa.metrics.citations import strip_citations

LONGEST = 20_000
"""Characters of a text that are compared; the rest is neither marked nor compared."""

_GRAM = 4
_SHORTEST = 2
# Korean sentence endings, which any two sentences may share.
_ENDING = re.compile("습니|니다")
_CITATION = re.compile(r"\[\[\s?ref[^\]\n]{0,60}\]\]", re.I)
_WORD = re.compile(rf"(?:{_CITATION.pattern}|(?:(?!\[\[\s?ref)\S)+|\S)\s*|\s+", re.I)
_MOST_WORDS = 2_000
_CLOSE = 0.5
_LONGEST_WORDS = 200

Kind = Literal["same", "added", "missing", "cited"]


class OverlapSpan(NamedTuple):
    """A piece of a passage, and the numbers of the answers that share it."""

    text: str
    by: tuple[int, ...]


class DiffSpan(NamedTuple):
    """A piece of an answer ("same", "added", "cited"), or of the reference where the answer lacks it ("missing")."""

    kind: Kind
    text: str


def overlap_spans(passage: str, answers: Sequence[str]) -> list[OverlapSpan]:
    """Splits `passage` into spans, each with the answers that share it.

    Shared text is a run of at least four letters or digits, ignoring spaces and punctuation, or a whole shorter
    answer. Citation markers and sentence endings do not count.
    """
    text = passage[:LONGEST]
    letters, places = _letters(text)
    masks = [0] * len(text)
    for number, answer in enumerate(answers):
        for start, end in _shared(letters, _letters(strip_citations(answer[:LONGEST]))[0]):
            for place in range(places[start], places[end - 1] + 1):
                masks[place] |= 1 << number
    pieces = [
        OverlapSpan(
            "".join(text[place] for place in run), tuple(n for n in range(len(answers)) if mask >> n & 1)
        )
        for mask, run in groupby(range(len(text)), key=masks.__getitem__)
    ]
    return [*pieces, OverlapSpan(passage[LONGEST:], ())] if len(passage) > LONGEST else pieces


def _letters(text: str) -> tuple[str, list[int]]:
    """Letters and digits of `text` in lower case, and the position of each."""
    found = [(lower, place) for place, c in enumerate(text) if c.isalnum() and len(lower := c.lower()) == 1]
    return "".join(c for c, _ in found), [place for _, place in found]


def _shared(passage: str, answer: str) -> Iterator[tuple[int, int]]:
    size = min(_GRAM, len(answer))
    if size < _SHORTEST:
        return
    grams = {answer[i : i + size] for i in range(len(answer) - size + 1)}
    for start in range(len(passage) - size + 1):
        gram = passage[start : start + size]
        if gram in grams and not _ENDING.search(gram):
            yield start, start + size


def diff_spans(answer: str, references: Sequence[str]) -> list[DiffSpan] | None:
    """Compares `answer` with the closest of `references` word by word, and similar words letter by letter.

    All spans but the "missing" ones make up the answer. Citation markers are neither right nor wrong.
    Returns None without a reference, or where a text is too long to compare.
    """
    found = [ours for reference in references if (ours := _compare(answer, reference)) is not None]
    return max(found, key=_n_same, default=None)


def _n_same(pieces: list[DiffSpan]) -> int:
    missing = sum(len(piece.text) for piece in pieces if piece.kind == "missing")
    return sum(len(piece.text) for piece in pieces if piece.kind == "same") - missing


def _compare(answer: str, reference: str) -> list[DiffSpan] | None:
    if not reference.strip() or len(answer) > LONGEST or len(reference) > LONGEST:
        return None
    said, wanted = _words(answer), _words(strip_citations(reference))
    if len(said) > _MOST_WORDS or len(wanted) > _MOST_WORDS:
        return None
    matcher = SequenceMatcher(None, [_key(word) for word in wanted], [_key(word) for word in said], False)
    pieces: list[DiffSpan] = []
    for tag, i, i_end, j, j_end in matcher.get_opcodes():
        ours, theirs = "".join(said[j:j_end]), "".join(wanted[i:i_end])
        pieces += [DiffSpan("same", ours)] if tag == "equal" else _changed(theirs, ours)
    return _merge(pieces)


def _changed(wanted: str, said: str) -> list[DiffSpan]:
    """Compares replaced words letter by letter: their beginnings may be equal, as before another particle."""
    if not (wanted and said) or max(len(wanted), len(said)) > _LONGEST_WORDS:
        return [DiffSpan("missing", wanted), *_added(said)]
    matcher = SequenceMatcher(None, wanted, said, False)
    close = matcher.ratio() >= _CLOSE
    pieces: list[DiffSpan] = []
    i_end = j_end = 0
    for i, j, n in matcher.get_matching_blocks():
        if n and (n < _SHORTEST or not (close or (_begins(wanted, i) and _begins(said, j)))):
            continue
        pieces += [
            DiffSpan("missing", wanted[i_end:i]),
            *_added(said[j_end:j]),
            DiffSpan("same", said[j : j + n]),
        ]
        i_end, j_end = i + n, j + n
    return pieces


def _begins(text: str, place: int) -> bool:
    """Whether a word begins at `place`."""
    return not text[place].isspace() and (place == 0 or text[place - 1].isspace())


def _added(text: str) -> list[DiffSpan]:
    pieces, end = [], 0
    for citation in _CITATION.finditer(text):
        pieces += [DiffSpan("added", text[end : citation.start()]), DiffSpan("cited", citation[0])]
        end = citation.end()
    return [*pieces, DiffSpan("added", text[end:])]


def _merge(pieces: Sequence[DiffSpan]) -> list[DiffSpan]:
    runs = groupby((piece for piece in pieces if piece.text), key=lambda piece: piece.kind)
    return [DiffSpan(kind, "".join(piece.text for piece in run)) for kind, run in runs]


def _words(text: str) -> list[str]:
    return _WORD.findall(text)


def _key(word: str) -> str:
    """The form in which words are compared: without the space after them and the punctuation at their ends."""
    folded = unicodedata.normalize("NFC", word).casefold().strip()
    return folded.strip(".,!?;:\"'“”‘’()") or folded
