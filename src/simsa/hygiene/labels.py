"""References that no passage bears out, and labels that contradict their reference."""

from __future__ import annotations

from collections.abc import Iterable

from simsa.hygiene.model import Finding
from simsa.hygiene.similar import normalise
from simsa.metrics.abstention import is_abstention
from simsa.metrics.citations import strip_citations
from simsa.records import Question
from simsa.text import one_line

# References in words of their own share 0.4 and more of their character pairs with their
# passages, and 0.2 and less with passages of other questions (on invented Korean rows).
_LEAST_RECALL = 0.3
_EXCERPT = 80
_YES_OR_NO = frozenset(
    map(normalise, ("예", "네", "아니요", "아니오", "맞습니다", "아닙니다", "yes", "no", "true", "false"))
)


def unsupported(test: Iterable[Question]) -> list[Finding]:
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
            excerpt = one_line(q.reference[0], _EXCERPT)
            found.append(Finding("unsupported_reference", q.id, excerpt, similarity=recall))
    return found


def mislabelled(test: Iterable[Question]) -> list[Finding]:
    """Answerable questions whose every reference declines, and unanswerable ones with a reference that does not."""
    found = []
    for q in test:
        references = [text for text in q.reference if text.strip()]
        declining = [is_abstention(text) for text in references]
        if q.answerable and references and all(declining):
            found.append(Finding("refusal_as_reference", q.id, one_line(references[0], _EXCERPT)))
        if not q.answerable and not all(declining):
            answer = references[declining.index(False)]
            found.append(Finding("answer_as_reference", q.id, one_line(answer, _EXCERPT)))
    return found


def _recall(reference: str, passages: list[str]) -> float:
    """1 when a passage holds the reference, else the share of its character pairs that the passages hold."""
    if any(reference in passage for passage in passages):
        return 1.0
    pairs = {reference[i : i + 2] for i in range(len(reference) - 1)}
    return sum(any(pair in passage for passage in passages) for pair in pairs) / len(pairs) if pairs else 0.0
