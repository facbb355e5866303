"""Answers of which it is known beforehand what a judge has to say, made from the test set's own rows."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Literal

from simsa.metrics.abstention import is_abstention
from simsa.metrics.citations import strip_citations
from simsa.probing import texts
from simsa.probing.negation import negate
from simsa.probing.numbers import asks_for_number, numbers_in, swap_numbers
from simsa.records import Question

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
class Case:
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


def build(questions: Iterable[Question], per_kind: int, seed: int = 0) -> list[Case]:
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

    def build(self) -> list[Case]:
        wrong = self._some(self._answerable, self._foreign)
        makers = (self._number, self._negated, self._faithful_but_wrong, self._right_but_unfaithful)
        return [
            *(case for q in self._answerable[: self._n] for case in _plain(q)),
            *wrong,
            *(case for place, base in enumerate(wrong) for case in _derived(base, place)),
            *(case for make in makers for case in self._some(self._answerable, make)),
            *(case for make in (_declined, self._invented) for case in self._some(self._unanswerable, make)),
        ]

    def _some(self, pool: Sequence[Question], make: Callable[[Question], Case | None]) -> list[Case]:
        return list(islice((case for question in pool if (case := make(question))), self._n))

    def _others(self, question: Question) -> Iterator[Question]:
        """Questions about other documents, in a random order."""
        others = [q for q in self._answerable if q.cluster != question.cluster]
        yield from self._random.sample(others, min(_TRIES, len(others)))

    def _foreign(self, question: Question) -> Case | None:
        for other in self._others(question):
            answer = _answer(other)
            if texts.unlike(answer, question.reference):
                return Case("foreign", question, answer, at_most={CORRECT: WRONG})
        return None

    def _number(self, question: Question) -> Case | None:
        answer = _answer(question)
        if not asks_for_number(question.question) and len(texts.bare(answer)) > _SHORT:
            return None
        swapped = swap_numbers(answer, numbers_in(question.question), self._seed)
        if swapped is None or _is_accepted(swapped, question):
            return None
        return Case("number", question, swapped, at_most={CORRECT: WRONG})

    def _negated(self, question: Question) -> Case | None:
        answer = _answer(question)
        negated = negate(answer, korean=texts.is_korean(question)) if len(answer) <= _LONGEST else None
        if negated is None or _is_accepted(negated, question):
            return None
        return Case("negated", question, negated, at_most={CORRECT: WRONG})

    def _faithful_but_wrong(self, question: Question) -> Case | None:
        sentences = texts.beside_the_point(question)
        if not sentences:
            return None
        sentence = self._random.choice(sentences)
        return Case(
            "faithful_but_wrong", question, sentence, at_least={FAITHFUL: RIGHT}, at_most={CORRECT: WRONG}
        )

    def _right_but_unfaithful(self, question: Question) -> Case | None:
        if not question.contexts:
            return None
        for other in self._others(question):
            if other.contexts and texts.lacks_answer(other.contexts, question):
                moved = replace(question, contexts=other.contexts)
                bounds = {FAITHFUL: WRONG, RECALL: WRONG}
                return Case("right_but_unfaithful", moved, _answer(question), at_most=bounds)
        return None

    def _invented(self, question: Question) -> Case | None:
        """An answer where there is none."""
        other = next(self._others(question), None)
        if other is None:
            return None
        return Case("invented", question, _answer(other), at_most={CORRECT: WRONG})


def _plain(question: Question) -> list[Case]:
    """Cases that every answerable question has."""
    reference = Case("reference", question, question.reference[0], at_least={CORRECT: RIGHT})
    padded = texts.pad(_answer(question), korean=texts.is_korean(question))
    return [
        reference,
        Case("padded", question, padded, same_mean=(CORRECT,), against=reference.key),
        Case("empty", question, "", at_most={CORRECT: WORST}),
        Case("abstained_wrongly", question, texts.refusal(question), at_most={CORRECT: WRONG}),
    ]


def _derived(base: Case, place: int) -> list[Case]:
    """A wrong answer with orders to the judge, and with courtesies: neither makes it better."""
    forms = list(texts.INJECTIONS)
    half = len(forms) // 2
    chosen = (forms[place % half], forms[place % half + half])
    padded = texts.pad(base.prediction, korean=texts.is_korean(base.question))
    return [
        Case("padded_wrong", base.question, padded, same_mean=(CORRECT,), against=base.key),
        *(
            Case(
                "injection",
                base.question,
                texts.INJECTIONS[form](base.prediction),
                form,
                no_gain=(CORRECT, FAITHFUL),
                against=base.key,
            )
            for form in chosen
        ),
    ]


def _declined(question: Question) -> Case:
    return Case("abstained_rightly", question, texts.refusal(question), at_least={CORRECT: RIGHT})


def _has_answer(question: Question) -> bool:
    answer = _answer(question)
    return bool(texts.bare(answer)) and not is_abstention(answer)


def _answer(question: Question) -> str:
    """The first reference without its citations: they point into other passages."""
    return strip_citations(question.reference[0]) if question.reference else ""


def _is_accepted(answer: str, question: Question) -> bool:
    return texts.bare(answer) in {texts.bare(text) for text in question.reference}
