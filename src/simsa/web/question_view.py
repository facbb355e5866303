"""What the page of one question shows, read from the run at one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from statistics import fmean, stdev
from typing import Any, NamedTuple

from simsa.errors import SimsaError
from simsa.metrics.citations import parse_citations
from simsa.metrics.registry import METRICS, decimals, is_count
from simsa.records import CLAIMS, TOTAL, Criteria, Judgement, Message, Number, Question
from simsa.report.format import format_fixed
from simsa.store import (
    Claimed,
    Result,
    Store,
    claim_judgements,
    claimed,
    criteria_of,
    judgements,
    measures,
    members,
    repeats,
    results,
    snapshot,
)
from simsa.web.text_diff import LONGEST, DiffSpan, OverlapSpan, diff_spans, overlap_spans

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_BOUNDARY = "····"  # stands for the random code around each text in the judge's request


class PanelScore(NamedTuple):
    """The scores of one panel member or of one repeat, counted from 1; `repeat` is None for a member as a whole."""

    member: str
    repeat: int | None
    status: str
    scores: Mapping[str, int]
    total: Number | None


class Span(NamedTuple):
    """Mean, lowest and highest score of several answers."""

    mean: float
    low: Number
    high: Number


class VariantAnswers(NamedTuple):
    """All answers of a variant to the question.

    `span` maps a criterion, or "total", to the scores of the answers that have one; `sd` is the standard deviation
    of their totals, None where fewer than two have one.
    """

    answers: Sequence[Result]
    span: Mapping[str, Span]
    sd: float | None

    @property
    def is_one(self) -> bool:
        return len(self.answers) == 1


class SentPrompt(NamedTuple):
    """The messages of a request and its other settings. `part` is empty for the model's own request."""

    part: str
    messages: tuple[Message, ...]
    settings: Mapping[str, Any]


class ShownAnswer(NamedTuple):
    """One answer of a variant, and `all` of that variant. `diff` compares it with the reference; None where that is
    impossible. `replies` are all replies of the judge, those about claims included."""

    letter: str
    all: VariantAnswers
    result: Result
    diff: list[DiffSpan] | None
    judged: list[Judgement]
    panel: list[PanelScore]
    claimed: Claimed | None
    replies: list[Judgement]
    metrics: Mapping[str, str]
    model_request: SentPrompt | None
    judge_requests: list[SentPrompt]


class QuestionDetails(NamedTuple):
    """A question with its answers. `passages` are split into spans that name the answers sharing them; `cited` maps
    a passage's number, from 1, to the letters of the answers that cite it."""

    question: Question
    answers: list[ShownAnswer]
    passages: list[list[OverlapSpan]]
    cited: Mapping[int, list[str]]


def question_details(store: Store, question_id: str, chosen: Sequence[int] = ()) -> QuestionDetails | None:
    """Everything about one question; None when the run has no question with this id.

    `chosen` has for each variant, in the run's order, the number of the answer to show, from 0; the first answer is
    shown where that does not exist.
    """
    with snapshot(store):
        question = store.question(question_id)
        if question is None:
            return None
        criteria, variants = criteria_of(store), store.variants()
        by_variant = answers_by_variant(store, question_id, criteria)
        claims = {(row.variant, row.sample): row for row in claimed(store, question_id, sample=None)}
        panel = _panel_scores(store, question_id, criteria)
        answers = []
        for n, (variant, found) in enumerate(by_variant.items()):
            sample = dict(enumerate(chosen)).get(n, 0)
            result = found.answers[sample if sample < len(found.answers) else 0]
            key = question_id, variant, result.sample
            answers.append(
                ShownAnswer(
                    letter=letter(n),
                    all=found,
                    result=result,
                    diff=diff_spans(result.prediction or "", question.reference),
                    judged=judgements(store, *key),
                    panel=panel.get((variant, result.sample), []),
                    claimed=claims.get((variant, result.sample)),
                    replies=_replies(store, *key),
                    metrics=_metrics(store, result),
                    model_request=_model_request(store, variants.get(variant, {}), question, result.sample),
                    judge_requests=_judge_requests(store, question, result.prediction),
                )
            )
    texts = [answer.result.prediction or "" for answer in answers]
    cited: dict[int, list[str]] = {}
    for answer, text in zip(answers, texts, strict=True):
        for passage in parse_citations(text[:LONGEST]):
            cited.setdefault(passage, []).append(answer.letter)
    passages = [overlap_spans(passage.text[:LONGEST], texts) for passage in question.contexts]
    return QuestionDetails(question, answers, passages, cited)


def answers_by_variant(store: Store, question_id: str, criteria: Criteria) -> dict[str, VariantAnswers]:
    """Variant → its answers to one question, in the run's order of variants."""
    found = results(store, question_id=question_id, sample=None)
    grouped = groupby(found, key=lambda result: result.variant)
    return {variant: _together(list(answers), criteria) for variant, answers in grouped}


def _together(answers: Sequence[Result], criteria: Criteria) -> VariantAnswers:
    totals = [one.total for one in answers if one.total is not None]
    scores: dict[str, list[Number]] = {TOTAL: totals}
    for name in criteria.names:
        scores[name] = [one.scores[name] for one in answers if name in one.scores]
    spans = {name: Span(fmean(found), min(found), max(found)) for name, found in scores.items() if found}
    return VariantAnswers(answers, spans, stdev(totals) if len(totals) > 1 else None)


def _replies(store: Store, question_id: str, variant: str, sample: int) -> list[Judgement]:
    return [
        *judgements(store, question_id, variant, sample),
        *claim_judgements(store, question_id, variant, sample),
    ]


def _panel_scores(
    store: Store, question_id: str, criteria: Criteria
) -> dict[tuple[str, int], list[PanelScore]]:
    """Variant and sample → the scores of each panel member, then of each repeat; parts of a verdict are merged."""
    found: dict[tuple[str, int], dict[tuple[str, int | None], PanelScore]] = {}
    for one in (*members(store, question_id), *repeats(store, question_id)):
        of_answer = found.setdefault((one.variant, one.sample), {})
        repeat = None if one.repeat is None else one.repeat + 1
        before = of_answer.get((one.member, repeat))
        scores = {**(before.scores if before else {}), **one.scores}
        status = before.status if before and before.status != "scored" else one.status
        of_answer[one.member, repeat] = PanelScore(one.member, repeat, status, scores, criteria.total(scores))
    return {key: list(scores.values()) for key, scores in found.items()}


def _metrics(store: Store, result: Result) -> dict[str, str]:
    """Metric → figure, in the order of the tables, without metrics that do not apply."""
    [figures] = measures(store, result.variant, result.question_id, sample=result.sample)
    row = figures or {}
    names = [*(name for name in METRICS if name in row), *(name for name in row if name not in METRICS)]
    return {
        name: format_fixed(value, 0 if is_count(name) else min(decimals(name), 2))
        for name in names
        if (value := row[name]) is not None
    }


def _model_request(
    store: Store, variant: Mapping[str, Any], question: Question, sample: int
) -> SentPrompt | None:
    """The request that a variant got, built again from the config.

    None for predictions from a file, and when the prompt no longer exists.
    """
    from simsa import prompts

    config = store.meta("config") or {}
    settings = dict(config.get("generation") or {})
    if variant.get("predictions") or "prompt" not in settings:
        return None
    try:
        messages = prompts.load(settings.pop("prompt"), store.folder.resolve().parent).messages(question)
    except SimsaError:
        return None
    if settings.pop("samples", 1) > 1 and settings.get("seed") is not None:
        settings["seed"] += sample
    return SentPrompt("", messages, {k: v for k, v in settings.items() if v not in (None, [], {})})


def _judge_requests(store: Store, question: Question, prediction: str | None) -> list[SentPrompt]:
    """The judge's requests, built again from the config; none when the rubric has changed, or no model judged."""
    from simsa import rubrics
    from simsa.judges import JOINT
    from simsa.rubrics.claims import claims_prompt

    config = (store.meta("config") or {}).get("judge") or {}
    judge = store.meta("judge") or {}
    try:
        rubric = rubrics.load(config.get("rubric", ""), store.folder.resolve().parent)
    except SimsaError:
        return []
    if prediction is None or rubric.label != judge.get("rubric"):
        return []
    groups = rubric.groups if judge.get("mode") == "split" else {JOINT: rubric.criteria.names}
    names = ("model", "temperature", "seed", "max_tokens")
    settings = {name: config[name] for name in names if config.get(name) is not None}
    sent = []
    for part, criteria in groups.items():
        material = rubric.material(criteria, question, prediction)
        sent.append(SentPrompt(part, rubric.messages(criteria, material, _BOUNDARY), settings))
    if config.get("claims") and prediction.strip():
        prompt = claims_prompt(rubric.language)
        material = prompt.material(question, prediction)
        sent.append(SentPrompt(CLAIMS, prompt.messages(material, _BOUNDARY), settings))
    return sent


def cited_passage(text: str, n_passages: int) -> int | None:
    """The first existing passage that a citation marker names, from 1; None where there is none."""
    return next((n for n in parse_citations(text) if 1 <= n <= n_passages), None)


def letter(number: int) -> str:
    """A short name for a variant by its number: A, B, … Z, A2, …"""
    turn, place = divmod(number, len(_LETTERS))
    return _LETTERS[place] + (str(turn + 1) if turn else "")


def whole_text(store: Store, question_id: str, part: str, name: str, sample: int = 0) -> str | None:
    """A text that the page shows cut: `part` is reference, passage (`name` its number from 0), answer or raw
    (`name` the variant, `sample` the number of its answer). None when there is none."""
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
