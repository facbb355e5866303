"""Doubtful rows of a test set: leaks from training data, duplicates, and references that look wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter
from typing import Any, Literal, NamedTuple

from simsa.data.near_duplicates import Match, NearDuplicateIndex, SimilarRow, normalise
from simsa.metrics.abstention import is_abstention
from simsa.metrics.citations import strip_citations
from simsa.records import Question
from simsa.text import one_line

Kind = Literal[
    "leaked_question",  # the training file has the question as well
    "leaked_passage",  # the training file has the passage as well
    "duplicate_question",  # the test set has the question twice
    "unsupported_reference",  # answerable, but no passage supports the reference
    "refusal_as_reference",  # answerable, but the reference declines to answer
    "answer_as_reference",  # unanswerable, but the reference answers
]

# From this length on, a training row's question may be a whole prompt with passages in it.
_MIN_PROMPT_CHARS = 80
_EXCERPT_CHARS = 80
_BLOCK_ROWS = 512
# Paraphrased references share 0.4 and more of their character pairs with their passages, and 0.2 and
# less with the passages of other questions (measured on invented Korean rows).
_MIN_SUPPORT = 0.3
_YES_OR_NO = frozenset(
    map(normalise, ("예", "네", "아니요", "아니오", "맞습니다", "아닙니다", "yes", "no", "true", "false"))
)
_CLOSENESS: dict[Match | None, int] = {"exact": 2, "normalised": 1, "near": 0, None: 0}


class DataFinding(NamedTuple):
    """One doubtful row. `excerpt` is from the row itself; `other` is the row that it is compared with.

    `similarity` is 0–1: what both texts share, or how much of a reference the passages hold.
    """

    kind: Kind
    question_id: str
    excerpt: str
    match: Match | None = None
    other: str | None = None
    other_excerpt: str | None = None
    similarity: float | None = None


@dataclass(frozen=True, slots=True)
class DataQuality:
    """All findings, in the order of the test set within each kind."""

    findings: tuple[DataFinding, ...]

    @property
    def counts(self) -> dict[Kind, int]:
        """Kind → number of questions."""
        return dict(Counter(finding.kind for finding in self.findings))

    def of(self, kind: Kind) -> list[DataFinding]:
        """The findings of one kind."""
        return [finding for finding in self.findings if finding.kind == kind]

    def to_dict(self) -> dict[str, Any]:
        return {"counts": self.counts, "findings": [finding._asdict() for finding in self.findings]}


def inspect_quality(test: Sequence[Question], train: Iterable[Question] = ()) -> DataQuality:
    """Leaks from `train` (streamed), duplicates within `test`, and references that look wrong."""
    return DataQuality((*leaks(test, train), *duplicates(test), *unsupported(test), *mislabelled(test)))


def leaks(test: Sequence[Question], train: Iterable[Question]) -> list[DataFinding]:
    """Questions and passages of `test` that `train` has too.

    They match exactly, except for case, spaces and punctuation, or nearly. A passage is near when four
    fifths of it are in a passage of `train`; a question when both share four fifths of all their
    shingles. A training message with passages and question in one is searched for both. Returns the
    closest finding for each question and kind. `train` is read once and not kept.
    """
    search = _LeakSearch(test)
    rows = iter(train)
    blocks = iter(lambda: list(islice(rows, _BLOCK_ROWS)), [])
    found = closest(finding for block in blocks for finding in search.find(block))
    order = {q.id: place for place, q in reversed(list(enumerate(test)))}
    return sorted(found, key=lambda finding: (finding.kind != "leaked_question", order[finding.question_id]))


def duplicates(test: Sequence[Question]) -> list[DataFinding]:
    """Questions that an earlier row of `test` asks too, with the same passages or the same reference.

    The same question with other passages and another answer is a different question.
    """
    index = _question_index(test)
    references = [frozenset(filter(None, map(normalise, q.reference))) for q in test]

    def same(first: int, second: int) -> bool:
        same_passages = bool(test[second].contexts) and test[first].cluster == test[second].cluster
        return same_passages or bool(references[first] & references[second])

    return closest(
        _finding("duplicate_question", q, q.question, test[hit.place], test[hit.place].question, hit)
        for place, q in enumerate(test)
        for hit in index.find(q.question)
        if hit.place < place and same(hit.place, place)
    )


def unsupported(test: Iterable[Question]) -> list[DataFinding]:
    """Answerable questions with passages that support no reference.

    A passage supports a reference that it contains (except for case, spaces and punctuation), or when
    the passages hold three tenths of its character pairs. Yes and no are not checked.
    """
    found = []
    for q in test:
        references = [normalise(strip_citations(text)) for text in q.reference]
        known = [text for text in references if text and text not in _YES_OR_NO]
        if not q.answerable or not q.contexts or len(known) < len(references) or not known:
            continue
        passages = [normalise(p.text) + "\n" + normalise(p.title or "") for p in q.contexts]
        support = max(_support(reference, passages) for reference in known)
        if support < _MIN_SUPPORT and not all(map(is_abstention, q.reference)):
            excerpt = one_line(q.reference[0], _EXCERPT_CHARS)
            found.append(DataFinding("unsupported_reference", q.id, excerpt, similarity=support))
    return found


def mislabelled(test: Iterable[Question]) -> list[DataFinding]:
    """Answerable questions whose references all decline, and unanswerable ones with a reference that answers."""
    found = []
    for q in test:
        references = [text for text in q.reference if text.strip()]
        declining = [is_abstention(text) for text in references]
        if q.answerable and references and all(declining):
            excerpt = one_line(references[0], _EXCERPT_CHARS)
            found.append(DataFinding("refusal_as_reference", q.id, excerpt))
        if not q.answerable and not all(declining):
            excerpt = one_line(references[declining.index(False)], _EXCERPT_CHARS)
            found.append(DataFinding("answer_as_reference", q.id, excerpt))
    return found


def closest(findings: Iterable[DataFinding]) -> list[DataFinding]:
    """The closest finding of each kind and question, in the order of their first findings."""
    best: dict[tuple[str, str], DataFinding] = {}
    for finding in findings:
        known = best.setdefault((finding.kind, finding.question_id), finding)
        if _closeness(finding) > _closeness(known):
            best[finding.kind, finding.question_id] = finding
    return list(best.values())


class _LeakSearch:
    """Finds the questions and passages of a test set in blocks of training rows."""

    def __init__(self, test: Sequence[Question]) -> None:
        questions = [q.question for q in test]
        self._test = test
        self._normalised = [normalise(question) for question in questions]
        self._passages = [(q, passage.text) for q in test for passage in q.contexts]
        self._question_index = _question_index(test)
        # A whole question inside a prompt.
        self._prompt_index = NearDuplicateIndex(questions, size=3, threshold=1.0, contained=True, shortest=10)
        # Passages differ in a sentence: longer shingles, and the share that is contained.
        self._passage_index = NearDuplicateIndex(
            [text for _, text in self._passages], size=5, contained=True, shortest=30
        )
        self._seen: set[int] = set()

    def find(self, rows: Sequence[Question]) -> Iterator[DataFinding]:
        """All findings in a block of training rows."""
        questions = [row.question for row in rows]
        prompts = [text if len(text) >= _MIN_PROMPT_CHARS else "" for text in questions]
        hits = [*self._question_index.find_all(questions), *self._within_prompts(prompts)]
        for place, hit in sorted(hits, key=itemgetter(0)):
            q, row = self._test[hit.place], rows[place]
            yield _finding("leaked_question", q, q.question, row, row.question, hit)
        shown = [
            (row, text)
            for row, prompt in zip(rows, prompts, strict=True)
            for text in self._new_texts(row, prompt)
        ]
        for place, hit in self._passage_index.find_all([text for _, text in shown]):
            q, own = self._passages[hit.place]
            row, text = shown[place]
            yield _finding("leaked_passage", q, own, row, text, hit)

    def _within_prompts(self, prompts: Sequence[str]) -> Iterator[tuple[int, SimilarRow]]:
        """Questions whose whole text a prompt holds."""
        for place, hit in self._prompt_index.find_all(prompts):
            if hit.match == "near" and self._normalised[hit.place] in normalise(prompts[place]):
                yield place, hit._replace(match="normalised")

    def _new_texts(self, row: Question, prompt: str) -> Iterator[str]:
        """The texts of a row that no earlier row has. Only their hashes are kept."""
        for text in (*(passage.text for passage in row.contexts), prompt):
            if text and hash(text) not in self._seen:
                self._seen.add(hash(text))
                yield text


def _question_index(test: Sequence[Question]) -> NearDuplicateIndex:
    # Questions of one template differ in a name: short shingles, and the whole of both texts.
    return NearDuplicateIndex([q.question for q in test], size=3)


def _finding(kind: Kind, q: Question, own: str, row: Question, text: str, hit: SimilarRow) -> DataFinding:
    excerpts = one_line(own, _EXCERPT_CHARS), one_line(text, _EXCERPT_CHARS)
    return DataFinding(kind, q.id, excerpts[0], hit.match, row.id, excerpts[1], hit.similarity)


def _closeness(finding: DataFinding) -> tuple[int, float]:
    return _CLOSENESS[finding.match], finding.similarity or 0


def _support(reference: str, passages: list[str]) -> float:
    """1 when a passage contains the reference, else the share of its character pairs that passages hold."""
    if any(reference in passage for passage in passages):
        return 1.0
    pairs = {reference[i : i + 2] for i in range(len(reference) - 1)}
    return sum(any(pair in passage for passage in passages) for pair in pairs) / len(pairs) if pairs else 0.0
