"""Rows of the test set that a training file holds too, and rows that it holds twice itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from simsa.hygiene.model import Finding, once
from simsa.hygiene.similar import Index, Similar, normalise
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


def leaks(test: Sequence[Question], train: Iterable[Question]) -> list[Finding]:
    """Questions and passages of `test` that `train` holds too: exactly, but for case, spaces and punctuation, or nearly.

    A training row's message that holds passages and question together is looked through for both.
    One finding a question and kind, the closest one. `train` is read once and not kept.
    A passage counts as nearly there when four fifths of it are in a passage of `train`,
    a question when the two share four fifths of all their shingles.
    """
    questions = Index([q.question for q in test], **_QUESTION)  # type: ignore[arg-type]
    owners = [(place, p.text) for place, q in enumerate(test) for p in q.contexts]
    passages = Index([text for _, text in owners], contained=True, **_PASSAGE)  # type: ignore[arg-type]
    within = Index([q.question for q in test], **_WITHIN)  # type: ignore[arg-type]
    seen: set[str] = set()

    def asked(text: str) -> Iterator[Similar]:
        yield from questions.find(text)
        if len(text) >= _PROMPT:
            bare = normalise(text)
            for place, match, similarity in within.find(text):
                if match == "near" and normalise(test[place].question) in bare:
                    yield Similar(place, "normalised", similarity)

    def found() -> Iterator[tuple[int, Finding]]:
        for row in train:
            for place, match, similarity in asked(row.question):
                excerpt, other = one_line(test[place].question, _EXCERPT), one_line(row.question, _EXCERPT)
                yield (
                    place,
                    Finding("leaked_question", test[place].id, excerpt, match, row.id, other, similarity),
                )
            shown = [row.question] if len(row.question) >= _PROMPT else []
            for text in (*(passage.text for passage in row.contexts), *shown):
                if text in seen:
                    continue
                seen.add(text)
                for number, match, similarity in passages.find(text):
                    place, own = owners[number]
                    texts = one_line(own, _EXCERPT), one_line(text, _EXCERPT)
                    yield (
                        place,
                        Finding(
                            "leaked_passage", test[place].id, texts[0], match, row.id, texts[1], similarity
                        ),
                    )

    ordered = sorted(found(), key=lambda one: (one[1].kind != "leaked_question", one[0]))
    return once(finding for _, finding in ordered)


def duplicates(test: Sequence[Question]) -> list[Finding]:
    """Questions that an earlier row of `test` asks too, of the same passages or with the same reference.

    The same question of other passages and with another answer is another question.
    """
    index = Index([q.question for q in test], **_QUESTION)  # type: ignore[arg-type]
    references = [frozenset(filter(None, map(normalise, q.reference))) for q in test]

    def found() -> Iterator[Finding]:
        for place, q in enumerate(test):
            for earlier, match, similarity in index.find(q.question):
                first = test[earlier]
                same = bool(q.contexts) and q.cluster == first.cluster
                if earlier < place and (same or references[earlier] & references[place]):
                    texts = one_line(q.question, _EXCERPT), one_line(first.question, _EXCERPT)
                    yield Finding("duplicate_question", q.id, texts[0], match, first.id, texts[1], similarity)

    return once(found())
