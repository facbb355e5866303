"""Overlap of an answer with its references and its contexts: chrF, ROUGE-L, share of content found."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sacrebleu.metrics.chrf import CHRF


def chrf(prediction: str, references: Sequence[str]) -> float | None:
    """Best sentence chrF over the references, 0–100, with sacrebleu's defaults; None without references.

    Popović 2015: F2 over character n-grams up to 6, without white space.
    """
    if not references:
        return None
    return float(_scorer().sentence_score(prediction, list(references)).score)


def rouge_l(prediction: Sequence[Hashable], references: Iterable[Sequence[Hashable]]) -> float | None:
    """Best ROUGE-L F1 (Lin 2004) of a token list over the references', 0–1; None without references."""
    return max((_lcs_f1(prediction, reference) for reference in references), default=None)


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


def _lcs_f1(prediction: Sequence[Hashable], reference: Sequence[Hashable]) -> float:
    common = lcs_length(prediction, reference)
    return 2 * common / (len(prediction) + len(reference)) if common else 0.0


@cache
def _scorer() -> CHRF:
    from sacrebleu.metrics.chrf import CHRF

    return CHRF()
