"""What the page of one question shows, read from the run at one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from statistics import fmean, stdev
from typing import NamedTuple

from simsa.metrics.citations import parse_citations
from simsa.metrics.registry import METRICS, decimals, is_count
from simsa.records import CRITERIA, Judgement, Question
from simsa.report.format import format_fixed
from simsa.store import (
    Claimed,
    Result,
    Store,
    claim_judgements,
    claimed,
    judgements,
    measures,
    members,
    repeats,
    results,
    snapshot,
)
from simsa.web.prompts_view import SentPrompt, of_judge, of_model
from simsa.web.query import TOTAL
from simsa.web.question_list import score_of
from simsa.web.text_diff import LONGEST, DiffSpan, OverlapSpan, compare, used

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class PanelScore(NamedTuple):
    """What one of a panel said, or one repeat; `repeat` counts from 1, None for a member as a whole."""

    member: str
    repeat: int | None
    status: str
    scores: Mapping[str, int]

    @property
    def total(self) -> int | None:
        return sum(self.scores.values()) if len(self.scores) == len(CRITERIA) else None


class Several(NamedTuple):
    """A variant's answers to the question and how far they lie apart.

    `span` is criterion, or "total", → mean, lowest and highest score of the answers that have one; `sd` the
    standard deviation of their totals, None where fewer than two have one.
    """

    answers: Sequence[Result]
    span: Mapping[str, Span]
    sd: float | None

    @property
    def is_one(self) -> bool:
        return len(self.answers) == 1


class Span(NamedTuple):
    mean: float
    low: float
    high: float


class ShownAnswer(NamedTuple):
    """One variant's answer, and `several` with all that it gave. `pieces` is the comparison with the reference, None
    where that can't be made."""

    letter: str
    several: Several
    result: Result
    pieces: list[DiffSpan] | None
    judged: list[Judgement]
    said: list[PanelScore]
    claimed: Claimed | None
    replies: list[Judgement]
    metrics: Mapping[str, str]
    asked: SentPrompt | None
    asked_of_judge: list[SentPrompt]


class QuestionFacts(NamedTuple):
    """A question with all its answers. `passages` are in pieces, each with the numbers of the answers that have it too;
    `cited` says for a passage's number, from 1, who cites it."""

    question: Question
    answers: list[ShownAnswer]
    passages: list[list[OverlapSpan]]
    cited: Mapping[int, list[str]]


def facts(store: Store, question_id: str, chosen: Sequence[int] = ()) -> QuestionFacts | None:
    """Everything of one question; None when the run has none of this id.

    `chosen` says by variant, in the run's order, which of its answers is shown, from 0; what there is none of is
    the first.
    """
    with snapshot(store):
        question = store.question(question_id)
        if question is None:
            return None
        known = store.variants()
        given = groupby(
            results(store, question_id=question_id, sample=None), key=lambda result: result.variant
        )
        found = {variant: several(list(answers)) for variant, answers in given}
        listed = {(row.variant, row.sample): row for row in claimed(store, question_id, sample=None)}
        heard = _heard(store, question_id)
        shown = [
            of.answers[n] if (n := dict(enumerate(chosen)).get(place, 0)) < len(of.answers) else of.answers[0]
            for place, of in enumerate(found.values())
        ]
        answers = [
            ShownAnswer(
                letter(n),
                found[result.variant],
                result,
                compare(result.prediction or "", question.reference),
                judgements(store, question_id, result.variant, result.sample),
                heard.get((result.variant, result.sample), []),
                listed.get((result.variant, result.sample)),
                _replies(store, question_id, result.variant, result.sample),
                _metrics(_measured(store, result)),
                of_model(store, known.get(result.variant, {}), question, result.sample),
                of_judge(store, question, result.prediction) if result.prediction is not None else [],
            )
            for n, result in enumerate(shown)
        ]
    texts = [result.prediction or "" for result in shown]
    cited: dict[int, list[str]] = {}
    for answer in answers:
        for passage in parse_citations((answer.result.prediction or "")[:LONGEST]):
            cited.setdefault(passage, []).append(answer.letter)
    return QuestionFacts(
        question, answers, [used(passage.text[:LONGEST], texts) for passage in question.contexts], cited
    )


def _measured(store: Store, result: Result) -> Mapping[str, float | None]:
    [figures] = measures(store, result.variant, result.question_id, sample=result.sample)
    return figures or {}


def several(answers: Sequence[Result]) -> Several:
    """All answers of a variant to a question, together."""
    spans: dict[str, Span] = {}
    for name in (*CRITERIA, TOTAL):
        scores = [score for one in answers if (score := score_of(one, name)) is not None]
        if scores:
            spans[name] = Span(fmean(scores), min(scores), max(scores))
    totals = [one.total for one in answers if one.total is not None]
    return Several(answers, spans, stdev(totals) if len(totals) > 1 else None)


def _replies(store: Store, question_id: str, variant: str, sample: int) -> list[Judgement]:
    """All that the judge said of an answer."""
    return [
        *judgements(store, question_id, variant, sample),
        *claim_judgements(store, question_id, variant, sample),
    ]


def _heard(store: Store, question_id: str) -> dict[tuple[str, int], list[PanelScore]]:
    """Variant and answer → what each of a panel said, then each repeat; the parts of a verdict together."""
    found: dict[tuple[str, int], dict[tuple[str, int | None], PanelScore]] = {}
    for one in (*members(store, question_id), *repeats(store, question_id)):
        of_variant = found.setdefault((one.variant, one.sample), {})
        n = None if one.repeat is None else one.repeat + 1
        before = of_variant.get((one.member, n), PanelScore(one.member, n, "scored", {}))
        status = one.status if before.status == "scored" else before.status
        of_variant[one.member, n] = PanelScore(one.member, n, status, {**before.scores, **one.scores})
    return {variant: list(said.values()) for variant, said in found.items()}


def cites(text: str, n_passages: int) -> int | None:
    """The first passage that a citation marker names, from 1; None where there is none of that number."""
    return next((n for n in parse_citations(text) if 1 <= n <= n_passages), None)


def letter(number: int) -> str:
    """A short name for a variant by its number: A, B, … Z, A2, …"""
    turn, place = divmod(number, len(_LETTERS))
    return _LETTERS[place] + (str(turn + 1) if turn else "")


def whole_text(store: Store, question_id: str, part: str, name: str, sample: int = 0) -> str | None:
    """A text that the page cut short: `part` is reference, passage (`name` its number from 0), answer or raw
    (`name` the variant, `sample` which of its answers)."""
    question = store.question(question_id)
    if question is None:
        return None
    if part in ("reference", "passage"):
        texts = question.reference if part == "reference" else tuple(p.text for p in question.contexts)
        return texts[int(name)] if name.isascii() and name.isdigit() and int(name) < len(texts) else None
    if part == "raw":
        return "\n\n".join(j.raw for j in _replies(store, question_id, name, sample)) or None
    found = next(results(store, name, question_id, sample=sample), None) if part == "answer" else None
    return found.prediction if found else None


def _metrics(row: Mapping[str, float | None]) -> dict[str, str]:
    """Metric → figure, in the order of tables, without those that don't apply."""
    names = [*(name for name in METRICS if name in row), *(name for name in row if name not in METRICS)]
    return {
        name: format_fixed(value, 0 if is_count(name) else min(decimals(name), 2))
        for name in names
        if (value := row[name]) is not None
    }
