"""Probes: answers whose scores are known beforehand, made from the rows of the test set.

What a judge must answer to each kind of probe is data, in `probe_kinds.toml`.
"""

from __future__ import annotations

import math
import random
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from itertools import islice
from typing import Any

from simsa.judge_eval import perturb
from simsa.judge_eval.negation import negate
from simsa.judge_eval.perturb import asks_for_number, numbers_in, swap_numbers
from simsa.metrics.abstention import is_abstention
from simsa.metrics.citations import strip_citations
from simsa.records import Claim, Criteria, Criterion, Question

CLAIM_SUPPORT = Criterion("claim_support")
"""The share of supported claims as a level, which a judge that extracts claims gives."""
_TRIES = 40
_SHORT = 12
_LONGEST = 300
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class ProbeCase:
    """One answer, and what its scores must be.

    `at_least` and `at_most` bound the scores of criteria. `against` is the key of another case: the scores of
    `no_gain` may not be higher than that case's, and the mean score of `same_mean` over all cases of the kind may
    not differ by more than the given points from the mean of those cases.
    """

    kind: str
    question: Question
    prediction: str
    form: str = ""
    at_least: Mapping[str, int] = field(default_factory=dict)
    at_most: Mapping[str, int] = field(default_factory=dict)
    no_gain: tuple[str, ...] = ()
    same_mean: Mapping[str, float] = field(default_factory=dict)
    against: str | None = None

    @property
    def key(self) -> str:
        """Identifies the case within one examination."""
        return "/".join((self.kind, self.question.id, self.form))

    @property
    def criteria(self) -> tuple[str, ...]:
        """The criteria that need a score."""
        return tuple(dict.fromkeys((*self.at_least, *self.at_most, *self.no_gain, *self.same_mean)))


class Expectation:
    """What a judge with some `criteria` must answer to one kind of probe, in scores of their scales."""

    def __init__(self, kind: str, criteria: Criteria) -> None:
        declared = _kinds()[kind]
        scales = {criterion.name: criterion for criterion in criteria}

        def bounds(name: str) -> Iterator[tuple[str, Criterion, float]]:
            for criterion, share in declared.get(name, {}).items():
                if criterion in scales:
                    yield criterion, scales[criterion], share

        self.at_least = {
            c: s.low + math.ceil(share * s.span - _ROUNDING) for c, s, share in bounds("at_least")
        }
        self.at_most = {
            c: s.low + math.floor(share * s.span + _ROUNDING) for c, s, share in bounds("at_most")
        }
        self.same_mean = {c: share * s.span for c, s, share in bounds("same_mean")}
        self.no_gain = tuple(c for c in declared.get("no_gain", ()) if c in scales)

    def case(
        self, kind: str, question: Question, prediction: str, *, form: str = "", against: str | None = None
    ) -> ProbeCase:
        """A case of this kind."""
        return ProbeCase(
            kind,
            question,
            prediction,
            form,
            self.at_least,
            self.at_most,
            self.no_gain,
            self.same_mean,
            against,
        )


@cache
def _kinds() -> Mapping[str, Mapping[str, Any]]:
    text = resources.files("simsa.judge_eval").joinpath("probe_kinds.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


CLAIM_KINDS = tuple(kind for kind in _kinds() if kind.startswith("claims_"))
"""Kinds for judges that extract claims."""
KINDS = tuple(kind for kind in _kinds() if kind not in CLAIM_KINDS)
"""Kinds for every judge."""


def untested_kinds(criteria: Criteria) -> tuple[str, ...]:
    """Kinds of `KINDS` that test none of `criteria`."""
    names = set(criteria.names)
    return tuple(kind for kind in KINDS if not names & set(_tested(kind)))


def _tested(kind: str) -> Iterator[str]:
    for criteria in _kinds()[kind].values():
        yield from criteria


def build_cases(
    questions: Iterable[Question], per_kind: int, seed: int = 0, *, criteria: Criteria
) -> list[ProbeCase]:
    """Up to `per_kind` cases of each kind, of questions drawn by `seed`, where the rows allow the kind.

    `criteria` are the rubric's; cases that test none of them are left out, and so are cases whose `against` is.
    There are two injections for each question, so that three questions cover all their forms.
    """
    cases = [case for case in _Builder(questions, per_kind, seed, criteria).build() if case.criteria]
    keys = {case.key for case in cases}
    return [case for case in cases if case.against is None or case.against in keys]


class _Builder:
    def __init__(self, questions: Iterable[Question], per_kind: int, seed: int, criteria: Criteria) -> None:
        self._random = random.Random(f"probe {seed}")
        self._seed = seed
        self._n = per_kind
        self._criteria = criteria
        self._expected = {kind: Expectation(kind, criteria) for kind in KINDS}
        drawn = list(questions)
        self._random.shuffle(drawn)
        self._answerable = [q for q in drawn if q.answerable and _has_answer(q)]
        self._unanswerable = [q for q in drawn if not q.answerable]

    def build(self) -> list[ProbeCase]:
        wrong = self._some(self._answerable, self._foreign)
        makers = (self._number, self._negated, self._faithful_but_wrong, self._right_but_unfaithful)
        return [
            *(case for q in self._answerable[: self._n] for case in self._basic(q)),
            *wrong,
            *(case for place, base in enumerate(wrong) for case in self._derived(base, place)),
            *(case for make in makers for case in self._some(self._answerable, make)),
            *self._some(self._unanswerable, self._declined),
            *self._some(self._unanswerable, self._invented),
        ]

    def _some(
        self, pool: Sequence[Question], make: Callable[[Question], ProbeCase | None]
    ) -> list[ProbeCase]:
        return list(islice((case for question in pool if (case := make(question))), self._n))

    def _case(self, kind: str, question: Question, prediction: str, **more: Any) -> ProbeCase:
        return self._expected[kind].case(kind, question, prediction, **more)

    def _others(self, question: Question) -> Iterator[Question]:
        """Questions about other documents, in random order."""
        others = [q for q in self._answerable if q.cluster != question.cluster]
        yield from self._random.sample(others, min(_TRIES, len(others)))

    def _basic(self, question: Question) -> list[ProbeCase]:
        """The cases that every answerable question has."""
        reference = self._case("reference", question, question.reference[0])
        padded = perturb.pad(_answer(question), korean=perturb.is_korean(question))
        return [
            reference,
            self._case("padded", question, padded, against=reference.key),
            self._case("empty", question, ""),
            self._case("abstained_wrongly", question, perturb.refusal(question)),
        ]

    def _foreign(self, question: Question) -> ProbeCase | None:
        for other in self._others(question):
            answer = _answer(other)
            if perturb.unlike(answer, question.reference):
                return self._case("foreign", question, answer)
        return None

    def _derived(self, base: ProbeCase, place: int) -> list[ProbeCase]:
        """A wrong answer with courtesies and with orders to the judge: neither makes it better."""
        forms = list(perturb.INJECTIONS)
        half = len(forms) // 2
        padded = perturb.pad(base.prediction, korean=perturb.is_korean(base.question))
        cases = [self._case("padded_wrong", base.question, padded, against=base.key)]
        for form in (forms[place % half], forms[place % half + half]):
            prediction = perturb.inject(form, base.prediction, self._criteria)
            cases.append(self._case("injection", base.question, prediction, form=form, against=base.key))
        return cases

    def _number(self, question: Question) -> ProbeCase | None:
        answer = _answer(question)
        if not asks_for_number(question.question) and len(perturb.bare(answer)) > _SHORT:
            return None
        swapped = swap_numbers(answer, numbers_in(question.question), self._seed)
        if swapped is None or _is_accepted(swapped, question):
            return None
        return self._case("number", question, swapped)

    def _negated(self, question: Question) -> ProbeCase | None:
        answer = _answer(question)
        negated = negate(answer, korean=perturb.is_korean(question)) if len(answer) <= _LONGEST else None
        if negated is None or _is_accepted(negated, question):
            return None
        return self._case("negated", question, negated)

    def _faithful_but_wrong(self, question: Question) -> ProbeCase | None:
        sentences = perturb.irrelevant_sentences(question)
        if not sentences:
            return None
        return self._case("faithful_but_wrong", question, self._random.choice(sentences))

    def _right_but_unfaithful(self, question: Question) -> ProbeCase | None:
        if not question.contexts:
            return None
        for other in self._others(question):
            if other.contexts and perturb.lacks_answer(other.contexts, question):
                moved = replace(question, contexts=other.contexts)
                return self._case("right_but_unfaithful", moved, _answer(question))
        return None

    def _declined(self, question: Question) -> ProbeCase:
        return self._case("abstained_rightly", question, perturb.refusal(question))

    def _invented(self, question: Question) -> ProbeCase | None:
        """An answer to a question that has none."""
        other = next(self._others(question), None)
        return None if other is None else self._case("invented", question, _answer(other))


def _has_answer(question: Question) -> bool:
    answer = _answer(question)
    return bool(perturb.bare(answer)) and not is_abstention(answer)


def _answer(question: Question) -> str:
    """The first reference without its citations, which refer to the question's own passages."""
    return strip_citations(question.reference[0]) if question.reference else ""


def _is_accepted(answer: str, question: Question) -> bool:
    return perturb.bare(answer) in {perturb.bare(text) for text in question.reference}


def claim_level(claims: Sequence[Claim]) -> int | None:
    """The level of `CLAIM_SUPPORT`: the highest only when all claims are supported; None without claims."""
    supported = sum(claim.supported for claim in claims)
    return CLAIM_SUPPORT.low + CLAIM_SUPPORT.span * supported // len(claims) if claims else None


def build_claim_cases(questions: Iterable[Question], per_kind: int, seed: int = 0) -> list[ProbeCase]:
    """Up to `per_kind` cases of each of `CLAIM_KINDS`, of questions drawn by `seed`."""
    drawn = [question for question in questions if question.contexts]
    chance = random.Random(f"claims {seed}")
    chance.shuffle(drawn)
    makers: dict[str, Callable[[Question], tuple[Question, str] | None]] = {
        "claims_stated": lambda question: _stated(question, chance),
        "claims_number": lambda question: _number_changed(question, seed),
        "claims_absent": lambda question: _absent(question, drawn, chance),
    }
    cases = []
    for kind, make in makers.items():
        expected = Expectation(kind, Criteria([CLAIM_SUPPORT]))
        made = (found for question in drawn if (found := make(question)))
        cases += [expected.case(kind, *found) for found in islice(made, per_kind)]
    return cases


def _stated(question: Question, chance: random.Random) -> tuple[Question, str] | None:
    """A sentence of the passages."""
    sentences = perturb.sentences(question)
    return (question, chance.choice(sentences)) if sentences else None


def _number_changed(question: Question, seed: int) -> tuple[Question, str] | None:
    """A sentence of the passages, with numbers that no passage has."""
    present = {number for passage in question.contexts for number in numbers_in(passage.text)}
    for sentence in perturb.sentences(question):
        swapped = swap_numbers(sentence, (), seed)
        if swapped is not None and not numbers_in(swapped) & present:
            return question, swapped
    return None


def _absent(
    question: Question, questions: Sequence[Question], chance: random.Random
) -> tuple[Question, str] | None:
    """The reference, with the passages of another document, which do not contain it."""
    answer = _answer(question) if question.answerable else ""
    if not perturb.bare(answer):
        return None
    others = [q for q in questions if q.cluster != question.cluster]
    for other in chance.sample(others, min(_TRIES, len(others))):
        if perturb.lacks_answer(other.contexts, question):
            return replace(question, contexts=other.contexts), answer
    return None
