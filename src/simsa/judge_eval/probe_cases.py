"""Answers of which it is known beforehand what a judge has to say, made from the test set's own rows.

Answers of whose claims it is known whether a passage bears them out, for a judge that lists claims.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Literal

from simsa.judge_eval import perturb
from simsa.judge_eval.negation import negate
from simsa.judge_eval.perturb import asks_for_number, numbers_in, swap_numbers
from simsa.metrics.abstention import is_abstention
from simsa.metrics.citations import strip_citations
from simsa.records import Claim, Question

Kind = Literal[
    "reference",
    "foreign",
    "empty",
    "injection",
    "number",
    "negated",
    "padded",
    "padded_wrong",
    "faithful_but_wrong",
    "right_but_unfaithful",
    "abstained_rightly",
    "abstained_wrongly",
    "invented",
    "claims_stated",
    "claims_number",
    "claims_absent",
]
_ALL_KINDS: tuple[Kind, ...] = Kind.__args__  # type: ignore[attr-defined]
CLAIM_KINDS = tuple(kind for kind in _ALL_KINDS if kind.startswith("claims_"))
"""Kinds for judges that list claims."""
KINDS = tuple(kind for kind in _ALL_KINDS if kind not in CLAIM_KINDS)
"""Kinds for every judge."""
CORRECT, FAITHFUL, RECALL = "answer_correctness", "context_faithfulness", "context_recall"
RIGHT, WRONG, WORST = 4, 2, 1
_TRIES = 40
_SHORT = 12
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class ProbeCase:
    """One answer and what its scores must be.

    `at_least` and `at_most` bound criteria. `against` names the case whose scores those of
    `no_gain` may not surpass, and from which those of `same_mean` may not differ on the
    mean over all cases of the kind.
    """

    kind: Kind
    question: Question
    prediction: str
    form: str = ""
    at_least: Mapping[str, int] = field(default_factory=dict)
    at_most: Mapping[str, int] = field(default_factory=dict)
    no_gain: tuple[str, ...] = ()
    same_mean: tuple[str, ...] = ()
    against: str | None = None

    @property
    def key(self) -> str:
        """Names the case within one examination."""
        return "/".join((self.kind, self.question.id, self.form))

    @property
    def criteria(self) -> tuple[str, ...]:
        """What has to be scored."""
        return tuple(dict.fromkeys((*self.at_least, *self.at_most, *self.no_gain, *self.same_mean)))


def build_cases(questions: Iterable[Question], per_kind: int, seed: int = 0) -> list[ProbeCase]:
    """Up to `per_kind` cases of each kind, of questions drawn by `seed`; a kind is built only where it can be.

    Orders to the judge come in two forms a question, so that three questions have them all.
    """
    return _Builder(questions, per_kind, seed).build()


class _Builder:
    def __init__(self, questions: Iterable[Question], per_kind: int, seed: int) -> None:
        self._random = random.Random(f"probe {seed}")
        self._seed = seed
        self._n = per_kind
        drawn = list(questions)
        self._random.shuffle(drawn)
        self._answerable = [q for q in drawn if q.answerable and _has_answer(q)]
        self._unanswerable = [q for q in drawn if not q.answerable]

    def build(self) -> list[ProbeCase]:
        wrong = self._some(self._answerable, self._foreign)
        makers = (self._number, self._negated, self._faithful_but_wrong, self._right_but_unfaithful)
        return [
            *(case for q in self._answerable[: self._n] for case in _plain(q)),
            *wrong,
            *(case for place, base in enumerate(wrong) for case in _derived(base, place)),
            *(case for make in makers for case in self._some(self._answerable, make)),
            *(case for make in (_declined, self._invented) for case in self._some(self._unanswerable, make)),
        ]

    def _some(
        self, pool: Sequence[Question], make: Callable[[Question], ProbeCase | None]
    ) -> list[ProbeCase]:
        return list(islice((case for question in pool if (case := make(question))), self._n))

    def _others(self, question: Question) -> Iterator[Question]:
        """Questions about other documents, in a random order."""
        others = [q for q in self._answerable if q.cluster != question.cluster]
        yield from self._random.sample(others, min(_TRIES, len(others)))

    def _foreign(self, question: Question) -> ProbeCase | None:
        for other in self._others(question):
            answer = _answer(other)
            if perturb.unlike(answer, question.reference):
                return ProbeCase("foreign", question, answer, at_most={CORRECT: WRONG})
        return None

    def _number(self, question: Question) -> ProbeCase | None:
        answer = _answer(question)
        if not asks_for_number(question.question) and len(perturb.bare(answer)) > _SHORT:
            return None
        swapped = swap_numbers(answer, numbers_in(question.question), self._seed)
        if swapped is None or _is_accepted(swapped, question):
            return None
        return ProbeCase("number", question, swapped, at_most={CORRECT: WRONG})

    def _negated(self, question: Question) -> ProbeCase | None:
        answer = _answer(question)
        negated = negate(answer, korean=perturb.is_korean(question)) if len(answer) <= _LONGEST else None
        if negated is None or _is_accepted(negated, question):
            return None
        return ProbeCase("negated", question, negated, at_most={CORRECT: WRONG})

    def _faithful_but_wrong(self, question: Question) -> ProbeCase | None:
        sentences = perturb.beside_the_point(question)
        if not sentences:
            return None
        sentence = self._random.choice(sentences)
        return ProbeCase(
            "faithful_but_wrong", question, sentence, at_least={FAITHFUL: RIGHT}, at_most={CORRECT: WRONG}
        )

    def _right_but_unfaithful(self, question: Question) -> ProbeCase | None:
        if not question.contexts:
            return None
        for other in self._others(question):
            if other.contexts and perturb.lacks_answer(other.contexts, question):
                moved = replace(question, contexts=other.contexts)
                bounds = {FAITHFUL: WRONG, RECALL: WRONG}
                return ProbeCase("right_but_unfaithful", moved, _answer(question), at_most=bounds)
        return None

    def _invented(self, question: Question) -> ProbeCase | None:
        """An answer where there is none."""
        other = next(self._others(question), None)
        if other is None:
            return None
        return ProbeCase("invented", question, _answer(other), at_most={CORRECT: WRONG})


def _plain(question: Question) -> list[ProbeCase]:
    """Cases that every answerable question has."""
    reference = ProbeCase("reference", question, question.reference[0], at_least={CORRECT: RIGHT})
    padded = perturb.pad(_answer(question), korean=perturb.is_korean(question))
    return [
        reference,
        ProbeCase("padded", question, padded, same_mean=(CORRECT,), against=reference.key),
        ProbeCase("empty", question, "", at_most={CORRECT: WORST}),
        ProbeCase("abstained_wrongly", question, perturb.refusal(question), at_most={CORRECT: WRONG}),
    ]


def _derived(base: ProbeCase, place: int) -> list[ProbeCase]:
    """A wrong answer with orders to the judge, and with courtesies: neither makes it better."""
    forms = list(perturb.INJECTIONS)
    half = len(forms) // 2
    chosen = (forms[place % half], forms[place % half + half])
    padded = perturb.pad(base.prediction, korean=perturb.is_korean(base.question))
    return [
        ProbeCase("padded_wrong", base.question, padded, same_mean=(CORRECT,), against=base.key),
        *(
            ProbeCase(
                "injection",
                base.question,
                perturb.INJECTIONS[form](base.prediction),
                form,
                no_gain=(CORRECT, FAITHFUL),
                against=base.key,
            )
            for form in chosen
        ),
    ]


def _declined(question: Question) -> ProbeCase:
    return ProbeCase("abstained_rightly", question, perturb.refusal(question), at_least={CORRECT: RIGHT})


def _has_answer(question: Question) -> bool:
    answer = _answer(question)
    return bool(perturb.bare(answer)) and not is_abstention(answer)


def _answer(question: Question) -> str:
    """The first reference without its citations: they point into other passages."""
    return strip_citations(question.reference[0]) if question.reference else ""


def _is_accepted(answer: str, question: Question) -> bool:
    return perturb.bare(answer) in {perturb.bare(text) for text in question.reference}


CLAIM_SUPPORT = "claim_support"
"""The share of claims that are borne out as a level from 1, none, to 5, all."""
ALL, NOT_ALL, HARDLY_ANY = 5, 4, 2
_TRIES_claimed = 40


def level(claims: Sequence[Claim]) -> int | None:
    """The level of a list; None where nothing is claimed."""
    supported = sum(claim.supported for claim in claims)
    return 1 + 4 * supported // len(claims) if claims else None


def build_claims(questions: Iterable[Question], per_kind: int, seed: int = 0) -> list[ProbeCase]:
    """Up to `per_kind` cases of each kind, of questions drawn by `seed`."""
    drawn = [question for question in questions if question.contexts]
    chance = random.Random(f"claims {seed}")
    chance.shuffle(drawn)
    makers: tuple[Callable[[Question], ProbeCase | None], ...] = (
        lambda question: _stated(question, chance),
        lambda question: _number(question, seed),
        lambda question: _absent(question, drawn, chance),
    )
    return [case for make in makers for case in islice(filter(None, map(make, drawn)), per_kind)]


def _stated(question: Question, chance: random.Random) -> ProbeCase | None:
    """A sentence of the passages."""
    sentences = perturb.sentences(question)
    if not sentences:
        return None
    return ProbeCase("claims_stated", question, chance.choice(sentences), at_least={CLAIM_SUPPORT: ALL})


def _number(question: Question, seed: int) -> ProbeCase | None:
    """A sentence of the passages, with numbers that no passage has."""
    there = {number for passage in question.contexts for number in numbers_in(passage.text)}
    for sentence in perturb.sentences(question):
        swapped = swap_numbers(sentence, (), seed)
        if swapped is not None and not numbers_in(swapped) & there:
            return ProbeCase("claims_number", question, swapped, at_most={CLAIM_SUPPORT: NOT_ALL})
    return None


def _absent(question: Question, all_of_them: Sequence[Question], chance: random.Random) -> ProbeCase | None:
    """The reference, beside passages that have nothing of it."""
    answer = strip_citations(question.reference[0]) if question.reference and question.answerable else ""
    if not perturb.bare(answer):
        return None
    others = [q for q in all_of_them if q.cluster != question.cluster]
    for other in chance.sample(others, min(_TRIES_claimed, len(others))):
        if perturb.lacks_answer(other.contexts, question):
            moved = replace(question, contexts=other.contexts)
            return ProbeCase("claims_absent", moved, answer, at_most={CLAIM_SUPPORT: HARDLY_ANY})
    return None
