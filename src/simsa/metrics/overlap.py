"""Overlap of an answer with its reference and its contexts: chrF, ROUGE-L, share of content found."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING

from simsa.metrics.citations import strip_citations
from simsa.metrics.morphology import content_of, morphemes

if TYPE_CHECKING:
    from sacrebleu.metrics.chrf import CHRF


def chrf(prediction: str, references: Sequence[str]) -> float | None:
    """Best sentence chrF over the references, 0–100, with sacrebleu's defaults; None without references.

    Popović 2015: F2 over character n-grams up to 6, white space left out.
    """
    if not references:
        return None
    return float(_scorer().sentence_score(prediction, list(references)).score)


def rouge_l(prediction: str, references: Iterable[str]) -> float | None:
    """Best ROUGE-L F1 over Kiwi's morphemes, 0–1; None without references."""
    said = morphemes(prediction)
    return max((rouge_l_of(said, morphemes(reference)) for reference in references), default=None)


def rouge_l_of(said: Sequence[Hashable], expected: Sequence[Hashable]) -> float:
    """F1 over the longest common subsequence of two token lists (Lin 2004); 0 when nothing is common."""
    common = lcs_length(said, expected)
    return 2 * common / (len(said) + len(expected)) if common else 0.0


def context_overlap(prediction: str, contexts: Iterable[str]) -> float | None:
    """Share of the prediction's content morphemes that its contexts hold, 0–1.

    Citation markers are left out. None when the prediction has no content, or there are no contexts.
    """
    said, *passages = content_of([strip_citations(prediction), *contexts])
    return share_found(said, {form for passage in passages for form in passage})


def share_found(content: Sequence[str], among: Collection[str]) -> float | None:
    """Share of `content` that is in `among`; None when either is empty."""
    if not content or not among:
        return None
    return sum(form in among for form in content) / len(content)


def lcs_length(left: Sequence[Hashable], right: Sequence[Hashable]) -> int:
    """Length of the longest common subsequence, bit-parallel over the bits of an integer (Hyyrö 2004)."""
    if len(left) < len(right):
        left, right = right, left
    positions: dict[Hashable, int] = {}
    for i, token in enumerate(left):
        positions[token] = positions.get(token, 0) | 1 << i
    everything = (1 << len(left)) - 1
    unmatched = everything
    for token in right:
        here = unmatched & positions.get(token, 0)
        unmatched = (unmatched + here | unmatched - here) & everything
    return len(left) - unmatched.bit_count()


@cache
def _scorer() -> CHRF:
    from sacrebleu.metrics.chrf import CHRF

    return CHRF()
