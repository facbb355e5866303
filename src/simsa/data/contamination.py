"""Rows of the test set that a training file holds too, and rows that it holds twice itself.

References that no passage bears out, and labels that contradict their reference.

Everything that can be told of a test set, at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from simsa.data.near_duplicates import (
    DataFinding,
    DataQuality,
    Kind,
    Match,
    NearDuplicateIndex,
    normalise,
    once,
)
from simsa.metrics.abstention import is_abstention
from simsa.metrics.citations import strip_citations
from simsa.records import Question
from simsa.text import one_line

# Questions of one template differ in a name, passages in a sentence: short shingles and
# the whole of both texts for the first, longer ones and what is contained for the second.
_QUESTION = {"size": 3, "threshold": 0.8}
_PASSAGE = {"size": 5, "threshold": 0.8, "shortest": 30}
# A training prompt may hold passages and question in one message: a whole question in it is found too.
_WITHIN = {"size": 3, "threshold": 1.0, "contained": True, "shortest": 10}
_PROMPT = 80  # characters from which a "question" may be such a prompt
_EXCERPT = 80
_BLOCK = 512


def leaks(test: Sequence[Question], train: Iterable[Question]) -> list[DataFinding]:
    """Questions and passages of `test` that `train` holds too: exactly, but for case, spaces and punctuation, or nearly.

    A training row's message that holds passages and question together is looked through for both.
    One finding a question and kind, the closest one. `train` is read once and not kept.
    A passage counts as nearly there when four fifths of it are in a passage of `train`,
    a question when the two share four fifths of all their shingles.
    """
    search = _Search(test)
    closest = once(finding for rows in _blocks(train) for finding in search.of(rows))
    places: dict[str, int] = {}
    for place, q in enumerate(test):
        places.setdefault(q.id, place)
    return sorted(closest, key=lambda one: (one.kind != "leaked_question", places[one.question_id]))


class _Search:
    """What of `test` is in training rows. Sieves hold most of them back, so that few are compared in full."""

    def __init__(self, test: Sequence[Question]) -> None:
        from simsa.data.near_duplicates import Prefilter

        asked = [q.question for q in test]
        self._test = test
        self._owners = [(q, p.text) for q in test for p in q.contexts]
        self._questions = NearDuplicateIndex(asked, **_QUESTION)  # type: ignore[arg-type]
        self._within = NearDuplicateIndex(asked, **_WITHIN)  # type: ignore[arg-type]
        self._passages = NearDuplicateIndex([text for _, text in self._owners], contained=True, **_PASSAGE)  # type: ignore[arg-type]
        self._sieves = Prefilter(self._questions), Prefilter(self._within), Prefilter(self._passages)
        self._seen: set[int] = set()

    def of(self, rows: Sequence[Question]) -> Iterator[DataFinding]:
        """All findings of a block of training rows."""
        of_questions, of_within, of_passages = self._sieves
        asked = [row.question for row in rows]
        prompts = [text if len(text) >= _PROMPT else "" for text in asked]
        like, within = of_questions.caught(asked), of_within.caught(prompts)
        for place in sorted(like | within):
            for q, match, similarity in self._asked(asked[place], place in like, place in within):
                yield _finding("leaked_question", q, q.question, match, rows[place], asked[place], similarity)
        shown = [
            (row, text) for row, prompt in zip(rows, prompts, strict=True) for text in self._new(row, prompt)
        ]
        for place in sorted(of_passages.caught([text for _, text in shown])):
            row, text = shown[place]
            for number, match, similarity in self._passages.find(text):
                yield _finding("leaked_passage", *self._owners[number], match, row, text, similarity)

    def _asked(self, text: str, like: bool, within: bool) -> Iterator[tuple[Question, Match, float]]:
        """The questions that a row asks, or whose whole words its prompt holds."""
        for place, match, similarity in self._questions.find(text) if like else ():
            yield self._test[place], match, similarity
        bare = normalise(text) if within else ""
        for place, match, similarity in self._within.find(text) if within else ():
            if match == "near" and normalise(self._test[place].question) in bare:
                yield self._test[place], "normalised", similarity

    def _new(self, row: Question, prompt: str) -> Iterator[str]:
        """The texts that a row shows and no row before it; told by their hashes, not kept."""
        for text in (*(passage.text for passage in row.contexts), prompt):
            if text and hash(text) not in self._seen:
                self._seen.add(hash(text))
                yield text


def _finding(
    kind: Kind, q: Question, own: str, match: Match, row: Question, text: str, similarity: float
) -> DataFinding:
    return DataFinding(
        kind, q.id, one_line(own, _EXCERPT), match, row.id, one_line(text, _EXCERPT), similarity
    )


def _blocks(rows: Iterable[Question]) -> Iterator[list[Question]]:
    source = iter(rows)
    while block := list(islice(source, _BLOCK)):
        yield block


def duplicates(test: Sequence[Question]) -> list[DataFinding]:
    """Questions that an earlier row of `test` asks too, of the same passages or with the same reference.

    The same question of other passages and with another answer is another question.
    """
    index = NearDuplicateIndex([q.question for q in test], **_QUESTION)  # type: ignore[arg-type]
    references = [frozenset(filter(None, map(normalise, q.reference))) for q in test]

    def found() -> Iterator[DataFinding]:
        for place, q in enumerate(test):
            for earlier, match, similarity in index.find(q.question):
                first = test[earlier]
                same = bool(q.contexts) and q.cluster == first.cluster
                if earlier < place and (same or references[earlier] & references[place]):
                    texts = one_line(q.question, _EXCERPT), one_line(first.question, _EXCERPT)
                    yield DataFinding(
                        "duplicate_question", q.id, texts[0], match, first.id, texts[1], similarity
                    )

    return once(found())


# References in words of their own share 0.4 and more of their character pairs with their
# passages, and 0.2 and less with passages of other questions (on invented Korean rows).
_LEAST_RECALL = 0.3
_EXCERPT_labels = 80
_YES_OR_NO = frozenset(
    map(normalise, ("예", "네", "아니요", "아니오", "맞습니다", "아닙니다", "yes", "no", "true", "false"))
)


def unsupported(test: Iterable[Question]) -> list[DataFinding]:
    """Answerable questions with passages, in which no reference is found.

    A reference is found when a passage holds it (case, spaces and punctuation aside), or
    when the passages hold three tenths of its character pairs. Yes and no are not looked for.
    """
    found = []
    for q in test:
        references = [normalise(strip_citations(text)) for text in q.reference]
        known = [text for text in references if text and text not in _YES_OR_NO]
        if not q.answerable or not q.contexts or len(known) < len(references) or not known:
            continue
        passages = [normalise(p.text) + "\n" + normalise(p.title or "") for p in q.contexts]
        recall = max(_recall(reference, passages) for reference in known)
        if recall < _LEAST_RECALL and not all(map(is_abstention, q.reference)):
            excerpt = one_line(q.reference[0], _EXCERPT_labels)
            found.append(DataFinding("unsupported_reference", q.id, excerpt, similarity=recall))
    return found


def mislabelled(test: Iterable[Question]) -> list[DataFinding]:
    """Answerable questions whose every reference declines, and unanswerable ones with a reference that does not."""
    found = []
    for q in test:
        references = [text for text in q.reference if text.strip()]
        declining = [is_abstention(text) for text in references]
        if q.answerable and references and all(declining):
            found.append(DataFinding("refusal_as_reference", q.id, one_line(references[0], _EXCERPT_labels)))
        if not q.answerable and not all(declining):
            answer = references[declining.index(False)]
            found.append(DataFinding("answer_as_reference", q.id, one_line(answer, _EXCERPT_labels)))
    return found


def _recall(reference: str, passages: list[str]) -> float:
    """1 when a passage holds the reference, else the share of its character pairs that the passages hold."""
    if any(reference in passage for passage in passages):
        return 1.0
    pairs = {reference[i : i + 2] for i in range(len(reference) - 1)}
    return sum(any(pair in passage for passage in passages) for pair in pairs) / len(pairs) if pairs else 0.0


__all__ = ["DataFinding", "DataQuality", "Kind", "Match", "inspect_quality"]


def inspect_quality(test: Sequence[Question], train: Iterable[Question] = ()) -> DataQuality:
    """Leaks from `train` (streamed), doubles within `test`, and references that cannot be right."""
    return DataQuality((*leaks(test, train), *duplicates(test), *unsupported(test), *mislabelled(test)))
