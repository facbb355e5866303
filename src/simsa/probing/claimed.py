"""Answers of whose claims it is known whether a passage bears them out, for a judge that lists claims."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import islice

from simsa.metrics.citations import strip_citations
from simsa.probing import texts
from simsa.probing.cases import Case
from simsa.probing.numbers import numbers_in, swap_numbers
from simsa.records import Claim, Question

CLAIM_SUPPORT = "claim_support"
"""The share of claims that are borne out as a level from 1, none, to 5, all."""
ALL, NOT_ALL, HARDLY_ANY = 5, 4, 2
_TRIES = 40


def level(claims: Sequence[Claim]) -> int | None:
    """The level of a list; None where nothing is claimed."""
    supported = sum(claim.supported for claim in claims)
    return 1 + 4 * supported // len(claims) if claims else None


def build_claims(questions: Iterable[Question], per_kind: int, seed: int = 0) -> list[Case]:
    """Up to `per_kind` cases of each kind, of questions drawn by `seed`."""
    drawn = [question for question in questions if question.contexts]
    chance = random.Random(f"claims {seed}")
    chance.shuffle(drawn)
    makers: tuple[Callable[[Question], Case | None], ...] = (
        lambda question: _stated(question, chance),
        lambda question: _number(question, seed),
        lambda question: _absent(question, drawn, chance),
    )
    return [case for make in makers for case in islice(filter(None, map(make, drawn)), per_kind)]


def _stated(question: Question, chance: random.Random) -> Case | None:
    """A sentence of the passages."""
    sentences = texts.sentences(question)
    if not sentences:
        return None
    return Case("claims_stated", question, chance.choice(sentences), at_least={CLAIM_SUPPORT: ALL})


def _number(question: Question, seed: int) -> Case | None:
    """A sentence of the passages, with numbers that no passage has."""
    there = {number for passage in question.contexts for number in numbers_in(passage.text)}
    for sentence in texts.sentences(question):
        swapped = swap_numbers(sentence, (), seed)
        if swapped is not None and not numbers_in(swapped) & there:
            return Case("claims_number", question, swapped, at_most={CLAIM_SUPPORT: NOT_ALL})
    return None


def _absent(question: Question, all_of_them: Sequence[Question], chance: random.Random) -> Case | None:
    """The reference, beside passages that have nothing of it."""
    answer = strip_citations(question.reference[0]) if question.reference and question.answerable else ""
    if not texts.bare(answer):
        return None
    others = [q for q in all_of_them if q.cluster != question.cluster]
    for other in chance.sample(others, min(_TRIES, len(others))):
        if texts.lacks_answer(other.contexts, question):
            moved = replace(question, contexts=other.contexts)
            return Case("claims_absent", moved, answer, at_most={CLAIM_SUPPORT: HARDLY_ANY})
    return None
